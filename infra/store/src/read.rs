//! What a GET and a HEAD answer for an object that is there.

use std::{
    io,
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{self, ETagCondition, StreamingBlob, Timestamp, TimestampFormat},
    s3_error,
};
use tokio::task::spawn_blocking;

use crate::object::Object;

/// Bodies are read and written in pieces of about this size, which bounds the memory of a request.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

/// The body of an answer: in one piece where it is small, else piece by piece as fast as the client takes it.
pub(crate) async fn body(object: Object, part: Range<u64>) -> S3Result<StreamingBlob> {
    if part.end - part.start <= PIECE_BYTES as u64 {
        let read = spawn_blocking(move || read_piece(object, part)).await.map_err(S3Error::internal_error)?;
        let (bytes, _) = read.map_err(S3Error::internal_error)?;
        return Ok(StreamingBlob::from(s3s::Body::from(bytes)));
    }
    let pieces = stream::unfold(Some((object, part)), |rest| async move {
        let (object, part) = rest.filter(|(_, part)| !part.is_empty())?;
        let read = spawn_blocking(move || read_piece(object, part)).await;
        Some(match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((bytes, rest)) => (Ok(bytes), Some(rest)),
            Err(error) => (Err(error), None),
        })
    });
    Ok(StreamingBlob::wrap(pieces))
}

/// Reads the next piece of a part of an object; returns what is left of it.
fn read_piece(mut object: Object, part: Range<u64>) -> io::Result<(Bytes, (Object, Range<u64>))> {
    let len = usize::try_from(part.end - part.start).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    let bytes = object.read(part.start, len)?;
    let rest = part.start + bytes.len() as u64..part.end;
    Ok((bytes.into(), (object, rest)))
}

/// The conditions of a read, in the order of RFC 9110 section 13.2.2.
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    pub(crate) fn check(&self, object: &Object) -> S3Result<()> {
        let is_it = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == object.etag);
        // HTTP dates have whole seconds.
        let modified = seconds(object.modified);
        let newer_than = |date: &Timestamp| modified > seconds_of(date);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !is_it(condition) => return Err(s3_error!(PreconditionFailed)),
            (None, Some(date)) if newer_than(date) => return Err(s3_error!(PreconditionFailed)),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if is_it(condition) => Err(not_modified(object)),
            (None, Some(date)) if !newer_than(date) => Err(not_modified(object)),
            _ => Ok(()),
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn seconds_of(date: &Timestamp) -> u64 {
    let mut text = Vec::new();
    let written = date.format(TimestampFormat::EpochSeconds, &mut text);
    let text = String::from_utf8(text).unwrap_or_default();
    written.ok().and_then(|()| text.split('.').next()?.parse().ok()).unwrap_or(0)
}

/// RFC 9110 section 15.4.5: the headers that a cache goes on with.
fn not_modified(object: &Object) -> S3Error {
    let mut headers = HeaderMap::new();
    let cache_control = object.headers.cache_control.as_deref();
    for (name, value) in [(header::ETAG, Some(format!("\"{}\"", object.etag).as_str())), (header::CACHE_CONTROL, cache_control)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_headers(headers);
    error
}

/// The bytes that a request asks for, and what `Content-Range` says of them.
pub(crate) fn part_of(object: &Object, range: Option<dto::Range>) -> S3Result<(Range<u64>, Option<String>)> {
    let Some(range) = range else { return Ok((0..object.len, None)) };
    let part = range.check(object.len).map_err(|_| not_satisfiable(object.len))?;
    let content_range = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), object.len);
    Ok((part, Some(content_range)))
}

fn not_satisfiable(len: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{len}")) {
        error.set_headers(HeaderMap::from_iter([(header::CONTENT_RANGE, value)]));
    }
    error
}
