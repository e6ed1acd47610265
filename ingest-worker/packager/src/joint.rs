use alloc::{collections::VecDeque, vec::Vec};

use tidegate_stream::{Event, PartIndex, RecordNumber, Track, TrackPart};

use crate::{message, period::Built, track::Piece};

/// The place where a log goes over from one worker to another, inside a segment: what the other has written of it, to be
/// compared with what this worker makes of the same frames.
///
/// A track of which both have made the same bytes goes on at the next part, and sound with the first frame that the log lacks. Any other is
/// a gap for the rest of the segment.
#[derive(Debug)]
pub(crate) struct Joint {
    theirs: VecDeque<Theirs>,
    /// Up to where each track goes in the log, in its ticks.
    ends: Vec<u64>,
    equal: Vec<bool>,
    /// Which of them are not compared.
    alone: Vec<bool>,
    begun: bool,
    /// Between the end of the log and the next part, where the other has ended its last part before that one begins.
    between: Option<Vec<Piece>>,
}

/// A part as the other worker has written it.
#[derive(Debug)]
pub(crate) struct Theirs {
    /// Its record.
    pub(crate) number: RecordNumber,
    /// Its place in the segment.
    pub(crate) part: PartIndex,
    /// When its first frame came.
    pub(crate) utc_us: i64,
    /// What was announced with it.
    pub(crate) events: Vec<Event>,
    /// Each track with its chunk.
    pub(crate) tracks: Vec<(TrackPart, Vec<u8>)>,
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
    /// With all parts of the open segment, and which tracks need not be compared, since each frame of them stands `alone`.
    pub(crate) fn new(theirs: VecDeque<Theirs>, alone: Vec<bool>) -> Self {
        Self { theirs, ends: alloc::vec![0; alone.len()], equal: alloc::vec![true; alone.len()], alone, begun: false, between: None }
    }

    /// The part that this worker's next one is compared with.
    pub(crate) fn next(&self) -> Option<&Theirs> {
        self.theirs.front()
    }

    /// What is missing between the end of the log and the part that was fitted last: a part of its own, since a gap is no longer than
    /// PART-TARGET either.
    pub(crate) fn take_between(&mut self) -> Option<Vec<Piece>> {
        self.between.take()
    }

    /// Compares the next part, or makes it go on where the log ends.
    pub(crate) fn fit(&mut self, built: &mut Built, tracks: &[Option<Track>]) -> Fit {
        let starts_next = built.starts_segment && core::mem::replace(&mut self.begun, true);
        self.begun = true;
        if starts_next {
            self.pass(built);
            return Fit::Past;
        }
        let theirs = self.theirs.pop_front();
        if let Some(theirs) = &theirs {
            message::attach(&mut built.pieces, tracks, theirs.utc_us, &theirs.events);
        }
        let is_last = self.theirs.is_empty();
        let pieces = built.pieces.iter_mut().zip(&mut self.ends).zip(&mut self.equal).zip(&self.alone);
        if let Some(theirs) = theirs {
            let mut goes = false;
            let mut between = Vec::new();
            for ((((piece, end), equal), alone), (part, chunk)) in pieces.zip(theirs.tracks) {
                *end = part.start.saturating_add(part.duration.into());
                if *alone {
                    between.push(Piece::missing(*end, *end, piece.config.clone()));
                    continue;
                }
                *equal &= piece.part == part && piece.media == chunk;
                if is_last {
                    // One whose source broke off has ended its part early: the rest of it is missing.
                    let ours = end_of(piece);
                    goes |= ours > *end;
                    *equal &= ours <= *end;
                    let begins = piece.part.start.clamp(*end, (*end).max(ours));
                    between.push(Piece::missing(*end, begins, piece.config.clone()));
                    *piece = Piece::missing(begins, ours, piece.config.take());
                    *end = (*end).max(ours);
                }
            }
            self.between = Some(between).filter(|pieces| goes && pieces.iter().any(|piece| piece.part.duration > 0));
            built.starts_segment &= !goes;
            return if goes { Fit::Goes } else { Fit::Known };
        }
        built.starts_segment = false;
        let mut goes = false;
        for (((piece, end), equal), alone) in pieces {
            let ours = end_of(piece);
            // An empty share says nothing of where its track is.
            let goes_on = piece.part.start == *end || piece.part.duration == 0;
            *equal &= goes_on || *alone;
            if !goes_on || !*equal {
                // No longer than the part: PART-TARGET holds for gaps too.
                let start = (*end).max(piece.part.start);
                *piece = Piece::missing(start, ours, piece.config.take());
            }
            goes |= piece.part.duration > 0;
            *end = (*end).max(ours);
        }
        if goes { Fit::Goes } else { Fit::Known }
    }
}

impl Joint {
    /// The next segment begins, and the other may have written more of this one: of a source that broke off, sound to its end. What would
    /// come a second time is left out.
    fn pass(&mut self, built: &mut Built) {
        for theirs in self.theirs.drain(..) {
            for (end, (part, _)) in self.ends.iter_mut().zip(theirs.tracks) {
                *end = (*end).max(part.start.saturating_add(part.duration.into()));
            }
        }
        for (piece, end) in built.pieces.iter_mut().zip(&self.ends) {
            if piece.part.start < *end && piece.part.duration > 0 {
                let ours = end_of(piece);
                *piece = Piece::missing(*end, ours, piece.config.take());
            }
        }
    }
}

fn end_of(piece: &Piece) -> u64 {
    piece.part.start.saturating_add(piece.part.duration.into())
}
