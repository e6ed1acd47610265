use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};
use tidegate_foreign::{Foreign, LoadError};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{
    Metrics,
    objects::{FetchError, ObjectKey, Objects, Write},
    range::{Ranged, ranged},
    wire,
};

/// The authority that stands for the upstream; this one never leaves the host.
const AUTHORITY: &str = "objects.internal";
/// What the component finds in its environment as the address of the upstream.
pub(super) const UPSTREAM: &str = "http://objects.internal";
/// The most bytes that the component gets by one range of an object too large to be kept.
const LARGE_RANGE: u64 = 1 << 20;

/// Answers what the component fetches and writes, from the objects of the host and from what is not ours.
pub(super) struct Outbound {
    pub(super) objects: Arc<Objects>,
    pub(super) foreign: Arc<Foreign>,
    pub(super) metrics: Arc<Metrics>,
    /// The largest object that is written.
    pub(super) store_body: usize,
    /// Foreign addresses that this instance is reading.
    pub(super) loading: Arc<AtomicUsize>,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Pin<Box<dyn Future<Output = Result<Response<WasiBody>, Error>> + Send>>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _io: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let (head, body) = request.into_parts();
        // A GET has no body; keeping it would only hold on to the guest's stream.
        let answer: Sent = match (head.uri.authority().is_some_and(|authority| authority == AUTHORITY), head.method.as_str()) {
            (true, "GET") => {
                self.metrics.guest_fetches.add(1);
                let objects = self.objects.clone();
                Box::pin(async move { read(&objects, &head).await })
            }
            (true, "PUT" | "DELETE") => {
                self.metrics.guest_writes.add(1);
                let (objects, limit) = (self.objects.clone(), self.store_body);
                Box::pin(async move { write(&objects, head, body, limit).await })
            }
            (false, "GET") => {
                self.metrics.guest_loads.add(1);
                let (foreign, loading) = (self.foreign.clone(), Loading::new(&self.loading));
                Box::pin(async move {
                    let _loading = loading;
                    load(&foreign, head).await
                })
            }
            _ => Box::pin(std::future::ready(Err(Error::HttpRequestMethodInvalid))),
        };
        Box::new(async move { Ok((answer.await?, Box::new(std::future::ready(Ok(()))) as Io)) })
    }
}

/// One foreign address that is being read.
struct Loading(Arc<AtomicUsize>);

impl Loading {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count.clone())
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

async fn load(foreign: &Foreign, request: Parts) -> Result<Response<WasiBody>, Error> {
    let Parts { uri, mut headers, .. } = request;
    let limits = wire::load(&headers);
    wire::strip(&mut headers);
    match foreign.get(uri.clone(), headers, limits.max_bytes, limits.timeout).await {
        Ok(mut loaded) => {
            wire::strip(&mut loaded.headers);
            let mut response = reply(loaded.status, loaded.body);
            let len = response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.headers_mut() = loaded.headers;
            response.headers_mut().extend(len.map(|len| (header::CONTENT_LENGTH, len)));
            Ok(response)
        }
        Err(error) => {
            tracing::info!(%uri, %error, "a foreign address cannot be read");
            Err(match error {
                LoadError::Denied(_) => Error::HttpRequestDenied,
                LoadError::TooLarge(bytes) => Error::HttpResponseBodySize(Some(bytes as u64)),
                LoadError::Slow(_) => Error::HttpResponseTimeout,
                LoadError::Failed(_) => Error::ConnectionTerminated,
            })
        }
    }
}

async fn write(objects: &Objects, request: Parts, body: WasiBody, limit: usize) -> Result<Response<WasiBody>, Error> {
    let key = key(&request)?;
    let body = Limited::new(body, limit).collect().await.map_err(|_| Error::HttpRequestBodySize(Some(limit as u64)))?.to_bytes();
    let mut headers = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH] {
        headers.extend(request.headers.get(&name).cloned().map(|value| (name, value)));
    }
    match objects.write(&key, Write { method: request.method, headers, body }).await {
        Ok(written) => {
            let mut response = reply(written.status, Bytes::new());
            response.headers_mut().extend(written.etag.map(|etag| (header::ETAG, etag)));
            Ok(response)
        }
        Err(error) => Ok(unavailable(&key, &error)),
    }
}

fn key(request: &Parts) -> Result<ObjectKey, Error> {
    request.uri.path().strip_prefix('/').and_then(ObjectKey::parse).ok_or(Error::HttpRequestUriInvalid)
}

async fn read(objects: &Arc<Objects>, request: &Parts) -> Result<Response<WasiBody>, Error> {
    let key = key(request)?;
    let range = request.headers.get(header::RANGE);
    let fresh = request.headers.get(header::CACHE_CONTROL).is_some_and(|control| control == "no-cache");
    match if fresh { objects.fresh(&key).await } else { objects.get(&key).await } {
        Ok(Some(object)) => {
            let len = object.bytes.len() as u64;
            let mut response = match ranged(range, len) {
                Ranged::Whole => reply(StatusCode::OK, object.bytes.clone()),
                Ranged::Bytes { first, last } => partial(object.bytes.slice(first as usize..=last as usize), first, len),
                Ranged::Unsatisfiable => reply(StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new()),
            };
            if let Some(etag) = &object.etag {
                response.headers_mut().insert(header::ETAG, etag.clone());
            }
            response.headers_mut().extend(object.age_ms().map(|age_ms| (HeaderName::from_static(wire::AGE), HeaderValue::from(age_ms))));
            Ok(response)
        }
        Ok(None) => Ok(reply(StatusCode::NOT_FOUND, Bytes::new())),
        Err(FetchError::TooLarge(len)) => match ranged(range, len) {
            Ranged::Bytes { first, last } if last - first < LARGE_RANGE => match objects.piece(&key, Some((first, last))).await {
                Ok(Some((bytes, len))) => Ok(partial(bytes, first, len)),
                Ok(None) => Ok(reply(StatusCode::NOT_FOUND, Bytes::new())),
                Err(error) => Ok(unavailable(&key, &error)),
            },
            Ranged::Unsatisfiable => Ok(reply(StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new())),
            Ranged::Bytes { .. } | Ranged::Whole => Err(Error::HttpResponseBodySize(Some(len))),
        },
        Err(error) => Ok(unavailable(&key, &error)),
    }
}

/// The component decides what an upstream that fails means for a viewer.
fn unavailable(key: &ObjectKey, error: &FetchError) -> Response<WasiBody> {
    tracing::warn!(%key, %error, "an object cannot be read");
    reply(StatusCode::SERVICE_UNAVAILABLE, Bytes::new())
}

fn partial(bytes: Bytes, first: u64, len: u64) -> Response<WasiBody> {
    let last = first + (bytes.len() as u64).saturating_sub(1);
    let mut response = reply(StatusCode::PARTIAL_CONTENT, bytes);
    if let Ok(range) = HeaderValue::try_from(format!("bytes {first}-{last}/{len}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

fn reply(status: StatusCode, bytes: Bytes) -> Response<WasiBody> {
    let len = bytes.len();
    let mut response = Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, len.into());
    response
}
