//! HLS playlists: rendered from the timeline, and read.
//!
//! In scope: the text of multivariant and media playlists, live with parts, as deltas, and as ordinary HLS over byte ranges of the
//! bucket's objects ([`media`], [`multivariant`], [`static_media`]); and the way back for players and checks ([`read`]).
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
mod clock;
mod directives;
mod line;
mod media;
mod multivariant;
pub mod read;
#[cfg(test)]
mod sample;
mod segment;
pub mod uri;

pub use bucket::{static_media, static_multivariant};
pub use directives::{DirectiveError, Directives, Skip};
pub use media::media;
pub use multivariant::{MultivariantOptions, multivariant};

#[cfg(test)]
mod tests;
