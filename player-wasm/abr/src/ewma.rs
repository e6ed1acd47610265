//! Exponentially weighted means with half-lives in seconds of transfer, as every public player keeps them.

use crate::number::exp;

/// One weighted mean. A sample of weight `s` decays what was there by `0.5^(s/h)`; the missing start is divided out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewma {
    half_life_s: f64,
    mean: f64,
    weight: f64,
}

impl Ewma {
    /// A mean that halves what it knew every `half_life_s` of weight.
    pub fn new(half_life_s: f64) -> Self {
        Self { half_life_s, mean: 0.0, weight: 0.0 }
    }

    /// Takes a sample in.
    pub fn add(&mut self, weight: f64, value: f64) {
        let kept = half(weight / self.half_life_s);
        self.mean = value * (1.0 - kept) + kept * self.mean;
        self.weight += weight;
    }

    /// The mean so far, if there was a sample.
    pub fn mean(&self) -> Option<f64> {
        let seen = 1.0 - half(self.weight / self.half_life_s);
        (seen > 0.0).then(|| self.mean / seen)
    }
}

/// A fast and a slow mean; the lower one counts, so that falls are followed quickly and rises slowly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EwmaPair {
    fast: Ewma,
    slow: Ewma,
}

impl EwmaPair {
    /// The pair with the two half-lives in seconds.
    pub fn new(fast_s: f64, slow_s: f64) -> Self {
        Self { fast: Ewma::new(fast_s), slow: Ewma::new(slow_s) }
    }

    /// Takes a sample in.
    pub fn add(&mut self, weight: f64, value: f64) {
        self.fast.add(weight, value);
        self.slow.add(weight, value);
    }

    /// The lower of the two means, if there was a sample.
    pub fn mean(&self) -> Option<f64> {
        Some(self.fast.mean()?.min(self.slow.mean()?))
    }
}

fn half(halvings: f64) -> f64 {
    exp(-core::f64::consts::LN_2 * halvings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_sample_is_the_mean_and_a_fall_is_followed_by_the_fast_one() {
        let mut pair = EwmaPair::new(3.0, 8.0);
        assert_eq!(pair.mean(), None);
        pair.add(1.0, 5e6);
        assert!((pair.mean().unwrap() - 5e6).abs() < 1.0);
        pair.add(3.0, 1e6);
        let after = pair.mean().unwrap();
        assert!(after < 2.6e6, "{after}");
        pair.add(3.0, 5e6);
        assert!(pair.mean().unwrap() < 4e6);
    }
}
