use alloc::string::String;

use crate::{Boxes, CodecConfig, Defaults, Mp4Box, ReadError, read::Fields};

/// What an init segment says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Init {
    /// Ticks per second.
    pub timescale: u32,
    /// The codec and its configuration.
    pub config: CodecConfig,
    /// What samples have that say nothing of their own.
    pub defaults: Defaults,
}

impl Init {
    /// The codec as RFC 6381 names it.
    #[must_use]
    pub fn codec(&self) -> String {
        self.config.codec()
    }

    /// Width and height of a picture in pixels; `None` for sound.
    #[must_use]
    pub fn size(&self) -> Option<(u32, u32)> {
        match &self.config {
            CodecConfig::Avc(avc) => Some((avc.width(), avc.height())),
            CodecConfig::Aac(_) => None,
        }
    }
}

/// What an init segment says about its first track, whatever its codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrackHead {
    /// Ticks per second.
    pub timescale: u32,
    /// The type of its sample entry, as `avc1`.
    pub entry: [u8; 4],
    /// What samples have that say nothing of their own.
    pub defaults: Defaults,
}

/// Reads the first track of an init segment.
pub fn read_init(bytes: &[u8]) -> Result<Init, ReadError> {
    let (TrackHead { timescale, defaults, .. }, entry) = head(bytes)?;
    let config = match &entry.kind {
        b"avc1" | b"avc3" => avc1(entry.body),
        b"mp4a" => mp4a(entry.body),
        _ => return Err(ReadError::Codec(entry.kind)),
    };
    let config = config.ok_or(ReadError::Fields(entry.kind))?;
    Ok(Init { timescale, config, defaults })
}

/// Reads the first track of an init segment without its codec configuration: chunks can be read with that.
pub fn read_track_head(bytes: &[u8]) -> Result<TrackHead, ReadError> {
    head(bytes).map(|(head, _)| head)
}

fn head(bytes: &[u8]) -> Result<(TrackHead, Mp4Box<'_>), ReadError> {
    let moov = Boxes::new(bytes).find(b"moov")?;
    let mdia = Boxes::new(Boxes::new(moov).find(b"trak")?).find(b"mdia")?;
    let timescale = mdhd(Boxes::new(mdia).find(b"mdhd")?).filter(|scale| *scale > 0).ok_or(ReadError::Fields(*b"mdhd"))?;
    let minf = Boxes::new(mdia).find(b"minf")?;
    let stsd = Boxes::new(Boxes::new(minf).find(b"stbl")?).find(b"stsd")?;
    let entry = Boxes::new(stsd.get(8..).unwrap_or_default()).next().ok_or(ReadError::Missing(*b"stsd"))??;
    let defaults = Boxes::new(moov).find(b"mvex").and_then(|mvex| Boxes::new(mvex).find(b"trex"));
    let defaults = trex(defaults?).ok_or(ReadError::Fields(*b"trex"))?;
    Ok((TrackHead { timescale, entry: entry.kind, defaults }, entry))
}

fn mdhd(body: &[u8]) -> Option<u32> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.full_box()?;
    fields.skip(if version == 0 { 8 } else { 16 })?;
    fields.u32()
}

fn avc1(body: &[u8]) -> Option<CodecConfig> {
    let record = Boxes::new(body.get(78..)?).find(b"avcC").ok()?;
    CodecConfig::avc(record).ok()
}

fn mp4a(body: &[u8]) -> Option<CodecConfig> {
    let esds = Boxes::new(body.get(28..)?).find(b"esds").ok()?;
    let mut fields = Fields::new(esds.get(4..)?);
    if descriptor(&mut fields)? != 3 {
        return None;
    }
    fields.skip(2)?;
    let flags = fields.u8()?;
    if flags & 0x80 != 0 {
        fields.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let len = fields.u8()?;
        fields.skip(usize::from(len))?;
    }
    if flags & 0x20 != 0 {
        fields.skip(2)?;
    }
    if descriptor(&mut fields)? != 4 {
        return None;
    }
    fields.skip(13)?;
    let mut head = fields;
    let (5, len) = (head.u8()?, descriptor_len(&mut head)?) else { return None };
    CodecConfig::aac(head.rest.get(..len)?).ok()
}

fn descriptor(fields: &mut Fields<'_>) -> Option<u8> {
    let tag = fields.u8()?;
    descriptor_len(fields)?;
    Some(tag)
}

fn descriptor_len(fields: &mut Fields<'_>) -> Option<usize> {
    let mut len = 0;
    for _ in 0..4 {
        let byte = fields.u8()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}

fn trex(body: &[u8]) -> Option<Defaults> {
    let mut fields = Fields::new(body);
    fields.full_box()?;
    fields.skip(8)?;
    Some(Defaults { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? })
}
