//! The metadata function: what streams are called, who may publish, watch and change them, as documents in the bucket.
//!
//! `/api/v1/…` is for owners, with API tokens; `/live/<stream>/info.json` is for viewers. A [`Job`] is driven as every function's is.
//!
//! A [`Sender`] brings what happened to webhooks; a shell beside the worker drives it.
//!
//! In scope: which documents there are, who may change them and how, and what changes at once or not at all. Out of scope: connections,
//! which host runs it, media.
//!
//! Invariants: two who change one document at the same time never lose a change; nothing is listed to be found; whatever a client
//! sends, the answer is a 2xx, 3xx or 4xx, and 503 where the store does not answer; no secret is stored or logged in clear but those of
//! webhooks, which have to be signed with.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod answer;
mod call;
mod job;
mod ledger;
mod openapi;
mod query;
mod resource;
mod route;
mod schema;
mod sender;

pub use job::{Job, State};
pub use openapi::openapi;
pub use sender::{Act, Came, Delivery, POST_TIME_MS, Schedule, Sender, signature};

#[cfg(test)]
mod tests;
