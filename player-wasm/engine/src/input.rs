use alloc::{string::String, vec::Vec};

/// What the engine is told. Times are ms of one steady clock; presentation times are s of the media element.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Play what is at this absolute address.
    Load {
        /// A multivariant or media playlist.
        url: String,
    },
    /// A playlist arrived.
    PlaylistLoaded {
        /// The request.
        id: u32,
        /// Its address after redirects.
        url: String,
        /// The whole playlist.
        text: String,
    },
    /// An init segment, a segment or a part arrived; its bytes stay outside.
    MediaLoaded {
        /// The request.
        id: u32,
        /// Size of the body.
        bytes: u64,
        /// The first bytes of it, [`crate::HEAD_BYTES`] at most.
        head: Vec<u8>,
        /// How long it took.
        timing: Timing,
    },
    /// A request for media runs; to be given every 100 to 250 ms.
    Progress {
        /// The request.
        id: u32,
        /// What has come of the body.
        bytes: u64,
        /// Size of the body, where the answer's head says it.
        total: Option<u64>,
        /// The time until now as the total, and until the first byte where one has come.
        timing: Timing,
    },
    /// A request failed.
    Failed {
        /// The request.
        id: u32,
        /// HTTP status; 0 where there was no answer.
        status: u16,
    },
    /// The source buffers of [`crate::Output::OpenTracks`] are there.
    Opened,
    /// The browser cannot play what [`crate::Output::OpenTracks`] named.
    OpenFailed,
    /// The last append or removal of a track is done.
    Appended {
        /// The track.
        track: Track,
    },
    /// An append was refused.
    AppendFailed {
        /// The track.
        track: Track,
        /// Why.
        reason: AppendFailure,
    },
    /// What a track's source buffer holds, as pairs of start and end, in order.
    Buffered {
        /// The track.
        track: Track,
        /// Start and end in s.
        ranges: Vec<(f64, f64)>,
    },
    /// Where the media element is.
    Playhead(Playhead),
    /// The viewer moved the playhead.
    Sought {
        /// To this presentation time, in s.
        to_s: f64,
    },
    /// The viewer wants to be at the live edge.
    GoLive,
    /// The viewer wants one rung, or leaves it to the policy.
    Pin {
        /// 0 is the lowest.
        rung: Option<usize>,
    },
    /// The viewer wants other sound.
    Sound {
        /// Its place in [`crate::Engine::sounds`].
        at: usize,
    },
    /// The viewer wants captions, or none.
    Text {
        /// Their place in [`crate::Engine::texts`].
        at: Option<usize>,
    },
    /// What a server says of the way to this viewer (CMSD), in bit/s.
    Advised {
        /// What it expects to carry; chooses the first rung where nothing else is known.
        expected_bps: Option<f64>,
        /// No rung above this is to be asked for, unless the viewer wants it.
        most_bps: Option<f64>,
    },
    /// Time has passed; to be given at least every 250 ms.
    Tick,
}

/// When the first and the last byte of a response came, in ms after the request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Timing {
    /// First byte of the body.
    pub ttfb_ms: f64,
    /// Last byte of the body.
    pub total_ms: f64,
}

/// A track of the media element.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Track {
    /// Pictures, or pictures and sound in one.
    Video,
    /// Sound.
    Audio,
    /// Captions, as WebVTT.
    Text,
}

/// Why an append was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendFailure {
    /// The source buffer is full.
    Quota,
    /// The bytes cannot be decoded.
    Decode,
}

/// The state of the media element.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Playhead {
    /// `currentTime` in s.
    pub time_s: f64,
    /// It does not play because nobody asked it to.
    pub paused: bool,
    /// A seek is under way.
    pub seeking: bool,
    /// It has no data to go on (`readyState` below `HAVE_FUTURE_DATA`).
    pub waiting: bool,
    /// It has played everything.
    pub ended: bool,
}
