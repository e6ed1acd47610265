#![allow(clippy::disallowed_methods, reason = "a shell: it has the clock, the environment, files, sockets and threads")]
//! The ingest and transcode worker: a live source in, a log of objects in the bucket out.
//!
//! accept → transcode → package → store, for each stream by itself:
//!
//! - **accept** (`source`): RTMP pushes, SRT calls and pulled inputs become FLV tags; who may publish what is decided here.
//! - **transcode** (`transcode`): one ffmpeg encodes the rungs of the ladder; the source itself is passed through.
//! - **package** (`tidegate-packager`, driven by `session`): frames become records, segments, playlists.
//! - **store** (`store`): objects become durable, in the order that readers rely on.
//!
//! In scope: sockets, processes, retries, what a publisher is told. Out of scope: how playlists look, who watches.
//!
//! Invariant: whatever a publisher, an ffmpeg or the store does, no other stream notices, and every queue has a bound.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod announce;
mod body;
mod compact;
mod config;
mod cues;
mod flv;
mod health;
mod hints;
mod ladder;
mod metrics;
mod rate;
mod report;
mod rules;
mod session;
mod slate;
mod source;
pub mod store;
mod transcode;
mod twin;
mod worker;

pub use compact::compact;
pub use config::{
    Config, ConfigError, Encoder, MetricsConfig, MirrorConfig, Mode, PackageConfig, SlateConfig, StoreConfig, TranscodeConfig, TwinConfig,
};
pub use health::ask_health;
pub use ladder::Rung;
pub use metrics::{Metrics, StreamMetrics, Times};
pub use report::report;
pub use source::{KeyError, Passphrase, Pull, PullError, RtmpConfig, SrtError, SrtPort, create_stream_key};
pub use transcode::{Ffmpeg, FfmpegError};
pub use worker::{Worker, WorkerError};
