use alloc::{string::String, vec::Vec};

/// How long a document is taken as it was read: a policy, a key or a revocation counts within this time.
const FRESH_MS: u64 = 5_000;
/// How long a document is taken where the store does not answer.
const STALE_MS: u64 = 60_000;
/// Documents that one instance keeps: streams that are watched at one edge at a time.
const MOST: usize = 64;

/// Documents that were read, each with when.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    entries: Vec<(String, u64, T)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> Kept<T> {
    /// A document that need not be read again yet.
    pub(crate) fn fresh(&self, key: &str, now_ms: u64) -> Option<&T> {
        self.within(key, now_ms, FRESH_MS)
    }

    /// A document that has to do, since it cannot be read.
    pub(crate) fn stale(&self, key: &str, now_ms: u64) -> Option<&T> {
        self.within(key, now_ms, STALE_MS)
    }

    fn within(&self, key: &str, now_ms: u64, age_ms: u64) -> Option<&T> {
        // A clock that went back makes everything old.
        let is_young = |read_ms: u64| now_ms.checked_sub(read_ms).is_some_and(|age| age < age_ms);
        self.entries.iter().find(|(known, read_ms, _)| known == key && is_young(*read_ms)).map(|(_, _, document)| document)
    }

    pub(crate) fn put(&mut self, key: &str, now_ms: u64, document: T) {
        self.entries.retain(|(known, ..)| known != key);
        if self.entries.len() >= MOST {
            // They stand in the order in which they were read.
            self.entries.remove(0);
        }
        self.entries.push((key.into(), now_ms, document));
    }
}
