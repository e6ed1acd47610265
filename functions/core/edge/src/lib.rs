//! Following the log: which object to read next, and what a viewer's request waits for.
//!
//! [`Pointer`] finds the newest session of a stream, [`Follower`] reads one session's log into a timeline, [`Wanted`] is what a
//! blocking playlist request asks for, and [`gate`] says whether the timeline can answer it.
//!
//! In scope: the order of reads, how long knowledge stays fresh, the rules of blocking reload (draft-pantos-hls-rfc8216bis,
//! 6.2.5.2). Out of scope: HLS text, HTTP, any I/O: the next thing to fetch is a return value, time is an argument.
//!
//! Invariant: an answer only ever depends on objects that were read, and a follower asks for one object at a time.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod follower;
mod gate;
mod pointer;

pub use follower::{Fetched, Follower, Need};
pub use gate::{Refusal, Verdict, Wait, Wanted, gate};
pub use pointer::{Named, Pointer};
