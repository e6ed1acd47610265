//! HLS playlists: rendered from the timeline, and read.
//!
//! In scope: the text of multivariant and media playlists, live with parts, as deltas, as clips, of key frames alone, and as ordinary
//! HLS over byte ranges of the bucket's objects ([`media`], [`i_frames`], [`multivariant`], [`static_media`]); what a client asks for
//! in its query ([`Directives`], [`Stretch`]); and the way back for players and checks ([`read`]).
//! Out of scope: HTTP, when a playlist is due, where bytes lie beyond their relative addresses.
//!
//! Invariant: what is rendered as of a part depends on the log up to that part alone, so every edge gives the same bytes; and no
//! text makes the reader panic or hold more than its stated bounds.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod bucket;
mod calendar;
mod clip;
mod clock;
mod daterange;
mod directives;
mod i_frames;
mod line;
mod listing;
mod media;
mod multivariant;
pub mod read;
#[cfg(test)]
mod sample;
mod segment;
pub mod uri;

pub use bucket::{static_i_frames, static_media, static_multivariant};
pub use clip::{Clip, Moment, Shown, Stretch, StretchError};
pub use directives::{DirectiveError, Directives, Skip};
pub use i_frames::i_frames;
pub use listing::{Reach, View};
pub use media::media;
pub use multivariant::{Description, MultivariantOptions, multivariant};
pub use segment::InitSizes;

#[cfg(test)]
mod tests;
