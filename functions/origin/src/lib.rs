//! The origin function: playlists of other origins, fetched within limits and rewritten, and the steering of their viewers.
//!
//! `/origin/<name>/<file>` is the file at the base address of `meta/origins/<name>.json` ([`Document`]), rewritten as that document
//! says; `/steer/<name>` is where players ask which way to take. What no document allows is not fetched.
//!
//! In scope: which URL is fetched, redirects, limits, what becomes of an origin's failures, what caches may keep. Out of scope: how a
//! playlist is rewritten (`tidegate-rewrite`), who may watch (`tidegate-access`), connections, resolving names, decoding.
//!
//! Invariants: nothing is loaded from an address that the document does not name; nothing that is not a playlist is passed on.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod address;
mod answer;
mod document;
mod job;
mod places;
mod state;
mod viewer;

pub use document::{BadDocument, Document, Lead, Steering};
pub use job::Job;
pub use state::State;

#[cfg(test)]
mod tests;
