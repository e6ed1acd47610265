//! What a session is: its ladder, its segments, how far behind live it may be.

use alloc::vec::Vec;

use crate::{number::bounded, parameters::Parameters};

/// More rungs than this are cut off from the top; ladders in use have four to eight.
pub const MAX_RUNGS: usize = 16;

/// Parts of a segment that the planner tells apart; a finer cut is planned as this many.
pub(crate) const MAX_PARTS: usize = 8;

/// What the rule needs to know before the first decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Average rates of the renditions in bits per second, lowest first.
    pub ladder_bps: Vec<f64>,
    /// Length of a segment in seconds; the rendition can change at its start only.
    pub segment_s: f64,
    /// Length of what one request brings, in seconds: a part, or the whole segment.
    pub chunk_s: f64,
    /// Whether segments come into being while they are played.
    pub live: bool,
    /// Distance to live that playback aims at, in seconds; only used when live.
    pub target_latency_s: f64,
    /// Most media that may be buffered, in seconds.
    pub max_buffer_s: f64,
    /// Speeds that catch-up may choose.
    pub catch_up: CatchUp,
    /// Round trip that is assumed until one was measured, in seconds.
    pub rtt_s: f64,
    /// Numbers to plan with in place of the mode's own, for fitting them.
    pub parameters: Option<&'static Parameters>,
}

/// The bounds of the playback speed; 1 and 1 mean that it never changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CatchUp {
    /// Lowest speed.
    pub min: f64,
    /// Highest speed.
    pub max: f64,
}

/// Which of the three planners a session gets; each has its own fitted parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Segments are there before they are asked for; the buffer is the only limit.
    Vod,
    /// Whole segments, each once it is complete.
    Live,
    /// Segments are loaded part by part while they are made.
    LowLatency,
}

impl Config {
    /// Recorded media in 2 s segments with a buffer of at most 20 s.
    pub fn vod() -> Self {
        Self {
            ladder_bps: Vec::new(),
            segment_s: 2.0,
            chunk_s: 2.0,
            live: false,
            target_latency_s: 0.0,
            max_buffer_s: 20.0,
            catch_up: CatchUp { min: 1.0, max: 1.0 },
            rtt_s: DEFAULT_RTT_S,
            parameters: None,
        }
    }

    /// Live in 2 s segments, 8 s behind the encoder.
    pub fn live() -> Self {
        Self { live: true, target_latency_s: 8.0, max_buffer_s: 8.0, catch_up: CatchUp { min: 0.95, max: 1.05 }, ..Self::vod() }
    }

    /// Live in 2 s segments of 0.5 s parts, 2.5 s behind the encoder.
    pub fn low_latency() -> Self {
        Self {
            live: true,
            chunk_s: 0.5,
            target_latency_s: 2.5,
            max_buffer_s: 2.4,
            catch_up: CatchUp { min: 0.92, max: 1.08 },
            ..Self::vod()
        }
    }

    /// Which planner this session gets.
    pub fn mode(&self) -> Mode {
        match (self.live, self.chunk_s < 0.75 * self.segment_s) {
            (false, _) => Mode::Vod,
            (true, false) => Mode::Live,
            (true, true) => Mode::LowLatency,
        }
    }

    /// The same with every number in the range that the planner can work with; the ladder keeps its order.
    pub(crate) fn sane(mut self) -> Self {
        for rate in &mut self.ladder_bps {
            *rate = bounded(*rate, 8e3, 1e9);
        }
        self.ladder_bps.truncate(MAX_RUNGS);
        if self.ladder_bps.is_empty() {
            self.ladder_bps.push(1e6);
        }
        self.segment_s = bounded(self.segment_s, 0.2, 30.0);
        self.chunk_s = bounded(self.chunk_s, self.segment_s / MAX_PARTS as f64, self.segment_s);
        self.target_latency_s = bounded(self.target_latency_s, self.segment_s * 0.5, 120.0);
        self.max_buffer_s = bounded(self.max_buffer_s, self.segment_s, 600.0);
        self.catch_up.min = bounded(self.catch_up.min, 0.25, 1.0);
        self.catch_up.max = bounded(self.catch_up.max, 1.0, 4.0);
        self.rtt_s = bounded(self.rtt_s, 0.001, 2.0);
        self
    }

    pub(crate) fn parameters(&self) -> &'static Parameters {
        self.parameters.unwrap_or_else(|| Parameters::of(self.mode()))
    }

    pub(crate) fn parts(&self) -> usize {
        ((self.segment_s / self.chunk_s + 0.5) as usize).clamp(1, MAX_PARTS)
    }

    /// Seconds from the end of a chunk's media to its first byte being there for viewers, as the planner counts on it: encoding
    /// and publishing took this long in the live settings that the parameters were fitted to.
    pub fn publish_s(&self) -> f64 {
        match self.mode() {
            Mode::Vod => 0.0,
            Mode::Live => 0.4,
            Mode::LowLatency => 0.1,
        }
    }

    /// Least distance between live and the end of the buffer at the moment of a decision.
    pub fn edge_s(&self) -> f64 {
        match self.mode() {
            Mode::Vod => 0.0,
            Mode::Live => self.segment_s + self.publish_s(),
            Mode::LowLatency => self.publish_s(),
        }
    }
}

const DEFAULT_RTT_S: f64 = 0.04;
