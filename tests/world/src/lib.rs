#![allow(clippy::indexing_slicing, reason = "a simulation that breaks its own rules has to stop the test")]
//! The whole path in virtual time, by seed: an encoder, two workers that may each own the log, a store behind a network that
//! loses, delays and refuses, two edges, and viewers. All decisions are those of the product: `tidegate-packager` with its twin
//! machine, `tidegate-manifest`, `tidegate-engine`; the shells are models.
//!
//! `cargo run -p tidegate-world -- --seeds 10000` plays so many worlds; a seed that fails prints the command that plays it again.
//!
//! In scope: what holds whatever fails and in whatever order. Out of scope: real sockets, processes, and encoders
//! (`tests/integration`), and the quality of ABR (`tests/sim`).

pub mod auditor;
pub mod edge;
pub mod plan;
pub mod random;
pub mod rules;
pub mod source;
pub mod store;
pub mod viewer;
pub mod worker;
mod world;

pub use plan::{Event, Mode, Plan};
pub use world::{Report, play};
