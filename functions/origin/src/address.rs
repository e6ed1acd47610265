//! Which URL a request leads to, and where redirects may.
use alloc::string::String;

use tidegate_rewrite::{Parts, host_is_private, resolve};

use crate::document::Document;

/// Bytes of a URL that is fetched.
const LONGEST: usize = 4096;

/// The URL of a file below the origin's base; `None` for what would leave it.
pub(crate) fn file_url(document: &Document, file: &str, query: &str) -> Option<String> {
    if !file.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'#' | b'?')) || has_dots(file) {
        return None;
    }
    let mut url = document.base.clone();
    url.push_str(file);
    if !query.is_empty() {
        if !query.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
            return None;
        }
        url.push('?');
        url.push_str(query);
    }
    (url.len() <= LONGEST && may_load(document, &url)).then_some(url)
}

/// Where a redirect leads; `None` where it may not.
pub(crate) fn redirected(document: &Document, url: &str, location: &str) -> Option<String> {
    let target = resolve(url, location.trim());
    let is_plain = target.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>'));
    let path_has_dots = has_dots(Parts::of(&target).path);
    (is_plain && !path_has_dots && target.len() <= LONGEST && may_load(document, &target)).then_some(target)
}

/// Whether the document names what the URL begins with.
fn may_load(document: &Document, url: &str) -> bool {
    let is_below = |base: &str| url.starts_with(base);
    let is_named = is_below(&document.base) || document.redirects.iter().any(|base| is_below(base));
    let host = Parts::of(url).host();
    is_named && (document.private || host.is_some_and(|host| !host_is_private(host)))
}

/// Whether a server may find a way up in a path, by a segment of dots or one that is decoded to dots or slashes.
fn has_dots(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let mut decoded = lower.replace("%2e", ".");
    if lower.contains("%2f") || lower.contains("%5c") {
        decoded = decoded.replace("%2f", "/").replace("%5c", "/");
    }
    decoded.split('/').any(|word| word == "." || word == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document { base: "https://o.example/live/".into(), redirects: alloc::vec!["https://p.example/".into()], ..Document::default() }
    }

    #[test]
    fn nothing_leaves_the_base() {
        let document = document();
        let url = |file| file_url(&document, file, "a=1");
        assert_eq!(url("a/b.m3u8").as_deref(), Some("https://o.example/live/a/b.m3u8?a=1"));
        assert_eq!(url("a%20b..c.m3u8").as_deref(), Some("https://o.example/live/a%20b..c.m3u8?a=1"));
        for bad in ["../x", "a/../../x", "a/%2e%2E/x", "a/.%2e", "%2e%2e%2fx", "a\\..\\x", "a b", "a#b", "a\"", "é"] {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn redirects_lead_where_the_document_says() {
        let document = document();
        let to = |location| redirected(&document, "https://o.example/live/a/b.m3u8", location);
        assert_eq!(to("c.m3u8").as_deref(), Some("https://o.example/live/a/c.m3u8"));
        assert_eq!(to("https://p.example/x?y").as_deref(), Some("https://p.example/x?y"));
        for bad in [
            "/other",
            "../../x",
            "http://o.example/live/a",
            "https://o.example.evil.example/live/",
            "https://evil.example/",
            "//127.0.0.1/",
            "file:///etc/passwd",
            "a/%2e%2e/%2e%2e/%2e%2e/x",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }
}
