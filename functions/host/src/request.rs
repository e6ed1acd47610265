use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::{
    Metrics, Statics,
    answer::{Answer, Viewer},
    body::Body,
    guest::Call,
    objects::Objects,
    shared::Answers,
    wire,
};

/// Path and query of a request, in bytes. A stream, a session and the LL-HLS directives need 200; the rest is for tokens.
const PATH_BYTES: usize = 4096;

/// Everything that answers a viewer's request.
pub(crate) struct Edge {
    pub(crate) answers: Arc<Answers>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) statics: Statics,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) requests: u64,
    pub(crate) request_body: usize,
    pub(crate) stop: CancellationToken,
}

impl Edge {
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.metrics.requests.add(1);
        let _open = self.metrics.requests_open.hold();
        let viewer = Viewer::new(request.method(), request.headers());
        let answer = self.find(request).await;
        answer.to(&viewer, &self.objects).await
    }

    async fn find(&self, request: Request<Incoming>) -> Arc<Answer> {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_get && let Some(answer) = self.own_page(request.uri().path()) {
            return answer;
        }
        if self.metrics.requests_open.value() > self.requests {
            self.metrics.answers_refused.add(1);
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if path.len() > PATH_BYTES {
            return refuse(StatusCode::URI_TOO_LONG, "the address is too long");
        }
        if !path.starts_with('/') {
            return refuse(StatusCode::BAD_REQUEST, "the address is not a path");
        }
        let personal = request.headers().contains_key(header::COOKIE) || request.headers().contains_key(header::AUTHORIZATION);
        if is_get && !personal {
            return self.answers.get(path).await;
        }
        self.call(request).await
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

    /// A request that is this viewer's alone.
    async fn call(&self, request: Request<Incoming>) -> Arc<Answer> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut headers = head.headers;
        wire::strip(&mut headers);
        for name in [header::HOST, header::ACCEPT_ENCODING, header::RANGE, header::IF_NONE_MATCH, header::EXPECT] {
            headers.remove(name);
        }
        let Ok(body) = Limited::new(body, self.request_body).collect().await else {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off");
        };
        let method = if head.method == Method::HEAD { Method::GET } else { head.method };
        self.answers.own(Call { method, path, headers, body: body.to_bytes(), waited: None }).await
    }
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
