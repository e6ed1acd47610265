use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use crate::{ConfigError, bits::Bits, config::CONFIG_BYTES_MAX};

/// The configuration of an H.264 track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Avc {
    record: Vec<u8>,
    profile: [u8; 3],
    length_size: u8,
    /// Where the parameter sets are in the record.
    sets: Vec<Range<usize>>,
    sps: Sps,
}

/// What is read of a sequence parameter set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sps {
    width: u32,
    height: u32,
    sample_aspect: (u32, u32),
    frame_rate: Option<(u32, u32)>,
    timecode: Option<Timecode>,
    /// Chroma format, and bits beyond eight of luma and chroma.
    format: [u8; 3],
}

/// How picture timing messages are written (ITU-T H.264, D.1.3, E.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timecode {
    /// Bits of the delays before the clocks.
    pub(crate) delay_bits: usize,
    /// There are clocks.
    pub(crate) has_clocks: bool,
    /// The units of a tick, and how many are a second; zeros where that is not said.
    pub(crate) tick: (u32, u32),
}

impl Avc {
    /// Parses an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1).
    pub fn parse(record: &[u8]) -> Result<Self, ConfigError> {
        if record.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::Long(record.len()));
        }
        let [version, profile, compatibility, level, length_size, sps_count, rest @ ..] = record else { return Err(ConfigError::Short) };
        if *version != 1 {
            return Err(ConfigError::Version(*version));
        }
        if sps_count & 31 == 0 {
            return Err(ConfigError::Sps);
        }
        let (len, rest) = rest.split_first_chunk::<2>().ok_or(ConfigError::Short)?;
        let nal = rest.get(..usize::from(u16::from_be_bytes(*len))).ok_or(ConfigError::Short)?;
        let sps = parse_sps(&without_emulation_prevention(nal)).ok_or(ConfigError::Sps)?;
        if sps.width == 0 || sps.height == 0 || sps.width > 16_384 || sps.height > 16_384 {
            return Err(ConfigError::Value("the size of the picture"));
        }
        let (record, sets) = normal(record, &sps);
        Ok(Self { record, profile: [*profile, *compatibility, *level], length_size: (length_size & 3) + 1, sets, sps })
    }

    /// RFC 6381, as `avc1.64001f`.
    #[must_use]
    pub fn codec(&self) -> String {
        let [profile, compatibility, level] = self.profile;
        format!("avc1.{profile:02x}{compatibility:02x}{level:02x}")
    }

    /// The record, the same whoever wrote it: with the fields that the profile asks for, which many encoders leave out.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// The parameter sets of the record, without their lengths.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &[u8]> {
        self.sets.iter().filter_map(|set| self.record.get(set.clone()))
    }

    /// Width of the picture in pixels, after cropping.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.sps.width
    }

    /// Height of the picture in pixels, after cropping.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.sps.height
    }

    /// Width to height of one pixel.
    #[must_use]
    pub fn sample_aspect(&self) -> (u32, u32) {
        self.sps.sample_aspect
    }

    /// Frames and the seconds they take, as the timing fields say. A claim: x264 writes it for variable rates too.
    #[must_use]
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        self.sps.frame_rate
    }

    /// How picture timing messages are written, where it is said.
    pub(crate) fn timecode(&self) -> Option<Timecode> {
        self.sps.timecode
    }

    /// Bytes of the length before each NAL unit in a frame: 1 to 4.
    #[must_use]
    pub fn length_size(&self) -> u8 {
        self.length_size
    }
}

/// A record with its reserved bits set and, for the profiles that have them, the fields behind the parameter sets (5.3.3.1.2); and where the parameter
/// sets are. One that ends early is left as it is.
fn normal(record: &[u8], sps: &Sps) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut normal = record.to_vec();
    let sets = sets(record);
    let end = sets.as_ref().map_or(record.len(), |(_, end)| *end);
    if let Some([length_size, sps_count]) = normal.get_mut(4..6) {
        *length_size |= 0xfc;
        *sps_count |= 0xe0;
    }
    if sets.is_some() && end == record.len() && record.get(1).is_some_and(|profile| HIGH_PROFILES.contains(&(*profile).into())) {
        let [chroma, luma_bits, chroma_bits] = sps.format;
        normal.extend_from_slice(&[0xfc | chroma, 0xf8 | luma_bits, 0xf8 | chroma_bits, 0]);
    }
    (normal, sets.map(|(sets, _)| sets).unwrap_or_default())
}

/// Where the parameter sets of a record are, and where the last one ends.
fn sets(record: &[u8]) -> Option<(Vec<Range<usize>>, usize)> {
    let (mut sets, mut at) = (Vec::new(), 5);
    for mask in [31, 255] {
        let count = record.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let length = record.get(at..at + 2)?;
            let start = at + 2;
            at = start + length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            sets.push(start..record.get(start..at).map(|_| at)?);
        }
    }
    Some((sets, at))
}

pub(crate) fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut rbsp = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for byte in nal {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        rbsp.push(*byte);
    }
    rbsp
}

/// Profiles whose parameter set has the chroma fields (ITU-T H.264, 7.3.2.1.1).
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

fn parse_sps(rbsp: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(rbsp);
    if bits.take(8)? & 31 != 7 {
        return None;
    }
    let profile = bits.take(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let mut chroma_format = 1;
    let mut separate_planes = false;
    let mut format = [1, 0, 0];
    if HIGH_PROFILES.contains(&profile) {
        chroma_format = bits.ue()?;
        if chroma_format == 3 {
            separate_planes = bits.bit()?;
        }
        let depths = [bits.ue()?, bits.ue()?];
        // 7.4.2.1.1: chroma formats are 0 to 3, depths 8 to 14.
        let small = |value: u32, max: u8| u8::try_from(value).ok().filter(|value| *value <= max);
        format = [small(chroma_format, 3)?, small(depths[0], 6)?, small(depths[1], 6)?];
        bits.skip(1)?;
        if bits.bit()? {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            // At most 255 frames in the cycle (7.4.2.1.1).
            for _ in 0..bits.ue().filter(|count| *count < 256)? {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?;
    bits.skip(1)?;
    let mbs_wide = bits.ue()?.checked_add(1)?;
    let map_units_high = bits.ue()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let fields = if frames_only { 1 } else { 2 };
    let (mut width, mut height) = (mbs_wide.checked_mul(16)?, map_units_high.checked_mul(16)?.checked_mul(fields)?);
    if bits.bit()? {
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        // CropUnitX and CropUnitY of 7.4.2.1.1.
        let array_type = if separate_planes { 0 } else { chroma_format };
        let unit_x = if matches!(array_type, 1 | 2) { 2 } else { 1 };
        let unit_y = fields * if array_type == 1 { 2 } else { 1 };
        width = width.checked_sub(left.checked_add(right)?.checked_mul(unit_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(unit_y)?)?;
    }
    // A damaged VUI costs its hints, not the stream.
    let nothing = ((1, 1), None, None);
    let (sample_aspect, frame_rate, timecode) = if bits.bit()? { parse_vui(&mut bits).unwrap_or(nothing) } else { nothing };
    Some(Sps { width, height, sample_aspect, frame_rate, timecode, format })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.se()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Table E-1 of ITU-T H.264, from 1 on.
const SAMPLE_ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

type Vui = ((u32, u32), Option<(u32, u32)>, Option<Timecode>);

fn parse_vui(bits: &mut Bits<'_>) -> Option<Vui> {
    let mut aspect = (1, 1);
    if bits.bit()? {
        let index = bits.take(8)?;
        aspect = match index {
            255 => (bits.take(16)?, bits.take(16)?),
            index => index.checked_sub(1).and_then(|at| SAMPLE_ASPECTS.get(at as usize)).copied().unwrap_or(aspect),
        };
        if aspect.0 == 0 || aspect.1 == 0 {
            aspect = (1, 1);
        }
    }
    if bits.bit()? {
        bits.skip(1)?;
    }
    if bits.bit()? {
        bits.skip(4)?;
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    let (mut rate, mut tick) = (None, (0, 0));
    if bits.bit()? {
        let (units, scale) = (bits.take(32)?, bits.take(32)?);
        tick = (units, scale);
        // Two ticks for each frame (E.2.1).
        rate = units.checked_mul(2).filter(|twice| *twice > 0 && scale > 0).map(|twice| (scale, twice));
    }
    Some((aspect, rate, parse_timecode(bits, tick)))
}

fn parse_timecode(bits: &mut Bits<'_>, tick: (u32, u32)) -> Option<Timecode> {
    // One more bit than was read so far: whether the rate is fixed.
    if tick != (0, 0) {
        bits.skip(1)?;
    }
    let mut delay_bits = None;
    // Of NAL units, and of pictures alone: both have the same lengths.
    for _ in 0..2 {
        if bits.bit()? {
            delay_bits = Some(parse_hrd(bits)?);
        }
    }
    if delay_bits.is_some() {
        bits.skip(1)?;
    }
    Some(Timecode { delay_bits: delay_bits.unwrap_or(0), has_clocks: bits.bit()?, tick })
}

/// E.1.2; says how many bits the two delays of a picture have.
fn parse_hrd(bits: &mut Bits<'_>) -> Option<usize> {
    let count = bits.ue().filter(|count| *count < 32)?;
    bits.skip(8)?;
    for _ in 0..=count {
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    bits.skip(5)?;
    let (removal, output) = (bits.take(5)?, bits.take(5)?);
    bits.skip(5)?;
    Some((removal + 1 + output + 1) as usize)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What x264 wrote for 1280x720 at 30 frames, High profile, level 3.1.
    pub(crate) const AVCC_720P: &[u8] = &[
        0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
        0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8,
        0x00,
    ];

    /// A parameter set of 1280x720 at 25 frames, with delays of 24 and 5 bits and with clocks, as encoders of broadcasters write it.
    pub(crate) fn with_hrd() -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        let mut put = |value: u32, width: u32| bits.extend((0..width).rev().map(|at| value >> at & 1 == 1));
        let ue = |value: u32| (value + 1, 2 * (32 - (value + 1).leading_zeros()) - 1);
        put(0x67, 8);
        put(77, 8);
        put(0, 8);
        put(31, 8);
        // Identity, frame numbers, order of type 2, references, no gaps, 80 by 45 macroblocks, frames only, 8x8, no cropping.
        for (value, width) in [ue(0), ue(0), ue(2), ue(1), (0, 1), ue(79), ue(44), (1, 1), (1, 1), (0, 1)] {
            put(value, width);
        }
        // Of the usability information: no aspect, overscan, signal or chroma; a tick of 1/50 s at a fixed rate.
        for (value, width) in [(1, 1), (0, 4), (1, 1), (1, 32), (50, 32), (1, 1)] {
            put(value, width);
        }
        // Of NAL units: one buffer, lengths of 24, 24, 5 and 24 bits; none of pictures alone; no low delay; clocks; no restrictions.
        for (value, width) in
            [(1, 1), ue(0), (0, 8), ue(99), ue(99), (0, 1), (23, 5), (23, 5), (4, 5), (24, 5), (0, 1), (0, 1), (1, 1), (0, 1), (1, 1)]
        {
            put(value, width);
        }
        let byte = |byte: &[bool]| byte.iter().enumerate().fold(0u8, |sum, (at, bit)| sum | u8::from(*bit) << (7 - at));
        let rbsp: Vec<u8> = bits.chunks(8).map(byte).collect();
        let mut sps: Vec<u8> = Vec::new();
        for byte in rbsp {
            if sps.ends_with(&[0, 0]) && byte <= 3 {
                sps.push(3);
            }
            sps.push(byte);
        }
        let mut record = alloc::vec![1, 77, 0, 31, 0xff, 0xe1, 0, sps.len() as u8];
        record.extend_from_slice(&sps);
        record.extend_from_slice(&[1, 0, 4, 0x68, 0xef, 0x8f, 0xcb]);
        record
    }

    #[test]
    fn a_record_with_clocks_reads() {
        let avc = Avc::parse(&with_hrd()).unwrap();
        assert_eq!((avc.width(), avc.height(), avc.frame_rate()), (1280, 720, Some((50, 2))));
        assert_eq!(avc.timecode(), Some(Timecode { delay_bits: 29, has_clocks: true, tick: (1, 50) }));
        let plain = Avc::parse(AVCC_720P).unwrap().timecode().unwrap();
        assert!(!plain.has_clocks, "{plain:?}");
    }

    #[test]
    fn a_record_of_x264_reads() {
        let avc = Avc::parse(AVCC_720P).unwrap();
        assert_eq!((avc.width(), avc.height(), avc.codec().as_str(), avc.length_size()), (1280, 720, "avc1.64001f", 4));
        assert_eq!((avc.frame_rate(), avc.sample_aspect()), (Some((60, 2)), (1, 1)));
    }

    #[test]
    fn a_record_is_the_same_whoever_wrote_it() {
        let whole = Avc::parse(AVCC_720P).unwrap();
        assert_eq!(whole.record(), AVCC_720P);
        assert_eq!(whole.sets().map(|set| set[0] & 31).collect::<Vec<_>>(), [7, 8]);
        // As OBS writes it: without the four bytes of the High profile.
        let short = Avc::parse(&AVCC_720P[..AVCC_720P.len() - 4]).unwrap();
        assert_eq!(short, whole);
        // Reserved bits that are zero.
        let mut zeros = AVCC_720P.to_vec();
        (zeros[4], zeros[5]) = (3, 1);
        assert_eq!(Avc::parse(&zeros).unwrap(), whole);
        // Of the Main profile nothing follows.
        assert_eq!(Avc::parse(&with_hrd()).unwrap().record(), with_hrd());
        // One that ends within its second set is what it was.
        let cut = &AVCC_720P[..AVCC_720P.len() - 6];
        assert_eq!((Avc::parse(cut).unwrap().record(), Avc::parse(cut).unwrap().sets().count()), (cut, 0));
    }

    #[test]
    fn records_without_a_picture_are_refused() {
        assert_eq!(Avc::parse(&[]), Err(ConfigError::Short));
        assert_eq!(Avc::parse(&[2, 100, 0, 31, 255, 225, 0, 0]), Err(ConfigError::Version(2)));
        assert_eq!(Avc::parse(&[1, 100, 0, 31, 255, 224, 0, 0]), Err(ConfigError::Sps));
        assert_eq!(Avc::parse(&[1, 100, 0, 31, 255, 225, 0, 0]), Err(ConfigError::Sps));
        assert_eq!(Avc::parse(&[0; 20_000]), Err(ConfigError::Long(20_000)));
    }

    proptest! {
        #[test]
        fn any_record_reads_or_says_why(noise in prop::collection::vec(any::<u8>(), 0..80), at in 8usize..30, flips in any::<[u8; 8]>()) {
            let _ = Avc::parse(&noise);
            let mut damaged = AVCC_720P.to_vec();
            for (byte, flip) in damaged[at..].iter_mut().zip(flips) {
                *byte ^= flip;
            }
            let _ = Avc::parse(&damaged);
            let _ = Avc::parse(&damaged[..at]);
        }
    }
}
