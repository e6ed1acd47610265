//! The engine as the browser sees it: numbers and strings in, one JSON object per output.
//!
//! In scope: the surface that `wasm-bindgen` exports. Out of scope: decisions (`tidegate-engine`), fetching and media
//! elements (`element/`).
//!
//! Invariant: media bytes stay in JavaScript; only the head of a file crosses over.

mod json;

use tidegate_engine::{AppendFailure, Config, Engine, Input, Playhead, Timing, Track};
use wasm_bindgen::prelude::wasm_bindgen;

/// The engine. Each `handle_…` is to be followed by [`Player::poll`] until it gives nothing. Times are those of
/// `performance.now()`; a track is 0 for video and 1 for audio.
#[wasm_bindgen]
pub struct Player {
    engine: Engine,
}

#[wasm_bindgen]
impl Player {
    /// Makes an engine. `utc_at_zero_ms` is `performance.timeOrigin`; `latency_s` the wished latency, if there is one;
    /// `expected_bps` what the network carried last time.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(utc_at_zero_ms: f64, latency_s: Option<f64>, expected_bps: Option<f64>) -> Self {
        Self { engine: Engine::new(Config { latency_s, utc_at_zero_ms, expected_bps, ..Config::default() }) }
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
    pub fn handle_media_loaded(&mut self, now_ms: f64, id: u32, bytes: f64, head: &[u8], ttfb_ms: f64, total_ms: f64) {
        let input = Input::MediaLoaded { id, bytes: bytes as u64, head: head.to_vec(), timing: Timing { ttfb_ms, total_ms } };
        self.engine.handle(now_ms, input);
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

    /// The next thing to do, as a JSON object with a field `do`.
    pub fn poll(&mut self) -> Option<String> {
        self.engine.poll().map(|output| json::output(&output))
    }

    /// Figures of this moment, as a JSON object.
    #[must_use]
    pub fn stats(&self) -> String {
        json::stats(&self.engine.stats())
    }
}

fn track_of(track: u8) -> Track {
    if track == 0 { Track::Video } else { Track::Audio }
}
