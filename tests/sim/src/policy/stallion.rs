//! Stallion (MMSys 2020): mean less the standard deviation of rates, for the share of a segment that no round trip takes.

use std::collections::VecDeque;

use tidegate_abr::{Progress, Sample, State};

use super::{Policy, below, too_slow};
use crate::setting::{SEGMENT_S, Setting};

/// The rule of Stallion.
#[derive(Debug)]
pub struct Stallion {
    ladder_bps: Vec<f64>,
    chunk_s: f64,
    rates: VecDeque<f64>,
    rtts: VecDeque<f64>,
}

impl Stallion {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        Self { ladder_bps: ladder_bps.to_vec(), chunk_s: setting.chunk_s, rates: VecDeque::new(), rtts: VecDeque::new() }
    }
}

impl Policy for Stallion {
    fn sample(&mut self, sample: Sample) {
        if sample.bits > 0.0 {
            for (window, value) in [(&mut self.rates, sample.bits / sample.transfer_s.max(1e-3)), (&mut self.rtts, sample.ttfb_s)] {
                window.push_back(value);
                if window.len() > WINDOW {
                    window.pop_front();
                }
            }
        }
    }

    fn decide(&mut self, _state: &State<'_>) -> usize {
        if self.rates.is_empty() {
            return 0;
        }
        let n = self.rates.len() as f64;
        let mean = self.rates.iter().sum::<f64>() / n;
        let deviation = (self.rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
        // At the live edge a first byte waits for its media; only the least of them is the round trip.
        let rtt = self.rtts.iter().copied().fold(f64::INFINITY, f64::min);
        below(&self.ladder_bps, (mean - SAFETY * deviation) * (1.0 - (rtt / SEGMENT_S).min(0.9)))
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.5 * self.chunk_s)
    }
}

const WINDOW: usize = 20;
const SAFETY: f64 = 1.0;
