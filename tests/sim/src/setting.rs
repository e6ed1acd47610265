//! The three settings that everything is scored in.

use tidegate_abr::{CatchUp, Config, Mode};

/// One of the three settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Its name in tables and files.
    pub name: &'static str,
    /// Whether segments come into being while they are played, and how they are loaded.
    pub mode: Mode,
    /// Length of a request's media in seconds.
    pub chunk_s: f64,
    /// Distance to live that playback aims at.
    pub target_s: f64,
    /// Most media buffered.
    pub max_buffer_s: f64,
    /// Seconds from the end of a chunk's media to its being there for viewers.
    pub publish_s: f64,
    /// Bounds of the playback speed.
    pub catch_up: CatchUp,
    /// Distance to live from which the player seeks.
    pub jump_s: f64,
}

/// Length of a segment in seconds.
pub const SEGMENT_S: f64 = 2.0;
/// Length of a session in seconds of wall time.
pub const SESSION_S: f64 = 300.0;

/// Recorded media, a 20 s buffer, live 8 s behind, live in parts 2.5 s behind.
pub const SETTINGS: [Setting; 3] = [
    Setting {
        name: "vod20",
        mode: Mode::Vod,
        chunk_s: 2.0,
        target_s: 0.0,
        max_buffer_s: 20.0,
        publish_s: 0.0,
        catch_up: CatchUp { min: 1.0, max: 1.0 },
        jump_s: f64::INFINITY,
    },
    Setting {
        name: "live6",
        mode: Mode::Live,
        chunk_s: 2.0,
        target_s: 8.0,
        max_buffer_s: 8.0,
        publish_s: 0.4,
        catch_up: CatchUp { min: 0.95, max: 1.05 },
        jump_s: 24.0,
    },
    Setting {
        name: "ll25",
        mode: Mode::LowLatency,
        chunk_s: 0.5,
        target_s: 2.5,
        max_buffer_s: 2.4,
        publish_s: 0.1,
        catch_up: CatchUp { min: 0.92, max: 1.08 },
        jump_s: 10.0,
    },
];

/// How near our own player plays to live where nothing else is wished: for the table, not for the gate.
pub const NEAR: Setting = Setting { name: "ll14", target_s: 1.4, max_buffer_s: 1.3, ..SETTINGS[2] };

impl Setting {
    /// The setting as our policy is told of it.
    pub fn config(&self, ladder_bps: &[f64]) -> Config {
        Config {
            ladder_bps: ladder_bps.to_vec(),
            segment_s: SEGMENT_S,
            chunk_s: self.chunk_s,
            live: self.live(),
            target_latency_s: self.target_s,
            max_buffer_s: self.max_buffer_s,
            catch_up: self.catch_up,
            rtt_s: 0.04,
            parameters: None,
        }
    }

    /// Whether it is live.
    pub fn live(&self) -> bool {
        self.mode != Mode::Vod
    }

    /// Playback speed at a distance to live and a buffer: a sigmoid around the target, 1 while late with little buffered.
    pub fn speed(&self, latency: f64, buffer: f64) -> f64 {
        let off = latency - self.target_s;
        if !self.live() || (off > 0.0 && buffer <= 0.4 * (self.target_s - self.chunk_s - self.publish_s)) {
            return 1.0;
        }
        let most = if off < 0.0 { 1.0 - self.catch_up.min } else { self.catch_up.max - 1.0 };
        1.0 - most + 2.0 * most / (1.0 + (-5.0 * off).exp())
    }
}
