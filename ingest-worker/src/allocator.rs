#![allow(unsafe_code, reason = "jemalloc takes its options from a symbol with its own name")]
//! What was needed for the minutes of an outage goes back to the system, where the C library's allocator would keep it.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A worker has few threads that allocate at the same moment; what is free for a second is given back.
// SAFETY: nobody else defines it, and it is what jemalloc reads there: a pointer to a text that ends with a zero.
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: &[u8; 47] = b"narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0\0";
