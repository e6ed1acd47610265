//! What functions want: objects of the host, read and written, and what is not ours.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tidegate_foreign::{Foreign, LoadError};
use tidegate_function::{Condition, Fetched, Input, Loaded, Said, Stored};

use crate::{
    Metrics,
    objects::{FetchError, Object, ObjectKey, Objects, Write},
    wire,
};

/// The most bytes that the component gets by one range of an object too large to be kept.
const LARGE_RANGE: u64 = 1 << 20;

/// Objects that are read ahead for one call, and how many of them at once.
const AHEAD_MOST: usize = 32;
const AHEAD_AT_ONCE: usize = 8;

/// Carries out what the component wants and does not do itself.
#[derive(Clone)]
pub(super) struct Carrier {
    objects: Arc<Objects>,
    foreign: Arc<Foreign>,
    /// The largest object that is written.
    store_body: usize,
    metrics: Arc<Metrics>,
}

impl Carrier {
    pub(super) fn new(objects: Arc<Objects>, foreign: Arc<Foreign>, store_body: usize, metrics: Arc<Metrics>) -> Self {
        Self { objects, foreign, store_body, metrics }
    }

    /// Does what was said; what is an answer is no errand, and fails.
    pub(super) async fn carry_out(&self, said: Said<'_>) -> Input {
        match said {
            Said::Fetch { key, range, fresh, ahead } => {
                self.metrics.guest_fetches.add(1);
                self.read_ahead(&ahead);
                Input::Fetched(self.fetch(key, range, fresh).await)
            }
            Said::Store { key, content_type, condition, body } => {
                self.metrics.guest_writes.add(1);
                Input::Stored(self.store(key, content_type, &condition, body).await)
            }
            Said::Delete { key } => {
                self.metrics.guest_writes.add(1);
                Input::Stored(self.delete(key).await)
            }
            Said::Load { url, headers, max_bytes, timeout_ms } => {
                self.metrics.guest_loads.add(1);
                Input::Loaded(self.load(url, &headers, max_bytes, timeout_ms).await)
            }
            Said::Respond { .. } | Said::Wait { .. } | Said::Send { .. } => Input::Fetched(Fetched::Failed),
        }
    }

    /// Begins to read what is asked for next, so that it is there by then.
    fn read_ahead(&self, keys: &[&str]) {
        let keys: Vec<ObjectKey> = keys.iter().take(AHEAD_MOST).filter_map(|key| ObjectKey::parse(key)).collect();
        if keys.is_empty() {
            return;
        }
        let objects = self.objects.clone();
        tokio::spawn(async move {
            let read = |key| {
                let objects = &objects;
                // Who asks for it is told what is wrong with it.
                async move { drop(objects.get(&key).await) }
            };
            stream::iter(keys).for_each_concurrent(AHEAD_AT_ONCE, read).await;
        });
    }

    async fn fetch(&self, key: &str, range: Option<(u64, u64)>, fresh: bool) -> Fetched {
        let Some(key) = ObjectKey::parse(key) else { return Fetched::Failed };
        match if fresh { self.objects.fresh(&key).await } else { self.objects.get(&key).await } {
            Ok(Some(object)) => found(&object, range),
            Ok(None) => Fetched::Missing,
            Err(FetchError::TooLarge(len)) => self.piece(&key, range, len).await,
            Err(error) => unavailable(&key, &error),
        }
    }

    /// A range of an object that is too large to be kept.
    async fn piece(&self, key: &ObjectKey, range: Option<(u64, u64)>, len: u64) -> Fetched {
        match range {
            Some((first, _)) if first >= len => Fetched::Missing,
            Some((first, last)) if last - first < LARGE_RANGE => match self.objects.piece(key, range).await {
                Ok(Some((bytes, _))) => Fetched::Got { bytes: bytes.to_vec(), etag: None, age_ms: None },
                Ok(None) => Fetched::Missing,
                Err(error) => unavailable(key, &error),
            },
            Some(_) | None => {
                tracing::warn!(%key, len, "an object is too large for the functions");
                Fetched::Failed
            }
        }
    }

    async fn store(&self, key: &str, content_type: &str, condition: &Condition, body: &[u8]) -> Stored {
        let (Some(key), Ok(content_type)) = (ObjectKey::parse(key), HeaderValue::from_str(content_type)) else { return Stored::Failed };
        if body.len() > self.store_body {
            tracing::warn!(%key, bytes = body.len(), "the functions want to write more than an object may have");
            return Stored::Failed;
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type);
        match condition {
            Condition::None => {}
            Condition::Absent => {
                headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            Condition::Match(etag) => {
                let Ok(etag) = HeaderValue::from_str(etag) else { return Stored::Failed };
                headers.insert(header::IF_MATCH, etag);
            }
        }
        match self.write(&key, Write { method: Method::PUT, headers, body: Bytes::copy_from_slice(body) }).await {
            // S3 says this of `If-Match` where there is no object.
            (Some(StatusCode::NOT_FOUND), _) if matches!(condition, Condition::Match(_)) => Stored::Conflict,
            (Some(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED), _) => Stored::Conflict,
            (Some(status), etag) if status.is_success() => Stored::Done { etag },
            (Some(_) | None, _) => Stored::Failed,
        }
    }

    async fn delete(&self, key: &str) -> Stored {
        let Some(key) = ObjectKey::parse(key) else { return Stored::Failed };
        match self.write(&key, Write { method: Method::DELETE, headers: HeaderMap::new(), body: Bytes::new() }).await {
            (Some(status), _) if status.is_success() || status == StatusCode::NOT_FOUND => Stored::Done { etag: None },
            (Some(_) | None, _) => Stored::Failed,
        }
    }

    async fn write(&self, key: &ObjectKey, write: Write) -> (Option<StatusCode>, Option<String>) {
        match self.objects.write(key, write).await {
            Ok(written) => (Some(written.status), written.etag.as_ref().and_then(text)),
            Err(error) => {
                tracing::warn!(%key, %error, "an object cannot be written");
                (None, None)
            }
        }
    }

    async fn load(&self, url: &str, headers: &[(&str, &str)], max_bytes: usize, timeout_ms: u32) -> Loaded {
        let Ok(uri) = Uri::try_from(url) else { return Loaded::Denied };
        let pairs = headers
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?)));
        let mut sent: HeaderMap = pairs.collect();
        wire::strip(&mut sent);
        match self.foreign.get(uri, sent, Some(max_bytes), Some(Duration::from_millis(timeout_ms.into()))).await {
            Ok(mut loaded) => {
                wire::strip(&mut loaded.headers);
                let headers = loaded.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
                Loaded::Got { status: loaded.status.as_u16(), headers: headers.collect(), body: loaded.body.to_vec() }
            }
            Err(error) => {
                tracing::info!(url, %error, "a foreign address cannot be read");
                match error {
                    LoadError::Denied(_) => Loaded::Denied,
                    LoadError::TooLarge(_) => Loaded::TooLarge,
                    LoadError::Slow(_) | LoadError::Failed(_) => Loaded::Failed,
                }
            }
        }
    }
}

fn found(object: &Object, range: Option<(u64, u64)>) -> Fetched {
    let etag = object.etag.as_ref().and_then(text);
    let age_ms = object.age_ms();
    let Some((first, last)) = range else { return Fetched::Got { bytes: object.bytes.to_vec(), etag, age_ms } };
    let (first, end) = (usize::try_from(first).unwrap_or(usize::MAX), usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1));
    match object.bytes.get(first..end.min(object.bytes.len())) {
        Some(bytes) if !bytes.is_empty() => Fetched::Got { bytes: bytes.to_vec(), etag, age_ms },
        Some(_) | None => Fetched::Missing,
    }
}

/// The component decides what an upstream that fails means for a viewer.
fn unavailable(key: &ObjectKey, error: &FetchError) -> Fetched {
    tracing::warn!(%key, %error, "an object cannot be read");
    Fetched::Failed
}

fn text(value: &HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}
