use std::{io::Read as _, net::IpAddr, sync::OnceLock, time::Duration};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

use crate::{
    address::is_public,
    resolver::{Private, Resolver},
};
/// To connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// Origins close idle connections after 5 s and more.
const IDLE: Duration = Duration::from_secs(4);
/// Connections to one origin that stay open without use.
const IDLE_CONNECTIONS: usize = 32;
/// Fields and bytes in the head of an answer.
const HEAD_FIELDS: usize = 100;
const HEAD_BYTES: usize = 64 << 10;

/// Why there is nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Private, or not an address of http or https.
    #[error("`{0}` is an address that functions do not reach")]
    Denied(String),
    /// Longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// Not in time.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// No connection, or not HTTP.
    #[error("no answer: {0}")]
    Failed(String),
}

/// An answer, decoded.
#[derive(Debug)]
pub struct Loaded {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Bytes,
}

/// The bounds of loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loads {
    /// At one time; more queue.
    pub at_once: usize,
    /// How long one may take.
    pub time: Duration,
    /// Body of an answer, decoded, in bytes.
    pub bytes: usize,
}

/// The way to what is not ours: to the open internet, and to where the configuration says.
pub struct Foreign {
    /// Made when something is first asked for: to read the certificates of a machine takes milliseconds, which a function's start has not.
    ways: OnceLock<Ways>,
    /// `host:port` of these origins.
    origins: Vec<String>,
    permits: Semaphore,
    loads: Loads,
}

struct Ways {
    guarded: Connections,
    /// For origins that the configuration names, wherever they are.
    named: Connections,
}

type Connections = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

impl Foreign {
    /// Posts something and returns the status of the answer, whose body does not count; `None` where there is none in time.
    pub async fn post(&self, uri: Uri, headers: HeaderMap, body: Bytes, time: Duration) -> Option<StatusCode> {
        let connections = self.connections(&uri).inspect_err(|error| tracing::warn!(%error, "nothing is posted there")).ok()?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let answer = tokio::time::timeout(time, connections.request(request)).await.ok()?;
        Some(answer.inspect_err(|error| tracing::debug!(error = ?explain(error), "a post has no answer")).ok()?.status())
    }

    /// A way that may also lead to these origins, as `host:port`, wherever they are.
    #[must_use]
    pub fn new(origins: &[String], loads: Loads) -> Self {
        Self {
            ways: OnceLock::new(),
            origins: origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
            permits: Semaphore::new(loads.at_once),
            loads,
        }
    }

    /// Gets `uri`; redirects are the function's to follow. Limits that are named count where they are lower than those of the host.
    pub async fn get(
        &self,
        uri: Uri,
        mut headers: HeaderMap,
        max_bytes: Option<usize>,
        timeout: Option<Duration>,
    ) -> Result<Loaded, LoadError> {
        headers.remove(header::HOST);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut request = Request::new(Full::default());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.ask(request, max_bytes, timeout).await
    }

    /// Sends a request and reads the answer, within the same limits.
    pub async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        max_bytes: Option<usize>,
        timeout: Option<Duration>,
    ) -> Result<Loaded, LoadError> {
        let bytes = max_bytes.map_or(self.loads.bytes, |bytes| bytes.min(self.loads.bytes));
        let time = timeout.map_or(self.loads.time, |time| time.min(self.loads.time));
        let connections = self.connections(request.uri())?;
        let answer = async {
            let _permit = self.permits.acquire().await.map_err(|error| LoadError::Failed(error.to_string()))?;
            let response = connections.request(request).await.map_err(|error| explain(&error))?;
            read(response, bytes).await
        };
        tokio::time::timeout(time, answer).await.unwrap_or(Err(LoadError::Slow(time)))
    }

    /// The connections that may be used for an address; a name is looked at once more when it is resolved.
    fn connections(&self, uri: &Uri) -> Result<&Connections, LoadError> {
        let denied = || LoadError::Denied(uri.authority().map_or_else(String::new, |authority| authority.host().to_owned()));
        let port = match (uri.scheme_str(), uri.port_u16()) {
            (Some("http" | "https"), Some(port)) => port,
            (Some("http"), None) => 80,
            (Some("https"), None) => 443,
            _ => return Err(denied()),
        };
        let host = uri.host().ok_or_else(denied)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(denied());
        }
        if self.origins.contains(&format!("{}:{port}", host.to_ascii_lowercase())) {
            return Ok(&self.ways().named);
        }
        // An address in place of a name is not resolved.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !is_public(address)) { Err(denied()) } else { Ok(&self.ways().guarded) }
    }

    fn ways(&self) -> &Ways {
        self.ways.get_or_init(|| {
            let tls = tls();
            Ways { guarded: connections(Resolver::Guarded, tls.clone()), named: connections(Resolver::Open, tls) }
        })
    }
}

fn connections(resolver: Resolver, tls: ClientConfig) -> Connections {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.enforce_http(false);
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_max_headers(HEAD_FIELDS)
        .http1_max_buf_size(HEAD_BYTES);
    builder.build(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
}

fn tls() -> ClientConfig {
    let builder =
        ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into()).with_safe_default_protocol_versions();
    let builder = builder.unwrap_or_else(|error| unreachable!("the provider has the default versions: {error}"));
    // A machine without certificates of authorities still reaches http; https then fails for each request, with the reason.
    let trusting = builder.clone().with_native_roots().unwrap_or_else(|error| {
        tracing::warn!(%error, "no root certificates: foreign origins over https cannot be reached");
        builder.with_root_certificates(RootCertStore::empty())
    });
    trusting.with_no_client_auth()
}

async fn read(response: http::Response<hyper::body::Incoming>, bytes: usize) -> Result<Loaded, LoadError> {
    let (mut head, body) = response.into_parts();
    if body.size_hint().exact().is_some_and(|len| len > bytes as u64) {
        return Err(LoadError::TooLarge(bytes));
    }
    let body = Limited::new(body, bytes).collect().await.map_err(|error| {
        let long = error.is::<LengthLimitError>();
        if long { LoadError::TooLarge(bytes) } else { LoadError::Failed(error.to_string()) }
    })?;
    let coding = head.headers.remove(header::CONTENT_ENCODING);
    let body = match coding.as_ref().map(HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => body.to_bytes(),
        Some(coding) if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") => gunzip(&body.to_bytes(), bytes)?,
        Some(_) => return Err(LoadError::Failed("an encoding that nobody asked for".to_owned())),
    };
    Ok(Loaded { status: head.status, headers: head.headers, body })
}

/// Decodes no more than `bytes`, whatever a few bytes of gzip may stand for.
fn gunzip(zipped: &[u8], bytes: usize) -> Result<Bytes, LoadError> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(zipped).take(bytes as u64 + 1);
    decoder.read_to_end(&mut plain).map_err(|error| LoadError::Failed(format!("the gzip is broken: {error}")))?;
    if plain.len() > bytes { Err(LoadError::TooLarge(bytes)) } else { Ok(plain.into()) }
}

fn explain(error: &hyper_util::client::legacy::Error) -> LoadError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(Private(name)) = cause.downcast_ref() {
            return LoadError::Denied(name.clone());
        }
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    LoadError::Failed(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn zipped(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_gzip_bomb_ends_at_the_limit() {
        let bomb = zipped(&vec![0; 20 << 20]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(gunzip(&bomb, 1 << 20), Err(LoadError::TooLarge(_))));
        assert_eq!(gunzip(&zipped(b"#EXTM3U"), 7).unwrap(), "#EXTM3U");
        assert!(matches!(gunzip(b"#EXTM3U", 7), Err(LoadError::Failed(_))));
    }

    #[test]
    fn addresses_that_are_not_public_are_denied_unless_they_are_named() {
        let foreign =
            Foreign::new(&["127.0.0.1:8081".to_owned(), "Origin.Internal:80".to_owned()], Loads { at_once: 1, time: CONNECT, bytes: 1 });
        let denied = |uri: &str| matches!(foreign.connections(&uri.parse().unwrap()), Err(LoadError::Denied(_)));
        for uri in [
            "http://127.0.0.1/",
            "http://127.0.0.1:8080/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]:80/",
            "https://169.254.169.254/",
            "http://user@1.1.1.1/",
            "ftp://1.1.1.1/",
        ] {
            assert!(denied(uri), "{uri}");
        }
        for uri in ["http://127.0.0.1:8081/a", "http://origin.internal/", "https://1.1.1.1/"] {
            assert!(!denied(uri), "{uri}");
        }
    }
}
