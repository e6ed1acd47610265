//! An encoder and the ways that its frames take to the workers.

use tidegate_cmaf::CodecConfig;
use tidegate_packager::{Frame, Input};
use tidegate_stream::format_utc;

use crate::random::Random;

/// What x264 wrote for 1280x720, High profile, level 3.1.
const AVCC: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
    0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8,
    0x00,
];

/// 25 frames per second, a key frame every 2 s, AAC at 48 kHz.
pub const FRAME_US: i64 = 40_000;
const GOP: i64 = 50;
/// What a worker's ffmpeg takes for a rung.
const RUNG_US: i64 = 160_000;

/// One connection of an encoder to a worker.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Tells encoders apart: two that run beside each other make other bytes.
    pub encoder: u64,
    /// When the encoder was started.
    pub zero_us: i64,
    /// From when to when it is connected.
    pub from_us: i64,
    /// …
    pub to_us: i64,
    /// How long a frame is on its way.
    pub delay_us: i64,
    /// The worker's ffmpeg makes bytes of its own.
    pub own_rungs: Option<u64>,
    /// What its sound is like.
    pub sound: Sound,
    /// It stands in for an encoder.
    pub is_slate: bool,
    /// It has no pictures.
    pub sound_alone: bool,
    /// Its key frames say when they were taken.
    pub clocked: bool,
    pub(crate) next: [i64; 3],
    pub(crate) first: Option<i64>,
    pub(crate) configured: [bool; 3],
}

/// What the sound of an encoder is like on its way to a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sound {
    /// By how much its clock is slower than that of the pictures, in millionths: a frame of it is missing from time to time.
    pub slow_ppm: i64,
    /// How long after pictures of its time it comes, in us.
    pub late_us: i64,
}

impl Sound {
    /// How long a frame of it takes, in 48 millionths of a us.
    fn frame(self) -> i64 {
        1_024_000 * (1_000_000 + self.slow_ppm)
    }
}

impl Feed {
    /// A connection; the first frame is the next key frame.
    #[must_use]
    pub fn new(encoder: u64, zero_us: i64, from_us: i64, to_us: i64, delay_us: i64, own_rungs: Option<u64>) -> Self {
        Self {
            encoder,
            zero_us,
            from_us,
            to_us,
            delay_us,
            own_rungs,
            sound: Sound::default(),
            is_slate: false,
            sound_alone: false,
            clocked: false,
            next: [0; 3],
            first: None,
            configured: [false; 3],
        }
    }

    /// The same with other sound.
    #[must_use]
    pub fn with(self, sound: Sound) -> Self {
        Self { sound, ..self }
    }

    /// What arrives until now, in order: renditions are source, low, audio.
    pub fn until(&mut self, now_us: i64) -> Vec<Input> {
        if now_us < self.from_us + self.delay_us {
            return Vec::new();
        }
        let first = *self.first.get_or_insert_with(|| {
            let gop_us = GOP * FRAME_US;
            let since = (self.from_us - self.zero_us).max(0);
            (since + gop_us - 1) / gop_us * GOP
        });
        let first_ms = first * FRAME_US / 1000;
        if self.next == [0; 3] {
            let sound = first * FRAME_US * 48_000_000;
            let frame = self.sound.frame();
            self.next = [first, first, (sound + frame - 1) / frame];
        }
        let mut due = Vec::new();
        for rendition in 0..3 {
            loop {
                let n = self.next[rendition];
                let media_us = if rendition == 2 { n * self.sound.frame() / 48_000_000 } else { n * FRAME_US };
                let made_us = self.zero_us + media_us;
                let at = made_us + self.delay_us + [0, RUNG_US, self.sound.late_us][rendition];
                if at > now_us || made_us >= self.to_us {
                    break;
                }
                self.next[rendition] += 1;
                let sync = rendition == 2 || n % GOP == 0;
                let own = if rendition == 1 { self.own_rungs.unwrap_or(0) } else { 0 };
                let mut data = payload(self.encoder ^ own, rendition as u64, n as u64);
                if self.clocked && rendition == 0 && sync {
                    data = dated(self.encoder, made_us, &data);
                }
                let frame = Frame { dts_ms: media_us / 1000 - first_ms, cts_ms: 0, sync, data };
                due.push((at, rendition, frame));
            }
        }
        due.sort_by_key(|(at, rendition, _)| (*at, *rendition));
        let mut inputs = Vec::new();
        for (_, rendition, frame) in due {
            if self.sound_alone {
                if rendition == 2 {
                    inputs.extend(
                        (!std::mem::replace(&mut self.configured[2], true)).then(|| Input::Config { rendition: 0, config: config(2) }),
                    );
                    inputs.push(Input::Frame { rendition: 0, frame });
                }
                continue;
            }
            if !std::mem::replace(&mut self.configured[rendition], true) {
                inputs.push(Input::Config { rendition, config: config(rendition) });
            }
            inputs.push(Input::Frame { rendition, frame });
        }
        inputs
    }
}

fn config(rendition: usize) -> CodecConfig {
    let config = if rendition == 2 { CodecConfig::aac(&[0x11, 0x90]) } else { CodecConfig::avc(AVCC) };
    config.expect("a configuration that an encoder wrote")
}

fn payload(encoder: u64, rendition: u64, n: u64) -> Vec<u8> {
    let mut random = Random::new(encoder.wrapping_mul(31) ^ (rendition << 40) ^ n);
    let mut data = [encoder.to_be_bytes(), random.bits().to_be_bytes()].concat();
    data.resize(data.len() + (n % 5) as usize, 0xa5);
    data
}

/// A key frame with a message that says when it was taken, as OBS writes it, behind the name of its encoder.
fn dated(encoder: u64, made_us: i64, data: &[u8]) -> Vec<u8> {
    const FILLER: u8 = 12;
    // The name reads as two lengths: of nothing, and of what fills the rest of it.
    let mut picture = encoder.to_be_bytes().to_vec();
    picture.resize(picture.len() + encoder as usize, FILLER);
    let mut message = vec![0x0a, 0xec, 0xff, 0xe7, 0x52, 0x72, 0x4e, 0x2f, 0xa6, 0x2f, 0xd1, 0x9c, 0xd6, 0x1a, 0x93, 0xb5, 0, 1, 1];
    message.extend_from_slice(format_utc((made_us / 1000) as u64).as_bytes());
    message.push(0);
    let sei = [&[6, 5, message.len() as u8], message.as_slice(), &[0x80]].concat();
    for nal in [sei.as_slice(), &[&[0x65], data].concat()] {
        picture.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        picture.extend_from_slice(nal);
    }
    picture
}

/// Which encoder has made a frame.
#[must_use]
pub fn encoder_of(data: &[u8]) -> Option<u64> {
    data.first_chunk().map(|encoder| u64::from_be_bytes(*encoder))
}
