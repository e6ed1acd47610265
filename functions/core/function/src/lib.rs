//! The words between functions and the hosts that run them.
//!
//! A function is pure. Its [`Job`] takes a [`Request`] and is then driven: `poll(&mut state, &world)` says what comes next as an
//! [`Output`]; whatever is not an [`Answer`] is done by the host, and what came of it goes to `handle(&mut state, &world, input)`.
//! Time and randomness come in the [`World`]; there is no other way to get at them.
//!
//! Where a component is between them, the same goes through one function of bytes: a [`Turn`] in, what [`Said`] reads out.
//!
//! In scope: the types of that conversation. Out of scope: what any function does (`functions/manifest`, `functions/metadata`, …)
//! and how a host carries it out (`functions/spin`, `functions/host`, `functions/lambda`).
//!
//! Invariant: nothing here knows a host, and nothing here knows a playlist.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod answer;
mod cmcd;
mod job;
mod output;
mod range;
mod request;
mod turn;

pub use answer::{Answer, Header, Piece};
pub use cmcd::{cmcd, without_cmcd};
pub use job::Job;
pub use output::{Condition, Fetched, Input, Loaded, Output, Stored};
pub use range::{Ranged, number};
pub use request::{Reach, Request, Waited, World};
pub use turn::{HOPS, REPORTS, Said, TURNS, Turn};
