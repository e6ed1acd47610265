//! What viewers report as numbers that only grow, for systems that watch many things (Prometheus, OpenTelemetry).

use alloc::{collections::BTreeMap, format, string::String};
use core::fmt::Write as _;

use tidegate_stream::StreamId;

use crate::{compactor::Settled, quantiles::Quantiles, window::Window};

/// What the figures of streams have come to since this began. A minute that is added up again takes the place of what it was.
#[derive(Debug, Default)]
pub struct Audience(BTreeMap<StreamId, Stream>);

#[derive(Debug, Default)]
struct Stream {
    viewers: u64,
    sums: Sums,
    /// What minutes that may still grow have added.
    minutes: BTreeMap<u64, Sums>,
    heard_minute: u64,
    /// Of the newest minute that is over.
    startup_ms: Quantiles,
    latency_ms: Quantiles,
}

/// A sketch: its name, what it means, and where it is.
type Sketch = (&'static str, &'static str, fn(&Stream) -> &Quantiles);

type Sums = [u64; COUNTERS.len()];

/// A number that only grows: its name, what it means, where it is in a window, and how many of it make one.
struct Counter {
    name: &'static str,
    help: &'static str,
    of: fn(&Window) -> u64,
    unit: u64,
}

const fn counter(name: &'static str, help: &'static str, of: fn(&Window) -> u64) -> Counter {
    Counter { name, help, of, unit: 1 }
}

/// Times are added up in ms, and told in s.
const COUNTERS: [Counter; 9] = [
    Counter { unit: 1000, ..counter("watched_seconds_total", "Time watched.", |window| window.all.played_ms) },
    Counter { unit: 1000, ..counter("stalled_seconds_total", "Time in which the picture stood still.", |window| window.all.stalled_ms) },
    counter("rebuffers_total", "Stalls.", |window| window.all.stalls),
    counter("attempts_total", "Playbacks that began.", |window| window.all.attempts),
    counter("plays_total", "Playbacks that showed a picture.", |window| window.all.plays),
    counter("start_failures_total", "Playbacks that failed before a picture.", |window| window.all.start_failures),
    counter("exits_before_start_total", "Playbacks that were left before a picture.", |window| window.all.exits_before_start),
    counter("errors_total", "Errors that players told.", |window| window.all.errors),
    counter("lines_dropped_total", "Lines of reports that were not counted: repeated, forged, beyond a bound.", |window| {
        window.dropped_events
    }),
];
const QUANTILES: [(&str, u64); 3] = [("0.5", 500), ("0.95", 950), ("0.99", 990)];
/// A minute is added up again for ten minutes.
const MINUTES_KEPT: u64 = 12;
/// A stream of which nothing was heard for so long is no longer told of.
const SILENT_MINUTES: u64 = 24 * 60;
/// Streams that are told of.
const STREAMS_MAX: usize = 4_000;
const MINUTE_MS: u64 = 60_000;

impl Audience {
    /// Takes how many watch a stream at this moment.
    pub fn show(&mut self, stream: &StreamId, viewers: u64, now_ms: u64) {
        if let Some(known) = self.stream(stream) {
            known.viewers = viewers;
            known.heard_minute = known.heard_minute.max(now_ms / MINUTE_MS);
        }
    }

    /// Takes a minute as far as it is known.
    pub fn settle(&mut self, settled: &Settled) {
        let minute = settled.minute;
        for (stream, window) in &settled.windows {
            let Some(known) = self.stream(stream) else { continue };
            let sums = COUNTERS.map(|counter| (counter.of)(window));
            let before = known.minutes.entry(minute).or_default();
            for (sum, (now, before)) in known.sums.iter_mut().zip(sums.into_iter().zip(before)) {
                // A minute only grows; where it did not, these numbers still do not shrink.
                *sum = sum.saturating_add(now.saturating_sub(*before));
                *before = now.max(*before);
            }
            if known.minutes.last_key_value().is_some_and(|(newest, _)| *newest == minute) {
                (known.startup_ms, known.latency_ms) = (window.startup_ms.clone(), window.latency_ms.clone());
            }
            known.minutes = known.minutes.split_off(&minute.saturating_sub(MINUTES_KEPT));
            known.heard_minute = known.heard_minute.max(minute);
        }
        self.0.retain(|_, known| known.viewers > 0 || known.heard_minute + SILENT_MINUTES > minute);
    }

    /// Forgets all: another process adds up from here on.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The text that Prometheus reads; nothing where no stream is known.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.0.is_empty() {
            return text;
        }
        // Writing to a String does not fail.
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(text, "# HELP tidegate_{name} {help}\n# TYPE tidegate_{name} {kind}");
        };
        head(&mut text, "viewers", "gauge", "Viewers at this moment.");
        for (stream, known) in &self.0 {
            let _ = writeln!(text, "tidegate_viewers{{stream=\"{stream}\"}} {}", known.viewers);
        }
        for (at, Counter { name, help, unit, .. }) in COUNTERS.iter().enumerate() {
            head(&mut text, &format!("viewers_{name}"), "counter", help);
            for (stream, known) in &self.0 {
                let sum = known.sums.get(at).copied().unwrap_or(0);
                let _ = writeln!(text, "tidegate_viewers_{name}{{stream=\"{stream}\"}} {}", sum as f64 / *unit as f64);
            }
        }
        let sketches: [Sketch; 2] = [
            ("startup_seconds", "From the wish to play to the first picture, in the newest minute that is over.", |known| {
                &known.startup_ms
            }),
            ("latency_seconds", "Distance from the live edge, in the newest minute that is over.", |known| &known.latency_ms),
        ];
        for (name, help, of) in sketches {
            head(&mut text, &format!("viewers_{name}"), "gauge", help);
            for ((stream, known), (quantile, per_mille)) in self.0.iter().flat_map(|known| QUANTILES.map(|quantile| (known, quantile))) {
                if let Some(ms) = of(known).at(per_mille) {
                    let value = f64::from(ms) / 1000.0;
                    let _ = writeln!(text, "tidegate_viewers_{name}{{stream=\"{stream}\",quantile=\"{quantile}\"}} {value}");
                }
            }
        }
        text
    }

    fn stream(&mut self, stream: &StreamId) -> Option<&mut Stream> {
        if self.0.len() >= STREAMS_MAX && !self.0.contains_key(stream) {
            return None;
        }
        Some(self.0.entry(stream.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn settled(minute: u64, played_ms: u64, latency_ms: u32) -> Settled {
        let mut window = Window::default();
        window.all.played_ms = played_ms;
        window.all.stalls = played_ms / 1000;
        window.latency_ms.add(latency_ms);
        let stream = StreamId::parse("demo").unwrap();
        Settled { minute, windows: [(stream, window)].into(), lost: Vec::new() }
    }

    #[test]
    fn a_minute_that_is_added_up_again_counts_once_and_nothing_shrinks() {
        let mut audience = Audience::default();
        assert_eq!(audience.text(), "");
        audience.settle(&settled(100, 30_000, 2000));
        audience.settle(&settled(101, 10_500, 3000));
        audience.settle(&settled(100, 40_000, 9000));
        audience.settle(&settled(100, 20_000, 9000));
        audience.show(&StreamId::parse("demo").unwrap(), 7, 101 * MINUTE_MS);
        let text = audience.text();
        assert!(text.contains("tidegate_viewers{stream=\"demo\"} 7\n"), "{text}");
        assert!(text.contains("# TYPE tidegate_viewers_watched_seconds_total counter\n"), "{text}");
        assert!(text.contains("tidegate_viewers_watched_seconds_total{stream=\"demo\"} 50.5\n"), "{text}");
        assert!(text.contains("tidegate_viewers_rebuffers_total{stream=\"demo\"} 50\n"), "{text}");
        assert!(text.contains("tidegate_viewers_latency_seconds{stream=\"demo\",quantile=\"0.5\"} 2.9"), "the newest minute: {text}");
        assert!(!text.contains("tidegate_viewers_startup_seconds{"), "nothing is said of what was not told: {text}");
    }

    #[test]
    fn streams_that_fell_silent_are_forgotten_and_there_are_never_too_many() {
        let mut audience = Audience::default();
        for n in 0..STREAMS_MAX + 5 {
            audience.show(&StreamId::parse(&format!("s{n}")).unwrap(), 0, 100 * MINUTE_MS);
        }
        assert_eq!(audience.0.len(), STREAMS_MAX);
        audience.settle(&settled(100 + SILENT_MINUTES, 1000, 1));
        assert!(audience.0.is_empty(), "it was full when this one came");
        audience.settle(&settled(100 + SILENT_MINUTES, 1000, 1));
        assert_eq!(audience.0.len(), 1);
        audience.clear();
        assert_eq!(audience.text(), "");
    }
}
