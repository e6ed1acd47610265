//! A bucket behind HTTP, as the SDK asks for it, in path style.
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// Where it is not 0, every request is answered so.
    pub(crate) fails: Arc<AtomicU16>,
    pub(crate) endpoint: String,
}

impl Store {
    pub(crate) async fn start(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let store = Self { objects: Arc::new(Mutex::new(objects)), fails: Arc::default(), endpoint };
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

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let fails = self.fails.load(Relaxed);
        if fails != 0 {
            return Response::builder().status(fails).body(Full::from("<Error><Code>Test</Code></Error>")).unwrap();
        }
        assert!(head.headers.contains_key("authorization"), "the SDK signs");
        let key = head.uri.path().trim_start_matches("/bucket/").to_owned();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let mut objects = self.objects.lock().unwrap();
        if head.method == "PUT" {
            let known = objects.get(&key).map(|bytes| etag(bytes));
            let refused = (header("if-none-match").is_some() && known.is_some())
                || header("if-match").is_some_and(|tag| known.as_deref() != Some(tag));
            if refused {
                return Response::builder().status(412).body(Full::from("<Error><Code>PreconditionFailed</Code></Error>")).unwrap();
            }
            let tag = etag(&body);
            objects.insert(key, body.to_vec());
            return Response::builder().header("etag", tag).body(Full::default()).unwrap();
        }
        if head.method == "DELETE" {
            objects.remove(&key);
            return Response::builder().status(204).body(Full::default()).unwrap();
        }
        let Some(bytes) = objects.get(&key) else {
            return Response::builder().status(404).body(Full::from("<Error><Code>NoSuchKey</Code></Error>")).unwrap();
        };
        let response = Response::builder().header("etag", etag(bytes));
        match header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
            Some((first, last)) => {
                let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                let last = last.min(bytes.len() - 1);
                let response = response.status(206).header("content-range", format!("bytes {first}-{last}/{}", bytes.len()));
                response.body(Full::from(bytes[first..=last].to_vec())).unwrap()
            }
            None => response.body(Full::from(bytes.clone())).unwrap(),
        }
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{:x}\"", bytes.iter().fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))))
}
