//! Packaging: frames in, log records, segment bundles and playlists out.
//!
//! [`Packager::handle`] takes what happens and the time it happened at; then [`Packager::poll`] says what is to be written,
//! until it says nothing. The same inputs give the same bytes.
//!
//! ```
//! use tidegate_packager::{Config, Frame, Input, Output, Packager, RenditionConfig};
//! use tidegate_stream::{RenditionId, RenditionKind, SessionId, StreamId};
//!
//! let audio = RenditionConfig { id: RenditionId::parse("audio")?, kind: RenditionKind::Audio, bandwidth_bps: 128_000 };
//! let session = SessionId::new(1_790_000_000_000, 1);
//! let mut packager = Packager::new(Config::new(StreamId::parse("radio")?, session, vec![audio]));
//! let aac = tidegate_cmaf::CodecConfig::aac(&[0x11, 0x90])?;
//! packager.handle(0, Input::Config { rendition: 0, config: aac })?;
//! for n in 0..24 {
//!     let frame = Frame { dts_ms: n * 1024 / 48, cts_ms: 0, sync: true, data: vec![0; 300] };
//!     packager.handle(n * 21_333, Input::Frame { rendition: 0, frame })?;
//! }
//! let puts = std::iter::from_fn(|| packager.poll()).filter(|output| matches!(output, Output::Put(_)));
//! assert_eq!(puts.count(), 4, "an init segment, the empty head, record 0 and `current`");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In scope: exact media time, where parts and segments end, the order in which objects are written, when they expire.
//! Out of scope: ffmpeg, RTMP, S3, retries, clocks: time is an argument.
//!
//! Invariant: every frame is in exactly one part, or an event says why it is in none; nothing is listed before what it
//! refers to was given out, and no wait or queue is without a bound.
//!
//! Media time is one line over a session: it starts at 1 s (so that audio may begin a little before the first picture) and a
//! new period goes on where the one before it ended.
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
mod joint;
mod message;
mod opening;
mod output;
mod packager;
mod period;
mod plan;
mod playlist;
mod rate;
mod retention;
mod track;
mod twin;
mod writer;

pub use clock::{Unwrap, is_jump, steps_period};
pub use config::{Config, Limits, RenditionConfig};
pub use input::{Frame, Input};
pub use output::{Condition, DropReason, Event, Lane, Output, Put};
pub use packager::{Error, Packager};
pub use twin::{Found, Role, SLATE_CLASS, Twin, TwinConfig, TwinInput, TwinOutput, slate_event};
