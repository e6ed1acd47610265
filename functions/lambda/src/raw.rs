use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use tidegate_raw::{Posted, RECORD_HEADERS, record, refuses};
use tidegate_sign::Signer;

use crate::{Config, outside::Outside};

/// Lines of reports on their way to Amazon Data Firehose, before the report is answered: afterwards the environment may be frozen.
pub(crate) struct Raw {
    outside: Outside,
    endpoint: String,
    region: String,
    stream: String,
    credentials: Credentials,
}

/// A player waits for it.
const ANSWER_TIME: Duration = Duration::from_secs(1);
const ANSWER_BYTES: usize = 64 << 10;

impl Raw {
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let stream = config.firehose.clone()?;
        let of_region = || format!("https://firehose.{}.amazonaws.com/", config.region);
        let endpoint = config.firehose_endpoint.clone().unwrap_or_else(of_region);
        let outside = Outside::new(&endpoint);
        Some(Self { outside, endpoint, region: config.region.clone(), stream, credentials: config.credentials() })
    }

    /// Sends the lines of a report that was counted, once. What is not taken is lost for that engine alone, and said.
    #[allow(clippy::print_stderr, reason = "standard error is the log of a function")]
    pub(crate) async fn send(&self, path: &str, country: &str, body: &[u8]) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_utc_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let rows = Posted { at_utc_ms, path, edge: "lambda", country, network: "", body }.rows();
        if !rows.is_empty()
            && let Err(reason) = self.post(&rows.concat()).await
        {
            eprintln!("tidegate: {} lines of a report are lost for Firehose: {reason}", rows.len());
        }
    }

    async fn post(&self, rows: &str) -> Result<(), String> {
        let body = Bytes::from(record(&self.stream, rows));
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.parse().map_err(|_| format!("{} is no address", self.endpoint))?;
        for (name, value) in RECORD_HEADERS {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let signer = Signer { credentials: &self.credentials, region: &self.region, service: "firehose", in_session: false };
        signer.sign(&mut request, &body, SystemTime::now())?;
        let answer = self.outside.ask(request, ANSWER_TIME, ANSWER_BYTES).await.map_err(|silence| silence.to_string())?;
        let said = String::from_utf8_lossy(&answer.body);
        if answer.status.is_success() && !refuses(&said) {
            return Ok(());
        }
        Err(format!("{}: {}", answer.status, said.chars().take(200).collect::<String>()))
    }
}
