use alloc::string::String;

use tidegate_stream::{AsOf, Msn, Segment, Timeline, date};

use crate::{line::Text, read::value};

/// A stretch of a session as a client asks for it: `start` and `end` in a query, each a date (`2026-09-21T14:13:20Z`) or seconds from
/// the start of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Where it starts; without, with the session.
    pub start: Option<Moment>,
    /// Where it ends; without, with the session.
    pub end: Option<Moment>,
}

/// A moment of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// By PROGRAM-DATE-TIME, in us since 1970.
    Utc(i64),
    /// From the start of the session, in us.
    Media(u64),
}

/// Why a stretch cannot be asked for (400).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StretchError {
    /// Neither a date nor seconds.
    #[error("{0} has to be a date as 2026-09-21T14:13:20Z, or seconds from the start of the session")]
    Value(&'static str),
    /// Nothing lies between.
    #[error("the end has to be after the start")]
    Backwards,
    /// The same parameter twice.
    #[error("{0} must not be given twice")]
    Twice(&'static str),
}

/// A stretch whose first segment is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clip {
    /// Its first segment.
    pub first: Msn,
    /// Its last segment, once that is complete.
    pub last: Option<Msn>,
    /// Where it starts, in us since 1970: somewhere in the first segment.
    pub start_utc_us: i64,
    /// What was asked for, in dates.
    pub stretch: Stretch,
}

/// What can be shown of a stretch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// This.
    Clip(Clip),
    /// Its start has not come yet.
    NotYet,
    /// Its start is no longer kept.
    Gone,
}

impl Stretch {
    /// Reads a query; `None` where it does not ask for a stretch. Other parameters are nobody's business here.
    pub fn parse(query: &str) -> Result<Option<Self>, StretchError> {
        let mut found = Self { start: None, end: None };
        for pair in query.split('&') {
            let (place, name, value) = match pair.split_once('=') {
                Some(("start", value)) => (&mut found.start, "start", value),
                Some(("end", value)) => (&mut found.end, "end", value),
                _ => continue,
            };
            let moment = Moment::parse(value).ok_or(StretchError::Value(name))?;
            if place.replace(moment).is_some() {
                return Err(StretchError::Twice(name));
            }
        }
        if found.ends_first() {
            return Err(StretchError::Backwards);
        }
        Ok((found.start.is_some() || found.end.is_some()).then_some(found))
    }

    fn ends_first(&self) -> bool {
        match (self.start, self.end) {
            (Some(Moment::Utc(start)), Some(Moment::Utc(end))) => start >= end,
            (Some(Moment::Media(start)), Some(Moment::Media(end))) => start >= end,
            _ => false,
        }
    }

    /// Whether nothing lies between; of a date and seconds only the timeline can tell.
    pub fn check(&self, timeline: &Timeline) -> Result<(), StretchError> {
        if self.dated(timeline).ends_first() { Err(StretchError::Backwards) } else { Ok(()) }
    }

    /// Finds it in a timeline.
    #[must_use]
    pub fn find(&self, timeline: &Timeline) -> Shown {
        let (Some(session_start), Some(last)) = (timeline.start_utc_us(), timeline.last()) else { return Shown::NotYet };
        let utc_us = |moment: Moment| match moment {
            Moment::Utc(utc_us) => utc_us,
            Moment::Media(us) => session_start.saturating_add_unsigned(us),
        };
        let start = self.start.map_or(session_start, utc_us).max(session_start);
        let window = || timeline.window(last.msn);
        let before = window().rev().find(|segment| segment.utc_us <= start);
        let first = before.or_else(|| window().next().filter(|first| first.msn.0 == 0));
        let Some(first) = first else { return Shown::Gone };
        if end_utc_us(timeline, first) <= start {
            return Shown::NotYet;
        }
        let end = self.end.map_or(i64::MAX, utc_us);
        let beyond = window().find(|segment| segment.utc_us >= end && segment.msn > first.msn);
        let last = match beyond {
            Some(beyond) => beyond.msn.0.checked_sub(1).map(Msn),
            // The open segment may grow beyond the end before another one begins.
            None => timeline.ended().then_some(last.msn),
        };
        Shown::Clip(Clip { first: first.msn, last, start_utc_us: start, stretch: self.dated(timeline) })
    }

    /// The same as a query, dates for all that is known: one stretch has one address.
    #[must_use]
    pub fn query(&self, timeline: &Timeline) -> String {
        let dated = self.dated(timeline);
        let mut text = Text::with_capacity(64);
        for (name, moment) in [("start=", dated.start), ("end=", dated.end)] {
            let Some(Moment::Utc(utc_us)) = moment else { continue };
            text.str(if text.is_empty() { "" } else { "&" }).str(name).ascii(&date(utc_us));
        }
        text.finish()
    }

    fn dated(&self, timeline: &Timeline) -> Self {
        let session_start = timeline.start_utc_us().unwrap_or(0);
        let date = |moment| match moment {
            Moment::Utc(_) => moment,
            Moment::Media(us) => Moment::Utc(session_start.saturating_add_unsigned(us)),
        };
        Self { start: self.start.map(date), end: self.end.map(date) }
    }
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        let is_seconds = text.len() <= 16 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if is_seconds {
            return value::millionths(text).map(Self::Media);
        }
        // Percent signs stand for colons in what some clients send.
        let plain = text.replace("%3A", ":").replace("%3a", ":").replace("%2B", "+").replace("%2b", "+");
        value::date(&plain).map(Self::Utc)
    }
}

impl Clip {
    /// How far into the first listed segment it starts, in us.
    pub(crate) fn offset_us(&self, first: Option<&Segment>) -> u64 {
        first.map_or(0, |first| u64::try_from(self.start_utc_us.saturating_sub(first.utc_us)).unwrap_or(0))
    }

    /// Whether nothing more will be added to it, however far the session goes on.
    #[must_use]
    pub fn is_complete(&self, as_of: AsOf) -> bool {
        self.last.is_some_and(|last| match as_of {
            AsOf::Part(position) => position.msn > last,
            AsOf::End => true,
        })
    }
}

/// Where a segment ends as far as it is known.
fn end_utc_us(timeline: &Timeline, segment: &Segment) -> i64 {
    if let Some(next) = timeline.segment(segment.msn.next()) {
        return next.utc_us;
    }
    let length = |index: usize| {
        let track = timeline.track(segment, index)?;
        let share = segment.tracks.get(index).filter(|share| share.duration > 0)?;
        Some(track.micros(share.duration))
    };
    let length_us = (0..segment.tracks.len()).find_map(length).unwrap_or(0);
    segment.utc_us.saturating_add_unsigned(length_us)
}
