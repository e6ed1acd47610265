use tidegate_stream::FrameRate;

const fn rate(numerator: u32, denominator: u32) -> FrameRate {
    FrameRate { numerator, denominator }
}

/// Rates that sources have. Others are treated as variable: their timestamps are taken as they are.
const KNOWN: [FrameRate; 19] = [
    rate(5, 1),
    rate(10, 1),
    rate(12, 1),
    rate(15_000, 1001),
    rate(15, 1),
    rate(20, 1),
    rate(24_000, 1001),
    rate(24, 1),
    rate(25, 1),
    rate(30_000, 1001),
    rate(30, 1),
    rate(48, 1),
    rate(50, 1),
    rate(60_000, 1001),
    rate(60, 1),
    rate(100, 1),
    rate(120_000, 1001),
    rate(120, 1),
    rate(144, 1),
];

/// Ticks per second where the rate varies, and for whole-numbered rates.
pub(crate) const DEFAULT_TIMESCALE: u32 = 90_000;

/// A hint may be off by this fraction (29.98 for 29.97); neighbours are 0.001 apart.
const HINT_TOLERANCE: f64 = 0.0004;

/// Frames that have to agree with a hint. Fewer say little; more would delay the first part.
const CONFIRM_FRAMES: usize = 8;

/// Frames before a rate is guessed without a hint.
const GUESS_FRAMES: usize = 12;

/// Frames after which a source without a fitting rate counts as variable.
const VARIABLE_FRAMES: usize = 30;

/// After this, neighbours as 29.97 and 30 have drifted apart by more than rounding can hide, in ms.
const GUESS_MS_MAX: i64 = 2_000;

/// Rounded timestamps of a constant rate stay within 1 ms of the grid, on either side.
const SPAN_MS: f64 = 2.0;

/// How much closer the best guess has to be than the next, in ms, before the time is over.
const CLEAR_MS: f64 = 0.5;

/// What the timestamps say so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// More frames are needed.
    Unclear,
    /// A constant rate.
    Constant(FrameRate),
    /// No constant rate.
    Variable,
}

/// Judges the decode times of consecutive frames. `last_call`: no more frames will come.
pub(crate) fn judge(dts_ms: &[i64], hint: Option<f64>, last_call: bool) -> Verdict {
    let hint = hint.and_then(snap);
    if let Some(hint) = hint {
        if dts_ms.len() < CONFIRM_FRAMES && !last_call {
            return Verdict::Unclear;
        }
        if span(dts_ms, hint).is_some() {
            return Verdict::Constant(hint);
        }
    }
    if dts_ms.len() < GUESS_FRAMES && !last_call {
        return Verdict::Unclear;
    }
    let mut best: Option<(f64, FrameRate)> = None;
    let mut second = f64::INFINITY;
    for candidate in KNOWN {
        let Some(span) = span(dts_ms, candidate) else { continue };
        match best {
            Some((least, _)) if least <= span => second = second.min(span),
            _ => {
                second = best.map_or(second, |(least, _)| least);
                best = Some((span, candidate));
            }
        }
    }
    let whole = match (dts_ms.first(), dts_ms.last()) {
        (Some(first), Some(last)) => last - first,
        _ => 0,
    };
    match best {
        Some((least, found)) if last_call || second - least > CLEAR_MS || whole >= GUESS_MS_MAX => Verdict::Constant(found),
        Some(_) => Verdict::Unclear,
        None if last_call || dts_ms.len() >= VARIABLE_FRAMES || whole >= GUESS_MS_MAX => Verdict::Variable,
        None => Verdict::Unclear,
    }
}

/// The known rate that a number means.
fn snap(hint: f64) -> Option<FrameRate> {
    KNOWN.into_iter().find(|known| {
        let fps = f64::from(known.numerator) / f64::from(known.denominator);
        (hint / fps - 1.0).abs() < HINT_TOLERANCE
    })
}

/// How far the timestamps stray from a grid of this rate, in ms; `None` where it is not their rate.
fn span(dts_ms: &[i64], rate: FrameRate) -> Option<f64> {
    let frame = f64::from(rate.denominator) * 1000.0 / f64::from(rate.numerator);
    let first = *dts_ms.first()?;
    let (mut least, mut most) = (0.0f64, 0.0f64);
    let mut slot = 0i64;
    let mut single = 0;
    for pair in dts_ms.windows(2) {
        let [before, after] = pair else { continue };
        let steps = round((after - before) as f64 / frame);
        if steps < 1 {
            return None;
        }
        single += usize::from(steps == 1);
        slot += steps;
        let off = (after - first) as f64 - slot as f64 * frame;
        (least, most) = (least.min(off), most.max(off));
    }
    // A few frames may be lost, but where most steps are longer the rate is a fraction of this one.
    let mostly_single = dts_ms.len() > 1 && single * 4 >= (dts_ms.len() - 1) * 3;
    (mostly_single && most - least <= SPAN_MS).then_some(most - least)
}

fn round(value: f64) -> i64 {
    (value + 0.5) as i64
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn stamps(rate: FrameRate, count: i64, floor: bool) -> Vec<i64> {
        let half = if floor { 0 } else { i64::from(rate.numerator) / 2 };
        (0..count).map(|n| (n * 1000 * i64::from(rate.denominator) + half) / i64::from(rate.numerator)).collect()
    }

    #[test]
    fn every_known_rate_is_found_with_and_without_a_hint() {
        for known in KNOWN {
            for floor in [false, true] {
                let fps = f64::from(known.numerator) / f64::from(known.denominator);
                assert_eq!(judge(&stamps(known, 8, floor), Some(fps), false), Verdict::Constant(known));
                let all = stamps(known, 300, floor);
                let decided = (1..300).map(|n| judge(&all[..n], None, false)).find(|verdict| *verdict != Verdict::Unclear);
                assert_eq!(decided, Some(Verdict::Constant(known)), "{floor}");
            }
        }
    }

    #[test]
    fn a_wrong_hint_is_not_believed() {
        assert_eq!(judge(&stamps(rate(25, 1), 40, false), Some(30.0), false), Verdict::Constant(rate(25, 1)));
        assert_eq!(judge(&stamps(rate(30, 1), 40, false), Some(60.0), false), Verdict::Constant(rate(30, 1)));
        assert_eq!(judge(&stamps(rate(25, 1), 40, false), Some(f64::NAN), false), Verdict::Constant(rate(25, 1)));
    }

    #[test]
    fn lost_frames_do_not_hide_the_rate() {
        let mut all = stamps(rate(30, 1), 40, false);
        all.drain(5..8);
        assert_eq!(judge(&all, Some(30.0), false), Verdict::Constant(rate(30, 1)));
    }

    #[test]
    fn uneven_timestamps_are_a_variable_rate() {
        let all: Vec<i64> = (0..60).map(|n| n * 33 + (n * n * 7) % 23).collect();
        assert_eq!(judge(&all, Some(30.0), false), Verdict::Variable);
        assert_eq!(judge(&all[..2], None, true), judge(&all[..2], None, true));
        assert_eq!(judge(&[], None, true), Verdict::Variable);
    }
}
