//! A playback token as the first component of a path: what is relative in a playlist inherits it.
use alloc::{format, string::String};

/// Marks the first component of a path as a token: no stream and no folder begins with it.
const MARK: &str = "/~";

/// The token in a path (with its leading slash), if there is one, and the path without it.
#[must_use]
pub fn split_token(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix(MARK) else { return (None, path) };
    let (token, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (Some(token), if path.is_empty() { "/" } else { path })
}

/// What stands in front of a path to bring a token along.
#[must_use]
pub fn token_prefix(token: &str) -> String {
    format!("{MARK}{token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_off_as_it_was_put_on() {
        let path = token_prefix("abc") + "/live/demo/index.m3u8";
        assert_eq!(split_token(&path), (Some("abc"), "/live/demo/index.m3u8"));
        assert_eq!(split_token("/live/~abc/x"), (None, "/live/~abc/x"));
        assert_eq!(split_token("/~abc"), (Some("abc"), "/"));
        assert_eq!(split_token("/~/x"), (Some(""), "/x"));
    }
}
