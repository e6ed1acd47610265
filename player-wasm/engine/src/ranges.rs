//! What a source buffer holds.

use alloc::vec::Vec;

/// Holes up to this length are played over by browsers.
pub(crate) const TOLERANCE_S: f64 = 0.1;

/// More than any browser has in the half minute that is kept.
const MAX_RANGES: usize = 1_000;

/// Ranges of presentation time, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Ranges(Vec<(f64, f64)>);

impl Ranges {
    /// Takes what the browser said; what makes no sense is left out.
    pub(crate) fn new(mut ranges: Vec<(f64, f64)>) -> Self {
        ranges.retain(|(start, end)| start.is_finite() && end.is_finite() && start < end);
        ranges.truncate(MAX_RANGES);
        insertion_sort(&mut ranges, |a, b| a.0 < b.0);
        Self(ranges)
    }

    /// The range around a time; one that starts only just after it counts.
    pub(crate) fn at(&self, time_s: f64) -> Option<(f64, f64)> {
        self.0.iter().copied().find(|(start, end)| *start - TOLERANCE_S <= time_s && time_s < *end)
    }

    /// How much can be played from a time on without a stop.
    pub(crate) fn ahead_s(&self, time_s: f64) -> f64 {
        let Some((_, mut end)) = self.at(time_s) else { return 0.0 };
        for (start, next_end) in &self.0 {
            if *start <= end + TOLERANCE_S {
                end = end.max(*next_end);
            }
        }
        end - time_s
    }

    /// Where the first range after a time starts.
    pub(crate) fn next_start(&self, time_s: f64) -> Option<f64> {
        self.0.iter().map(|(start, _)| *start).find(|start| *start > time_s)
    }

    pub(crate) fn first(&self) -> Option<f64> {
        self.0.first().map(|(start, _)| *start)
    }

    /// What is in both.
    pub(crate) fn intersect(&self, other: &Self) -> Self {
        let both = self.0.iter().flat_map(|a| other.0.iter().map(|b| (a.0.max(b.0), a.1.min(b.1))));
        Self::new(both.filter(|(start, end)| start < end).collect())
    }
}

/// Puts a few things in order that mostly are; the standard sort is made for more and is some kB.
pub(crate) fn insertion_sort<T>(things: &mut [T], before: impl Fn(&T, &T) -> bool) {
    for end in 1..things.len() {
        let mut at = end;
        while let Some([left, right]) = at.checked_sub(1).and_then(|from| things.get_mut(from..=at)) {
            if !before(right, left) {
                break;
            }
            core::mem::swap(left, right);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_holes_are_played_over_and_large_ones_end_what_is_ahead() {
        let ranges = Ranges::new(alloc::vec![(5.0, 6.0), (0.0, 2.0), (2.05, 4.0), (f64::NAN, 9.0)]);
        assert_eq!(ranges.ahead_s(1.0), 3.0);
        assert_eq!(ranges.ahead_s(4.5), 0.0);
        assert_eq!(ranges.next_start(4.5), Some(5.0));
        assert_eq!(ranges.at(4.95), Some((5.0, 6.0)));
    }

    #[test]
    fn intersection_is_what_both_hold() {
        let (a, b) = (Ranges::new(alloc::vec![(0.0, 4.0), (6.0, 8.0)]), Ranges::new(alloc::vec![(1.0, 7.0)]));
        assert_eq!(a.intersect(&b), Ranges::new(alloc::vec![(1.0, 4.0), (6.0, 7.0)]));
    }
}
