use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tidegate_host::{Config, Host, Limits, PreferWait, Reload, Statics, Upstream};
use tidegate_rig::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A host that runs, with the upstream behind it and a viewer before it.
pub(crate) struct Edge {
    pub(crate) store: Store,
    base: String,
    reload: Reload,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn config(store: &Store) -> Config {
    let upstream = Upstream {
        endpoint: store.endpoint(),
        bucket: "bucket".into(),
        region: "us-east-1".into(),
        credentials: None,
        shield_secret: None,
        prefer_wait: PreferWait::Never,
    };
    Config {
        cache_dir: Some(target().join("tidegate/compiled")),
        statics: Statics::default().file("/", "<p>watch</p>").file("/player/player.js", "export {}"),
        limits: Limits { instances: 16, guest_time: Duration::from_secs(2), ..Limits::default() },
        ..Config::new("127.0.0.1:0".parse().unwrap(), upstream, scripted().to_owned())
    }
}

impl Edge {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let store = Store::start().await;
        let mut config = config(&store);
        change(&mut config);
        let host = Host::bind(config).await.unwrap();
        let base = format!("http://{}", host.addr());
        let (shutdown, reload) = (CancellationToken::new(), host.reload());
        let task = tokio::spawn(host.run(shutdown.clone()));
        Self { store, base, reload, client: Client::builder(TokioExecutor::new()).build_http(), shutdown, task }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &'static str) -> Answer {
        self.request(Method::POST, path, headers, Full::from(body)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(method, path, headers, Full::default()).await
    }

    async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Full<Bytes>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// Viewers who ask the same at one time.
    pub(crate) fn many(&self, count: usize, path: &str) -> Vec<JoinHandle<Answer>> {
        let ask = |_| {
            let (client, uri) = (self.client.clone(), format!("{}{path}", self.base));
            tokio::spawn(async move {
                let response = client.get(uri.parse().unwrap()).await.unwrap();
                let (head, body) = response.into_parts();
                Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
            })
        };
        (0..count).map(ask).collect()
    }

    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await;
        let line = page.text().lines().find_map(|line| line.strip_prefix(&format!("tidegate_host_{name} "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().unwrap()
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// As `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub(crate) fn reload(&self) -> &Reload {
        &self.reload
    }

    pub(crate) fn stop(&self) {
        self.shutdown.cancel();
    }

    pub(crate) async fn stopped(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
    }
}

/// The folder of everything that is built.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// The component of `examples/scripted.rs`, built when a test first wants it.
pub(crate) fn scripted() -> &'static Path {
    static SCRIPTED: OnceLock<PathBuf> = OnceLock::new();
    SCRIPTED.get_or_init(|| {
        let wasm = ["--target", "wasm32-wasip2", "--profile", "wasm"];
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "-p", "tidegate-spin", "--example", "scripted"])
            .args(wasm)
            .arg("--target-dir")
            .arg(target())
            .status()
            .unwrap();
        assert!(status.success(), "the scripted component does not build");
        target().join("wasm32-wasip2/wasm/examples/scripted.wasm")
    })
}

/// The component that edges run; `None`, said aloud, where it is not built. In CI it has to be there.
pub(crate) fn functions() -> Option<PathBuf> {
    let path = std::env::var_os("TIDEGATE_COMPONENT").map_or_else(|| target().join("tidegate/functions.wasm"), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "no functions component at {}", path.display());
    eprintln!("SKIPPED: no functions component at {}; build it or name it in TIDEGATE_COMPONENT", path.display());
    None
}
