use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{
    ObjectKey, lock,
    upstream::{Ask, FetchError, Found, UpstreamClient},
};
use crate::{Metrics, Upstream};

/// A second bucket to which a worker copies what the first has confirmed. It answers for the first where that fails, and only with what never
/// changes: whether something is not there yet, or what is newest, the first alone can say.
pub(super) struct Mirror {
    client: UpstreamClient,
    failed: Mutex<Option<Instant>>,
    metrics: Arc<Metrics>,
}

/// After the first has failed the second is asked before it for so long: a request to who does not answer takes seconds.
const FAILED: Duration = Duration::from_secs(5);

impl Mirror {
    pub(super) fn new(upstream: Upstream, metrics: Arc<Metrics>) -> Result<Self, FetchError> {
        let client = UpstreamClient::new(upstream, Arc::clone(&metrics))?;
        Ok(Self { client, failed: Mutex::default(), metrics })
    }

    /// Reads an object from the first, or from the second where that fails.
    pub(super) async fn get(&self, first: &UpstreamClient, key: &ObjectKey, ask: &Ask) -> Result<Found, FetchError> {
        let has_failed = lock(&self.failed).is_some_and(|at| at.elapsed() < FAILED);
        if has_failed && let Some(found) = self.copy(key, ask).await {
            return Ok(found);
        }
        let answer = first.get(key, ask).await;
        let error = match answer {
            Err(error @ (FetchError::Unreachable(_) | FetchError::Slow(_))) => error,
            Err(FetchError::Status(status, text)) if status.is_server_error() => FetchError::Status(status, text),
            settled => return settled,
        };
        *lock(&self.failed) = Some(Instant::now());
        if has_failed {
            return Err(error);
        }
        self.copy(key, ask).await.ok_or(error)
    }

    async fn copy(&self, key: &ObjectKey, ask: &Ask) -> Option<Found> {
        let ask = Ask { range: ask.range, limit: ask.limit, ..Ask::default() };
        match self.client.get_once(key, &ask).await {
            Ok(Found::Object(object)) if object.immutable => {
                self.metrics.mirror_gets.add(1);
                Some(Found::Object(object))
            }
            Ok(_) | Err(_) => None,
        }
    }
}
