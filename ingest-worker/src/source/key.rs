use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tidegate_stream::{Key, KeyDocument, KeyHash, MetaKey, PublishToken, StreamId};

use crate::store::{Bucket, Condition, PutError, StoreError};

/// Which stream a stream key opens. The bucket has the keys' hashes only, and neither is ever logged.
#[derive(Clone)]
pub(crate) struct StreamKeys {
    fetch: Arc<Fetch>,
    cache: Arc<Mutex<BTreeMap<KeyHash, Entry>>>,
}

type Fetch = dyn Fn(Key) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> + Send + Sync;
type Entry = (Instant, Option<StreamId>);

/// Why a stream key could not be checked or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The store did not answer.
    #[error("the stream keys cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The document of a key is not what it should be.
    #[error("the document of a stream key does not read: {0}")]
    Document(#[from] serde_json::Error),
    /// The store did not take the new key.
    #[error("the stream key cannot be written: {0}")]
    Write(#[from] PutError),
    /// No randomness.
    #[error("no random numbers for a stream key: {0}")]
    Random(#[from] io::Error),
}

/// How long an answer is used again. A key that was revoked opens streams for so long.
const CACHE_TIME: Duration = Duration::from_secs(5);
/// Answers kept; guesses push out nothing but the cache.
const CACHE_ENTRIES_MAX: usize = 1024;
/// Reads of one key before the publisher is told to come again.
const TRIES: u32 = 3;
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// 30 characters of 5 bits: 150 bits.
const KEY_CHARACTERS: usize = 30;

impl StreamKeys {
    /// The keys in a bucket.
    pub(crate) fn new(bucket: impl Bucket) -> Self {
        let bucket = Arc::new(bucket);
        let fetch = move |key: Key| -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
            let bucket = Arc::clone(&bucket);
            Box::pin(async move { Ok(bucket.get(&key).await?.map(|object| object.bytes)) })
        };
        Self { fetch: Arc::new(fetch), cache: Arc::default() }
    }

    /// The stream that a key or a publish token opens, `None` for an unknown key and for one that has expired. What is compared is a hash, found by its name: the time that
    /// takes says nothing about the key.
    pub(crate) async fn check(&self, stream_key: &str) -> Result<Option<StreamId>, KeyError> {
        let hash = KeyHash::of(stream_key);
        if let Some(answer) = self.cached(hash) {
            return Ok(answer);
        }
        let stream = if stream_key.starts_with(PublishToken::PREFIX) {
            let secret = self.fetch(MetaKey::PublishSecret.into()).await?;
            secret.and_then(|secret| PublishToken::verify(stream_key, &secret, now_utc_ms())).map(|token| token.stream)
        } else {
            match self.fetch(MetaKey::StreamKey { hash }.into()).await? {
                Some(document) => {
                    let document = serde_json::from_slice::<KeyDocument>(&document)?;
                    let is_valid = document.expires_utc_ms.is_none_or(|expires| now_utc_ms() < expires);
                    is_valid.then_some(document.stream)
                }
                None => None,
            }
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_ENTRIES_MAX {
            cache.clear();
        }
        cache.insert(hash, (Instant::now(), stream.clone()));
        Ok(stream)
    }

    fn cached(&self, hash: KeyHash) -> Option<Option<StreamId>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = cache.get(&hash)?;
        (at.elapsed() < CACHE_TIME).then(|| answer.clone())
    }

    async fn fetch(&self, key: Key) -> Result<Option<Bytes>, StoreError> {
        let mut tries = 1;
        loop {
            match (self.fetch)(key.clone()).await {
                Err(StoreError::Unavailable(_)) if tries < TRIES => tokio::time::sleep(RETRY_WAIT).await,
                answer => return answer,
            }
            tries += 1;
        }
    }
}

fn now_utc_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Makes a key for a stream and writes its hash into the bucket. The key is in nobody's hands but the caller's.
pub async fn create_stream_key(bucket: &impl Bucket, stream: &StreamId) -> Result<String, KeyError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; KEY_CHARACTERS];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let stream_key: String = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31))).map(|byte| char::from(*byte)).collect();
    let document = serde_json::to_vec(&KeyDocument { stream: stream.clone(), expires_utc_ms: None })?;
    let key = MetaKey::StreamKey { hash: KeyHash::of(&stream_key) }.into();
    bucket.put(&key, document.into(), Condition::Absent).await?;
    Ok(stream_key)
}
