//! Who may watch: the step in front of every function that shows something.
//!
//! [`Guarded`] is a job around another: it finds the token of a request ([`Bearer`]), reads what the stream or the origin asks for
//! ([`Policy`]), and only then lets the other job begin, on the same request without its token. Nothing of the other job is seen by
//! who may not watch. Its answers are the viewer's alone, and its renewals travel with them.
//!
//! In scope: where a token stands, policies, statuses and reasons, renewal, what caches may keep. Out of scope: what a token says
//! (`tidegate-token`), what is shown.
//!
//! Invariant: without a policy that was read, and a token that fits it where it asks for one, the other job never begins.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod answer;
mod bearer;
mod guard;
mod kept;
mod policy;

pub use bearer::{Bearer, COUNTRY, Carrier, HOST, PREFIX, SCHEME, TOKEN};
pub use guard::{Guarded, State};
pub use policy::{Access, Policy};

#[cfg(test)]
mod tests;
