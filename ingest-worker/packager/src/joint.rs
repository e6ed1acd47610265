use alloc::{collections::VecDeque, vec::Vec};

use tidegate_stream::{Hash, PartIndex, RecordNumber, TrackPart};

use crate::{period::Built, track::Piece};

/// The place where a log goes over from one worker to another, inside a segment: what the other has written of it, to be
/// compared with what this worker makes of the same frames.
///
/// A track of which both have made the same bytes goes on at the next part. Any other is a gap for the rest of the segment.
#[derive(Debug)]
pub(crate) struct Joint {
    theirs: VecDeque<Theirs>,
    /// Up to where each track goes in the log, in its ticks.
    ends: Vec<u64>,
    equal: Vec<bool>,
    begun: bool,
}

/// A part as the other worker has written it.
#[derive(Debug)]
pub(crate) struct Theirs {
    /// Its record.
    pub(crate) number: RecordNumber,
    /// Its place in the segment.
    pub(crate) part: PartIndex,
    /// Each track with the hash of its chunk.
    pub(crate) tracks: Vec<(TrackPart, Hash)>,
}

/// What to do with a part of this worker's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    /// The other has written it.
    Known,
    /// It goes on where the other stopped.
    Goes,
    /// It starts the next segment.
    Past,
}

impl Joint {
    /// With all parts of the open segment.
    pub(crate) fn new(theirs: VecDeque<Theirs>, renditions: usize) -> Self {
        Self { theirs, ends: alloc::vec![0; renditions], equal: alloc::vec![true; renditions], begun: false }
    }

    /// The part that this worker's next one is compared with.
    pub(crate) fn next(&self) -> Option<&Theirs> {
        self.theirs.front()
    }

    /// Compares the next part, or makes it go on where the log ends.
    pub(crate) fn fit(&mut self, built: &mut Built) -> Fit {
        let starts_next = built.starts_segment && core::mem::replace(&mut self.begun, true);
        self.begun = true;
        if starts_next {
            return Fit::Past;
        }
        let pieces = built.pieces.iter_mut().zip(&mut self.ends).zip(&mut self.equal);
        if let Some(theirs) = self.theirs.pop_front() {
            for (((piece, end), equal), (part, hash)) in pieces.zip(theirs.tracks) {
                *equal &= piece.part == part && Hash::of(&piece.media) == hash;
                *end = part.start.saturating_add(part.duration.into());
            }
            return Fit::Known;
        }
        built.starts_segment = false;
        let mut goes = false;
        for ((piece, end), equal) in pieces {
            let ours = piece.part.start.saturating_add(piece.part.duration.into());
            // An empty share says nothing of where its track is.
            *equal &= piece.part.start == *end || piece.part.duration == 0;
            if !*equal {
                // No longer than the part: PART-TARGET holds for gaps too.
                let start = (*end).max(piece.part.start);
                let missing = i64::try_from(ours.saturating_sub(start)).unwrap_or(0);
                *piece = Piece::gap(i64::try_from(start).unwrap_or(i64::MAX), missing, piece.config.take());
            }
            goes |= piece.part.duration > 0;
            *end = (*end).max(ours);
        }
        if goes { Fit::Goes } else { Fit::Known }
    }
}
