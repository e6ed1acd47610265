use tidegate_stream::{Key, SessionId, StreamId};

/// Which session a stream's viewers are sent to, read again at most once a second.
#[derive(Clone, Debug)]
pub struct Pointer {
    stream: StreamId,
    session: Option<SessionId>,
    checked_ms: Option<u64>,
}

/// What the document under [`Key::Current`] says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// This session.
    Session(SessionId),
    /// There is no document: nothing was published yet.
    Nothing,
    /// The store did not answer, or not with a document.
    Unknown,
}

/// How long the pointer is believed, in ms: a new session is seen this late, and a stream costs an instance one read in this time.
const FRESH_MS: u64 = 1000;

impl Pointer {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(stream: StreamId) -> Self {
        Self { stream, session: None, checked_ms: None }
    }

    /// The object to read, where what is known is too old.
    #[must_use]
    pub fn need(&self, now_ms: u64) -> Option<Key> {
        let fresh = self.checked_ms.is_some_and(|checked| now_ms.saturating_sub(checked) < FRESH_MS);
        (!fresh).then(|| Key::Current { stream: self.stream.clone() })
    }

    /// Takes what [`Self::need`] asked for.
    pub fn handle(&mut self, now_ms: u64, named: Named) {
        match named {
            Named::Session(session) => self.session = Some(session),
            Named::Nothing => self.session = None,
            // An unreachable store must not turn a live stream into one that does not exist.
            Named::Unknown if self.session.is_some() => {}
            Named::Unknown => return,
        }
        self.checked_ms = Some(now_ms);
    }

    /// The newest session; `None` before the first one.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_read_once_a_second_and_survives_a_silent_store() {
        let mut pointer = Pointer::new(StreamId::parse("demo").unwrap());
        assert!(pointer.need(0).is_some());
        let session = SessionId::new(1, 1);
        pointer.handle(0, Named::Session(session.clone()));
        assert!(pointer.need(999).is_none() && pointer.need(1000).is_some());
        pointer.handle(1000, Named::Unknown);
        assert_eq!(pointer.session(), Some(&session));
        pointer.handle(2000, Named::Nothing);
        assert_eq!(pointer.session(), None);
    }
}
