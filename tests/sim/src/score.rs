//! How a session is scored.

/// What a session came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Mean quality of the segments played, `ln(r/r_min)/ln(r_max/r_min)`.
    pub utility: f64,
    /// Share of stalls in the time after start-up.
    pub stall: f64,
    /// Share of segment boundaries with a change.
    pub switch: f64,
    /// Mean seconds further from live than the target.
    pub late_s: f64,
    /// Mean distance of the speed from 1.
    pub deviation: f64,
    /// Seconds to the first picture.
    pub start_up_s: f64,
    /// Share of media skipped by seeking to live.
    pub skipped: f64,
    /// Stalls in the session.
    pub stalls: f64,
    /// Requests given up.
    pub dropped: f64,
    /// Share of bits that were loaded for nothing.
    pub wasted: f64,
    /// Mean rate played.
    pub kbps: f64,
    /// QoE_lin in Mbit/s.
    pub lin: f64,
    /// N-QoE of the Twitch challenge, 1 for the top rung without a fault.
    pub n_qoe: f64,
    /// A score like that of P.1203, 1 to 5.
    pub mos: f64,
    /// Decisions asked for.
    pub decisions: u32,
}

impl Score {
    /// QoE_live: quality, less 10 times the stall ratio, changes, lateness, speed, start-up and what was skipped.
    pub fn qoe(&self) -> f64 {
        self.utility - 10.0 * self.stall - self.switch - 0.1 * self.late_s - self.deviation - 0.02 * self.start_up_s - self.skipped
    }

    /// Whether the lowest rung alone plays on this link.
    pub fn playable(&self) -> bool {
        self.stall < 0.005
    }
}
