use crate::line::{Text, padded};

/// Writes EXT-X-PROGRAM-DATE-TIME. From one segment to the next only the seconds change: what stands before them is worked out once a
/// minute.
pub(crate) struct Calendar {
    minute_ms: u64,
    /// The tag at the start of the minute.
    line: [u8; 50],
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;
/// The end of the year 9999: later ones have five digits.
const MAX_MS: u64 = 253_402_300_799_999;

impl Calendar {
    pub(crate) fn new() -> Self {
        Self { minute_ms: 0, line: *b"#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n" }
    }

    /// The tag for a moment in us since 1970, to the millisecond.
    #[inline]
    pub(crate) fn write(&mut self, text: &mut Text, utc_us: i64) {
        let ms = millis(utc_us);
        if ms < self.minute_ms || ms - self.minute_ms >= MINUTE_MS {
            self.turn_to(ms);
        }
        let within = (ms - self.minute_ms) as u32;
        let ([a, b], [c, d, e]) = (padded::<2>((within / 1000).into()), padded::<3>((within % 1000).into()));
        // Into the copy, not into the line: reading back at once what was written byte by byte stalls the processor.
        if let Some([s1, s2, _, m1, m2, m3, _, _]) = text.ascii(&self.line).last_mut() {
            (*s1, *s2, *m1, *m2, *m3) = (a, b, c, d, e);
        }
    }

    /// A date by itself, as attributes have it.
    pub(crate) fn date(&mut self, utc_us: i64) -> [u8; 24] {
        let mut text = Text::with_capacity(self.line.len());
        self.write(&mut text, utc_us);
        let line = text.finish();
        let date = line.trim_end().as_bytes().last_chunk::<24>();
        date.copied().unwrap_or(*b"1970-01-01T00:00:00.000Z")
    }

    fn turn_to(&mut self, ms: u64) {
        self.minute_ms = ms - ms % MINUTE_MS;
        let (year, month, date) = date_of(ms / DAY_MS);
        let minute = ms % DAY_MS / MINUTE_MS;
        let ([a, b, c, d], [e, f], [g, h]) = (padded::<4>(year), padded::<2>(month), padded::<2>(date));
        let ([i, j], [k, l]) = (padded::<2>(minute / 60), padded::<2>(minute % 60));
        let moment = [a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l];
        if let Some(room) = self.line.get_mut(25..41) {
            room.copy_from_slice(&moment);
        }
    }
}

fn millis(utc_us: i64) -> u64 {
    u64::try_from(utc_us).unwrap_or(0).min(MAX_MS * 1000) / 1000
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
        fn a_date_is_the_same_whatever_was_written_before(first in 0..=MAX_MS as i64 * 1000, steps in prop::collection::vec(-200_000_000i64..200_000_000, 0..20)) {
            let mut calendar = Calendar::new();
            let mut at = first;
            for step in steps {
                at = at.saturating_add(step);
                let mut text = Text::with_capacity(0);
                calendar.write(&mut text, at);
                prop_assert_eq!(text.finish(), format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", written(at)));
            }
        }
    }
}
