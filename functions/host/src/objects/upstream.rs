use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tidegate_foreign::causes;
use tokio::time::timeout;

use super::{
    ObjectKey,
    express::{self, Sessions},
    sign::Signer,
};
use crate::{
    Metrics, PreferWait, Upstream,
    range::number,
    shield::{EXPECT, TOO_LARGE},
    wire::AGE,
};

/// A store in the same region connects in a few ms; a SYN that was lost is sent again after 1 s.
const CONNECT: Duration = Duration::from_secs(3);
/// From the request to the head of the answer, beside what the upstream was asked to wait.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// From the head to the last byte: 32 MiB at 10 Mbit/s.
const BODY: Duration = Duration::from_secs(30);
/// S3 closes idle connections after about 20 s; a connection that the other side is closing costs a retry.
const IDLE: Duration = Duration::from_secs(15);
/// Connections that stay open without use: misses come in bursts of at most a few sessions.
const IDLE_CONNECTIONS: usize = 64;
/// How often a GET is tried. The host is the only owner of retries on this path.
const TRIES: u32 = 3;
/// Before the second try; four times that before the third.
const BACKOFF: Duration = Duration::from_millis(30);
/// An error document of S3 is a few hundred bytes.
pub(super) const ERROR_BODY: usize = 16 << 10;
/// Answers without `Preference-Applied` after which the upstream is taken for one that cannot wait.
const WAIT_TRIES: u8 = 2;

/// Why an object could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// The upstream address in the configuration cannot be used.
    #[error("the upstream address `{0}` is not http://host[:port] or https://host[:port]")]
    Address(String),
    /// A secret with line breaks or the like.
    #[error("the secret of the upstream cannot stand in a header")]
    Secret,
    /// No certificates of authorities on this machine.
    #[error("no root certificates: {0}")]
    Roots(String),
    /// No credentials, or none that can sign.
    #[error("cannot sign requests to the upstream: {0}")]
    Sign(String),
    /// No answer.
    #[error("the upstream did not answer: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the upstream took more than {0:?}")]
    Slow(Duration),
    /// An answer that is no object.
    #[error("the upstream answered {0}: {1}")]
    Status(StatusCode, String),
    /// The upstream has objects, but no bucket of this name.
    #[error("the upstream has no such bucket: correct its name, or create it")]
    NoBucket,
    /// More bytes than allowed.
    #[error("the object has {0} bytes")]
    TooLarge(u64),
}

/// An object, or the part of it that was asked for.
#[derive(Clone, Debug)]
pub struct Object {
    /// The bytes.
    pub bytes: Bytes,
    /// The entity tag, as the upstream wrote it.
    pub etag: Option<HeaderValue>,
    /// The media type.
    pub content_type: Option<HeaderValue>,
    /// The length of the whole object.
    pub len: u64,
    /// Whether the upstream says that the object never changes.
    pub immutable: bool,
    /// How old it was when it was read, by the upstream's clock, and when that was.
    pub(crate) read: Option<(Duration, Instant)>,
    /// Whether that is known to the millisecond: a store's dates are whole seconds.
    pub(crate) exact: bool,
}

impl Object {
    /// How old it was when it was read, where that is known to the millisecond.
    pub(super) fn aged(&self) -> Option<Duration> {
        self.read.filter(|_| self.exact).map(|(age, _)| age)
    }

    /// How long ago the store has written it, by the store's own clock, in ms.
    pub(crate) fn age_ms(&self) -> Option<u64> {
        self.read.map(|(age, at)| u64::try_from((age + at.elapsed()).as_millis()).unwrap_or(u64::MAX))
    }
}

/// What a GET found.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Object(Arc<Object>),
    NotModified,
    Absent,
}

/// What a GET asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) range: Option<(u64, u64)>,
    pub(super) if_none_match: Option<HeaderValue>,
    /// How long the upstream may hold the request until the object exists.
    pub(super) wait: Option<Duration>,
    /// In how long it is expected; an edge that polls for others polls then.
    pub(super) expect: Duration,
    /// The largest body that is read.
    pub(super) limit: usize,
}

/// What a write asks for.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// PUT or DELETE.
    pub(crate) method: Method,
    /// The media type, and what has to hold for the write to happen.
    pub(crate) headers: HeaderMap,
    /// All bytes of the object.
    pub(crate) body: Bytes,
}

/// What the upstream said to a write: done, no such object, or a condition that does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<HeaderValue>,
}

/// Reads and writes of the upstream, over connections that stay open.
pub(super) struct UpstreamClient {
    client: Connections,
    base: String,
    signer: Option<Signer>,
    /// What another edge wants to see.
    bearer: Option<HeaderValue>,
    /// How many answers came without `Preference-Applied`; `CAN_WAIT` once one came with it.
    wait: AtomicU8,
    metrics: Arc<Metrics>,
}

#[derive(Clone)]
pub(super) enum Connections {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

const CAN_WAIT: u8 = u8::MAX;

impl Connections {
    pub(super) fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        }
    }
}

impl UpstreamClient {
    pub(super) fn new(upstream: Upstream, metrics: Arc<Metrics>) -> Result<Self, FetchError> {
        let endpoint = upstream.endpoint.trim_end_matches('/');
        let address = || FetchError::Address(upstream.endpoint.clone());
        let uri: Uri = endpoint.parse().map_err(|_| address())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() || uri.path() != "/" {
            return Err(address());
        }
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.enforce_http(false);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(IDLE_CONNECTIONS);
        let client = if uri.scheme_str() == Some("https") {
            let tls = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
                .map_err(|error| FetchError::Roots(error.to_string()))?;
            Connections::Tls(builder.build(tls.https_only().enable_http1().wrap_connector(tcp)))
        } else {
            Connections::Plain(builder.build(tcp))
        };
        let bucket = upstream.bucket.trim_matches('/');
        let base = if bucket.is_empty() { format!("{endpoint}/") } else { format!("{endpoint}/{bucket}/") };
        let wait = match upstream.prefer_wait {
            PreferWait::Auto => 0,
            PreferWait::Always => CAN_WAIT,
            PreferWait::Never => WAIT_TRIES,
        };
        let in_sessions = uri.host().is_some_and(express::is_directory);
        let signer = upstream.credentials.map(|provider| {
            let sessions = in_sessions.then(|| Sessions::new(client.clone(), base.trim_end_matches('/')));
            Signer::new(provider, upstream.region, if in_sessions { express::SERVICE } else { "s3" }).with(sessions)
        });
        let bearer = upstream.shield_secret.map(|secret| -> Result<_, FetchError> {
            let mut value = HeaderValue::try_from(format!("Bearer {secret}")).map_err(|_| FetchError::Secret)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { client, base, signer, bearer: bearer.transpose()?, wait: AtomicU8::new(wait), metrics })
    }

    /// Whether it is worth asking the upstream to hold a request.
    pub(super) fn may_wait(&self) -> bool {
        let wait = self.wait.load(Relaxed);
        wait == CAN_WAIT || wait < WAIT_TRIES
    }

    /// Whether the upstream is known to hold requests.
    pub(super) fn waits(&self) -> bool {
        self.wait.load(Relaxed) == CAN_WAIT
    }

    /// Reads an object, trying again when the upstream fails.
    pub(super) async fn get(&self, key: &ObjectKey, ask: &Ask) -> Result<Found, FetchError> {
        let mut pause = BACKOFF;
        for _ in 1..TRIES {
            match self.get_once(key, ask).await {
                Err(FetchError::Unreachable(_) | FetchError::Slow(_)) => {}
                Err(FetchError::Status(status, _)) if status.is_server_error() => {}
                settled => return settled,
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        self.get_once(key, ask).await
    }

    /// Reads an object, trying once.
    pub(super) async fn get_once(&self, key: &ObjectKey, ask: &Ask) -> Result<Found, FetchError> {
        self.metrics.upstream_gets.add(1);
        let mut request =
            Request::get(format!("{}{key}", self.base)).body(Full::default()).map_err(|error| FetchError::Address(error.to_string()))?;
        if let Some((first, last)) = ask.range {
            insert(request.headers_mut(), header::RANGE, format!("bytes={first}-{last}"));
        }
        if let Some(etag) = &ask.if_none_match {
            request.headers_mut().insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(signer) = &self.signer {
            signer.sign(&mut request, &[]).await?;
        }
        if let Some(bearer) = &self.bearer {
            request.headers_mut().insert(header::AUTHORIZATION, bearer.clone());
        }
        // `Prefer` is not signed: a proxy may take it away.
        if let Some(wait) = ask.wait {
            insert(request.headers_mut(), HeaderName::from_static("prefer"), format!("wait={}", wait.as_secs().max(1)));
            insert(request.headers_mut(), HeaderName::from_static(EXPECT), ask.expect.as_millis().to_string());
        }
        let patience = HEAD + ask.wait.unwrap_or_default();
        let response = timeout(patience, self.client.request(request)).await.map_err(|_| FetchError::Slow(patience))?;
        let response = response.map_err(|error| FetchError::Unreachable(causes(&error)))?;
        if ask.wait.is_some() {
            self.note_wait(response.headers());
        }
        timeout(BODY, self.read(response, ask)).await.map_err(|_| FetchError::Slow(BODY))?
    }

    /// Writes or deletes an object. Tried again only where the upstream says that it has done nothing: a write whose answer was lost
    /// would meet itself.
    pub(super) async fn write(&self, key: &ObjectKey, write: &Write) -> Result<Written, FetchError> {
        let mut pause = BACKOFF;
        for _ in 1..TRIES {
            match self.write_once(key, write).await {
                // Somebody else writes at this moment (S3's ConditionalRequestConflict), or too many do.
                Ok(Written { status: StatusCode::CONFLICT, .. }) | Err(FetchError::Status(StatusCode::SERVICE_UNAVAILABLE, _)) => {}
                settled => return settled,
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        self.write_once(key, write).await
    }

    async fn write_once(&self, key: &ObjectKey, write: &Write) -> Result<Written, FetchError> {
        self.metrics.upstream_writes.add(1);
        let address = |error: http::Error| FetchError::Address(error.to_string());
        let request = Request::builder().method(write.method.clone()).uri(format!("{}{key}", self.base));
        let mut request = request.body(Full::new(write.body.clone())).map_err(address)?;
        *request.headers_mut() = write.headers.clone();
        if let Some(signer) = &self.signer {
            signer.sign(&mut request, &write.body).await?;
        }
        let response = timeout(HEAD, self.client.request(request)).await.map_err(|_| FetchError::Slow(HEAD))?;
        let (head, body) = response.map_err(|error| FetchError::Unreachable(causes(&error)))?.into_parts();
        let text = timeout(BODY, collect(body, ERROR_BODY)).await.map_err(|_| FetchError::Slow(BODY))?.unwrap_or_default();
        let settled = head.status.is_success()
            || matches!(head.status, StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED);
        if !settled {
            let text = String::from_utf8_lossy(&text).chars().take(200).collect();
            return Err(FetchError::Status(head.status, text));
        }
        Ok(Written { status: head.status, etag: own(&head.headers, header::ETAG) })
    }

    fn note_wait(&self, headers: &HeaderMap) {
        let applied = headers.get("preference-applied").is_some_and(|value| value.as_bytes().starts_with(b"wait"));
        if applied {
            self.wait.store(CAN_WAIT, Relaxed);
        } else if self.wait.load(Relaxed) < WAIT_TRIES {
            self.wait.fetch_add(1, Relaxed);
        }
    }

    async fn read(&self, response: http::Response<Incoming>, ask: &Ask) -> Result<Found, FetchError> {
        let (head, body) = response.into_parts();
        match head.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::NOT_MODIFIED => return Ok(Found::NotModified),
            StatusCode::NOT_FOUND => {
                let text = collect(body, ERROR_BODY).await.unwrap_or_default();
                let no_bucket = String::from_utf8_lossy(&text).contains("<Code>NoSuchBucket</Code>");
                return if no_bucket { Err(FetchError::NoBucket) } else { Ok(Found::Absent) };
            }
            // Another edge does not send what is too large to be kept.
            StatusCode::PAYLOAD_TOO_LARGE if head.headers.contains_key(TOO_LARGE) => {
                let len = head.headers.get(TOO_LARGE).and_then(|len| number(len.to_str().ok()?));
                return Err(FetchError::TooLarge(len.unwrap_or(u64::MAX)));
            }
            status => {
                let text = collect(body, ERROR_BODY).await.unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                // Without permission to list, S3 says this of a key that does not exist.
                if status == StatusCode::FORBIDDEN && text.contains("<Code>AccessDenied</Code>") {
                    return Ok(Found::Absent);
                }
                return Err(FetchError::Status(status, text.chars().take(200).collect()));
            }
        }
        if let Some(len) = body.size_hint().exact().filter(|len| *len > ask.limit as u64) {
            return Err(FetchError::TooLarge(len));
        }
        let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let total = text(header::CONTENT_RANGE).and_then(|range| number(range.rsplit_once('/')?.1));
        let immutable = text(header::CACHE_CONTROL).is_some_and(|control| control.split(',').any(|word| word.trim() == "immutable"));
        let bytes = collect(body, ask.limit).await?;
        self.metrics.upstream_bytes.add(bytes.len() as u64);
        let whole = head.status == StatusCode::OK;
        Ok(Found::Object(Arc::new(Object {
            len: total.filter(|_| !whole).unwrap_or(bytes.len() as u64),
            bytes,
            etag: own(&head.headers, header::ETAG),
            content_type: own(&head.headers, header::CONTENT_TYPE),
            immutable,
            read: age(&head.headers).map(|age| (age, Instant::now())),
            exact: head.headers.contains_key(AGE),
        })))
    }
}

/// A header in memory of its own: as it came it is a slice of the buffer that it was read into, and an object that is kept would keep all of
/// that alive, up to 400 kB.
fn own(headers: &HeaderMap, name: HeaderName) -> Option<HeaderValue> {
    HeaderValue::from_bytes(headers.get(name)?.as_bytes()).ok()
}

/// How old an object is: another edge says so, a store by two dates of one clock.
fn age(headers: &HeaderMap) -> Option<Duration> {
    if let Some(age_ms) = headers.get(AGE) {
        return number(age_ms.to_str().ok()?).map(Duration::from_millis);
    }
    let date = |name: HeaderName| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    Some(date(header::DATE)?.duration_since(date(header::LAST_MODIFIED)?).unwrap_or_default())
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, FetchError> {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| FetchError::Unreachable(causes(&error)))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let len = all.len() + first.as_ref().map_or(0, Bytes::len) + chunk.len();
        if len > limit {
            return Err(FetchError::TooLarge(len as u64));
        }
        match first.take() {
            None if all.is_empty() => first = Some(chunk),
            None => all.extend_from_slice(&chunk),
            Some(start) => {
                // What is still to come is known (or the chunked guess 0); never more than the limit.
                let rest = usize::try_from(body.size_hint().lower()).unwrap_or(limit).min(limit - len);
                all.reserve(len + rest);
                all.extend_from_slice(&start);
                all.extend_from_slice(&chunk);
            }
        }
    }
    // A small slice of a large read buffer would keep all of it alive in the cache.
    Ok(first.map_or_else(|| all.freeze(), |only| Bytes::copy_from_slice(&only)))
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_answer_does_not_hold_the_buffer_of_its_head() {
        let buffer = Bytes::from(b"HTTP/1.1 200 OK\r\netag: \"abc\"\r\n\r\n".repeat(1000));
        let slice = HeaderValue::from_maybe_shared(buffer.slice(23..28)).expect("an entity tag");
        let headers = HeaderMap::from_iter([(header::ETAG, slice.clone())]);
        assert!(buffer.as_ptr_range().contains(&slice.as_bytes().as_ptr()), "a header that came lies in the buffer");
        let kept = own(&headers, header::ETAG).expect("an entity tag");
        assert_eq!(kept, "\"abc\"");
        assert!(!buffer.as_ptr_range().contains(&kept.as_bytes().as_ptr()));
        assert_eq!(own(&headers, header::CONTENT_TYPE), None);
    }
}
