//! LoL+ (MMSys 2020, as in dash.js): a self-organising map of what each rung led to, under weights that are searched anew.

use tidegate_abr::{Progress, Sample, State};

use super::{Policy, too_slow};
use crate::setting::{SEGMENT_S, Setting};

/// The rule of LoL+.
#[derive(Debug)]
pub struct LolPlus {
    ladder_bps: Vec<f64>,
    chunk_s: f64,
    /// Rates are divided by this.
    norm: f64,
    /// Per rung: rate, latency, stall, change.
    nodes: Vec<[f64; 4]>,
    loaded: (f64, f64),
    throughput: f64,
    stalled: bool,
    before: Option<usize>,
}

impl LolPlus {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        let norm = ladder_bps.iter().map(|r| r * r).sum::<f64>().sqrt();
        Self {
            ladder_bps: ladder_bps.to_vec(),
            chunk_s: setting.chunk_s,
            norm,
            nodes: ladder_bps.iter().map(|r| [r / norm, 0.0, 0.0, 0.0]).collect(),
            loaded: (0.0, 0.0),
            throughput: 0.0,
            stalled: false,
            before: None,
        }
    }

    /// The weights that promise most: quality of a rung less its stalls and latency, where the buffer holds.
    fn weights(&self, buffer: f64, latency: f64) -> [f64; 4] {
        let top = self.ladder_bps[self.ladder_bps.len() - 1];
        let late = if latency <= 1.1 { 0.05 * self.ladder_bps[0] } else { 0.1 * top };
        let mut best = (f64::NEG_INFINITY, [1.0; 4]);
        let steps = || (1..=5).map(|k| 0.2 * f64::from(k));
        for (q, rate) in self.ladder_bps.iter().enumerate() {
            let next = buffer - SEGMENT_S * rate / self.throughput;
            if next + SEGMENT_S < LEAST_BUFFER_S {
                continue;
            }
            let stall = (-next).max(1e-5);
            for w in steps().flat_map(|a| steps().map(move |b| (a, b))) {
                let value = SEGMENT_S * rate - top * stall * self.nodes[q][2].max(1.0) / w.0 - late * latency / w.1;
                if value > best.0 {
                    best = (value, [1.0, w.1, w.0, 1.0]);
                }
            }
        }
        best.1
    }

    /// Moves the rungs near the one that was loaded towards what it led to.
    fn learn(&mut self, q: usize, seen: [f64; 4]) {
        let here = self.nodes[q];
        for node in &mut self.nodes {
            let apart: f64 = node.iter().zip(&here).map(|(a, b)| (a - b).powi(2)).sum();
            let near = (-apart / (2.0 * SIGMA * SIGMA)).exp();
            for (a, b) in node.iter_mut().zip(seen).skip(1) {
                *a += LEARNING * near * (b - *a);
            }
        }
    }
}

impl Policy for LolPlus {
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
        let latency = state.latency_s.unwrap_or(0.0);
        let (buffer, throughput) = (state.buffer_s, self.throughput);
        let change = self.before.map_or(0.0, |before| (self.ladder_bps[last] - self.ladder_bps[before]).abs() / self.norm);
        self.learn(last, [throughput / self.norm, latency / 100.0, f64::from(u8::from(self.stalled)), change]);
        self.before = Some(last);
        self.stalled = !state.playing;
        if buffer - SEGMENT_S * self.ladder_bps[last] / throughput < LEAST_BUFFER_S {
            return self.ladder_bps.iter().rposition(|r| buffer - SEGMENT_S * r / throughput >= LEAST_BUFFER_S).unwrap_or(0).min(last);
        }
        let weights = self.weights(buffer, latency);
        let aim = [(throughput / self.norm).min(self.nodes[self.nodes.len() - 1][0]), 0.0, 0.0, 0.0];
        let distance = |q: usize| {
            let mut weights = weights;
            let rate = self.ladder_bps[q];
            if rate > throughput - 10e3 || buffer - SEGMENT_S * rate / throughput < LEAST_BUFFER_S {
                weights[0] = 100.0;
            }
            (0..4).map(|i| weights[i] * (self.nodes[q][i] - aim[i]).powi(2)).sum::<f64>()
        };
        (0..self.ladder_bps.len()).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(0)
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        too_slow(&self.ladder_bps, progress, 0.5 * self.chunk_s)
    }
}

const LEAST_BUFFER_S: f64 = 0.3;
const LEARNING: f64 = 0.01;
const SIGMA: f64 = 0.1;
