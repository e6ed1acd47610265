//! NAL units of H.264 as tracks carry them: each after its length (ISO/IEC 14496-15).

use alloc::vec::Vec;
use core::ops::Range;

use crate::Avc;

/// What of a picture belongs into its track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// These of its bytes: all of them, or what is left without the units at either end.
    Range(Range<usize>),
    /// What is left where something in the middle does not belong there.
    Units(Vec<u8>),
}

/// NAL units one after the other. What is cut off ends them.
#[derive(Clone, Debug)]
pub(crate) struct Units<'a> {
    rest: &'a [u8],
    at: usize,
    length_size: usize,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Unit<'a> {
    /// Where it is, with its length.
    pub(crate) place: Range<usize>,
    /// Without its length; never empty.
    pub(crate) bytes: &'a [u8],
}

/// `nal_unit_type` of ITU-T H.264, table 7-1.
pub(crate) mod kind {
    pub(crate) const IDR: u8 = 5;
    pub(crate) const SEI: u8 = 6;
    pub(crate) const SPS: u8 = 7;
    pub(crate) const PPS: u8 = 8;
    pub(crate) const DELIMITER: u8 = 9;
    pub(crate) const FILLER: u8 = 12;
}

/// Whether a decoder can start at a picture whose lengths have so many bytes: a flag of its container may stand on an open GOP or a recovery point too.
#[must_use]
pub fn is_idr(picture: &[u8], length_size: u8) -> bool {
    Units::new(picture, length_size).any(|unit| unit.kind() == kind::IDR)
}

/// The pictures of a source on their way into its track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pictures {
    avc: Avc,
    /// Parameter sets came that the configuration does not have, perhaps in the place of its own: those would be needed for the way back.
    sets_changed: bool,
}

impl Pictures {
    /// Pictures that this configuration is for.
    #[must_use]
    pub fn new(avc: Avc) -> Self {
        Self { avc, sets_changed: false }
    }

    /// The configuration.
    #[must_use]
    pub fn avc(&self) -> &Avc {
        &self.avc
    }

    /// What of the next picture belongs into the track. Not there: delimiters of access units, which MPEG-TS needs; parameter sets that the
    /// configuration has, until there are others; what only fills a constant rate. The same picture is then the same bytes whichever way it came.
    pub fn kept(&mut self, picture: &[u8]) -> Kept {
        let others = |unit: Unit<'_>| is_set(&unit) && !self.has(&unit);
        self.sets_changed = self.sets_changed || Units::new(picture, self.avc.length_size()).any(others);
        let mut kept: Option<Range<usize>> = None;
        let mut units: Option<Vec<u8>> = None;
        let mut end = 0;
        for unit in Units::new(picture, self.avc.length_size()) {
            end = unit.place.end;
            if self.is_beside(&unit) {
                continue;
            }
            match (&mut kept, &mut units) {
                (_, Some(units)) => units.extend_from_slice(picture.get(unit.place).unwrap_or_default()),
                (Some(range), None) if range.end != unit.place.start => {
                    let mut before = picture.get(range.clone()).unwrap_or_default().to_vec();
                    before.extend_from_slice(picture.get(unit.place).unwrap_or_default());
                    units = Some(before);
                }
                (Some(range), None) => range.end = unit.place.end,
                (None, None) => kept = Some(unit.place),
            }
        }
        match (kept, units) {
            // What does not read to its end is nothing to judge, nor is a picture of nothing else.
            _ if end != picture.len() => Kept::Range(0..picture.len()),
            (None, _) => Kept::Range(0..picture.len()),
            (_, Some(units)) => Kept::Units(units),
            (Some(range), None) => Kept::Range(range),
        }
    }

    fn is_beside(&self, unit: &Unit<'_>) -> bool {
        match unit.kind() {
            kind::DELIMITER | kind::FILLER => true,
            _ => !self.sets_changed && is_set(unit) && self.has(unit),
        }
    }

    fn has(&self, set: &Unit<'_>) -> bool {
        self.avc.sets().any(|own| own == set.bytes)
    }
}

fn is_set(unit: &Unit<'_>) -> bool {
    matches!(unit.kind(), kind::SPS | kind::PPS)
}

impl<'a> Units<'a> {
    pub(crate) fn new(picture: &'a [u8], length_size: u8) -> Self {
        Self { rest: picture, at: 0, length_size: length_size.into() }
    }
}

impl<'a> Iterator for Units<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        loop {
            let (length, tail) = self.rest.split_at_checked(self.length_size)?;
            let length = length.iter().fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
            let (bytes, rest) = tail.split_at_checked(length)?;
            let start = self.at;
            (self.rest, self.at) = (rest, start + self.length_size + length);
            if !bytes.is_empty() {
                return Some(Unit { place: start..self.at, bytes });
            }
            if self.length_size == 0 {
                return None;
            }
        }
    }
}

impl Unit<'_> {
    pub(crate) fn kind(&self) -> u8 {
        self.bytes.first().map_or(0, |byte| byte & 31)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::avc::tests::AVCC_720P;

    fn unit(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut unit = vec![0, 0, 0, body.len() as u8 + 1, kind];
        unit.extend_from_slice(body);
        unit
    }

    fn set(avc: &Avc, at: usize) -> Vec<u8> {
        let set = avc.sets().nth(at).unwrap();
        unit(set[0], &set[1..])
    }

    fn kept(avc: &Avc, units: &[&[u8]]) -> Vec<u8> {
        next(&mut Pictures::new(avc.clone()), units)
    }

    fn next(pictures: &mut Pictures, units: &[&[u8]]) -> Vec<u8> {
        let picture = units.concat();
        match pictures.kept(&picture) {
            Kept::Range(range) => picture[range].to_vec(),
            Kept::Units(units) => units,
        }
    }

    #[test]
    fn a_picture_is_the_same_whichever_way_it_came() {
        let avc = Avc::parse(AVCC_720P).unwrap();
        let (sps, pps) = (set(&avc, 0), set(&avc, 1));
        let (delimiter, filler) = (unit(9, &[0xf0]), unit(12, &[255, 255, 0x80]));
        let (message, slice) = (unit(6, &[5, 1, 1, 0x80]), unit(0x65, &[1, 2, 3]));
        let (message, slice) = (message.as_slice(), slice.as_slice());
        let plain = [message, slice].concat();
        assert_eq!(kept(&avc, &[message, slice]), plain);
        // As x264 writes it, and as ffmpeg and OBS write it into MPEG-TS: the parameter sets before the first slice.
        assert_eq!(kept(&avc, &[&delimiter, &sps, &pps, message, slice]), plain);
        assert_eq!(kept(&avc, &[&delimiter, message, &sps, &pps, slice]), plain);
        assert_eq!(kept(&avc, &[message, slice, &filler]), plain);
        assert!(
            matches!(Pictures::new(avc.clone()).kept(&[&delimiter, message, slice, &filler].concat()), Kept::Range(_)),
            "nothing is copied"
        );
        // Others than the track's are needed.
        let other = unit(8, &[1, 2, 3, 4]);
        assert_eq!(kept(&avc, &[&delimiter, &sps, &other, slice]), [sps.as_slice(), &other, slice].concat());
        // What does not read, or is nothing else, is left alone.
        assert_eq!(kept(&avc, &[&delimiter]), delimiter);
        assert_eq!(kept(&avc, &[&delimiter, slice, &[0, 0, 1]]), [delimiter.as_slice(), slice, &[0, 0, 1]].concat());
    }

    #[test]
    fn a_source_that_changes_its_sets_in_band_finds_its_way_back() {
        let avc = Avc::parse(AVCC_720P).unwrap();
        let (sps, pps) = (set(&avc, 0), set(&avc, 1));
        // Another set under the id of the configuration's.
        let other = unit(8, &[pps[5], 1, 2, 3]);
        let (slice, delta) = (unit(0x65, &[1, 2, 3]), unit(0x41, &[4]));
        let mut pictures = Pictures::new(avc);
        assert_eq!(next(&mut pictures, &[&sps, &pps, &slice]), slice);
        assert_eq!(next(&mut pictures, &[&sps, &other, &slice]), [&sps[..], &other, &slice].concat());
        assert_eq!(next(&mut pictures, &[&delta]), delta);
        assert_eq!(next(&mut pictures, &[&sps, &pps, &slice]), [&sps[..], &pps, &slice].concat(), "the way back");
    }

    #[test]
    fn only_an_idr_is_one() {
        assert!(is_idr(&[unit(9, &[0xf0]), unit(0x65, &[1])].concat(), 4));
        assert!(!is_idr(&[unit(0x06, &[5, 0]), unit(0x41, &[1])].concat(), 4));
        assert!(is_idr(&[2, 0x65, 0], 1) && !is_idr(&[], 4) && !is_idr(&[0, 0, 0, 9, 0x65], 4));
    }

    proptest! {
        #[test]
        fn any_bytes_are_kept_or_shortened(bytes in prop::collection::vec(0u8..12, 0..200)) {
            match Pictures::new(Avc::parse(AVCC_720P).unwrap()).kept(&bytes) {
                Kept::Range(range) => prop_assert!(range.end <= bytes.len()),
                Kept::Units(units) => prop_assert!(units.len() < bytes.len()),
            }
        }
    }
}
