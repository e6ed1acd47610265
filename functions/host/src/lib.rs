#![allow(clippy::disallowed_methods, reason = "a shell: it reads the clock, files and the network for the functions")]
//! The edge host: runs the functions component on wasmtime and moves bytes.
//!
//! In scope: viewers' connections; identical requests, asked once; answers kept as their Cache-Control says; requests parked
//! until an object exists; objects read once, kept, sent in pieces and written; foreign addresses, guarded; the bounds of all that.
//! Out of scope: what a request means, what an object means: that is the component's.
//!
//! Invariant: whatever a viewer, the component or the upstream does, the cost is bounded by [`Limits`], and a failure is the
//! answer to those requests that met it, not to others.
mod addresses;
mod answer;
mod body;
mod coding;
mod config;
mod front;
mod gathered;
mod geo;
mod guest;
mod health;
mod heard;
mod hops;
mod host;
mod lru;
mod metrics;
mod objects;
mod range;
mod raw;
mod reload;
mod reports;
mod request;
mod request_id;
mod shared;
mod shield;
mod statics;
mod tls;
mod urgency;
mod wire;

pub use config::{Config, Limits, PreferWait, Upstream};
pub use geo::GeoError;
pub use guest::{ImportError, check_imports};
pub use health::ask_health;
pub use host::{Host, HostError};
pub use metrics::Metrics;
pub use objects::{FetchError, Object, ObjectKey, Objects, Watched};
pub use raw::RawLines;
pub use reload::Reload;
pub use statics::Statics;
pub use tls::{Tls, TlsError};
