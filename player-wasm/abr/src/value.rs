//! What a state is worth: utilities of the rungs and look-ups in the tables.

use alloc::vec::Vec;

use crate::{
    config::{Config, Mode},
    number::{grid, ln},
    parameters::REGIMES,
    residuals::CLASSES,
};

/// The grid of a value table: rung, distance of the fast from the slow level, slow level, buffer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axes {
    pub(crate) rungs: usize,
    pub(crate) slow_first: f64,
    pub(crate) slow_points: usize,
    pub(crate) buffer_step: f64,
}

/// A place between grid points, without the rung.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) lean: (usize, f64),
    pub(crate) slow: (usize, f64),
}

impl Axes {
    pub(crate) fn new(config: &Config) -> Self {
        let first = ln(config.ladder_bps[0] / 1000.0);
        let top = ln(config.ladder_bps[config.ladder_bps.len() - 1] / 1000.0);
        let slow_first = first - 1.0;
        let slow_points = (((top + 1.3 - slow_first) / SLOW_STEP) as usize + 2).min(SLOW_POINTS_MOST);
        // Recorded media fills its buffer. Live buffers less than the distance to live; parts at the live edge may for a moment hold more.
        let buffer_step = match config.mode() {
            Mode::Vod => config.max_buffer_s / 12.0,
            Mode::Live => config.target_latency_s / 13.0,
            Mode::LowLatency => config.target_latency_s / 10.0,
        };
        Self { rungs: config.ladder_bps.len(), slow_first, slow_points, buffer_step }
    }

    pub(crate) fn place(&self, slow: f64, lean: f64) -> Place {
        Place { lean: grid(lean, LEAN_FIRST, LEAN_STEP, LEAN_POINTS), slow: grid(slow, self.slow_first, SLOW_STEP, self.slow_points) }
    }

    /// Values of one rung.
    pub(crate) fn rung_len(&self) -> usize {
        LEAN_POINTS * self.slow_points * BUFFER_POINTS
    }

    /// Values of one table.
    pub(crate) fn len(&self) -> usize {
        self.rungs * self.rung_len()
    }

    /// Where the buffers of one rung, lean and slow level begin, counted from the start of the rung.
    pub(crate) fn row(&self, lean: usize, slow: usize) -> usize {
        (lean * self.slow_points + slow) * BUFFER_POINTS
    }
}

/// Interpolates the values of one rung; `buffer` is the place on the buffer axis.
pub(crate) fn look_up(axes: &Axes, rung: &[f32], place: Place, buffer: (usize, f64)) -> f64 {
    let at = |lean: usize, slow: usize| {
        let row = axes.row(lean, slow) + buffer.0;
        match rung.get(row..row + 2) {
            Some(&[low, high]) => f64::from(low) * (1.0 - buffer.1) + f64::from(high) * buffer.1,
            _ => 0.0,
        }
    };
    let ((lean, more_lean), (slow, more_slow)) = (place.lean, place.slow);
    let low = at(lean, slow) * (1.0 - more_slow) + at(lean, slow + 1) * more_slow;
    let high = at(lean + 1, slow) * (1.0 - more_slow) + at(lean + 1, slow + 1) * more_slow;
    low * (1.0 - more_lean) + high * more_lean
}

/// Quality of each rung: `ln(r/r_0) / ln(r_max/r_0)`, 0 to 1.
pub(crate) fn utilities(ladder_bps: &[f64]) -> Vec<f64> {
    let (first, last) = (ladder_bps[0], ladder_bps[ladder_bps.len() - 1]);
    let span = ln(last / first);
    ladder_bps.iter().map(|&r| if span > 0.0 { ln(r / first) / span } else { 0.0 }).collect()
}

/// Tables in all: one per regime and class of the mean error.
pub(crate) const TABLES: usize = REGIMES * CLASSES;

pub(crate) const BUFFER_POINTS: usize = 13;
pub(crate) const LEAN_POINTS: usize = 3;
pub(crate) const LEAN_FIRST: f64 = -1.0;
pub(crate) const LEAN_STEP: f64 = 1.0;
pub(crate) const SLOW_STEP: f64 = 0.4;
/// Enough for a ladder that spans a factor of 8 000.
const SLOW_POINTS_MOST: usize = 40;
