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
/// Transfers that were heard of while they ran: parts of pictures, of sound, of a rung to come.
const MAX_RUNNING: usize = 8;

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
    running: [Running; MAX_RUNNING],
}

/// A transfer as it was when it was last heard of.
#[derive(Clone, Copy, Debug, Default)]
struct Running {
    id: u32,
    begun_ms: f64,
    told_ms: f64,
    bytes: u64,
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
                group.take(bytes, main);
                None
            }
            _ => {
                // A transfer that shared the link with the group that is closed brought a share of its bytes in that time, and the rest after it.
                let end_ms = self.group.map_or(start_ms, |group| group.end_ms.min(now_ms));
                let after_ms = start_ms.max(end_ms);
                let share = |from_ms: f64, to_ms: f64| if transfer_ms > 0.0 { (to_ms - from_ms).max(0.0) / transfer_ms } else { 1.0 };
                let media = |share: f64| main.map(|(rung, media_s)| (rung, media_s * share));
                let mut shared = 0.0;
                if let Some(group) = self.group.as_mut().filter(|group| start_ms < group.end_ms) {
                    shared = share(start_ms.max(group.start_ms), end_ms);
                    group.take((bytes as f64 * shared) as u64, media(shared));
                }
                let closed = self.close();
                let rest = (bytes as f64 * share(after_ms, now_ms)) as u64;
                self.group =
                    Some(Group { start_ms: after_ms, end_ms: now_ms, ttfb_ms: timing.ttfb_ms, bytes: rest, main: media(1.0 - shared) });
                closed
            }
        }
    }

    /// Hears of a transfer that runs. Returns how long, in s, it would have taken for what it has brought with the link for itself; `None` before
    /// its first byte. Two parts on their way together have half of the link each, which says nothing against either.
    pub(crate) fn runs(&mut self, now_ms: f64, id: u32, bytes: u64, timing: Timing) -> Option<f64> {
        let transfer_ms = timing.total_ms - timing.ttfb_ms;
        if bytes == 0 || !transfer_ms.is_finite() {
            return None;
        }
        // The clock of a page may not have moved since its first byte.
        if transfer_ms <= 0.0 {
            return Some(0.0);
        }
        let begun_ms = now_ms - transfer_ms;
        let beside = self.running.iter().filter(|other| other.id != id && other.bytes > 0 && other.told_ms > begun_ms);
        let beside: f64 = beside.map(|other| other.bytes as f64 * other.share_since(begun_ms)).sum();
        // Its own place, else that of which nothing was heard for longest.
        let told_ms = |other: &Running| if other.id == id { f64::NEG_INFINITY } else { other.told_ms };
        if let Some(slot) = self.running.iter_mut().min_by(|a, b| told_ms(a).total_cmp(&told_ms(b))) {
            *slot = Running { id, begun_ms, told_ms: now_ms, bytes };
        }
        let own = bytes as f64;
        Some(transfer_ms / 1000.0 * own / (own + beside))
    }

    /// The sample of what has ended, before a decision.
    pub(crate) fn close(&mut self) -> Option<Sample> {
        let Group { start_ms, end_ms, ttfb_ms, bytes, main } = self.group.take()?;
        let (rendition, media_s) = main.unwrap_or_default();
        let transfer_s = (end_ms - start_ms).max(MIN_TRANSFER_MS) / 1000.0;
        Some(Sample { bits: bytes as f64 * 8.0, ttfb_s: ttfb_ms / 1000.0, transfer_s, rendition, media_s })
    }
}

impl Group {
    fn take(&mut self, bytes: u64, main: Option<(usize, f64)>) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.main = match (self.main, main) {
            (Some((_, before_s)), Some((rung, media_s))) => Some((rung, before_s + media_s)),
            (before, own) => own.or(before),
        };
    }
}

impl Running {
    /// The share of its time that lies after a moment.
    fn share_since(&self, since_ms: f64) -> f64 {
        (self.told_ms - since_ms.max(self.begun_ms)) / (self.told_ms - self.begun_ms)
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

    #[test]
    fn transfers_that_share_the_link_are_not_slow_ones() {
        let timing = |total_ms: f64| Timing { ttfb_ms: 50.0, total_ms };
        let mut transfers = Transfers::default();
        assert_eq!(transfers.runs(1000.0, 1, 0, timing(50.0)), None);
        assert_eq!(transfers.runs(1000.0, 1, 10_000, timing(50.0)), Some(0.0));
        // One part alone for 100 ms, then a second one takes half of the link.
        assert_eq!(transfers.runs(1100.0, 1, 40_000, timing(150.0)), Some(0.1));
        assert_eq!(transfers.runs(1200.0, 2, 20_000, timing(150.0)), Some(0.1));
        let alone_s = transfers.runs(1200.0, 1, 60_000, timing(250.0)).unwrap();
        assert!((alone_s - 0.15).abs() < 1e-9, "{alone_s}");
        // What was over before it began took nothing from it.
        assert_eq!(transfers.runs(1400.0, 3, 40_000, timing(150.0)), Some(0.1));
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

    /// Two on their way at a time over 3 Mbit/s: half of the link each, and no sample says so.
    #[test]
    fn transfers_that_overlap_without_end_are_samples_of_the_whole_link() {
        let parts: Vec<(f64, Transfer)> = (1..=20).map(|n| (1000.0 + 215.0 * f64::from(n), transfer(80_625, 70.0, 430.0))).collect();
        let rates = rates(&parts);
        assert!(rates.len() >= 8, "{rates:?}");
        // Nothing is known of what shared the link with the first and the last.
        for rate in &rates[1..rates.len() - 1] {
            assert!((rate - 3.0).abs() < 0.01, "{rates:?}");
        }
        let mut group = Transfers::default();
        let samples = parts.iter().filter_map(|(now_ms, transfer)| group.add(*now_ms, *transfer)).collect::<Vec<_>>();
        let media_s: f64 = samples.iter().chain(&group.close()).map(|sample| sample.media_s).sum();
        assert!((media_s - 10.0).abs() < 1e-9, "{media_s}");
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
