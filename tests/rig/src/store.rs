//! A bucket behind HTTP, in path style, named `bucket`: a test puts its objects, says how it fails, and sees what it was asked.
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Notify};

/// What an object that never changes is kept for.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// How long objects below `slow/` take.
const SLOW: Duration = Duration::from_millis(200);

/// A store whose objects a test puts, and whose requests a test counts.
#[derive(Clone)]
pub struct Store {
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
    /// What a POST is answered, by whatever else than S3 lies at this address.
    reply: Bytes,
    /// Answers to `Prefer: wait` come when the object exists.
    waits: bool,
    slow: Duration,
    conditions: Conditions,
}

/// What a store makes of `If-None-Match` and `If-Match` of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Conditions {
    /// Looks and writes in one step.
    #[default]
    Kept,
    /// Takes no notice of them, as some servers do.
    Ignored,
    /// Looks, lets others go first, and writes, as others do.
    LookedAt,
}

/// Between a look and a write.
const BETWEEN: Duration = Duration::from_millis(5);

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Store {
    pub async fn start() -> Self {
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

    /// With these objects in it.
    pub async fn with(objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let store = Self::start().await;
        objects.into_iter().for_each(|(key, bytes)| store.put(&key, bytes, ""));
        store
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn put(&self, key: &str, bytes: impl Into<Bytes>, cache_control: &'static str) {
        self.inner.state.lock().unwrap().objects.insert(key.into(), (bytes.into(), cache_control));
        self.inner.changed.notify_waiters();
    }

    /// The bytes of an object.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.inner.state.lock().unwrap().objects.get(key).map(|(bytes, _)| bytes.clone())
    }

    /// The objects of a folder.
    pub fn below(&self, folder: &str) -> Vec<(String, Bytes)> {
        let state = self.inner.state.lock().unwrap();
        let below = state.objects.iter().filter(|(key, _)| key.starts_with(folder));
        below.map(|(key, (bytes, _))| (key.clone(), bytes.clone())).collect()
    }

    pub fn reply(&self, body: &'static str) {
        self.inner.state.lock().unwrap().reply = Bytes::from_static(body.as_bytes());
    }

    pub fn fail(&self, times: usize, status: u16) {
        self.inner.state.lock().unwrap().fail = (times, status);
    }

    pub fn conditions(&self, conditions: Conditions) {
        self.inner.state.lock().unwrap().conditions = conditions;
    }

    pub fn waits(&self) {
        self.inner.state.lock().unwrap().waits = true;
    }

    pub fn slow(&self, by: Duration) {
        self.inner.state.lock().unwrap().slow = by;
    }

    pub fn requests(&self, key: &str) -> Vec<Seen> {
        let state = self.inner.state.lock().unwrap();
        state.requests.iter().filter(|seen| seen.path == format!("/bucket/{key}")).cloned().collect()
    }

    fn refuses(state: &State, head: &Parts, key: &str) -> bool {
        let known = state.objects.get(key).map(|(bytes, _)| etag_of(bytes));
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
        header("if-none-match").is_some_and(|_| known.is_some()) || header("if-match").is_some_and(|etag| known.as_deref() != Some(etag))
    }

    async fn write(&self, head: &Parts, body: Bytes, key: &str) -> Response<Full<Bytes>> {
        let conditions = self.inner.state.lock().unwrap().conditions;
        let refused = || Response::builder().status(StatusCode::PRECONDITION_FAILED).body(error("PreconditionFailed")).unwrap();
        if conditions == Conditions::LookedAt {
            if Self::refuses(&self.inner.state.lock().unwrap(), head, key) {
                return refused();
            }
            tokio::time::sleep(BETWEEN).await;
        }
        let mut state = self.inner.state.lock().unwrap();
        let response = Response::builder();
        if conditions == Conditions::Kept && Self::refuses(&state, head, key) {
            return refused();
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
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = head.uri.path().to_owned();
        let key = path.trim_start_matches("/bucket/").to_owned();
        let (waits, slow) = {
            let mut state = self.inner.state.lock().unwrap();
            state.requests.push(Seen { method: head.method.clone(), path, headers: head.headers.clone(), body: body.clone() });
            if state.fail.0 > 0 {
                state.fail.0 -= 1;
                // A missing key is no failure: what fails so is a bucket.
                let code = if state.fail.1 == 404 { "NoSuchBucket" } else { "Test" };
                return Response::builder().status(state.fail.1).body(error(code)).unwrap();
            }
            if head.method == Method::POST {
                return Response::new(Full::from(state.reply.clone()));
            }
            (state.waits && head.headers.contains_key("prefer"), state.slow)
        };
        let own = if key.starts_with("slow/") { SLOW } else { Duration::ZERO };
        tokio::time::sleep(slow + own).await;
        if head.method != Method::GET && head.method != Method::HEAD {
            return self.write(&head, body, &key).await;
        }
        loop {
            let changed = self.inner.changed.notified();
            let object = self.inner.state.lock().unwrap().objects.get(&key).cloned();
            match object {
                Some((bytes, control)) => return found(&head, bytes, control, waits),
                None if waits => changed.await,
                None => return Response::builder().status(404).body(error("NoSuchKey")).unwrap(),
            }
        }
    }
}

fn error(code: &str) -> Full<Bytes> {
    Full::from(format!("<Error><Code>{code}</Code></Error>"))
}

fn etag_of(bytes: &[u8]) -> String {
    format!("\"{:x}\"", bytes.iter().fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)))
}

fn found(head: &Parts, bytes: Bytes, control: &str, waited: bool) -> Response<Full<Bytes>> {
    let etag = etag_of(&bytes);
    let mut response = Response::builder().header("etag", &etag);
    if !control.is_empty() {
        response = response.header("cache-control", control);
    }
    if waited {
        response = response.header("preference-applied", "wait=20");
    }
    if head.headers.get("if-none-match").is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return response.status(StatusCode::NOT_MODIFIED).body(Full::default()).unwrap();
    }
    let range = head.headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
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
