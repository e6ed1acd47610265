use alloc::vec::Vec;

use tidegate_cmaf::CodecConfig;
use tidegate_stream::Event;

/// One encoded frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Decode time in ms, unwrapped to 64 bits (see [`crate::Unwrap`]).
    pub dts_ms: i64,
    /// Presentation time minus decode time in ms.
    pub cts_ms: i32,
    /// Whether decoding can start here.
    pub sync: bool,
    /// As MP4 stores it: NAL units with their lengths before them, raw AAC.
    pub data: Vec<u8>,
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The codec configuration of the frames of this rendition from here on. A new one takes effect at a key frame and opens
    /// a new period; the same one again changes nothing.
    Config {
        /// Place of the rendition in [`crate::Config::renditions`].
        rendition: usize,
        /// The configuration.
        config: CodecConfig,
    },
    /// The next frame, in decode order.
    Frame {
        /// Place of the rendition in [`crate::Config::renditions`].
        rendition: usize,
        /// The frame.
        frame: Frame,
    },
    /// What follows has a new clock and starts a new period. Configurations stay known until new ones come, and renditions
    /// stay absent until a configuration comes for them.
    Discontinuity,
    /// The source has no such track; nothing waits for it. A configuration takes this back.
    Absent {
        /// Place of the rendition in [`crate::Config::renditions`].
        rendition: usize,
    },
    /// What was known of this track is void, since what follows is made by somebody else: the next period waits for a new
    /// configuration. Comes right after [`Input::Discontinuity`].
    Forget {
        /// Place of the rendition in [`crate::Config::renditions`].
        rendition: usize,
    },
    /// Something is to be announced with the next part.
    Announce(Event),
    /// Only time passed. Needed a few times per second while a rendition may be late.
    Tick,
    /// The session is over.
    End,
}
