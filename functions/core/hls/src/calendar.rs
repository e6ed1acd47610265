use tidegate_stream::date;

use crate::line::{Text, padded};

/// Writes EXT-X-PROGRAM-DATE-TIME. From one segment to the next only the seconds change: what stands before them is worked out once a
/// minute.
pub(crate) struct Calendar {
    minute_ms: u64,
    /// The tag at the start of the minute.
    line: [u8; 50],
}

const MINUTE_MS: u64 = 60_000;
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

    fn turn_to(&mut self, ms: u64) {
        self.minute_ms = ms - ms % MINUTE_MS;
        let date = date((self.minute_ms * 1000).cast_signed());
        if let Some(room) = self.line.get_mut(25..49) {
            room.copy_from_slice(&date);
        }
    }
}

fn millis(utc_us: i64) -> u64 {
    u64::try_from(utc_us).unwrap_or(0).min(MAX_MS * 1000) / 1000
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
