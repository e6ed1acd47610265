//! The few boxes of a CMAF fragment that tell when it is to be shown, and in which codec.

use alloc::{string::String, vec::Vec};

use crate::text;

/// Boxes looked at on one level: a fragment's head has fewer than ten.
const MAX_BOXES: usize = 64;

/// What an init segment says about its tracks.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Init {
    /// Timescale of each track, by its id.
    timescales: Vec<(u32, u32)>,
    /// RFC 6381 names of what is inside.
    pub(crate) codecs: Vec<String>,
}

impl Init {
    /// Reads `moov`; tracks that make no sense are left out.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let moov = child(bytes, b"moov")?;
        let mut init = Self::default();
        for trak in children(moov).filter(|(name, _)| *name == b"trak").map(|(_, body)| body) {
            let Some(id) = child(trak, b"tkhd").and_then(|tkhd| by_version(tkhd, 12, 20)) else { continue };
            let Some(mdia) = child(trak, b"mdia") else { continue };
            let Some(timescale) = child(mdia, b"mdhd").and_then(|mdhd| by_version(mdhd, 12, 20)) else { continue };
            if timescale > 0 {
                init.timescales.push((id, timescale));
            }
            let stsd = child(mdia, b"minf").and_then(|minf| child(minf, b"stbl")).and_then(|stbl| child(stbl, b"stsd"));
            if let Some((name, entry)) = stsd.and_then(|stsd| children(stsd.get(8..)?).next()) {
                init.codecs.push(codec(name, entry));
            }
        }
        (!init.timescales.is_empty()).then_some(init)
    }

    /// Decode time of the first fragment in `media`, in s: the earliest over the tracks of its `moof`.
    pub(crate) fn decode_time_s(&self, media: &[u8]) -> Option<f64> {
        let moof = child(media, b"moof")?;
        let times = children(moof).filter(|(name, _)| *name == b"traf").filter_map(|(_, traf)| {
            let id = read_u32(child(traf, b"tfhd")?, 4)?;
            let tfdt = child(traf, b"tfdt")?;
            let ticks = if *tfdt.first()? == 1 { read_u64(tfdt, 4)? } else { u64::from(read_u32(tfdt, 4)?) };
            let (_, timescale) = self.timescales.iter().find(|(track, _)| *track == id)?;
            Some(ticks as f64 / f64::from(*timescale))
        });
        times.min_by(f64::total_cmp)
    }
}

/// The RFC 6381 name of a sample entry, as exact as MSE needs it.
fn codec(name: &[u8; 4], entry: &[u8]) -> String {
    let plain = || name.iter().map(|byte| char::from(*byte)).collect::<String>();
    match name {
        b"avc1" | b"avc3" => match entry.get(78..).and_then(|boxes| child(boxes, b"avcC")) {
            Some([_, profile, constraints, level, ..]) => {
                let mut name = plain() + ".";
                [profile, constraints, level].into_iter().for_each(|byte| text::push_hex(&mut name, *byte));
                name
            }
            _ => plain() + ".64001f",
        },
        // The object type lies deep in `esds`; every browser that takes AAC takes AAC-LC's name for it.
        b"mp4a" => "mp4a.40.2".into(),
        b"Opus" => "opus".into(),
        _ => plain(),
    }
}

fn children(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let name: &[u8; 4] = rest.get(4..8)?.try_into().ok()?;
        let (header, size) = match read_u32(rest, 0)? {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(read_u64(rest, 8)?).ok()?),
            size => (8, size as usize),
        };
        if size < header {
            return None;
        }
        // Only the head of a fragment is at hand, so that a box may be cut off.
        let body = rest.get(header..size.min(rest.len()))?;
        rest = rest.get(size..).unwrap_or_default();
        Some((name, body))
    })
    .take(MAX_BOXES)
}

fn child<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes).find(|(name, _)| *name == wanted).map(|(_, body)| body)
}

fn by_version(full_box: &[u8], at_version_0: usize, at_version_1: usize) -> Option<u32> {
    read_u32(full_box, if *full_box.first()? == 1 { at_version_1 } else { at_version_0 })
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_be_bytes(field.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes(), name.as_slice(), body].concat()
    }

    /// An init segment with one track.
    pub(crate) fn init_bytes(timescale: u32) -> Vec<u8> {
        let tkhd = boxed(b"tkhd", &[&[0; 12][..], &1u32.to_be_bytes(), &[0; 60]].concat());
        let mdhd = boxed(b"mdhd", &[&[0; 12][..], &timescale.to_be_bytes(), &[0; 8]].concat());
        let avcc = boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff]);
        let avc1 = boxed(b"avc1", &[&[0; 78][..], &avcc].concat());
        let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &avc1].concat());
        let mdia = boxed(b"mdia", &[mdhd, boxed(b"minf", &boxed(b"stbl", &stsd))].concat());
        boxed(b"moov", &boxed(b"trak", &[tkhd, mdia].concat()))
    }

    /// The head of a fragment that starts at `ticks`.
    pub(crate) fn fragment_bytes(ticks: u64) -> Vec<u8> {
        let tfhd = boxed(b"tfhd", &[&[0; 4][..], &1u32.to_be_bytes()].concat());
        let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0][..], &ticks.to_be_bytes()].concat());
        let moof = boxed(b"moof", &boxed(b"traf", &[tfhd, tfdt].concat()));
        [boxed(b"styp", b"msdh"), moof, boxed(b"mdat", &[0; 64])].concat()
    }

    #[test]
    fn time_and_codec_of_a_fragment_are_found() {
        let init = Init::read(&init_bytes(90_000)).unwrap();
        assert_eq!(init.codecs, ["avc1.64001f"]);
        assert_eq!(init.decode_time_s(&fragment_bytes(135_000)), Some(1.5));
    }

    #[test]
    fn a_fragment_of_which_only_the_head_is_known_has_a_time() {
        let init = Init::read(&init_bytes(1000)).unwrap();
        let mut bytes = fragment_bytes(7_000);
        bytes.truncate(bytes.len() - 60);
        assert_eq!(init.decode_time_s(&bytes), Some(7.0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(init in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..400, at in 0usize..400, byte: u8) {
            let _ = Init::read(&init);
            let mut bytes = init_bytes(1000);
            if let Some(hit) = bytes.get_mut(at) { *hit = byte; }
            bytes.truncate(cut.max(1));
            let read = Init::read(&bytes).unwrap_or_default();
            let _ = read.decode_time_s(&init);
        }
    }
}
