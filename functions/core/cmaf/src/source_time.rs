//! What a picture says of when it was taken: two encoders that are set to the same clock say the same of the same moment.

use crate::{
    Avc,
    avc::{Timecode, without_emulation_prevention},
    bits::Bits,
    nal::{Units, kind},
};

/// When a picture was taken, as its encoder says in the picture itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceTime {
    /// In us since 1970: what OBS writes where it measures broadcasts (user data with an RFC 3339 date).
    Utc(i64),
    /// In us since midnight: the time code of a picture timing message (ITU-T H.264, D.1.3), as SMPTE clocks give it.
    OfDay(i64),
}

const DAY_US: i64 = 86_400_000_000;
/// Messages of a picture are tens of bytes; captions some hundreds.
const MESSAGES_BYTES_MAX: usize = 4096;
const SLICES: core::ops::RangeInclusive<u8> = 1..=kind::IDR;
const PICTURE_TIMING: usize = 1;
const USER_DATA: usize = 5;
/// Marks the user data in which OBS says when a picture was put together, handed to the encoder, and came from it.
const OBS_TIMES: [u8; 16] = [0x0a, 0xec, 0xff, 0xe7, 0x52, 0x72, 0x4e, 0x2f, 0xa6, 0x2f, 0xd1, 0x9c, 0xd6, 0x1a, 0x93, 0xb5];
const OBS_DATE: u8 = 1;
const OBS_COMPOSED: u8 = 1;
/// How many times a picture timing message may have, for each structure of a picture (table D-1).
const CLOCKS: [u8; 9] = [1, 1, 1, 2, 2, 3, 3, 2, 3];

impl SourceTime {
    /// How far apart two times are, in us; `None` where one has a date and the other has none.
    #[must_use]
    pub fn apart_us(self, other: Self) -> Option<i64> {
        match (self, other) {
            (Self::Utc(a), Self::Utc(b)) => Some(a.saturating_sub(b).saturating_abs()),
            (Self::OfDay(a), Self::OfDay(b)) => {
                let apart = (a - b).rem_euclid(DAY_US);
                Some(apart.min(DAY_US - apart))
            }
            (Self::Utc(_), Self::OfDay(_)) | (Self::OfDay(_), Self::Utc(_)) => None,
        }
    }
}

/// Reads it from a picture as tracks carry it, NAL units after their lengths. A date goes before a time of day.
#[must_use]
pub fn source_time(picture: &[u8], avc: &Avc) -> Option<SourceTime> {
    let mut of_day = None;
    // What is cut off ends the search; what was found before it counts.
    for unit in Units::new(picture, avc.length_size()) {
        match unit.kind() {
            kind::SEI => match messages(unit.bytes, avc) {
                Some(SourceTime::OfDay(us)) => of_day = of_day.or(Some(SourceTime::OfDay(us))),
                Some(date) => return Some(date),
                None => {}
            },
            // Messages stand before the slices that they are about.
            kind if SLICES.contains(&kind) => break,
            _ => {}
        }
    }
    of_day
}

fn messages(nal: &[u8], avc: &Avc) -> Option<SourceTime> {
    let rbsp = without_emulation_prevention(nal.get(1..nal.len().min(MESSAGES_BYTES_MAX))?);
    let (mut rest, mut of_day) = (rbsp.as_slice(), None);
    // The last byte is the stop bit.
    while rest.len() > 2 {
        let (Some(kind), Some(length)) = (number(&mut rest), number(&mut rest)) else { break };
        let Some((payload, tail)) = rest.split_at_checked(length) else { break };
        rest = tail;
        match kind {
            PICTURE_TIMING => of_day = of_day.or_else(|| time_code(payload, avc.timecode()?)),
            USER_DATA => {
                if let Some(utc_us) = payload.strip_prefix(&OBS_TIMES).and_then(composed) {
                    return Some(SourceTime::Utc(utc_us));
                }
            }
            _ => {}
        }
    }
    of_day
}

/// A number in steps of 255 (7.3.2.3.1).
fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut sum = 0usize;
    loop {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        sum += usize::from(*byte);
        if *byte < 255 {
            return Some(sum);
        }
    }
}

/// The first clock of a picture timing message, if it says hours, minutes and seconds.
fn time_code(payload: &[u8], timecode: Timecode) -> Option<SourceTime> {
    let mut bits = Bits::new(payload);
    bits.skip(timecode.delay_bits)?;
    if !timecode.has_clocks {
        return None;
    }
    let clocks = *CLOCKS.get(bits.take(4)? as usize)?;
    for _ in 0..clocks {
        if !bits.bit()? {
            continue;
        }
        bits.skip(2)?;
        let field_based = bits.bit()?;
        bits.skip(5)?;
        let full = bits.bit()?;
        bits.skip(2)?;
        let frames = i64::from(bits.take(8)?);
        let mut part = |width: u32| if full || bits.bit()? { bits.take(width) } else { None };
        let (seconds, minutes, hours) = (part(6)?, part(6)?, part(5)?);
        if seconds > 59 || minutes > 59 || hours > 23 {
            return None;
        }
        let whole = i64::from((hours * 60 + minutes) * 60 + seconds) * 1_000_000;
        let (units, scale) = timecode.tick;
        let of_frames = match (frames, scale) {
            (0, _) => 0,
            (_, 0) => return None,
            (frames, scale) => frames * i64::from(units) * (1 + i64::from(field_based)) * 1_000_000 / i64::from(scale),
        };
        return Some(SourceTime::OfDay((whole + of_frames).rem_euclid(DAY_US)));
    }
    None
}

/// When OBS put a picture together, in us since 1970.
fn composed(payload: &[u8]) -> Option<i64> {
    let (count, mut rest) = payload.split_first()?;
    for _ in 0..=(count & 15) {
        let ([kind, event], tail) = rest.split_first_chunk::<2>()?;
        // Other kinds are 64 bits.
        let end = if *kind == OBS_DATE { tail.iter().position(|byte| *byte == 0)? } else { 8 };
        let (text, tail) = tail.split_at_checked(end)?;
        if (*kind, *event) == (OBS_DATE, OBS_COMPOSED) {
            return date(text);
        }
        rest = if *kind == OBS_DATE { tail.get(1..)? } else { tail };
    }
    None
}

/// Reads `2024-05-31T12:26:03.591Z`.
fn date(text: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let digits = |text: &str, most: i64| {
        let plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|value| plain && *value <= most)
    };
    let mut date = date.split('-');
    let (year, month, day) = (digits(date.next()?, 9999)?, digits(date.next()?, 12)?, digits(date.next()?, 31)?);
    let mut time = time.split(':');
    let (hour, minute, second) = (digits(time.next()?, 23)?, digits(time.next()?, 59)?, digits(time.next()?, 60)?);
    if date.next().is_some() || time.next().is_some() || month == 0 || day == 0 {
        return None;
    }
    let mut us = 0;
    for (place, byte) in fraction.bytes().take(6).enumerate() {
        us += i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?) * 10i64.pow(5 - place as u32);
    }
    // Days since 1970 in the Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + us)
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    use super::*;
    use crate::avc::tests::{AVCC_720P, with_hrd};

    fn nal(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut nal = vec![0, 0, 0, body.len() as u8 + 1, kind];
        nal.extend_from_slice(body);
        nal
    }

    fn obs(times: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let mut payload = OBS_TIMES.to_vec();
        payload.push(times.len() as u8 - 1);
        for (kind, event, value) in times {
            payload.extend_from_slice(&[*kind, *event]);
            payload.extend_from_slice(value);
        }
        [&[5, payload.len() as u8], payload.as_slice(), &[0x80]].concat()
    }

    const IDR: [u8; 8] = [0, 0, 0, 4, 0x65, 1, 2, 3];

    #[test]
    fn the_date_that_obs_writes_is_read_whatever_stands_before_it() {
        let avc = Avc::parse(AVCC_720P).unwrap();
        let date: &[u8] = b"2024-05-31T12:26:03.591Z\0";
        let expected = Some(SourceTime::Utc(1_717_158_363_591_000));
        let alone = [nal(6, &obs(&[(1, 1, date)])), IDR.to_vec()].concat();
        assert_eq!(source_time(&alone, &avc), expected);
        let others = obs(&[(2, 2, &[0, 1, 2, 3, 4, 5, 6, 7]), (1, 4, b"1999-01-01T00:00:00.000Z\0"), (1, 1, date)]);
        let delimited = [nal(9, &[0xf0]), nal(6, &[4, 2, 1, 1, 0x80]), nal(6, &others), IDR.to_vec()].concat();
        assert_eq!(source_time(&delimited, &avc), expected);
        // What stands behind a slice is about something else.
        assert_eq!(source_time(&[IDR.to_vec(), nal(6, &obs(&[(1, 1, date)]))].concat(), &avc), None);
        assert_eq!(source_time(&IDR, &avc), None);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(date(b"2000-02-29T23:59:59.999999Z"), Some(951_868_799_999_999));
        assert_eq!(date(b"2026-11-26T13:20:00.5Z"), Some(1_795_699_200_500_000));
        for wrong in [
            "",
            "Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-1-1T24:00:00Z",
            "2026-01-01T00:00:00",
            "x-y-zT::Z",
            "2026-01-01T00:00:00.xZ",
        ] {
            assert_eq!(date(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn the_time_code_of_a_clock_is_read_with_its_frames() {
        let avc = Avc::parse(&with_hrd()).unwrap();
        // 24 bits of delays of 24 and 5 bits, one clock: 13:20:07 and 12 frames at 25 a second.
        let mut bits = vec![false; 29];
        let mut put = |value: u32, width: u32| bits.extend((0..width).rev().map(|at| value >> at & 1 == 1));
        for (value, width) in [(0, 4), (1, 1), (0, 2), (1, 1), (0, 5), (1, 1), (0, 2), (12, 8), (7, 6), (20, 6), (13, 5)] {
            put(value, width);
        }
        let payload: Vec<u8> =
            bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | u8::from(*bit) << (7 - at))).collect();
        let sei = [&[1, payload.len() as u8], payload.as_slice(), &[0x80]].concat();
        let time = source_time(&[nal(6, &sei), IDR.to_vec()].concat(), &avc);
        assert_eq!(time, Some(SourceTime::OfDay(((13 * 60 + 20) * 60 + 7) * 1_000_000 + 480_000)));
        // Parameter sets without clocks say that there are none.
        assert_eq!(source_time(&[nal(6, &sei), IDR.to_vec()].concat(), &Avc::parse(AVCC_720P).unwrap()), None);
    }

    #[test]
    fn times_of_day_meet_at_midnight_and_are_not_compared_with_dates() {
        let (late, early) = (SourceTime::OfDay(DAY_US - 5_000), SourceTime::OfDay(10_000));
        assert_eq!((late.apart_us(early), early.apart_us(late)), (Some(15_000), Some(15_000)));
        assert_eq!(SourceTime::Utc(40).apart_us(SourceTime::Utc(-2)), Some(42));
        assert_eq!(SourceTime::Utc(0).apart_us(SourceTime::OfDay(0)), None);
    }

    proptest! {
        #[test]
        fn any_picture_has_a_time_or_none(noise in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..80, flip in any::<u8>()) {
            let avc = Avc::parse(&with_hrd()).unwrap();
            let _ = source_time(&noise, &avc);
            let mut sei = nal(6, &obs(&[(1, 1, b"2024-05-31T12:26:03.591Z\0")]));
            let _ = source_time(&sei[..cut.min(sei.len())], &avc);
            let at = cut % sei.len();
            sei[at] ^= flip;
            let _ = source_time(&sei, &avc);
            let _ = source_time(&nal(6, &noise[..noise.len().min(200)]), &avc);
        }
    }
}
