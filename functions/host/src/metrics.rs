use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use http::StatusCode;

/// What the host counts, for `/metrics`.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) shielded: Counter,
    answers: [Counter; 5],
    times: Histogram,
    pub(crate) requests: Counter,
    pub(crate) requests_open: Gauge,
    pub(crate) answers_kept: Counter,
    pub(crate) answers_shared: Counter,
    pub(crate) answers_refused: Counter,
    pub(crate) guest_calls: Counter,
    pub(crate) guest_traps: Counter,
    pub(crate) guest_timeouts: Counter,
    pub(crate) guest_fetches: Counter,
    pub(crate) guest_writes: Counter,
    pub(crate) guest_loads: Counter,
    pub(crate) raw_lines: Counter,
    pub(crate) raw_lost: Counter,
    pub(crate) waits: Counter,
    pub(crate) watchers: Gauge,
    pub(crate) watch_polls: Counter,
    pub(crate) objects_kept: Counter,
    pub(crate) upstream_gets: Counter,
    pub(crate) upstream_writes: Counter,
    pub(crate) mirror_gets: Counter,
    pub(crate) upstream_bytes: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// A number of things that are there now.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

/// One thing that is there until this is dropped.
pub(crate) struct Held<'a>(&'a Gauge);

/// The upper ends of the classes of [`Histogram`], in ms: an answer that is kept, one that is made, one that waited for a part, and more.
const CLASSES_MS: [u64; 8] = [1, 5, 20, 100, 300, 600, 1_500, 6_000];

/// How long answers took.
#[derive(Debug, Default)]
struct Histogram {
    classes: [Counter; CLASSES_MS.len()],
    sum_us: Counter,
    count: Counter,
}

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Gauge {
    pub(crate) fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Relaxed);
        Held(self)
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    /// An answer of this status is on its way.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        if let Some(class) = self.answers.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            class.add(1);
        }
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some((class, _)) = self.times.classes.iter().zip(CLASSES_MS).find(|(_, end_ms)| took_us <= end_ms * 1000) {
            class.add(1);
        }
        self.times.sum_us.add(took_us);
        self.times.count.add(1);
    }

    /// The text form that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let gauges = [
            ("connections", "Viewers' connections.", self.connections.value()),
            ("requests_open", "Viewers' requests without an answer so far, parked ones included.", self.requests_open.value()),
            ("watchers", "Keys watched.", self.watchers.value()),
        ];
        let counters = [
            ("requests", "Viewers' requests.", self.requests.value()),
            ("connections_refused", "Connections closed because their address has too many.", self.connections_refused.value()),
            ("shielded", "Objects asked for by other edges.", self.shielded.value()),
            ("answers_kept", "Requests answered from a kept answer.", self.answers_kept.value()),
            ("answers_shared", "Requests that joined an identical one in flight.", self.answers_shared.value()),
            ("answers_refused", "Requests refused for overload.", self.answers_refused.value()),
            ("guest_calls", "Calls of the component.", self.guest_calls.value()),
            ("guest_traps", "Calls of the component that ended in a trap.", self.guest_traps.value()),
            ("guest_timeouts", "Calls of the component that took too long.", self.guest_timeouts.value()),
            ("guest_fetches", "Objects that the component read.", self.guest_fetches.value()),
            ("guest_writes", "Objects that the component wrote or deleted.", self.guest_writes.value()),
            ("guest_loads", "Foreign addresses that the component read.", self.guest_loads.value()),
            ("raw_lines", "Lines of players' reports that another engine has taken.", self.raw_lines.value()),
            ("raw_lost", "Lines of players' reports that it has not taken and that are not sent again.", self.raw_lost.value()),
            ("waits", "Answers that waited for a key.", self.waits.value()),
            ("watch_polls", "GETs that looked for a watched key.", self.watch_polls.value()),
            ("objects_kept", "Objects read from memory.", self.objects_kept.value()),
            ("upstream_gets", "GETs sent upstream.", self.upstream_gets.value()),
            ("upstream_writes", "PUTs and DELETEs sent upstream.", self.upstream_writes.value()),
            ("mirror_gets", "Objects read from the second bucket, since the first has failed.", self.mirror_gets.value()),
            ("upstream_bytes", "Bytes of objects read from upstream.", self.upstream_bytes.value()),
        ];
        let mut text = String::new();
        for (name, help, value) in gauges {
            // Writing to a String does not fail.
            let _ = write!(text, "# HELP tidegate_host_{name} {help}\n# TYPE tidegate_host_{name} gauge\ntidegate_host_{name} {value}\n");
        }
        for (name, help, value) in counters {
            let _ = write!(
                text,
                "# HELP tidegate_host_{name}_total {help}\n# TYPE tidegate_host_{name}_total counter\ntidegate_host_{name}_total {value}\n"
            );
        }
        text.push_str("# HELP tidegate_host_answers_total Answers by class of status.\n# TYPE tidegate_host_answers_total counter\n");
        for (n, count) in self.answers.iter().enumerate() {
            let _ = writeln!(text, "tidegate_host_answers_total{{class=\"{}xx\"}} {}", n + 1, count.value());
        }
        self.times.write(&mut text);
        text
    }
}

impl Histogram {
    fn write(&self, text: &mut String) {
        const NAME: &str = "tidegate_host_answer_seconds";
        let _ = write!(text, "# HELP {NAME} Time to an answer, parked time included.\n# TYPE {NAME} histogram\n");
        let mut below = 0;
        for (class, end_ms) in self.classes.iter().zip(CLASSES_MS) {
            below += class.value();
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{}.{:03}\"}} {below}", end_ms / 1000, end_ms % 1000);
        }
        let (count, sum_us) = (self.count.value(), self.sum_us.value());
        let _ = writeln!(text, "{NAME}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{NAME}_sum {}.{:06}\n{NAME}_count {count}", sum_us / 1_000_000, sum_us % 1_000_000);
    }
}
