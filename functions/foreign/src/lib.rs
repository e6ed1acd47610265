#![allow(clippy::disallowed_methods, reason = "a shell: it reads the network for the functions")]
//! What is not ours: GETs of addresses that a function names, for every host that runs natively.
//!
//! In scope: connections to the open internet and to origins that the configuration names, names that resolve to private addresses, limits
//! of time and bytes, gzip. Out of scope: redirects (the function decides about each), what an answer means.
//!
//! Invariant: an address that is not public is not connected to, unless the configuration names it.
mod address;
mod causes;
mod foreign;
mod resolver;

pub use causes::causes;
pub use foreign::{Foreign, LoadError, Loaded, Loads};
