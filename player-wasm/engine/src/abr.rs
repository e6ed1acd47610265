//! Which rung of the ladder to load next: throughput with a margin, guarded by the buffer.

/// A rung above the one that plays must fit in this share of the estimate; a rung that plays may use [`STAY`] of it.
const UP: f64 = 0.8;
const STAY: f64 = 0.9;
/// No step up while the buffer holds less than this share of what it should hold.
const UP_BUFFER: f64 = 0.5;
/// Below this share the link has to be twice as fast as the rung, or the next lower one is taken.
const LOW_BUFFER: f64 = 0.25;
/// No step up for this long after a step down, so that a link on the edge does not make the picture flicker.
const PATIENCE_MS: f64 = 8_000.0;

/// What is known when a decision is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) now_ms: f64,
    /// The rung that is being loaded.
    pub(crate) current: usize,
    /// `None` before the first sample.
    pub(crate) estimate_bps: Option<f64>,
    /// What is buffered ahead of the playhead, as a share of what should be.
    pub(crate) buffer_share: f64,
}

/// The rule and its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abr {
    up_after_ms: f64,
}

impl Abr {
    /// The rung after a stall: whatever the estimate says, the one below.
    pub(crate) fn stalled(&mut self, now_ms: f64, current: usize) -> usize {
        self.up_after_ms = now_ms + PATIENCE_MS;
        current.saturating_sub(1)
    }

    /// The rung for the next segment. `ladder_bps` goes from the lowest to the highest.
    pub(crate) fn choose(&mut self, ladder_bps: &[u64], situation: Situation) -> usize {
        let Situation { now_ms, current, estimate_bps, buffer_share } = situation;
        let (Some(estimate), Some(top)) = (estimate_bps, ladder_bps.len().checked_sub(1)) else { return current };
        let current = current.min(top);
        let highest = |share: f64| ladder_bps.iter().rposition(|bps| *bps as f64 <= estimate * share).unwrap_or(0);
        let starved = buffer_share < LOW_BUFFER && highest(0.5) < current;
        let chosen = if starved { highest(STAY).min(current.saturating_sub(1)) } else { highest(STAY).min(current) };
        if chosen < current {
            self.up_after_ms = now_ms + PATIENCE_MS;
            return chosen;
        }
        let wanted = highest(UP).max(current);
        if wanted > current && buffer_share >= UP_BUFFER && now_ms >= self.up_after_ms { wanted } else { current }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: [u64; 4] = [400_000, 1_000_000, 2_500_000, 6_000_000];

    fn situation(now_ms: f64, current: usize, mbps: f64, buffer_share: f64) -> Situation {
        Situation { now_ms, current, estimate_bps: Some(mbps * 1e6), buffer_share }
    }

    #[test]
    fn a_fast_link_leads_straight_to_the_top() {
        assert_eq!(Abr::default().choose(&LADDER, situation(0.0, 1, 10.0, 1.0)), 3);
    }

    #[test]
    fn a_rung_that_only_just_fits_is_kept_but_not_climbed_to() {
        let mut abr = Abr::default();
        assert_eq!(abr.choose(&LADDER, situation(0.0, 2, 2.9, 1.0)), 2);
        assert_eq!(abr.choose(&LADDER, situation(0.0, 1, 2.9, 1.0)), 1);
    }

    #[test]
    fn after_a_step_down_the_way_up_has_to_wait() {
        let mut abr = Abr::default();
        assert_eq!(abr.choose(&LADDER, situation(1000.0, 3, 3.0, 1.0)), 2);
        assert_eq!(abr.choose(&LADDER, situation(4000.0, 2, 10.0, 1.0)), 2);
        assert_eq!(abr.choose(&LADDER, situation(9500.0, 2, 10.0, 1.0)), 3);
    }

    #[test]
    fn a_stall_costs_one_rung_for_a_while() {
        let mut abr = Abr::default();
        assert_eq!(abr.stalled(1000.0, 3), 2);
        assert_eq!(abr.stalled(1000.0, 0), 0);
        assert_eq!(abr.choose(&LADDER, situation(2000.0, 2, 50.0, 1.0)), 2);
    }

    #[test]
    fn an_empty_buffer_asks_for_more_than_a_fitting_link() {
        let mut abr = Abr::default();
        assert_eq!(abr.choose(&LADDER, situation(0.0, 2, 3.0, 0.1)), 1);
        assert_eq!(abr.choose(&LADDER, situation(9000.0, 2, 9.0, 0.1)), 2);
    }

    #[test]
    fn without_a_sample_and_without_a_ladder_nothing_changes() {
        let unknown = Situation { now_ms: 0.0, current: 1, estimate_bps: None, buffer_share: 1.0 };
        assert_eq!(Abr::default().choose(&LADDER, unknown), 1);
        assert_eq!(Abr::default().choose(&[], situation(0.0, 0, 5.0, 1.0)), 0);
    }
}
