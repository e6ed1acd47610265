use bytes::{Buf, Bytes};
use tidegate_cmaf::{Avc, Kept, Pictures, is_idr};

use crate::flv::{Tag, TagKind};

/// What a tag means: a codec configuration, a frame, or nothing for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Media {
    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15).
    VideoConfig(Bytes),
    /// One picture, its NAL units after their lengths.
    VideoFrame {
        /// Presentation after decode.
        cts_ms: i32,
        /// A decoder can start here: the picture is an IDR.
        sync: bool,
        /// The sample as it goes into the track.
        data: Bytes,
    },
    /// AudioSpecificConfig (ISO/IEC 14496-3).
    AudioConfig(Bytes),
    /// One raw AAC frame.
    AudioFrame(Bytes),
    /// Metadata, an end of sequence, an empty tag, a second track.
    Nothing,
}

/// Why a tag cannot be used. The first one ends its source: what it says is shown to the publisher.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BodyError {
    /// Another codec than those that every player decodes.
    #[error("the source sends {kind} as {codec}: send H.264 and AAC")]
    Codec {
        /// `video` or `audio`.
        kind: &'static str,
        /// Its name.
        codec: String,
    },
    /// The tag ends early.
    #[error("a {kind} tag ends early")]
    Short {
        /// `video` or `audio`.
        kind: &'static str,
    },
}

/// Reads tag bodies; remembers what the pictures are.
#[derive(Debug, Default)]
pub(crate) struct BodyReader {
    pictures: Option<Pictures>,
}

impl BodyReader {
    /// A reader that has already seen what the pictures are.
    pub(crate) fn after(avc: Avc) -> Self {
        Self { pictures: Some(Pictures::new(avc)) }
    }

    /// Reads one tag (Adobe FLV 10.1, annex E.4; E-RTMP v2 for the extended headers).
    pub(crate) fn read(&mut self, tag: &Tag) -> Result<Media, BodyError> {
        match tag.kind {
            TagKind::Video => self.video(tag.body.clone()).map_err(|reason| reason.name("video")),
            TagKind::Audio => audio(tag.body.clone()).map_err(|reason| reason.name("audio")),
            TagKind::Script => Ok(Media::Nothing),
        }
    }

    fn video(&mut self, mut body: Bytes) -> Result<Media, Reason> {
        let Some(first) = take_u8(&mut body) else { return Ok(Media::Nothing) };
        let frame_type = (first >> 4) & 7;
        let packet = if first & 0x80 != 0 {
            extended_video(first & 0x0f, &mut body)?
        } else {
            match first & 0x0f {
                7 => legacy_video(&mut body)?,
                codec => return Err(Reason::Codec(legacy_video_name(codec))),
            }
        };
        Ok(match packet {
            VideoPacket::Config => {
                // Whoever takes the configuration says what is wrong with it.
                let avc = Avc::parse(&body).ok();
                if avc.as_ref() != self.pictures.as_ref().map(Pictures::avc) {
                    self.pictures = avc.map(Pictures::new);
                }
                Media::VideoConfig(body)
            }
            VideoPacket::Frame { cts_ms } if frame_type != COMMAND_FRAME && !body.is_empty() => {
                let length_size = self.pictures.as_ref().map_or(LENGTH_BYTES, |pictures| pictures.avc().length_size());
                let sync = frame_type == KEY_FRAME && is_idr(&body, length_size);
                let data = match self.pictures.as_mut().map(|pictures| pictures.kept(&body)) {
                    Some(Kept::Range(range)) => body.slice(range),
                    Some(Kept::Units(units)) => units.into(),
                    None => body,
                };
                Media::VideoFrame { cts_ms, sync, data }
            }
            VideoPacket::Frame { .. } | VideoPacket::Other => Media::Nothing,
        })
    }
}

const KEY_FRAME: u8 = 1;
const COMMAND_FRAME: u8 = 5;
/// Of the length before a NAL unit, where nothing else was said.
const LENGTH_BYTES: u8 = 4;

enum VideoPacket {
    Config,
    Frame { cts_ms: i32 },
    Other,
}

enum Reason {
    Codec(String),
    Short,
}

impl Reason {
    fn name(self, kind: &'static str) -> BodyError {
        match self {
            Self::Codec(codec) => BodyError::Codec { kind, codec },
            Self::Short => BodyError::Short { kind },
        }
    }
}

fn legacy_video(body: &mut Bytes) -> Result<VideoPacket, Reason> {
    let kind = take_u8(body).ok_or(Reason::Short)?;
    let cts_ms = take_i24(body).ok_or(Reason::Short)?;
    Ok(match kind {
        0 => VideoPacket::Config,
        1 => VideoPacket::Frame { cts_ms },
        _ => VideoPacket::Other,
    })
}

fn extended_video(kind: u8, body: &mut Bytes) -> Result<VideoPacket, Reason> {
    const METADATA: u8 = 4;
    const MULTITRACK: u8 = 6;
    let kind = skip_modifiers(kind, body)?;
    // The first track always comes by itself too; other tracks are an encoder's own ladder.
    if kind == MULTITRACK || kind == METADATA {
        return Ok(VideoPacket::Other);
    }
    match take_four(body).ok_or(Reason::Short)? {
        four if &four == b"avc1" => {}
        four => return Err(Reason::Codec(four_name(four))),
    }
    Ok(match kind {
        0 => VideoPacket::Config,
        1 => VideoPacket::Frame { cts_ms: take_i24(body).ok_or(Reason::Short)? },
        3 => VideoPacket::Frame { cts_ms: 0 },
        _ => VideoPacket::Other,
    })
}

fn audio(mut body: Bytes) -> Result<Media, Reason> {
    const AAC: u8 = 10;
    const EXTENDED: u8 = 9;
    const MULTITRACK: u8 = 5;
    const CHANNELS: u8 = 4;
    let Some(first) = take_u8(&mut body) else { return Ok(Media::Nothing) };
    let kind = match first >> 4 {
        AAC => take_u8(&mut body).ok_or(Reason::Short)?,
        EXTENDED => {
            let kind = skip_modifiers(first & 0x0f, &mut body)?;
            if kind == MULTITRACK || kind == CHANNELS {
                return Ok(Media::Nothing);
            }
            match take_four(&mut body).ok_or(Reason::Short)? {
                four if &four == b"mp4a" => kind,
                four => return Err(Reason::Codec(four_name(four))),
            }
        }
        codec => return Err(Reason::Codec(legacy_audio_name(codec))),
    };
    Ok(match kind {
        // Who learns it from the first frame, as from MPEG-TS, says nothing before, and says it again.
        0 if body.is_empty() => Media::Nothing,
        0 => Media::AudioConfig(body),
        1 if !body.is_empty() => Media::AudioFrame(body),
        _ => Media::Nothing,
    })
}

/// E-RTMP v2: `ModEx` packets stand before the packet that they modify.
fn skip_modifiers(mut kind: u8, body: &mut Bytes) -> Result<u8, Reason> {
    const MOD_EX: u8 = 7;
    while kind == MOD_EX {
        let mut len = usize::from(take_u8(body).ok_or(Reason::Short)?) + 1;
        if len == 256 {
            let high = take_u8(body).ok_or(Reason::Short)?;
            let low = take_u8(body).ok_or(Reason::Short)?;
            len = usize::from(u16::from_be_bytes([high, low])) + 1;
        }
        if body.len() <= len {
            return Err(Reason::Short);
        }
        body.advance(len);
        kind = take_u8(body).ok_or(Reason::Short)? & 0x0f;
    }
    Ok(kind)
}

fn take_u8(body: &mut Bytes) -> Option<u8> {
    let byte = *body.first()?;
    body.advance(1);
    Some(byte)
}

fn take_i24(body: &mut Bytes) -> Option<i32> {
    let [a, b, c] = *body.first_chunk::<3>()?;
    body.advance(3);
    Some(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

fn take_four(body: &mut Bytes) -> Option<[u8; 4]> {
    let four = *body.first_chunk::<4>()?;
    body.advance(4);
    Some(four)
}

fn four_name(four: [u8; 4]) -> String {
    match &four {
        b"hvc1" => "HEVC".into(),
        b"av01" => "AV1".into(),
        b"vp09" => "VP9".into(),
        b"Opus" => "Opus".into(),
        b"fLaC" => "FLAC".into(),
        _ => four.escape_ascii().to_string(),
    }
}

fn legacy_video_name(codec: u8) -> String {
    match codec {
        2 => "Sorenson H.263".into(),
        4 | 5 => "VP6".into(),
        12 => "HEVC".into(),
        _ => format!("codec {codec}"),
    }
}

fn legacy_audio_name(codec: u8) -> String {
    match codec {
        2 | 14 => "MP3".into(),
        4..=6 => "Nellymoser".into(),
        7 | 8 => "G.711".into(),
        11 => "Speex".into(),
        _ => format!("codec {codec}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: TagKind, body: &[u8]) -> Result<Media, BodyError> {
        BodyReader::default().read(&Tag { kind, timestamp_ms: 0, body: Bytes::copy_from_slice(body) })
    }

    const IDR: [u8; 7] = [0, 0, 0, 3, 0x65, 1, 2];
    const NOT_IDR: [u8; 7] = [0, 0, 0, 3, 0x41, 1, 2];

    #[test]
    fn h264_comes_in_the_old_and_in_the_extended_header() {
        let frame = Media::VideoFrame { cts_ms: -40, sync: true, data: Bytes::from_static(&IDR) };
        let old = [&[0x17, 1, 0xff, 0xff, 0xd8][..], &IDR].concat();
        let extended = [&[0x91, b'a', b'v', b'c', b'1', 0xff, 0xff, 0xd8][..], &IDR].concat();
        let modified = [&[0x97, 2, 9, 9, 9, 0x01, b'a', b'v', b'c', b'1', 0xff, 0xff, 0xd8][..], &IDR].concat();
        for body in [old, extended, modified] {
            assert_eq!(read(TagKind::Video, &body), Ok(frame.clone()));
        }
        let config = Media::VideoConfig(Bytes::from_static(&[1, 2, 3]));
        assert_eq!(read(TagKind::Video, &[0x17, 0, 0, 0, 0, 1, 2, 3]), Ok(config.clone()));
        assert_eq!(read(TagKind::Video, &[0x90, b'a', b'v', b'c', b'1', 1, 2, 3]), Ok(config));
    }

    #[test]
    fn a_key_frame_flag_without_an_idr_does_not_start_a_segment() {
        let body = [&[0x17, 1, 0, 0, 0][..], &NOT_IDR].concat();
        assert!(matches!(read(TagKind::Video, &body), Ok(Media::VideoFrame { sync: false, .. })));
        let both = [&[0x17, 1, 0, 0, 0][..], &NOT_IDR, &IDR].concat();
        assert!(matches!(read(TagKind::Video, &both), Ok(Media::VideoFrame { sync: true, .. })));
    }

    #[test]
    fn a_picture_out_of_mpeg_ts_is_the_one_that_came_over_rtmp() {
        // The record of x264 for 1280x720, High, as the tests of its reader have it.
        const SPS: &[u8] =
            &[0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0xc0, 0xf1, 0x83, 0x19, 0x60];
        const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
        let sized = |set: &[u8], bytes: usize| [&(set.len() as u32).to_be_bytes()[4 - bytes..], set].concat();
        let record = [&[1, 0x64, 0, 0x1f, 0xff, 0xe1], sized(SPS, 2).as_slice(), &[1], &sized(PPS, 2), &[0xfd, 0xf8, 0xf8, 0]].concat();
        let mut bodies = BodyReader::default();
        let mut picture = |head: &[u8], units: &[u8]| {
            let body = [head, units].concat().into();
            match bodies.read(&Tag { kind: TagKind::Video, timestamp_ms: 0, body }) {
                Ok(Media::VideoFrame { data, .. }) => data,
                media => Bytes::from(format!("{media:?}")),
            }
        };
        picture(&[0x17, 0, 0, 0, 0], &record);
        let rtmp = picture(&[0x17, 1, 0, 0, 0], &IDR);
        let delimited = [&sized(&[9, 0xf0], 4), &sized(SPS, 4), &sized(PPS, 4), &IDR[..]].concat();
        assert_eq!((picture(&[0x17, 1, 0, 0, 0], &delimited), &rtmp[..]), (rtmp.clone(), &IDR[..]));
        // Sets that change within the pictures stay, and so does what changes them back, if the same configuration is said again too.
        let changed = [&sized(&[0x68, 0xeb, 1], 4), &IDR[..]].concat();
        assert_eq!(picture(&[0x17, 1, 0, 0, 0], &changed), changed);
        picture(&[0x17, 0, 0, 0, 0], &record);
        assert_eq!(picture(&[0x17, 1, 0, 0, 0], &delimited), delimited[6..]);
    }

    #[test]
    fn aac_comes_in_the_old_and_in_the_extended_header() {
        assert_eq!(read(TagKind::Audio, &[0xaf, 0]), Ok(Media::Nothing));
        assert_eq!(read(TagKind::Audio, &[0xaf, 0, 0x11, 0x90]), Ok(Media::AudioConfig(Bytes::from_static(&[0x11, 0x90]))));
        assert_eq!(read(TagKind::Audio, &[0xaf, 1, 7]), Ok(Media::AudioFrame(Bytes::from_static(&[7]))));
        assert_eq!(read(TagKind::Audio, b"\x91mp4a\x07"), Ok(Media::AudioFrame(Bytes::from_static(&[7]))));
    }

    #[test]
    fn other_codecs_are_named_with_what_to_send() {
        let said = |kind, body: &[u8]| read(kind, body).unwrap_err().to_string();
        assert_eq!(said(TagKind::Video, b"\x90hvc1"), "the source sends video as HEVC: send H.264 and AAC");
        assert_eq!(said(TagKind::Audio, b"\x90Opus"), "the source sends audio as Opus: send H.264 and AAC");
        assert_eq!(said(TagKind::Audio, &[0x2f, 1]), "the source sends audio as MP3: send H.264 and AAC");
    }

    #[test]
    fn second_tracks_and_empty_tags_are_passed_over() {
        assert_eq!(read(TagKind::Video, b"\x96\x01hvc1"), Ok(Media::Nothing));
        assert_eq!(read(TagKind::Video, &[]), Ok(Media::Nothing));
        assert_eq!(read(TagKind::Audio, &[0xaf, 1]), Ok(Media::Nothing));
        assert_eq!(read(TagKind::Video, &[0x57, 1, 0, 0, 0, 1]), Ok(Media::Nothing));
    }

    #[test]
    fn every_short_body_ends_in_a_result() {
        for first in 0..=255u8 {
            for len in 0..12 {
                let mut body = vec![0xff; len];
                if let Some(byte) = body.first_mut() {
                    *byte = first;
                }
                let _ = read(TagKind::Video, &body);
                let _ = read(TagKind::Audio, &body);
            }
        }
    }
}
