use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{
    Metrics,
    objects::{FetchError, ObjectKey, Objects},
    range::Ranged,
};

/// The authority that stands for the upstream. The component reaches no other, and this one never leaves the host.
const AUTHORITY: &str = "objects.internal";
/// What the component finds in its environment as the address of the upstream.
pub(super) const UPSTREAM: &str = "http://objects.internal";
/// The most bytes that the component gets by one range of an object too large to be kept.
const LARGE_RANGE: u64 = 1 << 20;

/// Answers what the component fetches from the objects of the host.
pub(super) struct Outbound {
    objects: Arc<Objects>,
    metrics: Arc<Metrics>,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl Outbound {
    pub(super) fn new(objects: Arc<Objects>, metrics: Arc<Metrics>) -> Self {
        Self { objects, metrics }
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _io: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        self.metrics.guest_fetches.add(1);
        let objects = self.objects.clone();
        // A GET has no body; keeping it would only hold on to the guest's stream.
        let (head, _) = request.into_parts();
        Box::new(async move {
            let response = answer(&objects, &head).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

async fn answer(objects: &Arc<Objects>, request: &Parts) -> Result<Response<WasiBody>, Error> {
    if request.uri.authority().is_none_or(|authority| authority != AUTHORITY) {
        return Err(Error::HttpRequestDenied);
    }
    if request.method != Method::GET {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let key = request.uri.path().strip_prefix('/').and_then(ObjectKey::parse).ok_or(Error::HttpRequestUriInvalid)?;
    let range = request.headers.get(header::RANGE);
    match objects.get(&key).await {
        Ok(Some(object)) => {
            let len = object.bytes.len() as u64;
            let mut response = match Ranged::of(range, len) {
                Ranged::Whole => reply(StatusCode::OK, object.bytes.clone()),
                Ranged::Bytes { first, last } => partial(object.bytes.slice(first as usize..=last as usize), first, len),
                Ranged::Unsatisfiable => reply(StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new()),
            };
            if let Some(etag) = &object.etag {
                response.headers_mut().insert(header::ETAG, etag.clone());
            }
            Ok(response)
        }
        Ok(None) => Ok(reply(StatusCode::NOT_FOUND, Bytes::new())),
        Err(FetchError::TooLarge(len)) => match Ranged::of(range, len) {
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
