use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use http::{HeaderMap, HeaderValue};

/// Names a request in answers, logs, and in those of whoever stands before or behind this host.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The longest id that is taken from others.
const ID_BYTES: usize = 128;

/// The id that a request comes with, or a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let known = headers.get(REQUEST_ID).filter(|id| {
        let sound = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'=' | b'+');
        (1..=ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(sound)
    });
    known.cloned().unwrap_or_else(new)
}

fn new() -> HeaderValue {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Not a secret: it has to differ between hosts and between requests, no more.
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let id = KEYS.hash_one(COUNT.fetch_add(1, Relaxed));
    HeaderValue::try_from(format!("{id:016x}")).unwrap_or(HeaderValue::from_static("none"))
}

/// An address as it may be logged: without its query, and without long words, which are tokens.
pub(crate) fn loggable(path: &str) -> String {
    let words = path.split('/').map(|word| if word.len() > 64 { "…" } else { word });
    let mut shown = String::with_capacity(path.len().min(256));
    for (n, word) in words.take(16).enumerate() {
        if n > 0 {
            shown.push('/');
        }
        shown.push_str(word);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &'static str) -> HeaderValue {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static(text));
        request_id(&headers)
    }

    #[test]
    fn an_id_that_is_one_is_kept_and_every_other_request_gets_its_own() {
        assert_eq!(id("0d8f-2:a/b_c"), "0d8f-2:a/b_c");
        for bad in ["", "a b", "a\"b", "a,b"] {
            assert_eq!(id(bad).len(), 16, "{bad}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn what_may_be_a_token_is_not_logged() {
        let token = "a".repeat(65);
        assert_eq!(loggable(&format!("/{token}/live/demo/index.m3u8")), "/…/live/demo/index.m3u8");
        assert_eq!(loggable("/"), "/");
    }
}
