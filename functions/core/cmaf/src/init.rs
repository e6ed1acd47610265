use alloc::vec::Vec;

use crate::{
    Aac, Avc, CodecConfig,
    write::{boxed, full_box, u16, u32, zeros},
};

/// Every file has one track, with this number.
pub(crate) const TRACK_ID: u32 = 1;

/// Writes the init segment (CMAF header) of a track whose times are in `timescale` ticks per second.
#[must_use]
pub fn write_init(config: &CodecConfig, timescale: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    ftyp(&mut out);
    boxed(&mut out, b"moov", |out| {
        mvhd(out, timescale);
        boxed(out, b"trak", |out| {
            tkhd(out, config);
            boxed(out, b"mdia", |out| {
                mdhd(out, timescale);
                hdlr(out, config);
                boxed(out, b"minf", |out| {
                    media_header(out, config);
                    dinf(out);
                    boxed(out, b"stbl", |out| sample_table(out, config));
                });
            });
        });
        boxed(out, b"mvex", trex);
    });
    out
}

fn ftyp(out: &mut Vec<u8>) {
    boxed(out, b"ftyp", |out| {
        out.extend_from_slice(b"iso6");
        u32(out, 0);
        // cmf2: no edit list, negative composition offsets (ISO/IEC 23000-19, 7.2).
        out.extend_from_slice(b"iso6cmfccmf2");
    });
}

fn mvhd(out: &mut Vec<u8>, timescale: u32) {
    full_box(out, b"mvhd", 0, 0, |out| {
        zeros(out, 8);
        u32(out, timescale);
        u32(out, 0);
        u32(out, 0x0001_0000);
        u16(out, 0x0100);
        zeros(out, 10);
        matrix(out);
        zeros(out, 24);
        u32(out, TRACK_ID + 1);
    });
}

fn matrix(out: &mut Vec<u8>) {
    for value in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
        u32(out, value);
    }
}

fn tkhd(out: &mut Vec<u8>, config: &CodecConfig) {
    // Enabled, in movie, in preview.
    full_box(out, b"tkhd", 0, 7, |out| {
        zeros(out, 8);
        u32(out, TRACK_ID);
        zeros(out, 4 + 4 + 8 + 2 + 2);
        u16(out, if config.is_video() { 0 } else { 0x0100 });
        zeros(out, 2);
        matrix(out);
        let (width, height) = match config {
            CodecConfig::Avc(avc) => display_size(avc),
            CodecConfig::Aac(_) => (0, 0),
        };
        u32(out, width << 16);
        u32(out, height << 16);
    });
}

fn display_size(avc: &Avc) -> (u32, u32) {
    let (wide, high) = avc.sample_aspect();
    let width = u64::from(avc.width()) * u64::from(wide) / u64::from(high.max(1));
    (u32::try_from(width).unwrap_or(u32::MAX).min(0xffff), avc.height())
}

fn mdhd(out: &mut Vec<u8>, timescale: u32) {
    full_box(out, b"mdhd", 0, 0, |out| {
        zeros(out, 8);
        u32(out, timescale);
        u32(out, 0);
        // `und`, five bits for each letter.
        u16(out, 0x55c4);
        u16(out, 0);
    });
}

fn hdlr(out: &mut Vec<u8>, config: &CodecConfig) {
    full_box(out, b"hdlr", 0, 0, |out| {
        u32(out, 0);
        out.extend_from_slice(if config.is_video() { b"vide" } else { b"soun" });
        zeros(out, 12);
        out.push(0);
    });
}

fn media_header(out: &mut Vec<u8>, config: &CodecConfig) {
    if config.is_video() {
        full_box(out, b"vmhd", 0, 1, |out| zeros(out, 8));
    } else {
        full_box(out, b"smhd", 0, 0, |out| zeros(out, 4));
    }
}

fn dinf(out: &mut Vec<u8>) {
    boxed(out, b"dinf", |out| {
        full_box(out, b"dref", 0, 0, |out| {
            u32(out, 1);
            full_box(out, b"url ", 0, 1, |_| {});
        });
    });
}

fn sample_table(out: &mut Vec<u8>, config: &CodecConfig) {
    full_box(out, b"stsd", 0, 0, |out| {
        u32(out, 1);
        match config {
            CodecConfig::Avc(avc) => avc1(out, avc),
            CodecConfig::Aac(aac) => mp4a(out, aac),
        }
    });
    for kind in [b"stts", b"stsc", b"stco"] {
        full_box(out, kind, 0, 0, |out| u32(out, 0));
    }
    full_box(out, b"stsz", 0, 0, |out| zeros(out, 8));
}

fn avc1(out: &mut Vec<u8>, avc: &Avc) {
    boxed(out, b"avc1", |out| {
        zeros(out, 6);
        u16(out, 1);
        zeros(out, 16);
        u16(out, avc.width() as u16);
        u16(out, avc.height() as u16);
        u32(out, 0x0048_0000);
        u32(out, 0x0048_0000);
        u32(out, 0);
        u16(out, 1);
        zeros(out, 32);
        u16(out, 24);
        u16(out, 0xffff);
        boxed(out, b"avcC", |out| out.extend_from_slice(avc.record()));
        let (wide, high) = avc.sample_aspect();
        if wide != high {
            boxed(out, b"pasp", |out| {
                u32(out, wide);
                u32(out, high);
            });
        }
    });
}

fn mp4a(out: &mut Vec<u8>, aac: &Aac) {
    boxed(out, b"mp4a", |out| {
        zeros(out, 6);
        u16(out, 1);
        zeros(out, 8);
        u16(out, aac.channels() as u16);
        u16(out, 16);
        zeros(out, 4);
        // 16.16; a rate that does not fit is left to the decoder configuration.
        u32(out, if aac.sample_rate() <= 0xffff { aac.sample_rate() << 16 } else { 0 });
        esds(out, aac.config());
    });
}

/// ISO/IEC 14496-14, 5.6, with descriptors of ISO/IEC 14496-1, 7.2.6.
fn esds(out: &mut Vec<u8>, config: &[u8]) {
    full_box(out, b"esds", 0, 0, |out| {
        let specific = 5 + config.len();
        let decoder = 5 + 13 + specific;
        descriptor(out, 3, 3 + decoder + 6);
        u16(out, 0);
        out.push(0);
        descriptor(out, 4, 13 + specific);
        // Audio ISO/IEC 14496-3, audio stream, buffer and rates unknown.
        out.extend_from_slice(&[0x40, 0x15]);
        zeros(out, 11);
        descriptor(out, 5, config.len());
        out.extend_from_slice(config);
        descriptor(out, 6, 1);
        out.push(2);
    });
}

/// A tag and a length in the four-byte form that all readers know.
fn descriptor(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    for shift in [21, 14, 7] {
        out.push(0x80 | (len >> shift) as u8 & 0x7f);
    }
    out.push(len as u8 & 0x7f);
}

fn trex(out: &mut Vec<u8>) {
    full_box(out, b"trex", 0, 0, |out| {
        u32(out, TRACK_ID);
        u32(out, 1);
        zeros(out, 12);
    });
}
