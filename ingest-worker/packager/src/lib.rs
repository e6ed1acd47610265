//! Packaging: frames in, log records, segment bundles and playlists out.
//!
//! [`Packager::handle`] takes what happens and the time it happened at; then [`Packager::poll`] says what is to be written,
//! until it says nothing. The same inputs give the same bytes.
//!
//! In scope: exact media time, where parts and segments end, the order in which objects are written, when they expire.
//! Out of scope: ffmpeg, RTMP, S3, retries, clocks: time is an argument.
//!
//! Invariant: every frame is in exactly one part, or an event says why it is in none; nothing is listed before what it
//! refers to was given out, and no wait or queue is without a bound.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod audio_cutter;
mod clock;
mod config;
mod cutter;
mod grid;
mod input;
mod opening;
mod output;
mod packager;
mod period;
mod plan;
mod playlist;
mod rate;
mod retention;
mod track;
mod writer;

pub use clock::Unwrap;
pub use config::{Config, Limits, RenditionConfig};
pub use input::{Frame, Input};
pub use output::{Condition, DropReason, Event, Lane, Output, Put};
pub use packager::{Error, Packager};
