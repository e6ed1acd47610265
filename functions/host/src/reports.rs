//! What players report, on its way to the component: many reports in one call, and all of them to one instance, which keeps what it has
//! counted between calls. Instances that answer viewers come and go.
use std::{borrow::Cow, fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use tidegate_function::{HOPS, REPORTS};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    guest::{Call, Guest},
    shared::Answers,
    wire::Reply,
};

/// Reports that wait; players send what is refused again.
const WAITING: usize = 4096;
/// Reports and bytes of one call; the component takes four times as many bytes.
const REPORTS_MOST: usize = 512;
const BYTES: usize = 512 << 10;
/// How often the component writes down what it has counted when no report comes.
const TICK: Duration = Duration::from_secs(2);
/// A minute is written when it is over: with nothing reported for this long, nothing is left to be written.
const QUIET: Duration = Duration::from_secs(180);
/// How long a player waits for its answer; it sends the report again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Headers of a viewer that the component sees with a report.
const PASSED: [HeaderName; 4] = [header::CONTENT_TYPE, header::USER_AGENT, header::AUTHORIZATION, header::COOKIE];
const TOKEN: &str = "cta-common-access-token";

/// What is known of who reports.
pub(crate) struct Reporter<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// Where the connection is from, or what something before this host says.
    pub(crate) address: Option<IpAddr>,
    pub(crate) secure: bool,
    pub(crate) host: Option<&'a str>,
    pub(crate) country: Option<Cow<'a, str>>,
    pub(crate) network: Option<Cow<'a, str>>,
}

/// Takes reports.
pub(crate) struct Reports {
    send: mpsc::Sender<Waiting>,
    /// What this host is called.
    name: String,
}

/// Hands them over.
pub(crate) struct Handover {
    receive: mpsc::Receiver<Waiting>,
    answers: Arc<Answers>,
    name: String,
}

struct Waiting {
    frame: Vec<u8>,
    status: oneshot::Sender<StatusCode>,
}

/// Whether a path, with its query, is one that players report to.
pub(crate) fn is_report(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.ends_with("/beacon") || path.starts_with("/beacon/") || (path.starts_with("/~") && path.contains("/beacon/"))
}

impl Reports {
    pub(crate) fn new(name: String, answers: Arc<Answers>) -> (Self, Handover) {
        let (send, receive) = mpsc::channel(WAITING);
        (Self { send, name: name.clone() }, Handover { receive, answers, name })
    }

    /// What this host is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Hands a report over; the status that the component has for it.
    pub(crate) async fn take(&self, frame: Vec<u8>) -> StatusCode {
        let (status, answer) = oneshot::channel();
        if self.send.try_send(Waiting { frame, status }).is_err() {
            return StatusCode::TOO_MANY_REQUESTS;
        }
        match timeout(PATIENCE, answer).await {
            Ok(Ok(status)) => status,
            Ok(Err(_)) => StatusCode::BAD_GATEWAY,
            Err(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Hands over what was heard and nobody waits for. Where too much waits it is lost, and is heard again.
    pub(crate) fn tell(&self, frame: Vec<u8>) {
        let _ = self.send.try_send(Waiting { frame, status: oneshot::channel().0 });
    }

    /// A report as the component reads it: a line with the lengths of its head and its body, and both.
    pub(crate) fn frame(&self, path: &str, reporter: &Reporter<'_>, body: &[u8]) -> Vec<u8> {
        let mut head = path.to_owned();
        // Writing to a String does not fail. Values of headers have no line breaks.
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = write!(head, "\n{name}: {value}");
            }
        };
        let names = PASSED.iter().map(HeaderName::as_str).chain([TOKEN]);
        for name in names {
            line(name, reporter.headers.get(name).and_then(|value| value.to_str().ok()));
        }
        line("viewer-host", reporter.host);
        line("viewer-scheme", Some(if reporter.secure { "https" } else { "http" }));
        line("viewer-country", reporter.country.as_deref());
        line("viewer-network", reporter.network.as_deref());
        line("viewer-address", reporter.address.map(cut).as_deref());
        line("viewer-edge", Some(&self.name));
        let mut frame = format!("{} {}\n{head}", head.len(), body.len()).into_bytes();
        frame.extend_from_slice(body);
        frame
    }
}

/// An address without what tells a household from its neighbours: the rest leaves this host for nobody.
fn cut(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::")
        }
    }
}

impl Handover {
    /// What this host has measured itself, as one more report; beside those of players, so that nothing is written for it alone.
    fn hops(&self) -> Vec<Waiting> {
        let lines = self.answers.take_hops();
        if lines.is_empty() {
            return Vec::new();
        }
        let head = format!("{HOPS}\nviewer-edge: {}", self.name);
        let frame = format!("{} {}\n{head}{lines}", head.len(), lines.len()).into_bytes();
        vec![Waiting { frame, status: oneshot::channel().0 }]
    }

    /// Hands reports over until `stop`; then what has been counted is written down.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut guest: Option<Arc<Guest>> = None;
        let mut heard = Instant::now();
        loop {
            let mut batch: Vec<Waiting> = Vec::new();
            tokio::select! {
                biased;
                count = self.receive.recv_many(&mut batch, REPORTS_MOST) => if count == 0 { break },
                () = sleep(TICK), if guest.is_some() => {}
                () = stop.cancelled() => break,
            }
            let now = self.answers.guest();
            // Another component has taken over: what the old one has counted is written down by the old one.
            if let Some(old) = guest.take_if(|old| !Arc::ptr_eq(old, &now)) {
                hand_over(&old, Vec::new(), true).await;
            }
            if batch.is_empty() {
                hand_over(&now, self.hops(), false).await;
                if heard.elapsed() < QUIET {
                    guest = Some(now);
                }
                continue;
            }
            heard = Instant::now();
            batch.extend(self.hops());
            while !batch.is_empty() {
                let mut bytes = 0;
                let fits = batch.iter().take_while(|waiting| {
                    bytes += waiting.frame.len();
                    bytes <= BYTES
                });
                let count = fits.count().max(1);
                let rest = batch.split_off(count);
                hand_over(&now, batch, false).await;
                batch = rest;
            }
            guest = Some(now);
        }
        if let Some(guest) = guest {
            hand_over(&guest, Vec::new(), true).await;
        }
    }
}

async fn hand_over(guest: &Guest, batch: Vec<Waiting>, end: bool) {
    let mut body = Vec::new();
    batch.iter().for_each(|waiting| body.extend_from_slice(&waiting.frame));
    let path = if end { format!("{REPORTS}?end") } else { REPORTS.to_owned() };
    let call = Call { method: Method::POST, path, headers: HeaderMap::new(), body: body.into(), waited: None };
    let statuses = match guest.reports(&call).await {
        Ok(Reply::Respond { status: StatusCode::OK, body, .. }) => body,
        Ok(reply) => {
            tracing::warn!(?reply, "the functions take no reports");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, reports = batch.len(), "players' reports were not counted; they are sent again");
            return;
        }
    };
    let statuses = String::from_utf8_lossy(&statuses);
    for (waiting, status) in batch.into_iter().zip(statuses.lines()) {
        let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
        // A viewer may be gone.
        let _ = waiting.status.send(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_players_report_to_are_told_from_others() {
        for path in ["/beacon/demo", "/live/demo/beacon", "/~abc/live/demo/beacon", "/~abc/beacon/demo?x=1", "/live/demo/beacon?x"] {
            assert!(is_report(path), "{path}");
        }
        for path in ["/live/beacon/index.m3u8", "/api/v1/beacon-x", "/", "/live/demo/x?y=/beacon"] {
            assert!(!is_report(path), "{path}");
        }
    }

    #[test]
    fn addresses_are_cut() {
        assert_eq!(cut("203.0.113.77".parse().unwrap()), "203.0.113.0");
        assert_eq!(cut("::ffff:203.0.113.77".parse().unwrap()), "203.0.113.0");
        assert_eq!(cut("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1::");
    }
}
