//! Resolution of URI references, as far as playlists need it (RFC 3986, section 5).

use alloc::{string::String, vec::Vec};

/// Resolves a reference against the address of the playlist that holds it.
#[must_use]
pub fn resolve(base: &str, reference: &str) -> String {
    let reference = reference.trim();
    if has_scheme(reference) {
        return reference.into();
    }
    let (scheme, rest) = match base.split_once(':') {
        Some((scheme, rest)) if has_scheme(base) => ([scheme, ":"].concat(), rest),
        _ => (String::new(), base),
    };
    if reference.starts_with("//") {
        return scheme + reference;
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(after) => {
            let end = after.find(['/', '?', '#']).unwrap_or(after.len());
            let (host, path) = after.split_at(end);
            (["//", host].concat(), path)
        }
        None => (String::new(), rest),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if reference.is_empty() {
        return [&scheme, &authority, path].concat();
    }
    let (reference_path, tail) = reference.split_at(reference.find(['?', '#']).unwrap_or(reference.len()));
    let merged = match (reference_path.starts_with('/'), reference_path.is_empty()) {
        (_, true) => path.into(),
        (true, _) => without_dots(reference_path),
        (false, _) => {
            let folder = path.rfind('/').map_or("/", |slash| path.get(..=slash).unwrap_or("/"));
            without_dots(&[folder, reference_path].concat())
        }
    };
    [scheme.as_str(), &authority, &merged, tail].concat()
}

/// Adds a query to an address that may have one already.
#[must_use]
pub fn with_query(url: &str, query: &str) -> String {
    if query.is_empty() {
        return url.into();
    }
    let url = url.split('#').next().unwrap_or_default();
    let joint = if url.contains('?') { "&" } else { "?" };
    [url, joint, query].concat()
}

/// The address without delivery directives of an earlier request (`_HLS_…`), which a redirect may have kept.
#[must_use]
pub fn without_directives(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.into() };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("_HLS_")).collect();
    with_query(path, &kept.join("&"))
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
    })
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut words = path.split('/').skip(1).peekable();
    while let Some(word) = words.next() {
        let last = words.peek().is_none();
        match word {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(word),
        }
        if last && matches!(word, "." | "..") {
            kept.push("");
        }
    }
    ["/", &kept.join("/")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_as_the_rfc_shows() {
        let base = "http://a/b/c/d.m3u8?q=1";
        for (reference, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g/x", "http://g/x"),
            ("?y", "http://a/b/c/d.m3u8?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d.m3u8"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("https://x/y", "https://x/y"),
            ("g:h", "g:h"),
            ("g?y=./x", "http://a/b/c/g?y=./x"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{reference}");
        }
        assert_eq!(resolve("/live/demo/index.m3u8", "s/high.m3u8"), "/live/demo/s/high.m3u8");
        assert_eq!(resolve("http://a", "g"), "http://a/g");
    }

    #[test]
    fn directives_leave_and_other_queries_stay() {
        assert_eq!(without_directives("http://a/x?_HLS_msn=3&t=1&_HLS_part=2"), "http://a/x?t=1");
        assert_eq!(with_query("http://a/x?t=1", "_HLS_msn=3"), "http://a/x?t=1&_HLS_msn=3");
        assert_eq!(with_query("http://a/x", ""), "http://a/x");
    }
}
