//! Which function a request is for, and its way to an answer on any host.
//!
//! A host makes a [`Dispatch`] of a request and then does what it says until there is an answer: the same decisions in the WASM component,
//! in AWS Lambda, in a JavaScript worker and in tests. A host is left with bytes: reading, writing, loading, sleeping.
//!
//! In scope: which function an address belongs to; waiting, gathering pieces and cutting ranges where the host does not. Out of scope:
//! what a request means, how anything is read.
//!
//! Invariant: a request comes to an end: its steps, its waits and the time that it is held have a bound.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod dispatch;
mod function;
mod gather;
mod wait;

pub use dispatch::{Dispatch, Host, Settled, Step};
pub use function::State;
