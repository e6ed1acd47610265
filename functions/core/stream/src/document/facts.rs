use alloc::vec::Vec;

use crate::{EventKind, Json, SessionId, StreamId, format_utc, parse_utc};

/// `meta/session/<stream>/<session>.json`: what nobody can see in the log of a session: what came in, and what webhooks were told of it.
/// Written when it begins and when it ends. Members that others have put in stay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionFacts(Json);

/// A number of viewers that was reached in a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passed {
    /// So many.
    pub viewers: u64,
    /// When, for the first time, in ms since 1970.
    pub at_utc_ms: u64,
    /// Whether its event is among the events.
    pub is_told: bool,
}

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

    /// Says how many watch at this moment; whether there were never more.
    pub fn raise_peak(&mut self, viewers: u64) -> bool {
        let is_more = viewers > self.0.number_of("peak_viewers");
        if is_more {
            self.0.set("peak_viewers", viewers);
        }
        is_more
    }

    /// Says when so many watched for the first time.
    pub fn pass(&mut self, threshold: u64, utc_ms: u64) {
        if !self.passed().any(|passed| passed.viewers == threshold) {
            let mut passed = self.0.get("thresholds").map_or(&[][..], Json::items).to_vec();
            passed.push(Json::object().with("viewers", threshold).with("at", format_utc(utc_ms)).with("told", false));
            self.0.set("thresholds", passed);
        }
    }

    /// The numbers of viewers that were reached, in that order.
    pub fn passed(&self) -> impl Iterator<Item = Passed> + '_ {
        self.0.get("thresholds").map_or(&[][..], Json::items).iter().map(|passed| Passed {
            viewers: passed.number_of("viewers"),
            at_utc_ms: parse_utc(passed.text_of("at")).unwrap_or(0),
            is_told: passed.get("told") == Some(&Json::Flag(true)),
        })
    }

    /// Says that the event of this number is among the events.
    pub fn tell_passed(&mut self, threshold: u64) {
        let mut passed = self.0.get("thresholds").map_or(&[][..], Json::items).to_vec();
        passed.iter_mut().filter(|passed| passed.number_of("viewers") == threshold).for_each(|passed| passed.set("told", true));
        self.0.set("thresholds", passed);
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
        assert!(facts.raise_peak(7) && !facts.raise_peak(7) && !facts.raise_peak(3));
        facts.pass(5, 1_790_000_010_000);
        facts.pass(5, 1_790_000_020_000);
        let passed = Passed { viewers: 5, at_utc_ms: 1_790_000_010_000, is_told: false };
        assert_eq!(facts.passed().collect::<Vec<_>>(), [passed], "once, and when it was so for the first time");
        facts.tell_passed(5);
        assert!(facts.passed().all(|passed| passed.is_told));
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
