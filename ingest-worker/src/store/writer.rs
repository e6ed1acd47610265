use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tidegate_stream::{Key, RecordNumber};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::{
    bucket::{Bucket, Condition},
    clock::{blocking, now, timeout},
    durable::Durable,
    latency::{Quantiles, Window},
    mirror::Mirror,
    queue::{Job, Queue, Ticket},
    spool::{Spool, Spooled},
    submission::{Lane, Put, Submission},
};

/// Writes what a session submits, in the order that readers rely on, until it is durable. One session has one writer and
/// submits from one task; a writer that is dropped stops in the middle.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
    meter: Arc<dyn Fn() -> Sent + Send + Sync>,
    _driver: Arc<AbortOnDropHandle<()>>,
}

/// How a writer is made.
#[derive(Clone, Debug)]
pub struct WriterConfig {
    /// How many bytes may wait in memory to be durable; what is beyond it waits on disk, …
    pub max_waiting_bytes: usize,
    /// … up to so many bytes; a submission beyond both waits.
    pub max_spooled_bytes: u64,
    /// Another worker may write the same log: a record is sent when the one before it is durable. Else some are on their way at
    /// once, and one of them could come to lie where the log of the other goes on.
    pub one_by_one: bool,
    /// The state in which an object is claimed: as it was last read.
    pub claim: Condition,
}

/// 13 s of five rungs and audio (11 Mb/s, once as records and once as segments): longer than a store's restart, and a bound
/// on the memory of one stream.
const MAX_WAITING_BYTES: usize = 64 << 20;

impl Default for WriterConfig {
    fn default() -> Self {
        Self { max_waiting_bytes: MAX_WAITING_BYTES, max_spooled_bytes: 0, one_by_one: false, claim: Condition::Any }
    }
}

/// Why a writer has stopped. Nothing that was submitted after is written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WriterError {
    /// Another writer owns this key, and with it the session.
    #[error("another writer has written {key}: this session is over here")]
    Fenced {
        /// The key.
        key: Key,
    },
    /// The store would not take an object.
    #[error("{object} cannot be written: {why}")]
    Refused {
        /// What was to be written.
        object: String,
        /// What to do.
        why: String,
    },
    /// The store could not take an object for very long.
    #[error("{object} could not be written for {seconds} s: {why}")]
    Unavailable {
        /// What was to be written.
        object: String,
        /// For how long.
        seconds: u64,
        /// What the store said last.
        why: String,
    },
    /// Some submissions were not durable when the time to finish was over.
    #[error("{left} submissions were not written within {seconds} s")]
    Unfinished {
        /// How many.
        left: usize,
        /// The time that they had.
        seconds: u64,
    },
}

/// What a writer has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// PUT requests sent, hedges and retries included.
    pub puts: u64,
    /// Requests sent a second time because the first took long.
    pub hedges: u64,
    /// Requests sent again because the store could not.
    pub retries: u64,
    /// Bytes sent in PUT requests.
    pub bytes: u64,
    /// States that were dropped for a newer one before they were sent.
    pub superseded: u64,
    /// Submissions that are not durable yet.
    pub waiting: usize,
    /// What they take of memory.
    pub waiting_bytes: usize,
    /// What they take of the disk.
    pub spooled_bytes: u64,
    /// From the submission of a record until it was durable.
    pub log: Quantiles,
    /// From the submission of anything else until it was durable.
    pub index: Quantiles,
}

#[derive(Clone, Copy)]
struct Sent {
    puts: u64,
    hedges: u64,
    retries: u64,
    bytes: u64,
}

struct Shared {
    config: WriterConfig,
    spool: Arc<Spool>,
    state: Mutex<State>,
    submitted: Notify,
    changed: Notify,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// The newest record that is durable.
    durable: Option<RecordNumber>,
    failure: Option<WriterError>,
    log: Window,
    index: Window,
    /// It is said that the disk is in use, …
    spools: bool,
    /// … and that it cannot be used.
    spool_fails: bool,
}

impl Writer {
    /// Starts a writer on the current runtime.
    #[must_use]
    pub fn new(bucket: impl Bucket, config: WriterConfig) -> Self {
        Self::mirrored(bucket, config, None)
    }

    /// As [`Self::new`]; what is durable is copied to a second bucket.
    #[must_use]
    pub fn mirrored(bucket: impl Bucket, config: WriterConfig, mirror: Option<Mirror>) -> Self {
        let claim = config.claim.clone();
        let state = State { queue: Queue::new(config.one_by_one), ..State::default() };
        let spool = Spool::new(config.max_spooled_bytes);
        let shared = Arc::new(Shared { config, spool, state: Mutex::new(state), submitted: Notify::new(), changed: Notify::new() });
        let durable = Arc::new(Durable::new(bucket, claim));
        let driver = tokio::spawn(drive(Arc::clone(&shared), Arc::clone(&durable), mirror));
        let meter = move || {
            let meter = durable.meter();
            Sent { puts: meter.puts, hedges: meter.hedges, retries: meter.retries, bytes: meter.bytes }
        };
        Self { shared, meter: Arc::new(meter), _driver: Arc::new(AbortOnDropHandle::new(driver)) }
    }

    /// Submits something to be written; waits while too much waits already. A submission that is given up while it waits is
    /// not made.
    pub async fn submit(&self, submission: Submission) -> Result<(), WriterError> {
        let (mut waiting, mut with_disk) = (Some(submission), true);
        loop {
            let mut on_disk = None;
            self.until(|shared, state| {
                waiting = waiting.take().and_then(|submission| shared.take(state, submission));
                if let (true, Some(Submission::Put(put))) = (with_disk, &waiting) {
                    on_disk = shared.spool.reserve(put.bytes.len());
                }
                (waiting.is_none() || on_disk.is_some()).then_some(Ok(()))
            })
            .await?;
            let (Some(Submission::Put(put)), Some(place)) = (waiting.take(), on_disk) else { return Ok(()) };
            // Not under the lock, and not on a thread that others wait for; one task submits, so that the order stays.
            let bytes = Bytes::clone(&put.bytes);
            match blocking(move || place.write(&bytes).map(|()| place)).await {
                Some(Ok(place)) => return self.shared.take_from_disk(put, place),
                Some(Err(error)) => {
                    // The source waits, as where there is no disk at all.
                    if !std::mem::replace(&mut self.shared.state().spool_fails, true) {
                        warn!(%error, "what waits for the store cannot be put on disk: see to the room in the folder for temporary files");
                    }
                    (waiting, with_disk) = (Some(Submission::Put(put)), false);
                }
                // The runtime ends, and the writer with it.
                None => return Ok(()),
            }
        }
    }

    /// Submits something if there is room for it in memory, and gives it back where there is none.
    pub fn try_submit(&self, submission: Submission) -> Result<Option<Submission>, WriterError> {
        let mut state = self.shared.state();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        Ok(self.shared.take(&mut state, submission))
    }

    /// Waits until everything submitted is durable, but not longer than this.
    pub async fn finish(&self, within: Duration) -> Result<Stats, WriterError> {
        let empty = self.until(|_, state| (state.queue.len() == 0).then_some(Ok(())));
        match timeout(within, empty).await {
            Some(finished) => finished.map(|()| self.stats()),
            None => Err(WriterError::Unfinished { left: self.shared.state().queue.len(), seconds: within.as_secs() }),
        }
    }

    /// Waits until the writer has stopped, and says why; for ever where all is well.
    pub async fn stopped(&self) -> WriterError {
        loop {
            if let Err(error) = self.until(|_, _| None).await {
                return error;
            }
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let Sent { puts, hedges, retries, bytes } = (self.meter)();
        let state = self.shared.state();
        Stats {
            puts,
            hedges,
            retries,
            bytes,
            superseded: state.queue.superseded(),
            waiting: state.queue.len(),
            waiting_bytes: state.queue.bytes(),
            spooled_bytes: self.shared.spool.held(),
            log: state.log.quantiles(),
            index: state.index.quantiles(),
        }
    }

    /// The newest record that is durable; where records go one by one, all before it are too.
    #[must_use]
    pub fn durable(&self) -> Option<RecordNumber> {
        self.shared.state().durable
    }

    async fn until(&self, mut ready: impl FnMut(&Shared, &mut State) -> Option<Result<(), WriterError>>) -> Result<(), WriterError> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.shared.state();
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
                if let Some(ready) = ready(&self.shared, &mut state) {
                    return ready;
                }
            }
            changed.await;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a submission into memory; gives it back where there is no room.
    fn take(&self, state: &mut State, submission: Submission) -> Option<Submission> {
        if state.queue.fits(&submission, self.config.max_waiting_bytes) {
            state.queue.push(now(), submission);
            self.submitted.notify_one();
            return None;
        }
        Some(submission)
    }

    /// Takes what was put on disk.
    fn take_from_disk(&self, put: Put, place: Spooled) -> Result<(), WriterError> {
        let mut state = self.state();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if !std::mem::replace(&mut state.spools, true) {
            warn!(key = %put.key, "the store has not taken what memory has room for: the rest waits on disk");
        }
        state.queue.push_spooled(now(), Submission::Put(Put { bytes: Bytes::new(), ..put }), Some(place));
        self.submitted.notify_one();
        Ok(())
    }

    fn done(&self, ticket: Ticket, submission: &Submission) {
        let (lane, record) = match submission {
            Submission::Put(Put { key: Key::Record { number, .. }, lane, .. }) => (Some(*lane), Some(*number)),
            Submission::Put(put) => (Some(put.lane), None),
            Submission::Delete(_) => (None, None),
        };
        let mut state = self.state();
        state.durable = state.durable.max(record);
        let took = state.queue.done(ticket).map(|submitted| now().saturating_sub(submitted));
        match (lane, took) {
            (Some(Lane::Log), Some(took)) => state.log.add(took),
            (Some(Lane::Index), Some(took)) => state.index.add(took),
            (None, _) | (_, None) => {}
        }
    }
}

type Flight = BoxFuture<'static, (Ticket, Submission, Result<(), WriterError>)>;

async fn drive<B: Bucket>(shared: Arc<Shared>, durable: Arc<Durable<B>>, mirror: Option<Mirror>) {
    let mut flying: FuturesUnordered<Flight> = FuturesUnordered::new();
    loop {
        loop {
            let Some(job) = shared.state().queue.start() else { break };
            flying.push(fly(Arc::clone(&durable), job));
        }
        let (ticket, submission, result) = tokio::select! {
            Some(landed) = flying.next() => landed,
            () = shared.submitted.notified() => continue,
        };
        match result {
            Ok(()) => {
                shared.done(ticket, &submission);
                if let Some(mirror) = &mirror {
                    mirror.copy(submission);
                }
            }
            Err(failure) => {
                shared.state().failure = Some(failure);
                shared.changed.notify_waiters();
                return;
            }
        }
        shared.changed.notify_waiters();
    }
}

fn fly<B: Bucket>(durable: Arc<Durable<B>>, Job { ticket, submission, spooled }: Job) -> Flight {
    async move {
        match submission {
            Submission::Put(mut put) => {
                if let Some(spooled) = spooled {
                    let read = blocking(move || spooled.bytes()).await;
                    match read.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into())) {
                        Ok(bytes) => put.bytes = bytes,
                        Err(error) => {
                            let why = format!("it waited on disk and cannot be read back: {error}");
                            let refused = WriterError::Refused { object: put.key.to_string(), why };
                            return (ticket, Submission::Put(put), Err(refused));
                        }
                    }
                }
                let written = durable.put(&put).await;
                (ticket, Submission::Put(put), written)
            }
            Submission::Delete(keys) => {
                durable.delete(&keys).await;
                (ticket, Submission::Delete(keys), Ok(()))
            }
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests;
