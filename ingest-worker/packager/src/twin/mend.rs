use alloc::{boxed::Box, vec::Vec};

use tidegate_stream::{Hash, Msn, PartIndex, PartRecord, Record, RecordBody, RecordNumber, SegmentTrack, Timeline, TrackPart, WriterId};

use super::{
    Twin, TwinOutput,
    follow::Follow,
    look::{HEAL_US, Look},
};

/// The way past records that somebody has removed or altered, where nobody writes on who knows better: what is behind them is read, and
/// what they held is listed as gaps.
#[derive(Debug)]
pub(super) struct Mend {
    timeline: Timeline,
    /// What lies where the next record should be, once that was looked at: bytes of this hash, or nothing.
    there: Option<Option<Hash>>,
    /// The first part of a segment is lost, and with it whether a period begins there: its media is of no use to anybody.
    headless: Option<Msn>,
    reads: u32,
}

enum Step {
    More,
    /// The log is known to its end.
    End,
    /// No sense can be made of it.
    Lost,
}

/// Records are kept for a minute; more than these are not behind one that is missing.
const READS_MAX: u32 = 1024;

impl Twin {
    /// Somebody has changed this record or removed it: the log is taken up again beyond it.
    pub(super) fn damaged(&mut self, number: RecordNumber, timeline: Timeline) {
        self.outputs.push_back(TwinOutput::Damaged(number));
        self.look(Look::Mend(Box::new(Mend { timeline, there: None, headless: None, reads: 0 })));
    }

    pub(super) fn read_behind(&mut self, object: Option<&[u8]>) {
        let super::Stage::Looking(Look::Mend(mend)) = &mut self.stage else { return };
        match mend.take(object) {
            Step::More => {}
            // Whoever knew better has been waited for already, and is gone.
            Step::Lost if self.waited_us.is_some_and(|at_us| self.now.saturating_sub(at_us) < HEAL_US) => self.begin(),
            Step::Lost => {
                let number = mend.wants();
                self.look_beyond(number, true);
            }
            Step::End if mend.timeline.ended() => self.begin(),
            Step::End => {
                let follow = Follow::mended(mend.timeline.clone(), self.now);
                self.stand_by(Box::new(follow));
            }
        }
    }
}

impl Mend {
    /// The record to read next.
    pub(super) fn wants(&self) -> RecordNumber {
        let next = self.timeline.next_record();
        if self.there.is_some() { next.next() } else { next }
    }

    fn take(&mut self, object: Option<&[u8]>) -> Step {
        self.reads += 1;
        if self.reads > READS_MAX {
            return Step::Lost;
        }
        let record = object.and_then(|object| Record::decode(object).ok().map(|(record, media)| (record, media, Hash::of(object))));
        let Some(there) = self.there else {
            // One that names another before it may be whole: then it is that one that somebody has altered.
            let previous = self.timeline.last_hash().unwrap_or(Hash::ZERO);
            let fits = record.is_some_and(|(record, media, hash)| self.apply(&Record { previous, ..record }, media, Some(hash)).is_some());
            self.there = (!fits).then(|| object.map(Hash::of));
            return Step::More;
        };
        match (record, object) {
            // It is the end of the log; a record that does not read is passed over, so that its number is not written again.
            (None, None) => match there {
                None => Step::End,
                Some(_) => self.pass(RecordBody::Leave, there),
            },
            // That one is damaged as well.
            (None, Some(_)) => match self.pass(RecordBody::Leave, there) {
                Step::More => self.take(object),
                other => other,
            },
            (Some((record, media, hash)), _) => {
                let Some(body) = self.lost(&record) else { return Step::Lost };
                match self.pass(body, Some(record.previous)) {
                    Step::More if self.apply(&record, media, Some(hash)).is_some() => Step::More,
                    _ => Step::Lost,
                }
            }
        }
    }

    /// Puts this in place of the record that is lost.
    fn pass(&mut self, body: RecordBody, hash: Option<Hash>) -> Step {
        let previous = self.timeline.last_hash().unwrap_or(Hash::ZERO);
        let record = Record { number: self.timeline.next_record(), previous, writer: WriterId(0), body };
        self.there = None;
        if self.timeline.apply(&record, 0, hash).is_ok() { Step::More } else { Step::Lost }
    }

    fn apply(&mut self, record: &Record, media: u32, hash: Option<Hash>) -> Option<()> {
        let RecordBody::Part(part) = &record.body else { return self.timeline.apply(record, media, hash).ok() };
        if part.opens.is_some() {
            self.headless = None;
        }
        let Some(from) = self.headless.filter(|from| part.msn >= *from) else { return self.timeline.apply(record, media, hash).ok() };
        let tracks = part.tracks.iter().map(|track| TrackPart { start: track.start, duration: track.duration, ..TrackPart::default() });
        let body = RecordBody::Part(PartRecord { tracks: tracks.collect(), ..part.clone() });
        self.headless = Some(from);
        self.timeline.apply(&Record { body, ..record.clone() }, media, hash).ok()
    }

    /// What the lost record said, by the one after it: a gap up to where that one begins.
    fn lost(&mut self, after: &Record) -> Option<RecordBody> {
        let RecordBody::Part(PartRecord { msn, part, utc_us, opens, tracks, .. }) = &after.body else { return Some(RecordBody::Leave) };
        let segment = self.timeline.segments().back()?;
        let last = segment.parts.last()?;
        let open = u32::try_from(segment.parts.len()).ok()?;
        let (lost_msn, lost_part) = match (*msn, part.0) {
            // The lost one was no part.
            (msn, part) if (msn, part) == (segment.msn, open) => return Some(RecordBody::Leave),
            (_, 0) if opens.is_some() => return Some(RecordBody::Leave),
            (msn, part) if (msn, part) == (segment.msn, open + 1) || (msn, part) == (segment.msn.next(), 0) => (segment.msn, open),
            (msn, 1) if msn == segment.msn.next() => {
                self.headless = Some(msn);
                (msn, 0)
            }
            _ => return None,
        };
        let targets = self.timeline.session().renditions.iter().map(|rendition| u64::from(rendition.part_target_us));
        let mut gaps = Vec::with_capacity(tracks.len());
        let mut longest_us = 0;
        for (index, ((SegmentTrack { start, duration, .. }, target_us), next)) in segment.tracks.iter().zip(targets).zip(tracks).enumerate()
        {
            let start = start.saturating_add(*duration);
            let duration = next.start.saturating_sub(start);
            let length_us = self.timeline.track(segment, index).map_or(0, |track| track.micros(duration));
            // A share of sound may be a frame longer than the one of the pictures.
            if length_us > target_us.saturating_mul(2) {
                return None;
            }
            longest_us = longest_us.max(length_us);
            gaps.push(TrackPart { start, duration: u32::try_from(duration).ok()?, ..TrackPart::default() });
        }
        if longest_us == 0 && lost_msn == segment.msn {
            return Some(RecordBody::Leave);
        }
        let utc_us = utc_us.saturating_sub(i64::try_from(longest_us).ok()?).max(last.utc_us);
        let part = PartIndex(lost_part);
        Some(RecordBody::Part(PartRecord { msn: lost_msn, part, utc_us, opens: None, events: Vec::new(), tracks: gaps }))
    }
}
