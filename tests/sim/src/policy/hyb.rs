//! HYB: the highest rung that is expected to be here within a share of the buffer.

use tidegate_abr::{EwmaPair, Progress, Sample, State};

use super::{Policy, too_slow};
use crate::setting::SEGMENT_S;

/// The rule of HYB with an EWMA forecast.
#[derive(Debug)]
pub struct Hyb {
    ladder_bps: Vec<f64>,
    rate: EwmaPair,
}

impl Hyb {
    /// A session.
    pub fn new(ladder_bps: &[f64]) -> Self {
        Self { ladder_bps: ladder_bps.to_vec(), rate: EwmaPair::new(3.0, 8.0) }
    }
}

impl Policy for Hyb {
    fn sample(&mut self, sample: Sample) {
        if sample.bits > 0.0 {
            let seconds = sample.transfer_s.max(1e-3);
            self.rate.add(1.5 * seconds, sample.bits / seconds);
        }
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let Some(bps) = self.rate.mean() else { return 0 };
        let in_time = |&r: &f64| r * SEGMENT_S / bps <= SHARE * state.buffer_s && r <= bps;
        self.ladder_bps.iter().rposition(in_time).unwrap_or(0)
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.25)
    }
}

const SHARE: f64 = 0.7;
