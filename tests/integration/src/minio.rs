//! A real MinIO, as a process of its own.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tidegate_ingest_worker::store::{Store, StoreError};

use crate::{Child, S3, http::Client, skip};

/// A MinIO with an empty disk; killed when it is dropped, and when the test process dies.
pub struct Minio {
    pub s3: S3,
    pub addr: SocketAddr,
    // Before its folder, which is removed after it.
    _child: Child,
    _dir: tempfile::TempDir,
}

/// MinIO takes one to three seconds on a machine with nothing else to do.
const START_LIMIT: Duration = Duration::from_secs(60);

impl Minio {
    /// Starts one; `None` where there is none on this machine and none has to be.
    pub fn start(test: &str) -> Option<Self> {
        let Some(program) = find() else {
            skip(test, "no `minio` at TIDEGATE_MINIO, among the tools, or in PATH: run tests/run, which installs it");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let (address, console) = (free_address(), free_address());
        let s3 = S3::at(address.port());
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(&program);
        command
            .args(["server", "--quiet", "--address", &address.to_string(), "--console-address", &console.to_string()])
            .arg(dir.path().join("disk"))
            .envs([("MINIO_ROOT_USER", &s3.access_key), ("MINIO_ROOT_PASSWORD", &s3.secret_key)])
            .envs([("MINIO_BROWSER", "off"), ("MINIO_UPDATE", "off"), ("MINIO_CI_CD", "1")])
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = Child::start(command).unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let minio = Self { s3, addr: address, _child: child, _dir: dir };
        minio.wait_until_ready();
        minio.make_bucket();
        Some(minio)
    }

    fn wait_until_ready(&self) {
        let start = Instant::now();
        let mut client = Client::new(self.addr);
        while !client.get("/minio/health/live").is_ok_and(|answer| answer.status == 200) {
            if start.elapsed() > START_LIMIT {
                let log = fs::read_to_string(self._dir.path().join("log")).unwrap_or_default();
                panic!("MinIO is not ready after {START_LIMIT:?}:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn make_bucket(&self) {
        let make = async {
            let store = Store::connect(self.s3.store_config()).await.unwrap();
            // It says that it is live, and even ready, before it takes requests.
            let start = Instant::now();
            while let Err(error) = store.ensure_bucket().await {
                assert!(matches!(error, StoreError::Unavailable(_)) && start.elapsed() < START_LIMIT, "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // A reader that may not list is told 403 where nothing lies, and could not tell "not yet" from "not allowed".
            let policy = r#"{"Version":"2012-10-17","Statement":[
                {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/live/*"},
                {"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::BUCKET"}]}"#;
            let policy = policy.replace("BUCKET", &self.s3.bucket);
            store.client().put_bucket_policy().bucket(&self.s3.bucket).policy(policy).send().await.unwrap();
        };
        // In a thread of its own, so that a test with a runtime can start it too.
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(make);
            });
            made.join().expect("MinIO takes a bucket");
        });
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("TIDEGATE_MINIO").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache")));
    let ours = cache.map(|cache| cache.join("tidegate/tools/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    ours.into_iter().chain(env::split_paths(&path)).map(|folder| folder.join("minio")).find(|program| program.is_file())
}

/// A port that was free a moment ago; MinIO cannot say which one it would choose.
fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).unwrap()
}
