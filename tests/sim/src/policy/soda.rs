//! SODA (SIGCOMM 2024), the best published rule for short buffers.

use tidegate_abr::{Progress, Sample, Soda, State};

use super::{Policy, too_slow};
use crate::setting::Setting;

/// SODA with the usual rule for giving up.
#[derive(Debug)]
pub struct SodaRule {
    soda: Soda,
    ladder_bps: Vec<f64>,
}

impl SodaRule {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        Self { soda: Soda::new(&setting.config(ladder_bps)), ladder_bps: ladder_bps.to_vec() }
    }
}

impl Policy for SodaRule {
    fn sample(&mut self, sample: Sample) {
        if sample.bits > 0.0 {
            self.soda.sample(sample);
        }
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        self.soda.decide(state)
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.25)
    }
}
