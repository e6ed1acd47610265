//! hls.js 1.7: EWMA 3/9 s by transfer seconds, 0.95 to stay, 0.70 to go up.

use tidegate_abr::{EwmaPair, Progress, Sample, State};

use super::{Policy, below, too_slow};
use crate::setting::{SEGMENT_S, Setting};

/// The rule of hls.js.
#[derive(Debug)]
pub struct Hls {
    ladder_bps: Vec<f64>,
    live: bool,
    chunk_s: f64,
    rate: EwmaPair,
}

impl Hls {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        Self { ladder_bps: ladder_bps.to_vec(), live: setting.live(), chunk_s: setting.chunk_s, rate: EwmaPair::new(3.0, 9.0) }
    }
}

impl Policy for Hls {
    fn sample(&mut self, sample: Sample) {
        let seconds = sample.transfer_s.max(0.05);
        if sample.bits > 0.0 {
            self.rate.add(seconds, sample.bits / seconds);
        }
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let estimate = self.rate.mean().unwrap_or(START_BPS);
        let fits = |q: &usize| {
            let rate = self.ladder_bps[*q];
            let factor = if state.last.is_some_and(|last| *q <= last) { STAY } else { UP };
            let in_time = self.live || state.last.is_none() || rate * SEGMENT_S / (factor * estimate) < state.buffer_s.max(SEGMENT_S);
            rate <= factor * estimate && in_time
        };
        (0..self.ladder_bps.len()).rev().find(fits).unwrap_or_else(|| below(&self.ladder_bps, STAY * estimate))
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.5 * self.chunk_s)
    }
}

const START_BPS: f64 = 500e3;
const STAY: f64 = 0.95;
const UP: f64 = 0.70;
