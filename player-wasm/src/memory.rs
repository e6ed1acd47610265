//! The module's memory: blocks of fixed sizes, and for each size a list of those that are free.
//!
//! A general allocator is a tenth of what a viewer downloads. Blocks are never joined: what was needed once of a size stays for that size,
//! which a playback that does the same all the time never grows beyond.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ptr::null_mut,
};

/// Blocks of up to [`SMALL`] bytes are multiples of this, which also is the strictest alignment that anything asks for.
const STEP: usize = 16;
const SMALL: usize = 1024;
/// Sizes in steps, then powers of two up to all of the address space.
const SIZES: usize = SMALL / STEP + 1 + 32;
/// Memory is taken from the page in pieces of this.
const PAGE: usize = 65_536;

pub(crate) struct Blocks(UnsafeCell<State>);

struct State {
    free: [*mut u8; SIZES],
    /// What has been taken and not cut into blocks yet.
    next: usize,
    end: usize,
}

// SAFETY: the module is built without threads.
unsafe impl Sync for Blocks {}

/// Number and length of the block for so many bytes.
fn size_of(bytes: usize) -> (usize, usize) {
    if bytes <= SMALL {
        let steps = bytes.div_ceil(STEP).max(1);
        return (steps, steps * STEP);
    }
    let bits = usize::BITS - (bytes - 1).leading_zeros();
    (SMALL / STEP + bits as usize - SMALL.trailing_zeros() as usize, 1_usize.checked_shl(bits).unwrap_or(0))
}

impl Blocks {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(State { free: [null_mut(); SIZES], next: 0, end: 0 }))
    }
}

impl State {
    /// Cuts a block off what has been taken from the page, and takes more where that is too little.
    fn cut(&mut self, length: usize) -> *mut u8 {
        if self.end - self.next < length {
            let (start, taken) = more(length.next_multiple_of(PAGE));
            if taken == 0 {
                return null_mut();
            }
            // What is left of the piece before is cut no more, unless this one continues it.
            if start != self.end {
                self.next = start;
            }
            self.end = start + taken;
        }
        let block = self.next;
        self.next += length;
        block as *mut u8
    }
}

// SAFETY: blocks are as long as was asked for or longer, start at multiples of `STEP`, and are handed out again only after they were given back.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (number, length) = size_of(layout.size());
        if layout.align() > STEP || length == 0 {
            return null_mut();
        }
        // SAFETY: nothing else holds the state: there is one thread, and nothing below calls back.
        let state = unsafe { &mut *self.0.get() };
        let Some(first) = state.free.get_mut(number) else { return null_mut() };
        if first.is_null() {
            return state.cut(length);
        }
        let block = *first;
        // SAFETY: a free block holds the address of the next one of its size.
        *first = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        let Some(first) = state.free.get_mut(size_of(layout.size()).0) else { return };
        // SAFETY: the block is nobody's any more, and is longer than an address.
        unsafe { block.cast::<*mut u8>().write(*first) };
        *first = block;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if size_of(layout.size()).0 == size_of(bytes).0 {
            return block;
        }
        // SAFETY: the caller keeps the rules of `realloc`, which are those of the three below.
        unsafe {
            let other = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !other.is_null() {
                block.copy_to_nonoverlapping(other, bytes.min(layout.size()));
                self.dealloc(block, layout);
            }
            other
        }
    }
}

/// More memory: where it starts and how long it is, which is 0 where there is none.
#[cfg(target_arch = "wasm32")]
fn more(bytes: usize) -> (usize, usize) {
    match core::arch::wasm32::memory_grow(0, bytes / PAGE) {
        usize::MAX => (0, 0),
        pages => (pages * PAGE, bytes),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn more(bytes: usize) -> (usize, usize) {
    // SAFETY: the layout has a length and an alignment that is a power of two.
    let start = unsafe { alloc::alloc::alloc(Layout::from_size_align_unchecked(bytes, STEP)) };
    (start as usize, if start.is_null() { 0 } else { bytes })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn blocks_are_long_enough_and_sizes_are_told_apart() {
        let mut last = (0, 0);
        for bytes in (0..5000).chain([65_536, 65_537, 1 << 20, (1 << 31) - 1]) {
            let (number, length) = size_of(bytes);
            assert!(length >= bytes && number < SIZES && length % STEP == 0, "{bytes}");
            assert!((number == last.0) == (length == last.1), "{bytes}");
            last = (number, length);
        }
    }

    #[test]
    fn what_is_held_is_never_handed_out_twice() {
        let blocks = Blocks::new();
        let mut seed = 1_u32;
        let mut chance = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..20_000 {
            let bytes = if chance(10) == 0 { chance(40_000) } else { chance(600) } as usize + 1;
            let layout = Layout::from_size_align(bytes, 8).unwrap();
            let mark = round as u8;
            // SAFETY: what is held was allocated with its layout and is as long.
            unsafe {
                if held.len() > 60 {
                    let (block, layout, mark) = held.swap_remove(chance(60) as usize);
                    assert!(core::slice::from_raw_parts(block, layout.size()).iter().all(|byte| *byte == mark), "round {round}");
                    if chance(3) > 0 {
                        blocks.dealloc(block, layout);
                    } else {
                        let other = blocks.realloc(block, layout, bytes);
                        assert!(core::slice::from_raw_parts(other, bytes.min(layout.size())).iter().all(|byte| *byte == mark));
                        blocks.dealloc(other, Layout::from_size_align(bytes, 8).unwrap());
                    }
                }
                let block = blocks.alloc(layout);
                assert!((block as usize).is_multiple_of(STEP) && !block.is_null());
                block.write_bytes(mark, bytes);
                held.push((block, layout, mark));
            }
        }
    }
}
