//! How fast the network carries media: two moving averages over groups of transfers.

use crate::Timing;

/// Transfers below this say more about packet timing than about the link: they fit in the first congestion window.
const MIN_SAMPLE_BYTES: u64 = 16_000;
/// The clock of a page, and the size of what a page reads at once, make shorter transfers look arbitrarily fast.
const MIN_TRANSFER_MS: f64 = 8.0;
/// A group of overlapping transfers is closed after this time, so that a saturated link still gives samples.
const MAX_GROUP_MS: f64 = 500.0;
/// Half-lives in s of media. Weights by media time, not by transfer time: else short parts on a fast link hardly count,
/// and the estimate stays low long after a link has recovered.
const FAST_HALF_LIFE_S: f64 = 2.0;
const SLOW_HALF_LIFE_S: f64 = 6.0;

/// What a link carries, in bit/s.
#[derive(Clone, Debug)]
pub(crate) struct Throughput {
    /// Of the time that a bit takes: a link that gets 50 times slower is noticed at the next part, not after a minute.
    fast: Ewma,
    slow: Ewma,
    group: Option<Group>,
}

/// Transfers that share the link: their bytes are added up over the union of their times.
#[derive(Clone, Copy, Debug)]
struct Group {
    start_ms: f64,
    end_ms: f64,
    bytes: u64,
    media_s: f64,
}

#[derive(Clone, Copy, Debug)]
struct Ewma {
    half_life_s: f64,
    sum: f64,
    weight: f64,
}

impl Throughput {
    pub(crate) fn new() -> Self {
        Self { fast: Ewma::new(FAST_HALF_LIFE_S), slow: Ewma::new(SLOW_HALF_LIFE_S), group: None }
    }

    /// Takes a transfer that ended at `now_ms`. Only the time from the first to the last byte counts: the server may have
    /// held the request until the part existed.
    pub(crate) fn add(&mut self, now_ms: f64, bytes: u64, timing: Timing, media_s: f64) {
        let transfer_ms = (timing.total_ms - timing.ttfb_ms).max(0.0);
        let valid = now_ms.is_finite() && transfer_ms.is_finite() && media_s.is_finite() && media_s > 0.0;
        if bytes < MIN_SAMPLE_BYTES || !valid {
            return;
        }
        let start_ms = now_ms - transfer_ms;
        match &mut self.group {
            Some(group) if start_ms < group.end_ms && now_ms - group.start_ms < MAX_GROUP_MS => {
                group.start_ms = group.start_ms.min(start_ms);
                group.end_ms = group.end_ms.max(now_ms);
                group.bytes = group.bytes.saturating_add(bytes);
                group.media_s = group.media_s.max(media_s);
            }
            _ => {
                let after = self.group.map_or(start_ms, |group| start_ms.max(group.end_ms).min(now_ms));
                // A transfer that shared the link with the closed group brought only a share of its bytes after it.
                let share = if transfer_ms > 0.0 { (now_ms - after) / transfer_ms } else { 1.0 };
                self.close();
                self.group = Some(Group { start_ms: after, end_ms: now_ms, bytes: (bytes as f64 * share) as u64, media_s });
            }
        }
    }

    /// Closes a group that is old enough; until then a transfer that shared the link may still end.
    pub(crate) fn settle(&mut self, now_ms: f64) {
        if self.group.is_some_and(|group| now_ms - group.start_ms >= MAX_GROUP_MS) {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(group) = self.group.take() else { return };
        if group.bytes < MIN_SAMPLE_BYTES {
            return;
        }
        let transfer_ms = (group.end_ms - group.start_ms).max(MIN_TRANSFER_MS);
        let bps = group.bytes as f64 * 8000.0 / transfer_ms;
        // Bounded, so that one huge segment does not wipe out all that was known.
        let weight = group.media_s.min(SLOW_HALF_LIFE_S);
        self.fast.add(1.0 / bps, weight);
        self.slow.add(bps, weight);
    }

    /// The lower of both averages; `None` before the first sample.
    pub(crate) fn estimate_bps(&self) -> Option<f64> {
        Some((1.0 / self.fast.value()?).min(self.slow.value()?))
    }
}

impl Ewma {
    fn new(half_life_s: f64) -> Self {
        Self { half_life_s, sum: 0.0, weight: 0.0 }
    }

    fn add(&mut self, value: f64, weight_s: f64) {
        let keep = libm::exp2(-weight_s / self.half_life_s);
        self.sum = self.sum * keep + value * (1.0 - keep);
        self.weight = self.weight * keep + (1.0 - keep);
    }

    fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `bytes` within `transfer_ms`, after the server held the request for `held_ms`.
    fn timing(held_ms: f64, transfer_ms: f64) -> Timing {
        Timing { ttfb_ms: held_ms, total_ms: held_ms + transfer_ms }
    }

    fn estimate_after(samples: &[(f64, u64, Timing)]) -> Option<f64> {
        let mut throughput = Throughput::new();
        for (now_ms, bytes, timing) in samples {
            throughput.add(*now_ms, *bytes, *timing, 0.5);
        }
        throughput.settle(f64::MAX);
        throughput.estimate_bps()
    }

    #[test]
    fn time_that_the_server_held_a_request_is_not_counted() {
        let estimate = estimate_after(&[(1000.0, 125_000, timing(400.0, 100.0))]).unwrap();
        assert!((estimate - 10e6).abs() < 1.0, "{estimate}");
    }

    #[test]
    fn transfers_side_by_side_add_up() {
        let estimate = estimate_after(&[(1000.0, 125_000, timing(0.0, 100.0)), (1000.0, 125_000, timing(0.0, 100.0))]).unwrap();
        assert!((estimate - 20e6).abs() < 1.0, "{estimate}");
    }

    #[test]
    fn tiny_transfers_say_nothing() {
        assert_eq!(estimate_after(&[(1000.0, 8_000, timing(0.0, 1.0))]), None);
    }

    #[test]
    fn instant_transfers_count_at_the_shortest_time_that_can_be_told() {
        let estimate = estimate_after(&[(1000.0, 20_000, timing(0.0, 0.0))]).unwrap();
        assert!((estimate - 20e6).abs() < 1.0, "{estimate}");
    }

    #[test]
    fn estimate_falls_within_two_parts_when_a_fast_link_breaks_in() {
        let mut throughput = Throughput::new();
        for n in 0..40 {
            throughput.add(f64::from(n) * 500.0, 125_000, timing(490.0, 10.0), 0.5);
        }
        for n in 40..43 {
            throughput.add(f64::from(n) * 700.0, 125_000, timing(0.0, 700.0), 0.5);
        }
        throughput.settle(f64::MAX);
        let estimate = throughput.estimate_bps().unwrap();
        assert!(estimate < 5e6, "after 3 parts at 1.4 Mbit/s the estimate is {estimate}");
    }

    #[test]
    fn estimate_recovers_within_seconds_of_media_after_a_slow_phase() {
        let mut throughput = Throughput::new();
        for n in 0..40 {
            throughput.add(f64::from(n) * 500.0, 40_000, timing(0.0, 450.0), 0.5);
        }
        for n in 40..64 {
            throughput.add(f64::from(n) * 500.0, 40_000, timing(400.0, 20.0), 0.5);
        }
        throughput.settle(f64::MAX);
        let estimate = throughput.estimate_bps().unwrap();
        assert!(estimate > 10e6, "12 s after the link went to 16 Mbit/s the estimate is {estimate}");
    }
}
