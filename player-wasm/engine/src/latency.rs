//! How far behind the live edge to play, and the speed and jumps that keep the playhead there.

use alloc::collections::VecDeque;

/// PART-HOLD-BACK assumes a player that learns of parts by polling. Blocking reloads and hinted parts arrive in time, so
/// that this share of a part can be given back to the viewer.
const GIVEN_BACK_PARTS: f64 = 0.4;
/// A wished latency never goes below this many parts (or, without parts, target durations): one is being made while one
/// is being played.
const MIN_PARTS: f64 = 1.2;
/// Arrivals over which the live edge is taken: 8 s of parts of 0.5 s, long enough for jitter, short enough for an origin
/// that has fallen behind for good.
const ARRIVALS: usize = 16;
/// After so many steps without an arrival those before it say nothing about the edge: an origin that was away does not make up for it.
const SILENCE_STEPS: f64 = 4.0;
/// Highest change of speed that most viewers do not notice in speech, …
pub(crate) const MAX_CHANGE: f64 = 0.08;
/// … and what is taken while the playhead is further behind than this: half as long a way back is worth it.
const FAR_CHANGE: f64 = 0.12;
const FAR_S: f64 = 1.0;
/// Distance in s from the target at which the change of speed has three quarters of its strength.
const SOFTNESS_S: f64 = 0.5;
/// The speed leaves 1 at the first distance and goes back to 1 at the second, so that it does not flicker.
const START_CORRECTING_S: f64 = 0.12;
const STOP_CORRECTING_S: f64 = 0.03;
/// A peak of the buffer is forgotten this long after the next one is due.
const PEAK_MS: f64 = 200.0;
/// From the publication of a part to the buffer that holds it; what the peak lacks without being late.
const ARRIVAL_S: f64 = 0.15;
/// Steps of the speed: each change costs the browser a new audio stretch.
const SPEED_STEPS: f64 = 100.0;
/// A stall raises the target by half a part, at most this many times …
const MAX_RAISES: f64 = 2.0;
/// … which starts to fall back after this calm, …
const CALM_MS: f64 = 6_000.0;
/// … by this many s per s, less than the speed can take away unnoticed.
const RELIEF: f64 = 0.05;
/// Behind the target by more than this, catching up takes the better part of half a minute, and costs a viewer more than what a
/// jump skips.
const JUMP_S: f64 = 2.5;

/// What the playlist allows; all in s.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bounds {
    /// PART-TARGET, or the target duration of a playlist without parts.
    pub(crate) step_s: f64,
    /// PART-HOLD-BACK, or HOLD-BACK without parts.
    pub(crate) hold_back_s: f64,
    /// The playlist has parts.
    pub(crate) parts: bool,
}

/// Keeps the playhead of a live stream at its target.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    wished_s: Option<f64>,
    bounds: Option<Bounds>,
    /// Media time minus clock at each arrival of a newest part, in s.
    leads: VecDeque<f64>,
    newest_s: f64,
    arrived_ms: f64,
    raise_s: f64,
    calm_since_ms: f64,
    now_ms: f64,
    correcting: bool,
    /// The most that was buffered lately, and when.
    peak: (f64, f64),
}

impl Latency {
    pub(crate) fn new(wished_s: Option<f64>) -> Self {
        let wished_s = wished_s.filter(|wished| wished.is_finite() && *wished > 0.0);
        Self {
            wished_s,
            bounds: None,
            leads: VecDeque::new(),
            newest_s: f64::MIN,
            arrived_ms: f64::MIN,
            raise_s: 0.0,
            calm_since_ms: 0.0,
            now_ms: 0.0,
            correcting: false,
            peak: (0.0, f64::MIN),
        }
    }

    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = Some(bounds);
    }

    /// The newest media that can be loaded ends at `end_s` of presentation time. What is not new is not an arrival.
    pub(crate) fn arrived(&mut self, now_ms: f64, end_s: f64) {
        if end_s <= self.newest_s + 1e-3 || !end_s.is_finite() {
            return;
        }
        self.newest_s = end_s;
        if self.bounds.is_some_and(|bounds| now_ms - self.arrived_ms > SILENCE_STEPS * bounds.step_s * 1000.0) {
            self.leads.clear();
        }
        self.arrived_ms = now_ms;
        if self.leads.len() == ARRIVALS {
            self.leads.pop_front();
        }
        self.leads.push_back(end_s - now_ms / 1000.0);
    }

    /// Presentation time that an origin in time would have published by now.
    pub(crate) fn edge_s(&self, now_ms: f64) -> Option<f64> {
        let lead = self.leads.iter().copied().max_by(f64::total_cmp)?;
        Some(lead + now_ms / 1000.0)
    }

    /// The end of the newest media that is known to exist.
    pub(crate) fn newest_s(&self) -> Option<f64> {
        (!self.leads.is_empty()).then_some(self.newest_s)
    }

    /// How far behind the edge to be.
    pub(crate) fn target_s(&self) -> Option<f64> {
        Some(self.base_s()? + self.raise_s)
    }

    /// How far before the end of the list to begin to load.
    pub(crate) fn start_s(&self) -> Option<f64> {
        let Bounds { step_s, parts, .. } = self.bounds?;
        let target_s = self.target_s()?;
        Some(if parts { (target_s - step_s).max(step_s) } else { target_s })
    }

    /// The same where nothing has stalled.
    pub(crate) fn base_s(&self) -> Option<f64> {
        let Bounds { step_s, hold_back_s, parts } = self.bounds?;
        let given_back = if parts { GIVEN_BACK_PARTS * step_s } else { 0.0 };
        Some(self.wished_s.unwrap_or(hold_back_s - given_back).max(MIN_PARTS * step_s))
    }

    /// Where to start or to jump to.
    pub(crate) fn live_s(&self, now_ms: f64) -> Option<f64> {
        let (newest, target, step) = (self.newest_s()?, self.target_s()?, self.bounds?.step_s);
        // Where the origin has fallen behind, the edge is further than what exists: the next part is at most one step away.
        Some((self.edge_s(now_ms)? - target).min(newest - (target - step).max(step * 0.5)))
    }

    /// The viewer waited for media.
    pub(crate) fn stalled(&mut self, now_ms: f64) {
        let Some(bounds) = self.bounds else { return };
        let step = 0.5 * bounds.step_s.min(1.0);
        self.raise_s = (self.raise_s + step).min(MAX_RAISES * step);
        self.calm_since_ms = now_ms;
    }

    /// Lets the target fall back to where it was before stalls.
    pub(crate) fn tick(&mut self, now_ms: f64) {
        let elapsed_s = ((now_ms - self.now_ms) / 1000.0).clamp(0.0, 1.0);
        self.now_ms = now_ms;
        if now_ms - self.calm_since_ms > CALM_MS {
            self.raise_s = (self.raise_s - RELIEF * elapsed_s).max(0.0);
        }
    }

    /// Whether the playhead is too far behind to catch up by speed.
    pub(crate) fn should_jump(&self, playhead_s: f64) -> bool {
        match (self.newest_s(), self.target_s()) {
            (Some(newest), Some(target)) => newest - playhead_s > target + JUMP_S,
            _ => false,
        }
    }

    /// The speed for a playhead with `ahead_s` of media buffered ahead of it.
    pub(crate) fn speed(&mut self, now_ms: f64, playhead_s: f64, ahead_s: f64) -> f64 {
        let (Some(edge), Some(target), Some(bounds)) = (self.edge_s(now_ms), self.target_s(), self.bounds) else { return 1.0 };
        // The buffer is at its fullest when a part has just been appended; then it holds the distance to the edge, unless the
        // origin or the link has fallen behind. What has not arrived cannot be caught up with.
        if ahead_s >= self.peak.0 || now_ms - self.peak.1 > bounds.step_s * 1000.0 + PEAK_MS {
            self.peak = (ahead_s, now_ms);
        }
        let mut behind = edge - playhead_s - target;
        if behind > 0.0 {
            behind = behind.min(self.peak.0 - target + ARRIVAL_S).max(0.0);
        }
        let from = if self.correcting { STOP_CORRECTING_S } else { START_CORRECTING_S };
        self.correcting = behind.abs() > from;
        // A buffer that is about to run dry is not played faster, however late it is.
        let dry = ahead_s < 0.5 * bounds.step_s.min(1.0);
        if !self.correcting || (behind > 0.0 && dry) {
            return 1.0;
        }
        let most = if behind > FAR_S { FAR_CHANGE } else { MAX_CHANGE };
        // A curve like tanh, without its code.
        let bend = behind / SOFTNESS_S;
        let change = most * bend / libm::sqrt(1.0 + bend * bend);
        libm::round((1.0 + change) * SPEED_STEPS) / SPEED_STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(wished_s: Option<f64>) -> Latency {
        let mut latency = Latency::new(wished_s);
        latency.set_bounds(Bounds { step_s: 0.5, hold_back_s: 1.5, parts: true });
        latency
    }

    #[test]
    fn target_is_below_the_hold_back_and_a_wish_is_bounded() {
        assert_eq!(live(None).target_s(), Some(1.3));
        assert_eq!(live(Some(3.0)).target_s(), Some(3.0));
        assert_eq!(live(Some(0.1)).target_s(), Some(0.6));
        assert_eq!(live(Some(f64::NAN)).target_s(), Some(1.3));
    }

    #[test]
    fn a_stall_raises_the_target_which_comes_back() {
        let mut latency = live(None);
        for _ in 0..10 {
            latency.stalled(1000.0);
        }
        assert_eq!(latency.target_s(), Some(1.8));
        for second in 0..100 {
            latency.tick(1000.0 * f64::from(second));
        }
        assert_eq!(latency.target_s(), Some(1.3));
    }

    #[test]
    fn playhead_reaches_the_target_from_both_sides_and_stays() {
        for start in [-3.5, -0.8] {
            let mut latency = live(None);
            let mut playhead = start;
            let mut late_changes = 0;
            let mut last = 1.0;
            for step in 0..1200 {
                let now_ms = f64::from(step) * 100.0;
                if step % 5 == 0 {
                    latency.arrived(now_ms, now_ms / 1000.0);
                }
                let speed = latency.speed(now_ms, playhead, now_ms / 1000.0 - playhead);
                late_changes += u32::from(step > 900 && speed != last);
                last = speed;
                playhead += speed * 0.1;
            }
            let behind = 120.0 - playhead;
            assert!((behind - 1.3).abs() < 0.15, "from {start} the playhead is {behind} s behind");
            assert_eq!(late_changes, 0, "the speed flickers");
        }
    }

    #[test]
    fn an_origin_that_fell_behind_moves_the_edge() {
        let mut latency = live(None);
        for part in 0..20 {
            latency.arrived(f64::from(part) * 500.0, f64::from(part) * 0.5);
        }
        for part in 20..60 {
            latency.arrived(f64::from(part) * 500.0 + 3000.0, f64::from(part) * 0.5);
        }
        let edge = latency.edge_s(59.0 * 500.0 + 3000.0).unwrap();
        assert!((edge - 29.5).abs() < 1e-6, "{edge}");
    }

    #[test]
    fn an_origin_that_was_away_moves_the_edge_at_once() {
        let mut latency = live(None);
        for part in 0..20 {
            latency.arrived(f64::from(part) * 500.0, f64::from(part) * 0.5);
        }
        // For 11 s nothing was made, and nothing of it comes later.
        latency.arrived(20_500.0, 10.0);
        assert!((latency.edge_s(20_500.0).unwrap() - 10.0).abs() < 1e-9);
        // What comes at once after a silence of the link brings the edge back to where it was.
        latency.arrived(24_500.0, 10.5);
        latency.arrived(24_510.0, 14.0);
        assert!((latency.edge_s(24_510.0).unwrap() - 14.0).abs() < 1e-9);
    }

    #[test]
    fn a_jump_leaves_as_much_to_play_as_the_next_part_needs_to_come() {
        let mut latency = live(None);
        for part in 0..20 {
            latency.arrived(f64::from(part) * 500.0, f64::from(part) * 0.5);
        }
        // Just before the next part, and where an origin falls behind.
        assert!((latency.live_s(9_999.0).unwrap() - 8.699).abs() < 1e-6);
        assert!((latency.live_s(11_000.0).unwrap() - 8.7).abs() < 1e-6);
    }

    #[test]
    fn a_dry_buffer_is_not_played_faster() {
        let mut latency = live(None);
        latency.arrived(0.0, 0.0);
        assert_eq!(latency.speed(0.0, -3.0, 0.1), 1.0);
        assert_eq!(latency.speed(0.0, -3.0, 1.2), 1.0);
        assert_eq!(latency.speed(0.0, -3.0, 3.0), 1.12);
    }
}
