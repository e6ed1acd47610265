//! The engine as the browser sees it: a code for what to do, and its numbers and texts.
//!
//! In scope: the surface that `wasm-bindgen` exports. Out of scope: decisions (`tidegate-engine`), fetching and media
//! elements (`element/`). What the codes and places mean is written down once more in `element/src/engine.ts`.
//!
//! Invariant: media bytes stay in JavaScript; only the head of a file crosses over.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::{string::String, vec::Vec};

use tidegate_engine::{AppendFailure, Choice, Config, Engine, Event, Input, MediaKind, Output, Playhead, Reason, Rule, Timing, Track};
use wasm_bindgen::prelude::wasm_bindgen;

/// The engine. Each `handle_…` is to be followed by [`Player::poll`] until it gives 0. Times are those of
/// `performance.now()`; a track is 0 for video and 1 for audio; what is not known is NaN.
#[wasm_bindgen]
pub struct Player {
    engine: Engine,
    numbers: [f64; 5],
    texts: [String; 2],
}

#[wasm_bindgen]
impl Player {
    /// Makes an engine. `utc_at_zero_ms` is `performance.timeOrigin`; `latency_s` the wished latency, if there is one;
    /// `expected_bps` what the network carried last time.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(utc_at_zero_ms: f64, latency_s: f64, expected_bps: f64) -> Self {
        let config = Config { latency_s: known(latency_s), utc_at_zero_ms, expected_bps: known(expected_bps), ..Config::default() };
        Self { engine: Engine::new(config), numbers: [0.0; 5], texts: Default::default() }
    }

    /// Plays what is at an absolute address.
    pub fn handle_load(&mut self, now_ms: f64, url: String) {
        self.engine.handle(now_ms, Input::Load { url });
    }

    /// A playlist arrived; `url` is its address after redirects.
    pub fn handle_playlist_loaded(&mut self, now_ms: f64, id: u32, url: String, text: String) {
        self.engine.handle(now_ms, Input::PlaylistLoaded { id, url, text });
    }

    /// Media arrived: its size, its first bytes, and when the first and the last byte came.
    pub fn handle_media_loaded(&mut self, now_ms: f64, id: u32, bytes: f64, head: Vec<u8>, ttfb_ms: f64, total_ms: f64) {
        self.engine.handle(now_ms, Input::MediaLoaded { id, bytes: bytes as u64, head, timing: Timing { ttfb_ms, total_ms } });
    }

    /// A request for media runs: what has come of it, its size, and the times until its first byte and until now.
    pub fn handle_progress(&mut self, now_ms: f64, id: u32, bytes: f64, total: f64, ttfb_ms: f64, total_ms: f64) {
        let total = known(total).map(|total| total as u64);
        self.engine.handle(now_ms, Input::Progress { id, bytes: bytes as u64, total, timing: Timing { ttfb_ms, total_ms } });
    }

    /// A request failed; `status` is 0 where there was no answer.
    pub fn handle_failed(&mut self, now_ms: f64, id: u32, status: u16) {
        self.engine.handle(now_ms, Input::Failed { id, status });
    }

    /// The source buffers are there, or the browser refused their types.
    pub fn handle_opened(&mut self, now_ms: f64, supported: bool) {
        self.engine.handle(now_ms, if supported { Input::Opened } else { Input::OpenFailed });
    }

    /// The last append or removal of a track is done.
    pub fn handle_appended(&mut self, now_ms: f64, track: u8) {
        self.engine.handle(now_ms, Input::Appended { track: track_of(track) });
    }

    /// An append was refused, because the source buffer is full or because of the bytes.
    pub fn handle_append_failed(&mut self, now_ms: f64, track: u8, quota: bool) {
        let reason = if quota { AppendFailure::Quota } else { AppendFailure::Decode };
        self.engine.handle(now_ms, Input::AppendFailed { track: track_of(track), reason });
    }

    /// What a source buffer holds: start, end, start, end, …
    pub fn handle_buffered(&mut self, now_ms: f64, track: u8, times_s: &[f64]) {
        let (pairs, _) = times_s.as_chunks();
        let ranges = pairs.iter().map(|[start, end]| (*start, *end)).collect();
        self.engine.handle(now_ms, Input::Buffered { track: track_of(track), ranges });
    }

    /// Where the media element is; to be given with each of its events and every 100 ms.
    pub fn handle_playhead(&mut self, now_ms: f64, time_s: f64, paused: bool, seeking: bool, waiting: bool, ended: bool) {
        self.engine.handle(now_ms, Input::Playhead(Playhead { time_s, paused, seeking, waiting, ended }));
    }

    /// The viewer moved the playhead.
    pub fn handle_sought(&mut self, now_ms: f64, to_s: f64) {
        self.engine.handle(now_ms, Input::Sought { to_s });
    }

    /// The viewer wants to be at the live edge.
    pub fn handle_go_live(&mut self, now_ms: f64) {
        self.engine.handle(now_ms, Input::GoLive);
    }

    /// Time has passed.
    pub fn handle_tick(&mut self, now_ms: f64) {
        self.engine.handle(now_ms, Input::Tick);
    }

    /// Works on the policy's tables, at most so many slices of about 0.1 ms; true when there is nothing to work on.
    pub fn idle(&mut self, slices: u32) -> bool {
        self.engine.idle(slices)
    }

    /// The code of the next thing to do, 0 for nothing. Its numbers and texts are there until the next call.
    pub fn poll(&mut self) -> u8 {
        let Some(output) = self.engine.poll() else { return 0 };
        let nan = f64::NAN;
        let (code, numbers) = match output {
            Output::FetchPlaylist { id, url } => {
                self.texts[0] = url;
                (1, [id.into(), nan, nan, nan, nan])
            }
            Output::FetchMedia { id, url, range, track, kind } => {
                self.texts[0] = url;
                let (first, last) = range.map_or((nan, nan), |(first, last)| (first as f64, last as f64));
                (2, [id.into(), number_of(track), kind_of(kind), first, last])
            }
            Output::Drop { id } => (3, [id.into(), nan, nan, nan, nan]),
            Output::OpenTracks { video, audio } => {
                self.texts = [video.unwrap_or_default(), audio.unwrap_or_default()];
                (4, [nan; 5])
            }
            Output::Append { track, id, offset_s } => (5, [id.into(), number_of(track), offset_s, nan, nan]),
            Output::Remove { track, from_s, to_s } => (6, [nan, number_of(track), from_s, to_s, nan]),
            Output::Seek { to_s } => (7, [to_s, nan, nan, nan, nan]),
            Output::Rate { rate } => (8, [rate, nan, nan, nan, nan]),
            Output::Seekable { from_s, to_s, live } => (9, [from_s, to_s, f64::from(u8::from(live)), nan, nan]),
            Output::EndOfStream => (10, [nan; 5]),
            Output::Event(event) => match event {
                Event::Offline => (11, [nan; 5]),
                Event::Playing => (12, [nan; 5]),
                Event::LevelSwitched { rung, rungs, bandwidth_bps, height } => {
                    (13, [rung as f64, rungs as f64, bandwidth_bps as f64, height.into(), nan])
                }
                Event::Ended => (14, [nan; 5]),
                Event::NewSession => (15, [nan; 5]),
                Event::Error { reason } => {
                    let reason = match reason {
                        Reason::Playlist => 0.0,
                        Reason::Codecs => 1.0,
                        Reason::Decode => 2.0,
                    };
                    (16, [reason, nan, nan, nan, nan])
                }
                _ => (255, [nan; 5]),
            },
            _ => (255, [nan; 5]),
        };
        self.numbers = numbers;
        code
    }

    /// A number of what is to be done.
    #[must_use]
    pub fn number(&self, at: usize) -> f64 {
        self.numbers.get(at).copied().unwrap_or(f64::NAN)
    }

    /// A text of what is to be done.
    pub fn text(&mut self, at: usize) -> String {
        self.texts.get_mut(at).map(core::mem::take).unwrap_or_default()
    }

    /// Figures of this moment, in the order of `EngineStats`.
    #[must_use]
    pub fn stats(&self) -> Vec<f64> {
        let stats = self.engine.stats();
        let flag = |set: bool| f64::from(u8::from(set));
        let maybe = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Vec::from([
            flag(stats.live),
            flag(stats.at_live_edge),
            maybe(stats.program_date_time_ms),
            maybe(stats.latency_s),
            maybe(stats.edge_distance_s),
            maybe(stats.target_s),
            stats.buffer_s,
            stats.rung as f64,
            stats.rungs as f64,
            stats.bandwidth_bps as f64,
            stats.height.into(),
            maybe(stats.estimate_bps),
            stats.stalls.into(),
            stats.rate,
        ])
    }

    /// The decisions from number `since` on, one after the other: number, time in ms, segment, rung before, rung after,
    /// buffer, latency, value of going on and of beginning again where a request was given up, rule (0 first, 1 SODA,
    /// 2 value), forecast, three times weight, forecast and spread of a regime, how many rungs, and for each one value,
    /// utility, price of the change and expected stall.
    #[must_use]
    pub fn decisions(&self, since: f64) -> Vec<f64> {
        self.engine.choices().filter(|choice| choice.number as f64 >= since).flat_map(numbers_of).collect()
    }
}

fn numbers_of(choice: &Choice) -> Vec<f64> {
    let why = &choice.why;
    let (on, again) = choice.abandon.as_ref().map_or((f64::NAN, f64::NAN), |abandon| (abandon.value_running, abandon.value_restart));
    let rule = match why.rule {
        Rule::First => 0.0,
        Rule::Soda => 1.0,
        Rule::Value => 2.0,
    };
    let head = [
        choice.number as f64,
        choice.at_ms,
        choice.msn as f64,
        choice.from as f64,
        choice.to as f64,
        choice.buffer_s,
        choice.latency_s.unwrap_or(f64::NAN),
        on,
        again,
        rule,
        why.forecast_bps,
    ];
    let regimes = why.regimes.iter().flat_map(|regime| [regime.weight, regime.forecast_bps, regime.spread]);
    let rungs = why.alternatives.iter().flat_map(|rung| [rung.value, rung.utility, rung.change, rung.stall_s]);
    head.into_iter().chain(regimes).chain([why.alternatives.len() as f64]).chain(rungs).collect()
}

fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

fn track_of(track: u8) -> Track {
    if track == 0 { Track::Video } else { Track::Audio }
}

fn number_of(track: Track) -> f64 {
    match track {
        Track::Video => 0.0,
        Track::Audio => 1.0,
    }
}

fn kind_of(kind: MediaKind) -> f64 {
    match kind {
        MediaKind::Init => 0.0,
        MediaKind::Segment => 1.0,
        MediaKind::Part => 2.0,
        MediaKind::Hint => 3.0,
    }
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
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
