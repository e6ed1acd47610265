use std::{
    io::Read as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tidegate_foreign::causes;
use tidegate_hls::uri::resolve;
use tidegate_validate::{Answer, Failure, Method, Observation, Probe};
use tokio::time::timeout;

/// Makes requests and takes the time.
#[derive(Clone)]
pub(crate) struct Client {
    /// HTTP/2 where TLS agrees on it.
    any: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// HTTP/2 and nothing else.
    http2: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// A playlist or a segment that is longer is not taken: 60 s at 16 Mbit/s.
const BODY_MAX: usize = 128 * 1024 * 1024;
/// What a compressed playlist may grow to.
const TEXT_MAX: u64 = 32 * 1024 * 1024;
const REDIRECTS_MAX: usize = 5;
const CONNECT: Duration = Duration::from_secs(5);

impl Client {
    pub(crate) fn new(insecure: bool) -> anyhow::Result<Self> {
        let connector = || -> anyhow::Result<HttpsConnector<HttpConnector>> {
            let mut tcp = HttpConnector::new();
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(CONNECT));
            tcp.enforce_http(false);
            let builder = HttpsConnectorBuilder::new();
            let builder = if insecure {
                builder.with_tls_config(trusting()?)
            } else {
                builder.with_native_roots().context("the certificates of this machine cannot be read")?
            };
            Ok(builder.https_or_http().enable_all_versions().wrap_connector(tcp))
        };
        let mut builder = Pool::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        let any = builder.build(connector()?);
        let http2 = builder.http2_only(true).build(connector()?);
        Ok(Self { any, http2 })
    }

    /// Makes one request; times are on a clock that starts at `started`.
    pub(crate) async fn make(&self, probe: Probe, started: Instant) -> Observation {
        let us = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let sent_us = us();
        let mut first_us = None;
        let limit = Duration::from_micros(probe.timeout_us);
        let result = match timeout(limit, self.fetch(&probe, || first_us = first_us.or_else(|| Some(us())))).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Timeout),
        };
        let done_us = us();
        Observation { probe: probe.id, sent_us, first_us: first_us.unwrap_or(done_us), done_us, result }
    }

    async fn fetch(&self, probe: &Probe, mut first: impl FnMut()) -> Result<Answer, Failure> {
        let mut url = probe.url.clone();
        let mut redirected = None;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(probe, &url).await?;
            let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            if let Some(location) = location.filter(|_| response.status().is_redirection()) {
                url = resolve(&url, location);
                redirected = Some(url.clone());
                continue;
            }
            return answer(response, redirected, &mut first).await;
        }
        Err(Failure::Connection(format!("more than {REDIRECTS_MAX} redirects")))
    }

    async fn send(&self, probe: &Probe, url: &str) -> Result<Response<Incoming>, Failure> {
        let uri: Uri = url.parse().map_err(|_| Failure::Connection(format!("`{url}` is no address")))?;
        let method = match probe.method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
        };
        let mut request = Request::builder().method(method).uri(uri).header(header::USER_AGENT, "tidegate-validate");
        // As a player on another site sends it.
        request = request.header(header::ORIGIN, "https://validate.tidegate.example");
        if probe.gzip {
            request = request.header(header::ACCEPT_ENCODING, "gzip");
        }
        if let Some((offset, length)) = probe.range {
            request = request.header(header::RANGE, format!("bytes={offset}-{}", offset.saturating_add(length).saturating_sub(1)));
        }
        let request = request.body(Empty::new()).map_err(|error| Failure::Connection(error.to_string()))?;
        let pool = if probe.http2 { &self.http2 } else { &self.any };
        pool.request(request).await.map_err(|error| Failure::Connection(causes(&error)))
    }
}

async fn answer(response: Response<Incoming>, redirected: Option<String>, first: &mut impl FnMut()) -> Result<Answer, Failure> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Failure::Connection(causes(&error)))?;
        if let Some(bytes) = frame.data_ref() {
            first();
            if body.len() + bytes.len() > BODY_MAX {
                return Err(Failure::TooLong);
            }
            body.extend_from_slice(bytes);
        }
    }
    first();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let gzip = head.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if gzip && !body.is_empty() {
        let mut text = Vec::new();
        let read = flate2::read::MultiGzDecoder::new(body.as_slice()).take(TEXT_MAX + 1).read_to_end(&mut text);
        read.map_err(|error| Failure::Connection(format!("the gzip of the answer is broken: {error}")))?;
        if text.len() as u64 > TEXT_MAX {
            return Err(Failure::TooLong);
        }
        body = text;
    }
    Ok(Answer { status: head.status.as_u16(), http2: head.version >= http::Version::HTTP_2, headers, body, redirected })
}

/// TLS without a look at the certificate, for servers with one of their own making.
fn trusting() -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(Trusting(provider))).with_no_client_auth())
}

#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
