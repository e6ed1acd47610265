use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tidegate_stream::{Key, Snapshot};
use tracing::{debug, info, warn};

use super::{
    bucket::{Bucket, Condition, Etag, PutError, StoreError},
    clock::{now, sleep, timeout},
    latency::Window,
    submission::{Lane, Put, PutCondition},
    writer::WriterError,
};

/// Sends one submission again and again until it is durable. The only place that retries.
pub(super) struct Durable<B> {
    bucket: B,
    meter: Mutex<Meter>,
    // What this writer last left under the keys that it replaces: each write names it, so that a late copy of an older write
    // (sent, given up, and still on its way) cannot come over a newer one.
    left: Mutex<HashMap<Key, Etag>>,
    silent: AtomicBool,
    /// What [`PutCondition::Claim`] is made on.
    claim: Condition,
    /// When a record was last durable.
    record_at: Mutex<Duration>,
}

/// What was sent, and how long the answers took.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) puts: u64,
    pub(super) hedges: u64,
    pub(super) retries: u64,
    pub(super) bytes: u64,
    answers_log: Window,
    answers_index: Window,
    // In hundredths of a hedge.
    hedges_left: u32,
}

/// A request that has no answer after this is given up and sent again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// A write-once object is sent a second time after the p95 of its lane, but not before this.
const HEDGE_FLOOR: Duration = Duration::from_millis(50);
/// Before there is a p95.
const HEDGE_AT_FIRST: Duration = Duration::from_millis(500);
/// Answers that make a p95.
const HEDGE_SAMPLES: usize = 20;
/// One object in ten may be sent twice: a slow store gets no more load than this, and the bill neither.
const HEDGE_SHARE: u32 = 10;
/// Hedges that may come at once after a quiet time.
const HEDGE_BURST: u32 = 400;
const BACKOFF_FIRST: Duration = Duration::from_millis(25);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A store that refuses may do so only for a moment, as with a key pair that is new.
const REFUSALS: u32 = 4;
/// After this nobody watches live what waits; the queue's bound was reached long before.
const GIVE_UP: Duration = Duration::from_secs(600);
/// A worker that has written no record for so long asks the head before it writes one. Records are deleted 60 s after their
/// segment, so that within this time the next record cannot have come and gone.
const FENCE_AGE: Duration = Duration::from_secs(20);
/// Deletes are free to fail: the lifecycle rule is the net below them.
const DELETE_TRIES: u32 = 5;
/// A session has a dozen keys that it replaces; where there are more, forgetting costs a read.
const MAX_LEFT: usize = 1024;

impl<B: Bucket> Durable<B> {
    pub(super) fn new(bucket: B, claim: Condition) -> Self {
        let meter = Meter {
            puts: 0,
            hedges: 0,
            retries: 0,
            bytes: 0,
            answers_log: Window::default(),
            answers_index: Window::default(),
            hedges_left: HEDGE_BURST,
        };
        Self {
            bucket,
            meter: Mutex::new(meter),
            left: Mutex::default(),
            silent: AtomicBool::new(false),
            claim,
            record_at: Mutex::new(now()),
        }
    }

    /// Writes an object until it is durable.
    pub(super) async fn put(&self, put: &Put) -> Result<(), WriterError> {
        match put.condition {
            PutCondition::Absent => self.put_once(put).await,
            PutCondition::Replace => self.replace(put).await,
            PutCondition::Claim => self.claim(put).await,
        }
    }

    async fn put_once(&self, put: &Put) -> Result<(), WriterError> {
        let mut patience = Patience::new(&put.key);
        loop {
            self.check_fence(put).await?;
            let error = match self.hedged(put).await {
                Ok(_) => {
                    self.answers_again();
                    self.record_is_durable(&put.key);
                    return Ok(());
                }
                // It may be our own: a hedge, or an attempt whose answer was lost.
                Err(PutError::Exists | PutError::Changed) => match self.bucket.get(&put.key).await {
                    Ok(Some(there)) if there.bytes == put.bytes => {
                        self.record_is_durable(&put.key);
                        return Ok(());
                    }
                    Ok(Some(_)) if matches!(put.key, Key::Segment { .. } | Key::Chapter { .. }) => {
                        // It follows from records that are ours or that we have read. Who listed it is not known; the log goes on.
                        warn!(key = %put.key, "an object beside the log is not what the log says: somebody has changed it");
                        return Ok(());
                    }
                    Ok(Some(_)) => return Err(WriterError::Fenced { key: put.key.clone() }),
                    Ok(None) => PutError::Unavailable("the store says that the object is there and then that it is not".into()),
                    Err(error) => error.into(),
                },
                Err(error) => error,
            };
            self.pause(&mut patience, error).await?;
        }
    }

    /// A record that was held up for long may have been written by another worker, and even been deleted since: the head tells.
    async fn check_fence(&self, put: &Put) -> Result<(), WriterError> {
        let Key::Record { stream, session, number } = &put.key else { return Ok(()) };
        let since = now().saturating_sub(*self.record_at.lock().unwrap_or_else(PoisonError::into_inner));
        if since < FENCE_AGE {
            return Ok(());
        }
        let head = Key::Head { stream: stream.clone(), session: session.clone() };
        // A store that does not answer does not take the record either.
        let there = timeout(ATTEMPT_TIMEOUT, self.bucket.get(&head)).await;
        let snapshot = match there {
            Some(Ok(Some(there))) => Snapshot::decode(&there.bytes).ok(),
            _ => None,
        };
        match snapshot {
            Some(snapshot) if snapshot.next_record() > *number => Err(WriterError::Fenced { key: put.key.clone() }),
            _ => Ok(()),
        }
    }

    fn record_is_durable(&self, key: &Key) {
        if matches!(key, Key::Record { .. }) {
            *self.record_at.lock().unwrap_or_else(PoisonError::into_inner) = now();
        }
    }

    /// Writes an object where it is what it was when somebody looked.
    async fn claim(&self, put: &Put) -> Result<(), WriterError> {
        let mut patience = Patience::new(&put.key);
        loop {
            let error = match self.attempt(put, self.claim.clone()).await {
                Ok(etag) => {
                    self.answers_again();
                    self.leave(put, etag);
                    return Ok(());
                }
                Err(PutError::Exists | PutError::Changed) => match self.bucket.get(&put.key).await {
                    Ok(Some(there)) if there.bytes == put.bytes => {
                        self.leave(put, there.etag);
                        return Ok(());
                    }
                    Ok(_) => return Err(WriterError::Fenced { key: put.key.clone() }),
                    Err(error) => error.into(),
                },
                Err(error) => error,
            };
            self.pause(&mut patience, error).await?;
        }
    }

    async fn replace(&self, put: &Put) -> Result<(), WriterError> {
        let mut patience = Patience::new(&put.key);
        let known = self.left().get(&put.key).cloned();
        let mut condition = known.map_or(Condition::Absent, Condition::Match);
        loop {
            let error = match self.attempt(put, condition.clone()).await {
                Ok(etag) => {
                    self.answers_again();
                    self.leave(put, etag);
                    return Ok(());
                }
                Err(PutError::Exists | PutError::Changed) => {
                    let changed = PutError::Unavailable("another writer replaces the same object".into());
                    match self.bucket.get(&put.key).await {
                        Ok(Some(there)) if there.bytes == put.bytes => {
                            self.leave(put, there.etag);
                            return Ok(());
                        }
                        Ok(Some(there)) if is_older(&put.key, &put.bytes, &there.bytes) => {
                            // Another worker is further: what this one would say is no longer so.
                            debug!(key = %put.key, "another worker has written what is newer");
                            self.leave(put, there.etag);
                            return Ok(());
                        }
                        Ok(there) => {
                            condition = there.map_or(Condition::Absent, |there| Condition::Match(there.etag));
                            // The first look at a key that was there before is no conflict.
                            if patience.is_new() {
                                patience.look();
                                continue;
                            }
                            changed
                        }
                        Err(error) => error.into(),
                    }
                }
                Err(error) => error,
            };
            self.pause(&mut patience, error).await?;
        }
    }

    /// Removes objects, as far as the store lets it.
    pub(super) async fn delete(&self, keys: &[Key]) {
        let mut patience = Patience::new_of("objects to delete".into());
        for _ in 0..DELETE_TRIES {
            let answer = timeout(ATTEMPT_TIMEOUT, self.bucket.delete(keys)).await;
            let error = match answer {
                Some(Ok(())) => return,
                Some(Err(StoreError::Refused(why))) => {
                    warn!(objects = keys.len(), why, "objects are not deleted");
                    return;
                }
                Some(Err(error)) => error.into(),
                None => no_answer(),
            };
            if self.pause(&mut patience, error).await.is_err() {
                break;
            }
        }
        warn!(objects = keys.len(), "objects are left for the lifecycle rule to delete");
    }

    /// One attempt, and a second one where the first takes longer than nearly all do.
    async fn hedged(&self, put: &Put) -> Result<Etag, PutError> {
        let first = self.attempt(put, Condition::Absent);
        tokio::pin!(first);
        let hedge_after = self.meter().hedge_after(put.lane);
        tokio::select! {
            answer = &mut first => return answer,
            () = sleep(hedge_after) => {}
        }
        if !self.meter().take_hedge() {
            return first.await;
        }
        debug!(key = %put.key, after_ms = hedge_after.as_millis() as u64, "sent a second time");
        let second = self.attempt(put, Condition::Absent);
        tokio::pin!(second);
        // The first answer wins; that one of the two could not is no answer.
        tokio::select! {
            answer = &mut first => if is_no_answer(&answer) { second.await } else { answer },
            answer = &mut second => if is_no_answer(&answer) { first.await } else { answer },
        }
    }

    async fn attempt(&self, put: &Put, condition: Condition) -> Result<Etag, PutError> {
        let start = now();
        self.meter().sent(put.bytes.len());
        let answer = timeout(ATTEMPT_TIMEOUT, self.bucket.put(&put.key, Bytes::clone(&put.bytes), condition)).await;
        let answer = answer.unwrap_or_else(|| Err(no_answer()));
        if answer.is_ok() {
            self.meter().answered(put.lane, now().saturating_sub(start));
        }
        answer
    }

    async fn pause(&self, patience: &mut Patience, error: PutError) -> Result<(), WriterError> {
        if !self.silent.swap(true, Ordering::Relaxed) {
            warn!(object = patience.object, %error, "the store does not take what is written; it is kept and sent again");
        }
        let pause = patience.after(error)?;
        self.meter().retries += 1;
        sleep(pause).await;
        Ok(())
    }

    fn answers_again(&self) {
        if self.silent.swap(false, Ordering::Relaxed) {
            info!("the store takes what is written again");
        }
    }

    fn leave(&self, put: &Put, etag: Etag) {
        let mut left = self.left();
        if left.len() >= MAX_LEFT {
            left.clear();
        }
        left.insert(put.key.clone(), etag);
    }

    fn left(&self) -> MutexGuard<'_, HashMap<Key, Etag>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter {
    fn sent(&mut self, bytes: usize) {
        self.puts += 1;
        self.bytes += bytes as u64;
        self.hedges_left = (self.hedges_left + 100 / HEDGE_SHARE).min(HEDGE_BURST);
    }

    fn answered(&mut self, lane: Lane, took: Duration) {
        match lane {
            Lane::Log => self.answers_log.add(took),
            Lane::Index => self.answers_index.add(took),
        }
    }

    fn hedge_after(&self, lane: Lane) -> Duration {
        let answers = match lane {
            Lane::Log => self.answers_log.quantiles(),
            Lane::Index => self.answers_index.quantiles(),
        };
        if answers.count < HEDGE_SAMPLES { HEDGE_AT_FIRST } else { answers.p95.max(HEDGE_FLOOR) }
    }

    fn take_hedge(&mut self) -> bool {
        let Some(left) = self.hedges_left.checked_sub(100) else { return false };
        self.hedges_left = left;
        self.hedges += 1;
        true
    }
}

/// How often and how long one object has been tried.
struct Patience {
    object: String,
    since: Duration,
    tries: u32,
    refusals: u32,
    looked: bool,
}

impl Patience {
    fn new(key: &Key) -> Self {
        Self::new_of(key.to_string())
    }

    fn new_of(object: String) -> Self {
        Self { object, since: now(), tries: 0, refusals: 0, looked: false }
    }

    fn is_new(&self) -> bool {
        self.tries == 0 && !self.looked
    }

    fn look(&mut self) {
        self.looked = true;
    }

    /// How long to wait after a failure, or that there is no use in it.
    fn after(&mut self, error: PutError) -> Result<Duration, WriterError> {
        self.tries += 1;
        let object = || self.object.clone();
        match error {
            PutError::Refused(why) => {
                self.refusals += 1;
                if self.refusals >= REFUSALS {
                    return Err(WriterError::Refused { object: object(), why });
                }
            }
            PutError::Unavailable(why) => {
                let waited = now().saturating_sub(self.since);
                if waited >= GIVE_UP {
                    return Err(WriterError::Unavailable { object: object(), seconds: waited.as_secs(), why });
                }
            }
            PutError::Exists | PutError::Changed => {}
        }
        let doubled = BACKOFF_FIRST.saturating_mul(1 << self.tries.saturating_sub(1).min(16));
        Ok(jitter(doubled.min(BACKOFF_MAX)))
    }
}

/// Between half of it and all of it, so that many writers do not come back at once.
fn jitter(pause: Duration) -> Duration {
    // Each state has keys of its own: a source of chance that needs no package.
    let chance = RandomState::new().build_hasher().finish() % 1000;
    pause / 2 + (pause / 2).mul_f64(chance as f64 / 1000.0)
}

fn is_no_answer(answer: &Result<Etag, PutError>) -> bool {
    matches!(answer, Err(PutError::Unavailable(_)))
}

/// Whether a document says less of a session than the one that is there. What is not known to be older is newer.
fn is_older(key: &Key, ours: &[u8], theirs: &[u8]) -> bool {
    let reach = |bytes: &[u8]| match key {
        Key::Head { .. } => Snapshot::decode(bytes).ok().map(|snapshot| snapshot.next_record().0),
        Key::StaticMedia { .. } => std::str::from_utf8(bytes).ok().map(segments_until),
        _ => None,
    };
    reach(ours).zip(reach(theirs)).is_some_and(|(ours, theirs)| ours < theirs)
}

/// Up to which segment an ordinary media playlist goes; one more where it has ended.
fn segments_until(text: &str) -> u64 {
    let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.trim().parse().ok()).unwrap_or(0u64);
    let listed = text.lines().filter(|line| line.starts_with("#EXTINF:") || *line == "#EXT-X-ENDLIST").count();
    first + listed as u64
}

fn no_answer() -> PutError {
    PutError::Unavailable(format!("the store did not answer within {} s", ATTEMPT_TIMEOUT.as_secs()))
}
