//! What goes into a decision and what comes out, with the reasons.

use alloc::vec::Vec;

/// Transfers taken in between two decisions; later ones are dropped. A segment of parts has at most about ten.
pub const SAMPLES_PER_DECISION: usize = 64;

/// One finished or aborted transfer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Bits that arrived.
    pub bits: f64,
    /// Seconds from the request to the first byte.
    pub ttfb_s: f64,
    /// Seconds from the first to the last byte: at the live edge the wait for the media is not in it.
    pub transfer_s: f64,
    /// The rendition it belongs to.
    pub rendition: usize,
    /// Media that became playable by it, in seconds; 0 for an aborted transfer.
    pub media_s: f64,
}

/// Where playback stands before a segment is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State<'a> {
    /// Media ahead of the playhead, in seconds.
    pub buffer_s: f64,
    /// Distance to live, when live and known.
    pub latency_s: Option<f64>,
    /// Playback speed.
    pub rate: f64,
    /// Rendition of the segment before.
    pub last: Option<usize>,
    /// Whether the picture moves.
    pub playing: bool,
    /// Whether it ever moved.
    pub started: bool,
    /// Sizes in bits of the next segments where a playlist announces them: segment after segment, each with one entry per rung.
    pub upcoming_bits: &'a [f64],
}

impl Default for State<'_> {
    fn default() -> Self {
        Self { buffer_s: 0.0, latency_s: None, rate: 1.0, last: None, playing: false, started: false, upcoming_bits: &[] }
    }
}

/// A segment that is being loaded, a quarter of a second after the last look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress<'a> {
    /// Where playback stands.
    pub state: State<'a>,
    /// The rendition that is being loaded.
    pub rendition: usize,
    /// Seconds since the request of the chunk that is being loaded.
    pub chunk_elapsed_s: f64,
    /// Seconds since its first byte, where the caller knows; else they are guessed from the round trip and the live edge.
    pub chunk_transfer_s: Option<f64>,
    /// Bits of this segment that have arrived.
    pub segment_loaded_bits: f64,
    /// Bits of this chunk that have arrived.
    pub chunk_loaded_bits: f64,
    /// Bits of this chunk in all, when the answer's head said so; 0 when not known.
    pub chunk_bits: f64,
    /// Index of the chunk in its segment.
    pub chunk: usize,
    /// Chunks of this segment that are playable.
    pub buffered_chunks: usize,
    /// The request brings the whole segment, also where segments have parts.
    pub whole: bool,
}

/// The choice and why it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The rendition to load.
    pub rendition: usize,
    /// The reasons.
    pub why: Why,
}

/// The reasons of a choice, for a panel, a log, a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// Which rule chose.
    pub rule: Rule,
    /// Median forecast in bits per second over the regimes by weight; 0 before the first sample.
    pub forecast_bps: f64,
    /// What each regime believes.
    pub regimes: [RegimeView; crate::parameters::REGIMES],
    /// Every rung with its value; empty unless the planner chose.
    pub alternatives: Vec<Alternative>,
}

/// Which rule made a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing is known: the lowest rung.
    First,
    /// The tables are not ready: SODA.
    Soda,
    /// The planner.
    Value,
}

/// One regime of the mixture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RegimeView {
    /// Its weight, 0 to 1; all weights add up to 1.
    pub weight: f64,
    /// Its forecast in bits per second.
    pub forecast_bps: f64,
    /// Mean error of its forecasts, as a natural logarithm.
    pub spread: f64,
}

/// One rung as the planner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Alternative {
    /// Value in segments of full quality: what this choice and the best choices after it are worth.
    pub value: f64,
    /// Quality of the rung, 0 to 1.
    pub utility: f64,
    /// Price of changing to it.
    pub change: f64,
    /// Seconds of stall expected, the safety margin counted in.
    pub stall_s: f64,
}

/// A request that is worth giving up.
#[derive(Debug, Clone, PartialEq)]
pub struct Abandon {
    /// The rendition to load this segment in, from its first chunk.
    pub rendition: usize,
    /// Value of going on.
    pub value_running: f64,
    /// Value of starting again.
    pub value_restart: f64,
}
