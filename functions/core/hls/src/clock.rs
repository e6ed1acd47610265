use tidegate_stream::{Segment, SegmentTrack, Timeline, Track};

use crate::line::{Text, UNITS_PER_S, padded};

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

/// The configurations of all renditions in the period of the segment that is being written.
#[derive(Clone, Copy)]
pub(crate) struct Tracks<'a> {
    period: Option<u32>,
    all: &'a [Option<Track>],
}

impl<'a> Tracks<'a> {
    pub(crate) const NONE: Self = Self { period: None, all: &[] };

    pub(crate) fn turn_to(&mut self, timeline: &'a Timeline, segment: &Segment) {
        if self.period != Some(segment.period) {
            self.period = Some(segment.period);
            self.all = timeline.period(segment.period).map_or(&[], |period| &period.tracks);
        }
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
        let lag = own.zip(first).map_or(0, |(own, first)| own.saturating_sub(first).saturating_mul(10));
        // Renditions of a record start within frames of each other; clocks further apart have nothing to do with each other.
        if lag.abs() <= MAX_LAG_US { lag } else { 0 }
    }
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

/// Writes dates; the day is worked out once for all segments that start on it.
pub(crate) struct Calendar {
    day: u64,
    /// The tag and the date up to the hour.
    until_hour: [u8; 36],
}

const DAY_MS: u64 = 86_400_000;
/// The end of the year 9999: later ones have five digits.
const MAX_MS: u64 = 253_402_300_799_999;

impl Calendar {
    pub(crate) fn new() -> Self {
        Self { day: 0, until_hour: *b"#EXT-X-PROGRAM-DATE-TIME:1970-01-01T" }
    }

    /// EXT-X-PROGRAM-DATE-TIME of a moment in us since 1970, to the millisecond.
    pub(crate) fn write(&mut self, text: &mut Text, utc_us: i64) {
        let ms = u64::try_from(utc_us).unwrap_or(0).min(MAX_MS * 1000) / 1000;
        let day = ms / DAY_MS;
        if day != self.day {
            self.day = day;
            let (year, month, date) = date_of(day);
            let ([a, b, c, d], [e, f], [g, h]) = (padded::<4>(year), padded::<2>(month), padded::<2>(date));
            let date = [a, b, c, d, b'-', e, f, b'-', g, h, b'T'];
            if let Some(room) = self.until_hour.last_chunk_mut::<11>() {
                *room = date;
            }
        }
        let ms = (ms % DAY_MS) as u32;
        let (seconds, ms) = (ms / 1000, ms % 1000);
        let two = |number: u32| padded::<2>(number.into());
        let ([a, b], [c, d], [e, f], [g, h, i]) = (two(seconds / 3600), two(seconds / 60 % 60), two(seconds % 60), padded::<3>(ms.into()));
        text.ascii(&self.until_hour).ascii(&[a, b, b':', c, d, b':', e, f, b'.', g, h, i, b'Z', b'\n']);
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar.
fn date_of(day: u64) -> (u64, u64, u64) {
    // Years begin in March, so that the leap day is the last; 400 years are 146,097 days.
    let day = day + 719_468;
    let era = day / 146_097;
    let day_of_era = day % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use proptest::prelude::*;

    use super::*;
    use crate::read;

    fn written(utc_us: i64) -> String {
        let mut text = Text::with_capacity(0);
        Calendar::new().write(&mut text, utc_us);
        let line = text.finish();
        String::from(line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:").unwrap().trim_end())
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(written(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(951_782_400_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(written(1_790_000_000_123_999), "2026-09-21T14:13:20.123Z");
        assert_eq!(written(-5), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    proptest! {
        #[test]
        fn dates_read_back(ms in 0..=MAX_MS as i64) {
            let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:1,\na\n", written(ms * 1000));
            let Ok(read::Playlist::Media(media)) = read::parse(&text) else { panic!("{text}") };
            prop_assert_eq!(media.segments[0].program_date_time_us, Some(ms * 1000));
        }

        #[test]
        fn lengths_add_up_to_the_whole(durations in prop::collection::vec(1u64..10_000, 1..200), start: u32, scale in 1u32..100_000) {
            let mut at = u64::from(start);
            let mut sum = 0;
            for duration in &durations {
                sum += length(at, *duration, scale);
                at += duration;
            }
            prop_assert_eq!(sum, length(u64::from(start), durations.iter().sum(), scale));
        }
    }
}
