use alloc::{borrow::Cow, string::String, vec, vec::Vec};
use core::fmt;

use tidegate_function::{Answer, Header};
use tidegate_stream::Json;

/// Why a request is refused, as a status and a word that programs can tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    Malformed,
    Unauthorized,
    Forbidden,
    NotFound,
    Method,
    Conflict,
    Precondition,
    TooLarge,
    MediaType,
    Invalid,
    PreconditionRequired,
    Busy,
    Store,
}

impl Refusal {
    fn status(self) -> (u16, &'static str) {
        match self {
            Self::Malformed => (400, "malformed request"),
            Self::Unauthorized => (401, "an API token is needed"),
            Self::Forbidden => (403, "the API token does not allow this"),
            Self::NotFound => (404, "there is no such thing"),
            Self::Method => (405, "the method is not for this address"),
            Self::Conflict => (409, "it is there already"),
            Self::Precondition => (412, "somebody else has changed it"),
            Self::TooLarge => (413, "the request is too large"),
            Self::MediaType => (415, "the media type is not understood here"),
            Self::Invalid => (422, "some fields are not what they have to be"),
            Self::PreconditionRequired => (428, "If-Match is needed"),
            Self::Busy => (503, "too many changes at once"),
            Self::Store => (503, "the store does not answer"),
        }
    }
}

/// A problem (RFC 9457).
pub(crate) fn problem(refusal: Refusal, detail: impl fmt::Display) -> Answer {
    problem_with(refusal, detail, Vec::new())
}

/// A problem with what is wrong field by field.
pub(crate) fn problem_with(refusal: Refusal, detail: impl fmt::Display, errors: Vec<Json>) -> Answer {
    let (status, title) = refusal.status();
    let mut problem = Json::object().with("title", title).with("status", u32::from(status)).with("detail", alloc::format!("{detail}"));
    if !errors.is_empty() {
        problem.set("errors", errors);
    }
    let mut headers = headers("application/problem+json", NO_STORE);
    match refusal {
        Refusal::Unauthorized => headers.push(("www-authenticate", "Bearer".into())),
        Refusal::Busy | Refusal::Store => headers.push(("retry-after", "1".into())),
        _ => {}
    }
    Answer::Respond { status, headers, body: problem.to_bytes() }
}

/// A document.
pub(crate) fn json(status: u16, body: &Json) -> Answer {
    Answer::Respond { status, headers: headers("application/json", NO_STORE), body: body.to_bytes() }
}

/// A document that caches may keep for some seconds.
pub(crate) fn cached(body: &Json, seconds: u32) -> Answer {
    let keep = alloc::format!("public, max-age={seconds}");
    Answer::Respond { status: 200, headers: headers("application/json", keep), body: body.to_bytes() }
}

/// Nothing to say but that it is done.
pub(crate) fn empty(status: u16) -> Answer {
    let mut headers = headers("application/json", NO_STORE);
    headers.retain(|(name, _)| *name != "content-type");
    Answer::Respond { status, headers, body: Vec::new() }
}

/// The answer with one more header.
pub(crate) fn with_header(mut answer: Answer, name: &'static str, value: impl Into<Cow<'static, str>>) -> Answer {
    if let Answer::Respond { headers, .. } = &mut answer {
        headers.push((name, value.into()));
    }
    answer
}

const NO_STORE: &str = "no-store";

fn headers(content_type: &'static str, cache_control: impl Into<Cow<'static, str>>) -> Vec<Header> {
    vec![
        ("content-type", content_type.into()),
        ("cache-control", cache_control.into()),
        // A document is text, whatever is in it.
        ("x-content-type-options", "nosniff".into()),
        // No cookie ever counts here, so any page may ask.
        ("access-control-allow-origin", "*".into()),
        ("access-control-expose-headers", "etag, location, retry-after".into()),
    ]
}

/// The answer to a browser that asks whether it may ask.
pub(crate) fn preflight(methods: String) -> Answer {
    let answer = with_header(empty(204), "access-control-allow-methods", methods);
    let answer =
        with_header(answer, "access-control-allow-headers", "authorization, content-type, if-match, if-none-match, idempotency-key");
    with_header(answer, "access-control-max-age", "86400")
}
