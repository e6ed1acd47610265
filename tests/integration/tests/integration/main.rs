#![allow(clippy::disallowed_methods, reason = "tests: they start processes and read the clock")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]
//! Integration tests: the real parts together. The list below is the list of what is tested.

mod bad_input;
mod bad_store;
mod cues;
mod doctor;
mod exact;
mod live_path;
mod live_state;
mod metadata;
mod mirror;
mod players;
mod slate;
mod srt;
mod store;
mod tables;
mod twins;
mod up;
mod validate;
mod webhooks;
