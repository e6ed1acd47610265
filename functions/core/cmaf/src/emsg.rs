use alloc::vec::Vec;

use crate::write::{full_box, u32, u64};

/// Something that is said in band, before the chunk whose time it belongs to (ISO/IEC 23009-1, 5.10.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventMessage<'a> {
    /// How `data` is to be read.
    pub scheme: &'a str,
    /// What the scheme makes of it.
    pub value: &'a str,
    /// Ticks per second of its times.
    pub timescale: u32,
    /// When it holds, on the media's line of time.
    pub presentation_time: u64,
    /// For how long; 0xffff_ffff where that is not known.
    pub duration: u32,
    /// The same message has the same number.
    pub id: u32,
    /// What is said.
    pub data: &'a [u8],
}

/// An ID3 tag in an event message: what players of HLS hand to the page as timed metadata (CMAF "Timed Metadata in CMAF", AOM).
pub const EMSG_ID3: &str = "https://aomedia.org/emsg/ID3";

/// Writes an `emsg` box of version 1.
pub fn write_event_message(out: &mut Vec<u8>, message: &EventMessage<'_>) {
    full_box(out, b"emsg", 1, 0, |out| {
        u32(out, message.timescale);
        u64(out, message.presentation_time);
        u32(out, message.duration);
        u32(out, message.id);
        // A zero ends these texts, so none may be in them.
        for text in [message.scheme, message.value] {
            out.extend(text.bytes().filter(|byte| *byte != 0));
            out.push(0);
        }
        out.extend_from_slice(message.data);
    });
}

/// An ID3v2.4 tag with one text of the user's own (`TXXX`).
#[must_use]
pub fn id3_text(description: &str, text: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(description.len() + text.len() + 2);
    body.push(UTF_8);
    body.extend(description.bytes().filter(|byte| *byte != 0));
    body.push(0);
    body.extend_from_slice(text.as_bytes());
    let mut tag = Vec::with_capacity(body.len() + 20);
    tag.extend_from_slice(b"ID3\x04\0\0");
    tag.extend_from_slice(&syncsafe(body.len() + 10));
    tag.extend_from_slice(b"TXXX");
    tag.extend_from_slice(&syncsafe(body.len()));
    tag.extend_from_slice(&[0, 0]);
    tag.extend_from_slice(&body);
    tag
}

const UTF_8: u8 = 3;

/// Lengths have 7 bits in each byte.
fn syncsafe(len: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| (len >> shift & 0x7f) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChunkHead, Defaults, Sample, read_chunk, write_chunk};

    #[test]
    fn tag_is_as_id3_wants_it() {
        let tag = id3_text("com.example", "grüße");
        assert_eq!(&tag[..20], b"ID3\x04\0\0\0\0\0\x1eTXXX\0\0\0\x14\0\0");
        assert_eq!(&tag[20..], "\u{3}com.example\0grüße".as_bytes());
    }

    #[test]
    fn chunk_with_a_message_before_it_reads_as_before() {
        let sample = Sample { duration: 1, cts: 0, sync: true, data: b"frame" };
        let chunk = write_chunk(&ChunkHead { sequence: 1, decode_time: 7, utc_us: None }, &[sample]).unwrap();
        let mut out = Vec::new();
        let message =
            EventMessage { scheme: EMSG_ID3, value: "v", timescale: 1000, presentation_time: 5, duration: 2, id: 9, data: b"data" };
        write_event_message(&mut out, &message);
        assert_eq!(out.get(..4), Some(&u32::try_from(out.len()).unwrap().to_be_bytes()[..]));
        assert!(out.ends_with(b"https://aomedia.org/emsg/ID3\0v\0data"));
        out.extend_from_slice(&chunk);
        let read = read_chunk(&out, &Defaults::default()).unwrap();
        assert_eq!((read.decode_time, read.samples.as_slice()), (7, &[sample][..]));
    }
}
