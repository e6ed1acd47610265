//! Brings what happens to webhooks. All decisions are those of `tidegate_metadata::Sender`; this reads, writes, posts and waits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_foreign::{Foreign, Loads};
use tidegate_function::{Condition as Asked, Fetched, Stored, World};
use tidegate_ingest_worker::store::{Bucket, Condition, Etag, PutError};
use tidegate_metadata::{Act, Came, Delivery, POST_TIME_MS, Schedule, Sender};
use tidegate_stream::Key;
use tokio::{signal::ctrl_c, time::sleep};

use crate::{cli::WebhooksOptions, metadata::random, stream, up::bucket::random_hex};

/// Posts have times of their own, and what is answered does not count: nothing is read by this way.
const NO_LOADS: Loads = Loads { at_once: 1, time: Duration::from_secs(1), bytes: 0 };

/// The way to webhooks that are public, and to those that are named as `host:port`.
#[must_use]
pub fn outside(named: &[String]) -> Foreign {
    Foreign::new(named, NO_LOADS)
}

pub(crate) async fn run(options: WebhooksOptions) -> anyhow::Result<()> {
    let store = stream::open(&options.bucket).await?;
    let deliver = deliver(store, outside(&options.private), Schedule::default(), now_utc_ms);
    tokio::select! {
        ended = deliver => ended.map(|never| match never {}),
        stopped = ctrl_c() => stopped.context("signals cannot be awaited"),
    }
}

/// Sends for ever, or stands by where another sender does. It may be stopped at any moment: nothing is lost by that.
pub async fn deliver(
    bucket: impl Bucket,
    outside: Foreign,
    schedule: Schedule,
    now_utc_ms: impl Fn() -> u64,
) -> anyhow::Result<std::convert::Infallible> {
    let mut sender = Sender::new(random_hex(8)?, schedule);
    loop {
        let world = World { now_utc_ms: now_utc_ms(), random: random()? };
        let came = match sender.poll(&world) {
            Act::Fetch { key } => Came::Fetched(fetch(&bucket, &key).await),
            Act::Store { key, body, condition } => Came::Stored(store(&bucket, &key, body, condition).await),
            Act::Post(deliveries) => {
                let statuses = join_all(deliveries.into_iter().map(|delivery| post(&outside, delivery))).await;
                Came::Posted { now_utc_ms: now_utc_ms(), statuses }
            }
            Act::Rest { ms } => {
                sleep(Duration::from_millis(ms)).await;
                Came::Rested
            }
        };
        sender.handle(came);
    }
}

async fn post(outside: &Foreign, Delivery { url, event, headers, body }: Delivery) -> Option<u16> {
    let field = |(name, value): (&'static str, String)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?));
    let headers: HeaderMap = headers.into_iter().filter_map(field).collect();
    let status = outside.post(url.parse().ok()?, headers, body.into(), Duration::from_millis(POST_TIME_MS)).await;
    tracing::debug!(event, ?status, "an event is posted");
    status.map(|status| status.as_u16())
}

async fn fetch(bucket: &impl Bucket, key: &Key) -> Fetched {
    match bucket.get(key).await {
        Ok(Some(object)) => Fetched::Got { bytes: object.bytes.to_vec(), etag: Some(object.etag.0), age_ms: None },
        Ok(None) => Fetched::Missing,
        Err(error) => {
            tracing::debug!(%key, %error, "the sender of webhooks cannot read");
            Fetched::Failed
        }
    }
}

async fn store(bucket: &impl Bucket, key: &Key, body: Vec<u8>, condition: Asked) -> Stored {
    let condition = match condition {
        Asked::None => Condition::Any,
        Asked::Absent => Condition::Absent,
        Asked::Match(etag) => Condition::Match(Etag(etag)),
    };
    match bucket.put(key, body.into(), condition).await {
        Ok(Etag(etag)) => Stored::Done { etag: Some(etag) },
        Err(PutError::Exists | PutError::Changed) => Stored::Conflict,
        Err(PutError::Unavailable(_) | PutError::Refused(_)) => Stored::Failed,
    }
}

/// The clock.
#[must_use]
pub fn now_utc_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
