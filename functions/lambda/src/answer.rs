use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::Full;
use lambda_http::{Body, IntoResponse};
use tidegate_dispatch::Settled;

/// An answer on its way out.
pub(crate) struct Answered {
    head: http::response::Parts,
    body: Vec<u8>,
}

impl Answered {
    /// With the length of the body, which HEAD leaves out.
    pub(crate) fn new(settled: Settled, head_only: bool) -> Self {
        let Settled { status, headers, body } = settled;
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value.as_ref())) {
                response.headers_mut().append(name, value);
            }
        }
        let (mut head, ()) = response.into_parts();
        if head_only {
            head.headers.insert(header::CONTENT_LENGTH, body.len().into());
        }
        Self { head, body: if head_only { Vec::new() } else { body } }
    }

    /// As bytes.
    pub(crate) fn streamed(self) -> http::Response<Full<Bytes>> {
        http::Response::from_parts(self.head, Full::new(Bytes::from(self.body)))
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Pin<Box<dyn Future<Output = http::Response<Body>> + Send>> {
        let Self { head, body } = self;
        let body = match body {
            body if body.is_empty() => Body::Empty,
            body if is_media(&head) => Body::Binary(body),
            // Left to itself, the runtime would send a playlist in base64: its type begins with `application/`.
            body => String::from_utf8(body).map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text),
        };
        Box::pin(std::future::ready(http::Response::from_parts(head, body)))
    }
}

fn is_media(head: &http::response::Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("video/") || kind.starts_with("audio/")
}
