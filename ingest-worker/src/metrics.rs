use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tidegate_beacon::Audience;
use tidegate_stream::StreamId;

use crate::store::{Quantiles, Stats, Window};

/// What the worker has done since it started.
#[derive(Debug, Default)]
pub struct Metrics {
    ready: AtomicBool,
    streams: Mutex<BTreeMap<StreamId, Arc<StreamMetrics>>>,
    /// Known where this process adds up what viewers report.
    audience: Mutex<Audience>,
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
    /// Whether a slate is shown in place of the source.
    pub slate: AtomicBool,
    /// By how much PROGRAM-DATE-TIME was corrected, since the source's clock is not ours, in us.
    pub clock_us: AtomicU64,
    /// Times that ffmpeg had to be started again.
    pub ffmpeg_restarts: AtomicU64,
    /// Objects that the second bucket lacks.
    pub mirror_lost: AtomicU64,
    /// Bytes that wait for it.
    pub mirror_waiting_bytes: AtomicU64,
    /// Times that a rung was left out because the encoders were behind.
    pub rungs_dropped: AtomicU64,
    /// From the arrival of a part's last frame to the part of all renditions: with a ladder its slowest encoder is in it.
    pub part_time: Times,
    /// What the writer of the newest session has done, as of the newest part.
    store: Mutex<Stats>,
}

/// A quantile that is told: its name, and where it is.
type Told = (&'static str, fn(&Quantiles) -> Duration);

/// What a summary says of one thing: its labels beside the stream, the quantiles, and the figures.
type Summary = (&'static str, &'static [Told], Quantiles);

/// How long something takes.
#[derive(Debug, Default)]
pub struct Times(Mutex<Window>);

impl Metrics {
    /// The numbers of a stream.
    pub fn stream(&self, stream: &StreamId) -> Arc<StreamMetrics> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(streams.entry(stream.clone()).or_default())
    }

    /// The numbers of every stream that has had a publisher.
    #[must_use]
    pub fn streams(&self) -> Vec<(StreamId, Arc<StreamMetrics>)> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().map(|(stream, metrics)| (stream.clone(), Arc::clone(metrics))).collect()
    }

    /// What viewers report, for who adds it up.
    pub(crate) fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
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
        family("slate", "gauge", "Whether a slate is shown, since the source is away.", &|m| u64::from(m.slate.load(Relaxed)));
        family("ffmpeg_restarts_total", "counter", "Times that ffmpeg had to be started again.", &|m| m.ffmpeg_restarts.load(Relaxed));
        family("rungs_dropped_total", "counter", "Times that a rung was left out because the encoders were behind.", &|m| {
            m.rungs_dropped.load(Relaxed)
        });
        family("session_puts", "gauge", "PUT requests of the newest session, hedges and retries included.", &|m| m.store().puts);
        family("session_put_hedges", "gauge", "Of these, sent a second time because the first took long.", &|m| m.store().hedges);
        family("session_put_retries", "gauge", "Of these, sent again because the store could not.", &|m| m.store().retries);
        family("waiting_bytes", "gauge", "Bytes in memory that are not durable yet.", &|m| m.store().waiting_bytes as u64);
        family("spooled_bytes", "gauge", "Bytes on disk that are not durable yet.", &|m| m.store().spooled_bytes);
        family("mirror_waiting_bytes", "gauge", "Bytes in memory that wait for the second bucket.", &|m| {
            m.mirror_waiting_bytes.load(Relaxed)
        });
        family("mirror_lost", "gauge", "Objects of the newest session that the second bucket lacks.", &|m| m.mirror_lost.load(Relaxed));
        // With their sums and counts, without which readers of summaries (OpenTelemetry's) take nothing.
        let mut summary = |name: &str, help: &str, values: &dyn Fn(&StreamMetrics) -> Vec<Summary>| {
            let _ = writeln!(text, "# HELP tidegate_ingest_{name} {help}\n# TYPE tidegate_ingest_{name} summary");
            for (stream, metrics) in streams.iter() {
                for (labels, told, values) in values(metrics).into_iter().filter(|(_, _, values)| values.count > 0) {
                    for (quantile, value) in told {
                        let seconds = value(&values).as_secs_f64();
                        let _ = writeln!(text, "tidegate_ingest_{name}{{stream=\"{stream}\"{labels},quantile=\"{quantile}\"}} {seconds}");
                    }
                    let (sum, count) = (values.sum.as_secs_f64(), values.seen);
                    let _ = writeln!(text, "tidegate_ingest_{name}_sum{{stream=\"{stream}\"{labels}}} {sum}");
                    let _ = writeln!(text, "tidegate_ingest_{name}_count{{stream=\"{stream}\"{labels}}} {count}");
                }
            }
        };
        summary("part_seconds", "From the arrival of a part's last frame to the part.", &|m| {
            vec![("", &[("0.5", |q| q.p50), ("0.95", |q| q.p95), ("0.99", |q| q.p99)], m.part_time.quantiles())]
        });
        summary("put_seconds", "From the submission of an object to its being durable; `log` is what viewers wait for.", &|m| {
            let Stats { log, index, .. } = m.store();
            let told: &[Told] = &[("0.5", |q| q.p50), ("0.99", |q| q.p99)];
            vec![(",lane=\"log\"", told, log), (",lane=\"index\"", told, index)]
        });
        text + &self.audience().text()
    }
}

impl StreamMetrics {
    /// Whether the stream has a publisher.
    pub fn set_live(&self, live: bool) {
        self.live.store(live, Relaxed);
    }

    /// Takes what the writer has done so far.
    pub(crate) fn set_store(&self, stats: Stats) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }

    /// What the writer of the newest session has done.
    #[must_use]
    pub fn store(&self) -> Stats {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    /// Adds a measurement.
    pub fn add(&self, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(time);
    }

    /// The measurements as far as they are kept.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).quantiles()
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
        let mut log = Window::default();
        [7, 20].into_iter().for_each(|ms| log.add(Duration::from_millis(ms)));
        stream.set_store(Stats { puts: 12, log: log.quantiles(), ..Stats::default() });
        let text = metrics.text();
        assert!(text.contains("tidegate_ingest_parts_total{stream=\"demo\"} 3\n"));
        assert!(text.contains("tidegate_ingest_part_seconds{stream=\"demo\",quantile=\"0.99\"} 0.002\n"));
        assert!(text.contains("tidegate_ingest_session_puts{stream=\"demo\"} 12\n"));
        for line in [
            "put_seconds{stream=\"demo\",lane=\"log\",quantile=\"0.99\"} 0.02",
            "put_seconds_sum{stream=\"demo\",lane=\"log\"} 0.027",
            "put_seconds_count{stream=\"demo\",lane=\"log\"} 2",
            "part_seconds_sum{stream=\"demo\"} 0.002",
            "part_seconds_count{stream=\"demo\"} 1",
        ] {
            assert!(text.contains(&format!("tidegate_ingest_{line}\n")), "{line}: {text}");
        }
        assert!(!text.contains("lane=\"index\""), "nothing is said of what was not measured: {text}");
    }
}
