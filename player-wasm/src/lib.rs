//! The engine as the browser sees it: one engine in one module, codes for what happened and what to do, numbers and texts.
//!
//! The caller writes texts and bytes at [`reserve`], calls, and reads numbers at [`numbers`] and texts at [`out`]. What the
//! codes and places mean is written down once more in `element/src/engine.ts`. Times are those of `performance.now()`; a
//! track is 0 for video, 1 for audio and 2 for captions; what is not known is NaN.
//!
//! In scope: moving numbers. Out of scope: decisions (`tidegate-engine`), fetching and media elements (`element/`).
//!
//! Invariant: media bytes stay in JavaScript; only the head of a file crosses over.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![expect(unsafe_code, reason = "a module that runs in one thread shares one cell")]

extern crate alloc;

mod answer;
#[cfg(any(target_arch = "wasm32", test))]
mod memory;
mod output;

use alloc::{string::String, vec::Vec};
use core::cell::RefCell;

use tidegate_engine::{AppendFailure, Config, Engine, Input, Playhead, Timing, Track};
use wasm_bindgen::prelude::wasm_bindgen;

/// Longest text or head that is taken: a playlist of a day is below 4 MB.
const MAX_INBOX: usize = 32 << 20;

/// The engine and what goes in and out of it.
struct State {
    engine: Option<Engine>,
    inbox: Vec<u8>,
    numbers: Vec<f64>,
    out: String,
}

/// A module has its memory for itself, and one thread.
struct Cell(RefCell<State>);

// SAFETY: the module is built without threads, and nothing in it calls back into it.
unsafe impl Sync for Cell {}

static STATE: Cell = Cell(RefCell::new(State { engine: None, inbox: Vec::new(), numbers: Vec::new(), out: String::new() }));

/// Makes room for what is to be read, and says where.
#[wasm_bindgen]
pub fn reserve(bytes: usize) -> *mut u8 {
    let mut state = STATE.0.borrow_mut();
    state.inbox.clear();
    state.inbox.resize(bytes.min(MAX_INBOX), 0);
    state.inbox.as_mut_ptr()
}

/// Where numbers come out.
#[wasm_bindgen]
pub fn numbers() -> *const f64 {
    STATE.0.borrow().numbers.as_ptr()
}

/// Where texts come out, a line each.
#[wasm_bindgen]
pub fn out() -> *const u8 {
    STATE.0.borrow().out.as_ptr()
}

/// How long they are, in bytes.
#[wasm_bindgen]
pub fn out_len() -> usize {
    STATE.0.borrow().out.len()
}

/// Makes an engine. `utc_at_zero_ms` is the wall clock at 0 of the steady one; `latency_s` the wished latency; `expected_bps`
/// what the network carried last time; `start_s` where to begin; with `decrypts` media under keys of others is none of the engine's business.
#[wasm_bindgen]
pub fn begin(utc_at_zero_ms: f64, latency_s: f64, expected_bps: f64, start_s: f64, decrypts: bool) {
    let config = Config {
        latency_s: known(latency_s),
        utc_at_zero_ms,
        expected_bps: known(expected_bps),
        start_s: known(start_s),
        decrypts,
        ..Config::default()
    };
    STATE.0.borrow_mut().engine = Some(Engine::new(config));
}

/// Tells the engine what happened; to be followed by [`poll`] until that gives 0. `split` is where the first text in the inbox
/// ends and the second begins.
#[wasm_bindgen]
pub fn handle(code: u32, now_ms: f64, split: usize, a: f64, b: f64, c: f64, d: f64) {
    let mut state = STATE.0.borrow_mut();
    let State { engine: Some(engine), inbox, .. } = &mut *state else { return };
    let (first, second) = inbox.split_at_checked(split).unwrap_or_default();
    let text = |bytes: &[u8]| core::str::from_utf8(bytes).map(String::from).unwrap_or_default();
    let timing = Timing { ttfb_ms: c, total_ms: d };
    let id = a as u32;
    let track = match a as u8 {
        0 => Track::Video,
        1 => Track::Audio,
        _ => Track::Text,
    };
    let place = |number: f64| known(number).map(|number| number as usize);
    let input = match code {
        1 => Input::Load { url: text(first) },
        2 => Input::PlaylistLoaded { id, url: text(first), text: text(second) },
        3 => Input::MediaLoaded { id, bytes: b as u64, head: core::mem::take(inbox), timing },
        // The size of the whole does not fit into the numbers: it stands in the inbox's place.
        4 => Input::Progress { id, bytes: b as u64, total: Some(split as u64).filter(|total| *total > 0), timing },
        5 => Input::Failed { id, status: b as u16 },
        6 if a > 0.0 => Input::Opened,
        6 => Input::OpenFailed,
        7 => Input::Appended { track },
        8 => Input::AppendFailed { track, reason: if b > 0.0 { AppendFailure::Quota } else { AppendFailure::Decode } },
        9 => {
            let (times, _) = inbox.as_chunks();
            let times: Vec<f64> = times.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            let (pairs, _) = times.as_chunks();
            Input::Buffered { track, ranges: pairs.iter().map(|[start, end]| (*start, *end)).collect() }
        }
        10 => {
            let flag = |bit: u32| b as u32 & bit != 0;
            Input::Playhead(Playhead { time_s: a, paused: flag(1), seeking: flag(2), waiting: flag(4), ended: flag(8) })
        }
        11 => Input::Sought { to_s: a },
        12 => Input::GoLive,
        13 => Input::Pin { rung: place(a) },
        14 => Input::Sound { at: a as usize },
        15 => Input::Text { at: place(a) },
        17 => Input::Advised { expected_bps: known(a), most_bps: known(b) },
        _ => Input::Tick,
    };
    engine.handle(now_ms, input);
}

/// The code of the next thing to do, 0 for nothing. Its numbers and texts are there until the next call.
#[wasm_bindgen]
pub fn poll() -> u32 {
    let mut state = STATE.0.borrow_mut();
    let Some(next) = state.engine.as_mut().and_then(Engine::poll) else { return 0 };
    let (code, numbers, texts) = output::coded(next);
    state.numbers.clear();
    state.numbers.extend(numbers);
    state.out = texts.join("\n");
    code
}

/// Works on the policy's tables, at most so many slices of less than 0.1 ms; 1 when there is nothing to work on.
#[wasm_bindgen]
pub fn idle(slices: u32) -> u32 {
    STATE.0.borrow_mut().engine.as_mut().is_none_or(|engine| engine.idle(slices)).into()
}

/// Answers a question with numbers, texts or both; gives how many numbers.
#[wasm_bindgen]
pub fn ask(question: u32, a: f64) -> usize {
    let mut state = STATE.0.borrow_mut();
    let State { engine: Some(engine), numbers, out, .. } = &mut *state else { return 0 };
    numbers.clear();
    out.clear();
    match question {
        0 => numbers.extend(answer::stats(engine)),
        1 => answer::decisions(engine, a, numbers),
        2 => answer::levels(engine, numbers, out),
        3 => answer::choosable(engine.sounds(), out),
        4 => answer::choosable(engine.texts(), out),
        _ => numbers.extend(engine.sound().map(|at| at as f64)),
    }
    numbers.len()
}

fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

/// The standard library's panics bring all of its formatting along, 25 kB of it. Nothing in the engine panics by what comes from
/// outside; should it ever, the page sees a trap and falls back.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn trap(_info: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static MEMORY: memory::Blocks = memory::Blocks::new();
