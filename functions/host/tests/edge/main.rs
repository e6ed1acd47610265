#![allow(clippy::disallowed_methods, reason = "tests of a shell: they read files and the clock")]
//! The host with a component and an upstream that do what the test says.
mod component;
mod objects;
mod requests;
mod setup;
mod upstream;
mod waits;
