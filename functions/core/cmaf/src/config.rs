use alloc::string::String;

use crate::{Aac, Avc};

/// What a decoder has to know before the first frame.
///
/// HEVC, AV1 and Opus get a variant each here, with their parser and sample entry beside `avc.rs` and `aac.rs`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CodecConfig {
    /// H.264.
    Avc(Avc),
    /// AAC of any profile.
    Aac(Aac),
}

/// Why bytes are not a codec configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The bytes end early.
    #[error("the codec configuration is cut off")]
    Short,
    /// A version that this reader does not know.
    #[error("version {0} of AVCDecoderConfigurationRecord is not known")]
    Version(u8),
    /// No sequence parameter set, or one that does not read.
    #[error("the H.264 configuration has no sequence parameter set that reads")]
    Sps,
    /// A size, rate or profile that cannot be played.
    #[error("the codec configuration has an impossible value for {0}")]
    Value(&'static str),
    /// More bytes than any real configuration has.
    #[error("the codec configuration has {0} bytes, at most {CONFIG_BYTES_MAX} are taken")]
    Long(usize),
}

/// Real configurations have tens of bytes; parameter sets with scaling lists some hundreds. More would only cost memory.
pub(crate) const CONFIG_BYTES_MAX: usize = 16 * 1024;

impl CodecConfig {
    /// Parses an `AVCDecoderConfigurationRecord`, as FLV and MP4 carry it.
    pub fn avc(record: &[u8]) -> Result<Self, ConfigError> {
        Avc::parse(record).map(Self::Avc)
    }

    /// Parses an `AudioSpecificConfig`, as FLV and MP4 carry it.
    pub fn aac(config: &[u8]) -> Result<Self, ConfigError> {
        Aac::parse(config).map(Self::Aac)
    }

    /// The codec as RFC 6381 names it, as `avc1.64001f` or `mp4a.40.2`.
    #[must_use]
    pub fn codec(&self) -> String {
        match self {
            Self::Avc(avc) => avc.codec(),
            Self::Aac(aac) => aac.codec(),
        }
    }

    /// Whether it describes pictures.
    #[must_use]
    pub fn is_video(&self) -> bool {
        match self {
            Self::Avc(_) => true,
            Self::Aac(_) => false,
        }
    }
}
