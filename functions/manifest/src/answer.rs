use std::borrow::Cow;

use tidegate_function::{Answer, Header, Piece};

/// How long caches may keep an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// It never changes.
    Forever,
    /// This many seconds.
    Seconds(u32),
    /// It is true now and not a moment later.
    Never,
}

impl Keep {
    /// A playlist that has ended. It loses its oldest segments when their retention is over, so not for ever.
    pub(crate) const ENDED: Self = Self::Seconds(3600);
    /// With [`DOCUMENT_FRESH_MS`](crate::state::DOCUMENT_FRESH_MS): what is said about a stream is seen everywhere after 5 s.
    pub(crate) const DESCRIPTION: Self = Self::Seconds(2);
    /// What may be otherwise in a moment.
    pub(crate) const MOMENT: Self = Self::Seconds(1);

    fn header(self) -> Header {
        let value = match self {
            Self::Forever => Cow::Borrowed("public, max-age=31536000, immutable"),
            Self::Never => Cow::Borrowed("no-store"),
            Self::Seconds(seconds) => Cow::Owned(format!("public, max-age={seconds}")),
        };
        ("cache-control", value)
    }
}

/// Players are scripts of other sites: all of them may read everything, and the times it took.
const OPEN: [Header; 3] = [
    ("access-control-allow-origin", Cow::Borrowed("*")),
    ("access-control-expose-headers", Cow::Borrowed("age, content-length, content-range, date, etag, server-timing")),
    ("timing-allow-origin", Cow::Borrowed("*")),
];

const METHODS: &str = "GET, HEAD, OPTIONS";

fn headers(content_type: &'static str, keep: Keep) -> Vec<Header> {
    let mut headers = vec![("content-type", Cow::Borrowed(content_type)), keep.header()];
    headers.extend(OPEN);
    headers
}

/// What is sent first where a viewer asks for several things at once (RFC 9218; rfc8216bis B.1: playlists at 1, media from 2 to 6, a
/// higher rung never before a lower one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Urgency(pub(crate) &'static str);

impl Urgency {
    const PLAYLIST: Self = Self("u=1");
    /// What nothing can be played without.
    pub(crate) const FIRST: Self = Self("u=2");

    /// Of the rendition that so many others of its kind are below.
    pub(crate) fn of_rung(below: usize) -> Self {
        Self(["u=2", "u=3", "u=4", "u=5"].get(below).copied().unwrap_or("u=6"))
    }

    fn header(self) -> Header {
        ("priority", Cow::Borrowed(self.0))
    }
}

/// A playlist.
pub(crate) fn playlist(body: String, keep: Keep) -> Answer {
    let mut headers = headers("application/vnd.apple.mpegurl", keep);
    headers.push(Urgency::PLAYLIST.header());
    Answer::Respond { status: 200, headers, body: body.into_bytes() }
}

/// A DASH presentation.
pub(crate) fn mpd(body: String, keep: Keep) -> Answer {
    Answer::Respond { status: 200, headers: headers("application/dash+xml", keep), body: body.into_bytes() }
}

/// The wall clock.
pub(crate) fn time(now_utc_ms: u64) -> Answer {
    let now_utc_us = i64::try_from(now_utc_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
    let headers = headers("text/plain; charset=utf-8", Keep::Never);
    Answer::Respond { status: 200, headers, body: tidegate_stream::date(now_utc_us).to_vec() }
}

/// Media, which lies in these objects and never changes.
pub(crate) fn media(pieces: Vec<Piece>, content_type: &'static str, urgency: Urgency) -> Answer {
    let mut headers = headers(content_type, Keep::Forever);
    headers.push(urgency.header());
    Answer::Send { pieces, headers }
}

/// Bytes that never change are named by their address, in whatever objects they lie.
pub(crate) fn etag(path: &str) -> Header {
    ("etag", Cow::Owned(format!("\"{}\"", path.trim_start_matches("/live/"))))
}

/// What stands where media is missing.
pub(crate) fn gap(fragment: Vec<u8>, content_type: &'static str) -> Answer {
    Answer::Respond { status: 200, headers: headers(content_type, Keep::Forever), body: fragment }
}

/// One line about why there is nothing.
pub(crate) fn refusal(status: u16, why: impl core::fmt::Display) -> Answer {
    // What a moment ago was not there may be there now; a store that is busy must not be asked by every cache at once.
    refused(status, if status >= 500 { Keep::Seconds(0) } else { Keep::MOMENT }, why)
}

/// Media that comes, if it comes, in a moment: no cache may say 404 once it is listed.
pub(crate) fn not_yet(why: impl core::fmt::Display) -> Answer {
    refused(404, Keep::Seconds(0), why)
}

fn refused(status: u16, keep: Keep, why: impl core::fmt::Display) -> Answer {
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
    let mut headers = OPEN.to_vec();
    headers.push(("access-control-allow-methods", Cow::Borrowed(METHODS)));
    headers.push(("access-control-allow-headers", Cow::Borrowed("*")));
    headers.push(("access-control-max-age", Cow::Borrowed("86400")));
    headers.push(("allow", Cow::Borrowed(METHODS)));
    Answer::Respond { status: 204, headers, body: Vec::new() }
}
