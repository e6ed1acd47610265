use std::collections::HashMap;

use tidegate_edge::{Follower, Pointer};
use tidegate_stream::{SessionId, StreamDocument, StreamId};

/// What an instance remembers between requests.
#[derive(Debug, Default)]
pub struct State {
    pointers: HashMap<StreamId, Used<Pointer>>,
    followers: HashMap<(StreamId, SessionId), Used<Follower>>,
    documents: HashMap<StreamId, Used<Document>>,
    /// Counts uses, so that what was used least recently can be forgotten first.
    uses: u64,
}

/// What is said about a stream, as it was last read.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) document: Option<StreamDocument>,
    read_ms: Option<u64>,
}

/// How long a document is believed, in ms.
pub(crate) const DOCUMENT_FRESH_MS: u64 = 2500;

impl Document {
    pub(crate) fn is_due(&self, now_utc_ms: u64) -> bool {
        self.read_ms.is_none_or(|read_ms| now_utc_ms.saturating_sub(read_ms) >= DOCUMENT_FRESH_MS)
    }

    /// Takes what was read; where that failed, what is known stays.
    pub(crate) fn take(&mut self, now_utc_ms: u64, read: Result<Option<StreamDocument>, Failed>) {
        self.read_ms = Some(now_utc_ms);
        if let Ok(document) = read {
            self.document = document;
        }
    }
}

/// The store did not answer, or not with a document.
pub(crate) struct Failed;

#[derive(Debug)]
struct Used<T> {
    value: T,
    last: u64,
}

/// Streams whose newest session is remembered, existing or not. Some hundred bytes each.
const MAX_STREAMS: usize = 512;
/// Sessions that are followed. An instance seldom serves more streams than a machine can deliver.
const MAX_SESSIONS: usize = 64;
/// Segments of all sessions together, at about 300 bytes: what an instance of 64 MiB can hold beside a playlist of each.
const MAX_SEGMENTS: usize = 60_000;

impl State {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn pointer(&mut self, stream: &StreamId) -> &mut Pointer {
        if !self.pointers.contains_key(stream) && self.pointers.len() >= MAX_STREAMS {
            // Names that nobody has published under are the first to be forgotten: whoever guesses them pushes nobody out.
            forget(&mut self.pointers, None, |pointer| u8::from(pointer.session().is_some()));
        }
        self.uses += 1;
        let fresh = || Used { value: Pointer::new(stream.clone()), last: 0 };
        let used = self.pointers.entry(stream.clone()).or_insert_with(fresh);
        used.last = self.uses;
        &mut used.value
    }

    pub(crate) fn follower(&mut self, stream: &StreamId, session: &SessionId) -> &mut Follower {
        let place = (stream.clone(), session.clone());
        if !self.followers.contains_key(&place) && self.followers.len() >= MAX_SESSIONS {
            forget(&mut self.followers, None, worth);
        }
        self.uses += 1;
        let fresh = || Used { value: Follower::new(stream.clone(), session.clone()), last: 0 };
        let used = self.followers.entry(place).or_insert_with(fresh);
        used.last = self.uses;
        &mut used.value
    }

    pub(crate) fn document(&mut self, stream: &StreamId) -> &mut Document {
        if !self.documents.contains_key(stream) && self.documents.len() >= MAX_STREAMS {
            forget(&mut self.documents, None, |document| u8::from(document.document.is_some()));
        }
        self.uses += 1;
        let used = self.documents.entry(stream.clone()).or_insert_with(|| Used { value: Document::default(), last: 0 });
        used.last = self.uses;
        &mut used.value
    }

    /// Forgets the sessions used least recently until the rest fits, but not this one.
    pub(crate) fn fit(&mut self, stream: &StreamId, session: &SessionId) {
        let place = (stream.clone(), session.clone());
        let segments = |follower: &Follower| follower.timeline().map_or(0, |timeline| timeline.segments().len());
        while self.followers.len() > 1 && self.followers.values().map(|used| segments(&used.value)).sum::<usize>() > MAX_SEGMENTS {
            forget(&mut self.followers, Some(&place), worth);
        }
    }
}

fn worth(follower: &Follower) -> u8 {
    if follower.timeline().is_some() { 2 } else { u8::from(!follower.is_absent()) }
}

/// Removes the entry of the least worth; of equal ones the one used least recently.
fn forget<K: Clone + Eq + std::hash::Hash, T>(map: &mut HashMap<K, Used<T>>, but: Option<&K>, worth: impl Fn(&T) -> u8) {
    let others = map.iter().filter(|(key, _)| Some(*key) != but);
    let least = others.min_by_key(|(_, used)| (worth(&used.value), used.last)).map(|(key, _)| key.clone());
    if let Some(key) = least {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_a_bound_and_the_oldest_goes_first() {
        let mut state = State::new();
        let session = SessionId::new(1, 1);
        let name = |n: usize| StreamId::parse(&format!("s{n}")).unwrap();
        for n in 0..MAX_STREAMS + 10 {
            state.pointer(&name(n));
            state.follower(&name(n), &session);
            state.follower(&name(0), &session);
        }
        assert_eq!((state.pointers.len(), state.followers.len()), (MAX_STREAMS, MAX_SESSIONS));
        assert!(state.followers.contains_key(&(name(0), session.clone())), "used again and again");
        assert!(!state.followers.contains_key(&(name(1), session)));
    }
}
