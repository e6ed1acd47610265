//! What is believed about the link: three regimes, each a way in which rates may move, and how well each did so far.
//!
//! All rates are natural logarithms of kbit/s. A regime keeps a slow and a fast level and forecasts
//! `slow + persistence * (fast - slow)`: persistence near 1 with quick gains means "levels jump and stay", below 1 means "what
//! was unusual fades". The loss of a forecast is that of a Laplace distribution, `ln d + |error|/d` with the mean error d, taken
//! one sample ahead and for the mean of four samples ahead; regimes weigh `exp(-temperature * loss)` with losses forgotten
//! geometrically (fixed-share style mixing of experts).

use crate::{
    number::{exp, ln},
    parameters::{Parameters, REGIMES},
};

/// What a regime expects of the next transfer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forecast {
    pub(crate) regime: usize,
    pub(crate) weight: f64,
    /// Expected rate.
    pub(crate) rate: f64,
    /// Mean error of such expectations.
    pub(crate) spread: f64,
    pub(crate) slow: f64,
    pub(crate) fast: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Belief {
    samples: u32,
    /// The last four rates, oldest first.
    recent: [f64; AHEAD],
    levels: [Level; REGIMES],
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    slow: f64,
    fast: f64,
    spread: f64,
    spread_ahead: f64,
    loss: f64,
    /// Forecasts of the mean of the next four rates, made at the last four samples, oldest first.
    ahead: [f64; AHEAD],
}

impl Belief {
    pub(crate) fn new() -> Self {
        Self { samples: 0, recent: [0.0; AHEAD], levels: [Level::default(); REGIMES] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The last rates, oldest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = f64> + '_ {
        let known = (self.samples as usize).min(AHEAD);
        self.recent.iter().skip(AHEAD - known).copied()
    }

    /// Takes in the rate `x` of what was transferred since the last decision; `inner` is how far its parts were from it.
    pub(crate) fn observe(&mut self, p: &Parameters, x: f64, inner: f64) {
        self.samples = self.samples.saturating_add(1);
        let n = f64::from(self.samples);
        self.recent.rotate_left(1);
        self.recent[AHEAD - 1] = x;
        let mean = self.recent.iter().sum::<f64>() / AHEAD as f64;
        for (level, r) in self.levels.iter_mut().zip(&p.regimes) {
            if self.samples == 1 {
                *level = Level { slow: x, fast: x, spread: p.error_start, spread_ahead: p.error_start, ..Level::default() };
            }
            let error = (x - (level.slow + r.persistence * (level.fast - level.slow))).abs();
            let mut loss = surprise(error, level.spread);
            level.spread += p.error_gain.max(1.0 / (n + 1.0)) * (error + p.inner_spread * inner - level.spread);
            if self.samples > AHEAD as u32 + 1 {
                let error = (mean - level.ahead[0]).abs();
                loss += p.ahead_weight * surprise(error, level.spread_ahead);
                level.spread_ahead += p.error_gain.max(1.0 / (n - 3.0)) * (error - level.spread_ahead);
            }
            level.loss = p.forgetting * level.loss + loss;
            level.slow += r.slow.max(1.0 / n) * (x - level.slow);
            level.fast += r.fast.max(1.0 / n) * (x - level.fast);
            level.ahead.rotate_left(1);
            level.ahead[AHEAD - 1] = mean_ahead(level.slow, level.fast, r.slow, r.fast, r.persistence);
        }
    }

    /// The forecasts of all regimes; before the first sample they all expect `otherwise`.
    pub(crate) fn forecasts(&self, p: &Parameters, otherwise: f64) -> [Forecast; REGIMES] {
        let mut weights = [0.0; REGIMES];
        let score = |r: usize| p.prior[r] - p.temperature * self.levels[r].loss;
        let best = (0..REGIMES).map(score).fold(f64::NEG_INFINITY, f64::max);
        for (r, weight) in weights.iter_mut().enumerate() {
            *weight = exp(score(r) - best);
        }
        let sum: f64 = weights.iter().sum();
        core::array::from_fn(|r| {
            let (level, own) = (&self.levels[r], &p.regimes[r]);
            let weight = weights[r] / sum;
            if self.is_empty() {
                return Forecast { regime: r, weight, rate: otherwise, spread: p.error_start, slow: otherwise, fast: otherwise };
            }
            let rate = level.slow + own.persistence * (level.fast - level.slow);
            Forecast { regime: r, weight, rate, spread: level.spread, slow: level.slow, fast: level.fast }
        })
    }
}

/// Loss of an error against its usual size, bounded so that one outage does not decide for minutes.
fn surprise(error: f64, spread: f64) -> f64 {
    let spread = spread.max(LEAST_SPREAD);
    ln(spread) + (error / spread).min(MOST_SURPRISE)
}

/// Mean of the next four forecasts when each one comes true.
fn mean_ahead(mut slow: f64, mut fast: f64, slow_gain: f64, fast_gain: f64, persistence: f64) -> f64 {
    let mut sum = 0.0;
    for _ in 0..AHEAD {
        let x = slow + persistence * (fast - slow);
        sum += x;
        slow += slow_gain * (x - slow);
        fast += fast_gain * (x - fast);
    }
    sum / AHEAD as f64
}

const AHEAD: usize = 4;
const LEAST_SPREAD: f64 = 0.03;
const MOST_SURPRISE: f64 = 8.0;
/// Regimes that weigh less are not planned with.
pub(crate) const LEAST_WEIGHT: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn steady_link_is_forecast_at_its_rate_with_a_small_spread() {
        let p = Parameters::of(Mode::Vod);
        let mut belief = Belief::new();
        (0..200).for_each(|_| belief.observe(p, 8.0, 0.0));
        for forecast in belief.forecasts(p, 0.0) {
            assert!((forecast.rate - 8.0).abs() < 1e-9);
            assert!(forecast.spread < 0.01);
        }
    }

    #[test]
    fn jump_that_stays_favours_the_regime_that_follows_it() {
        let p = Parameters::of(Mode::Vod);
        let (mut jumps, mut noise) = (Belief::new(), Belief::new());
        for i in 0..60u32 {
            jumps.observe(p, if (i / 15) % 2 == 0 { 7.0 } else { 9.0 }, 0.0);
            noise.observe(p, if i % 3 == 0 { 7.0 } else { 9.0 }, 0.0);
        }
        let (jumps, noise) = (jumps.forecasts(p, 0.0)[0].weight, noise.forecasts(p, 0.0)[0].weight);
        assert!(jumps > 3.0 * noise, "{jumps} after jumps, {noise} after noise");
    }

    #[test]
    fn weights_add_up_to_one_even_after_absurd_rates() {
        let p = Parameters::of(Mode::LowLatency);
        let mut belief = Belief::new();
        for i in 0..500u32 {
            belief.observe(p, if i % 2 == 0 { 0.0 } else { 16.0 }, 16.0);
            let sum: f64 = belief.forecasts(p, 0.0).iter().map(|f| f.weight).sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
    }
}
