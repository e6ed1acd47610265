use alloc::{collections::VecDeque, vec::Vec};

use tidegate_stream::{CHAPTER_SEGMENTS, Key, Msn, RecordNumber, Segment, Session, Timeline};

/// Says which objects nobody needs any more.
#[derive(Debug)]
pub(crate) struct Retention {
    keep_us: i64,
    /// Records of segments whose bundle was given out, with when that was. The last entry is the open segment.
    records: VecDeque<Group>,
    next_segment: u64,
    next_chapter: u64,
    keys: Vec<Expired>,
}

#[derive(Debug)]
struct Group {
    msn: Msn,
    records: core::ops::Range<u64>,
    closed_at: Option<i64>,
}

#[derive(Debug)]
enum Expired {
    Record(u64),
    Segment(u64),
    Chapter(u64),
}

/// Parts leave the playlist after 3 target durations and stay fetchable for 3 more (draft-pantos-hls-rfc8216bis, 6.2.2).
const KEEP_TARGETS: i64 = 6;

/// Answers of the edge live as long as 6 target durations too; this leaves room for caches and slow readers.
const KEEP_US_MIN: i64 = 60_000_000;

/// Segments that stay although the timeline has dropped them: playlists that list them may still be read.
const MARGIN_SEGMENTS: u64 = 8;

/// One request deletes up to 1000 keys; about one a minute is rare enough to cost nothing.
const BATCH: usize = 128;

/// Records that a worker which is gone may not have deleted: what it held back, and a minute of them.
const LEFT_RECORDS: u64 = 512;

impl Retention {
    pub(crate) fn new(target_duration_s: u32) -> Self {
        let keep_us = (KEEP_TARGETS * i64::from(target_duration_s) * 1_000_000).max(KEEP_US_MIN);
        Self { keep_us, records: VecDeque::new(), next_segment: 0, next_chapter: 0, keys: Vec::new() }
    }

    /// Takes over from another worker: what it may have left, and what is still listed.
    pub(crate) fn resume(timeline: &Timeline, now: i64) -> Self {
        let mut retention = Self::new(timeline.session().target_duration_s);
        let first = |segment: &Segment| segment.parts.first().map(|part| part.record.0);
        let oldest = timeline.segments().iter().find_map(first).unwrap_or_else(|| timeline.next_record().0);
        let before = timeline.segments().front().map_or(Msn(0), |segment| segment.msn);
        retention.records.push_back(Group { msn: before, records: oldest.saturating_sub(LEFT_RECORDS)..oldest, closed_at: Some(now) });
        for segment in timeline.segments().iter().filter(|segment| !segment.parts.is_empty()) {
            for part in &segment.parts {
                retention.record(segment.msn, part.record.0);
            }
            if timeline.is_closed(segment.msn) {
                retention.closed(segment.msn, now);
            }
        }
        let until = before.0.saturating_sub(MARGIN_SEGMENTS);
        retention.next_segment = until.saturating_sub(BATCH as u64);
        retention.next_chapter = retention.next_segment / CHAPTER_SEGMENTS;
        retention
    }

    /// A record was written.
    pub(crate) fn record(&mut self, msn: Msn, number: u64) {
        match self.records.back_mut() {
            Some(group) if group.msn == msn => group.records.end = number + 1,
            _ => self.records.push_back(Group { msn, records: number..number + 1, closed_at: None }),
        }
    }

    /// The bundle of a segment was given out.
    pub(crate) fn closed(&mut self, msn: Msn, now: i64) {
        if let Some(group) = self.records.iter_mut().rev().find(|group| group.msn == msn) {
            group.closed_at = Some(now);
        }
    }

    /// What has expired, once it is enough for a request. `oldest` is the oldest segment of the timeline.
    pub(crate) fn expired(&mut self, session: &Session, oldest: Msn, now: i64) -> Option<Vec<Key>> {
        let is_old = |group: &mut Group| group.closed_at.is_some_and(|at| now.saturating_sub(at) > self.keep_us);
        while let Some(group) = self.records.pop_front_if(is_old) {
            self.keys.extend(group.records.map(Expired::Record));
        }
        let until = oldest.0.saturating_sub(MARGIN_SEGMENTS);
        self.keys.extend((self.next_segment..until).map(Expired::Segment));
        self.next_segment = self.next_segment.max(until);
        let chapters = until / CHAPTER_SEGMENTS;
        self.keys.extend((self.next_chapter..chapters).map(Expired::Chapter));
        self.next_chapter = self.next_chapter.max(chapters);
        if self.keys.len() < BATCH {
            return None;
        }
        let key = |expired| {
            let (stream, session) = (session.stream.clone(), session.id.clone());
            match expired {
                Expired::Record(number) => Key::Record { stream, session, number: RecordNumber(number) },
                Expired::Segment(msn) => Key::Segment { stream, session, msn: Msn(msn) },
                Expired::Chapter(index) => Key::Chapter { stream, session, index },
            }
        };
        Some(core::mem::take(&mut self.keys).into_iter().map(key).collect())
    }
}
