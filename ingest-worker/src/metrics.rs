use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tidegate_stream::StreamId;

/// What the worker has done since it started.
#[derive(Debug, Default)]
pub struct Metrics {
    ready: AtomicBool,
    streams: Mutex<BTreeMap<StreamId, Arc<StreamMetrics>>>,
}

/// What one stream has done.
#[derive(Debug, Default)]
pub struct StreamMetrics {
    /// Whether it has a publisher.
    pub live: AtomicBool,
    /// Bytes of tags that came in.
    pub input_bytes: AtomicU64,
    /// Pictures that came in.
    pub input_frames: AtomicU64,
    /// Records that the packager made: parts of the whole ladder.
    pub parts: AtomicU64,
    /// Renditions that were missing in a part.
    pub late_parts: AtomicU64,
    /// Discontinuities.
    pub discontinuities: AtomicU64,
    /// Times that ffmpeg had to be started again.
    pub ffmpeg_restarts: AtomicU64,
    /// From the arrival of a part's last frame to the part.
    pub part_time: Times,
}

/// How long something takes: the newest measurements, for percentiles.
#[derive(Debug, Default)]
pub struct Times(Mutex<Vec<u32>>);

/// Measurements kept: some minutes of parts.
const TIMES_KEPT: usize = 512;

impl Metrics {
    /// The numbers of a stream.
    pub fn stream(&self, stream: &StreamId) -> Arc<StreamMetrics> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(streams.entry(stream.clone()).or_default())
    }

    /// Whether publishers are accepted.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Relaxed);
    }

    /// Whether publishers are accepted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&StreamMetrics) -> u64| {
            let _ = writeln!(text, "# HELP tidegate_ingest_{name} {help}\n# TYPE tidegate_ingest_{name} {kind}");
            for (stream, metrics) in streams.iter() {
                let _ = writeln!(text, "tidegate_ingest_{name}{{stream=\"{stream}\"}} {}", value(metrics));
            }
        };
        family("live", "gauge", "Whether the stream has a publisher.", &|m| u64::from(m.live.load(Relaxed)));
        family("input_bytes_total", "counter", "Bytes that came in.", &|m| m.input_bytes.load(Relaxed));
        family("input_frames_total", "counter", "Pictures that came in.", &|m| m.input_frames.load(Relaxed));
        family("parts_total", "counter", "Parts of the whole ladder.", &|m| m.parts.load(Relaxed));
        family("late_parts_total", "counter", "Parts in which a rendition was missing.", &|m| m.late_parts.load(Relaxed));
        family("discontinuities_total", "counter", "Discontinuities.", &|m| m.discontinuities.load(Relaxed));
        family("ffmpeg_restarts_total", "counter", "Times that ffmpeg had to be started again.", &|m| m.ffmpeg_restarts.load(Relaxed));
        let name = "tidegate_ingest_part_seconds";
        let _ = writeln!(text, "# HELP {name} From the arrival of a part's last frame to the part.\n# TYPE {name} summary");
        for (stream, metrics) in streams.iter() {
            for (quantile, value) in [("0.5", metrics.part_time.percentile(50)), ("0.99", metrics.part_time.percentile(99))] {
                let Some(value) = value else { continue };
                let _ = writeln!(text, "{name}{{stream=\"{stream}\",quantile=\"{quantile}\"}} {}", value.as_secs_f64());
            }
        }
        text
    }
}

impl StreamMetrics {
    /// Whether the stream has a publisher.
    pub fn set_live(&self, live: bool) {
        self.live.store(live, Relaxed);
    }
}

impl Times {
    /// Adds a measurement.
    pub fn add(&self, time: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= TIMES_KEPT {
            times.remove(0);
        }
        times.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// The time that `percent` of the measurements do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        times.sort_unstable();
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).map(|micros| Duration::from_micros(u64::from(*micros)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_each_stream() {
        let metrics = Metrics::default();
        let stream = metrics.stream(&StreamId::parse("demo").unwrap());
        stream.parts.store(3, Relaxed);
        stream.part_time.add(Duration::from_millis(2));
        let text = metrics.text();
        assert!(text.contains("tidegate_ingest_parts_total{stream=\"demo\"} 3\n"));
        assert!(text.contains("tidegate_ingest_part_seconds{stream=\"demo\",quantile=\"0.99\"} 0.002\n"));
    }

    #[test]
    fn percentiles_are_of_the_newest_measurements() {
        let times = Times::default();
        assert_eq!(times.percentile(50), None);
        for ms in 1..=1000 {
            times.add(Duration::from_millis(ms));
        }
        assert_eq!(times.percentile(100), Some(Duration::from_millis(1000)));
        assert_eq!(times.percentile(0), Some(Duration::from_millis(489)));
    }
}
