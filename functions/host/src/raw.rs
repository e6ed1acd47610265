//! Lines of players' reports on their way to another engine: ClickHouse, anything that takes JSON lines by POST, or Amazon Data Firehose.
//! What is counted here does not depend on it, and no player waits for it.
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use tidegate_foreign::{Foreign, Loads};
use tidegate_raw::{Batch, Input, Output, Posted, Queue, RECORD_HEADERS, record, refuses};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    HostError, Metrics,
    objects::{Signer, lock},
    reports::Reporter,
};

/// Where the lines of players' reports go.
#[derive(Clone)]
pub enum RawLines {
    /// JSON lines by POST, as the HTTP interface of ClickHouse takes them.
    Post {
        /// The address, with the statement in its query.
        url: Uri,
        /// `Authorization`, where one is asked for.
        authorization: Option<HeaderValue>,
    },
    /// Amazon Data Firehose.
    Firehose {
        /// As `https://firehose.eu-central-1.amazonaws.com/`.
        endpoint: Uri,
        /// The region that signatures name.
        region: String,
        /// The delivery stream.
        stream: String,
        /// Who asks.
        credentials: SharedCredentialsProvider,
    },
}

/// Takes lines.
pub(crate) struct Raw {
    shared: Arc<Shared>,
}

/// Sends them on.
pub(crate) struct Forward {
    shared: Arc<Shared>,
    to: RawLines,
    signer: Option<Signer>,
    foreign: Foreign,
}

struct Shared {
    queue: Mutex<Queue>,
    came: Notify,
    start: Instant,
    metrics: Arc<Metrics>,
}

/// Until a batch is taken; ClickHouse answers when it has written it.
const PATIENCE: Duration = Duration::from_secs(15);
/// An answer that is read: why a batch is refused stands in its first lines.
const ANSWER_BYTES: usize = 64 << 10;
/// What the log shows of it.
const ANSWER_LETTERS: usize = 200;

impl Raw {
    pub(crate) fn new(to: RawLines, metrics: Arc<Metrics>) -> Result<(Self, Forward), HostError> {
        let address = match &to {
            RawLines::Post { url, .. } => url,
            RawLines::Firehose { endpoint, .. } => endpoint,
        };
        // The owner has named it: it may be in the owner's own network.
        let port = match address.scheme_str() {
            Some("http") => address.port_u16().unwrap_or(80),
            Some("https") => address.port_u16().unwrap_or(443),
            _ => return Err(HostError::Raw(address.to_string())),
        };
        let host = address.host().ok_or_else(|| HostError::Raw(address.to_string()))?;
        let foreign = Foreign::new(&[format!("{host}:{port}")], Loads { at_once: 1, time: PATIENCE, bytes: ANSWER_BYTES });
        let signer = match &to {
            RawLines::Firehose { region, credentials, .. } => Some(Signer::new(credentials.clone(), region.clone(), "firehose")),
            RawLines::Post { .. } => None,
        };
        let shared = Arc::new(Shared { queue: Mutex::default(), came: Notify::new(), start: Instant::now(), metrics });
        Ok((Self { shared: shared.clone() }, Forward { shared, to, signer, foreign }))
    }

    /// Takes the lines of a report that was counted.
    pub(crate) fn take(&self, path: &str, edge: &str, reporter: &Reporter<'_>, body: &[u8]) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let posted = Posted {
            at_utc_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            path,
            edge,
            country: reporter.country.as_deref().unwrap_or_default(),
            network: reporter.network.as_deref().unwrap_or_default(),
            body,
        };
        for row in posted.rows() {
            self.shared.handle(Input::Row(row));
        }
        self.shared.came.notify_one();
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn handle(&self, input: Input) {
        let lost = lock(&self.queue).handle(self.now_ms(), input);
        self.metrics.raw_lost.add(lost);
    }

    fn poll(&self) -> Option<Output> {
        lock(&self.queue).poll(self.now_ms())
    }
}

impl Forward {
    /// Sends on until `stop`, and then what is left.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let shared = &self.shared;
        loop {
            match shared.poll() {
                Some(Output::Send(batch)) => match self.send(&batch).await {
                    Ok(()) => {
                        shared.metrics.raw_lines.add(batch.rows);
                        shared.handle(Input::Taken);
                    }
                    Err(reason) => {
                        tracing::warn!(reason, lines = batch.rows, "lines of players' reports are not taken");
                        shared.handle(Input::Refused);
                    }
                },
                next if stop.is_cancelled() => {
                    // The end is told once; then nothing is waited for any more.
                    if next.is_none() {
                        return;
                    }
                    shared.handle(Input::End);
                }
                next => {
                    let until = async {
                        match next {
                            Some(Output::Wait(until_ms)) => sleep(Duration::from_millis(until_ms.saturating_sub(shared.now_ms()))).await,
                            _ => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = until => {}
                        () = shared.came.notified() => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn send(&self, batch: &Batch) -> Result<(), String> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = Method::POST;
        match &self.to {
            RawLines::Post { url, authorization } => {
                *request.body_mut() = Full::new(Bytes::copy_from_slice(batch.text.as_bytes()));
                request.uri_mut().clone_from(url);
                request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
                if let Some(authorization) = authorization {
                    request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
                }
            }
            RawLines::Firehose { endpoint, stream, .. } => {
                let body = Bytes::from(record(stream, &batch.text));
                *request.body_mut() = Full::new(body.clone());
                request.uri_mut().clone_from(endpoint);
                for (name, value) in RECORD_HEADERS {
                    request.headers_mut().insert(name, HeaderValue::from_static(value));
                }
                if let Some(signer) = &self.signer {
                    signer.sign(&mut request, &body).await.map_err(|error| error.to_string())?;
                }
            }
        }
        let answer = self.foreign.ask(request, None, None).await.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&answer.body);
        let is_refused = matches!(self.to, RawLines::Firehose { .. }) && refuses(&said);
        if answer.status.is_success() && !is_refused {
            return Ok(());
        }
        Err(format!("{}: {}", answer.status, said.chars().take(ANSWER_LETTERS).collect::<String>()))
    }
}
