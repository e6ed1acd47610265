//! CMAF boxes: init segments and chunks, written and read.
//!
//! ```
//! use tidegate_cmaf::{CodecConfig, ChunkHead, Sample, read_chunk, read_init, write_chunk, write_init};
//!
//! let aac = CodecConfig::aac(&[0x11, 0x90])?;
//! assert_eq!(aac.codec(), "mp4a.40.2");
//! let init = write_init(&aac, 48_000);
//! assert_eq!(read_init(&init)?.timescale, 48_000);
//!
//! let samples = [Sample { duration: 1024, cts: 0, sync: true, data: b"one frame" }];
//! let chunk = write_chunk(&ChunkHead { sequence: 1, decode_time: 48_000, utc_us: None }, &samples)?;
//! assert_eq!(read_chunk(&chunk, &read_init(&init)?.defaults)?.samples, samples);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In scope: ISO BMFF as CMAF uses it, one track in each file, and the codec configurations that its sample entries carry.
//! Out of scope: when a chunk or a segment ends (`tidegate-packager`), encryption, edit lists.
//!
//! Invariant: whatever bytes are read, reading returns an error; it never panics and never allocates by a size that the
//! bytes only claim.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod aac;
mod avc;
mod bits;
mod chunk;
mod config;
mod emsg;
mod init;
mod nal;
mod read;
mod read_chunk;
mod read_init;
mod source_time;
mod write;

#[cfg(test)]
mod tests;

pub use aac::Aac;
pub use avc::Avc;
pub use chunk::{ChunkError, ChunkHead, Sample, write_chunk, write_gap};
pub use config::{CodecConfig, ConfigError};
pub use emsg::{EMSG_ID3, EventMessage, id3_text, write_event_message};
pub use init::write_init;
pub use nal::{Kept, Pictures, is_idr};
pub use read::{Boxes, Mp4Box, ReadError};
pub use read_chunk::{Chunk, Defaults, ProducerTime, SAMPLES_MAX, read_chunk, read_chunks};
pub use read_init::{Init, TrackHead, read_init, read_track_head};
pub use source_time::{SourceTime, source_time};
