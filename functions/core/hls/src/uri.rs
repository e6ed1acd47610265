//! The addresses that stand in playlists, and what is added to them.

use alloc::{string::String, vec::Vec};

/// Resolves a reference against the address of the playlist that holds it.
#[must_use]
pub fn resolve(base: &str, reference: &str) -> String {
    // Some servers write spaces around it.
    tidegate_stream::uri::resolve(base, reference.trim())
}

/// Adds a query to an address that may have one already, and that may name a part of its document.
#[must_use]
pub fn with_query(url: &str, query: &str) -> String {
    if query.is_empty() {
        return url.into();
    }
    let (url, part) = url.split_at(url.find('#').unwrap_or(url.len()));
    let joint = if url.contains('?') { "&" } else { "?" };
    [url, joint, query, part].concat()
}

/// The address without delivery directives of an earlier request (`_HLS_…`), which a redirect may have kept.
#[must_use]
pub fn without_directives(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.into() };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("_HLS_")).collect();
    with_query(path, &kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_leave_and_other_queries_stay() {
        assert_eq!(without_directives("http://a/x?_HLS_msn=3&t=1&_HLS_part=2"), "http://a/x?t=1");
        assert_eq!(with_query("http://a/x?t=1", "_HLS_msn=3"), "http://a/x?t=1&_HLS_msn=3");
        assert_eq!(with_query("http://a/x#low", "_HLS_msn=3"), "http://a/x?_HLS_msn=3#low");
        assert_eq!(with_query("http://a/x", ""), "http://a/x");
    }
}
