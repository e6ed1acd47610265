//! The manifest function: a viewer's request in, an answer or the next thing to fetch out.
//!
//! An adapter makes a [`Job`] from a [`Request`](tidegate_function::Request) and drives it as `tidegate-function` says. The only
//! things that a job asks for are objects. All jobs of an instance share one [`State`].
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
mod state;

pub use job::Job;
pub use state::State;

#[cfg(test)]
mod tests;
