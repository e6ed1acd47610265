//! BOLA (INFOCOM 2016) in the form of dash.js 5, and BOLA-E around it.

use tidegate_abr::{EwmaPair, Progress, Sample, State};

use super::{Policy, below, too_slow};

/// The Lyapunov rule on the buffer level.
#[derive(Debug, Clone)]
pub(super) struct Bola {
    ladder_bps: Vec<f64>,
    utilities: Vec<f64>,
    v: f64,
    g: f64,
}

impl Bola {
    pub(super) fn new(ladder_bps: &[f64]) -> Self {
        let utilities: Vec<f64> = ladder_bps.iter().map(|r| (r / ladder_bps[0]).ln() + 1.0).collect();
        let top = utilities[utilities.len() - 1];
        let target = (10.0 + 2.0 * ladder_bps.len() as f64).max(18.0);
        let g = (top - 1.0) / (target / 10.0 - 1.0);
        Self { ladder_bps: ladder_bps.to_vec(), utilities, v: 10.0 / g, g }
    }

    pub(super) fn choose(&self, buffer: f64) -> usize {
        let score = |q: usize| (self.v * (self.utilities[q] - 1.0 + self.g) - buffer) / self.ladder_bps[q];
        (0..self.ladder_bps.len()).fold(0, |best, q| if score(q) > score(best) { q } else { best })
    }

    /// The buffer above which rung `q` is not worth waiting for.
    pub(super) fn most_buffer(&self, q: usize) -> f64 {
        self.v * (self.utilities[q] + self.g - 1.0)
    }

    /// The least buffer at which rung `q` is chosen.
    pub(super) fn least_buffer(&self, q: usize) -> f64 {
        let (r, u) = (&self.ladder_bps, &self.utilities);
        (0..q).fold(0.0, |least: f64, k| least.max(self.v * (self.g + (r[q] * (u[k] - 1.0) - r[k] * (u[q] - 1.0)) / (r[q] - r[k]))))
    }
}

/// BOLA with a virtual buffer at the start and at waits, capped by throughput when going up (BOLA-O).
#[derive(Debug)]
pub struct BolaE {
    bola: Bola,
    ladder_bps: Vec<f64>,
    rate: EwmaPair,
    placeholder_s: f64,
}

impl BolaE {
    /// A session.
    pub fn new(ladder_bps: &[f64]) -> Self {
        Self { bola: Bola::new(ladder_bps), ladder_bps: ladder_bps.to_vec(), rate: EwmaPair::new(3.0, 8.0), placeholder_s: 0.0 }
    }
}

impl Policy for BolaE {
    fn sample(&mut self, sample: Sample) {
        if sample.bits > 0.0 {
            let seconds = sample.transfer_s.max(1e-3);
            self.rate.add(1.5 * seconds, sample.bits / seconds);
        }
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let Some(bps) = self.rate.mean() else { return 0 };
        let sustained = below(&self.ladder_bps, 0.9 * bps);
        if state.last.is_none_or(|_| self.placeholder_s == 0.0 && state.buffer_s < 4.0) {
            self.placeholder_s = (self.bola.least_buffer(sustained) - state.buffer_s).max(0.0);
        }
        self.placeholder_s *= 0.99;
        let q = self.bola.choose(state.buffer_s + self.placeholder_s);
        self.placeholder_s = self.placeholder_s.min((self.bola.most_buffer(q) - state.buffer_s).max(0.0));
        let last = state.last.unwrap_or(0);
        if q > last && q > sustained { sustained.max(last) } else { q }
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.25)
    }
}
