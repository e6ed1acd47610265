use std::{
    env,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tidegate_rig::http::Client;

use crate::clip::target;

/// A running `tidegate up`; stopped when it is dropped.
pub struct Up {
    child: Child,
    pub edge: SocketAddr,
    pub rtmp: SocketAddr,
    pub store: SocketAddr,
    pub stream_key: String,
    pub data: PathBuf,
    metrics: SocketAddr,
}

const END_LIMIT: Duration = Duration::from_secs(20);

impl Up {
    /// Starts the platform without a source; `arguments` go to `tidegate up`.
    pub fn start(arguments: &[&str]) -> Self {
        let data = env::temp_dir().join(format!("tidegate-bench-{}", std::process::id()));
        let [metrics, store] = [free_port(), free_port()];
        let free = "127.0.0.1:0";
        let mut command = Command::new(program("tidegate"));
        command.args(["up", "--no-demo", "--listen", free, "--rtmp", free, "--store-listen", &store.to_string(), "--data"]).arg(&data);
        command.args(["--metrics", &metrics.to_string()]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("tidegate starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut summary = Vec::new();
        for line in lines.by_ref() {
            let last = line.contains("Ctrl-C");
            summary.push(line);
            if last {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let value = |name: &str| {
            let found = summary.iter().find_map(|line| line.trim().strip_prefix(name)?.split_whitespace().next().map(str::to_owned));
            found.unwrap_or_else(|| panic!("tidegate up did not say its {name}: {summary:?}"))
        };
        let address = |url: String| url.split('/').nth(2).and_then(|host| host.parse().ok()).unwrap();
        let (edge, rtmp, stream_key) = (address(value("Watch")), address(value("OBS")), value("Stream key"));
        Self { child, edge, rtmp, store, stream_key, data, metrics }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A figure of the worker about the stream that is pushed.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = Client::new(self.metrics).get("/metrics").unwrap().text();
        let start = format!("tidegate_ingest_{name}{{stream=\"studio\"{labels}}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(f64::NAN)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && begun.elapsed() < END_LIMIT {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// A program of the workspace, from the profile that `TIDEGATE_PROFILE` names.
pub fn program(name: &str) -> PathBuf {
    let profile = env::var("TIDEGATE_PROFILE").unwrap_or_else(|_| "debug".into());
    let program = target().join(profile).join(name);
    assert!(program.is_file(), "{} is not there: start this with tests/benches/run", program.display());
    program
}

/// A port that was free a moment ago.
pub fn free_port() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).unwrap()
}
