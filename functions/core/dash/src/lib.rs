//! DASH presentations, rendered from the timeline.
//!
//! In scope: the MPD of a session, live, as a recording or a stretch of it ([`mpd`]): whole segments over the whole window, or the
//! newest segments by their parts (segment sequences of ISO/IEC 23009-1, 5.3.9.7), which are the parts of the HLS playlists under the
//! same addresses. Out of scope: HTTP, when an MPD is due, HLS.
//!
//! Invariant: an MPD depends on the timeline alone, and what one says of a segment the next ones say too.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod events;
mod mpd;
mod set;
mod xml;

pub use mpd::{Clip, Options, mpd};
pub use set::{part_place, segment_place};

#[cfg(test)]
mod tests;
