//! Dates of ISO 8601 as playlists write them, in ms since 1970.
use alloc::{format, string::String};

/// Reads `2026-11-25T20:00:00.5Z` and its variants: a space for the `T`, any number of decimals, `+01:00`, `+0100`, no zone at all
/// (which is read as UTC).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut numbers = date.split('-').map(|n| n.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() || !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = (time.get(..zone_at)?, time.get(zone_at..)?);
    let mut words = time.split(':');
    let (hour, minute) = (unsigned(words.next()?)?, unsigned(words.next()?)?);
    let second = millis(words.next().unwrap_or("0"))?;
    if words.next().is_some() || hour > 24 || minute > 59 || second > 60_999 {
        return None;
    }
    let offset_min = match zone.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign, ..] => {
            let digits = zone.get(1..)?;
            let (hours, minutes) = match digits.split_once(':') {
                Some(pair) => pair,
                None => (digits.get(..2)?, digits.get(2..)?),
            };
            let minutes = unsigned(hours)? * 60 + if minutes.is_empty() { 0 } else { unsigned(minutes)? };
            if *sign == b'-' { -minutes } else { minutes }
        }
    };
    Some((days_from_civil(year, month, day) * 1440 + hour * 60 + minute - offset_min) * 60_000 + second)
}

/// Writes `2026-11-25T20:00:00.500Z`.
pub(crate) fn format(utc_ms: i64) -> String {
    let (days, ms) = (utc_ms.div_euclid(86_400_000), utc_ms.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60)
}

/// Seconds with decimals, in ms; further decimals are cut off.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let text = text.trim();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = unsigned(whole)?;
    let mut ms = 0;
    let mut digits = decimals.bytes();
    for _ in 0..3 {
        let digit = match digits.next() {
            Some(b) if b.is_ascii_digit() => i64::from(b - b'0'),
            Some(_) => return None,
            None => 0,
        };
        ms = ms * 10 + digit;
    }
    whole.checked_mul(1000)?.checked_add(ms)
}

/// Ms as seconds with three decimals.
pub(crate) fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn unsigned(text: &str) -> Option<i64> {
    // Ten digits: no clock and no duration needs more, and none of the sums above overflows.
    (!text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days since 1970 of the proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_of_real_playlists_are_read() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2026-11-25T20:00:00.500Z"), Some(1_795_636_800_500));
        for same in ["2026-11-25 20:00:00.5Z", "2026-11-25T21:00:00.500+01:00", "2026-11-25T15:00:00.5009-0500", "2026-11-25T20:00:00.5"] {
            assert_eq!(parse(same), Some(1_795_636_800_500), "{same}");
        }
        for bad in ["", "2026", "2026-11-25", "2026-13-25T00:00:00Z", "2026-11-25T0:0:0:0Z", "x026-11-25T00:00:00Z", "2026-11-25T00:00:00é"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(utc_ms in 0_i64..253_402_300_800_000) {
            prop_assert_eq!(parse(&format(utc_ms)), Some(utc_ms));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
