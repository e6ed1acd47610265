#![cfg_attr(
    target_arch = "wasm32",
    allow(clippy::disallowed_methods, reason = "a shell: it reads the clock and the environment for the functions")
)]
//! The functions as one WASM component for Spin and for our host.
//!
//! In scope: WASI HTTP around the pure functions; what our host would do for them where there is none.
//! Out of scope: which function a request is for (`tidegate-dispatch`), what it means.
//!
//! Invariant: no task awaits another. What instances share between requests is only read and written, never awaited.
//!
//! On other targets than WebAssembly this crate is empty.
#[cfg(target_arch = "wasm32")]
mod answer;
#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod shell;
#[cfg(target_arch = "wasm32")]
mod world;
