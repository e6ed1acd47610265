use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::{
    Metrics, Statics,
    addresses::Addresses,
    answer::{Answer, Viewer},
    body::Body,
    geo::Geo,
    guest::Call,
    heard::{self, Heard},
    objects::Objects,
    raw::Raw,
    reports::{Reporter, Reports, is_report},
    request_id::{REQUEST_ID, loggable, request_id},
    shared::Answers,
    shield::{self, Shield},
    urgency::Lanes,
    wire,
};

/// Path and query of a request, in bytes. A stream, a session and the LL-HLS directives need 200; the rest is for tokens.
const PATH_BYTES: usize = 4096;

/// The header of CTA-5007.
const TOKEN: &str = "cta-common-access-token";

/// Everything that answers a viewer's request.
pub(crate) struct Edge {
    pub(crate) answers: Arc<Answers>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) statics: Statics,
    pub(crate) shield: Option<Shield>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) requests: u64,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) request_body: usize,
    /// The header in which something before this host says where a viewer is.
    pub(crate) country_header: Option<HeaderName>,
    /// The same, for the network.
    pub(crate) network_header: Option<HeaderName>,
    /// The same, for the address.
    pub(crate) address_header: Option<HeaderName>,
    /// Where addresses are, for viewers of whom no header says it.
    pub(crate) geo: Geo,
    pub(crate) reports: Reports,
    pub(crate) heard: Heard,
    pub(crate) raw: Option<Raw>,
    pub(crate) stop: CancellationToken,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// The connection has TLS.
    pub(crate) secure: bool,
    /// The answers on the connection.
    pub(crate) lanes: Arc<Lanes>,
}

impl Edge {
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let start = Instant::now();
        self.metrics.requests.add(1);
        let _open = self.metrics.requests_open.hold();
        let id = request_id(request.headers());
        // Debug: one line for each request of each viewer. What went wrong is said in any case.
        let logged = tracing::enabled!(tracing::Level::DEBUG).then(|| (request.method().clone(), loggable(request.uri().path())));
        let mut response = self.respond(request, &peer).await;
        let (status, took) = (response.status(), start.elapsed());
        self.metrics.answered(status, took);
        if status.is_server_error() {
            tracing::info!(id = id.to_str().unwrap_or_default(), status = status.as_u16(), ?took, "a request failed");
        }
        if let Some((method, path)) = logged {
            let (status, bytes) = (status.as_u16(), response.body().len());
            tracing::debug!(id = id.to_str().unwrap_or_default(), %method, path, status, bytes, ?took, peer = %peer.address, "answered");
        }
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }

    async fn respond(&self, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
        let several = request.version() == Version::HTTP_2;
        let viewer = Viewer::new(request.method(), request.headers(), several.then(|| peer.lanes.clone()));
        if let Some(shield) = self.shield.as_ref().filter(|_| request.uri().path().starts_with(shield::FOLDER)) {
            self.metrics.shielded.add(1);
            return shield.answer(&request.into_parts().0, &self.objects).await;
        }
        let answer = self.find(request, peer).await;
        answer.to(&viewer, &self.objects).await
    }

    async fn find(&self, request: Request<Incoming>, peer: &Peer) -> Arc<Answer> {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_get && let Some(answer) = self.own_page(request.uri().path()) {
            return answer;
        }
        if self.metrics.requests_open.value() > self.requests {
            self.metrics.answers_refused.add(1);
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
        }
        let Some(_entered) = self.addresses.enter(peer.address) else {
            self.metrics.answers_refused.add(1);
            return refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests at once from this address");
        };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if path.len() > PATH_BYTES {
            return refuse(StatusCode::URI_TOO_LONG, "the address is too long");
        }
        if !path.starts_with('/') {
            return refuse(StatusCode::BAD_REQUEST, "the address is not a path");
        }
        if path.starts_with(wire::OWN) {
            return refuse(StatusCode::NOT_FOUND, "there is no such address");
        }
        if is_get && let Some((report, line)) = self.heard.listen(path, request.headers(), Instant::now()) {
            let reporter = self.reporter(request.headers(), request.uri(), peer);
            self.reports.tell(self.reports.frame(&report, &reporter, line.as_bytes()));
        }
        if is_get && !is_personal(path, request.headers()) {
            let shared = heard::without(path);
            return self.answers.get(shared.as_deref().unwrap_or(path)).await;
        }
        if *request.method() == Method::POST && is_report(path) {
            return self.report(request, peer).await;
        }
        self.call(request, peer).await
    }

    /// What the host answers without the component.
    fn own_page(&self, path: &str) -> Option<Arc<Answer>> {
        match path {
            "/healthz" => Some(page("ok\n".into())),
            "/readyz" if self.stop.is_cancelled() => Some(refuse(StatusCode::SERVICE_UNAVAILABLE, "stopping")),
            "/readyz" => Some(page("ready\n".into())),
            "/metrics" => Some(page(self.metrics.text())),
            path => self.statics.get(path).cloned(),
        }
    }

    /// What a player reports.
    async fn report(&self, request: Request<Incoming>, peer: &Peer) -> Arc<Answer> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, self.request_body).collect().await else {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the report is too long, or broke off");
        };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let (reporter, body) = (self.reporter(&head.headers, &head.uri, peer), body.to_bytes());
        let status = self.reports.take(self.reports.frame(path, &reporter, &body)).await;
        // Only what somebody was allowed to say.
        if status.is_success()
            && let Some(raw) = &self.raw
        {
            raw.take(head.uri.path(), self.reports.name(), &reporter, &body);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Players are on any page.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        Arc::new(Answer::text(status, headers, Bytes::new()))
    }

    /// What is known of who reports.
    fn reporter<'a>(&self, headers: &'a HeaderMap, uri: &'a Uri, peer: &Peer) -> Reporter<'a> {
        let named = |name: &Option<HeaderName>| name.as_ref().and_then(|name| headers.get(name)?.to_str().ok()).map(Cow::Borrowed);
        let address = self.address(headers, peer);
        let place = address.map(|address| self.geo.find(address)).unwrap_or_default();
        let whole = place.whole();
        Reporter {
            headers,
            address,
            secure: peer.secure,
            host: headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| Some(uri.authority()?.as_str())),
            country: named(&self.country_header).or_else(|| whole.map(Cow::Owned)),
            network: named(&self.network_header).or_else(|| place.network.map(Cow::Owned)),
        }
    }

    /// Where a viewer comes from: what something before this host says, else the connection.
    fn address(&self, headers: &HeaderMap, peer: &Peer) -> Option<IpAddr> {
        match self.address_header.as_ref().and_then(|name| headers.get(name)?.to_str().ok()) {
            Some(text) => address(text),
            None => Some(peer.address),
        }
    }

    /// A request that is this viewer's alone.
    async fn call(&self, request: Request<Incoming>, peer: &Peer) -> Arc<Answer> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut headers = head.headers;
        // Before anything is taken out: an owner may trust any header.
        let country = self.country_header.as_ref().and_then(|name| headers.get(name).cloned());
        let known = || HeaderValue::try_from(self.geo.find(self.address(&headers, peer)?).country?).ok();
        let country = country.or_else(known);
        wire::strip(&mut headers);
        let host = headers.get(header::HOST).cloned();
        let host = host.or_else(|| HeaderValue::from_str(head.uri.authority()?.as_str()).ok());
        let scheme = HeaderValue::from_static(if peer.secure { "https" } else { "http" });
        for name in [header::HOST, header::ACCEPT_ENCODING, header::RANGE, header::IF_NONE_MATCH, header::EXPECT] {
            headers.remove(name);
        }
        let viewer = [(wire::VIEWER_HOST, host), (wire::VIEWER_SCHEME, Some(scheme)), (wire::VIEWER_COUNTRY, country)];
        headers.extend(viewer.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), value?))));
        let Ok(body) = Limited::new(body, self.request_body).collect().await else {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off");
        };
        let method = if head.method == Method::HEAD { Method::GET } else { head.method };
        self.answers.own(Call { method, path, headers, body: body.to_bytes(), waited: None }).await
    }
}

/// Whether a request says something about its viewer: it carries a cookie or a token, in a header, in the query, or in the first word
/// of its path, which then begins with `~`. Everything else is asked once for all.
fn is_personal(path: &str, headers: &HeaderMap) -> bool {
    let named = [header::COOKIE, header::AUTHORIZATION].iter().any(|name| headers.contains_key(name)) || headers.contains_key(TOKEN);
    let query = path.split_once('?').map_or("", |(_, query)| query);
    named || path.starts_with("/~") || query.split('&').any(|pair| ["token=", "cat=", "CAT="].iter().any(|name| pair.starts_with(name)))
}

/// An address as something before this host writes it: with a port, in brackets, the first of several.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split(',').next().unwrap_or_default().trim();
    let bare = || text.rsplit_once(':').map(|(address, _)| address.trim_start_matches('[').trim_end_matches(']'));
    text.parse().ok().or_else(|| bare()?.parse().ok())
}

fn refuse(status: StatusCode, line: &str) -> Arc<Answer> {
    Arc::new(Answer::error(status, line))
}

fn page(text: String) -> Arc<Answer> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Arc::new(Answer::text(StatusCode::OK, headers, Bytes::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_a_token_is_one_viewers_own() {
        let none = HeaderMap::new();
        for path in ["/~abc/live/demo/index.m3u8", "/live/demo/index.m3u8?token=abc", "/live/demo/index.m3u8?start=1&CAT=abc"] {
            assert!(is_personal(path, &none), "{path}");
        }
        for path in ["/live/demo/index.m3u8", "/live/~a/index.m3u8", "/live/demo/index.m3u8?_HLS_msn=1&tokens=2", "/"] {
            assert!(!is_personal(path, &none), "{path}");
        }
        for name in ["cookie", "authorization", "cta-common-access-token"] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("x"));
            assert!(is_personal("/", &headers), "{name}");
        }
    }
}
