//! Lines of players' reports as they came, for engines that answer what windows cannot.
//!
//! A [`Posted`] report becomes [rows](Posted::rows), one JSON object for each line; a [`Queue`] holds them until whoever takes them has
//! taken them, and says when to send which; [`record`] is what Amazon Data Firehose wants to be posted.
//!
//! In scope: the shape of rows, batches, how long and how often, what is lost. Out of scope: HTTP, signatures, what a line means.
//!
//! Invariant: whatever players say, a row is one line of JSON, and what waits has a bound.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod firehose;
mod posted;
mod queue;

pub use firehose::{RECORD_HEADERS, record, refuses};
pub use posted::Posted;
pub use queue::{Batch, Input, Output, Queue};
