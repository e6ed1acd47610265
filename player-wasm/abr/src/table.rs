//! Value tables: what every state of link and buffer is worth when the best choice follows in each segment.
//!
//! For each regime and each class of the mean error, `V[previous rung][lean][slow level][buffer]` by value iteration:
//! `Q[q] = u(q) + sum_j p_j (discount V[q](next state_j) - price * stall_j - cost of lateness)`,
//! `V[q] = max(Q[q], max_k Q[k] - change)`. The previous rung enters through the price of a change alone, so one Q per choice
//! serves every previous rung. The number of sweeps bounds the horizon and belongs to the fitted parameters.
//!
//! A [`Builder`] does this in slices of less than 0.1 ms.

use alloc::{vec, vec::Vec};

use crate::{
    config::{Config, Mode},
    number::exp,
    parameters::{Parameters, REGIMES},
    residuals::{CLASSES, POINTS, Residuals, WEIGHTS},
    scenario::{effective_rate, errors},
    step::{Moment, Stage},
    value::{Axes, BUFFER_POINTS, LEAN_FIRST, LEAN_POINTS, LEAN_STEP, Place, SLOW_STEP, TABLES, utilities},
};

/// Finished value tables of a ladder and setting; sessions of the same configuration can share them.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    config: Config,
    pub(crate) axes: Axes,
    values: Vec<f32>,
}

impl Tables {
    /// Builds them in one go.
    pub fn build(config: &Config) -> Self {
        let mut builder = Builder::new(config);
        while !builder.slice() {}
        builder.finish()
    }

    /// Whether they were built for this configuration.
    pub fn fits(&self, config: &Config) -> bool {
        let planned = |c: &Config| Config { rtt_s: 0.0, ..c.clone().sane() };
        planned(&self.config) == planned(config)
    }

    /// Their size in memory.
    pub fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }

    pub(crate) fn rung(&self, regime: usize, class: usize, rung: usize) -> &[f32] {
        let start = (regime * CLASSES + class) * self.axes.len() + rung * self.axes.rung_len();
        self.values.get(start..start + self.axes.rung_len()).unwrap_or(&[])
    }
}

/// Tables under construction.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    config: Config,
    parameters: &'static Parameters,
    stage: Stage,
    axes: Axes,
    utilities: Vec<f64>,
    values: Vec<f32>,
    /// The table that is being built, counted over regimes and classes.
    table: usize,
    /// Sweep of that table; 0 finds out where each state leads to.
    sweep: u32,
    /// Rung of that sweep.
    rung: usize,
    /// Per rung, lean, slow level and residual: where the levels go.
    places: Vec<Place>,
    /// Per rung, lean, slow level, residual and buffer: where the buffer goes, on its axis.
    buffers: Vec<f32>,
    /// Per rung, lean, slow level and buffer: what the segment is worth by itself.
    gains: Vec<f32>,
    /// Value of each choice in each state.
    choices: Vec<f32>,
}

impl Builder {
    pub(crate) fn new(config: &Config) -> Self {
        let config = config.clone().sane();
        let parameters = config.parameters();
        let axes = Axes::new(&config);
        let states = axes.rungs * LEAN_POINTS * axes.slow_points;
        let nowhere = Place { lean: (0, 0.0), slow: (0, 0.0) };
        Self {
            stage: Stage::new(&config, parameters.margin_s),
            utilities: utilities(&config.ladder_bps),
            values: vec![0.0; TABLES * axes.len()],
            table: 0,
            sweep: 0,
            rung: 0,
            places: vec![nowhere; states * POINTS],
            buffers: vec![0.0; states * POINTS * BUFFER_POINTS],
            gains: vec![0.0; states * BUFFER_POINTS],
            choices: vec![0.0; states * BUFFER_POINTS],
            parameters,
            axes,
            config,
        }
    }

    /// Does one slice of the work; true when nothing is left.
    pub(crate) fn slice(&mut self) -> bool {
        if self.table >= TABLES {
            return true;
        }
        if self.sweep == 0 {
            self.explore();
        } else {
            self.choose();
        }
        self.rung += 1;
        if self.rung == self.axes.rungs {
            self.rung = 0;
            if self.sweep == 0 {
                self.start();
            } else {
                self.settle();
            }
            self.sweep += 1;
            let first_class = self.table.is_multiple_of(CLASSES);
            if self.sweep > if first_class { FIRST_SWEEPS } else { LATER_SWEEPS } {
                self.sweep = 0;
                self.table += 1;
            }
        }
        self.table >= TABLES
    }

    /// Takes the tables out; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> Tables {
        Tables { config: self.config.clone(), axes: self.axes.clone(), values: core::mem::take(&mut self.values) }
    }

    /// Finds out where each state leads when `self.rung` is chosen.
    fn explore(&mut self) {
        let (regime, class) = (self.table / CLASSES, self.table % CLASSES);
        let (p, q) = (self.parameters, self.rung);
        let table = Residuals::of(self.config.mode());
        let own = &p.regimes[regime.min(REGIMES - 1)];
        let bits = self.config.ladder_bps[q] * self.config.segment_s;
        let moments: Vec<(Moment, f64)> = (0..BUFFER_POINTS).map(|b| self.moment(b as f64 * self.axes.buffer_step)).collect();
        let (last, per_step) = ((BUFFER_POINTS - 1) as f64, 1.0 / self.axes.buffer_step);
        for lean in 0..LEAN_POINTS {
            let delta = LEAN_FIRST + lean as f64 * LEAN_STEP;
            let errors = errors(table, own, regime, table.centres[regime][class], delta);
            for s in 0..self.axes.slow_points {
                let slow = self.axes.slow_first + s as f64 * SLOW_STEP;
                let fast = slow + delta;
                let rate = slow + own.persistence * delta;
                let state = (q * LEAN_POINTS + lean) * self.axes.slow_points + s;
                let gains = state * BUFFER_POINTS;
                self.gains[gains..gains + BUFFER_POINTS].fill(self.utilities[q] as f32);
                for (j, &error) in errors.iter().enumerate() {
                    let x = effective_rate(p, rate, error, bits);
                    let (slow, fast) = (slow + own.slow * (x - slow), fast + own.fast * (x - fast));
                    self.places[state * POINTS + j] = self.axes.place(slow, fast - slow);
                    let bps = 1000.0 * exp(x);
                    let start = (state * POINTS + j) * BUFFER_POINTS;
                    let places = &mut self.buffers[start..][..moments.len()];
                    let gains = &mut self.gains[gains..][..moments.len()];
                    for ((place, gain), &(at, lateness)) in places.iter_mut().zip(gains).zip(&moments) {
                        let after = self.stage.segment(at, bits, PLANNED_RTT_S, bps);
                        let next = after.buffer * per_step;
                        *place = (if next < last { next } else { last }) as f32;
                        *gain -= (WEIGHTS[j] * (STALL_PRICE * p.stall_factor * after.stall + lateness)) as f32;
                    }
                }
            }
        }
    }

    /// The state of playback that goes with a buffer, and the cost of being late in it.
    fn moment(&self, buffer: f64) -> (Moment, f64) {
        let target = self.config.target_latency_s;
        let latency = target.max(buffer + self.config.edge_s());
        if self.config.mode() != Mode::Vod && latency > target + 0.01 {
            let rate = self.config.catch_up.max;
            (Moment { buffer, latency, rate, playing: true }, LATENESS_PRICE * (latency - target) + CATCH_UP_PRICE)
        } else {
            (Moment { buffer, latency, rate: 1.0, playing: true }, 0.0)
        }
    }

    /// First guess of a table: nine tenths of what the link carries for ever, or the table of the class before.
    fn start(&mut self) {
        let (at, len) = (self.table * self.axes.len(), self.axes.len());
        if !self.table.is_multiple_of(CLASSES) {
            self.values.copy_within(at - len..at, at);
            return;
        }
        for q in 0..self.axes.rungs {
            for s in 0..self.axes.slow_points {
                let carried = 800.0 * exp(self.axes.slow_first + s as f64 * SLOW_STEP);
                let best = self.config.ladder_bps.iter().rposition(|&r| r < carried).unwrap_or(0);
                let change = if best == q { 0.0 } else { self.parameters.change };
                let value = 0.9 * self.utilities[best] / (1.0 - self.parameters.discount) - change;
                for lean in 0..LEAN_POINTS {
                    let row = at + q * self.axes.rung_len() + self.axes.row(lean, s);
                    self.values[row..row + BUFFER_POINTS].fill(value as f32);
                }
            }
        }
    }

    /// Values the choice of `self.rung` in every state.
    fn choose(&mut self) {
        let (q, discount) = (self.rung, self.parameters.discount);
        let start = self.table * self.axes.len() + q * self.axes.rung_len();
        let values = &self.values[start..start + self.axes.rung_len()];
        let mut row = [0.0f32; BUFFER_POINTS];
        for state in q * LEAN_POINTS * self.axes.slow_points..(q + 1) * LEAN_POINTS * self.axes.slow_points {
            let choices = &mut self.choices[state * BUFFER_POINTS..][..BUFFER_POINTS];
            choices.copy_from_slice(&self.gains[state * BUFFER_POINTS..][..BUFFER_POINTS]);
            for (j, &probability) in WEIGHTS.iter().enumerate() {
                let Place { lean: (lean, more_lean), slow: (slow, more_slow) } = self.places[state * POINTS + j];
                let scale = (discount * probability) as f32;
                let (more_lean, more_slow) = (more_lean as f32, more_slow as f32);
                let corner = |lean, slow| &values[self.axes.row(lean, slow)..][..BUFFER_POINTS];
                let (v00, v01) = (corner(lean, slow), corner(lean, slow + 1));
                let (v10, v11) = (corner(lean + 1, slow), corner(lean + 1, slow + 1));
                let (s00, s01) = (scale * (1.0 - more_lean) * (1.0 - more_slow), scale * (1.0 - more_lean) * more_slow);
                let (s10, s11) = (scale * more_lean * (1.0 - more_slow), scale * more_lean * more_slow);
                for b in 0..BUFFER_POINTS {
                    row[b] = v00[b] * s00 + v01[b] * s01 + v10[b] * s10 + v11[b] * s11;
                }
                let buffers = &self.buffers[(state * POINTS + j) * BUFFER_POINTS..][..BUFFER_POINTS];
                for (choice, &place) in choices.iter_mut().zip(buffers) {
                    let low = (place as usize).min(BUFFER_POINTS - 2);
                    let more = place - low as f32;
                    *choice += row[low] + (row[low + 1] - row[low]) * more;
                }
            }
        }
    }

    /// Ends a sweep: the best choice of each state, the price of a change counted in.
    fn settle(&mut self) {
        let (len, start) = (self.axes.rung_len(), self.table * self.axes.len());
        let change = self.parameters.change as f32;
        for state in 0..len {
            let best = (0..self.axes.rungs).map(|k| self.choices[k * len + state]).fold(f32::NEG_INFINITY, f32::max);
            for q in 0..self.axes.rungs {
                self.values[start + q * len + state] = self.choices[q * len + state].max(best - change);
            }
        }
    }
}

/// A second of stall costs this, in segments of full quality, times the fitted factor.
pub(crate) const STALL_PRICE: f64 = 5.0;
const LATENESS_PRICE: f64 = 0.1;
const CATCH_UP_PRICE: f64 = 0.05;
const PLANNED_RTT_S: f64 = 0.04;
const FIRST_SWEEPS: u32 = 12;
const LATER_SWEEPS: u32 = 4;
