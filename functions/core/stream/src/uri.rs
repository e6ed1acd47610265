//! References to other documents (RFC 3986).

use alloc::{string::String, vec::Vec};

/// The parts of a URI reference (RFC 3986 appendix B).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts<'a> {
    /// Without the colon.
    pub scheme: Option<&'a str>,
    /// Without the slashes in front.
    pub authority: Option<&'a str>,
    /// Up to the query.
    pub path: &'a str,
    /// Without the question mark.
    pub query: Option<&'a str>,
    /// Without the hash.
    pub fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes a reference apart; every text is one.
    #[must_use]
    pub fn of(reference: &'a str) -> Self {
        let (rest, fragment) = cut(reference, '#');
        let (rest, query) = cut(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self { scheme, authority, path, query, fragment }
    }

    /// The host in the authority: no user, no port; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> Option<&'a str> {
        let authority = self.authority?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match host.strip_prefix('[') {
            Some(address) => address.split_once(']').map(|(address, _)| address),
            None => Some(host.split_once(':').map_or(host, |(host, _)| host)),
        }
    }

    /// Whether an HTTP client can fetch it.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(text, rest)| (text, Some(rest)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Resolves a reference against the URL of the document it stands in (RFC 3986 section 5.2).
#[must_use]
pub fn resolve(base: &str, reference: &str) -> String {
    let (base, reference) = (Parts::of(base), Parts::of(reference));
    let mut path = String::new();
    let (scheme, authority, query);
    if reference.scheme.is_some() {
        (scheme, authority, query) = (reference.scheme, reference.authority, reference.query);
        push_without_dots(&mut path, reference.path);
    } else if reference.authority.is_some() {
        (scheme, authority, query) = (base.scheme, reference.authority, reference.query);
        push_without_dots(&mut path, reference.path);
    } else {
        (scheme, authority) = (base.scheme, base.authority);
        query = if reference.path.is_empty() { reference.query.or(base.query) } else { reference.query };
        if reference.path.is_empty() {
            path.push_str(base.path);
        } else if reference.path.starts_with('/') {
            push_without_dots(&mut path, reference.path);
        } else {
            let folder = match base.path.rfind('/') {
                Some(slash) => base.path.get(..=slash).unwrap_or_default(),
                None if base.authority.is_some() => "/",
                None => "",
            };
            let mut merged = String::from(folder);
            merged.push_str(reference.path);
            push_without_dots(&mut path, &merged);
        }
    }
    let mut all = String::with_capacity(path.len() + 64);
    if let Some(scheme) = scheme {
        all.push_str(scheme);
        all.push(':');
    }
    if let Some(authority) = authority {
        all.push_str("//");
        all.push_str(authority);
    }
    all.push_str(&path);
    if let Some(query) = query {
        all.push('?');
        all.push_str(query);
    }
    if let Some(fragment) = reference.fragment {
        all.push('#');
        all.push_str(fragment);
    }
    all
}

/// Writes a path without its `.` and `..` segments (RFC 3986 section 5.2.4).
fn push_without_dots(out: &mut String, path: &str) {
    let absolute = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    if absolute {
        out.push('/');
    }
    for (at, segment) in kept.iter().enumerate() {
        if at > 0 {
            out.push('/');
        }
        out.push_str(segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_as_in_rfc_3986_section_5_4() {
        let base = "http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{reference}");
        }
        assert_eq!(resolve("https://a.example", "x.ts"), "https://a.example/x.ts");
        assert_eq!(resolve("/live/demo/index.m3u8", "s/high.m3u8"), "/live/demo/s/high.m3u8");
        assert_eq!(resolve("https://a.example?q=/x/", "x.ts"), "https://a.example/x.ts");
    }

    #[test]
    fn hosts_are_read_past_users_and_ports() {
        let host = |text| Parts::of(text).host();
        assert_eq!(host("http://a.example:80/x"), Some("a.example"));
        assert_eq!(host("http://user:b@a.example/x"), Some("a.example"));
        assert_eq!(host("http://[::1]:80/x"), Some("::1"));
        assert_eq!(host("http://a.example"), Some("a.example"));
        assert_eq!(host("/x"), None);
    }
}
