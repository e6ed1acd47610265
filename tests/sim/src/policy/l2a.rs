//! L2A-LL (MMSys 2020): online convex optimisation over the probabilities of the rungs.
//!
//! All rates go in as shares of the last throughput, which is where dash.js mixes units.

use tidegate_abr::{Progress, Sample, State};

use super::{Policy, below, too_slow};
use crate::setting::{SEGMENT_S, Setting};

/// The rule of L2A-LL.
#[derive(Debug)]
pub struct L2a {
    ladder_bps: Vec<f64>,
    chunk_s: f64,
    weights: Vec<f64>,
    queue: f64,
    /// Bits and seconds since the last decision, and the rate before.
    loaded: (f64, f64),
    throughput: f64,
}

impl L2a {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        Self {
            ladder_bps: ladder_bps.to_vec(),
            chunk_s: setting.chunk_s,
            weights: Vec::new(),
            queue: 0.0,
            loaded: (0.0, 0.0),
            throughput: 0.0,
        }
    }
}

impl Policy for L2a {
    fn sample(&mut self, sample: Sample) {
        self.loaded.0 += sample.bits;
        self.loaded.1 += sample.transfer_s;
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let (bits, seconds) = std::mem::take(&mut self.loaded);
        if bits > 0.0 {
            self.throughput = bits / seconds.max(1e-3);
        }
        let Some(last) = state.last.filter(|_| self.throughput > 0.0) else { return 0 };
        let top = self.ladder_bps.len() - 1;
        if self.weights.is_empty() {
            let start = below(&self.ladder_bps, 0.9 * self.throughput);
            self.weights = (0..=top).map(|q| f64::from(u8::from(q == start))).collect();
        }
        let v = SEGMENT_S;
        let vl = 4f64.powf(0.99);
        let alpha = (2.0 * vl).max(4.0);
        let share: Vec<f64> = self.ladder_bps.iter().map(|r| state.rate * r / self.throughput).collect();
        let before = self.weights.clone();
        let mut sign = 1.0;
        for (weight, share) in self.weights.iter_mut().zip(&share) {
            if *share > 1.0 {
                sign = -1.0;
            }
            *weight += sign * (v / (2.0 * alpha)) * (self.queue + vl) * share;
        }
        project(&mut self.weights);
        let ahead: f64 = share.iter().zip(self.weights.iter().zip(&before)).map(|(s, (w, b))| s * (2.0 * w - b)).sum();
        self.queue = (self.queue - v + v * ahead).max(0.0);
        let aim: f64 = self.ladder_bps.iter().zip(&self.weights).map(|(r, w)| r * w).sum();
        let near = |q: &usize| (self.ladder_bps[*q] - aim).abs();
        let nearest = (0..=top).min_by(|a, b| near(a).total_cmp(&near(b))).unwrap_or(0);
        let q = if nearest > last { last + 1 } else { nearest };
        if self.ladder_bps[q] >= self.throughput {
            self.queue = 2.0 * vl.max(self.queue);
        }
        q
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.5 * self.chunk_s)
    }
}

/// The nearest point whose coordinates are not negative and add up to one.
fn project(weights: &mut [f64]) {
    let mut sorted = weights.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (i, w) in sorted.iter().enumerate() {
        sum += w;
        let candidate = (sum - 1.0) / (i + 1) as f64;
        if *w > candidate {
            shift = candidate;
        }
    }
    weights.iter_mut().for_each(|w| *w = (*w - shift).max(0.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projection_is_on_the_simplex_and_keeps_what_is_there() {
        let mut inside = [0.2, 0.3, 0.5];
        project(&mut inside);
        assert!(inside.iter().zip([0.2, 0.3, 0.5]).all(|(a, b)| (a - b).abs() < 1e-12));
        let mut far = [3.0, -1.0, 2.5];
        project(&mut far);
        assert_eq!(far, [0.75, 0.0, 0.25]);
    }
}
