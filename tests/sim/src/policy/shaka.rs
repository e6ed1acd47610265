//! Shaka 5.2, simplified: EWMA 2/5 s, 0.95 down and 0.85 up, one change in 8 s.

use tidegate_abr::{EwmaPair, Sample, State};

use super::Policy;

/// The rule of Shaka.
#[derive(Debug)]
pub struct Shaka {
    ladder_bps: Vec<f64>,
    rate: EwmaPair,
    bits: f64,
    /// Seconds of media loaded since the last change: the clock of a rule that sees no clock.
    since_change_s: f64,
}

impl Shaka {
    /// A session.
    pub fn new(ladder_bps: &[f64]) -> Self {
        Self { ladder_bps: ladder_bps.to_vec(), rate: EwmaPair::new(2.0, 5.0), bits: 0.0, since_change_s: 0.0 }
    }
}

impl Policy for Shaka {
    fn sample(&mut self, sample: Sample) {
        self.since_change_s += sample.media_s;
        if sample.bits >= LEAST_BITS {
            let seconds = sample.transfer_s.max(1e-3);
            self.bits += sample.bits;
            self.rate.add(seconds, sample.bits / seconds);
        }
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let measured = if self.bits >= TRUSTED_BITS { self.rate.mean() } else { None };
        let estimate = measured.unwrap_or(START_BPS);
        let wanted = self.ladder_bps.iter().rposition(|&r| r / DOWN <= estimate).unwrap_or(0);
        let up = self.ladder_bps.iter().rposition(|&r| r / UP <= estimate).unwrap_or(0);
        match state.last {
            None => wanted,
            Some(last) if self.since_change_s < INTERVAL_S && last < self.ladder_bps.len() => last,
            Some(last) => {
                let next = if wanted > last { up.max(last) } else { wanted };
                if next != last {
                    self.since_change_s = 0.0;
                }
                next
            }
        }
    }
}

const START_BPS: f64 = 1e6;
/// 16 kB and 128 kB.
const LEAST_BITS: f64 = 131_072.0;
const TRUSTED_BITS: f64 = 1_048_576.0;
const DOWN: f64 = 0.95;
const UP: f64 = 0.85;
const INTERVAL_S: f64 = 8.0;
