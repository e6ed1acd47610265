use alloc::{string::String, vec::Vec};

use crate::SessionId;

/// `meta/sessions/<stream>`: the sessions of a stream, one a line, oldest first. What a session was is in its own `head`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sessions {
    sessions: Vec<SessionId>,
}

/// Sessions that are listed: a year of one each day, and room. Older recordings stay where they are, without being listed.
const SESSIONS_MAX: usize = 1000;

impl Sessions {
    /// Reads the list; what is no session is left out.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let text = core::str::from_utf8(text).unwrap_or_default();
        Self { sessions: text.lines().take(2 * SESSIONS_MAX).filter_map(|line| SessionId::parse(line).ok()).collect() }
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        for session in &self.sessions {
            text.push_str(session.as_str());
            text.push('\n');
        }
        text.into_bytes()
    }

    /// The sessions, oldest first.
    #[must_use]
    pub fn all(&self) -> &[SessionId] {
        &self.sessions
    }

    /// Adds a session in its place; whether it is new.
    pub fn add(&mut self, session: &SessionId) -> bool {
        let Err(at) = self.sessions.binary_search(session) else { return false };
        self.sessions.insert(at, session.clone());
        let beyond = self.sessions.len().saturating_sub(SESSIONS_MAX);
        self.sessions.drain(..beyond);
        true
    }

    /// Takes a session out; whether it was there.
    pub fn remove(&mut self, session: &SessionId) -> bool {
        let Ok(at) = self.sessions.binary_search(session) else { return false };
        self.sessions.remove(at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_listed_once_in_order_and_not_for_ever() {
        let mut sessions = Sessions::default();
        for start in [3, 1, 2, 3] {
            sessions.add(&SessionId::new(start, 0));
        }
        assert_eq!(Sessions::parse(&sessions.to_bytes()).all(), [1, 2, 3].map(|start| SessionId::new(start, 0)));
        assert!(sessions.remove(&SessionId::new(2, 0)) && !sessions.remove(&SessionId::new(2, 0)));
        assert_eq!(sessions.all(), [1, 3].map(|start| SessionId::new(start, 0)));
        for start in 10..2000 {
            sessions.add(&SessionId::new(start, 0));
        }
        assert_eq!((sessions.all().len(), sessions.all()[0].utc_ms()), (SESSIONS_MAX, 1000));
    }
}
