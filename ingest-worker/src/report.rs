//! How inputs are doing, told where figures of viewers are: the worker counts as an edge does, and the compactor adds both up.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use tidegate_beacon::{Collector, Ingest};
use tidegate_stream::{InstanceId, StreamId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    metrics::{Metrics, StreamMetrics},
    store::{AnyBucket, Bucket, Condition, PutError},
};

/// How often inputs are measured.
const EVERY: Duration = Duration::from_secs(5);

/// What a stream had done at a look.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    bytes: u64,
    frames: u64,
    late_parts: u64,
    clock_us: u64,
}

/// Measures the inputs of a worker until `stop`, and writes that down.
#[must_use = "nothing happens before it is awaited"]
pub fn report(metrics: Arc<Metrics>, store: impl Bucket, stop: CancellationToken) -> BoxFuture<'static, ()> {
    go_on(metrics, AnyBucket::new(store), stop)
}

// Polled through a pointer, so that it is compiled in this crate.
fn go_on(metrics: Arc<Metrics>, store: AnyBucket, stop: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(measure(metrics, store, stop))
}

async fn measure(metrics: Arc<Metrics>, store: AnyBucket, stop: CancellationToken) {
    let seed = format!("{:?} {} ingest", SystemTime::now(), std::process::id());
    let mut id = [0; 8];
    id.copy_from_slice(&tidegate_stream::Hash::of(seed.as_bytes()).0[..8]);
    let mut collector = Collector::new(InstanceId(u64::from_le_bytes(id)), "worker".into());
    let mut seen: BTreeMap<StreamId, Seen> = BTreeMap::new();
    loop {
        let end = tokio::select! {
            () = stop.cancelled() => true,
            () = sleep(EVERY) => false,
        };
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        for (stream, metrics) in metrics.streams() {
            let look = Seen::of(&metrics);
            if !metrics.live.load(Relaxed) {
                seen.remove(&stream);
            } else if let Some(before) = seen.insert(stream.clone(), look) {
                let sample = look.since(before, &metrics);
                collector.add(&stream, now_ms, |window| window.ingest.merge(&sample));
            }
        }
        while let Some(put) = collector.next(now_ms, end) {
            let condition = if put.key.is_write_once() { Condition::Absent } else { Condition::Any };
            let stored = store.put(&put.key.into(), put.bytes.into(), condition).await;
            let done = !matches!(stored, Err(PutError::Unavailable(_) | PutError::Refused(_)));
            if let Err(error @ (PutError::Unavailable(_) | PutError::Refused(_))) = &stored {
                warn!(%error, "figures of inputs are not written");
            }
            collector.done(done, now_ms);
        }
        if end {
            return;
        }
    }
}

impl Seen {
    fn of(metrics: &StreamMetrics) -> Self {
        Self {
            at: Instant::now(),
            bytes: metrics.input_bytes.load(Relaxed),
            frames: metrics.input_frames.load(Relaxed),
            late_parts: metrics.late_parts.load(Relaxed),
            clock_us: metrics.clock_us.load(Relaxed),
        }
    }

    fn since(self, before: Self, metrics: &StreamMetrics) -> Ingest {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (log, part) = (metrics.store().log, metrics.part_time.quantiles());
        Ingest {
            time_ms: ms(self.at.duration_since(before.at)),
            bytes: self.bytes.saturating_sub(before.bytes),
            frames: self.frames.saturating_sub(before.frames),
            late_parts: self.late_parts.saturating_sub(before.late_parts),
            drift_ms: self.clock_us.saturating_sub(before.clock_us).div_ceil(1000),
            part_p50_ms: ms(part.p50),
            part_p99_ms: ms(part.p99),
            put_p50_ms: ms(log.p50),
            put_p99_ms: ms(log.p99),
        }
    }
}
