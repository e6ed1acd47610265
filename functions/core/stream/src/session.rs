use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{ConfigHash, Msn, RenditionId, SessionId, StreamId};

/// What stays the same from the first to the last record of a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The stream that is published.
    pub stream: StreamId,
    /// This publish of it.
    pub id: SessionId,
    /// EXT-X-TARGETDURATION in s: no segment, rounded, is longer. Apple clients stop for good when it changes.
    pub target_duration_s: u32,
    /// How much of the past can be played, in s.
    pub dvr_window_s: u32,
    /// Every rendition, in the order of the tracks of each record: video from the best to the lowest, then audio.
    pub renditions: Vec<Rendition>,
}

/// What a viewer can be given: one CMAF track.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rendition {
    /// Its name.
    pub id: RenditionId,
    /// Video or audio.
    pub kind: RenditionKind,
    /// PART-TARGET of its playlist in us: no part is longer. A whole number of its frames, so video and audio differ.
    pub part_target_us: u32,
}

/// Which kind of media a rendition carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum RenditionKind {
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
}

/// A stretch of a session with one set of codec configurations and one unbroken clock. A discontinuity starts the next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Period {
    /// 0 for the first; the discontinuity sequence number of its segments.
    pub index: u32,
    /// Wall clock of its first frame, in us since 1970.
    pub utc_us: i64,
    /// Media time of its first frame, in us: ticks of a track divided by its timescale.
    pub start_us: u64,
    /// Its first segment.
    pub first_msn: Msn,
    /// For each rendition of the session its track; `None` where the source has none in this period.
    pub tracks: Vec<Option<Track>>,
}

/// The configuration of one rendition's CMAF track in one period.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// The address of its init segment.
    pub init: ConfigHash,
    /// RFC 6381, as `avc1.64001f` or `mp4a.40.2`.
    pub codec: String,
    /// Ticks per second of `start` and `duration` of its parts.
    pub timescale: u32,
    /// Highest bit rate of a segment that is to be expected, in bit/s.
    pub bandwidth_bps: u32,
    /// What only video or only audio has.
    pub kind: TrackKind,
}

/// What only video or only audio has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TrackKind {
    /// Pictures.
    Video {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// `None` where the source has no constant rate.
        frame_rate: Option<FrameRate>,
    },
    /// Sound.
    Audio {
        /// In Hz.
        sample_rate: u32,
        /// Number of channels.
        channels: u32,
    },
}

/// A constant frame rate as a fraction, as 30000/1001.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FrameRate {
    /// Frames …
    pub numerator: u32,
    /// … in that many seconds.
    pub denominator: u32,
}

impl Session {
    /// The place of a rendition in the tracks of records and periods.
    #[must_use]
    pub fn rendition(&self, id: &RenditionId) -> Option<(usize, &Rendition)> {
        self.renditions.iter().enumerate().find(|(_, rendition)| rendition.id == *id)
    }

    /// The longest PART-TARGET of any rendition, in us; hold-backs are multiples of it.
    #[must_use]
    pub fn part_target_us(&self) -> u32 {
        self.renditions.iter().map(|rendition| rendition.part_target_us).max().unwrap_or(0)
    }
}

impl Track {
    /// The length of `ticks` of this track in us, rounded to the nearest.
    #[must_use]
    pub fn micros(&self, ticks: u64) -> u64 {
        let scale = u128::from(self.timescale.max(1));
        let micros = (u128::from(ticks) * 1_000_000 + scale / 2) / scale;
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}
