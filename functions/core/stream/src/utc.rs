//! Moments as people and documents write them.

use alloc::{format, string::String};

/// 9999-12-31T23:59:59.999Z; later years have five digits.
const MAX_MS: u64 = 253_402_300_799_999;
const DAY_MS: u64 = 86_400_000;

/// Writes a moment in ms since 1970 as RFC 3339 in UTC: `2026-11-25T19:47:46.123Z`.
#[must_use]
pub fn format_utc(utc_ms: u64) -> String {
    let ms = utc_ms.min(MAX_MS);
    let (year, month, day) = civil(ms / DAY_MS);
    let of_day = ms % DAY_MS;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
}

/// Reads RFC 3339 with any offset, to the millisecond; `None` for anything else and for moments before 1970.
#[must_use]
pub fn parse_utc(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let number = |from: usize, len: usize| {
        let digits = bytes.get(from..from + len)?;
        digits.iter().try_fold(0u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
    };
    let mark = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    mark(4, b"-")?;
    mark(7, b"-")?;
    mark(10, b"Tt")?;
    mark(13, b":")?;
    mark(16, b":")?;
    let fits = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if year < 1970 || !fits {
        return None;
    }
    let mut at = 19;
    let mut ms = 0;
    if mark(at, b".").is_some() {
        let digits = bytes.get(at + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        ms = number(at + 1, digits.min(3))? * [100, 10, 1][digits.min(3) - 1];
        at += 1 + digits;
    }
    let offset_min: i64 = match bytes.get(at..)? {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = i64::try_from(hours * 60 + minutes).ok()?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let local = days(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms;
    local.checked_add_signed(-offset_min * 60_000).filter(|utc| *utc <= MAX_MS)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    years + (1..month).map(|month| days_of(year, month)).sum::<u64>() + day - 1
}

/// Year, month and day of a day since 1970.
fn civil(mut day: u64) -> (u64, u64, u64) {
    let mut year = 1970 + day / 366;
    day -= days(year, 1, 1);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    while day >= days_of(year, month) {
        day -= days_of(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moments_round_trip(ms in 0..=MAX_MS) {
            prop_assert_eq!(parse_utc(&format_utc(ms)), Some(ms));
        }

        #[test]
        fn any_text_reads_or_not(text in "[0-9TZ:.+-]{0,40}") {
            let _ = parse_utc(&text);
        }
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(format_utc(1_790_000_000_123), "2026-09-21T14:13:20.123Z");
        assert_eq!(parse_utc("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(parse_utc("2026-09-21T16:13:20.1+02:00"), Some(1_790_000_000_100));
        for bad in
            ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-09-21 14:13:20Z", "2026-09-21T14:13:20", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(parse_utc(bad), None, "{bad}");
        }
    }
}
