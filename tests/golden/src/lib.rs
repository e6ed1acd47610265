#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test bench: it reads its own files and stops where they are wrong"
)]
//! One bucket, requests, and the answers that every host gives to them, byte for byte.
//!
//! The cases are the files in `cases/`: a request as HTTP writes it, a blank line, and the answer. A host is right when status and body are
//! equal and every header of the case is there with that value; it may have more. They are written by `TIDEGATE_GOLDEN=write cargo test
//! -p tidegate-golden`, in which the functions run natively, and read in differences.
//!
//! In scope: the bucket, the files. Out of scope: any host.

mod bucket;
mod case;

pub use bucket::{Bucket, api_token, golden_bucket, session_path};
pub use case::{Answer, Case, Request, cases};
