use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Event, Hash, Msn, PartIndex, Period, RecordNumber, WriterId};

/// The head of one object of the log. In the bucket it stands before the media: magic, length of the head, head, tracks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its place in the log.
    pub number: RecordNumber,
    /// The hash of the whole object before it ([`Hash::ZERO`] for record 0).
    pub previous: Hash,
    /// Who wrote it, and with it owns the log until somebody else writes the next one.
    pub writer: WriterId,
    /// What it says.
    pub body: RecordBody,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RecordBody {
    /// The next part of every rendition.
    Part(PartRecord),
    /// The session is over; nothing follows.
    End,
    /// The writer goes: whoever stands by writes the next record, without waiting for a silence.
    Leave,
}

/// One part of every rendition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its segment. One more than that of the record before: the segment before is complete.
    pub msn: Msn,
    /// Its place in the segment.
    pub part: PartIndex,
    /// Wall clock of the first frame, in us since 1970, by the arrival clock of the worker.
    pub utc_us: i64,
    /// The period that starts here; always there in record 0.
    pub opens: Option<Period>,
    /// What is announced with it; at most [`EVENTS_PER_RECORD_MAX`](crate::EVENTS_PER_RECORD_MAX).
    pub events: Vec<Event>,
    /// One for each rendition of the session, in its order.
    pub tracks: Vec<TrackPart>,
}

/// One rendition's share of a record: exactly one CMAF chunk, or a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TrackPart {
    /// Bytes in this record; 0 for a gap.
    pub len: u32,
    /// Decode time of the first sample (tfdt), in ticks of the track.
    pub start: u64,
    /// Sum of the sample durations, in ticks of the track.
    pub duration: u32,
    /// Starts with a sync sample. (In video it is not true of most parts, in audio it is of all.)
    pub independent: bool,
    /// How many of its bytes a decoder needs for its first picture, boxes included; 0 where there is none or it is no key frame.
    pub key_len: u32,
}

/// Why bytes are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not one of our objects, or one of another version.
    #[error("the object does not start with the mark of its kind")]
    Magic,
    /// The object ends early.
    #[error("the object is cut off: {have} of {need} bytes")]
    Short {
        /// Bytes there.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The fields do not read.
    #[error("the fields of the object do not read")]
    Fields,
}

/// Why a record cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the record has {tracks} tracks but {media} pieces of media, or their lengths differ")]
pub struct RecordError {
    /// Tracks in the head.
    pub tracks: usize,
    /// Pieces of media given.
    pub media: usize,
}

const MAGIC: &[u8; 4] = b"TGR2";
const FIXED: usize = 8;

/// Writes a record: the head, then the media of each track in order.
pub fn encode_record(record: &Record, media: &[&[u8]]) -> Result<Vec<u8>, RecordError> {
    let empty = Vec::new();
    let tracks = match &record.body {
        RecordBody::Part(part) => &part.tracks,
        RecordBody::End | RecordBody::Leave => &empty,
    };
    let fits = tracks.len() == media.len() && tracks.iter().zip(media).all(|(track, bytes)| track.len as usize == bytes.len());
    if !fits {
        return Err(RecordError { tracks: tracks.len(), media: media.len() });
    }
    let head = postcard::to_allocvec(record).map_err(|_| RecordError { tracks: tracks.len(), media: media.len() })?;
    let size = FIXED + head.len() + media.iter().map(|bytes| bytes.len()).sum::<usize>();
    let mut object = Vec::with_capacity(size);
    object.extend_from_slice(MAGIC);
    object.extend_from_slice(&(head.len() as u32).to_le_bytes());
    object.extend_from_slice(&head);
    for bytes in media {
        object.extend_from_slice(bytes);
    }
    Ok(object)
}

impl Record {
    /// How much of a record's object to ask for so that its head is surely there.
    pub const HEAD_MAX: usize = 16 * 1024;

    /// Reads the head of a record from the first bytes of its object; also says where the media begins.
    pub fn decode(object: &[u8]) -> Result<(Self, u32), DecodeError> {
        let (magic, rest) = object.split_at_checked(4).ok_or(DecodeError::Magic)?;
        if magic != MAGIC {
            return Err(DecodeError::Magic);
        }
        let short = |need| DecodeError::Short { have: object.len(), need };
        let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(|| short(FIXED))?;
        let len = u32::from_le_bytes(*len);
        let head = rest.get(..len as usize).ok_or_else(|| short(FIXED.saturating_add(len as usize)))?;
        let record = postcard::from_bytes(head).map_err(|_| DecodeError::Fields)?;
        Ok((record, len.saturating_add(FIXED as u32)))
    }

    /// The hash of a whole object, which the next record names.
    #[must_use]
    pub fn hash(object: &[u8]) -> Hash {
        Hash::of(object)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn record(tracks: Vec<TrackPart>) -> Record {
        let body = RecordBody::Part(PartRecord {
            msn: Msn(3),
            part: PartIndex(1),
            utc_us: 1_790_000_000_000_000,
            opens: None,
            events: vec![],
            tracks,
        });
        Record { number: RecordNumber(13), previous: Hash::of(b"before"), writer: WriterId(1), body }
    }

    #[test]
    fn media_stands_where_the_head_says() {
        let tracks = vec![
            TrackPart { len: 5, start: 90_000, duration: 45_000, independent: true, key_len: 4 },
            TrackPart { len: 0, ..TrackPart::default() },
            TrackPart { len: 3, start: 48_000, duration: 24_576, independent: true, key_len: 0 },
        ];
        let object = encode_record(&record(tracks), &[b"video", b"", b"aac"]).unwrap();
        let (head, media) = Record::decode(&object).unwrap();
        assert_eq!(head.number, RecordNumber(13));
        assert_eq!(&object[media as usize..], b"videoaac");
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let track = TrackPart { len: 4, ..TrackPart::default() };
        assert!(encode_record(&record(vec![track]), &[b"video"]).is_err());
        assert!(encode_record(&record(vec![track]), &[]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_say_why(mut bytes in prop::collection::vec(any::<u8>(), 0..200), ours in any::<bool>()) {
            if ours && bytes.len() >= 8 {
                bytes[..4].copy_from_slice(MAGIC);
                bytes[5..8].fill(0);
            }
            let _ = Record::decode(&bytes);
        }

        #[test]
        fn records_round_trip(lens in prop::collection::vec((0u32..50, any::<u64>(), any::<u32>(), any::<bool>()), 0..8)) {
            let tracks: Vec<_> =
                lens.iter().map(|&(len, start, duration, independent)| TrackPart { len, start, duration, independent, key_len: len / 2 }).collect();
            let media: Vec<Vec<u8>> = lens.iter().map(|(len, ..)| vec![7; *len as usize]).collect();
            let media: Vec<&[u8]> = media.iter().map(Vec::as_slice).collect();
            let record = record(tracks);
            let object = encode_record(&record, &media).unwrap();
            prop_assert_eq!(Record::decode(&object).unwrap().0, record.clone());
            for cut in 0..object.len().min(60) {
                let _ = Record::decode(&object[..cut]);
            }
        }
    }
}
