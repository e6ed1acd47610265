//! The ingest and transcode worker: a live source in, a log of objects in the bucket out.
#![allow(clippy::disallowed_methods, reason = "a shell: it has the clock, the environment, files, sockets and threads")]

mod body;
pub mod config;
pub mod flv;
mod health;
mod hints;
mod ladder;
pub mod metrics;
mod rate;
mod source;
mod transcode;
