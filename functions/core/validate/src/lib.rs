//! Rules for HLS, low latency above all, and what to ask a server to see whether it keeps them.
//!
//! In scope: the rules ([`rules`]), reading playlists with every fault in its line ([`read()`]), and a [`Validator`] that says which
//! requests to make when, and judges what comes back: [`Validator::poll`] gives probes and findings, [`Validator::handle`] takes
//! observations.
//! Out of scope: HTTP, clocks, how findings are shown.
//!
//! Invariant: whatever a server sends, reading and judging neither panic nor hold more than stated bounds.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod check;
mod finding;
mod plan;
mod probe;
pub mod read;
mod rule;
pub mod rules;

use alloc::vec::Vec;

pub use finding::Finding;
pub use plan::{Config, Mode, Output, RenditionSummary, Report, Validator};
pub use probe::{Answer, Failure, Method, Observation, Probe, ProbeId};
pub use read::{Fault, Playlist, read};
pub use rule::{Level, Rule, Section, Severity, rule};

/// Everything that a text alone tells: what is wrong with a playlist, line by line.
#[must_use]
pub fn check_text(bytes: &[u8]) -> Vec<Fault> {
    let (playlist, faults) = read(bytes);
    let mut faults = read::Faults(faults);
    match &playlist {
        Some(Playlist::Multivariant(list)) => check::multivariant(list, &mut faults),
        Some(Playlist::Media(list)) => {
            check::media(list, &mut faults);
            check::low_latency(list, &mut faults);
        }
        None => {}
    }
    faults.0.sort_by_key(|fault| fault.line);
    faults.0
}
