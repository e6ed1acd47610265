//! Media against what its playlist says.

use alloc::string::String;

use tidegate_cmaf::{Defaults, ReadError, read_chunks, read_init as cmaf_init, read_track_head};

/// An init segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Init {
    pub(crate) timescale: u32,
    pub(crate) defaults: Defaults,
    /// As RFC 6381 names it; the sample entry alone where the codec is not known here.
    pub(crate) codec: String,
    /// The whole codec string is known, not only how it begins.
    pub(crate) exact: bool,
    pub(crate) video: bool,
    pub(crate) size: Option<(u32, u32)>,
}

/// Why an init segment does not read.
type InitError = ReadError;

/// Sample entries of pictures.
const VIDEO: [&[u8; 4]; 9] = [b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vp08", b"vp09", b"dvh1", b"dvhe"];

/// Reads an init segment, of any codec as far as that goes.
pub(crate) fn read_init(bytes: &[u8]) -> Result<Init, InitError> {
    let head = read_track_head(bytes)?;
    let video = VIDEO.contains(&&head.entry);
    Ok(match cmaf_init(bytes) {
        Ok(init) => Init { timescale: head.timescale, defaults: head.defaults, codec: init.codec(), exact: true, video, size: init.size() },
        Err(_) => Init {
            timescale: head.timescale,
            defaults: head.defaults,
            codec: String::from_utf8_lossy(&head.entry).into_owned(),
            exact: false,
            video,
            size: None,
        },
    })
}

impl Init {
    /// Whether one of these codecs is the one of the media.
    pub(crate) fn is_one_of(&self, codecs: &[String]) -> bool {
        let same = |codec: &String| {
            if self.exact {
                codec.eq_ignore_ascii_case(&self.codec)
            } else {
                codec.to_ascii_lowercase().starts_with(&self.codec.to_ascii_lowercase())
            }
        };
        codecs.iter().any(same)
    }
}

/// The samples of a part or segment, in sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fragment {
    /// Decode time of the first sample, in ticks.
    pub(crate) start: u64,
    /// In ticks.
    pub(crate) duration: u64,
    /// The longest sample, in ticks.
    pub(crate) frame: u64,
    pub(crate) samples: u64,
    /// The sum of hashes of the samples: equal for the same samples, however they are divided.
    pub(crate) content: u64,
    /// The first sample can be decoded by itself.
    pub(crate) starts_sync: bool,
    /// Some sample can be decoded by itself.
    pub(crate) has_sync: bool,
    /// Where chunks inside it do not follow each other: decode time that was expected, and that was found.
    pub(crate) hole: Option<(u64, u64)>,
}

/// Reads a part or segment.
pub(crate) fn read_fragment(bytes: &[u8], init: &Init) -> Result<Fragment, ReadError> {
    let mut whole: Option<Fragment> = None;
    for chunk in read_chunks(bytes, init.defaults) {
        let chunk = chunk?;
        let found = whole.get_or_insert_with(|| Fragment {
            start: chunk.decode_time,
            duration: 0,
            frame: 0,
            samples: 0,
            content: 0,
            starts_sync: chunk.samples.first().is_some_and(|sample| sample.sync),
            has_sync: false,
            hole: None,
        });
        let expected = found.start.saturating_add(found.duration);
        if found.samples > 0 && expected != chunk.decode_time && found.hole.is_none() {
            found.hole = Some((expected, chunk.decode_time));
        }
        for sample in &chunk.samples {
            found.duration = found.duration.saturating_add(u64::from(sample.duration));
            found.frame = found.frame.max(u64::from(sample.duration));
            found.samples += 1;
            found.has_sync |= sample.sync;
            let times = mix(mix(HASH_START, u64::from(sample.duration)), sample.cts as u64);
            let words = sample.data.chunks(8).map(|eight| eight.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
            found.content = found.content.wrapping_add(words.fold(times, mix));
        }
    }
    whole.filter(|found| found.samples > 0).ok_or(ReadError::Missing(*b"moof"))
}

impl Fragment {
    /// What follows each other, as one.
    pub(crate) fn joined(parts: &[Self]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let mut whole = *first;
        for part in rest {
            whole.duration = whole.duration.saturating_add(part.duration);
            whole.samples += part.samples;
            whole.content = whole.content.wrapping_add(part.content);
        }
        Some(whole)
    }

    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}

/// Ticks in us.
pub(crate) fn micros(ticks: u64, timescale: u32) -> u64 {
    u64::try_from(u128::from(ticks) * 1_000_000 / u128::from(timescale.max(1))).unwrap_or(u64::MAX)
}

const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// One step of FNV-1a over words.
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)
}

/// Whether bytes are MPEG-TS or packed audio, which are not looked into.
pub(crate) fn is_other(bytes: &[u8]) -> bool {
    let ts = bytes.first() == Some(&0x47) && bytes.get(188).is_none_or(|byte| *byte == 0x47);
    ts || bytes.starts_with(b"ID3") || bytes.starts_with(b"WEBVTT") || matches!(bytes, [0xff, second, ..] if second & 0xf0 == 0xf0)
}
