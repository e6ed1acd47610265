//! The embedded store on a port of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};

use tidegate_store::{Config, Durability, EmbeddedStore};
use tokio_util::sync::CancellationToken;

use crate::S3;

/// An embedded store in a thread of its own; stopped when it is dropped.
pub struct Embedded {
    pub s3: S3,
    pub addr: SocketAddr,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
    _dir: Option<tempfile::TempDir>,
}

impl Embedded {
    /// Starts one with an empty folder that is removed at the end.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_path_buf();
        let mut embedded = Self::start_in(&path);
        embedded._dir = Some(dir);
        embedded
    }

    /// Starts one with a folder that stays.
    pub fn start_in(dir: &Path) -> Self {
        Self::start_at(dir, 0)
    }

    /// Starts one again where one was.
    pub fn start_at(dir: &Path, port: u16) -> Self {
        let shutdown = CancellationToken::new();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn({
            let (dir, shutdown) = (dir.to_path_buf(), shutdown.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(async {
                    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
                    let addr = listener.local_addr().unwrap();
                    let store = EmbeddedStore::open(config(&S3::at(addr.port()), dir)).unwrap();
                    ready.send(addr).unwrap();
                    store.serve(listener, shutdown).await;
                });
            }
        });
        let addr = started.recv().expect("the embedded store starts");
        Self { s3: S3::at(addr.port()), addr, shutdown, thread: Some(thread), _dir: None }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shutdown.cancel();
        // A panic in the server has been printed by it.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn config(s3: &S3, dir: PathBuf) -> Config {
    Config {
        dir,
        bucket: s3.bucket.clone(),
        access_key: s3.access_key.clone(),
        secret_key: s3.secret_key.clone(),
        public_prefixes: vec!["live/".into()],
        cors: true,
        durability: Durability::Process,
        expiry: Vec::new(),
    }
}
