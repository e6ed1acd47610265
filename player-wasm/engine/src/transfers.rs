//! What the network carried: transfers that share the link become one sample for the policy.

use tidegate_abr::Sample;

use crate::Timing;

/// Transfers below this that are over at once say more about packet timing than about the link: they fit in the first
/// congestion window. So many bytes of them say something together.
const MIN_SAMPLE_BYTES: u64 = 16_000;
/// The time of the first packet is not seen, so its bytes say nothing: most of a small transfer may be that.
const PACKET_BYTES: u64 = 1_460;
const AT_ONCE_MS: f64 = 50.0;
/// The clock of a page, and the size of what a page reads at once, make shorter transfers look arbitrarily fast.
const MIN_TRANSFER_MS: f64 = 8.0;
/// A group of overlapping transfers is closed after this time, so that a saturated link still gives samples.
const MAX_GROUP_MS: f64 = 500.0;

/// A transfer that ended or was given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) bytes: u64,
    pub(crate) timing: Timing,
    /// The rung and the length of its media, where it is of the track whose rung is chosen; no length where it was given up.
    pub(crate) main: Option<(usize, f64)>,
}

/// Transfers whose sample is not complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transfers {
    group: Option<Group>,
    /// Small ones that were over at once, since the last sample. Without them a viewer whose parts are small would never hear
    /// that a slow link has become a fast one.
    small: Small,
}

/// Small transfers in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Small {
    bytes: u64,
    transfer_ms: f64,
    ttfb_ms: f64,
    main: (usize, f64),
}

/// Transfers that share the link: their bytes are added up over the union of their times.
#[derive(Clone, Copy, Debug)]
struct Group {
    start_ms: f64,
    end_ms: f64,
    ttfb_ms: f64,
    bytes: u64,
    main: Option<(usize, f64)>,
}

impl Transfers {
    /// Takes a transfer that ended at `now_ms`; returns the sample that this completes. Only the time from the first to the
    /// last byte counts: the server may have held the request until the part existed.
    pub(crate) fn add(&mut self, now_ms: f64, transfer: Transfer) -> Option<Sample> {
        let Transfer { bytes, timing, main } = transfer;
        let transfer_ms = (timing.total_ms - timing.ttfb_ms).max(0.0);
        if !transfer_ms.is_finite() || !timing.ttfb_ms.is_finite() {
            return None;
        }
        if bytes < MIN_SAMPLE_BYTES && transfer_ms < AT_ONCE_MS {
            return self.small.add(bytes, transfer_ms, timing.ttfb_ms, main?);
        }
        self.small = Small::default();
        let start_ms = now_ms - transfer_ms;
        match &mut self.group {
            Some(group) if start_ms < group.end_ms && now_ms - group.start_ms < MAX_GROUP_MS => {
                group.start_ms = group.start_ms.min(start_ms);
                group.end_ms = group.end_ms.max(now_ms);
                group.ttfb_ms = group.ttfb_ms.min(timing.ttfb_ms);
                group.bytes = group.bytes.saturating_add(bytes);
                group.main = match (group.main, main) {
                    (Some((_, before_s)), Some((rung, media_s))) => Some((rung, before_s + media_s)),
                    (before, own) => own.or(before),
                };
                None
            }
            _ => {
                let after = self.group.map_or(start_ms, |group| start_ms.max(group.end_ms).min(now_ms));
                // A transfer that shared the link with the closed group brought only a share of its bytes after it.
                let share = if transfer_ms > 0.0 { (now_ms - after) / transfer_ms } else { 1.0 };
                let closed = self.close();
                let bytes = (bytes as f64 * share) as u64;
                self.group = Some(Group { start_ms: after, end_ms: now_ms, ttfb_ms: timing.ttfb_ms, bytes, main });
                closed
            }
        }
    }

    /// The sample of what has ended, before a decision.
    pub(crate) fn close(&mut self) -> Option<Sample> {
        let Group { start_ms, end_ms, ttfb_ms, bytes, main } = self.group.take()?;
        let (rendition, media_s) = main.unwrap_or_default();
        let transfer_s = (end_ms - start_ms).max(MIN_TRANSFER_MS) / 1000.0;
        Some(Sample { bits: bytes as f64 * 8.0, ttfb_s: ttfb_ms / 1000.0, transfer_s, rendition, media_s })
    }
}

impl Small {
    fn add(&mut self, bytes: u64, transfer_ms: f64, ttfb_ms: f64, (rung, media_s): (usize, f64)) -> Option<Sample> {
        if bytes <= PACKET_BYTES {
            return None;
        }
        if self.bytes == 0 || self.main.0 != rung {
            *self = Self { ttfb_ms, main: (rung, 0.0), ..Self::default() };
        }
        let unseen = bytes as f64 / (bytes - PACKET_BYTES) as f64;
        self.bytes = self.bytes.saturating_add(bytes);
        self.transfer_ms += transfer_ms.max(MIN_TRANSFER_MS) * unseen;
        self.ttfb_ms = self.ttfb_ms.min(ttfb_ms);
        self.main.1 += media_s;
        if self.bytes < MIN_SAMPLE_BYTES {
            return None;
        }
        let Self { bytes, transfer_ms, ttfb_ms, main: (rendition, media_s) } = core::mem::take(self);
        Some(Sample { bits: bytes as f64 * 8.0, ttfb_s: ttfb_ms / 1000.0, transfer_s: transfer_ms / 1000.0, rendition, media_s })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// `bytes` within `transfer_ms`, after the server held the request for `held_ms`.
    fn transfer(bytes: u64, held_ms: f64, transfer_ms: f64) -> Transfer {
        Transfer { bytes, timing: Timing { ttfb_ms: held_ms, total_ms: held_ms + transfer_ms }, main: Some((1, 0.5)) }
    }

    fn rates(transfers: &[(f64, Transfer)]) -> Vec<f64> {
        let mut group = Transfers::default();
        let mut samples: Vec<Sample> = transfers.iter().filter_map(|(now_ms, transfer)| group.add(*now_ms, *transfer)).collect();
        samples.extend(group.close());
        samples.iter().map(|sample| sample.bits / sample.transfer_s / 1e6).collect()
    }

    #[test]
    fn time_that_the_server_held_a_request_is_not_counted() {
        assert_eq!(rates(&[(1000.0, transfer(125_000, 400.0, 100.0))]), [10.0]);
    }

    #[test]
    fn transfers_side_by_side_add_up_and_the_media_of_sound_does_not_count() {
        let sound = Transfer { main: None, ..transfer(125_000, 0.0, 100.0) };
        assert_eq!(rates(&[(1000.0, transfer(125_000, 0.0, 100.0)), (1000.0, sound)]), [20.0]);
        let mut group = Transfers::default();
        group.add(1000.0, transfer(125_000, 0.0, 100.0));
        group.add(1000.0, sound);
        assert_eq!(group.close().map(|sample| (sample.rendition, sample.media_s)), Some((1, 0.5)));
    }

    #[test]
    fn small_transfers_count_only_where_they_took_long() {
        assert_eq!(rates(&[(1000.0, transfer(8_000, 0.0, 1.0))]), [0.0; 0]);
        assert_eq!(rates(&[(1000.0, transfer(8_000, 0.0, 640.0))]), [0.1]);
    }

    /// As long as each could have taken: the least time that can be told, without the packet whose time is not seen.
    #[test]
    fn small_transfers_in_a_row_say_what_the_link_carries_at_least() {
        let parts: Vec<(f64, Transfer)> = (1..=4).map(|n| (1000.0 * f64::from(n), transfer(5_460, 10.0, 1.0))).collect();
        let rates = rates(&parts);
        assert!(rates.len() == 1 && (rates[0] - 4.0).abs() < 0.01, "{rates:?}");
    }

    #[test]
    fn small_transfers_of_sound_and_those_before_a_large_one_say_nothing() {
        let sound = |n| (f64::from(n), Transfer { main: None, ..transfer(5_460, 10.0, 1.0) });
        assert_eq!(rates(&[1000, 2000, 3000, 4000].map(sound)), [0.0; 0]);
        let small = |n| (f64::from(n), transfer(5_460, 10.0, 1.0));
        let large = (3000.0, transfer(125_000, 10.0, 100.0));
        assert_eq!(rates(&[small(1000), small(2000), large, small(4000), small(5000)]), [10.0]);
    }

    #[test]
    fn instant_transfers_count_at_the_shortest_time_that_can_be_told() {
        assert_eq!(rates(&[(1000.0, transfer(20_000, 0.0, 0.0))]), [20.0]);
    }

    #[test]
    fn one_after_the_other_they_are_samples_of_their_own() {
        assert_eq!(rates(&[(1000.0, transfer(125_000, 0.0, 100.0)), (1200.0, transfer(125_000, 0.0, 50.0))]), [10.0, 20.0]);
    }
}
