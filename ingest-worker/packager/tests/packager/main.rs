//! The packager in virtual time: what comes out for which source. Each module is one kind of situation.
#![allow(clippy::unwrap_used, reason = "a test that meets an error here has failed")]

mod any_source;
mod bucket;
mod budget;
mod rates;
mod situations;
mod source;
mod twin;
