//! dash.js 5: throughput, or DYNAMIC (BOLA on a full buffer), under its guards; the lowest answer wins.

use tidegate_abr::{EwmaPair, Mode, Progress, Sample, State};

use super::{Policy, below, bola::Bola};
use crate::setting::{SEGMENT_S, Setting};

/// The rules of dash.js.
#[derive(Debug)]
pub struct Dash {
    ladder_bps: Vec<f64>,
    rate: EwmaPair,
    bola: Option<Bola>,
    /// Whether DYNAMIC is on its buffer rule.
    on_buffer: bool,
    low_latency: bool,
    /// The last decisions, for the rule against going to and fro.
    history: Vec<usize>,
}

impl Dash {
    /// DYNAMIC.
    pub fn dynamic(setting: &Setting, ladder_bps: &[f64]) -> Self {
        Self { bola: Some(Bola::new(ladder_bps)), ..Self::throughput(setting, ladder_bps) }
    }

    /// Throughput alone.
    pub fn throughput(setting: &Setting, ladder_bps: &[f64]) -> Self {
        Self {
            ladder_bps: ladder_bps.to_vec(),
            rate: EwmaPair::new(3.0, 8.0),
            bola: None,
            on_buffer: false,
            low_latency: setting.mode == Mode::LowLatency,
            history: Vec::new(),
        }
    }

    /// The rung below the first one that is left downwards too often.
    fn history_cap(&self) -> usize {
        let top = self.ladder_bps.len() - 1;
        let (mut drops, mut keeps) = (vec![0.0; top + 1], vec![0.0; top + 1]);
        for pair in self.history.windows(2) {
            if pair[1] < pair[0] { drops[pair[0]] += 1.0 } else { keeps[pair[0]] += 1.0 }
        }
        let full = self.history.len() > HISTORY;
        (1..=top).find(|&q| full && drops[q] + keeps[q] > 0.0 && drops[q] > DROPS_TO_KEEPS * keeps[q]).map_or(top, |q| q - 1)
    }
}

impl Policy for Dash {
    fn sample(&mut self, sample: Sample) {
        if sample.bits > 0.0 {
            let seconds = sample.transfer_s.max(1e-3);
            self.rate.add(1.5 * seconds, sample.bits / seconds);
        }
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let Some(bps) = self.rate.mean() else { return 0 };
        let throughput = below(&self.ladder_bps, 0.9 * bps);
        let mut q = throughput;
        if let Some(bola) = &self.bola {
            let last = state.last.unwrap_or(0);
            let free = bola.choose(state.buffer_s);
            let by_buffer = if free > last && free > throughput { throughput.max(last) } else { free };
            self.on_buffer = match self.on_buffer {
                false => state.buffer_s >= BUFFER_ON_S - 0.01 && by_buffer >= throughput,
                true => state.buffer_s >= BUFFER_OFF_S || by_buffer >= throughput,
            };
            if self.on_buffer {
                q = by_buffer;
            }
        }
        if !self.low_latency && state.started {
            q = q.min(below(&self.ladder_bps, 0.7 * bps * state.buffer_s / SEGMENT_S));
        }
        q = q.min(self.history_cap());
        self.history.push(q);
        if self.history.len() > HISTORY + 1 {
            self.history.remove(0);
        }
        q
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        let seconds = progress.chunk_transfer_s.unwrap_or(progress.chunk_elapsed_s);
        if progress.rendition == 0 || seconds < 0.5 || progress.chunk_loaded_bits <= 0.0 {
            return None;
        }
        let bps = progress.chunk_loaded_bits / seconds;
        let media = if self.low_latency { LOW_LATENCY_CHUNK_S } else { SEGMENT_S };
        if progress.chunk_bits / bps < TOO_LONG * media {
            return None;
        }
        let lower = below(&self.ladder_bps, 0.9 * bps);
        let whole = progress.chunk_bits * self.ladder_bps[lower] / self.ladder_bps[progress.rendition];
        (lower < progress.rendition && progress.chunk_bits - progress.chunk_loaded_bits > whole).then_some(lower)
    }
}

const HISTORY: usize = 8;
const DROPS_TO_KEEPS: f64 = 0.075;
const BUFFER_ON_S: f64 = 18.0;
const BUFFER_OFF_S: f64 = 9.0;
const TOO_LONG: f64 = 1.8;
const LOW_LATENCY_CHUNK_S: f64 = 0.5;
