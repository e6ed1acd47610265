//! What the engine holds on to over hours of a live stream, in virtual time.
#![allow(unsafe_code, clippy::print_stdout, clippy::unwrap_used, reason = "an allocator that counts, and the figures that it gives")]

mod sim;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use sim::{Origin, Sim};
use tidegate_engine::Config;

struct Counted;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Beyond what the first ten minutes needed.
const MORE_BYTES: usize = 64 << 10;

/// Two hours of parts, playlists, decisions and a link that is throttled for a minute of every ten.
#[test]
fn two_hours_of_a_live_stream_take_no_more_memory_than_ten_minutes() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.link_bps = Box::new(|now_s| if now_s % 600.0 < 60.0 { 1.5e6 } else { 12e6 });
    let mut held = Vec::new();
    for _ in 0..12 {
        sim.run(600.0, |_| {});
        // What the test itself remembers is not the engine's.
        sim.fetched = Vec::new();
        sim.events = Vec::new();
        held.push(HELD.load(Relaxed));
    }
    println!("bytes held after each ten minutes, the simulated world's among them: {held:?}");
    let first = held.first().copied().unwrap_or_default();
    assert!(held.iter().all(|bytes| *bytes < first + MORE_BYTES), "{held:?}");
    assert!(sim.element.shown_s > 7_000.0);
}
