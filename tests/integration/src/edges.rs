//! Edges as processes of their own, each with the real component.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Child, S3,
    http::Client,
    platform::{target, web},
    twins::{free_address, signal},
};

/// Some edges over one store.
pub struct EdgeProcesses {
    /// Where they are, whether they run or not.
    pub addresses: Vec<SocketAddr>,
    running: Vec<Option<Child>>,
    s3: S3,
    folder: tempfile::TempDir,
}

/// The compiled component is kept, so that a start takes no longer than this.
const START_LIMIT: Duration = Duration::from_secs(60);

impl EdgeProcesses {
    /// Starts so many.
    pub fn start(s3: &S3, count: usize) -> Self {
        let addresses = (0..count).map(|_| free_address()).collect();
        let running = (0..count).map(|_| None).collect();
        let mut edges = Self { addresses, running, s3: s3.clone(), folder: tempfile::tempdir().unwrap() };
        for place in 0..count {
            edges.launch(place);
        }
        edges.wait_until_ready();
        edges
    }

    /// Starts one that is not there.
    pub fn launch(&mut self, place: usize) {
        let program = target().join("debug/tidegate-host");
        assert!(program.is_file(), "{} is not there: cargo build --workspace", program.display());
        let log = fs::File::create(self.folder.path().join(format!("edge-{place}.log"))).unwrap();
        let mut command = Command::new(program);
        command.args(["--listen", &self.addresses[place].to_string(), "--endpoint", &self.s3.endpoint, "--bucket", &self.s3.bucket]);
        command.arg("--component").arg(web().join("functions.wasm")).arg("--cache").arg(web().join("compiled"));
        command.envs([("AWS_ACCESS_KEY_ID", &self.s3.access_key), ("AWS_SECRET_ACCESS_KEY", &self.s3.secret_key)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running[place] = Some(Child::start(command).unwrap());
    }

    /// kill -9.
    pub fn kill(&mut self, place: usize) {
        self.running[place] = None;
    }

    /// Sends a signal.
    pub fn signal(&self, place: usize, number: i32) {
        if let Some(child) = &self.running[place] {
            signal(child.pid, number);
        }
    }

    fn wait_until_ready(&self) {
        let began = Instant::now();
        for (place, address) in self.addresses.iter().enumerate() {
            while Client::new(*address).get("/time").is_err() {
                assert!(
                    began.elapsed() < START_LIMIT,
                    "{}",
                    fs::read_to_string(self.folder.path().join(format!("edge-{place}.log"))).unwrap_or_default()
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}
