//! Objects for other edges: this host as the upstream that theirs is for them, so that a bucket sees few readers.
use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use sha2::{Digest as _, Sha256};

use crate::{
    body::Body,
    objects::{FetchError, Object, ObjectKey, Objects, Watched},
    range::{Ranged, number, ranged},
    wire::AGE,
};

/// Where objects are; the bucket that an edge behind this one names in its configuration.
pub(crate) const FOLDER: &str = "/objects/";
/// The length of an object that is too large to be sent whole.
pub(crate) const TOO_LARGE: &str = "tidegate-object-length";
/// In how many ms an object is expected, beside `Prefer: wait`.
pub(crate) const EXPECT: &str = "tidegate-expect-ms";
/// The longest that an edge may have a request held.
const HOLD: Duration = Duration::from_secs(30);

/// Who may read objects as they are: edges that know the secret.
#[derive(Clone)]
pub(crate) struct Shield {
    /// Compared by its hash, which takes the same time whatever was sent.
    secret: [u8; 32],
}

impl Shield {
    pub(crate) fn new(secret: &str) -> Self {
        Self { secret: Sha256::digest(secret).into() }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let sent: [u8; 32] = Sha256::digest(sent.unwrap_or_default()).into();
        sent.iter().zip(self.secret).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }

    /// Answers another edge as a bucket would, and holds the request where the edge would rather wait (RFC 7240).
    pub(crate) async fn answer(&self, request: &Parts, objects: &Arc<Objects>) -> Response<Body> {
        let headers = &request.headers;
        if !self.admits(headers) {
            return status(StatusCode::FORBIDDEN);
        }
        let is_head = match request.method {
            Method::GET => false,
            Method::HEAD => true,
            // What is written goes to the bucket itself.
            _ => return status(StatusCode::METHOD_NOT_ALLOWED),
        };
        let Some(key) = request.uri.path().strip_prefix(FOLDER).and_then(ObjectKey::parse) else {
            return status(StatusCode::BAD_REQUEST);
        };
        let wait = preferred_wait(headers);
        let mut response = match wait {
            Some(wait) => {
                let expect =
                    headers.get(EXPECT).and_then(|value| number(value.to_str().ok()?)).map_or(Duration::ZERO, Duration::from_millis);
                match objects.watch(&key, expect.min(wait), wait).await {
                    Watched::There => find(&key, headers, objects).await,
                    Watched::TimedOut => status(StatusCode::NOT_FOUND),
                    Watched::Refused => status(StatusCode::SERVICE_UNAVAILABLE),
                }
            }
            None => find(&key, headers, objects).await,
        };
        if let Some(applied) = wait.and_then(|wait| HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok()) {
            response.headers_mut().insert("preference-applied", applied);
        }
        if is_head {
            *response.body_mut() = Body::empty();
        }
        response
    }
}

fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("prefer")?.to_str().ok()?;
    let wait = value.split([',', ';']).find_map(|word| word.trim().strip_prefix("wait="))?;
    number(wait).map(|seconds| Duration::from_secs(seconds).min(HOLD))
}

async fn find(key: &ObjectKey, headers: &HeaderMap, objects: &Arc<Objects>) -> Response<Body> {
    let range = headers.get(header::RANGE);
    match objects.get(key).await {
        Ok(Some(object)) => found(&object, headers),
        Ok(None) => status(StatusCode::NOT_FOUND),
        Err(FetchError::TooLarge(len)) => match ranged(range, len) {
            Ranged::Bytes { first, last } => match objects.piece(key, Some((first, last))).await {
                Ok(Some((bytes, len))) => partial(Body::one(bytes), first, last, len),
                Ok(None) => status(StatusCode::NOT_FOUND),
                Err(error) => failed(key, &error),
            },
            Ranged::Whole | Ranged::Unsatisfiable => {
                let mut response = status(StatusCode::PAYLOAD_TOO_LARGE);
                response.headers_mut().insert(TOO_LARGE, len.into());
                response
            }
        },
        Err(error) => failed(key, &error),
    }
}

fn found(object: &Object, headers: &HeaderMap) -> Response<Body> {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| Some(known) == object.etag.as_ref());
    let mut response = if known {
        status(StatusCode::NOT_MODIFIED)
    } else {
        let body = Body::one(object.bytes.clone());
        match ranged(headers.get(header::RANGE), object.len) {
            Ranged::Whole => {
                let len = body.len();
                let mut response = Response::new(body);
                response.headers_mut().insert(header::CONTENT_LENGTH, len.into());
                response
            }
            Ranged::Bytes { first, last } => partial(body.cut(first, last), first, last, object.len),
            Ranged::Unsatisfiable => return status(StatusCode::RANGE_NOT_SATISFIABLE),
        }
    };
    let own = response.headers_mut();
    own.extend(object.etag.clone().map(|etag| (header::ETAG, etag)));
    own.extend(object.age_ms().map(|age_ms| (HeaderName::from_static(AGE), HeaderValue::from(age_ms))));
    own.extend(object.content_type.clone().map(|kind| (header::CONTENT_TYPE, kind)));
    if object.immutable {
        own.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    }
    response
}

fn partial(body: Body, first: u64, last: u64, len: u64) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let sent = response.body().len();
    response.headers_mut().insert(header::CONTENT_LENGTH, sent.into());
    if let Ok(range) = HeaderValue::try_from(format!("bytes {first}-{last}/{len}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

fn failed(key: &ObjectKey, error: &FetchError) -> Response<Body> {
    tracing::warn!(%key, %error, "an edge asks for an object that cannot be read");
    status(StatusCode::SERVICE_UNAVAILABLE)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
