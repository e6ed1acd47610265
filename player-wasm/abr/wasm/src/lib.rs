//! The ABR alone as a WASM module without glue: one session, numbers in, numbers out.
//!
//! The caller writes numbers at [`abr_io`], calls, and reads the answer there. Offsets are those of the `enum`-like constants in
//! `player-wasm/abr.mjs`; absent numbers are NaN.
//!
//! In scope: moving numbers. Out of scope: every decision (`tidegate-abr`).
#![expect(unsafe_code, reason = "exported names need no_mangle; there is no other unsafe code")]

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tidegate_abr::{Abr, CatchUp, Config, MAX_RUNGS, Progress, Rule, Sample, State, Tables};

/// Numbers that fit in and out: a state, 64 segments of 16 rungs.
const IO_LEN: usize = 1100;
/// Tables of earlier sessions that are kept.
const TABLES_KEPT: usize = 8;

static IO: [AtomicU64; IO_LEN] = [const { AtomicU64::new(0) }; IO_LEN];
static SESSION: Mutex<Session> = Mutex::new(Session { abr: None, tables: Vec::new() });

struct Session {
    abr: Option<Abr>,
    tables: Vec<Arc<Tables>>,
}

/// Where the numbers go in and come out.
#[unsafe(no_mangle)]
pub extern "C" fn abr_io() -> *const AtomicU64 {
    IO.as_ptr()
}

/// How many numbers fit.
#[unsafe(no_mangle)]
pub extern "C" fn abr_io_len() -> u32 {
    IO_LEN as u32
}

/// Starts a session: live, segment_s, chunk_s, target_latency_s, max_buffer_s, rate_min, rate_max, rtt_s, rungs, bit rates.
#[unsafe(no_mangle)]
pub extern "C" fn abr_init() {
    let ladder = (0..count(8, MAX_RUNGS)).map(|q| get(9 + q)).collect();
    let config = Config {
        ladder_bps: ladder,
        segment_s: get(1),
        chunk_s: get(2),
        live: get(0) != 0.0,
        target_latency_s: get(3),
        max_buffer_s: get(4),
        catch_up: CatchUp { min: get(5), max: get(6) },
        rtt_s: get(7),
        parameters: None,
    };
    with(|session| {
        let kept = session.tables.iter().find(|t| t.fits(&config)).cloned();
        session.abr = Some(match kept {
            Some(tables) => Abr::with_tables(config, tables),
            None => Abr::new(config),
        });
    });
}

/// Works on the tables; 1 when they are ready.
#[unsafe(no_mangle)]
pub extern "C" fn abr_idle(slices: u32) -> u32 {
    with(|session| {
        let Some(abr) = &mut session.abr else { return 0 };
        if !abr.idle(slices) {
            return 0;
        }
        if let Some(tables) = abr.tables()
            && !session.tables.iter().any(|t| Arc::ptr_eq(t, tables))
        {
            session.tables.push(Arc::clone(tables));
            session.tables.drain(..session.tables.len().saturating_sub(TABLES_KEPT));
        }
        1
    })
}

/// Takes a transfer in: bits, ttfb_s, transfer_s, rendition, media_s.
#[unsafe(no_mangle)]
pub extern "C" fn abr_sample() {
    let sample = Sample { bits: get(0), ttfb_s: get(1), transfer_s: get(2), rendition: get(3) as usize, media_s: get(4) };
    with(|session| {
        if let Some(abr) = &mut session.abr {
            abr.sample(sample);
        }
    });
}

/// Decides: buffer_s, latency_s, rate, last, playing, started, number of announced sizes, sizes.
/// Answers the rendition; leaves rule, forecast, three regimes of weight, forecast and spread, number of rungs and for each one
/// value, utility, change and stall.
#[unsafe(no_mangle)]
pub extern "C" fn abr_decide() -> u32 {
    let sizes: Vec<f64> = (0..count(6, IO_LEN - STATE_LEN - 1)).map(|i| get(STATE_LEN + 1 + i)).collect();
    with(|session| {
        let Some(abr) = &mut session.abr else { return 0 };
        let decision = abr.decide(&State { upcoming_bits: &sizes, ..state() });
        let why = &decision.why;
        let rule = match why.rule {
            Rule::First => 0.0,
            Rule::Soda => 1.0,
            Rule::Value => 2.0,
        };
        let regimes = why.regimes.iter().flat_map(|r| [r.weight, r.forecast_bps, r.spread]);
        let rungs = why.alternatives.iter().flat_map(|a| [a.value, a.utility, a.change, a.stall_s]);
        let numbers = [rule, why.forecast_bps].into_iter().chain(regimes).chain([why.alternatives.len() as f64]).chain(rungs);
        for (i, number) in numbers.enumerate() {
            set(i, number);
        }
        decision.rendition as u32
    })
}

/// Looks at a running request: a state, rendition, chunk_elapsed_s, chunk_transfer_s, segment_loaded_bits, chunk_loaded_bits,
/// chunk_bits, chunk, buffered_chunks. Answers the rendition to start again in, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn abr_progress() -> i32 {
    let at = |i: usize| get(STATE_LEN + i);
    let progress = Progress {
        state: state(),
        rendition: at(0) as usize,
        chunk_elapsed_s: at(1),
        chunk_transfer_s: Some(at(2)).filter(|s| !s.is_nan()),
        segment_loaded_bits: at(3),
        chunk_loaded_bits: at(4),
        chunk_bits: at(5),
        chunk: at(6) as usize,
        buffered_chunks: at(7) as usize,
        whole: false,
    };
    with(|session| {
        let Some(abandon) = session.abr.as_ref().and_then(|abr| abr.progress(&progress)) else { return -1 };
        set(0, abandon.value_running);
        set(1, abandon.value_restart);
        abandon.rendition as i32
    })
}

fn state() -> State<'static> {
    let last = get(3);
    State {
        buffer_s: get(0),
        latency_s: Some(get(1)).filter(|s| !s.is_nan()),
        rate: get(2),
        last: (last >= 0.0).then_some(last as usize),
        playing: get(4) != 0.0,
        started: get(5) != 0.0,
        upcoming_bits: &[],
    }
}

fn with<T>(act: impl FnOnce(&mut Session) -> T) -> T {
    act(&mut SESSION.lock().unwrap_or_else(PoisonError::into_inner))
}

fn get(i: usize) -> f64 {
    IO.get(i).map_or(f64::NAN, |n| f64::from_bits(n.load(Relaxed)))
}

fn set(i: usize, number: f64) {
    if let Some(n) = IO.get(i) {
        n.store(number.to_bits(), Relaxed);
    }
}

/// A count at `i`, at most `most`.
fn count(i: usize, most: usize) -> usize {
    (get(i) as usize).min(most)
}

const STATE_LEN: usize = 6;
