//! The functions for JavaScript workers (workerd, Cloudflare): one WASM module without WASI.
//!
//! `worker.mjs` beside this crate is the shell: it makes a [`Call`] of a request, does what [`Call::poll`] says, and hands back what came
//! of it. What is to be read, written or loaded is said as the HTTP request that does it.
//!
//! In scope: the functions as JavaScript sees them. Out of scope: where the bucket is, signatures, what a request means.
//!
//! On other targets than WebAssembly this crate is empty.
#![cfg(target_arch = "wasm32")]
mod call;
mod step;

pub use call::Call;
pub use step::Step;

/// `name: value` lines, as both sides write headers.
pub(crate) fn pairs(lines: &str) -> Vec<(String, String)> {
    lines.lines().filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
