use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tidegate_foreign::causes;
use tokio::time::timeout;

const CONNECT: Duration = Duration::from_secs(1);
/// S3 closes idle connections after about 20 s.
const IDLE: Duration = Duration::from_secs(15);

/// Services of AWS, or what stands in for them, over connections that stay open.
#[derive(Clone)]
pub(crate) enum Outside {
    /// No certificate is read that nobody asks for.
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// Not in time.
    Slow,
    /// A body beyond the bound, or one that broke off.
    Body,
    /// No connection, or not HTTP.
    Failed(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow => f.write_str("not in time"),
            Self::Body => f.write_str("the answer broke off, or is too long"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Outside {
    /// Connects to nothing yet.
    pub(crate) fn new(address: &str) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.enforce_http(false);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        if address.starts_with("http://") {
            return Self::Plain(builder.build(tcp));
        }
        // Without certificates of authorities every request fails, with the reason.
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider());
        let tls = tls.unwrap_or_else(|_| HttpsConnectorBuilder::new().with_tls_config(without_roots()));
        Self::Tls(builder.build(tls.https_only().enable_http1().wrap_connector(tcp)))
    }

    /// The answer to a request, whose head and whose body have this time each.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>, time: Duration, bytes_max: usize) -> Result<Answer, Silence> {
        let answer = match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        };
        let answer = timeout(time, answer).await.map_err(|_| Silence::Slow)?.map_err(|error| Silence::Failed(causes(&error)))?;
        let (head, body) = answer.into_parts();
        let body = timeout(time * 2, Limited::new(body, bytes_max).collect()).await.map_err(|_| Silence::Slow)?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.map_err(|_| Silence::Body)?.to_bytes() })
    }
}

fn without_roots() -> rustls::ClientConfig {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
    let builder = builder.unwrap_or_else(|error| unreachable!("the provider has the default versions: {error}"));
    builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}
