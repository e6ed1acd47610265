use alloc::{collections::VecDeque, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    AS_OF_LAG_SEGMENTS, Announced, AsOf, EVENTS_MAX, EVENTS_PER_RECORD_MAX, Event, Hash, Msn, PartIndex, PartRecord, Period, Position,
    Record, RecordBody, RecordNumber, Session, Track,
};

mod snapshot;

pub use snapshot::{CHAPTER_SEGMENTS, Chapter, Snapshot};

/// What a reader of the log knows so far: all that is listed, and nothing that is not durable.
///
/// The same records give the same timeline wherever they are read, whether from record 0 on or from any snapshot; what is
/// rendered "as of" a [`Position`] is therefore equal on every edge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeline {
    session: Session,
    periods: Vec<Period>,
    segments: VecDeque<Segment>,
    /// In the order of their announcement.
    events: VecDeque<Announced>,
    /// Wall clock of the first frame of the session.
    start_utc_us: Option<i64>,
    next: RecordNumber,
    last_hash: Option<Hash>,
    ended: bool,
}

/// A segment as far as it is known; the last one of a timeline that has not ended is still open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Segment {
    /// Its number.
    pub msn: Msn,
    /// The index of its period.
    pub period: u32,
    /// Wall clock of its first frame, in us since 1970.
    pub utc_us: i64,
    /// Each rendition's share of the segment bundle, in the order of the session's renditions.
    pub tracks: Vec<SegmentTrack>,
    /// Its parts; empty once the segment is [`PARTS_KEPT_SEGMENTS`] old.
    pub parts: Vec<Part>,
}

/// One rendition's share of a segment: a byte range of the segment bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SegmentTrack {
    /// Where it starts in the bundle.
    pub offset: u64,
    /// Its bytes; 0 for a gap.
    pub len: u32,
    /// Decode time of the first sample, in ticks of the track.
    pub start: u64,
    /// Sum of the sample durations, in ticks of the track.
    pub duration: u64,
    /// How many of its bytes a decoder needs for its first picture; 0 where it does not start with a key frame.
    pub key_len: u32,
}

/// A part: one record seen by its segment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The record that holds it.
    pub record: RecordNumber,
    /// Wall clock of its first frame, in us since 1970.
    pub utc_us: i64,
    /// Each rendition's share, in the order of the session's renditions.
    pub tracks: Vec<PartTrack>,
}

/// One rendition's share of a part: a byte range of its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PartTrack {
    /// Where it starts in the record.
    pub offset: u32,
    /// Its bytes; 0 for a gap.
    pub len: u32,
    /// Decode time of the first sample, in ticks of the track.
    pub start: u64,
    /// Sum of the sample durations, in ticks of the track.
    pub duration: u32,
    /// Starts with a sync sample.
    pub independent: bool,
}

/// How many of the newest closed segments keep their parts: parts leave the playlist after 3 target durations and stay
/// fetchable for 3 more (draft-pantos-hls-rfc8216bis, 4.4.4.9 and 6.2.2).
pub const PARTS_KEPT_SEGMENTS: usize = 8;

/// Segments that stay known beyond the DVR window, so that what was listed a moment ago can still be fetched: as long as the playlist
/// and the segment last (rfc8216bis 6.2.2) …
const SEGMENTS_BEYOND_WINDOW: usize = 8;

/// … but no more than this many: nobody comes back to the oldest segment of a long window after minutes.
const SEGMENTS_BEYOND_WINDOW_MAX: usize = 64;

/// Events that left the window with the last so many segments count as just gone. What is known beyond the window has to reach as far
/// from any part that can be asked for.
const GONE_SEGMENTS: u64 = SEGMENTS_BEYOND_WINDOW as u64 - AS_OF_LAG_SEGMENTS;

impl Announced {
    /// Over, and announced, before this segment.
    fn is_before(&self, segment: &Segment) -> bool {
        self.at.msn < segment.msn && self.event.end_utc_us() < segment.utc_us
    }
}

/// Why a record does not follow from a timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Another record is next.
    #[error("record {found} came where {expected} is next")]
    Number {
        /// The record that is next.
        expected: RecordNumber,
        /// The record that came.
        found: RecordNumber,
    },
    /// The record does not name the one before it: somebody changed the log.
    #[error("record {0} does not continue the chain of hashes")]
    Chain(RecordNumber),
    /// The record contradicts the session or the records before it.
    #[error("record {0} contradicts what came before it")]
    Shape(RecordNumber),
    /// The session has ended.
    #[error("record {0} came after the end of its session")]
    Ended(RecordNumber),
}

impl Timeline {
    /// Starts at record 0 of a session.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            periods: Vec::new(),
            segments: VecDeque::new(),
            events: VecDeque::new(),
            start_utc_us: None,
            next: RecordNumber(0),
            last_hash: Some(Hash::ZERO),
            ended: false,
        }
    }

    /// Adds the next record. `media_offset` is where its media begins, as [`Record::decode`] said; `hash` is that of the
    /// whole object where it was read whole, which lets the chain be checked at the record after it.
    pub fn apply(&mut self, record: &Record, media_offset: u32, hash: Option<Hash>) -> Result<(), ApplyError> {
        let number = record.number;
        if number != self.next {
            return Err(ApplyError::Number { expected: self.next, found: number });
        }
        if self.ended {
            return Err(ApplyError::Ended(number));
        }
        if self.last_hash.is_some_and(|last| last != record.previous) {
            return Err(ApplyError::Chain(number));
        }
        match &record.body {
            RecordBody::Part(part) => self.apply_part(number, part, media_offset)?,
            RecordBody::End => self.end(),
            RecordBody::Leave => {}
        }
        self.next = number.next();
        self.last_hash = hash;
        Ok(())
    }

    fn apply_part(&mut self, number: RecordNumber, record: &PartRecord, media_offset: u32) -> Result<(), ApplyError> {
        let shape = ApplyError::Shape(number);
        let last = self.segments.back();
        let (expected_open, expected_new) = match last {
            Some(segment) => ((segment.msn, segment.parts.len() as u32), segment.msn.next()),
            None => ((record.msn, 0), record.msn),
        };
        let at = (record.msn, record.part.0);
        let starts_segment = last.is_none() || at == (expected_new, 0);
        if record.tracks.len() != self.session.renditions.len() || !(starts_segment || at == expected_open) {
            return Err(shape);
        }
        if record.events.len() > EVENTS_PER_RECORD_MAX || !record.events.iter().all(Event::is_writable) {
            return Err(shape);
        }
        if let Some(period) = &record.opens {
            let index = self.periods.last().map_or(0, |last| last.index + 1);
            let fits = starts_segment && period.index == index && period.first_msn == record.msn;
            if !fits || period.tracks.len() != self.session.renditions.len() {
                return Err(shape);
            }
            self.periods.push(period.clone());
        }
        let period = self.periods.last().ok_or(shape)?.index;
        self.start_utc_us.get_or_insert(record.utc_us);
        if starts_segment {
            self.close_segment();
            let tracks = record.tracks.iter().map(|track| SegmentTrack { start: track.start, ..SegmentTrack::default() }).collect();
            self.segments.push_back(Segment { msn: record.msn, period, utc_us: record.utc_us, tracks, parts: Vec::new() });
        }
        let segment = self.segments.back_mut().ok_or(shape)?;
        let mut offset = media_offset;
        let mut tracks = Vec::with_capacity(record.tracks.len());
        for (whole, track) in segment.tracks.iter_mut().zip(&record.tracks) {
            let crate::TrackPart { len, start, duration, independent, key_len } = *track;
            if whole.len == 0 && whole.duration == 0 {
                whole.start = start;
                whole.key_len = key_len.min(len);
            }
            whole.len = whole.len.checked_add(len).ok_or(shape)?;
            whole.duration += u64::from(duration);
            tracks.push(PartTrack { offset, len, start, duration, independent });
            offset = offset.checked_add(len).ok_or(shape)?;
        }
        segment.parts.push(Part { record: number, utc_us: record.utc_us, tracks });
        // The offsets in the segment bundle move while the segment grows; they are final once it is closed.
        let mut offset = 0;
        for whole in &mut segment.tracks {
            whole.offset = offset;
            offset += u64::from(whole.len);
        }
        let at = Position { msn: record.msn, part: record.part };
        self.events.extend(record.events.iter().map(|event| Announced { at, event: event.clone() }));
        Ok(())
    }

    /// Ends the session. A track that ran out before the others is as long as its media in the last segment: nothing comes for which
    /// the hole at its end would have to be counted.
    fn end(&mut self) {
        self.ended = true;
        let Some(segment) = self.segments.back_mut() else { return };
        let Segment { tracks, parts, .. } = segment;
        for (index, whole) in tracks.iter_mut().enumerate().filter(|(_, whole)| whole.len > 0) {
            let shares = parts.iter().rev().filter_map(|part| part.tracks.get(index));
            let hole: u64 = shares.take_while(|share| share.len == 0).map(|share| u64::from(share.duration)).sum();
            whole.duration = whole.duration.saturating_sub(hole);
        }
    }

    fn close_segment(&mut self) {
        let closed = self.segments.len();
        if let Some(segment) = closed.checked_sub(PARTS_KEPT_SEGMENTS).and_then(|at| self.segments.get_mut(at)) {
            segment.parts = Vec::new();
        }
        let window = self.window_segments();
        // The open segment and the one that leaves come on top of the window.
        let keep = window.saturating_add((window + 2).clamp(SEGMENTS_BEYOND_WINDOW, SEGMENTS_BEYOND_WINDOW_MAX));
        while self.segments.len() > keep {
            self.segments.pop_front();
        }
        let first = self.segments.front().map_or(0, |segment| segment.period);
        self.periods.retain(|period| period.index >= first);
        self.forget_events();
    }

    /// Forgets the events that were over before the oldest known segment, announced before it too.
    fn forget_events(&mut self) {
        let Some(first) = self.segments.front() else { return };
        self.events.retain(|event| !event.is_before(first));
        let excess = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..excess);
    }

    /// The most segments that the DVR window can hold; shorter segments make it last less long, never longer.
    fn window_segments(&self) -> usize {
        let target = self.session.target_duration_s.max(1);
        (self.session.dvr_window_s.div_ceil(target)).max(MIN_WINDOW_SEGMENTS) as usize
    }

    /// Takes the session for ended though no record says so: nobody writes it any more.
    pub fn abandon(&mut self) {
        self.ended = true;
    }

    /// The session that is followed.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The record that comes next.
    #[must_use]
    pub fn next_record(&self) -> RecordNumber {
        self.next
    }

    /// The hash that the next record has to name; `None` where the last object was not read whole.
    #[must_use]
    pub fn last_hash(&self) -> Option<Hash> {
        self.last_hash
    }

    /// Whether the end of the session is known.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// When the newest media came that is known, in ms since 1970; the start of a session that has none.
    #[must_use]
    pub fn newest_utc_ms(&self) -> u64 {
        let newest = self.segments.back().map(|segment| {
            let micros = |n| Some((self.track(segment, n)?, segment.tracks.get(n)?.duration)).map(|(track, ticks)| track.micros(ticks));
            let length_us = (0..self.session.renditions.len()).filter_map(micros).max().unwrap_or(0);
            let start_us = u64::try_from(segment.utc_us).unwrap_or(0);
            start_us.saturating_add(length_us) / 1000
        });
        newest.unwrap_or(0).max(self.session.id.utc_ms())
    }

    /// The newest part that is known.
    #[must_use]
    pub fn last(&self) -> Option<Position> {
        let segment = self.segments.back()?;
        let part = PartIndex(u32::try_from(segment.parts.len()).ok()?.checked_sub(1)?);
        Some(Position { msn: segment.msn, part })
    }

    /// All known segments from the oldest on; the last one is open until [`Self::ended`].
    #[must_use]
    pub fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// A segment by its number.
    #[must_use]
    pub fn segment(&self, msn: Msn) -> Option<&Segment> {
        let first = self.segments.front()?.msn.0;
        self.segments.get(usize::try_from(msn.0.checked_sub(first)?).ok()?)
    }

    /// Whether a segment is complete: a later one has begun, or the session has ended.
    #[must_use]
    pub fn is_closed(&self, msn: Msn) -> bool {
        self.segments.back().is_some_and(|last| msn < last.msn || (msn == last.msn && self.ended))
    }

    /// The segments that a playlist as of segment `msn` may list, up to and with `msn` itself: the DVR window.
    pub fn window(&self, msn: Msn) -> impl DoubleEndedIterator<Item = &Segment> + Clone {
        let oldest = msn.0.saturating_sub(self.window_segments() as u64);
        let skip = self.segments.front().map_or(0, |first| oldest.saturating_sub(first.msn.0));
        let take = self.segments.front().map_or(0, |first| (msn.0 + 1).saturating_sub(first.msn.0)) as usize;
        let take = take.min(self.segments.len());
        self.segments.range((skip as usize).min(take)..take)
    }

    /// The events that a playlist as of there may list, in the order of their announcement.
    pub fn events(&self, as_of: AsOf) -> impl Iterator<Item = &Announced> + Clone {
        let (known, first) = self.events_as_of(as_of);
        known.filter(move |event| first.is_none_or(|first| !event.is_before(first)))
    }

    /// The events that a playlist as of there no longer lists, though one a few segments ago did.
    pub fn events_gone(&self, as_of: AsOf) -> impl Iterator<Item = &Announced> + Clone {
        let (known, first) = self.events_as_of(as_of);
        let long_ago = first.and_then(|first| self.segment(Msn(first.msn.0.checked_sub(GONE_SEGMENTS)?)));
        known.filter(move |event| {
            first.is_some_and(|first| event.is_before(first)) && !long_ago.is_some_and(|long_ago| event.is_before(long_ago))
        })
    }

    /// What was announced until then, and the first segment of the window then.
    fn events_as_of(&self, as_of: AsOf) -> (impl Iterator<Item = &Announced> + Clone, Option<&Segment>) {
        let newest = self.last().map(|last| last.msn).unwrap_or_default();
        let (msn, until) = match as_of {
            AsOf::Part(position) => (position.msn, Some(position)),
            AsOf::End => (newest, None),
        };
        (self.events.iter().filter(move |event| until.is_none_or(|until| event.at <= until)), self.window(msn).next())
    }

    /// Wall clock of the first frame of the session, in us since 1970.
    #[must_use]
    pub fn start_utc_us(&self) -> Option<i64> {
        self.start_utc_us
    }

    /// The periods of all known segments, oldest first.
    #[must_use]
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// A period by its index.
    #[must_use]
    pub fn period(&self, index: u32) -> Option<&Period> {
        self.periods.iter().find(|period| period.index == index)
    }

    /// The configuration of a rendition (by its place in the session) in the period of a segment.
    #[must_use]
    pub fn track(&self, segment: &Segment, rendition: usize) -> Option<&Track> {
        self.period(segment.period)?.tracks.get(rendition)?.as_ref()
    }
}

/// A live playlist never gets shorter than 3 target durations (rfc8216bis 6.2.2); twice that leaves room for players.
const MIN_WINDOW_SEGMENTS: u32 = 6;

#[cfg(test)]
mod tests;
