#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! What players report and what it adds up to, from outside.
mod bad_input;
mod figures;
mod merging;
mod player;
mod reading;
mod requests;
mod sessions;
