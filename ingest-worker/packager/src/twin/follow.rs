use alloc::{collections::VecDeque, vec::Vec};

use tidegate_cmaf::{Avc, Chunk, Defaults, Sample, SourceTime, read_chunk, source_time};
use tidegate_stream::{
    ApplyError, Chapter, DecodeError, Hash, Key, Msn, PartRecord, Record, RecordBody, RecordNumber, Session, Timeline, Track, TrackKind,
    TrackPart, encode_segment,
};

use crate::{
    joint::{Joint, Theirs},
    period::Anchor,
    twin::slate::is_slate,
};

/// The log as one who stands by knows it: all that is listed, the open segment's media, and what the owner may have left undone.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) timeline: Timeline,
    /// The records of the open segment, oldest first.
    open: Vec<Entry>,
    /// The hash of the newest of them that was read again.
    recalled: Option<Hash>,
    /// Objects beside the log that follow from its last closed segments, as the owner writes them.
    beside: VecDeque<(Key, Vec<u8>)>,
    /// When the newest record was seen.
    pub(super) record_us: i64,
    /// When it was written at the latest, by the store's clock.
    written_us: Option<i64>,
    /// When the next one was last asked for and not there.
    asked_us: Option<i64>,
    /// A slate stands in for the source of its owner.
    slate: bool,
    /// From when on the log is silent, if it is: when the newest record was seen, or when it could last not be looked for.
    pub(super) seen_us: i64,
    /// When the store last said anything about the next record.
    pub(super) told_us: i64,
    /// The writer of the newest record has gone.
    left: bool,
    /// The log has moved while it was watched.
    pub(super) lived: bool,
    /// The next record was looked for and was not there.
    pub(super) waits: bool,
    /// The newest record is the last one, as far as can be told: it was waited for, or the next one is missing.
    at_end: bool,
    /// When it was last seen to be missing.
    missing_us: i64,
    /// The record after it is missing too: nobody has removed the next one under an owner that writes on.
    pub(super) probed: bool,
    /// The record after it is there. If the next one is missing still, somebody has removed it.
    pub(super) suspect: bool,
    /// Records that somebody has removed or altered are listed as gaps, by nobody but this worker.
    pub(super) mended: bool,
}

#[derive(Debug)]
struct Entry {
    number: RecordNumber,
    part: PartRecord,
    /// The media of all tracks.
    media: Vec<u8>,
}

/// Why a record cannot be followed: somebody has changed the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Damage {
    Decode(DecodeError),
    Apply(ApplyError),
}

/// Where the open segment starts, by what its first record says.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The hash of the lead's first frame; `None` where the lead has a gap.
    pub(super) hash: Option<Hash>,
    /// When it was taken, where it says so itself.
    pub(super) time: Option<SourceTime>,
    /// Its decode time, in ticks.
    pub(super) tick: i64,
    pub(super) timescale: u32,
    pub(super) utc_us: i64,
    pub(super) kind: TrackKind,
    /// What the log has of each track of sound in the segment; nothing of others.
    pub(super) sound: Vec<Heard>,
}

/// The sound of a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) frames: Vec<Timed>,
    pub(super) timescale: u32,
    /// Up to where it goes.
    pub(super) end: i64,
}

/// A frame of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    /// Its decode time.
    pub(super) tick: i64,
    pub(super) duration: u32,
    pub(super) hash: Hash,
}

/// A silence from before it was watched counts so far; what is longer is told by the head.
const SILENT_BEFORE_US: i64 = 10_000_000;
const SECOND_US: i64 = 1_000_000;
/// Two looks for a record are so far apart at the most, where it is due.
const FRESH_US: i64 = 50_000;
/// Closed segments whose bundle the owner may not have written yet.
const BESIDE_SEGMENTS: usize = 4;

impl Follow {
    /// Starts with what a head says, and the objects of the segment that is open there.
    pub(super) fn new(timeline: Timeline, now: i64) -> Self {
        Self {
            slate: is_slate(&timeline),
            asked_us: None,
            written_us: None,
            timeline,
            open: Vec::new(),
            recalled: None,
            beside: VecDeque::new(),
            record_us: now,
            seen_us: now,
            told_us: now,
            left: false,
            lived: false,
            waits: false,
            at_end: false,
            missing_us: now,
            probed: false,
            suspect: false,
            mended: false,
        }
    }

    /// Goes on behind records that somebody has removed or altered; nobody can go on inside the open segment.
    pub(super) fn mended(timeline: Timeline, now: i64) -> Self {
        Self { mended: true, ..Self::new(timeline, now) }
    }

    /// The newest record is so old, by a clock that tells seconds.
    pub(super) fn is_aged(&mut self, now: i64, age_us: Option<i64>) {
        self.written_us = age_us.map(|age_us| now.saturating_sub(age_us.saturating_sub(SECOND_US).max(0)));
    }

    /// The next record is not there; that was asked at this time.
    pub(super) fn missing(&mut self, now: i64, asked_us: i64) {
        self.asked_us = Some(asked_us);
        if !self.waits && !self.lived {
            // From the end of the log on it is watched; what was read to get there was no sign of life. The store may say that it has stood
            // still for longer.
            self.seen_us = self.written_us.map_or(now, |written_us| written_us.clamp(now.saturating_sub(SILENT_BEFORE_US), now));
            self.record_us = now;
        }
        self.waits = true;
        self.at_end = true;
        self.missing_us = now;
    }

    /// Its owner has gone, and nobody has gone on since.
    pub(super) fn is_left(&self) -> bool {
        self.left && self.at_end
    }

    /// A slate stands in for its owner's source, and this is the end of it.
    pub(super) fn is_slate(&self) -> bool {
        self.slate && self.at_end
    }

    /// How long the next record is known to have been missing since the newest one was written.
    pub(super) fn silent_us(&self, now: i64) -> i64 {
        // What was missing a moment ago need not be looked for once more: whoever is wrong about it finds the record there.
        let until_us = if now.saturating_sub(self.missing_us) <= FRESH_US { now } else { self.missing_us };
        if self.waits { until_us.saturating_sub(self.seen_us) } else { 0 }
    }

    /// The records of the open segment that the head tells of: they are to be read again for their media.
    pub(super) fn numbers(timeline: &Timeline) -> VecDeque<RecordNumber> {
        let segment = timeline.segments().back().filter(|segment| !timeline.is_closed(segment.msn));
        segment.map(|segment| segment.parts.iter().map(|part| part.record).collect()).unwrap_or_default()
    }

    /// Takes a record that the timeline has already.
    pub(super) fn recall(&mut self, object: &[u8]) -> Result<(), Damage> {
        let (record, media) = Record::decode(object).map_err(Damage::Decode)?;
        if self.recalled.is_some_and(|before| before != record.previous) {
            return Err(Damage::Apply(ApplyError::Chain(record.number)));
        }
        self.recalled = Some(Record::hash(object));
        self.keep(record, object.get(media as usize..).unwrap_or_default());
        Ok(())
    }

    /// What was read again is what the head tells of, as far as it says so: nobody has changed it.
    pub(super) fn is_whole(&self) -> bool {
        let newest = self.timeline.last_hash();
        let next = self.open.last().map(|entry| entry.number.next());
        newest.is_none() || next != Some(self.timeline.next_record()) || self.recalled == newest
    }

    /// What is known of the open segment is not all of it.
    pub(super) fn forget_open(&mut self) {
        self.open.clear();
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, now: i64, object: &[u8]) -> Result<(), Damage> {
        let (record, media) = Record::decode(object).map_err(Damage::Decode)?;
        let before = self.timeline.last().map(|last| last.msn);
        self.timeline.apply(&record, media, Some(Record::hash(object))).map_err(Damage::Apply)?;
        self.record_us = now;
        // It was written between two looks: the silence after it counts from the first of them.
        self.seen_us = self.asked_us.take().map_or(now, |asked_us| asked_us.max(now.saturating_sub(FRESH_US)));
        self.slate = is_slate(&self.timeline);
        self.probed = false;
        self.suspect = false;
        self.left = record.body == RecordBody::Leave;
        self.lived |= self.waits;
        self.at_end = core::mem::take(&mut self.waits);
        if let Some(closed) = before.filter(|msn| self.timeline.is_closed(*msn)) {
            self.close(closed);
        }
        self.keep(record, object.get(media as usize..).unwrap_or_default());
        Ok(())
    }

    fn keep(&mut self, record: Record, media: &[u8]) {
        if let RecordBody::Part(part) = record.body {
            self.open.push(Entry { number: record.number, part, media: media.to_vec() });
        }
    }

    /// A segment is complete: makes what the owner writes beside the log.
    fn close(&mut self, msn: Msn) {
        let media = self.media();
        self.open.clear();
        let Some(segment) = self.timeline.segment(msn) else { return };
        let Session { stream, id, .. } = self.timeline.session();
        let slices: Vec<&[u8]> = media.iter().map(Vec::as_slice).collect();
        let whole = segment.tracks.iter().zip(&media).all(|(track, media)| track.len as usize == media.len());
        if whole {
            let key = Key::Segment { stream: stream.clone(), session: id.clone(), msn };
            self.beside.push_back((key, encode_segment(segment, &slices)));
        }
        if let Some((index, chapter)) = self.timeline.chapter_closed_by(msn) {
            let key = Key::Chapter { stream: stream.clone(), session: id.clone(), index };
            self.beside.push_back((key, Chapter::encode(&chapter)));
        }
        while self.beside.len() > BESIDE_SEGMENTS {
            self.beside.pop_front();
        }
    }

    /// The media of the open segment, track by track.
    pub(super) fn media(&self) -> Vec<Vec<u8>> {
        let mut media = alloc::vec![Vec::new(); self.timeline.session().renditions.len()];
        for entry in &self.open {
            for (whole, (_, chunk)) in media.iter_mut().zip(entry.chunks()) {
                whole.extend_from_slice(chunk);
            }
        }
        media
    }

    /// What another worker has to compare its own parts with.
    pub(super) fn joint(&self, anchor: &Anchor) -> Joint {
        let theirs = |entry: &Entry| Theirs {
            number: entry.number,
            part: entry.part.part,
            utc_us: entry.part.utc_us,
            events: entry.part.events.clone(),
            tracks: entry.chunks().map(|(track, chunk)| (track, chunk.to_vec())).collect(),
        };
        let alone = (0..self.timeline.session().renditions.len()).map(|rendition| anchor.is_alone(rendition));
        Joint::new(self.open.iter().map(theirs).collect(), alone.collect())
    }

    /// What the owner may not have written beside the log.
    pub(super) fn take_beside(&mut self) -> VecDeque<(Key, Vec<u8>)> {
        core::mem::take(&mut self.beside)
    }

    /// Where the open segment starts; `None` where that is not known. Its pictures are taken to be written as this worker's.
    pub(super) fn start(&self, lead: usize, avc: Option<&Avc>) -> Option<Start> {
        let first = self.open.first().filter(|first| first.part.part.0 == 0)?;
        let segment = self.timeline.segments().back()?;
        let track = self.timeline.track(segment, lead)?;
        let (part, chunk) = first.chunks().nth(lead)?;
        let frame = read_chunk(chunk, &Defaults::default()).ok().and_then(|chunk| chunk.samples.first().map(|sample| sample.data));
        let of = |rendition: usize| match self.timeline.track(segment, rendition) {
            Some(Track { kind: TrackKind::Audio { .. }, timescale, .. }) => self.heard(rendition, *timescale),
            _ => Heard::default(),
        };
        Some(Start {
            hash: frame.map(Hash::of),
            time: frame.zip(avc).and_then(|(frame, avc)| source_time(frame, avc)),
            tick: i64::try_from(part.start).ok()?,
            timescale: track.timescale,
            utc_us: first.part.utc_us,
            kind: track.kind.clone(),
            sound: (0..first.part.tracks.len()).map(of).collect(),
        })
    }

    fn heard(&self, rendition: usize, timescale: u32) -> Heard {
        let mut heard = Heard { timescale, ..Heard::default() };
        for (part, chunk) in self.open.iter().filter_map(|entry| entry.chunks().nth(rendition)) {
            heard.end = heard.end.max(i64::try_from(part.start.saturating_add(part.duration.into())).unwrap_or(i64::MAX));
            heard.frames.extend(read_chunk(chunk, &Defaults::default()).map(|chunk| timed(&chunk)).unwrap_or_default());
        }
        heard
    }

    /// How far the owner's clock is ahead of this worker's, as far as can be told: by when its newest part was seen, or at least
    /// so far that time does not go back.
    pub(super) fn ahead_us(&self, now: i64) -> i64 {
        let part_us = i64::from(self.timeline.session().part_target_us());
        let Some(end_us) = self.last_utc_us().map(|utc_us| utc_us.saturating_add(part_us)) else { return 0 };
        // One that seems to be behind may as well have written late, while the store was slow: then this worker's clock is right.
        end_us.saturating_sub(if self.lived { self.record_us } else { now }).max(0)
    }

    /// Frames from here on are not in the log, as far as can be told.
    pub(super) fn unwritten_us(&self) -> i64 {
        self.record_us.saturating_sub(i64::from(self.timeline.session().part_target_us()))
    }

    /// How long a silence has to be. A log that was old when it was found, as far as the clocks of two workers agree, need not be
    /// watched for as long: one part that does not come is enough. Whoever was wrong about it a moment ago waits for longer.
    pub(super) fn patience_us(&self, silence_us: i64, losses: u32, now: i64) -> i64 {
        if losses > 0 {
            return silence_us << losses;
        }
        let part_us = i64::from(self.timeline.session().part_target_us());
        let is_old = self.last_utc_us().is_some_and(|utc_us| now.saturating_sub(utc_us) > 2 * silence_us + part_us);
        if is_old && !self.lived { part_us + part_us / 4 } else { silence_us }
    }

    /// Wall clock of the newest part, by the owner's clock.
    pub(super) fn last_utc_us(&self) -> Option<i64> {
        self.timeline.segments().iter().rev().find_map(|segment| segment.parts.last()).map(|part| part.utc_us)
    }
}

fn timed(chunk: &Chunk<'_>) -> Vec<Timed> {
    let mut tick = i64::try_from(chunk.decode_time).unwrap_or(i64::MAX);
    let of = |sample: &Sample<'_>| {
        let next = tick.saturating_add(i64::from(sample.duration));
        Timed { tick: core::mem::replace(&mut tick, next), duration: sample.duration, hash: Hash::of(sample.data) }
    };
    chunk.samples.iter().map(of).collect()
}

impl Entry {
    fn chunks(&self) -> impl Iterator<Item = (TrackPart, &[u8])> {
        let mut offset = 0usize;
        self.part.tracks.iter().map(move |track| {
            let from = offset;
            offset = offset.saturating_add(track.len as usize);
            (*track, self.media.get(from..offset).unwrap_or_default())
        })
    }
}
