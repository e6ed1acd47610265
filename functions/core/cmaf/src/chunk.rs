use alloc::vec::Vec;

use crate::{
    init::TRACK_ID,
    write::{boxed, full_box, u32, u64},
};

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample<'a> {
    /// In ticks.
    pub duration: u32,
    /// Presentation time minus decode time, in ticks.
    pub cts: i32,
    /// Whether decoding can start here.
    pub sync: bool,
    /// The frame as its codec puts it in MP4.
    pub data: &'a [u8],
}

/// What stands before the samples of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkHead {
    /// Sequence number of the fragment.
    pub sequence: u32,
    /// Decode time of the first sample, in ticks.
    pub decode_time: u64,
    /// Wall clock of the first sample in us since 1970, for a producer reference time (`prft`).
    pub utc_us: Option<i64>,
}

/// Why a chunk cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A chunk has at least one sample.
    #[error("a chunk without samples cannot be written")]
    Empty,
    /// The lengths do not fit in 32 bits.
    #[error("the chunk is longer than 4 GiB")]
    Long,
}

const FLAG_DATA_OFFSET: u32 = 0x00_0001;
const FLAG_FIRST_FLAGS: u32 = 0x00_0004;
const FLAG_DURATION: u32 = 0x00_0100;
const FLAG_SIZE: u32 = 0x00_0200;
const FLAG_FLAGS: u32 = 0x00_0400;
const FLAG_CTS: u32 = 0x00_0800;
const FLAG_BASE_IS_MOOF: u32 = 0x02_0000;
const DURATION_IS_EMPTY: u32 = 0x01_0000;
const DEFAULT_DURATION: u32 = 0x00_0008;
const DEFAULT_SIZE: u32 = 0x00_0010;
const DEFAULT_FLAGS: u32 = 0x00_0020;

/// Depends on no other sample.
const SYNC: u32 = 0x0200_0000;
/// Depends on others, is not a sync sample.
const NOT_SYNC: u32 = 0x0101_0000;

/// Seconds from 1900, where NTP counts from, to 1970.
pub(crate) const NTP_EPOCH_S: i64 = 2_208_988_800;

/// Consistent with the real time of what is shown (ISO/IEC 14496-12, 8.16.5.3).
const PRFT_REAL_TIME: u32 = 24;

/// Which fields all samples share, so that they need not be repeated.
struct Layout {
    duration: Option<u32>,
    size: Option<u32>,
    flags: Flags,
    cts: bool,
}

enum Flags {
    Same(u32),
    FirstDiffers { first: u32, rest: u32 },
    Each,
}

/// Writes one CMAF chunk: `prft` where a wall clock is given, `moof`, `mdat`.
pub fn write_chunk(head: &ChunkHead, samples: &[Sample<'_>]) -> Result<Vec<u8>, ChunkError> {
    let layout = Layout::of(samples).ok_or(ChunkError::Empty)?;
    let media = samples.iter().try_fold(0u32, |sum, sample| sum.checked_add(u32::try_from(sample.data.len()).ok()?));
    // Room for the boxes around it: 16 bytes for each sample and 200 for the rest.
    let boxes = u32::try_from(samples.len()).ok().and_then(|count| count.checked_mul(16)?.checked_add(200));
    let size = media.zip(boxes).and_then(|(media, boxes)| media.checked_add(boxes)).ok_or(ChunkError::Long)?;
    let mut out = Vec::with_capacity(size as usize);
    if let Some(utc_us) = head.utc_us {
        prft(&mut out, utc_us, head.decode_time);
    }
    let moof = out.len();
    let mut data_offset = 0;
    boxed(&mut out, b"moof", |out| {
        full_box(out, b"mfhd", 0, 0, |out| u32(out, head.sequence));
        boxed(out, b"traf", |out| {
            tfhd(out, &layout);
            full_box(out, b"tfdt", 1, 0, |out| u64(out, head.decode_time));
            data_offset = trun(out, samples, &layout);
        });
    });
    let offset = (out.len() - moof + 8) as u32;
    if let Some(field) = out.get_mut(data_offset..data_offset + 4) {
        field.copy_from_slice(&offset.to_be_bytes());
    }
    boxed(&mut out, b"mdat", |out| {
        for sample in samples {
            out.extend_from_slice(sample.data);
        }
    });
    Ok(out)
}

/// Writes a fragment that says that there are no samples for so long (`duration-is-empty`, ISO/IEC 14496-12, 8.8.7).
#[must_use]
pub fn write_gap(sequence: u32, decode_time: u64, duration: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    boxed(&mut out, b"moof", |out| {
        full_box(out, b"mfhd", 0, 0, |out| u32(out, sequence));
        boxed(out, b"traf", |out| {
            full_box(out, b"tfhd", 0, FLAG_BASE_IS_MOOF | DURATION_IS_EMPTY | DEFAULT_DURATION, |out| {
                u32(out, TRACK_ID);
                u32(out, u32::try_from(duration).unwrap_or(u32::MAX));
            });
            full_box(out, b"tfdt", 1, 0, |out| u64(out, decode_time));
        });
    });
    boxed(&mut out, b"mdat", |_| {});
    out
}

impl Layout {
    fn of(samples: &[Sample<'_>]) -> Option<Self> {
        let (first, rest) = samples.split_first()?;
        let duration = rest.iter().all(|sample| sample.duration == first.duration).then_some(first.duration);
        let size = rest.iter().all(|sample| sample.data.len() == first.data.len()).then_some(first.data.len() as u32);
        let flags = match rest.first() {
            Some(second) if rest.iter().any(|sample| sample.sync != second.sync) => Flags::Each,
            Some(second) if second.sync != first.sync => Flags::FirstDiffers { first: flags(first), rest: flags(second) },
            _ => Flags::Same(flags(first)),
        };
        Some(Self { duration, size, flags, cts: samples.iter().any(|sample| sample.cts != 0) })
    }
}

fn flags(sample: &Sample<'_>) -> u32 {
    if sample.sync { SYNC } else { NOT_SYNC }
}

fn prft(out: &mut Vec<u8>, utc_us: i64, media_time: u64) {
    full_box(out, b"prft", 1, PRFT_REAL_TIME, |out| {
        u32(out, TRACK_ID);
        u64(out, ntp(utc_us));
        u64(out, media_time);
    });
}

/// 32 bits of seconds since 1900 and 32 bits of their fraction.
fn ntp(utc_us: i64) -> u64 {
    let seconds = utc_us.div_euclid(1_000_000).wrapping_add(NTP_EPOCH_S) as u64;
    let micros = utc_us.rem_euclid(1_000_000) as u64;
    seconds << 32 | (((micros << 32) + 500_000) / 1_000_000).min(0xffff_ffff)
}

fn tfhd(out: &mut Vec<u8>, layout: &Layout) {
    let default_flags = match layout.flags {
        Flags::Same(flags) | Flags::FirstDiffers { rest: flags, .. } => Some(flags),
        Flags::Each => None,
    };
    let present = FLAG_BASE_IS_MOOF
        | layout.duration.map_or(0, |_| DEFAULT_DURATION)
        | layout.size.map_or(0, |_| DEFAULT_SIZE)
        | default_flags.map_or(0, |_| DEFAULT_FLAGS);
    full_box(out, b"tfhd", 0, present, |out| {
        u32(out, TRACK_ID);
        for value in [layout.duration, layout.size, default_flags].into_iter().flatten() {
            u32(out, value);
        }
    });
}

/// Writes the samples' fields and returns where the data offset stands, which is known only after the box.
fn trun(out: &mut Vec<u8>, samples: &[Sample<'_>], layout: &Layout) -> usize {
    let mut present = FLAG_DATA_OFFSET;
    present |= if layout.duration.is_none() { FLAG_DURATION } else { 0 };
    present |= if layout.size.is_none() { FLAG_SIZE } else { 0 };
    present |= if layout.cts { FLAG_CTS } else { 0 };
    present |= match layout.flags {
        Flags::Same(_) => 0,
        Flags::FirstDiffers { .. } => FLAG_FIRST_FLAGS,
        Flags::Each => FLAG_FLAGS,
    };
    let mut data_offset = 0;
    full_box(out, b"trun", 1, present, |out| {
        u32(out, samples.len() as u32);
        data_offset = out.len();
        u32(out, 0);
        if let Flags::FirstDiffers { first, .. } = layout.flags {
            u32(out, first);
        }
        for sample in samples {
            if layout.duration.is_none() {
                u32(out, sample.duration);
            }
            if layout.size.is_none() {
                u32(out, sample.data.len() as u32);
            }
            if matches!(layout.flags, Flags::Each) {
                u32(out, flags(sample));
            }
            if layout.cts {
                u32(out, sample.cts as u32);
            }
        }
    });
    data_offset
}
