//! From the queue into the source buffer, and out of it again.

use super::{
    Busy, Lane, MIN_FORWARD_S,
    item::{Fragment, InitSegment, State},
};
use crate::{AppendFailure, Output, Track, schedule::segment_probably_starts, shared::Shared};

/// A part that is not listed yet is appended only if it continues what is there, within this many s.
pub(super) const CONTINUES_S: f64 = 0.5;
/// After a full source buffer had nothing to remove.
const QUOTA_PAUSE_MS: f64 = 1_000.0;
/// A cut is this far before a key frame, which rounding must not take.
const BEFORE_KEY_S: f64 = 0.05;
/// The back buffer is trimmed in steps, so that the source buffer is not busy with removals.
const TRIM_STEP_S: f64 = 5.0;

impl Lane {
    pub(super) fn feed(&mut self, shared: &mut Shared) {
        if self.busy.is_some() || !shared.open || shared.now_ms < self.feed_after_ms {
            return;
        }
        while self.queue.front().is_some_and(|fragment| fragment.state == State::Missing) {
            self.queue.pop_front();
        }
        let Some(Fragment { state: State::Here { id, head }, map, place, period, listed, utc_ms, duration_s, .. }) = self.queue.front()
        else {
            return self.trim(shared);
        };
        let mut media_s = None;
        if let Some(map) = map {
            let Some(InitSegment { state: State::Here { id: init, .. }, read, .. }) = self.inits.iter().find(|init| init.address == *map)
            else {
                return;
            };
            if self.appended_init.as_ref() != Some(map) {
                self.appended_init = Some(map.clone());
                self.busy = Some(Busy::Init);
                return shared.send(Output::Append { track: self.track, id: *init, offset_s: self.offset_s });
            }
            media_s = read.decode_time_s(head);
        }
        let expected_s = self.time_of(*place).or_else(|| shared.presentation.time_s((*utc_ms)?)).or(self.loaded_end_s);
        let from_start_s = || {
            let playlist = self.follower.playlist().filter(|playlist| playlist.ended);
            playlist.and_then(|playlist| playlist.distance_s(playlist.first_msn, place.msn))
        };
        // Cues are in media time: pictures or sound of their period have to say first when that is.
        if self.track == Track::Text && shared.presentation.known_offset_s(*period).is_none() {
            return;
        }
        let first = shared.presentation.is_empty();
        let offset_s = shared.presentation.offset_s(*period, || match media_s {
            Some(media_s) if first => from_start_s().map_or(0.0, |start| start - media_s),
            Some(media_s) => expected_s.map_or(0.0, |expected| expected - media_s),
            None => 0.0,
        });
        let start_s = media_s.map(|media_s| media_s + offset_s).or(expected_s).or_else(from_start_s).unwrap_or_else(|| shared.position_s());
        // The list is to say first whether a segment starts, since another period may start with it.
        let may_start = !listed && self.playlist().is_some_and(|list| segment_probably_starts(list, *place));
        if may_start {
            return;
        }
        if !listed && self.loaded_end_s.is_some_and(|end| (start_s - end).abs() > CONTINUES_S) {
            return;
        }
        let (id, end_s, place) = (*id, start_s + duration_s, *place);
        if let (Some(utc_ms), true) = (utc_ms, *listed && self.main) {
            shared.presentation.mark(start_s, *utc_ms);
        }
        self.busy = Some(Busy::Fragment { id });
        self.offset_s = offset_s;
        self.loaded_end_s = Some(end_s);
        self.anchor = Some((place.msn, start_s - self.before_part_s(place)));
        shared.send(Output::Append { track: self.track, id, offset_s });
    }

    /// Removes what lies far behind the playhead.
    fn trim(&mut self, shared: &mut Shared) {
        let to_s = shared.position_s() - shared.config.back_s.max(1.0);
        if self.ranges.first().is_some_and(|first| first < to_s - TRIM_STEP_S) {
            self.busy = Some(Busy::Removal);
            shared.send(Output::Remove { track: self.track, from_s: 0.0, to_s });
        }
    }

    /// The source buffer has done what it was asked to do. Returns whether media was appended.
    pub(crate) fn appended(&mut self, shared: &mut Shared) -> bool {
        let Some(Busy::Fragment { id }) = self.busy.take() else { return false };
        self.decode_failures = 0;
        if let Some(at) = self.queue.iter().position(|fragment| fragment.id() == Some(id)) {
            self.queue.remove(at);
        }
        shared.drop_request(Some(id));
        true
    }

    /// An append was refused; returns how many could not be decoded in a row.
    pub(crate) fn append_failed(&mut self, shared: &mut Shared, reason: AppendFailure) -> u32 {
        let Some(busy) = self.busy.take() else { return self.decode_failures };
        match (reason, busy) {
            (AppendFailure::Quota, _) => {
                if busy == Busy::Init {
                    self.appended_init = None;
                }
                let position_s = shared.position_s();
                self.forward_s = (self.ranges.ahead_s(position_s) * 0.8).max(MIN_FORWARD_S);
                self.feed_after_ms = shared.now_ms + QUOTA_PAUSE_MS;
                // What is decoded now needs its key frame: a cut behind that would stop the picture until the next one.
                let start_s = self.place_at(position_s).and_then(|place| self.time_of(place)).unwrap_or(f64::MAX);
                let to_s = (start_s - BEFORE_KEY_S).min(position_s - 1.0);
                if self.ranges.first().is_some_and(|first| first < to_s.min(position_s - MIN_FORWARD_S)) {
                    self.busy = Some(Busy::Removal);
                    shared.send(Output::Remove { track: self.track, from_s: 0.0, to_s });
                }
            }
            (AppendFailure::Decode, Busy::Fragment { id }) => {
                self.decode_failures += 1;
                self.queue.retain(|fragment| fragment.id() != Some(id));
                shared.drop_request(Some(id));
                self.appended_init = None;
            }
            (AppendFailure::Decode, Busy::Init | Busy::Removal) => {
                self.decode_failures += 1;
                self.appended_init = None;
                self.feed_after_ms = shared.now_ms + QUOTA_PAUSE_MS;
            }
        }
        self.decode_failures
    }
}
