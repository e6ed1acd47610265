//! One segment ahead: what a transfer at a given rate does to the buffer.
//!
//! The three modes differ in what they wait for. Recorded media waits for room in the buffer; live segments wait until they are
//! complete; parts come one by one while the segment is made. A stall counts in full, a buffer that comes within the margin m of
//! running dry counts `h^2 / (2 m)` with h the depth of the approach, so that danger has a price before it has happened.

use crate::config::{Config, MAX_PARTS, Mode};

/// Where playback stands when a request goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) buffer: f64,
    /// Distance to live; not used for recorded media.
    pub(crate) latency: f64,
    pub(crate) rate: f64,
    pub(crate) playing: bool,
}

/// Where it stands when the segment is in and the next one can be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct After {
    pub(crate) buffer: f64,
    pub(crate) stall: f64,
}

/// The parts of a segment that are still to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// Seconds since the segment began to be made.
    pub(crate) since_start: f64,
    /// Bits of the whole segment.
    pub(crate) bits: f64,
    /// The first part to load.
    pub(crate) first: usize,
    /// Bits left of that part when it is on its way already.
    pub(crate) running_bits: Option<f64>,
    /// Parts that are playable already: loading them again adds no media.
    pub(crate) buffered: usize,
}

/// The constants of a step.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    mode: Mode,
    segment: f64,
    chunk: f64,
    parts: usize,
    /// Shares of the segment's bits.
    shares: [f64; MAX_PARTS],
    publish: f64,
    edge: f64,
    room: f64,
    margin: f64,
}

impl Stage {
    pub(crate) fn new(config: &Config, margin: f64) -> Self {
        let parts = config.parts();
        let mut shares = [0.0; MAX_PARTS];
        let n = parts as f64;
        for (j, share) in shares.iter_mut().enumerate().take(parts) {
            *share = match (parts, j) {
                (1, _) => 1.0,
                (_, 0) => FIRST_PART / n,
                _ => (n - FIRST_PART) / (n - 1.0) / n,
            };
        }
        Self {
            mode: config.mode(),
            segment: config.segment_s,
            chunk: config.segment_s / n,
            parts,
            shares,
            publish: config.publish_s(),
            edge: config.edge_s(),
            room: (config.max_buffer_s - config.segment_s).max(0.0),
            margin,
        }
    }

    /// Loads a segment of `bits` at `bps`, asked for now.
    pub(crate) fn segment(&self, at: Moment, bits: f64, rtt: f64, bps: f64) -> After {
        match self.mode {
            Mode::Vod | Mode::Live => self.whole(at, rtt + bits / bps),
            Mode::LowLatency => {
                let since_start = (at.latency - at.buffer).max(self.publish);
                self.parts(at, Parts { since_start, bits, first: 0, running_bits: None, buffered: 0 }, rtt, bps)
            }
        }
    }

    /// Takes a whole segment in after `tau` seconds.
    pub(crate) fn whole(&self, at: Moment, tau: f64) -> After {
        let (stall, left, low) = if at.playing {
            let low = at.buffer / at.rate - tau;
            ((-low).max(0.0), (at.buffer - at.rate * tau).max(0.0), low)
        } else {
            (tau, at.buffer, 0.0)
        };
        let buffer = left + self.segment;
        let buffer = match self.mode {
            Mode::Vod => buffer.min(self.room),
            Mode::Live | Mode::LowLatency => {
                let latency = at.latency + stall - (at.rate - 1.0) * (tau - stall);
                (buffer - at.rate * (self.edge - (latency - buffer)).max(0.0)).max(0.0)
            }
        };
        After { buffer, stall: stall + self.danger(low) }
    }

    /// Takes the rest of a segment in part by part; each part waits until it is made.
    pub(crate) fn parts(&self, at: Moment, parts: Parts, rtt: f64, bps: f64) -> After {
        let (mut t, mut buffer, mut playing) = (parts.since_start, at.buffer, at.playing);
        let (mut stall, mut low) = (0.0, f64::INFINITY);
        // Divided once: this runs a million times while the tables are built.
        let (whole, speed) = (parts.bits / bps, 1.0 / at.rate);
        for j in parts.first.min(self.parts)..self.parts {
            let end = match parts.running_bits {
                Some(bits) if j == parts.first => t + bits / bps,
                _ => {
                    let made = (j + 1) as f64 * self.chunk + self.publish;
                    larger(t + rtt, made + 0.5 * rtt) + whole * self.shares[j]
                }
            };
            let adds = j >= parts.buffered;
            let took = end - t;
            if playing {
                let left = buffer * speed - took;
                stall += larger(-left, 0.0);
                if (adds || left < 0.0) && left < low {
                    low = left;
                }
                buffer = larger(buffer - at.rate * took, 0.0);
            } else {
                stall += took;
                low = if low < 0.0 { low } else { 0.0 };
            }
            if adds {
                buffer += self.chunk;
                playing = true;
            }
            t = end;
        }
        let buffer = larger(buffer - at.rate * larger(self.segment + self.publish - t, 0.0), 0.0);
        After { buffer, stall: stall + self.danger(low) }
    }

    /// Seconds between the start of a segment's making and now, with `buffered` of its parts in the buffer.
    pub(crate) fn since_start(&self, at: Moment, buffered: usize) -> f64 {
        at.latency - at.buffer + self.chunk * buffered as f64
    }

    /// When part `j` is there for viewers, in seconds since its segment began to be made.
    pub(crate) fn made(&self, j: usize) -> f64 {
        (j + 1) as f64 * self.chunk + self.publish
    }

    /// Share of the segment's bits that part `j` has.
    pub(crate) fn share(&self, j: usize) -> f64 {
        self.shares.get(j).copied().unwrap_or(0.0)
    }

    pub(crate) fn part_count(&self) -> usize {
        self.parts
    }

    fn danger(&self, low: f64) -> f64 {
        let depth = larger(self.margin - larger(low, 0.0), 0.0);
        0.5 * depth * depth / self.margin
    }
}

/// The larger of two numbers; `f64::max` costs more, for the sake of NaN, which does not come here.
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The first part has the key frame: this many times the size of a mean part.
const FIRST_PART: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(config: Config) -> Stage {
        Stage::new(&config, 0.5)
    }

    #[test]
    fn recorded_media_never_buffers_more_than_leaves_room_for_a_segment() {
        let at = Moment { buffer: 18.0, latency: 0.0, rate: 1.0, playing: true };
        let after = stage(Config::vod()).segment(at, 1e6, 0.04, 10e6);
        assert_eq!((after.buffer, after.stall), (18.0, 0.0));
    }

    #[test]
    fn transfer_longer_than_the_buffer_stalls_for_the_difference_and_the_whole_margin() {
        let at = Moment { buffer: 1.0, latency: 0.0, rate: 1.0, playing: true };
        let after = stage(Config::vod()).segment(at, 3e6, 0.0, 1e6);
        assert!((after.stall - 2.25).abs() < 1e-9);
        assert_eq!(after.buffer, 2.0);
    }

    #[test]
    fn live_segment_is_asked_for_when_the_next_one_is_complete() {
        let at = Moment { buffer: 5.6, latency: 8.0, rate: 1.0, playing: true };
        let after = stage(Config::live()).segment(at, 1e6, 0.0, 1e6);
        assert!((after.buffer - 5.6).abs() < 1e-9, "{after:?}");
    }

    #[test]
    fn parts_on_a_fast_link_keep_the_distance_to_live() {
        let at = Moment { buffer: 2.4, latency: 2.5, rate: 1.0, playing: true };
        let after = stage(Config::low_latency()).segment(at, 1e6, 0.04, 1e9);
        assert!((after.buffer - 2.4).abs() < 0.03, "{after:?}");
        assert!(after.stall < 1e-9);
    }
}
