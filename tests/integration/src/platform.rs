//! The whole platform in this process: embedded store, worker, edge host with the real component.

use std::{env, net::SocketAddr, path::PathBuf, sync::Arc, sync::mpsc, thread::JoinHandle, time::Duration};

use tidegate_host::{Host, PreferWait, Upstream};
use tidegate_ingest_worker::{
    Config, Metrics, Worker,
    store::{Bucket as _, Condition, Store},
};
use tidegate_stream::{KeyDocument, KeyHash, MetaKey, StreamId};
use tokio_util::sync::CancellationToken;

use crate::{
    Embedded, S3,
    ffmpeg::{self, Push},
    http::{Client, Response},
};

/// A running platform; stopped when it is dropped.
pub struct Platform {
    pub edge: SocketAddr,
    pub rtmp: SocketAddr,
    pub metrics: Arc<Metrics>,
    s3: S3,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    _embedded: Option<Embedded>,
}

/// How long anything on this machine may take to appear; what takes longer is broken, not slow.
pub const PATIENCE: Duration = Duration::from_secs(30);

impl Platform {
    /// Starts it over an embedded store of its own, without a ladder unless `change` says so.
    pub fn start(change: impl FnOnce(&mut Config)) -> Self {
        let embedded = Embedded::start();
        let s3 = embedded.s3.clone();
        let mut platform = Self::over(s3, PreferWait::Auto, change);
        platform._embedded = Some(embedded);
        platform
    }

    /// Starts worker and edge over a store that runs.
    pub fn over(s3: S3, prefer_wait: PreferWait, change: impl FnOnce(&mut Config)) -> Self {
        Self::between(s3.clone(), s3, prefer_wait, change)
    }

    /// Starts a worker that writes to one address of a store, and an edge that reads from another.
    pub fn between(worker_s3: S3, s3: S3, prefer_wait: PreferWait, change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(worker_s3, s3, None, prefer_wait, change)
    }

    /// Starts worker and edge over a store and a second one to which the worker copies.
    pub fn mirrored(s3: S3, mirror: S3) -> Self {
        Self::launch(s3.clone(), s3, Some(mirror), PreferWait::Auto, |_| {})
    }

    fn launch(worker_s3: S3, s3: S3, mirror: Option<S3>, prefer_wait: PreferWait, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { ffmpeg: ffmpeg::program(), ..Config::default() };
        config.rtmp.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.rtmp.reconnect_window_s = 4;
        config.metrics.listen = None;
        config.ladder.clear();
        change(&mut config);
        let stop = CancellationToken::new();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn({
            let (s3, stop) = (s3.clone(), stop.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(async {
                    let store = Store::connect(worker_s3.store_config()).await.unwrap();
                    let second = match &mirror {
                        Some(s3) => Some(Store::connect(s3.store_config()).await.unwrap()),
                        None => None,
                    };
                    let worker = Worker::bind_mirrored(config, store, second).await.unwrap();
                    let mirror = mirror.map(|s3| upstream(&s3, PreferWait::Never));
                    let host = Host::bind(tidegate_host::Config { mirror, ..edge(&s3, prefer_wait) }).await.unwrap();
                    ready.send((host.addr(), worker.rtmp_addr(), worker.metrics())).unwrap();
                    let stop_host = CancellationToken::new();
                    let host = tokio::spawn(host.run(stop_host.clone()));
                    worker.run(stop).await;
                    stop_host.cancel();
                    host.await.unwrap();
                });
            }
        });
        let (edge, rtmp, metrics) = started.recv().expect("the platform starts");
        Self { edge, rtmp, metrics, s3, stop, thread: Some(thread), _embedded: None }
    }

    /// The store underneath.
    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    /// Makes a key for a stream and returns the address to push to.
    pub fn admit(&self, stream: &str) -> (String, String) {
        let stream_key = format!("key-of-{stream}");
        let key = MetaKey::StreamKey { hash: KeyHash::of(&stream_key) }.into();
        let document = serde_json::to_vec(&KeyDocument { stream: StreamId::parse(stream).unwrap(), expires_utc_ms: None }).unwrap();
        let config = self.s3.store_config();
        let put = async move {
            let store = Store::connect(config).await.unwrap();
            store.put(&key, document.into(), Condition::Any).await.unwrap();
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(put);
        let address = format!("rtmp://{}/live/{stream_key}", self.rtmp);
        (address, stream_key)
    }

    /// Pushes with ffmpeg; `input` is what stands before the output.
    pub fn push(&self, stream: &str, input: &[&str]) -> Push {
        let (address, _) = self.admit(stream);
        Push::start(input, &address)
    }

    /// A viewer's connection.
    pub fn viewer(&self) -> Client {
        Client::new(self.edge)
    }

    /// The address of a path at the edge.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.edge)
    }

    /// The address of a path at the bucket.
    pub fn bucket_url(&self, path: &str) -> String {
        format!("{}{path}", self.s3.bucket_url())
    }

    /// Asks until the answer is what is wanted; fails after [`PATIENCE`].
    pub fn until(&self, path: &str, what: &str, wanted: impl Fn(&Response) -> bool) -> Response {
        let mut viewer = self.viewer();
        let begun = std::time::Instant::now();
        loop {
            let answer = viewer.get(path).unwrap();
            if wanted(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{path}: {what} did not come; the last answer was {} {}", answer.status, answer.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The session that a live stream is in, with the folder of its addresses.
    pub fn session(&self, stream: &str) -> Session {
        let path = format!("/live/{stream}/index.m3u8");
        let text = self.until(&path, "a multivariant playlist", |answer| answer.status == 200).text();
        let uri = |line: &str| line.split_once("URI=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(uri, _)| uri.to_owned());
        let video = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let audio = text.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:")).filter_map(uri);
        let base = format!("/live/{stream}/");
        let media: Vec<String> = video.map(str::to_owned).chain(audio).map(|uri| format!("{base}{uri}")).collect();
        assert!(!media.is_empty(), "no media playlist in {text}");
        Session { multivariant: text, media }
    }

    /// Waits until a stream has ended, and returns what is then said of it.
    pub fn recording(&self, stream: &str) -> Session {
        let session = self.session(stream);
        for path in &session.media {
            self.until(path, "the end of the stream", |answer| answer.text().contains("#EXT-X-ENDLIST"));
        }
        session
    }
}

/// One session as a viewer sees it.
pub struct Session {
    pub multivariant: String,
    /// Paths of the media playlists.
    pub media: Vec<String>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the platform panicked");
        }
    }
}

fn upstream(s3: &S3, prefer_wait: PreferWait) -> Upstream {
    let credentials = aws_credential_types::Credentials::new(&s3.access_key, &s3.secret_key, None, None, "tests");
    Upstream {
        endpoint: s3.endpoint.clone(),
        bucket: s3.bucket.clone(),
        region: "us-east-1".into(),
        credentials: Some(aws_credential_types::provider::SharedCredentialsProvider::new(credentials)),
        prefer_wait,
        shield_secret: None,
    }
}

fn edge(s3: &S3, prefer_wait: PreferWait) -> tidegate_host::Config {
    let component = web().join("functions.wasm");
    tidegate_host::Config {
        cache_dir: Some(web().join("compiled")),
        ..tidegate_host::Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), upstream(s3, prefer_wait), component)
    }
}

/// What `infra/build web` has made.
pub fn web() -> PathBuf {
    let target = target();
    let web = target.join("tidegate");
    assert!(web.join("functions.wasm").is_file(), "{} has no functions.wasm: run infra/build web", web.display());
    web
}

/// The target folder that this test was built in.
pub fn target() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let binary = env::current_exe().unwrap();
    let found = binary.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(PathBuf::from);
    named.or(found).expect("a target folder")
}
