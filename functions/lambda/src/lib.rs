#![allow(clippy::disallowed_methods, reason = "a shell: it reads the clock and the network for the functions")]
//! The functions on AWS Lambda: one binary for function URLs, API Gateway and load balancers.
//!
//! In scope: events and answers of Lambda, the bucket over HTTP, lines of reports to Firehose, foreign addresses. Out of scope: what a request means.
//!
//! Invariant: nothing waits for what is not there yet. A parked viewer would be paid for by the millisecond and would block the
//! environment for others, so playlists promise what can be kept: whole segments, or parts without blocking ([`Config::reach`]).
mod answer;
mod config;
mod handler;
mod outside;
mod raw;
mod store;

pub use config::{Config, ConfigError, Response};
pub use handler::run;
