use http::HeaderValue;
pub(crate) use tidegate_function::{Ranged, number};

/// What a `Range` header asks of a body of known length.
pub(crate) fn ranged(header: Option<&HeaderValue>, len: u64) -> Ranged {
    Ranged::of(header.and_then(|value| value.to_str().ok()), len)
}
