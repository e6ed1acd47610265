use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use spin_sdk::{
    http::{BoxBody, FullBody, HeaderValue, Request, Response, StatusCode, box_body},
    http_service,
};
use tidegate_manifest::{Answer, Fetched, Header, Job, Output, Piece, State, Waited};

use crate::upstream::{Upstream, cut, poll_pause};

/// Fetches for one request; the function stops at fewer.
const FETCHES: usize = 1024;
/// Waits for one request, where no host does the waiting. A viewer may ask three target durations ahead: 30 parts of 0.2 s.
const WAITS: usize = 64;
/// The longest that a request is held, where no host does the holding.
const HELD: Duration = Duration::from_secs(20);

thread_local! {
    /// What this instance remembers. Never borrowed across an await: other requests run there.
    static STATE: RefCell<State> = RefCell::new(State::new());
}

#[http_service]
async fn serve(request: Request) -> anyhow::Result<Response<BoxBody>> {
    let viewer = Viewer::new(&request);
    let upstream = Upstream::from_env();
    let mut asked = tidegate_manifest::Request {
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        waited: viewer.waited,
    };
    let start = now();
    let mut read = None;
    for _ in 0..WAITS {
        match settle(asked.clone(), &upstream, read.take()).await {
            Answer::Respond { status, headers, body } => return respond(status, &headers, body.into()),
            Answer::Send { pieces, headers } if viewer.has_host => return send_by_host(&pieces, &headers),
            Answer::Send { pieces, headers } => return send(&upstream, pieces, &headers).await,
            Answer::Wait { key, expect_ms, timeout_ms } if viewer.has_host => return wait_by_host(&key, expect_ms, timeout_ms),
            Answer::Wait { key, expect_ms, timeout_ms } => {
                let left = HELD.saturating_sub(now().saturating_sub(start));
                read = wait(&upstream, &key, Duration::from_millis(expect_ms), Duration::from_millis(timeout_ms).min(left)).await;
                asked.waited = Some(if read.is_some() { Waited::There } else { Waited::Timeout });
            }
        }
    }
    respond(503, &[], Bytes::from_static(b"the stream does not go on\n"))
}

struct Viewer {
    /// Our host is there: it waits and sends for us.
    has_host: bool,
    waited: Option<Waited>,
}

impl Viewer {
    fn new(request: &Request) -> Self {
        let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let has_host = header("tidegate-host") == Some("1");
        let waited = header("tidegate-waited").filter(|_| has_host).and_then(Waited::parse);
        Self { has_host, waited }
    }
}

/// Runs the function until it has an answer. `read` is an object that a wait has read already.
async fn settle(request: tidegate_manifest::Request, upstream: &Upstream, mut read: Option<(String, Vec<u8>)>) -> Answer {
    let mut job = Job::new(request);
    for _ in 0..FETCHES {
        let (key, range) = match STATE.with_borrow_mut(|state| job.poll(state, now_ms())) {
            Output::Answer(answer) => return answer,
            Output::Fetch { key, range } => (key, range),
        };
        let fetched = match read.take() {
            Some((known, bytes)) if known == key => Fetched::Got(cut(bytes, range)),
            other => {
                read = other;
                upstream.fetch(&key, range).await
            }
        };
        STATE.with_borrow_mut(|state| job.handle(state, now_ms(), fetched));
    }
    Answer::Respond { status: 503, headers: Vec::new(), body: "too much to read for one request\n".into() }
}

/// Looks for an object until it is there; its key and bytes, or `None`.
async fn wait(upstream: &Upstream, key: &str, expect: Duration, timeout: Duration) -> Option<(String, Vec<u8>)> {
    let start = now();
    spin_sdk::time::sleep(expect.min(timeout)).await;
    loop {
        if let Fetched::Got(bytes) = upstream.fetch(key, None).await {
            return Some((key.to_owned(), bytes));
        }
        let waited = now().saturating_sub(start);
        if waited >= timeout {
            return None;
        }
        spin_sdk::time::sleep(poll_pause(waited.saturating_sub(expect)).min(timeout - waited)).await;
    }
}

fn wait_by_host(key: &str, expect_ms: u64, timeout_ms: u64) -> anyhow::Result<Response<BoxBody>> {
    let wait = format!("key={key}; expect-ms={expect_ms}; timeout-ms={timeout_ms}");
    let response = Response::builder().status(StatusCode::NO_CONTENT).header("tidegate-wait", wait);
    Ok(response.body(box_body(FullBody::new(Bytes::new())))?)
}

fn send_by_host(pieces: &[Piece], headers: &[Header]) -> anyhow::Result<Response<BoxBody>> {
    let mut response = Response::builder().header("content-length", "0");
    for (name, value) in headers {
        response = response.header(*name, value.as_ref());
    }
    for Piece { key, range } in pieces {
        let piece = match range {
            Some((first, last)) => format!("key={key}; range={first}-{last}"),
            None => format!("key={key}"),
        };
        response = response.header("tidegate-send", piece);
    }
    Ok(response.body(box_body(FullBody::new(Bytes::new())))?)
}

/// Fetches the pieces and sends them. All of them first: a status cannot be taken back, and they are a few seconds of media.
async fn send(upstream: &Upstream, pieces: Vec<Piece>, headers: &[Header]) -> anyhow::Result<Response<BoxBody>> {
    let mut body = Vec::new();
    for piece in pieces {
        match upstream.fetch(&piece.key, piece.range).await {
            Fetched::Got(bytes) if body.is_empty() => body = bytes,
            Fetched::Got(bytes) => body.extend_from_slice(&bytes),
            Fetched::Missing => return respond(404, &[], Bytes::from_static(b"the media is no longer there\n")),
            Fetched::Failed => return respond(503, &[], Bytes::from_static(b"the store does not answer\n")),
        }
    }
    respond(200, headers, body.into())
}

/// An answer; the server around leaves out the body for HEAD.
///
/// Without content-length, the last packet of an answer waits 40 ms on hosts that leave Nagle's algorithm on, as Spin does.
fn respond(status: u16, headers: &[Header], body: Bytes) -> anyhow::Result<Response<BoxBody>> {
    let mut response = Response::builder().status(status).header("content-length", body.len());
    for (name, value) in headers {
        response = response.header(*name, value.as_ref());
    }
    Ok(response.body(box_body(FullBody::new(body)))?)
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn now_ms() -> u64 {
    u64::try_from(now().as_millis()).unwrap_or(u64::MAX)
}
