//! Keeps the playhead where there is media: start, holes, jumps to the live edge, speed, end.

use crate::{
    Engine, Event, Output, Playhead,
    playlist::Place,
    ranges::{Ranges, TOLERANCE_S},
};

/// A playhead that has waited this long at a hole that will not be filled is put behind it.
const HOLE_MS: f64 = 200.0;
/// A playhead that does not move for this long before the end of a range is at the hole if less than this is left, and else stuck in the decoder.
const STUCK_MS: f64 = 700.0;
const STUCK_AHEAD_S: f64 = 0.4;
/// Behind the start of a range, so that rounding does not put the playhead before it. Who is stuck is moved by this, then by twice as much, at
/// most by `MAX_NUDGE_S`: of one picture a second the last begins a second before the hole.
const INTO_RANGE_S: f64 = 0.01;
const MAX_NUDGE_S: f64 = 0.32;
/// A seek that the element has not reported is taken as done after this.
const SEEK_MS: f64 = 1_000.0;
/// The seekable range is reported in steps.
const SEEKABLE_STEP_S: f64 = 1.0;
/// A viewer who seeks to less than this behind the live position wants to be live.
const NEAR_LIVE_S: f64 = 2.0;
/// A start that is further off is corrected by a seek, a smaller one by the speed.
const START_OFF_S: f64 = 0.3;
/// So much is to be there behind the first picture, while what follows comes.
const PLAYS_ON_S: f64 = 1.0;
/// No second jump to the live edge before the first one can have worked.
const JUMP_PAUSE_MS: f64 = 3_000.0;

/// What is known of playback.
#[derive(Clone, Debug)]
pub(crate) struct Playback {
    /// Where loading began.
    pub(crate) start: Option<Place>,
    /// How far behind that to show the first picture, in s.
    pub(crate) start_into_s: f64,
    /// The playhead was put at its first position.
    placed: bool,
    /// Something has been shown.
    pub(crate) begun: bool,
    /// The viewer wants to be at the live edge.
    pub(crate) keeps_live: bool,
    pub(crate) was_live: bool,
    pub(crate) ended: bool,
    pub(crate) stalls: u32,
    pub(crate) rate: f64,
    start_corrected: bool,
    said_end: bool,
    seekable: Option<(f64, f64, bool)>,
    waiting_since_ms: Option<f64>,
    /// By how much who is stuck is moved next.
    nudge_s: f64,
    sought_ms: f64,
    jumped_ms: f64,
}

impl Default for Playback {
    fn default() -> Self {
        Self {
            start: None,
            start_into_s: 0.0,
            placed: false,
            begun: false,
            keeps_live: true,
            was_live: false,
            ended: false,
            stalls: 0,
            rate: 1.0,
            start_corrected: false,
            said_end: false,
            seekable: None,
            waiting_since_ms: None,
            nudge_s: INTO_RANGE_S,
            sought_ms: 0.0,
            jumped_ms: f64::MIN,
        }
    }
}

impl Engine {
    /// Media that can be played from the playhead on without a stop, in s.
    pub(crate) fn ahead_s(&self) -> f64 {
        self.playable().ahead_s(self.shared.position_s())
    }

    /// What all tracks hold.
    fn playable(&self) -> Ranges {
        let mut lanes = self.played().map(|lane| &lane.ranges);
        let first = lanes.next().cloned().unwrap_or_default();
        lanes.fold(first, |all, ranges| all.intersect(ranges))
    }

    pub(crate) fn playhead(&mut self, playhead: Playhead) {
        let now_ms = self.shared.now_ms;
        if !playhead.time_s.is_finite() {
            return;
        }
        let before = core::mem::replace(&mut self.shared.playhead, playhead);
        let sought = self.shared.seeking_to_s.is_some_and(|to_s| (playhead.time_s - to_s).abs() < 0.5 && !playhead.seeking);
        // Before it has begun, the element may take its time to load.
        if sought || (self.playback.begun && now_ms - self.playback.sought_ms > SEEK_MS) {
            self.shared.seeking_to_s = None;
        }
        let playback = &mut self.playback;
        let runs = |state: &Playhead| !state.paused && !state.seeking && !state.waiting && !state.ended;
        if runs(&playhead) && playhead.time_s > before.time_s && !playback.begun && playback.placed {
            playback.begun = true;
            self.shared.send(Output::Event(Event::Playing));
        }
        let stalls = playback.begun && runs(&before) && playhead.waiting && !playhead.seeking && !playhead.paused && !playhead.ended;
        if stalls {
            playback.stalls = playback.stalls.saturating_add(1);
            self.latency.stalled(now_ms);
        }
        if runs(&playhead) {
            playback.nudge_s = INTO_RANGE_S;
        }
        // Who paused for long wants to go on where the picture stood.
        if playback.begun && before.paused && !playhead.paused && self.latency.should_jump(playhead.time_s) {
            playback.keeps_live = false;
        }
        playback.waiting_since_ms = if playhead.waiting { playback.waiting_since_ms.or(Some(now_ms)) } else { None };
        playback.ended = playhead.ended && playback.said_end;
    }

    pub(crate) fn sought(&mut self, to_s: f64) {
        if !to_s.is_finite() {
            return;
        }
        if self.shared.seeking_to_s.is_some_and(|own| (own - to_s).abs() < 0.1) {
            return;
        }
        self.shared.seeking_to_s = None;
        self.shared.playhead.time_s = to_s;
        self.playback.ended = false;
        let live_s = self.latency.live_s(self.shared.now_ms);
        self.playback.keeps_live = self.is_live() && live_s.is_none_or(|live| to_s >= live - NEAR_LIVE_S);
        self.reposition(to_s);
    }

    pub(crate) fn go_live(&mut self) {
        self.playback.keeps_live = true;
        self.jump_to_live();
    }

    fn jump_to_live(&mut self) {
        let Some(live_s) = self.latency.live_s(self.shared.now_ms).filter(|_| self.is_live()) else { return };
        self.playback.jumped_ms = self.shared.now_ms;
        self.seek(live_s);
        self.reposition(live_s);
    }

    fn reposition(&mut self, to_s: f64) {
        let target_s = self.latency.target_s().unwrap_or(0.0);
        for lane in &mut self.lanes {
            let fallback = lane.playlist().and_then(|playlist| playlist.start_before_end(target_s));
            lane.reposition(&mut self.shared, to_s, fallback);
        }
    }

    fn seek(&mut self, to_s: f64) {
        self.playback.sought_ms = self.shared.now_ms;
        self.playback.waiting_since_ms = None;
        self.shared.seek(to_s.max(0.0));
    }

    /// Looks after the playhead.
    pub(crate) fn control(&mut self) {
        self.latency.tick(self.shared.now_ms);
        if !self.playback.placed {
            return self.place_playhead();
        }
        self.say_seekable();
        self.say_end();
        let now_ms = self.shared.now_ms;
        let playhead = self.shared.playhead;
        let follows = self.is_live() && self.playback.keeps_live && !playhead.paused;
        let may_jump = follows && self.shared.seeking_to_s.is_none() && now_ms - self.playback.jumped_ms > JUMP_PAUSE_MS;
        if may_jump && self.latency.should_jump(playhead.time_s) {
            return self.jump_to_live();
        }
        self.correct_start();
        self.skip_hole();
        let ahead_s = self.ahead_s();
        let steady = follows && self.playback.begun && !playhead.seeking && self.shared.seeking_to_s.is_none();
        let rate = if steady { self.latency.speed(now_ms, playhead.time_s, ahead_s) } else { 1.0 };
        if rate != self.playback.rate && !playhead.paused {
            self.playback.rate = rate;
            self.shared.send(Output::Rate { rate });
        }
    }

    /// Puts the playhead to where playback starts, once the first media is being appended. On a slow link live has gone on beyond what there
    /// is by then: who waits for live there waits for media once more.
    fn place_playhead(&mut self) {
        let Some(start) = self.playback.start else { return };
        let Some(main) = self.lanes.first() else { return };
        let Some(start_s) = main.time_of(start) else { return };
        let reach_s = start_s + main.ready_s(start_s);
        self.playback.placed = true;
        // A browser ignores a seek to where it cannot seek.
        self.say_seekable();
        let start_s = start_s + self.playback.start_into_s;
        let live_s = self.latency.live_s(self.shared.now_ms).filter(|_| self.is_live() && self.playback.keeps_live);
        self.seek(live_s.map_or(start_s, |live| live.min(reach_s - PLAYS_ON_S).max(start_s)));
    }

    /// Loading the element took time in which the edge moved on: goes after it before anything is heard.
    fn correct_start(&mut self) {
        let playhead = self.shared.playhead;
        let shown = playhead.waiting || playhead.seeking || playhead.paused || self.shared.seeking_to_s.is_some();
        if self.playback.start_corrected || shown || !self.is_live() || !self.playback.keeps_live {
            return;
        }
        self.playback.start_corrected = true;
        let Some(live_s) = self.latency.live_s(self.shared.now_ms) else { return };
        let in_buffer = self.playable().ahead_s(live_s) > INTO_RANGE_S;
        if live_s - playhead.time_s > START_OFF_S && in_buffer {
            self.seek(live_s);
        }
    }

    fn say_seekable(&mut self) {
        let live = self.is_live();
        let Some(main) = self.lanes.first() else { return };
        let Some(playlist) = main.playlist() else { return };
        let (from, to) = (main.time_of(Place::segment(playlist.first_msn)), main.time_of(playlist.next_place()));
        let (Some(from_s), Some(to_s)) = (from, to) else { return };
        let near = |a: f64, b: f64| (a - b).abs() < SEEKABLE_STEP_S;
        if self.playback.seekable.is_some_and(|(from, to, was)| near(from, from_s) && near(to, to_s) && was == live) {
            return;
        }
        self.playback.seekable = Some((from_s, to_s, live));
        self.shared.send(Output::Seekable { from_s, to_s, live });
    }

    fn say_end(&mut self) {
        let finished = !self.lanes.is_empty() && self.played().all(crate::lane::Lane::is_finished);
        if finished && !self.playback.said_end {
            self.shared.send(Output::EndOfStream);
        }
        self.playback.said_end = finished;
    }

    /// Goes over holes that will not be filled: gaps in the list, media that could not be had, a late start of a track.
    fn skip_hole(&mut self) {
        let now_ms = self.shared.now_ms;
        let waits_long = self.playback.waiting_since_ms.is_some_and(|since| now_ms - since > HOLE_MS);
        let pause_ms = if self.playback.begun { HOLE_MS } else { SEEK_MS };
        if !waits_long || now_ms - self.playback.sought_ms < pause_ms {
            return;
        }
        let playable = self.playable();
        let time_s = self.shared.playhead.time_s;
        // Browsers stop a frame or more before the end of what they have: that is at the hole, not before it. And who waits before one that
        // browsers play over has not played over it.
        let left_s = playable.at(time_s).filter(|(start, _)| *start <= time_s).map_or(0.0, |(_, end)| end - time_s);
        if left_s > TOLERANCE_S {
            let waited_ms = self.playback.waiting_since_ms.map_or(0.0, |since| now_ms - since);
            if !self.playback.begun || waited_ms < STUCK_MS {
                return;
            }
            // It has what it waits for: media was put over the picture it was about to decode. A seek makes it look again.
            if playable.ahead_s(time_s) > STUCK_AHEAD_S {
                let nudge_s = self.playback.nudge_s;
                self.playback.nudge_s = (2.0 * nudge_s).min(MAX_NUDGE_S);
                return self.seek(time_s + nudge_s);
            }
        }
        let Some(mut start_s) = playable.next_start(time_s) else { return };
        // A playhead that never got to where it was put is put there again.
        let live_s = self.latency.live_s(now_ms).filter(|_| self.is_live() && self.playback.keeps_live);
        let own_s = self.shared.seeking_to_s.filter(|_| !self.playback.begun);
        start_s = live_s.or(own_s).filter(|put| *put > start_s && playable.at(*put).is_some()).unwrap_or(start_s);
        if self.played().all(|lane| lane.loaded_end_s.is_some_and(|end| end >= start_s)) {
            self.seek(start_s + INTO_RANGE_S);
        }
    }
}
