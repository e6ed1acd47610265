//! The functions for JavaScript workers (workerd, Cloudflare): one WASM module without WASI and without glue.
//!
//! `worker.mjs` beside this crate is the shell: it begins a call with a request, does what `poll` says, and hands back what came of it. What
//! is to be read, written or loaded is said as the HTTP request that does it. Both sides write the head of a message as lines and then, after
//! a zero, its bytes: JavaScript into the memory that `room` names, this module into the memory that `poll` names.
//!
//! In scope: the functions as JavaScript sees them. Out of scope: where the bucket is, signatures, what a request means.
//!
//! On other targets than WebAssembly this crate is empty.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "exports have fixed names; there is no unsafe block")]
mod call;
mod message;

use std::{cell::RefCell, collections::BTreeMap};

use crate::{call::Call, message::Message};

thread_local! {
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SAID: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static CALLS: RefCell<(u32, BTreeMap<u32, Call>)> = const { RefCell::new((0, BTreeMap::new())) };
}

/// Makes room for a message of so many bytes, and says where.
#[unsafe(no_mangle)]
pub extern "C" fn room(len: u32) -> *mut u8 {
    ROOM.with_borrow_mut(|room| {
        *room = vec![0; len as usize];
        room.as_mut_ptr()
    })
}

/// Begins a call: method, path, query and headers, and a body. `holds` lists parts and keeps requests open.
#[unsafe(no_mangle)]
pub extern "C" fn begin(holds: u32) -> u32 {
    CALLS.with_borrow_mut(|(last, calls)| {
        *last = last.wrapping_add(1);
        calls.insert(*last, Call::new(take(), holds != 0));
        *last
    })
}

/// Writes what comes next and says where; the room has 32 random bytes that nobody can guess.
#[unsafe(no_mangle)]
pub extern "C" fn poll(id: u32, now_ms: f64) -> *const u8 {
    let random = take();
    let said = with(id, |call| call.poll(now_ms, &random)).unwrap_or_default();
    SAID.with_borrow_mut(|kept| {
        *kept = said;
        kept.as_ptr()
    })
}

/// How long it is.
#[unsafe(no_mangle)]
pub extern "C" fn said() -> u32 {
    SAID.with_borrow(Vec::len) as u32
}

/// Takes the answer to an `object` (an ETag and bytes) or a `load` (headers and bytes); status 0 where there was none.
#[unsafe(no_mangle)]
pub extern "C" fn handle(id: u32, now_ms: f64, status: u32) {
    let message = Message::read(take());
    with(id, |call| call.handle(now_ms, status, message));
}

/// Forgets a call.
#[unsafe(no_mangle)]
pub extern "C" fn end(id: u32) {
    CALLS.with_borrow_mut(|(_, calls)| calls.remove(&id));
}

fn take() -> Vec<u8> {
    ROOM.with_borrow_mut(std::mem::take)
}

fn with<T>(id: u32, act: impl FnOnce(&mut Call) -> T) -> Option<T> {
    CALLS.with_borrow_mut(|(_, calls)| calls.get_mut(&id).map(act))
}
