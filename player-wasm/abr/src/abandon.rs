//! Giving up on a request that turns out too slow, judged by the value of what follows.
//!
//! The rate of the running transfer moves every regime's forecast with the evidence `g = 1 - exp(-elapsed / evidence time)` and
//! narrows its errors. Going on is the remaining bits without a round trip; starting again in a lower rung is the whole segment
//! with one. Both end in a state with a value; the price of a change applies to both.

use crate::{
    abr::{Abr, Choice, Outlook},
    config::Mode,
    decision::{Abandon, Progress},
    number::{bounded, exp, ln},
    step::Parts,
    table::{STALL_PRICE, Tables},
};

impl Abr {
    /// Looks at a running request; `Some` when it should be dropped for a lower rung.
    pub fn progress(&self, progress: &Progress<'_>) -> Option<Abandon> {
        let running = progress.rendition.min(self.config.ladder_bps.len() - 1);
        let view = self.view(progress)?;
        if running == 0 {
            return None;
        }
        match self.tables() {
            Some(tables) => self.by_value(tables, progress, running, &view),
            None => self.by_time(progress, running, &view),
        }
    }

    /// What the transfer shows; `None` while no byte can have come.
    fn view(&self, progress: &Progress<'_>) -> Option<View> {
        let rtt = self.rtt.seconds(self.config.rtt_s);
        let at = self.moment(&progress.state);
        let last = self.stage.part_count() - 1;
        let chunk = if progress.whole { last } else { progress.chunk.min(last) };
        let since_start = self.stage.since_start(at, progress.buffered_chunks.min(self.stage.part_count()));
        let mut elapsed = bounded(progress.chunk_elapsed_s, 0.0, 3600.0) - rtt;
        if let Some(known) = progress.chunk_transfer_s {
            elapsed = bounded(known, 0.0, 3600.0);
        } else if self.config.mode() == Mode::LowLatency && progress.state.latency_s.is_some() {
            elapsed = elapsed.min(since_start - self.stage.made(chunk) - 0.5 * rtt);
        }
        if elapsed < LEAST_EVIDENCE_S {
            return None;
        }
        let loaded = bounded(progress.chunk_loaded_bits, 0.0, 1e12);
        let observed = ln(loaded.max(LEAST_BITS) / elapsed / 1000.0);
        Some(View { rtt, at, chunk, since_start, elapsed, loaded, observed })
    }

    fn by_value(&self, tables: &Tables, progress: &Progress<'_>, running: usize, view: &View) -> Option<Abandon> {
        let p = self.parameters;
        let evidence = 1.0 - exp(-view.elapsed / p.abandon_evidence_s);
        let mut forecasts = self.belief.forecasts(p, view.observed);
        for f in &mut forecasts {
            f.rate += evidence * (view.observed - f.rate);
        }
        let errors = self.errors(&forecasts, 1.0 - p.abandon_narrowing * evidence);
        let stall_price = if progress.state.started { STALL_PRICE * p.stall_factor } else { START_UP_PRICE };
        let last = progress.state.last;
        let value = |q: usize, outlook: &Outlook| {
            let change = if last.is_some_and(|last| last != q) { p.change * p.abandon_change } else { 0.0 };
            self.utilities[q] - change + outlook.value
        };
        let (left, parts) = self.left(progress, running, view);
        let choice = Choice { rendition: running, bits: left, shift: 0.0, stall_price };
        let on = self.outlook(tables, &forecasts, &errors, choice, &|bps| match parts {
            Some(parts) => self.stage.parts(view.at, parts, view.rtt, bps),
            None => self.stage.whole(view.at, left / bps),
        });
        if on.worst_stall <= LEAST_STALL_S {
            return None;
        }
        let value_running = value(running, &on);
        let mut best: Option<(usize, f64)> = None;
        for q in 0..running {
            let bits = self.expected_bits[q];
            let choice = Choice { rendition: q, bits, shift: 0.0, stall_price };
            let again = self.outlook(tables, &forecasts, &errors, choice, &|bps| match parts {
                Some(parts) => {
                    let parts = Parts { since_start: view.since_start, bits, first: 0, running_bits: None, ..parts };
                    self.stage.parts(view.at, parts, view.rtt, bps)
                }
                None => self.stage.whole(view.at, view.rtt + bits / bps),
            });
            let value = value(q, &again);
            if best.is_none_or(|(_, most)| value > most) {
                best = Some((q, value));
            }
        }
        let (rendition, value_restart) = best?;
        (value_restart > value_running + p.abandon_threshold).then_some(Abandon { rendition, value_running, value_restart })
    }

    /// Bits that the running segment still needs, and its parts in low latency.
    fn left(&self, progress: &Progress<'_>, running: usize, view: &View) -> (f64, Option<Parts>) {
        let expected = self.expected_bits[running];
        let known = progress.chunk_bits > 0.0;
        if self.config.mode() != Mode::LowLatency || progress.whole {
            let total = if known { progress.chunk_bits } else { expected };
            return (bounded(total - view.loaded, LEAST_SHARE * total, 1e12), None);
        }
        let chunk = if known { progress.chunk_bits } else { expected * self.stage.share(view.chunk) };
        let running_bits = bounded(chunk - view.loaded, LEAST_SHARE * chunk, 1e12);
        let later: f64 = (view.chunk + 1..self.stage.part_count()).map(|j| expected * self.stage.share(j)).sum();
        let parts = Parts {
            since_start: view.since_start,
            bits: expected,
            first: view.chunk,
            running_bits: Some(running_bits),
            buffered: progress.buffered_chunks,
        };
        (running_bits + later, Some(parts))
    }

    /// Without tables: drop when the rest takes longer than the buffer lasts and a lower rung as a whole is quicker.
    fn by_time(&self, progress: &Progress<'_>, running: usize, view: &View) -> Option<Abandon> {
        let bps = 1000.0 * exp(view.observed);
        let (left, _) = self.left(progress, running, view);
        let rest = left / bps;
        if !progress.state.playing || view.elapsed < 0.5 || rest <= view.at.buffer {
            return None;
        }
        let restart = |q: usize| view.rtt + self.expected_bits[q] / bps;
        let rendition = (0..running).rev().find(|&q| restart(q) < view.at.buffer).unwrap_or(0);
        (restart(rendition) < rest).then_some(Abandon { rendition, value_running: -rest, value_restart: -restart(rendition) })
    }
}

/// A running transfer.
#[derive(Debug)]
struct View {
    rtt: f64,
    at: crate::step::Moment,
    chunk: usize,
    since_start: f64,
    /// Seconds since its first byte.
    elapsed: f64,
    loaded: f64,
    /// Its rate so far, as a natural logarithm of kbit/s.
    observed: f64,
}

const LEAST_EVIDENCE_S: f64 = 0.03;
/// A transfer without a byte is taken for one of a packet.
const LEAST_BITS: f64 = 12_000.0;
const LEAST_SHARE: f64 = 0.02;
const LEAST_STALL_S: f64 = 0.001;
/// A second before the first picture, in segments of full quality.
const START_UP_PRICE: f64 = 0.04;
