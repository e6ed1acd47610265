use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use tidegate_function::{Answer, Header};

/// Says why, as RFC 9457 has it, and that nobody is to keep it.
pub(crate) fn refuse(status: u16, why: impl fmt::Display) -> Answer {
    let title = match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Service Unavailable",
    };
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status, "detail": why.to_string() });
    let mut headers: Vec<Header> = Vec::from([
        ("content-type", Cow::Borrowed("application/problem+json")),
        ("cache-control", Cow::Borrowed("no-store")),
        ("access-control-allow-origin", Cow::Borrowed("*")),
    ]);
    match status {
        401 => headers.push(("www-authenticate", Cow::Borrowed("Bearer realm=\"playback\""))),
        503 => headers.push(("retry-after", Cow::Borrowed("1"))),
        _ => {}
    }
    Answer::Respond { status, headers, body: body.to_string().into_bytes() }
}

/// Leads to the same thing at another address.
pub(crate) fn redirect(status: u16, location: String) -> Answer {
    let headers = Vec::from([
        ("location", Cow::Owned(location)),
        ("cache-control", Cow::Borrowed("no-store")),
        ("access-control-allow-origin", Cow::Borrowed("*")),
    ]);
    Answer::Respond { status, headers, body: Vec::new() }
}

/// Makes an answer the viewer's own: no shared cache keeps it, and the viewer's no longer than the token is good.
pub(crate) fn own(answer: &mut Answer, left_s: Option<u64>, more: &[Header]) {
    let headers = match answer {
        Answer::Respond { headers, .. } | Answer::Send { headers, .. } => headers,
        Answer::Wait { .. } => return,
    };
    for (_, value) in headers.iter_mut().filter(|(name, _)| *name == "cache-control") {
        let age = value.split(',').find_map(|word| word.trim().strip_prefix("max-age=")?.parse::<u64>().ok()).unwrap_or(0);
        let age = left_s.map_or(age, |left_s| age.min(left_s));
        let immutable = if value.contains("immutable") { ", immutable" } else { "" };
        *value = if value.contains("no-store") { Cow::Borrowed("no-store") } else { format!("private, max-age={age}{immutable}").into() };
    }
    headers.extend_from_slice(more);
}
