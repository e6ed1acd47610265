use alloc::vec::Vec;

use tidegate_stream::{FrameRate, Key, Msn, PartIndex};

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Write an object.
    Put(Put),
    /// Delete objects, once all [`Lane::Index`] puts before this are durable. Best effort: a lifecycle rule is the safety net.
    Delete(Vec<Key>),
    /// Something for the log.
    Event(Event),
}

/// One object to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Where.
    pub key: Key,
    /// What.
    pub bytes: Vec<u8>,
    /// On which condition.
    pub condition: Condition,
    /// In which order.
    pub lane: Lane,
    /// Whether every earlier put of both lanes must be durable before this one is sent. Later puts of the other lane do not
    /// wait for it.
    pub barrier: bool,
}

/// The condition of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Only where nothing is (`If-None-Match: *`); else somebody else writes this session.
    Absent,
    /// Whatever is there is replaced; this packager is its only writer.
    Replace,
    /// Only where the object is what it was when it was last read; else somebody else has begun a session.
    Claim,
}

/// Puts of different lanes do not wait for each other unless a barrier says so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lane {
    /// Init segments and records: what latency hangs on. Sent in order, several at a time.
    Log,
    /// Everything else, strictly one after another.
    Index,
}

/// Something for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A period begins: its frame rate, `None` where it varies (or there is no video).
    PeriodOpened {
        /// Its first segment.
        msn: Msn,
        /// Its constant frame rate.
        frame_rate: Option<FrameRate>,
    },
    /// No configuration came in time; the period begins without this rendition.
    TrackMissing {
        /// The rendition.
        rendition: usize,
    },
    /// A part is in the record that comes next.
    PartReady {
        /// The segment.
        msn: Msn,
        /// The part.
        part: PartIndex,
        /// Since the lead's last frame of it came, in us: what it waited for the other renditions.
        after_us: i64,
    },
    /// A rendition was too late for this part, which is a gap for it. Nothing waits for it until it has caught up.
    TrackLate {
        /// The rendition.
        rendition: usize,
        /// The segment.
        msn: Msn,
        /// The part.
        part: PartIndex,
    },
    /// A rendition that was late has caught up.
    TrackBack {
        /// The rendition.
        rendition: usize,
    },
    /// A segment of this rendition does not start with a sync frame at the time of the lead's.
    SegmentNotSync {
        /// The rendition.
        rendition: usize,
        /// The segment.
        msn: Msn,
    },
    /// The segment got longer than EXT-X-TARGETDURATION allows, since no key frame came. Said once.
    GopTooLong {
        /// How long it was then, in ms.
        ms: i64,
    },
    /// The timestamps of the lead jumped; a new period begins.
    Jump {
        /// The last timestamp before, in ms.
        from_ms: i64,
        /// The first one after, in ms.
        to_ms: i64,
    },
    /// A frame is not in any part.
    FrameDropped {
        /// The rendition.
        rendition: usize,
        /// Its decode time in ms, as it came.
        dts_ms: i64,
        /// Why.
        why: DropReason,
    },
    /// PROGRAM-DATE-TIME was corrected, since the source's clock drifts from ours, or what it sends comes later than before
    /// ([`crate::steps_period`]).
    ClockStep {
        /// By how much, in us.
        by_us: i64,
    },
}

/// Why a frame is not in any part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DropReason {
    /// Decoding cannot start before the first sync frame of a period, or after a gap.
    NotSync,
    /// It is from before the start of the period.
    BeforeStart,
    /// Its part has been written without it.
    Late,
    /// Audio overlaps: its time is taken by the frames before it.
    Overlap,
    /// Its timestamp is far from those of the lead, or impossible.
    Stray,
    /// Its configuration came within a segment of the lead; it takes effect with the next one.
    Reconfigured,
    /// It goes on after the end of the video at the end of a period.
    PastEnd,
    /// No codec configuration came before it.
    NoConfig,
    /// More waits than [`crate::Limits::queue_bytes`] allows, or the frame is empty.
    Size,
}
