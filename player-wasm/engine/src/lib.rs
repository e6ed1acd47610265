//! The player's decisions: what to load, append, seek, and at which speed to play.
//!
//! In scope: following playlists, the order of requests and appends, mapping periods to presentation time, the choice of a
//! rung, latency, holes, retries. Out of scope: fetching, the DOM, media bytes (only the head of a fragment is looked at),
//! how playlists are written (`tidegate-hls`).
//!
//! Invariant: the same inputs at the same times give the same outputs; no input panics, however wrong it is.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod chooser;
mod config;
mod engine;
mod follower;
mod fragment;
mod input;
mod ladder;
mod lane;
mod latency;
mod output;
mod playback;
mod playlist;
mod presentation;
mod ranges;
mod read;
mod schedule;
mod shared;
mod source;
mod stats;
mod text;
mod tracks;
mod transfers;

pub use chooser::Choice;
pub use config::Config;
pub use engine::Engine;
pub use input::{AppendFailure, Input, Playhead, Timing, Track};
pub use output::{Event, Key, MediaKind, Output, Reason};
pub use stats::Stats;
pub use tidegate_abr::{Abandon, Alternative, RegimeView, Rule, Why};
pub use tracks::{Choosable, Level};

use tidegate_hls::uri;

/// How many bytes of an arrived file the engine looks at: the boxes before the media of a fragment of 10 s fit.
pub const HEAD_BYTES: usize = 16_384;
