use alloc::vec::Vec;

use crate::{EventKind, Json, SessionId, StreamId, format_utc, parse_utc};

/// `meta/session/<stream>/<session>.json`: what nobody can see in the log of a session: what came in, and what webhooks were told of it.
/// Written when it begins and when it ends. Members that others have put in stay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionFacts(Json);

impl SessionFacts {
    /// Those of a session that has begun.
    #[must_use]
    pub fn new(stream: &StreamId, session: &SessionId, input: Json) -> Self {
        let json = Json::object().with("id", session.as_str()).with("stream", alloc::format!("{stream}"));
        Self(json.with("started", format_utc(session.utc_ms())).with("input", input))
    }

    /// Reads them.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let json = Json::parse(text).ok()?;
        matches!(json, Json::Object(_)).then_some(Self(json))
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Codecs, sizes and rates of what comes in.
    #[must_use]
    pub fn input(&self) -> Option<&Json> {
        self.0.get("input")
    }

    /// The most viewers at one time, where somebody has counted them.
    #[must_use]
    pub fn peak_viewers(&self) -> Option<&Json> {
        self.0.get("peak_viewers")
    }

    /// When it ended, in ms since 1970.
    #[must_use]
    pub fn ended_utc_ms(&self) -> Option<u64> {
        parse_utc(self.0.text_of("ended"))
    }

    /// Says when it ended.
    pub fn end(&mut self, utc_ms: u64) {
        self.0.set("ended", format_utc(utc_ms));
    }

    /// Whether an event of this kind is among the events.
    #[must_use]
    pub fn is_told(&self, kind: EventKind) -> bool {
        self.0.texts_of("told").any(|told| told == kind.as_str())
    }

    /// Says that an event of this kind is among the events.
    pub fn tell(&mut self, kind: EventKind) {
        if !self.is_told(kind) {
            let mut told = self.0.get("told").map_or(&[][..], Json::items).to_vec();
            told.push(kind.as_str().into());
            self.0.set("told", told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_round_trip_and_keep_what_others_have_put_in() {
        let (stream, session) = (StreamId::parse("demo").unwrap(), SessionId::new(1_790_000_000_000, 1));
        let mut facts = SessionFacts::new(&stream, &session, Json::object().with("video", Json::Null));
        facts.0.set("peak_viewers", 7u32);
        facts.tell(EventKind::StreamLive);
        facts.tell(EventKind::StreamLive);
        facts.end(1_790_000_060_000);
        let read = SessionFacts::parse(&facts.to_bytes()).unwrap();
        assert_eq!(read, facts);
        assert_eq!(read.0.get("told").unwrap().items().len(), 1);
        assert_eq!((read.peak_viewers(), read.ended_utc_ms()), (Some(&Json::Number(7)), Some(1_790_000_060_000)));
        assert!(read.is_told(EventKind::StreamLive) && !read.is_told(EventKind::SessionEnded));
        assert_eq!(SessionFacts::parse(b"[]"), None);
    }
}
