//! The analytics function: takes what players report.
//!
//! `POST /live/<stream>/beacon` (and `/beacon/<stream>`) counts the lines of a report in what this instance remembers, and writes that
//! down when it is due; a request for [`TICK`] does only the latter. A [`Job`] is driven as every function's is, behind the step that says who may
//! watch. What is asked about viewers is answered by the metadata function, with the rest of the API.
//!
//! In scope: what a request has to look like, which stream it is about, where a viewer is and with what, how viewers are told apart
//! without being known. Out of scope: what lines mean and add up to (`tidegate-beacon`), which host runs it.
//!
//! Invariant: no address of a viewer is stored or passed on, not even hashed, but with a secret of the day that is deleted.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod frame;
mod heard;
mod job;
mod state;
mod viewer;

pub use frame::{Frame, frames};
pub use heard::heard;
pub use job::{Job, TICK, report_path};
pub use state::State;
pub use viewer::{ADDRESS, EDGE, NETWORK};
