//! Means over sets of equal weight, and how sure a paired difference is.

use std::collections::BTreeMap;

use crate::random::Random;

/// Values by set.
pub type BySet = BTreeMap<&'static str, Vec<f64>>;

/// The mean of the sets' means.
pub fn mean(values: &BySet) -> f64 {
    let means: Vec<f64> = values.values().filter(|v| !v.is_empty()).map(|v| v.iter().sum::<f64>() / v.len() as f64).collect();
    means.iter().sum::<f64>() / means.len().max(1) as f64
}

/// The 95 % interval of [`mean`] when the recordings of every set are drawn anew.
pub fn interval(values: &BySet) -> (f64, f64) {
    let mut random = Random::new(SEED);
    let sets: Vec<&Vec<f64>> = values.values().filter(|v| !v.is_empty()).collect();
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let of = |v: &Vec<f64>, random: &mut Random| (0..v.len()).map(|_| v[random.below(v.len())]).sum::<f64>() / v.len() as f64;
            sets.iter().map(|v| of(v, &mut random)).sum::<f64>() / sets.len().max(1) as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (means[DRAWS / 40], means[DRAWS - 1 - DRAWS / 40])
}

const DRAWS: usize = 2000;
const SEED: u64 = 20_261_122;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_weighs_the_same_and_the_interval_holds_the_mean() {
        let values = BySet::from([("a", vec![1.0; 10]), ("b", vec![0.0, 2.0, 4.0])]);
        assert_eq!(mean(&values), 1.5);
        let (low, high) = interval(&values);
        assert!(low < 1.5 && 1.5 < high && low >= 0.5 && high <= 2.5);
    }
}
