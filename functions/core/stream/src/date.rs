/// The date of a moment in us since 1970, to the millisecond, as `2026-09-21T14:13:20.123Z`. Moments before 1970 and after 9999 are
/// written as the first and the last between them.
#[must_use]
pub fn date(utc_us: i64) -> [u8; 24] {
    let ms = u64::try_from(utc_us).unwrap_or(0).min(MAX_MS * 1000) / 1000;
    let (year, month, day) = date_of(ms / DAY_MS);
    let of_day = ms % DAY_MS;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let fields = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, of_day / 3_600_000),
        (14..16, of_day / 60_000 % 60),
        (17..19, of_day / 1000 % 60),
        (20..23, of_day % 1000),
    ];
    for (place, mut number) in fields {
        for digit in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    text
}

const DAY_MS: u64 = 86_400_000;
/// The end of the year 9999: later ones have five digits.
const MAX_MS: u64 = 253_402_300_799_999;

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
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let written = |utc_us| date(utc_us);
        assert_eq!(&written(0), b"1970-01-01T00:00:00.000Z");
        assert_eq!(&written(951_782_400_000_000), b"2000-02-29T00:00:00.000Z");
        assert_eq!(&written(1_790_000_000_123_999), b"2026-09-21T14:13:20.123Z");
        assert_eq!(&written(-5), b"1970-01-01T00:00:00.000Z");
        assert_eq!(&written(i64::MAX), b"9999-12-31T23:59:59.999Z");
    }
}
