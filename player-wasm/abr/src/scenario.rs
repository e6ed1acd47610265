//! How a transfer may turn out: residuals around a forecast, and the rate that each one amounts to.

use crate::{
    belief::Forecast,
    number::{bounded, exp, grid, ln},
    parameters::{Parameters, Regime},
    residuals::{CLASSES, LEANS, POINTS, Residuals},
};

/// Errors around a forecast, as differences of natural logarithms.
pub(crate) type Errors = [f64; POINTS];

/// Place of a mean error between the class centres: lower class and share of the upper one.
pub(crate) fn class_of(centres: &[f64; CLASSES], spread: f64) -> (usize, f64) {
    let mut low = 0;
    while low < CLASSES - 2 && spread >= centres[low + 1] {
        low += 1;
    }
    (low, bounded((spread - centres[low]) / (centres[low + 1] - centres[low]), 0.0, 1.0))
}

/// The errors to expect of regime `r` at the mean error `spread` while its fast level is `lean` above the slow one.
///
/// The table is interpolated in both; the result is scaled by the mean error (held within the table's reach), below and above
/// zero by the regime's own factors.
pub(crate) fn errors(table: &Residuals, own: &Regime, r: usize, spread: f64, lean: f64) -> Errors {
    let centres = &table.centres[r];
    let (class, upper) = class_of(centres, spread);
    let (side, more) = grid(lean, -LEAN_STEP, LEAN_STEP, LEANS);
    let scale = bounded(spread, 0.5 * centres[0], 1.3 * centres[CLASSES - 1]);
    let (low, high) = (&table.table[r][class], &table.table[r][class + 1]);
    core::array::from_fn(|j| {
        let of = |c: &[[i16; POINTS]; LEANS]| (f64::from(c[side][j]) * (1.0 - more) + f64::from(c[side + 1][j]) * more) / 100.0;
        let z = of(low) * (1.0 - upper) + of(high) * upper;
        scale * z * if z < 0.0 { own.low } else { own.high } + own.bias
    })
}

/// The rate that a transfer of `bits` amounts to when it starts `error` away from the forecast `rate`.
///
/// An outage does not last for ever: after the outage length the rest comes at a rate that recovered.
pub(crate) fn effective_rate(p: &Parameters, rate: f64, error: f64, bits: f64) -> f64 {
    let x = rate + error;
    let bps = 1000.0 * exp(x);
    if error < 0.0 && bits > p.outage_s * bps {
        let time = p.outage_s + (bits - bps * p.outage_s) / (1000.0 * exp(rate + p.recovery * error));
        ln(bits / time / 1000.0)
    } else {
        x
    }
}

impl Forecast {
    pub(crate) fn lean(&self) -> f64 {
        self.fast - self.slow
    }
}

const LEAN_STEP: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn class_centres_map_to_themselves() {
        for mode in [Mode::Vod, Mode::Live, Mode::LowLatency] {
            for centres in &Residuals::of(mode).centres {
                for (c, &centre) in centres.iter().enumerate() {
                    let (low, upper) = class_of(centres, centre);
                    assert!((low as f64 + upper - c as f64).abs() < 1e-12);
                }
                assert_eq!(class_of(centres, 0.0), (0, 0.0));
                assert_eq!(class_of(centres, 9.0), (CLASSES - 2, 1.0));
            }
        }
    }

    #[test]
    fn long_outage_recovers_and_short_transfer_does_not_see_it() {
        let p = Parameters::of(Mode::Live);
        let short = effective_rate(p, 8.0, -3.0, 1e3);
        assert_eq!(short, 5.0);
        let long = effective_rate(p, 8.0, -3.0, 60e6);
        assert!(long > 5.0 && long < 8.2, "{long}");
    }
}
