#![allow(clippy::disallowed_methods, reason = "a shell: it starts processes and reads the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures: what fails ends it, what it prints is the result"
)]
//! What the programs of `tests/benches` share: a platform in a process of its own, a source, a viewer, and how a figure is
//! printed beside its bar. Links nothing of the platform: what is measured is what runs.

mod clip;
mod figure;
mod up;
mod viewer;
mod worker;

pub use clip::{Clip, clip, flv_tag};
pub use figure::{Figure, percentile, print};
pub use up::{Up, free_port, program};
pub use viewer::{Part, View, follow};
pub use worker::{Look, Worker};

/// Bytes of a MiB.
pub const MIB: f64 = (1 << 20) as f64;
