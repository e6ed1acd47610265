#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests of a shell: they read files and the clock, and stop at the first surprise"
)]
//! The host with a component and an upstream that do what the test says.
mod component;
mod connections;
mod foreign;
mod golden;
mod objects;
mod raw;
mod reload;
mod requests;
mod setup;
mod tiers;
mod viewers;
mod waits;
mod writes;
