//! The manifest function: a viewer's request in, an answer or the next thing to fetch out.
//!
//! An adapter makes a [`Job`] from a [`Request`] and then repeats: [`Job::poll`]; on [`Output::Fetch`] it reads that object and gives
//! the outcome to [`Job::handle`]; on [`Output::Answer`] it is done. All jobs of an instance share one [`State`], which only saves
//! fetches: with a fresh one the answers are the same.
//!
//! In scope: which answer a request gets, with status, headers and body, or with the ranges of objects that make up the body.
//! Out of scope: connections, compression, waiting, which host runs it; how playlists look (`tidegate-hls`); what to read next and
//! what a request waits for (`tidegate-edge`).
//!
//! Invariant: nothing that a client sends makes an answer of 500 or above, and everything kept has a bound.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod decide;
mod job;
mod request;
mod state;

pub use answer::{Answer, Header, Piece};
pub use job::{Fetched, Job, Output};
pub use request::{Request, Waited};
pub use state::State;

#[cfg(test)]
mod tests;
