//! What is around the functions: the store that objects lie in, and what is not ours.
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use spin_sdk::{
    http::{BoxBody, EmptyBody, FullBody, Response, box_body, send},
    wasip3::http::types::ErrorCode,
};
use tidegate_function::{Condition, Fetched, Input, Loaded, Output, Stored, number};

/// The largest object that is read: a segment bundle of 2 s at 60 Mbit/s.
const OBJECT_BYTES: usize = 16 << 20;
/// The largest body of a request. Our host has the same bound.
pub(crate) const REQUEST_BYTES: usize = 64 << 10;

/// What the host around this component lets reach.
pub(crate) struct Shell {
    /// Where objects come from, without a slash at the end.
    upstream: String,
}

impl Shell {
    /// The address in `TIDEGATE_UPSTREAM`; without one every fetch fails.
    pub(crate) fn new() -> Self {
        let upstream = std::env::var("TIDEGATE_UPSTREAM").unwrap_or_default();
        Self { upstream: upstream.trim_end_matches('/').to_owned() }
    }

    /// Does what a function asks for.
    pub(crate) async fn carry_out(&self, output: Output) -> Input {
        match output {
            Output::Fetch { key, range, fresh, .. } => Input::Fetched(self.fetch(&key, range, fresh).await),
            Output::Store { key, body, content_type, condition } => Input::Stored(self.store(&key, body, content_type, &condition).await),
            Output::Delete { key } => Input::Stored(self.delete(&key).await),
            Output::Load { url, headers, max_bytes, timeout_ms } => Input::Loaded(Self::load(&url, &headers, max_bytes, timeout_ms).await),
            // The dispatcher keeps answers to itself.
            Output::Answer(_) => Input::Fetched(Fetched::Failed),
        }
    }

    /// Reads an object; `fresh` past what the host has kept.
    async fn fetch(&self, key: &str, range: Option<(u64, u64)>, fresh: bool) -> Fetched {
        self.get(key, range, fresh).await.unwrap_or(Fetched::Failed)
    }

    async fn get(&self, key: &str, range: Option<(u64, u64)>, fresh: bool) -> Option<Fetched> {
        let mut request = spin_sdk::http::Request::get(format!("{}/{key}", self.upstream));
        if let Some((first, last)) = range {
            request = request.header("range", format!("bytes={first}-{last}"));
        }
        if fresh {
            request = request.header("cache-control", "no-cache");
        }
        let response = send(request.body(EmptyBody::new()).ok()?).await.ok()?;
        let etag = etag(&response);
        let age_ms = response.headers().get("tidegate-age-ms").and_then(|value| number(value.to_str().ok()?));
        match (response.status().as_u16(), range) {
            (200, None) | (206, Some(_)) => {
                read(response.into_body(), OBJECT_BYTES).await.ok().map(|bytes| Fetched::Got { bytes, etag, age_ms })
            }
            // A server may leave ranges alone and send everything.
            (200, Some(range)) => {
                let bytes = read(response.into_body(), OBJECT_BYTES).await.ok()?;
                Some(Fetched::Got { bytes, etag, age_ms }.cut(range))
            }
            (404 | 416, _) => Some(Fetched::Missing),
            _ => None,
        }
    }

    /// Writes an object if the condition holds.
    async fn store(&self, key: &str, body: Vec<u8>, content_type: &str, condition: &Condition) -> Stored {
        let request = spin_sdk::http::Request::put(format!("{}/{key}", self.upstream)).header("content-type", content_type);
        let request = match condition {
            Condition::None => request,
            Condition::Absent => request.header("if-none-match", "*"),
            Condition::Match(etag) => request.header("if-match", etag),
        };
        let request = request.header("content-length", body.len()).body(box_body(FullBody::new(Bytes::from(body))));
        let Some(response) = written(request.ok()).await else { return Stored::Failed };
        match response.status().as_u16() {
            200..=299 => Stored::Done { etag: etag(&response) },
            409 | 412 => Stored::Conflict,
            // S3 says this of `If-Match` where there is no object.
            404 if matches!(condition, Condition::Match(_)) => Stored::Conflict,
            _ => Stored::Failed,
        }
    }

    /// Deletes an object, if it is there.
    async fn delete(&self, key: &str) -> Stored {
        let request = spin_sdk::http::Request::delete(format!("{}/{key}", self.upstream));
        match written(request.body(box_body(EmptyBody::new())).ok()).await.map(|response| response.status().as_u16()) {
            Some(200..=299 | 404) => Stored::Done { etag: None },
            Some(_) | None => Stored::Failed,
        }
    }

    /// Reads something that is not ours.
    async fn load(url: &str, headers: &[(String, String)], max_bytes: usize, timeout_ms: u32) -> Loaded {
        // Nobody here decodes.
        let mut request = spin_sdk::http::Request::get(url).header("accept-encoding", "identity");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(EmptyBody::new()) else { return Loaded::Failed };
        let mut sleep = pin!(spin_sdk::time::sleep(Duration::from_millis(timeout_ms.into())));
        let mut load = pin!(loaded(request, max_bytes));
        poll_fn(|cx| match load.as_mut().poll(cx) {
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| Loaded::Failed),
            ready => ready,
        })
        .await
    }
}

async fn written(request: Option<spin_sdk::http::Request<BoxBody>>) -> Option<Response> {
    send(request?).await.ok()
}

async fn loaded(request: spin_sdk::http::Request<EmptyBody>, max_bytes: usize) -> Loaded {
    let response = match send(request).await {
        Ok(response) => response,
        Err(error) => return refused(&error),
    };
    let (head, body) = response.into_parts();
    if head.headers.get("content-encoding").is_some_and(|coding| coding != "identity") {
        return Loaded::Failed;
    }
    match read(body, max_bytes).await {
        Ok(body) => {
            let headers = head.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
            Loaded::Got { status: head.status.as_u16(), headers: headers.collect(), body }
        }
        Err(Unread::TooLong) => Loaded::TooLarge,
        Err(Unread::Broken) => Loaded::Failed,
    }
}

fn refused(error: &ErrorCode) -> Loaded {
    if matches!(error, ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited) {
        Loaded::Denied
    } else if matches!(error, ErrorCode::HttpResponseBodySize(_)) {
        Loaded::TooLarge
    } else {
        Loaded::Failed
    }
}

fn etag(response: &Response) -> Option<String> {
    response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

enum Unread {
    TooLong,
    Broken,
}

/// The body of a request, unless it is too long or breaks off.
pub(crate) async fn body(incoming: impl http_body::Body<Data = Bytes> + Unpin, max_bytes: usize) -> Option<Vec<u8>> {
    read(incoming, max_bytes).await.ok()
}

async fn read(mut body: impl http_body::Body<Data = Bytes> + Unpin, max_bytes: usize) -> Result<Vec<u8>, Unread> {
    use http_body_util::BodyExt as _;
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if all.len() + chunk.len() > max_bytes {
            return Err(Unread::TooLong);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}
