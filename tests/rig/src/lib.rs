#![allow(clippy::disallowed_methods, reason = "a test shell: it starts processes and reads the clock")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test that asked for it")]
//! What drives a running platform from outside: a publisher that says when each message left, a viewer that knows when an
//! answer came, ffmpeg, a bucket that does as it is told, and processes that end with the test. Links nothing of the platform.

mod child;
pub mod ffmpeg;
pub mod http;
pub mod process;
pub mod publisher;
mod store;

pub use child::Child;
pub use store::{Conditions, IMMUTABLE, Seen, Store};
