use alloc::{collections::VecDeque, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{PARTS_KEPT_SEGMENTS, Segment, Timeline};
use crate::{Announced, DecodeError, Hash, Msn, Period, RecordNumber, Session};

/// `…/head`: the timeline up to a closed segment, so that a follower need not read the log from its start.
/// Segments of whole chapters are not in it, only in their [`Chapter`]s.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    session: Session,
    periods: Vec<Period>,
    first_msn: Msn,
    segments: Vec<Segment>,
    /// Those that no chapter has, which is to be read.
    events: Vec<Announced>,
    start_utc_us: Option<i64>,
    next: RecordNumber,
    last_hash: Option<Hash>,
    ended: bool,
}

/// `…/chapter/<n>`: the entries of [`CHAPTER_SEGMENTS`] closed segments, without their parts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chapter {
    /// The entries in order.
    pub segments: Vec<Segment>,
    /// What was announced in them.
    pub events: Vec<Announced>,
}

/// Segments in a chapter. Keeps the snapshot, written at each segment, below a few kB for any DVR window.
pub const CHAPTER_SEGMENTS: u64 = 64;

pub(super) const SNAPSHOT_MAGIC: &[u8; 4] = b"TGH2";
pub(super) const CHAPTER_MAGIC: &[u8; 4] = b"TGC2";

impl Timeline {
    /// The snapshot for the head of the session. Whole chapters are left out: they have been written by themselves.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let first_msn = self.segments.front().map_or(Msn(0), |segment| segment.msn);
        let open = self.segments.back().map_or(0, |segment| segment.msn.0);
        // The newest segments stay in the snapshot even where a chapter has them, because only here they have their parts.
        let from = (open / CHAPTER_SEGMENTS * CHAPTER_SEGMENTS).min(open.saturating_sub(PARTS_KEPT_SEGMENTS as u64));
        let segments = self.segments.iter().filter(|segment| segment.msn.0 >= from).cloned().collect();
        let chapters = chapter_start(first_msn)..from;
        let events = self.events.iter().filter(|event| !chapters.contains(&event.at.msn.0)).cloned().collect();
        Snapshot {
            session: self.session.clone(),
            periods: self.periods.clone(),
            first_msn,
            segments,
            events,
            start_utc_us: self.start_utc_us,
            next: self.next,
            last_hash: self.last_hash,
            ended: self.ended,
        }
    }

    /// The chapter that is complete with segment `msn`, if there is one.
    #[must_use]
    pub fn chapter_closed_by(&self, msn: Msn) -> Option<(u64, Chapter)> {
        if !(msn.0 + 1).is_multiple_of(CHAPTER_SEGMENTS) || !self.is_closed(msn) {
            return None;
        }
        let index = msn.0 / CHAPTER_SEGMENTS;
        let of_chapter = self.segments.iter().filter(|segment| segment.msn.0 / CHAPTER_SEGMENTS == index);
        let segments = of_chapter.map(|segment| Segment { parts: Vec::new(), ..segment.clone() }).collect();
        let events = self.events.iter().filter(|event| event.at.msn.0 / CHAPTER_SEGMENTS == index).cloned().collect();
        Some((index, Chapter { segments, events }))
    }

    /// What a reader that goes on with this chapter need not read again: all that is closed, as one chapter.
    #[must_use]
    pub fn chapters_before(&self, index: u64) -> Chapter {
        let closed = self.segments.iter().filter(|segment| self.is_closed(segment.msn));
        let segments = closed.map(|segment| Segment { parts: Vec::new(), ..segment.clone() }).collect();
        // The segments of the chapter that comes next are passed over there, its events are not.
        let events = self.events.iter().filter(|event| event.at.msn.0 / CHAPTER_SEGMENTS < index).cloned().collect();
        Chapter { segments, events }
    }
}

impl Snapshot {
    /// The chapters to read before [`Self::into_timeline`], oldest first; empty for a young session.
    #[must_use]
    pub fn chapters(&self) -> core::ops::Range<u64> {
        match self.segments.first() {
            Some(known) if self.first_msn < known.msn => self.first_msn.0 / CHAPTER_SEGMENTS..known.msn.0.div_ceil(CHAPTER_SEGMENTS),
            _ => 0..0,
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The first record that is not in the snapshot.
    #[must_use]
    pub fn next_record(&self) -> RecordNumber {
        self.next
    }

    /// The timeline, from the chapters that could be read. Where one is missing, what is older than it is not listed.
    #[must_use]
    pub fn into_timeline(self, chapters: Vec<Chapter>) -> Timeline {
        let from = self.segments.first().map_or(0, |segment| segment.msn.0);
        let mut segments: VecDeque<Segment> = self.segments.into();
        let mut events = self.events;
        for chapter in chapters.into_iter().rev() {
            for segment in chapter.segments.into_iter().rev() {
                let Some(first) = segments.front().map(|first| first.msn.0) else { break };
                if segment.msn.0 + 1 == first && segment.msn >= self.first_msn {
                    segments.push_front(segment);
                }
            }
            let here = chapter_start(self.first_msn)..from;
            events.extend(chapter.events.into_iter().filter(|event| here.contains(&event.at.msn.0)));
        }
        // Announced at the same part they stay in the order of their record.
        events.sort_by_key(|event| event.at);
        let mut timeline = Timeline {
            session: self.session,
            periods: self.periods,
            segments,
            events: events.into(),
            start_utc_us: self.start_utc_us,
            next: self.next,
            last_hash: self.last_hash,
            ended: self.ended,
        };
        timeline.forget_events();
        timeline
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(SNAPSHOT_MAGIC, self)
    }

    /// Reads a snapshot and checks that its parts fit together.
    pub fn decode(object: &[u8]) -> Result<Self, DecodeError> {
        let snapshot: Self = decode(SNAPSHOT_MAGIC, object)?;
        let renditions = snapshot.session.renditions.len();
        let writable = snapshot.events.iter().all(|event| event.event.is_writable());
        let in_order = snapshot.segments.windows(2).all(|pair| matches!(pair, [a, b] if a.msn.next() == b.msn));
        let fits = snapshot.segments.iter().all(|segment| fits(segment, renditions))
            && snapshot.periods.iter().all(|period| period.tracks.len() == renditions);
        if in_order && fits && writable { Ok(snapshot) } else { Err(DecodeError::Fields) }
    }
}

impl Chapter {
    /// The bytes for the bucket.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(CHAPTER_MAGIC, self)
    }

    /// Reads a chapter of a session with this many renditions.
    pub fn decode(object: &[u8], renditions: usize) -> Result<Self, DecodeError> {
        let chapter: Self = decode(CHAPTER_MAGIC, object)?;
        let writable = chapter.events.iter().all(|event| event.event.is_writable());
        if writable && chapter.segments.iter().all(|segment| fits(segment, renditions)) { Ok(chapter) } else { Err(DecodeError::Fields) }
    }
}

/// The first segment of the chapter that a segment is in.
fn chapter_start(msn: Msn) -> u64 {
    msn.0 / CHAPTER_SEGMENTS * CHAPTER_SEGMENTS
}

fn fits(segment: &Segment, renditions: usize) -> bool {
    segment.tracks.len() == renditions && segment.parts.iter().all(|part| part.tracks.len() == renditions)
}

fn encode<T: Serialize>(magic: &[u8; 4], value: &T) -> Vec<u8> {
    // Writing to memory cannot fail: these types have no maps of unknown length.
    let fields = postcard::to_allocvec(value).unwrap_or_default();
    [magic.as_slice(), &fields].concat()
}

fn decode<'a, T: Deserialize<'a>>(magic: &[u8; 4], object: &'a [u8]) -> Result<T, DecodeError> {
    let fields = object.strip_prefix(magic).ok_or(DecodeError::Magic)?;
    postcard::from_bytes(fields).map_err(|_| DecodeError::Fields)
}
