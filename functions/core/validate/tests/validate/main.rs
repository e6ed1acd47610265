#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "a test: what cannot be read is a failure, and a twist is a closure")]
//! The validator against texts and against a server in memory, each of which breaks one rule.

mod origin;
mod peers;
mod playlists;
mod servers;
mod texts;
