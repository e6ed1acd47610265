use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::{
    body::Body,
    coding::{Coding, worth_coding},
    objects::Objects,
    range::{Ranged, ranged},
    urgency::{Lanes, Urgency},
    wire::Piece,
};

/// What an answer costs in memory beside its body.
const ANSWER_BYTES: usize = 1024;
/// `max-age` beyond this is cut: what is asked for again after an hour is asked for again.
const KEEP_AT_MOST: Duration = Duration::from_secs(3600);
/// A viewer who was refused comes again after this many seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// An answer that any number of viewers can get.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
    made: Instant,
    keep: Option<Duration>,
    shared: bool,
}

#[derive(Debug)]
enum Content {
    Text {
        plain: Bytes,
        /// Made when a viewer first takes them.
        gzip: OnceLock<Bytes>,
        brotli: OnceLock<Bytes>,
    },
    /// Read from the objects for each viewer: they hold the bytes already.
    Pieces(Vec<Piece>),
}

/// What of a viewer's request decides about the form of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    head: bool,
    coding: Option<Coding>,
    range: Option<HeaderValue>,
    if_none_match: Option<HeaderValue>,
    priority: Option<HeaderValue>,
    /// The other answers on the viewer's connection, where it can have several at one time.
    lanes: Option<Arc<Lanes>>,
}

impl Viewer {
    pub(crate) fn new(method: &Method, headers: &HeaderMap, lanes: Option<Arc<Lanes>>) -> Self {
        // A range of a body that has changed would be of no use (RFC 9110, 13.1.5); the whole is always right.
        let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
        Self {
            head: method == Method::HEAD,
            coding: Coding::accepted(headers),
            range: range.cloned(),
            if_none_match: headers.get(header::IF_NONE_MATCH).cloned(),
            priority: lanes.as_ref().and_then(|_| headers.get("priority").cloned()),
            lanes,
        }
    }
}

impl Answer {
    /// An answer whose bytes are known; `headers` are already free of what is between host and component.
    pub(crate) fn text(status: StatusCode, headers: HeaderMap, plain: Bytes) -> Self {
        Self::new(status, headers, Content::Text { plain, gzip: OnceLock::new(), brotli: OnceLock::new() })
    }

    /// An answer whose bytes lie in objects.
    pub(crate) fn pieces(headers: HeaderMap, pieces: Vec<Piece>) -> Self {
        Self::new(StatusCode::OK, headers, Content::Pieces(pieces))
    }

    /// One line about what went wrong.
    pub(crate) fn error(status: StatusCode, line: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A player on another site must be able to read the status.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        let mut answer = Self::text(status, headers, Bytes::from(format!("{line}\n")));
        // Who asks the same gets the same: asking again at once would only add to the trouble.
        answer.shared = true;
        answer
    }

    fn new(status: StatusCode, headers: HeaderMap, content: Content) -> Self {
        let mut age = None;
        let mut shared_age = None;
        let (mut public, mut private) = (false, false);
        for word in directives(&headers) {
            match word.split_once('=') {
                Some(("max-age", seconds)) => age = seconds.parse().ok(),
                Some(("s-maxage", seconds)) => shared_age = seconds.parse().ok(),
                _ if word == "public" => public = true,
                _ if matches!(word, "private" | "no-store") => private = true,
                _ => {}
            }
        }
        let seconds: Option<u64> = shared_age.or(age).filter(|seconds| *seconds > 0);
        let keep = seconds.filter(|_| public && !private).map(|seconds| Duration::from_secs(seconds).min(KEEP_AT_MOST));
        Self { status, headers, content, made: Instant::now(), keep, shared: !private }
    }

    /// Whether others who ask the same may have this answer.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether the answer is to be kept for later requests.
    pub(crate) fn is_kept(&self) -> bool {
        self.keep.is_some()
    }

    /// Whether a kept answer is still good.
    pub(crate) fn is_fresh(&self) -> bool {
        self.keep.is_some_and(|keep| self.made.elapsed() < keep)
    }

    /// What the answer weighs in memory, its smaller forms included.
    pub(crate) fn weight(&self) -> usize {
        let content = match &self.content {
            Content::Text { plain, .. } => plain.len() + plain.len() / 2,
            Content::Pieces(pieces) => pieces.len() * 160,
        };
        ANSWER_BYTES + content
    }

    /// The answer in the form that a viewer asks for.
    pub(crate) async fn to(&self, viewer: &Viewer, objects: &Arc<Objects>) -> Response<Body> {
        let mut headers = self.headers.clone();
        if self.keep.is_some() {
            let age = self.made.elapsed().as_secs();
            if age > 0 {
                headers.insert(header::AGE, age.into());
            }
        }
        if self.status == StatusCode::OK && self.is_known(viewer) {
            for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
                headers.remove(name);
            }
            return response(StatusCode::NOT_MODIFIED, headers, Body::empty());
        }
        let response = match &self.content {
            Content::Text { plain, .. } => self.to_text(viewer, headers, plain),
            Content::Pieces(pieces) => to_pieces(viewer, headers, pieces, objects).await,
        };
        match &viewer.lanes {
            Some(lanes) if response.body().len() > 0 => {
                let turn = lanes.turn(Urgency::of(response.headers(), viewer.priority.as_ref()));
                response.map(|body| body.in_turn(turn))
            }
            Some(_) | None => response,
        }
    }

    /// The body in a coding; made once for everybody who takes it.
    fn coded<'a>(&'a self, coding: Coding, plain: &Bytes) -> Option<&'a Bytes> {
        let Content::Text { gzip, brotli, .. } = &self.content else { return None };
        let cell = match coding {
            Coding::Gzip => gzip,
            Coding::Brotli => brotli,
        };
        Some(cell.get_or_init(|| coding.encode(plain)))
    }

    fn is_known(&self, viewer: &Viewer) -> bool {
        let (Some(known), Some(etag)) = (&viewer.if_none_match, self.headers.get(header::ETAG)) else { return false };
        let (Ok(known), Ok(etag)) = (known.to_str(), etag.to_str()) else { return false };
        let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        known.trim() == "*" || known.split(',').any(|tag| weak(tag) == weak(etag))
    }

    fn to_text(&self, viewer: &Viewer, mut headers: HeaderMap, plain: &Bytes) -> Response<Body> {
        let mut bytes = plain;
        if worth_coding(&self.headers, plain.len()) {
            headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
            if let Some((coding, coded)) = viewer.coding.and_then(|coding| Some((coding, self.coded(coding, plain)?))) {
                bytes = coded;
                headers.insert(header::CONTENT_ENCODING, coding.name());
                // Another form of the same thing: equal by weak comparison only.
                if let Some(etag) = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).filter(|etag| !etag.starts_with("W/"))
                    && let Ok(weak) = HeaderValue::try_from(format!("W/{etag}"))
                {
                    headers.insert(header::ETAG, weak);
                }
            }
        }
        let no_content = matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if !no_content {
            headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        }
        let body = if viewer.head || no_content { Body::empty() } else { Body::one(bytes.clone()) };
        response(self.status, headers, body)
    }
}

async fn to_pieces(viewer: &Viewer, mut headers: HeaderMap, pieces: &[Piece], objects: &Arc<Objects>) -> Response<Body> {
    let mut chunks = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match objects.piece(&piece.key, piece.range).await {
            Ok(Some((bytes, _))) if piece.range.is_none_or(|(first, last)| bytes.len() as u64 == last - first + 1) => chunks.push(bytes),
            Ok(Some(_)) => {
                tracing::warn!(key = %piece.key, range = ?piece.range, "the component asked for bytes that the object does not have");
                return plain_error(viewer, StatusCode::BAD_GATEWAY, "the object is shorter than its index says");
            }
            Ok(None) => return plain_error(viewer, StatusCode::NOT_FOUND, "the media is no longer there"),
            Err(error) => {
                tracing::warn!(key = %piece.key, %error, "media cannot be read");
                return plain_error(viewer, StatusCode::SERVICE_UNAVAILABLE, "the store does not answer");
            }
        }
    }
    let body = Body::chunks(chunks);
    let len = body.len();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, body) = match ranged(viewer.range.as_ref(), len) {
        Ranged::Whole => (StatusCode::OK, body),
        Ranged::Bytes { first, last } => {
            insert(&mut headers, header::CONTENT_RANGE, format!("bytes {first}-{last}/{len}"));
            (StatusCode::PARTIAL_CONTENT, body.cut(first, last))
        }
        Ranged::Unsatisfiable => {
            headers.remove(header::CONTENT_TYPE);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            insert(&mut headers, header::CONTENT_RANGE, format!("bytes */{len}"));
            (StatusCode::RANGE_NOT_SATISFIABLE, Body::empty())
        }
    };
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    response(status, headers, if viewer.head { Body::empty() } else { body })
}

fn plain_error(viewer: &Viewer, status: StatusCode, line: &str) -> Response<Body> {
    let answer = Answer::error(status, line);
    let headers = answer.headers.clone();
    match &answer.content {
        Content::Text { plain, .. } => answer.to_text(viewer, headers, plain),
        Content::Pieces(_) => response(status, headers, Body::empty()),
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// The words of Cache-Control.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cache_control: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_str(cache_control).unwrap());
        Answer::text(StatusCode::OK, headers, Bytes::from_static(b"x"))
    }

    #[test]
    fn only_public_answers_with_an_age_are_kept() {
        assert_eq!(answer("public, max-age=6").keep, Some(Duration::from_secs(6)));
        assert_eq!(answer("public, max-age=6, s-maxage=2").keep, Some(Duration::from_secs(2)));
        assert_eq!(answer("public, max-age=31536000, immutable").keep, Some(KEEP_AT_MOST));
        for control in
            ["max-age=6", "public", "public, max-age=0", "private, max-age=6", "public, no-store, max-age=6", "public, max-age=-1", ""]
        {
            assert_eq!(answer(control).keep, None, "{control}");
        }
    }

    #[test]
    fn private_answers_are_not_shared() {
        assert!(!answer("private, max-age=6").is_shared());
        assert!(!answer("no-store").is_shared());
        assert!(answer("no-cache").is_shared());
    }
}
