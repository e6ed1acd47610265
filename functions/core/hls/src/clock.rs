use tidegate_stream::{Segment, SegmentTrack, Timeline, Track};

use crate::line::UNITS_PER_S;

/// Ticks of a track in units of 10 us, rounded to the nearest. Differences of these add up without drift.
pub(crate) fn units(ticks: u64, timescale: u32) -> u64 {
    let scale = u64::from(timescale.max(1));
    match ticks.checked_mul(UNITS_PER_S) {
        Some(product) => product.saturating_add(scale / 2) / scale,
        None => {
            u64::try_from((u128::from(ticks) * u128::from(UNITS_PER_S) + u128::from(scale / 2)) / u128::from(scale)).unwrap_or(u64::MAX)
        }
    }
}

/// The length in units of 10 us of what starts at `start` and lasts `duration` ticks.
pub(crate) fn length(start: u64, duration: u64, timescale: u32) -> u64 {
    units(start.saturating_add(duration), timescale).saturating_sub(units(start, timescale))
}

/// Lengths of what follows one another in a track: where one ends the next begins, so that each end is worked out once.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ruler {
    /// 0 where there is no track.
    timescale: u32,
    at: u64,
    at_units: u64,
    /// The last length, in ticks and, where that is a whole number of units, in units: no end is off by a fraction then.
    duration: u64,
    whole: Option<u64>,
}

impl Ruler {
    pub(crate) fn of(track: Option<&Track>) -> Self {
        Self { timescale: track.map_or(0, |track| track.timescale.max(1)), ..Self::default() }
    }

    /// A share with something in it that this can measure.
    pub(crate) fn fits(&self, share: Option<&SegmentTrack>) -> Option<Share> {
        share.filter(|share| share.duration > 0 && self.timescale > 0).map(Share::from)
    }

    /// As [`units`], of what starts where the last length ended.
    pub(crate) fn start(&self, share: Share) -> u64 {
        if self.at == share.start { self.at_units } else { units(share.start, self.timescale) }
    }

    /// As [`length`].
    pub(crate) fn length(&mut self, share: Share) -> u64 {
        let start = self.start(share);
        if self.duration != share.duration {
            let scale = u64::from(self.timescale.max(1));
            let product = share.duration.checked_mul(UNITS_PER_S).filter(|product| product.is_multiple_of(scale));
            (self.duration, self.whole) = (share.duration, product.map(|product| product / scale));
        }
        let end = share.start.saturating_add(share.duration);
        let end_units = self.whole.map_or_else(|| units(end, self.timescale), |whole| start.saturating_add(whole));
        (self.at, self.at_units) = (end, end_units);
        end_units.saturating_sub(start)
    }
}

/// The configurations of all renditions in the period of the segment that is being written.
#[derive(Clone, Copy)]
pub(crate) struct Tracks<'a> {
    period: Option<u32>,
    all: &'a [Option<Track>],
}

impl<'a> Tracks<'a> {
    pub(crate) const NONE: Self = Self { period: None, all: &[] };

    /// Whether the segment is of another period than what was written before it.
    pub(crate) fn turn_to(&mut self, timeline: &'a Timeline, segment: &Segment) -> bool {
        let turns = self.period != Some(segment.period);
        if turns {
            self.period = Some(segment.period);
            self.all = timeline.period(segment.period).map_or(&[], |period| &period.tracks);
        }
        turns
    }

    pub(crate) fn track(&self, rendition: usize) -> Option<&'a Track> {
        self.all.get(rendition)?.as_ref()
    }

    fn timescale(&self, rendition: usize) -> Option<u32> {
        self.track(rendition).map(|track| track.timescale)
    }

    /// The length of a rendition's share of something, in units of 10 us; that of another rendition where this one has none.
    pub(crate) fn length(&self, rendition: usize, shares: impl Iterator<Item = Share> + Clone) -> u64 {
        let of = |(index, share): (usize, Share)| {
            let timescale = self.timescale(index).filter(|_| share.duration > 0)?;
            Some(length(share.start, share.duration, timescale))
        };
        let own = shares.clone().enumerate().nth(rendition).and_then(of);
        own.or_else(|| shares.enumerate().find_map(of)).unwrap_or(0)
    }

    /// How much later than the first rendition's this rendition's share starts, in us.
    pub(crate) fn lag_us(&self, rendition: usize, mut shares: impl Iterator<Item = Share> + Clone) -> i64 {
        let start = |(index, share): (usize, Share)| {
            let timescale = self.timescale(index).filter(|_| share.duration > 0)?;
            i64::try_from(units(share.start, timescale)).ok()
        };
        let own = shares.clone().enumerate().nth(rendition).and_then(start);
        let first = shares.by_ref().enumerate().find_map(start);
        own.zip(first).map_or(0, |(own, first)| bounded_lag_us(own, first))
    }
}

/// By how much one start is later than another, both in units of 10 us, in us.
pub(crate) fn bounded_lag_us(own: i64, first: i64) -> i64 {
    let lag = own.saturating_sub(first).saturating_mul(10);
    // Renditions of a record start within frames of each other; clocks further apart have nothing to do with each other.
    if lag.abs() <= MAX_LAG_US { lag } else { 0 }
}

const MAX_LAG_US: i64 = 1_000_000;

/// Start and duration of one rendition's share of a part or segment, in ticks.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    pub(crate) start: u64,
    pub(crate) duration: u64,
}

impl From<&SegmentTrack> for Share {
    fn from(track: &SegmentTrack) -> Self {
        Self { start: track.start, duration: track.duration }
    }
}

impl From<&tidegate_stream::PartTrack> for Share {
    fn from(track: &tidegate_stream::PartTrack) -> Self {
        Self { start: track.start, duration: u64::from(track.duration) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_add_up_to_the_whole(durations in prop::collection::vec(1u64..10_000, 1..200), start: u32, scale in 1u32..100_000) {
            let mut at = u64::from(start);
            let mut sum = 0;
            let mut ruler = Ruler { timescale: scale, ..Ruler::default() };
            // Twice each, and then as whole numbers of units.
            for duration in durations.iter().flat_map(|duration| [*duration, *duration, u64::from(scale)]) {
                let share = Share { start: at, duration };
                let length = length(at, duration, scale);
                prop_assert_eq!(ruler.length(share), length);
                sum += length;
                at += duration;
            }
            let whole = durations.iter().map(|duration| 2 * duration + u64::from(scale)).sum();
            prop_assert_eq!(sum, length(u64::from(start), whole, scale));
        }
    }
}
