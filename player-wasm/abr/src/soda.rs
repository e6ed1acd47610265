//! SODA: smoothness-optimised choice over time slots (Chen et al., SIGCOMM 2024), with an EWMA forecast.
//!
//! Each slot costs `v(r) w dt/r + beta b(x) + gamma (v(r) - v(r'))^2`: little quality per second loaded, a buffer x away from its
//! target, a change. v falls with the rate, `ln(r_max/r)` over the whole span here; b is the squared distance to the target over
//! the target, a fraction of it above. Stalls have no price on purpose: the steep b keeps the buffer away from empty. Only
//! sequences that never rise or never fall are searched (section 4 of the paper: within 5 % of the best), and the lowest rung
//! above the forecast is the highest allowed.

use alloc::vec::Vec;

use crate::{
    config::{Config, Mode},
    decision::{Sample, State},
    ewma::{Ewma, EwmaPair},
    number::{bounded, ln},
};

/// The rule with what it has learned of the link.
#[derive(Debug, Clone)]
pub struct Soda {
    ladder_bps: Vec<f64>,
    /// v of each rung.
    costs: Vec<f64>,
    slot_s: f64,
    slots: usize,
    most_buffer_s: f64,
    target_s: f64,
    beta: f64,
    caution: f64,
    rate: EwmaPair,
    deviation: Ewma,
    /// Bits and seconds of the segment under way: one sample per segment, since single parts scatter by their sizes.
    under_way: (f64, f64),
}

impl Soda {
    /// The rule for a session, with the constants that did best in each mode.
    pub fn new(config: &Config) -> Self {
        let config = config.clone().sane();
        let (beta, share, caution) = match config.mode() {
            Mode::Vod | Mode::Live => (4.0, 0.9, 0.0),
            Mode::LowLatency => (16.0, 0.9, 0.35),
        };
        let most_buffer_s = match config.mode() {
            Mode::Vod => config.max_buffer_s,
            Mode::Live => (config.target_latency_s - config.segment_s).max(config.segment_s),
            Mode::LowLatency => (config.target_latency_s - config.publish_s()).max(config.chunk_s),
        };
        let (first, last) = (config.ladder_bps[0], config.ladder_bps[config.ladder_bps.len() - 1]);
        let span = ln(last / first).max(1e-9);
        Self {
            costs: config.ladder_bps.iter().map(|&r| ln(last / r) / span).collect(),
            slot_s: config.segment_s,
            slots: ((HORIZON_S / config.segment_s) as usize).clamp(1, SLOTS_MOST),
            most_buffer_s,
            target_s: share * most_buffer_s,
            beta,
            caution,
            rate: EwmaPair::new(3.0, 8.0),
            deviation: Ewma::new(8.0),
            under_way: (0.0, 0.0),
            ladder_bps: config.ladder_bps,
        }
    }

    /// Takes a transfer in.
    pub fn sample(&mut self, sample: Sample) {
        self.under_way.0 += bounded(sample.bits, 0.0, 1e12);
        self.under_way.1 += bounded(sample.transfer_s, 0.0, 3600.0);
    }

    /// Folds the transfers since the last decision into the forecast.
    fn learn(&mut self) {
        let (bits, seconds) = core::mem::take(&mut self.under_way);
        if bits <= 0.0 {
            return;
        }
        let (seconds, rate) = (1.5 * seconds.max(1e-4), bits / seconds.max(1e-4));
        if let Some(before) = self.rate.mean() {
            self.deviation.add(seconds, (rate - before).abs());
        }
        self.rate.add(seconds, rate);
    }

    /// The forecast in bits per second, if there was a transfer.
    pub fn forecast_bps(&self) -> Option<f64> {
        let rate = self.rate.mean()?;
        Some((rate - self.caution * self.deviation.mean().unwrap_or(0.0)).max(0.1 * rate))
    }

    /// The rendition to load next.
    pub fn decide(&mut self, state: &State<'_>) -> usize {
        self.learn();
        let Some(forecast) = self.forecast_bps() else { return 0 };
        let buffer = bounded(state.buffer_s, 0.0, self.most_buffer_s);
        let cap = self.ladder_bps.iter().position(|&r| r >= forecast).unwrap_or(self.ladder_bps.len() - 1);
        let last = state.last.map(|q| q.min(self.ladder_bps.len() - 1));
        let start = last.unwrap_or(0);
        let mut best = (f64::INFINITY, 0);
        for q in 0..=cap {
            let cost = match last {
                None => self.plan(forecast, buffer, q, q, cap, Way::Down).min(self.plan(forecast, buffer, q, q, cap, Way::Up)),
                Some(_) if q < start => self.plan(forecast, buffer, q, start, cap, Way::Down),
                Some(_) if q > start => self.plan(forecast, buffer, q, start, cap, Way::Up),
                Some(_) => self.plan(forecast, buffer, q, q, cap, Way::Down).min(self.plan(forecast, buffer, q, q, cap, Way::Up)),
            };
            if cost < best.0 {
                best = (cost, q);
            }
        }
        best.1
    }

    fn plan(&self, w: f64, buffer: f64, q: usize, before: usize, cap: usize, way: Way) -> f64 {
        self.search(w, buffer, q, before, cap, way, self.slots)
    }

    /// Cost of taking `q` in this slot and the best that follows it on the same way.
    #[allow(clippy::too_many_arguments, reason = "a recursion whose arguments are the node of the search tree")]
    fn search(&self, w: f64, buffer: f64, q: usize, before: usize, cap: usize, way: Way, slots: usize) -> f64 {
        let loaded = w * self.slot_s / self.ladder_bps[q];
        let next = buffer + loaded - self.slot_s;
        if next < 0.0 {
            return f64::INFINITY;
        }
        let next = next.min(self.most_buffer_s);
        let off = (next - self.target_s) / self.target_s;
        let level = off * off * if off > 0.0 { ABOVE_TARGET } else { 1.0 };
        let change = self.costs[q] - self.costs[before];
        let cost = self.costs[q] * loaded + self.beta * level + change * change;
        if slots <= 1 {
            return cost;
        }
        let range = match way {
            Way::Down => 0..=q,
            Way::Up => q..=cap.max(q),
        };
        cost + range.map(|k| self.search(w, next, k, q, cap, way, slots - 1)).fold(f64::INFINITY, f64::min)
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Up,
    Down,
}

const HORIZON_S: f64 = 10.0;
const SLOTS_MOST: usize = 5;
/// Weight of a buffer above its target against one below.
const ABOVE_TARGET: f64 = 0.2;
