//! Values of tags and attributes, each read on its own: what does not read is `None`.

/// Reads a decimal integer: digits alone.
#[must_use]
pub fn integer(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads a decimal number into millionths, rounded to the nearest.
#[must_use]
pub fn millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if (whole.is_empty() && fraction.is_empty()) || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { integer(whole)? };
    let mut micros = 0;
    let mut digits = fraction.bytes().map(|b| u64::from(b - b'0')).chain(core::iter::repeat(0));
    for digit in digits.by_ref().take(6) {
        micros = micros * 10 + digit;
    }
    let up = u64::from(digits.next().is_some_and(|digit| digit >= 5));
    whole.checked_mul(1_000_000)?.checked_add(micros)?.checked_add(up)
}

/// Reads a decimal number with a sign into millionths.
#[must_use]
pub fn signed_millionths(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => i64::try_from(millionths(rest)?).ok()?.checked_neg(),
        None => i64::try_from(millionths(text)?).ok(),
    }
}

/// Reads `<n>[@<o>]`.
#[must_use]
pub fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    match text.split_once('@') {
        Some((length, offset)) => Some((integer(length)?, Some(integer(offset)?))),
        None => Some((integer(text)?, None)),
    }
}

/// Reads `<width>x<height>`.
#[must_use]
pub fn resolution(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', 'X'])?;
    Some((u32::try_from(integer(width)?).ok()?, u32::try_from(integer(height)?).ok()?))
}

/// Reads a date of ISO 8601 into us since 1970; without a zone it is taken as UTC.
#[must_use]
pub fn date(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = day.split('-');
    let mut next = |len: usize| parts.next().filter(|part| part.len() == len).and_then(integer);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (clock, zone_s) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (time.get(..at)?, zone(time.get(at..)?)?),
        None => (time, 0),
    };
    let mut parts = clock.split(':');
    let hour = parts.next().filter(|part| part.len() == 2).and_then(integer)?;
    let minute = parts.next().filter(|part| part.len() == 2).and_then(integer)?;
    let micros = parts.next().map_or(Some(0), millionths)?;
    // A leap second is written as :60.
    if parts.next().is_some() || hour > 24 || minute > 59 || micros >= 61_000_000 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + (hour * 3600 + minute * 60) as i64 - zone_s;
    Some(seconds * 1_000_000 + micros as i64)
}

fn zone(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some(pair), _) => pair,
        (None, 2) => (rest, "00"),
        (None, 4) => rest.split_at_checked(2)?,
        (None, _) => return None,
    };
    let seconds = integer(hours).filter(|hours| *hours < 24)? * 3600 + integer(minutes).filter(|minutes| *minutes < 60)? * 60;
    Some(sign * seconds as i64)
}

/// Days from 1970-01-01 in the Gregorian calendar; years have at most four digits here.
fn days_since_1970(year: u64, month: u64, day: u64) -> i64 {
    // Years begin in March, so that the leap day is the last; 400 years are 146,097 days.
    let year = year as i64 - i64::from(month <= 2);
    let month = (month as i64 + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day as i64 - 1;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_read_to_the_microsecond() {
        for (text, expected) in [("2", 2_000_000), ("1.0010", 1_001_000), ("0.5005005", 500_501), (".5", 500_000), ("3.", 3_000_000)] {
            assert_eq!(millionths(text), Some(expected), "{text}");
        }
        for bad in ["", ".", "-1", "+1", "1e3", "1,5", "99999999999999999999", "1.x"] {
            assert_eq!(millionths(bad), None, "{bad}");
        }
        assert_eq!(signed_millionths("-1.5"), Some(-1_500_000));
    }

    #[test]
    fn dates_read_in_every_zone() {
        let expected = Some(1_790_000_000_123_000);
        for text in
            ["2026-09-21T14:13:20.123Z", "2026-09-21T16:13:20.123+02:00", "2026-09-21T16:13:20.123+0200", "2026-09-21T09:13:20.123-05"]
        {
            assert_eq!(date(text), expected, "{text}");
        }
        assert_eq!(date("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(date("2024-02-29T12:00:00Z"), Some(1_709_208_000_000_000));
        for bad in ["", "2026-09-21", "2026-13-01T00:00:00Z", "2026-09-21T00:00:00X", "é026-09-21T00:00:00Z", "2026-09-21T0é:00:00Z"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
