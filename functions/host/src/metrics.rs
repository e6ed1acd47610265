use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What the host counts, for `/metrics`.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) connections: Gauge,
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
    pub(crate) waits: Counter,
    pub(crate) watchers: Gauge,
    pub(crate) watch_polls: Counter,
    pub(crate) objects_kept: Counter,
    pub(crate) upstream_gets: Counter,
    pub(crate) upstream_writes: Counter,
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
    /// The text form that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let gauges = [
            ("connections", "Viewers' connections.", self.connections.value()),
            ("requests_open", "Viewers' requests without an answer so far, parked ones included.", self.requests_open.value()),
            ("watchers", "Keys watched.", self.watchers.value()),
        ];
        let counters = [
            ("requests", "Viewers' requests.", self.requests.value()),
            ("answers_kept", "Requests answered from a kept answer.", self.answers_kept.value()),
            ("answers_shared", "Requests that joined an identical one in flight.", self.answers_shared.value()),
            ("answers_refused", "Requests refused for overload.", self.answers_refused.value()),
            ("guest_calls", "Calls of the component.", self.guest_calls.value()),
            ("guest_traps", "Calls of the component that ended in a trap.", self.guest_traps.value()),
            ("guest_timeouts", "Calls of the component that took too long.", self.guest_timeouts.value()),
            ("guest_fetches", "Objects that the component read.", self.guest_fetches.value()),
            ("guest_writes", "Objects that the component wrote or deleted.", self.guest_writes.value()),
            ("guest_loads", "Foreign addresses that the component read.", self.guest_loads.value()),
            ("waits", "Answers that waited for a key.", self.waits.value()),
            ("watch_polls", "GETs that looked for a watched key.", self.watch_polls.value()),
            ("objects_kept", "Objects read from memory.", self.objects_kept.value()),
            ("upstream_gets", "GETs sent upstream.", self.upstream_gets.value()),
            ("upstream_writes", "PUTs and DELETEs sent upstream.", self.upstream_writes.value()),
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
        text
    }
}
