use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Notify};

pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A store whose objects a test puts, and whose requests a test counts.
#[derive(Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
    port: u16,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    objects: HashMap<String, (Bytes, &'static str)>,
    requests: Vec<Seen>,
    /// So many requests fail with this status.
    fail: (usize, u16),
    /// Answers to `Prefer: wait` come when the object exists.
    waits: bool,
    slow: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Store {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = Self { inner: Arc::default(), port: listener.local_addr().unwrap().port() };
        let serving = store.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let store = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let store = store.clone();
                        async move { Ok::<_, Infallible>(store.answer(request).await) }
                    });
                    let mut builder = hyper::server::conn::http1::Builder::new();
                    builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        store
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn put(&self, key: &str, bytes: impl Into<Bytes>, cache_control: &'static str) {
        self.inner.state.lock().unwrap().objects.insert(key.into(), (bytes.into(), cache_control));
        self.inner.changed.notify_waiters();
    }

    pub(crate) fn fail(&self, times: usize, status: u16) {
        self.inner.state.lock().unwrap().fail = (times, status);
    }

    pub(crate) fn waits(&self) {
        self.inner.state.lock().unwrap().waits = true;
    }

    pub(crate) fn slow(&self, by: Duration) {
        self.inner.state.lock().unwrap().slow = by;
    }

    pub(crate) fn requests(&self, key: &str) -> Vec<Seen> {
        let state = self.inner.state.lock().unwrap();
        state.requests.iter().filter(|seen| seen.path == format!("/bucket/{key}")).cloned().collect()
    }

    async fn write(&self, request: Request<Incoming>, key: &str) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut state = self.inner.state.lock().unwrap();
        let known = state.objects.get(key).map(|(bytes, _)| etag_of(bytes));
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
        let refused = header("if-none-match").is_some_and(|_| known.is_some())
            || header("if-match").is_some_and(|etag| known.as_deref() != Some(etag));
        let response = Response::builder();
        if refused {
            return response.status(StatusCode::PRECONDITION_FAILED).body(Full::from("<Error/>")).unwrap();
        }
        if head.method == Method::DELETE {
            state.objects.remove(key);
            return response.status(StatusCode::NO_CONTENT).body(Full::default()).unwrap();
        }
        let response = response.header("etag", etag_of(&body)).body(Full::default()).unwrap();
        state.objects.insert(key.into(), (body, ""));
        response
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let key = path.trim_start_matches("/bucket/").to_owned();
        let waits = {
            let mut state = self.inner.state.lock().unwrap();
            state.requests.push(Seen { method: request.method().clone(), path, headers: request.headers().clone() });
            if state.fail.0 > 0 {
                state.fail.0 -= 1;
                return Response::builder().status(state.fail.1).body(Full::from("<Error/>")).unwrap();
            }
            (state.waits && request.headers().contains_key("prefer"), state.slow)
        };
        tokio::time::sleep(waits.1).await;
        if request.method() != Method::GET {
            return self.write(request, &key).await;
        }
        loop {
            let changed = self.inner.changed.notified();
            let object = self.inner.state.lock().unwrap().objects.get(&key).cloned();
            match object {
                Some((bytes, control)) => return found(&request, bytes, control, waits.0),
                None if waits.0 => changed.await,
                None => return Response::builder().status(404).body(Full::from("<Error><Code>NoSuchKey</Code></Error>")).unwrap(),
            }
        }
    }
}

fn etag_of(bytes: &[u8]) -> String {
    format!("\"{:x}\"", bytes.iter().fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)))
}

fn found(request: &Request<Incoming>, bytes: Bytes, control: &str, waited: bool) -> Response<Full<Bytes>> {
    let etag = etag_of(&bytes);
    let mut response = Response::builder().header("etag", &etag);
    if !control.is_empty() {
        response = response.header("cache-control", control);
    }
    if waited {
        response = response.header("preference-applied", "wait=20");
    }
    if request.headers().get("if-none-match").is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return response.status(StatusCode::NOT_MODIFIED).body(Full::default()).unwrap();
    }
    let range = request.headers().get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    match range {
        Some((first, last)) => {
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let last = last.min(bytes.len() - 1);
            let range = format!("bytes {first}-{last}/{}", bytes.len());
            response.status(206).header("content-range", range).body(Full::from(bytes.slice(first..=last))).unwrap()
        }
        None => response.body(Full::from(bytes)).unwrap(),
    }
}
