//! RobustMPC (SIGCOMM 2015): five segments ahead by search, the harmonic mean of five rates over one plus the worst error of late.

use std::collections::VecDeque;

use tidegate_abr::{Progress, Sample, State};

use super::{Policy, too_slow};
use crate::setting::{SEGMENT_S, Setting};

/// The rule of RobustMPC.
#[derive(Debug)]
pub struct RobustMpc {
    ladder_bps: Vec<f64>,
    most_buffer_s: f64,
    rates: VecDeque<f64>,
    errors: VecDeque<f64>,
    forecast: f64,
    bits: f64,
    seconds: f64,
}

impl RobustMpc {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        let most = if setting.live() { setting.target_s - setting.publish_s } else { setting.max_buffer_s };
        Self {
            ladder_bps: ladder_bps.to_vec(),
            most_buffer_s: most,
            rates: VecDeque::new(),
            errors: VecDeque::new(),
            forecast: 0.0,
            bits: 0.0,
            seconds: 0.0,
        }
    }

    fn search(&self, bps: f64, buffer: f64, last: usize, steps: usize) -> (f64, usize) {
        if steps == 0 {
            return (0.0, 0);
        }
        let top = self.ladder_bps[self.ladder_bps.len() - 1];
        let mut best = (f64::NEG_INFINITY, 0);
        for (q, rate) in self.ladder_bps.iter().enumerate() {
            let time = rate * SEGMENT_S / bps;
            let stall = (time - buffer).max(0.0);
            let next = ((buffer - time).max(0.0) + SEGMENT_S).min(self.most_buffer_s);
            let own = (rate - (rate - self.ladder_bps[last]).abs()) / top - stall;
            let value = own + self.search(bps, next, q, steps - 1).0;
            if value > best.0 {
                best = (value, q);
            }
        }
        best
    }
}

impl Policy for RobustMpc {
    fn sample(&mut self, sample: Sample) {
        self.bits += sample.bits;
        self.seconds += sample.transfer_s;
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        if self.bits > 0.0 {
            let rate = self.bits / self.seconds.max(1e-3);
            if self.forecast > 0.0 {
                self.errors.push_back((self.forecast - rate).abs() / rate);
            }
            self.rates.push_back(rate);
            self.rates.drain(..self.rates.len().saturating_sub(MEMORY));
            self.errors.drain(..self.errors.len().saturating_sub(MEMORY));
            (self.bits, self.seconds) = (0.0, 0.0);
        }
        if self.rates.is_empty() {
            return 0;
        }
        self.forecast = self.rates.len() as f64 / self.rates.iter().map(|r| 1.0 / r).sum::<f64>();
        let worst = self.errors.iter().copied().fold(0.0, f64::max);
        self.search(self.forecast / (1.0 + worst), state.buffer_s, state.last.unwrap_or(0), HORIZON).1
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.25)
    }
}

const MEMORY: usize = 5;
const HORIZON: usize = 5;
