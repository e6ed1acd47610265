//! The few real functions that the rules need, the same bits on every target.

/// Natural logarithm of `x`, which is kept above zero.
pub(crate) fn ln(x: f64) -> f64 {
    libm::log(if x > 1e-12 { x } else { 1e-12 })
}

/// e to the power of `x`, which is kept where the result is finite and not zero.
pub(crate) fn exp(x: f64) -> f64 {
    libm::exp(x.clamp(-60.0, 60.0))
}

/// `x` where it is a number within the bounds, the nearer bound where it is not within, `low` where it is no number.
pub(crate) fn bounded(x: f64, low: f64, high: f64) -> f64 {
    if x >= low { if x <= high { x } else { high } } else { low }
}

/// Place of `x` on a grid of `points` that starts at `first`, as the lower index and the share of the upper neighbour.
pub(crate) fn grid(x: f64, first: f64, step: f64, points: usize) -> (usize, f64) {
    let last = points.saturating_sub(1);
    let place = bounded((x - first) / step, 0.0, last as f64);
    let low = (place as usize).min(last.saturating_sub(1));
    (low, place - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_outside_the_grid_is_clamped_to_its_ends() {
        assert_eq!(grid(-3.0, 0.0, 0.5, 4), (0, 0.0));
        assert_eq!(grid(0.75, 0.0, 0.5, 4), (1, 0.5));
        assert_eq!(grid(99.0, 0.0, 0.5, 4), (2, 1.0));
        assert_eq!(grid(f64::NAN, 0.0, 0.5, 4), (0, 0.0));
    }

    #[test]
    fn not_a_number_becomes_the_lower_bound() {
        assert_eq!(bounded(f64::NAN, 1.0, 2.0), 1.0);
        assert_eq!(bounded(f64::INFINITY, 1.0, 2.0), 2.0);
    }
}
