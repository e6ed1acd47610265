//! The frame rate of a source: what it says, or what its first timestamps show.

use tidegate_stream::FrameRate;

/// Rates that cameras and encoders have; a measured one is nearly always one of these.
const COMMON: [(u32, u32); 9] = [(24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60_000, 1001), (60, 1), (120, 1)];
/// How far a rate may be from a common one to be taken for it: 29.97 and 30 are 0.1 % apart, 1 ms of rounding is less over many frames.
const NEAR: f64 = 0.0004;

/// The fraction that a number of frames per second stands for.
#[must_use]
pub(crate) fn from_hint(rate: f64) -> Option<FrameRate> {
    let nearest = COMMON.iter().find(|(n, d)| (rate / (f64::from(*n) / f64::from(*d)) - 1.0).abs() < NEAR);
    match nearest {
        Some(&(numerator, denominator)) => Some(FrameRate { numerator, denominator }),
        None if (1.0..=240.0).contains(&rate) => Some(FrameRate { numerator: (rate * 1000.0).round() as u32, denominator: 1000 }),
        None => None,
    }
}

/// The common rate nearest to the mean distance of these decode times, in ms.
#[must_use]
pub(crate) fn from_times(times_ms: &[i64]) -> Option<FrameRate> {
    let (first, last) = (times_ms.first()?, times_ms.last()?);
    let frames = u32::try_from(times_ms.len().checked_sub(1)?).ok()?;
    let span = last.checked_sub(*first).filter(|span| *span > 0)?;
    let rate = f64::from(frames) * 1000.0 / span as f64;
    let distance = |(n, d): &(u32, u32)| (rate / (f64::from(*n) / f64::from(*d)) - 1.0).abs();
    let nearest = COMMON.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    // A few frames are a few ms wrong; what is still far from every common rate is taken as it is.
    if distance(nearest) < 0.04 {
        // Few frames cannot tell 29.97 from 30: the whole number is the better guess for rate control.
        let whole = f64::from(nearest.0) / f64::from(nearest.1);
        let rounded = whole.round();
        return Some(FrameRate { numerator: rounded as u32, denominator: 1 });
    }
    from_hint(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_become_exact_fractions() {
        let fraction = |rate| from_hint(rate).map(|rate| (rate.numerator, rate.denominator));
        assert_eq!(fraction(29.97), Some((30_000, 1001)));
        assert_eq!(fraction(29.970_029_97), Some((30_000, 1001)));
        assert_eq!(fraction(30.0), Some((30, 1)));
        assert_eq!(fraction(59.94), Some((60_000, 1001)));
        assert_eq!(fraction(12.5), Some((12_500, 1000)));
        assert_eq!(fraction(0.0), None);
    }

    #[test]
    fn a_handful_of_timestamps_shows_the_rate() {
        let rate = |times: &[i64]| from_times(times).map(|rate| (rate.numerator, rate.denominator));
        assert_eq!(rate(&[0, 33, 67, 100, 133]), Some((30, 1)));
        assert_eq!(rate(&[1000, 1040, 1080]), Some((25, 1)));
        assert_eq!(rate(&[0, 80, 160, 240]), Some((12_500, 1000)));
        assert_eq!(rate(&[0]), None);
        assert_eq!(rate(&[5, 5]), None);
    }
}
