use std::{borrow::Borrow, fmt, sync::Arc};

/// The longest key that S3 knows.
const KEY_BYTES: usize = 1024;

/// The key of an object, of which the host knows nothing but that it can stand in a URL as it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    /// Reads a key; what would need encoding, or could leave its folder, is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'/');
        let sound = text.len() <= KEY_BYTES && text.bytes().all(plain) && text.split('/').all(|word| !matches!(word, "" | "." | ".."));
        sound.then(|| Self(text.into()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// All before the last word: keys of one folder are written by one hand, at one pace.
    pub(crate) fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ObjectKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_leave_their_folder_are_refused() {
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a b", "a%2e", "a?b", "a#b", "a\\b", "é", &"a".repeat(1025)] {
            assert!(ObjectKey::parse(bad).is_none(), "{bad}");
        }
        assert!(ObjectKey::parse("live/demo/1m330ymg00/log/0000000012").is_some());
    }
}
