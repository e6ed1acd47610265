//! VHS (Video.js 8): the last transfer's rate over 1.2, 4.2 Mbit/s at the start.

use tidegate_abr::{Sample, State};

use super::{Policy, below};

/// The rule of VHS.
#[derive(Debug)]
pub struct Vhs {
    ladder_bps: Vec<f64>,
    bps: f64,
}

impl Vhs {
    /// A session.
    pub fn new(ladder_bps: &[f64]) -> Self {
        Self { ladder_bps: ladder_bps.to_vec(), bps: 4.2e6 }
    }
}

impl Policy for Vhs {
    fn sample(&mut self, sample: Sample) {
        if sample.bits > 0.0 {
            self.bps = sample.bits / sample.transfer_s.max(1e-3);
        }
    }

    fn decide(&mut self, _state: &State<'_>) -> usize {
        below(&self.ladder_bps, self.bps / 1.2)
    }
}
