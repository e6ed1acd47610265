//! Which rung a lane loads: it is decided where a segment starts, and gone over to once the playlist of the other rung reaches there.

use crate::{
    follower::Follower,
    lane::{Lane, MAX_REFUSALS, Running, item::State},
    playlist::Place,
    schedule::{Next, next, segment_probably_starts},
    shared::Shared,
};

/// The start of a segment waits this long for the playlist of the rung to go over to; then the switch is put off. A rung
/// that is too high for the link is not gone on with so easily.
const SWITCH_UP_WAIT_MS: f64 = 250.0;
const SWITCH_DOWN_WAIT_MS: f64 = 2_000.0;

impl Lane {
    /// The rung that will be loaded once its playlist is there, else the one that is loaded.
    pub(crate) fn wanted_rung(&self) -> usize {
        self.candidate.as_ref().map_or(self.rung, |(rung, _)| *rung)
    }

    /// Goes over to another rung at the next start of a segment.
    pub(crate) fn want(&mut self, shared: &mut Shared, rung: usize, url: &str) {
        if rung == self.wanted_rung() {
            return;
        }
        if let Some((_, mut follower)) = self.candidate.take() {
            shared.drop_request(follower.abandon());
        }
        if rung != self.rung {
            self.candidate = Some((rung, Follower::new(url.into(), shared.now_ms)));
        }
    }

    /// The segment that comes next, once nothing is under way any more and its rung is not chosen yet.
    pub(crate) fn undecided(&self) -> Option<u64> {
        let cursor = self.cursor?;
        let waits =
            self.main && self.undecided_at(cursor) && !self.queue.iter().any(|fragment| fragment.id().is_none() || fragment.is_asked());
        waits.then(|| self.starts(cursor)).flatten()
    }

    pub(super) fn undecided_at(&self, cursor: Place) -> bool {
        self.starts(cursor).is_some_and(|msn| self.chosen != Some(msn))
    }

    /// The segment that a place is, or probably is, the start of.
    fn starts(&self, place: Place) -> Option<u64> {
        match place.part {
            0 => Some(place.msn),
            _ => self.playlist().filter(|list| segment_probably_starts(list, place)).map(|_| place.msn.saturating_add(1)),
        }
    }

    /// The rung of a segment has been chosen.
    pub(crate) fn chose(&mut self, msn: u64) {
        self.chosen = Some(msn);
    }

    /// Gives up what is being loaded of a segment, and begins it again in another rung. What has arrived is kept.
    pub(crate) fn begin_again(&mut self, shared: &mut Shared, running: Running, rung: usize, url: &str) {
        let from = self.queue.iter().position(|fragment| fragment.is_asked() || matches!(fragment.state, State::Again { .. }));
        if let Some(from) = from {
            self.rewind(shared, from, Place::segment(running.msn));
        }
        self.want(shared, rung, url);
        self.chosen = Some(running.msn);
        self.again = Some((running.msn, running.buffered));
        self.boundary_ms = None;
    }

    /// The rung that has nothing to load at the moment, if that has just been found.
    pub(crate) fn take_gone_rung(&mut self) -> Option<usize> {
        let own = (self.gap && self.candidate.is_none()).then_some(self.rung);
        self.gone_rung.take().or(own)
    }

    /// Goes over the gap, since no rung has anything there.
    pub(crate) fn skip_gap(&mut self) {
        self.gap = false;
        self.skips_gaps = true;
    }

    /// A rung whose playlist cannot be had is not gone over to.
    pub(crate) fn candidate_failed(&mut self, shared: &mut Shared) {
        if let Some((_, mut follower)) = self.candidate.take_if(|(_, follower)| follower.failures() > MAX_REFUSALS) {
            shared.drop_request(follower.abandon());
        }
    }

    /// Whether the start of a segment waits for the playlist of the rung to go over to.
    pub(super) fn waits_to_switch(&mut self, now_ms: f64) -> bool {
        let since_ms = *self.boundary_ms.get_or_insert(now_ms);
        let wait_ms = if self.wanted_rung() < self.rung { SWITCH_DOWN_WAIT_MS } else { SWITCH_UP_WAIT_MS };
        now_ms - since_ms < wait_ms
    }

    /// Goes over to the candidate, if its playlist reaches to where the next segment starts.
    pub(super) fn switch(&mut self, shared: &mut Shared, cursor: Place) -> bool {
        let Some((_, candidate)) = &self.candidate else { return false };
        let (Some(new), Some(old)) = (candidate.playlist(), self.follower.playlist()) else { return false };
        if new.next_place() < new.aligned_place(old, old.next_place()) && !new.ended {
            return false;
        }
        let msn = new.aligned_msn(old, cursor.msn);
        if msn > new.next_place().msn {
            return false;
        }
        if new.ends_in_gap() || matches!(next(new, Place::segment(msn)), Next::Gap(_)) {
            let gone = self.candidate.take();
            self.gone_rung = gone.map(|(rung, mut follower)| {
                shared.drop_request(follower.abandon());
                rung
            });
            return false;
        }
        if self.chosen == Some(cursor.msn) {
            self.chosen = Some(msn);
        }
        if let (Some((anchor, time_s)), true) = (self.anchor, msn != cursor.msn) {
            self.anchor = Some((anchor.wrapping_add(msn).wrapping_sub(cursor.msn), time_s));
        }
        let Some((rung, follower)) = self.candidate.take() else { return false };
        shared.drop_request(self.follower.abandon());
        self.follower = follower;
        self.rung = rung;
        self.gap = false;
        self.boundary_ms = None;
        self.cursor = Some(Place::segment(msn));
        self.unlisted = None;
        self.refused_hint = None;
        true
    }
}
