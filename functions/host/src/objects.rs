//! Objects of the upstream: read once, kept, watched, written. Knows keys and bytes, nothing of what they mean.
mod express;
mod habit;
mod key;
mod mirror;
mod schedule;
mod sign;
mod upstream;
mod watch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    key::ObjectKey,
    upstream::{FetchError, Object},
    watch::Watched,
};
use self::{
    mirror::Mirror,
    upstream::{Ask, Found, UpstreamClient},
    watch::Watchers,
};
pub(crate) use self::{
    sign::Signer,
    upstream::{Write, Written},
};
use crate::{Limits, Metrics, Upstream, hops::Hops, lru::Lru};

/// An object that may change is asked for again after this: a stream that starts is seen half a second later at worst.
const FRESH: Duration = Duration::from_millis(500);
/// An object that may change and cannot be asked for is still good for this long, so that a store that stumbles stops no viewer.
const STALE: Duration = Duration::from_secs(30);
/// "Not there" is believed for this long: a burst of viewers asks once, and a part is late by a frame at worst.
const ABSENT: Duration = Duration::from_millis(15);
/// What an entry costs beside its bytes.
const ENTRY_BYTES: usize = 512;

/// The objects of one upstream.
pub struct Objects {
    upstream: UpstreamClient,
    mirror: Option<Mirror>,
    kept: Mutex<Lru<ObjectKey, Kept>>,
    flights: Mutex<HashMap<Wanted, Flight>>,
    watchers: Watchers,
    /// The largest object that is read whole.
    whole: usize,
    stop: CancellationToken,
    pub(crate) hops: Hops,
    metrics: Arc<Metrics>,
}

/// An object, or a range of one that is too large to be read whole.
type Wanted = (ObjectKey, Option<(u64, u64)>);

/// A read that any number of callers await.
type Flight = Shared<BoxFuture<'static, Result<Option<Arc<Object>>, FetchError>>>;

#[derive(Clone)]
enum Kept {
    Object {
        object: Arc<Object>,
        seen: Instant,
    },
    Absent {
        seen: Instant,
    },
    /// Too large to be read whole; the length.
    Large(u64),
}

impl Objects {
    pub(crate) fn new(
        upstream: Upstream,
        mirror: Option<Upstream>,
        limits: &Limits,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, FetchError> {
        Ok(Arc::new(Self {
            upstream: UpstreamClient::new(upstream, metrics.clone())?,
            mirror: mirror.map(|mirror| Mirror::new(mirror, metrics.clone())).transpose()?,
            kept: Mutex::new(Lru::new(limits.objects)),
            flights: Mutex::default(),
            watchers: Watchers::new(limits.watchers),
            whole: limits.object,
            stop,
            hops: Hops::new(),
            metrics,
        }))
    }

    /// The whole object, or `None` if there is none. [`FetchError::TooLarge`] if it has to be read by [`Self::piece`].
    pub async fn get(self: &Arc<Self>, key: &ObjectKey) -> Result<Option<Arc<Object>>, FetchError> {
        let known = match self.kept(key) {
            Some(Kept::Object { object, seen }) if object.immutable || seen.elapsed() < FRESH => {
                self.metrics.objects_kept.add(1);
                return Ok(Some(object));
            }
            Some(Kept::Absent { seen }) if seen.elapsed() < ABSENT => return Ok(None),
            Some(Kept::Large(len)) => return Err(FetchError::TooLarge(len)),
            Some(Kept::Object { object, seen }) => Some((object, seen)),
            Some(Kept::Absent { .. }) | None => None,
        };
        if known.is_none() && self.watchers.says_not_yet(key) {
            return Ok(None);
        }
        let answer = self.read((key.clone(), None), known.as_ref().map(|(object, _)| object.clone())).await;
        match (answer, known) {
            (Err(error), Some((object, seen))) if seen.elapsed() < STALE => {
                tracing::warn!(%key, %error, "the upstream fails; an older object serves");
                Ok(Some(object))
            }
            (answer, _) => answer,
        }
    }

    /// Bytes `first..=last` of an object, or all of it; shorter where the object ends earlier. With them, the object's length.
    pub async fn piece(self: &Arc<Self>, key: &ObjectKey, range: Option<(u64, u64)>) -> Result<Option<(Bytes, u64)>, FetchError> {
        match (self.get(key).await, range) {
            (Ok(object), _) => Ok(object.map(|object| (slice(&object.bytes, range), object.len))),
            (Err(FetchError::TooLarge(_)), Some(_)) => {
                let object = self.read((key.clone(), range), None).await?;
                Ok(object.map(|object| (object.bytes.clone(), object.len)))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The object as it is in the store at this moment, for who is about to change it.
    pub(crate) async fn fresh(&self, key: &ObjectKey) -> Result<Option<Arc<Object>>, FetchError> {
        self.fetch(key, None).await
    }

    /// Writes or deletes an object; who reads it here from now on sees what became of it.
    pub(crate) async fn write(&self, key: &ObjectKey, write: Write) -> Result<Written, FetchError> {
        let written = self.upstream.write(key, &write).await;
        // Whatever the store said, what is kept may be old.
        lock(&self.kept).remove(key.as_str());
        written
    }

    fn kept(&self, key: &ObjectKey) -> Option<Kept> {
        lock(&self.kept).get(key.as_str()).cloned()
    }

    fn keep(&self, key: &ObjectKey, object: Arc<Object>) {
        let weight = object.bytes.len() + ENTRY_BYTES;
        lock(&self.kept).insert(key.clone(), Kept::Object { object, seen: Instant::now() }, weight);
    }

    fn keep_note(&self, key: &ObjectKey, note: Kept) {
        lock(&self.kept).insert(key.clone(), note, ENTRY_BYTES);
    }

    /// Reads an object, or a range of it, together with everybody else who wants it now.
    fn read(self: &Arc<Self>, wanted: Wanted, known: Option<Arc<Object>>) -> Flight {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&wanted) {
            return flight.clone();
        }
        let (objects, own) = (self.clone(), wanted.clone());
        // A task of its own: the caller may go away while others wait for the same bytes.
        let task = tokio::spawn(async move {
            let answer = match own.1 {
                None => objects.fetch(&own.0, known).await,
                Some(range) => objects.fetch_range(&own.0, range).await,
            };
            lock(&objects.flights).remove(&own);
            answer
        });
        let flight = task.map(|joined| joined.unwrap_or_else(|error| Err(FetchError::Unreachable(error.to_string())))).boxed().shared();
        flights.insert(wanted, flight.clone());
        flight
    }

    async fn ask(&self, key: &ObjectKey, ask: &Ask) -> Result<Found, FetchError> {
        match &self.mirror {
            Some(mirror) => mirror.get(&self.upstream, key, ask).await,
            None => self.upstream.get(key, ask).await,
        }
    }

    async fn fetch_range(&self, key: &ObjectKey, range: (u64, u64)) -> Result<Option<Arc<Object>>, FetchError> {
        let ask = Ask { range: Some(range), limit: self.whole, ..Ask::default() };
        Ok(match self.ask(key, &ask).await? {
            Found::Object(object) => Some(object),
            Found::NotModified | Found::Absent => None,
        })
    }

    async fn fetch(&self, key: &ObjectKey, known: Option<Arc<Object>>) -> Result<Option<Arc<Object>>, FetchError> {
        let if_none_match = known.as_ref().and_then(|object| object.etag.clone());
        let ask = Ask { if_none_match, limit: self.whole, ..Ask::default() };
        match (self.ask(key, &ask).await, known) {
            (Ok(Found::Object(object)), _) => {
                self.keep(key, object.clone());
                Ok(Some(object))
            }
            (Ok(Found::NotModified), Some(object)) => {
                self.keep(key, object.clone());
                Ok(Some(object))
            }
            (Ok(Found::NotModified), None) => Err(FetchError::Unreachable("304 without a question".into())),
            (Ok(Found::Absent), _) => {
                self.keep_note(key, Kept::Absent { seen: Instant::now() });
                Ok(None)
            }
            (Err(FetchError::TooLarge(len)), _) => {
                self.keep_note(key, Kept::Large(len));
                Err(FetchError::TooLarge(len))
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// The bytes of `range`, as far as they are there, without copying.
fn slice(bytes: &Bytes, range: Option<(u64, u64)>) -> Bytes {
    let Some((first, last)) = range else { return bytes.clone() };
    let len = bytes.len() as u64;
    let (first, end) = (first.min(len), last.saturating_add(1).min(len));
    // Both fit in usize: they are at most `len`.
    bytes.slice(first as usize..end.max(first) as usize)
}

/// A map stays sound whatever thread panicked while it was locked: each change is one call.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
