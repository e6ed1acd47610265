use alloc::{borrow::Cow, format, vec::Vec};
use core::fmt;

use tidegate_function::{Answer, Header};
use tidegate_rewrite::Format;

const METHODS: &str = "GET, HEAD, OPTIONS";

/// How long caches may keep an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Nobody may.
    No,
    /// This many seconds.
    Seconds(u64),
    /// This many seconds, by the viewer alone.
    Own(u64),
}

fn headers(content_type: &'static str, keep: Keep) -> Vec<Header> {
    let keep = match keep {
        Keep::No => Cow::Borrowed("no-store"),
        Keep::Seconds(seconds) => format!("public, max-age={seconds}").into(),
        Keep::Own(seconds) => format!("private, max-age={seconds}").into(),
    };
    Vec::from([
        ("content-type", Cow::Borrowed(content_type)),
        ("cache-control", keep),
        ("access-control-allow-origin", Cow::Borrowed("*")),
        ("access-control-expose-headers", Cow::Borrowed("age, content-length, date")),
    ])
}

pub(crate) fn playlist(format: Format, body: Vec<u8>, keep: Keep) -> Answer {
    let content_type = match format {
        Format::Hls => "application/vnd.apple.mpegurl",
        Format::Dash => "application/dash+xml",
    };
    Answer::Respond { status: 200, headers: headers(content_type, keep), body }
}

pub(crate) fn json(body: Vec<u8>) -> Answer {
    Answer::Respond { status: 200, headers: headers("application/json", Keep::No), body }
}

/// One line about why there is nothing.
pub(crate) fn refusal(status: u16, why: impl fmt::Display) -> Answer {
    let keep = if status >= 500 { Keep::No } else { Keep::Seconds(1) };
    let mut headers = headers("text/plain; charset=utf-8", keep);
    match status {
        405 => headers.push(("allow", Cow::Borrowed(METHODS))),
        503 => headers.push(("retry-after", Cow::Borrowed("1"))),
        _ => {}
    }
    Answer::Respond { status, headers, body: format!("{why}\n").into_bytes() }
}

/// The answer to a browser that asks whether it may ask.
pub(crate) fn preflight() -> Answer {
    let mut headers = headers("text/plain", Keep::Seconds(86400));
    headers.push(("access-control-allow-methods", Cow::Borrowed(METHODS)));
    // `*` does not stand for Authorization.
    headers.push(("access-control-allow-headers", Cow::Borrowed("*, authorization")));
    headers.push(("access-control-max-age", Cow::Borrowed("86400")));
    Answer::Respond { status: 204, headers, body: Vec::new() }
}
