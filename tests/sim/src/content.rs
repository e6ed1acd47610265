//! What is played: a ladder, and sizes that vary from segment to segment, the same for every policy.

use crate::{
    random::Random,
    setting::{SEGMENT_S, Setting},
};

/// Sizes of all segments of a session.
#[derive(Debug, Clone)]
pub struct Content {
    /// Average rates in bits per second.
    pub ladder_bps: Vec<f64>,
    /// Size of each segment over its nominal size.
    factors: Vec<f64>,
}

impl Content {
    /// Sizes by seed: log-normal, neighbours alike, the same factor for all rungs.
    pub fn new(ladder_bps: &[f64], seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut z = random.normal();
        let factors = (0..SEGMENTS_MOST)
            .map(|_| {
                let factor = (SIGMA * z - 0.5 * SIGMA * SIGMA).exp();
                z = LIKENESS * z + (1.0 - LIKENESS * LIKENESS).sqrt() * random.normal();
                factor
            })
            .collect();
        Self { ladder_bps: ladder_bps.to_vec(), factors }
    }

    /// Bits of segment `n` in rung `q`.
    pub fn segment_bits(&self, n: usize, q: usize) -> f64 {
        self.ladder_bps[q] * SEGMENT_S * self.factors[n % self.factors.len()]
    }

    /// Bits of chunk `j` of segment `n` in rung `q`; the first chunk is half as large again.
    pub fn chunk_bits(&self, setting: &Setting, n: usize, q: usize, j: usize) -> f64 {
        let chunks = SEGMENT_S / setting.chunk_s;
        let share = if chunks < 1.5 {
            1.0
        } else if j == 0 {
            1.5 / chunks
        } else {
            (chunks - 1.5) / (chunks - 1.0) / chunks
        };
        self.segment_bits(n, q) * share
    }
}

const SEGMENTS_MOST: usize = 4096;
const SIGMA: f64 = 0.18;
/// Correlation of neighbouring sizes.
const LIKENESS: f64 = 0.6;
