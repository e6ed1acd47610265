//! Sources in virtual time: what an encoder would push, as inputs with the time they arrive at.

use tidegate_cmaf::CodecConfig;
use tidegate_packager::{Config, Frame, Input, RenditionConfig};
use tidegate_stream::{RenditionId, RenditionKind, SessionId, StreamId};

/// When every test begins, in us since 1970.
pub(crate) const T0: i64 = 1_790_000_000_000_000;

/// What x264 wrote for 1280x720, High profile, level 3.1.
pub(crate) const AVCC: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
    0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8,
    0x00,
];

/// Inputs with the time they arrive at.
pub(crate) type Script = Vec<(i64, Input)>;

pub(crate) fn rendition(id: &str, kind: RenditionKind) -> RenditionConfig {
    RenditionConfig { id: RenditionId::parse(id).unwrap(), kind, bandwidth_bps: 1_000_000 }
}

/// A session with this many video renditions, then this many of audio.
pub(crate) fn config(videos: usize, audios: usize) -> Config {
    let names = ["source", "high", "medium", "low", "lowest", "least"];
    let mut renditions: Vec<_> = names.iter().take(videos).map(|id| rendition(id, RenditionKind::Video)).collect();
    renditions.extend(["audio", "audio-2"].iter().take(audios).map(|id| rendition(id, RenditionKind::Audio)));
    let stream = StreamId::parse("demo").unwrap();
    Config::new(stream, SessionId::new(T0 as u64 / 1000, 7), renditions)
}

pub(crate) fn avc() -> CodecConfig {
    CodecConfig::avc(AVCC).unwrap()
}

/// The same picture with another compatibility byte: another configuration.
pub(crate) fn other_avc() -> CodecConfig {
    let mut record = AVCC.to_vec();
    record[2] = 0x40;
    CodecConfig::avc(&record).unwrap()
}

pub(crate) fn aac(rate: u32) -> CodecConfig {
    let bytes: &[u8] = if rate == 44_100 { &[0x12, 0x10] } else { &[0x11, 0x90] };
    CodecConfig::aac(bytes).unwrap()
}

/// Video of a constant rate.
#[derive(Clone, Copy)]
pub(crate) struct Video {
    pub(crate) rate: (i64, i64),
    pub(crate) frames: i64,
    pub(crate) gop: i64,
    pub(crate) b_frames: bool,
    pub(crate) start_ms: i64,
}

impl Video {
    pub(crate) fn new(rate: (i64, i64), frames: i64, gop: i64) -> Self {
        Self { rate, frames, gop, b_frames: false, start_ms: 0 }
    }

    fn ms(&self, slot: i64) -> i64 {
        let (numerator, denominator) = self.rate;
        self.start_ms + (slot * 1000 * denominator * 2 + numerator).div_euclid(2 * numerator)
    }

    /// The frames of the source, in decode order.
    pub(crate) fn source(&self) -> Vec<Frame> {
        let delay = i64::from(self.b_frames);
        let frame = |(decode, shown): (i64, i64)| {
            let dts_ms = self.ms(decode);
            let cts_ms = (self.ms(shown + delay) - dts_ms) as i32;
            Frame { dts_ms, cts_ms, sync: shown % self.gop == 0, data: payload(shown) }
        };
        (0..self.frames).zip(self.shown_in_decode_order()).map(frame).collect()
    }

    /// What an encoder without B-frames makes of it: the same pictures at the times they are shown.
    pub(crate) fn rung(&self) -> Vec<Frame> {
        let delay = i64::from(self.b_frames);
        let frame = |n: i64| Frame { dts_ms: self.ms(n + delay), cts_ms: 0, sync: n % self.gop == 0, data: payload(n) };
        (0..self.frames).map(frame).collect()
    }

    fn shown_in_decode_order(&self) -> Vec<i64> {
        let mut order = Vec::new();
        let mut n = 0;
        while n < self.frames {
            let in_gop = n % self.gop;
            let room = (self.gop - in_gop).min(self.frames - n);
            if self.b_frames && in_gop > 0 && room >= 3 {
                order.extend([n + 2, n, n + 1]);
                n += 3;
            } else {
                order.push(n);
                n += 1;
            }
        }
        order
    }
}

/// Frames of audio, as stamped by an encoder that rounds down.
pub(crate) fn audio(rate: i64, frames: i64, start_ms: i64) -> Vec<Frame> {
    let frame = |n: i64| Frame { dts_ms: start_ms + n * 1_024_000 / rate, cts_ms: 0, sync: true, data: payload(n) };
    (0..frames).map(frame).collect()
}

/// Tells frames of one rendition apart and has another length each time.
pub(crate) fn payload(n: i64) -> Vec<u8> {
    let mut data = n.to_be_bytes().to_vec();
    data.resize(8 + n.rem_euclid(13) as usize, 0xa5);
    data
}

/// When frames arrive: as they are stamped, and `delay_ms` later.
pub(crate) fn arrivals(rendition: usize, frames: Vec<Frame>, delay_ms: i64) -> Script {
    let arrival = |frame: Frame| (T0 + (frame.dts_ms + delay_ms) * 1000, Input::Frame { rendition, frame });
    frames.into_iter().map(arrival).collect()
}

/// Puts scripts in one order of time; what comes at one time keeps the order of the scripts.
pub(crate) fn together(scripts: Vec<Script>) -> Script {
    let mut all: Script = scripts.into_iter().flatten().collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

/// Configurations before everything else.
pub(crate) fn configured(configs: Vec<CodecConfig>, script: Script) -> Script {
    let start = script.first().map_or(T0, |(at, _)| *at);
    let config = |(rendition, config)| (start, Input::Config { rendition, config });
    configs.into_iter().enumerate().map(config).chain(script).collect()
}

/// The end, after all that came.
pub(crate) fn ended(mut script: Script) -> Script {
    let at = script.iter().map(|(at, _)| *at).max().unwrap_or(T0);
    script.push((at + 40_000, Input::End));
    script
}
