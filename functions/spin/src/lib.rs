#![cfg_attr(
    target_arch = "wasm32",
    allow(clippy::disallowed_methods, reason = "a shell: it reads the clock and the environment for the functions")
)]
//! The functions as one WASM component, for Spin and for our host.
//!
//! It has two ways in. Any host of WASI HTTP calls `wasi:http/handler` (`component.rs`), and the functions do themselves what they need:
//! read, sleep, gather. Our host calls `tidegate:functions/turns` (`turns.rs`), moves the bytes itself, and has to be told only which.
//!
//! Out of scope: which function a request is for (`tidegate-dispatch`), what it means.
//!
//! Invariant: no task awaits another. What an instance shares between requests is only read and written, never awaited.
//!
//! On other targets than WebAssembly this crate is empty.
#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod shell;
#[cfg(target_arch = "wasm32")]
mod state;
#[cfg(target_arch = "wasm32")]
mod turns;
#[cfg(target_arch = "wasm32")]
mod world;
