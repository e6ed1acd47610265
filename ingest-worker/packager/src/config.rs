use alloc::vec::Vec;

use tidegate_stream::{RenditionId, RenditionKind, SessionId, StreamId, WriterId};

/// What a packager is told once.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The stream that is published.
    pub stream: StreamId,
    /// This publish of it.
    pub session: SessionId,
    /// Who writes: another number for each worker.
    pub writer: WriterId,
    /// How long segments are to be, in us. They end at key frames.
    pub segment_target_us: u32,
    /// How long parts are to be, in us; they get the nearest length that is a whole number of frames.
    pub part_target_us: u32,
    /// EXT-X-TARGETDURATION, in s; at least the segment target.
    pub target_duration_s: u32,
    /// How much of the past can be played, in s.
    pub dvr_window_s: u32,
    /// Video from the best to the lowest, index 0 is normally the source as it came; then audio.
    pub renditions: Vec<RenditionConfig>,
    /// What the source says of its frame rate (onMetaData). It is believed only when the timestamps agree.
    pub frame_rate_hint: Option<f64>,
    /// The bounds of every wait and queue.
    pub limits: Limits,
}

/// One rendition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenditionConfig {
    /// Its name.
    pub id: RenditionId,
    /// Video or audio.
    pub kind: RenditionKind,
    /// Highest bit rate of a segment that is to be expected, in bit/s.
    pub bandwidth_bps: u32,
}

/// The bounds of every wait and queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long a record waits for a rendition after the lead had its part, in us.
    pub late_us: i64,
    /// How long the first record of a period waits for codec configurations, in us after the first frame of the lead.
    pub opening_us: i64,
    /// Bytes of frames that may wait in one rendition.
    pub queue_bytes: usize,
}

impl Config {
    /// The defaults: parts of 0.5 s, segments of 2 s, 2 h of the past.
    #[must_use]
    pub fn new(stream: StreamId, session: SessionId, renditions: Vec<RenditionConfig>) -> Self {
        Self {
            stream,
            session,
            writer: WriterId::default(),
            segment_target_us: 2_000_000,
            part_target_us: 500_000,
            target_duration_s: 2,
            dvr_window_s: 7200,
            renditions,
            frame_rate_hint: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        // A viewer sits three parts or more behind the edge, so 2 s of waiting is what buffers bear. A rung's first frames
        // come about 0.5 s after the source's, so 3 s is a dead encoder. 48 MiB are 15 s at 25 Mbit/s.
        Self { late_us: 2_000_000, opening_us: 3_000_000, queue_bytes: 48 << 20 }
    }
}
