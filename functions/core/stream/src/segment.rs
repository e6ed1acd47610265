use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{DecodeError, Segment};

/// A whole segment of every rendition as one object: the tracks first, each plain CMAF in one byte range, then an index.
///
/// The index stands at the end, so that the offset of a track follows from the lengths of those before it alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentBundle<'a> {
    /// What it holds.
    pub index: SegmentIndex,
    /// The media of each track, in the order of the session's renditions.
    pub tracks: Vec<&'a [u8]>,
}

/// The index at the end of a segment bundle; the timeline can be rebuilt from these alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentIndex {
    /// The segment as the timeline lists it.
    pub segment: Segment,
}

const MAGIC: &[u8; 4] = b"TGS2";

/// Writes a segment bundle.
#[must_use]
pub fn encode_segment(segment: &Segment, tracks: &[&[u8]]) -> Vec<u8> {
    let index = postcard::to_allocvec(&SegmentIndex { segment: segment.clone() }).unwrap_or_default();
    let mut object = Vec::with_capacity(tracks.iter().map(|bytes| bytes.len()).sum::<usize>() + index.len() + 8);
    for bytes in tracks {
        object.extend_from_slice(bytes);
    }
    object.extend_from_slice(&index);
    object.extend_from_slice(&(index.len() as u32).to_le_bytes());
    object.extend_from_slice(MAGIC);
    object
}

impl<'a> SegmentBundle<'a> {
    /// Reads a whole segment bundle.
    pub fn decode(object: &'a [u8]) -> Result<Self, DecodeError> {
        let (rest, magic) = object.split_last_chunk::<4>().ok_or(DecodeError::Magic)?;
        if magic != MAGIC {
            return Err(DecodeError::Magic);
        }
        let (rest, len) = rest.split_last_chunk::<4>().ok_or(DecodeError::Magic)?;
        let len = u32::from_le_bytes(*len) as usize;
        let at = rest.len().checked_sub(len).ok_or(DecodeError::Short { have: object.len(), need: len })?;
        let (media, index) = rest.split_at(at);
        let index: SegmentIndex = postcard::from_bytes(index).map_err(|_| DecodeError::Fields)?;
        let mut tracks = Vec::new();
        for track in &index.segment.tracks {
            let start = usize::try_from(track.offset).map_err(|_| DecodeError::Fields)?;
            let end = start.checked_add(track.len as usize).ok_or(DecodeError::Fields)?;
            tracks.push(media.get(start..end).ok_or(DecodeError::Short { have: media.len(), need: end })?);
        }
        Ok(Self { index, tracks })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::{Msn, SegmentTrack};

    proptest! {
        #[test]
        fn bundles_round_trip_and_bytes_never_panic(
            media in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6), noise in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut offset = 0;
            let mut tracks = vec![];
            for bytes in &media {
                tracks.push(SegmentTrack { offset, len: bytes.len() as u32, start: 0, duration: 1, key_len: 0 });
                offset += bytes.len() as u64;
            }
            let segment = Segment { msn: Msn(1), period: 0, utc_us: 5, tracks, parts: vec![] };
            let slices: Vec<&[u8]> = media.iter().map(Vec::as_slice).collect();
            let object = encode_segment(&segment, &slices);
            let bundle = SegmentBundle::decode(&object).unwrap();
            prop_assert_eq!(bundle.tracks, slices);
            prop_assert_eq!(bundle.index.segment, segment);
            let _ = SegmentBundle::decode(&noise);
            let mut marked = noise;
            marked.extend_from_slice(MAGIC);
            let _ = SegmentBundle::decode(&marked);
        }
    }
}
