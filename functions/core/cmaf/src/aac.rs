use alloc::{format, string::String, vec::Vec};

use crate::{ConfigError, bits::Bits, config::CONFIG_BYTES_MAX};

/// The configuration of an AAC track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aac {
    config: Vec<u8>,
    object_type: u32,
    sample_rate: u32,
    frame_samples: u32,
    channels: u32,
}

/// Table 1.18 of ISO/IEC 14496-3.
const SAMPLE_RATES: [u32; 13] = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// How some encoders end a configuration (1.6.2.1): with the extension for SBR, and that there is none. MPEG-TS has no place for it.
const NO_SBR: [u8; 3] = [0x56, 0xe5, 0x00];

const AOT_SBR: u32 = 5;
const AOT_PS: u32 = 29;
const AOT_LOW_DELAY: u32 = 23;

impl Aac {
    /// Parses an `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1).
    pub fn parse(config: &[u8]) -> Result<Self, ConfigError> {
        if config.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::Long(config.len()));
        }
        let fields = parse(config).ok_or(ConfigError::Short)?;
        if !(1_000..=192_000).contains(&fields.sample_rate) {
            return Err(ConfigError::Value("the sample rate"));
        }
        if fields.object_type == 0 {
            return Err(ConfigError::Value("the audio object type"));
        }
        let Fields { object_type, sample_rate, frame_samples, channels } = fields;
        Ok(Self {
            config: config.strip_suffix(&NO_SBR).filter(|rest| rest.len() >= 2).unwrap_or(config).to_vec(),
            object_type,
            sample_rate,
            frame_samples,
            channels: channels.max(1),
        })
    }

    /// RFC 6381, as `mp4a.40.2`; `mp4a.40.5` and `.29` where SBR or PS is signalled first.
    #[must_use]
    pub fn codec(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    /// The configuration, the same whoever wrote it: that there is no SBR is not said.
    #[must_use]
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// Samples per second of the AAC core: with SBR half of what is heard. A frame is [`Self::frame_samples`] of these.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Samples of the core in one frame: 1024, or 960, 512, 480.
    #[must_use]
    pub fn frame_samples(&self) -> u32 {
        self.frame_samples
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> u32 {
        self.channels
    }
}

struct Fields {
    object_type: u32,
    sample_rate: u32,
    frame_samples: u32,
    channels: u32,
}

fn parse(config: &[u8]) -> Option<Fields> {
    let mut bits = Bits::new(config);
    let object_type = audio_object_type(&mut bits)?;
    let sample_rate = sample_rate(&mut bits)?;
    let layout = bits.take(4)?;
    let mut core_type = object_type;
    if matches!(object_type, AOT_SBR | AOT_PS) {
        self::sample_rate(&mut bits)?;
        core_type = audio_object_type(&mut bits)?;
    }
    // GASpecificConfig; encoders exist that end the configuration before it, and mean its zeros.
    let short_frames = bits.bit().unwrap_or(false);
    if bits.bit().unwrap_or(false) {
        bits.skip(14);
    }
    bits.skip(1);
    let channels = match layout {
        0 => program_channels(&mut bits).unwrap_or(2),
        7 | 12 | 14 => 8,
        11 => 7,
        layout => layout,
    };
    let frame_samples = match (core_type == AOT_LOW_DELAY, short_frames) {
        (false, false) => 1024,
        (false, true) => 960,
        (true, false) => 512,
        (true, true) => 480,
    };
    Some(Fields { object_type, sample_rate, frame_samples, channels })
}

fn audio_object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(5)? {
        31 => Some(bits.take(6)? + 32),
        object_type => Some(object_type),
    }
}

fn sample_rate(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(4)? {
        15 => bits.take(24),
        index => Some(SAMPLE_RATES.get(index as usize).copied().unwrap_or(0)),
    }
}

/// Counts the channels of a program_config_element (ISO/IEC 14496-3, 4.5.1.2).
fn program_channels(bits: &mut Bits<'_>) -> Option<u32> {
    bits.skip(10)?;
    let (front, side, back, lfe) = (bits.take(4)?, bits.take(4)?, bits.take(4)?, bits.take(2)?);
    bits.skip(3 + 4)?;
    for mixdown in [4, 4, 3] {
        if bits.bit()? {
            bits.skip(mixdown)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += 1 + u32::from(bits.bit()?);
        bits.skip(4)?;
    }
    bits.align();
    Some(channels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_aac_reads() {
        let aac = Aac::parse(&[0x11, 0x90]).unwrap();
        assert_eq!((aac.codec().as_str(), aac.sample_rate(), aac.channels(), aac.frame_samples()), ("mp4a.40.2", 48_000, 2, 1024));
        let aac = Aac::parse(&[0x12, 0x08]).unwrap();
        assert_eq!((aac.sample_rate(), aac.channels()), (44_100, 1));
        let short = Aac::parse(&[0x11, 0x94]).unwrap();
        assert_eq!(short.frame_samples(), 960);
    }

    #[test]
    fn a_configuration_is_the_same_whoever_wrote_it() {
        let plain = Aac::parse(&[0x11, 0x90]).unwrap();
        assert_eq!(Aac::parse(&[0x11, 0x90, 0x56, 0xe5, 0x00]).unwrap(), plain);
        // Where there is SBR it is said.
        assert_eq!(Aac::parse(&[0x11, 0x90, 0x56, 0xe5, 0x98]).unwrap().config().len(), 5);
    }

    #[test]
    fn he_aac_is_timed_by_its_core() {
        // SBR over a core of 24 kHz, stereo: type 5, rate 6, layout 2, extension rate 3, core type 2.
        let bits: u32 = (5 << 27) | (6 << 23) | (2 << 19) | (3 << 15) | (2 << 10);
        let aac = Aac::parse(&bits.to_be_bytes()).unwrap();
        assert_eq!((aac.codec().as_str(), aac.sample_rate(), aac.frame_samples()), ("mp4a.40.5", 24_000, 1024));
    }

    #[test]
    fn impossible_values_are_refused() {
        assert_eq!(Aac::parse(&[]), Err(ConfigError::Short));
        assert_eq!(Aac::parse(&[0x17, 0x00]), Err(ConfigError::Value("the sample rate")));
        assert_eq!(Aac::parse(&[0x01, 0x90]), Err(ConfigError::Value("the audio object type")));
    }

    proptest! {
        #[test]
        fn any_config_reads_or_says_why(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Aac::parse(&bytes);
        }
    }
}
