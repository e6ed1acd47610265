use alloc::vec::Vec;

use crate::{
    Boxes, ReadError, Sample,
    chunk::NTP_EPOCH_S,
    read::{Fields, Mp4Box},
};

/// One chunk as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk<'a> {
    /// Sequence number of the fragment.
    pub sequence: u32,
    /// Decode time of the first sample, in ticks.
    pub decode_time: u64,
    /// The producer reference time before it.
    pub producer_time: Option<ProducerTime>,
    /// The frames.
    pub samples: Vec<Sample<'a>>,
}

/// A media time and the wall clock that belongs to it (`prft`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerTime {
    /// In us since 1970.
    pub utc_us: i64,
    /// In ticks.
    pub media_time: u64,
}

/// What samples have that say nothing of their own (`trex`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Defaults {
    /// In ticks.
    pub duration: u32,
    /// In bytes.
    pub size: u32,
    /// Sample flags.
    pub flags: u32,
}

/// No real chunk has more samples: this is minutes of video, and bounds what a claimed count can cost.
pub const SAMPLES_MAX: u32 = 65_536;

impl Chunk<'_> {
    /// The sum of the sample durations, in ticks.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.duration)).sum()
    }
}

/// Reads the first chunk in `bytes`.
pub fn read_chunk<'a>(bytes: &'a [u8], defaults: &Defaults) -> Result<Chunk<'a>, ReadError> {
    read_chunks(bytes, *defaults).next().unwrap_or(Err(ReadError::Missing(*b"moof")))
}

/// Reads the chunks of a segment one after another; stops after the first error.
pub fn read_chunks(bytes: &[u8], defaults: Defaults) -> impl Iterator<Item = Result<Chunk<'_>, ReadError>> {
    let mut boxes = Boxes::new(bytes);
    let mut failed = false;
    core::iter::from_fn(move || {
        if failed {
            return None;
        }
        let chunk = next_chunk(bytes, &mut boxes, &defaults).transpose();
        failed = matches!(chunk, Some(Err(_)));
        chunk
    })
}

fn next_chunk<'a>(bytes: &'a [u8], boxes: &mut Boxes<'a>, defaults: &Defaults) -> Result<Option<Chunk<'a>>, ReadError> {
    let mut producer_time = None;
    while let Some(found) = boxes.next().transpose()? {
        match &found.kind {
            b"prft" => producer_time = prft(found.body),
            b"moof" => {
                let mut chunk = moof(bytes, &found, *defaults)?;
                chunk.producer_time = producer_time;
                return Ok(Some(chunk));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn prft(body: &[u8]) -> Option<ProducerTime> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full_box()?;
    fields.skip(4)?;
    let ntp = fields.u64()?;
    let media_time = if version == 0 { u64::from(fields.u32()?) } else { fields.u64()? };
    // The highest bit tells the era, so that this reads until 2104 (RFC 4330, 3).
    let era = if ntp >> 63 == 0 { 1i64 << 32 } else { 0 };
    let seconds = (ntp >> 32) as i64 + era - NTP_EPOCH_S;
    let micros = ((ntp & 0xffff_ffff) * 1_000_000 + (1 << 31)) >> 32;
    Some(ProducerTime { utc_us: seconds * 1_000_000 + micros as i64, media_time })
}

fn moof<'a>(bytes: &'a [u8], moof: &Mp4Box<'a>, defaults: Defaults) -> Result<Chunk<'a>, ReadError> {
    let sequence = Boxes::new(moof.body).find(b"mfhd")?;
    let sequence = Fields::new(sequence.get(4..).unwrap_or_default()).u32().ok_or(ReadError::Fields(*b"mfhd"))?;
    let traf = Boxes::new(moof.body).find(b"traf")?;
    let (base, defaults) = tfhd(Boxes::new(traf).find(b"tfhd")?, moof.start as u64, defaults).ok_or(ReadError::Fields(*b"tfhd"))?;
    let decode_time = tfdt(Boxes::new(traf).find(b"tfdt")?).ok_or(ReadError::Fields(*b"tfdt"))?;
    let mut run = Run { bytes, base, next: base, defaults, samples: Vec::new() };
    for found in Boxes::new(traf) {
        let found = found?;
        if found.kind == *b"trun" {
            run.read(found.body)?;
        }
    }
    Ok(Chunk { sequence, decode_time, producer_time: None, samples: run.samples })
}

fn tfhd(body: &[u8], moof: u64, mut defaults: Defaults) -> Option<(u64, Defaults)> {
    let mut fields = Fields::new(body);
    let (_, flags) = fields.full_box()?;
    fields.skip(4)?;
    let base = if flags & 1 != 0 { fields.u64()? } else { moof };
    if flags & 2 != 0 {
        fields.skip(4)?;
    }
    for (flag, value) in [(8, &mut defaults.duration), (0x10, &mut defaults.size), (0x20, &mut defaults.flags)] {
        if flags & flag != 0 {
            *value = fields.u32()?;
        }
    }
    Some((base, defaults))
}

fn tfdt(body: &[u8]) -> Option<u64> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full_box()?;
    if version == 0 { fields.u32().map(u64::from) } else { fields.u64() }
}

/// The runs of one fragment, whose data follow each other.
struct Run<'a> {
    bytes: &'a [u8],
    base: u64,
    next: u64,
    defaults: Defaults,
    samples: Vec<Sample<'a>>,
}

impl Run<'_> {
    fn read(&mut self, body: &[u8]) -> Result<(), ReadError> {
        let error = ReadError::Fields(*b"trun");
        let mut fields = Fields::new(body);
        let (version, flags) = fields.full_box().ok_or(error)?;
        let count = fields.u32().ok_or(error)?;
        if count > SAMPLES_MAX || self.samples.len() as u32 + count > SAMPLES_MAX {
            return Err(ReadError::Samples(count));
        }
        if flags & 1 != 0 {
            let offset = fields.u32().ok_or(error)? as i32;
            self.next = self.base.checked_add_signed(i64::from(offset)).ok_or(error)?;
        }
        let mut first_flags = if flags & 4 != 0 { Some(fields.u32().ok_or(error)?) } else { None };
        for _ in 0..count {
            let mut field = |flag: u32, default: u32| if flags & flag != 0 { fields.u32() } else { Some(default) };
            let duration = field(0x100, self.defaults.duration).ok_or(error)?;
            let size = field(0x200, self.defaults.size).ok_or(error)?;
            let sample_flags = field(0x400, first_flags.take().unwrap_or(self.defaults.flags)).ok_or(error)?;
            let cts = field(0x800, 0).ok_or(error)?;
            // Version 0 has unsigned offsets; those beyond 31 bits are of no use to anybody.
            let cts = if version == 0 { i32::try_from(cts).map_err(|_| error)? } else { cts as i32 };
            let outside = ReadError::Data(self.samples.len());
            let start = usize::try_from(self.next).map_err(|_| outside)?;
            let end = start.checked_add(size as usize).ok_or(outside)?;
            let data = self.bytes.get(start..end).ok_or(outside)?;
            self.next = end as u64;
            // Bit 16: sample_is_non_sync_sample.
            self.samples.push(Sample { duration, cts, sync: sample_flags >> 16 & 1 == 0, data });
        }
        Ok(())
    }
}
