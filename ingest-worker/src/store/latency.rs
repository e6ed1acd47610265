use std::{collections::VecDeque, time::Duration};

/// The newest durations of something that happens again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    newest: VecDeque<Duration>,
    seen: u64,
    sum: Duration,
}

/// How long something took, over its newest occurrences.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quantiles {
    /// How many occurrences these figures are of.
    pub count: usize,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 19 of 20 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// All occurrences there have been.
    pub seen: u64,
    /// What all of them took together.
    pub sum: Duration,
}

/// Four minutes of a log at half a second each: young enough to follow a store that slows down, enough for a p99.
const WINDOW: usize = 512;

impl Window {
    /// Adds an occurrence.
    pub(crate) fn add(&mut self, took: Duration) {
        if self.newest.len() == WINDOW {
            self.newest.pop_front();
        }
        self.newest.push_back(took);
        self.seen += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// Sums the window up.
    pub(crate) fn quantiles(&self) -> Quantiles {
        let mut sorted: Vec<Duration> = self.newest.iter().copied().collect();
        sorted.sort_unstable();
        // The nearest rank: the smallest value that `percent` of all do not exceed.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Quantiles { count: sorted.len(), p50: at(50), p95: at(95), p99: at(99), seen: self.seen, sum: self.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_newest() {
        let mut window = Window::default();
        assert_eq!(window.quantiles(), Quantiles::default());
        (0..1000).for_each(|_| window.add(Duration::from_secs(9)));
        (1..=WINDOW as u64).for_each(|ms| window.add(Duration::from_millis(ms)));
        let Quantiles { count, p50, p95, p99, seen, sum } = window.quantiles();
        assert_eq!((count, p50.as_millis(), p95.as_millis(), p99.as_millis()), (512, 256, 487, 507));
        assert_eq!((seen, sum.as_millis()), (1512, 9_000_000 + 512 * 513 / 2), "of all there have been");
    }
}
