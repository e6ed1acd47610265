//! The log of a session as the session sees it, whether this worker is its only writer or one of two.
//!
//! All decisions are those of `tidegate_packager::Twin`; this only moves bytes: what it says goes to a writer, what it wants to
//! read is read, and what another worker has written first is told to it.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tidegate_packager::{Event, Found, Input, Output, Packager, Put, Role, Twin, TwinInput, TwinOutput, slate_event};
use tidegate_stream::{Key, RecordNumber, SessionId, StreamId};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::{
    metrics::StreamMetrics,
    store::{Bucket, Condition, Mirror, Object, StoreError, Submission, Writer, WriterConfig, WriterError},
};

/// The store as sessions use it.
pub(crate) struct Access {
    /// Starts a writer.
    pub(crate) writer: Box<dyn Fn(WriterConfig, Option<Mirror>) -> Writer + Send + Sync>,
    /// Reads an object.
    pub(crate) read: Box<dyn Fn(Key) -> Reading + Send + Sync>,
    /// The second bucket, where there is one.
    pub(crate) mirror: Option<Box<dyn Fn() -> Mirror + Send + Sync>>,
    /// How much a writer may hold in memory, …
    pub(crate) max_waiting_bytes: usize,
    /// … and on disk.
    pub(crate) max_spooled_bytes: u64,
}

type Reading = BoxFuture<'static, Result<Option<Object>, StoreError>>;

/// The log of one session.
pub(crate) struct Log {
    stream: StreamId,
    machine: Machine,
    access: Arc<Access>,
    metrics: Arc<StreamMetrics>,
    mirror: Option<Mirror>,
    /// There while this worker writes.
    writer: Option<Writer>,
    reading: Option<(Key, Reading)>,
    /// In which state `current` was last read.
    claim: Condition,
    events: VecDeque<Event>,
    /// Viewers are about to be sent to the session that this worker writes.
    begun: bool,
    over: bool,
    /// The newest record that the machine knows to be durable.
    durable: Option<RecordNumber>,
}

enum Machine {
    Alone(SessionId, Box<Packager>),
    Twin(Box<Twin>),
}

/// What comes to a log from the store.
pub(crate) enum Happened {
    Read(Key, Found, Option<Condition>),
    Stopped(WriterError),
}

/// A read without an answer after this has failed.
const READ_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the owner of a log that leaves waits for the other worker, before it ends the session.
const HANDOVER_US: i64 = 3_000_000;
/// How often the log is looked after when nothing happens.
const TICK: Duration = Duration::from_millis(20);

impl Access {
    /// For this store.
    pub(crate) fn new<B: Bucket + Clone>(store: B, mirror: Option<B>, max_waiting_bytes: usize, max_spooled_bytes: u64) -> Self {
        let reads = store.clone();
        let read = move |key: Key| {
            let store = reads.clone();
            async move { store.get(&key).await }.boxed()
        };
        let writer = move |config, mirror| Writer::mirrored(store.clone(), config, mirror);
        let mirror = mirror.map(|bucket| Box::new(move || Mirror::new(bucket.clone(), max_waiting_bytes)) as Box<_>);
        Self { writer: Box::new(writer), read: Box::new(read), mirror, max_waiting_bytes, max_spooled_bytes }
    }
}

impl Log {
    /// This worker is the only writer.
    pub(crate) fn alone(
        stream: StreamId,
        session: SessionId,
        packager: Packager,
        access: Arc<Access>,
        metrics: Arc<StreamMetrics>,
    ) -> Self {
        let Access { max_waiting_bytes, max_spooled_bytes, .. } = *access;
        let config = WriterConfig { max_waiting_bytes, max_spooled_bytes, ..WriterConfig::default() };
        let mut log = Self::new(stream, Machine::Alone(session, Box::new(packager)), access, metrics);
        log.writer = Some((log.access.writer)(config, log.mirror.clone()));
        log
    }

    /// Another worker may write it too.
    pub(crate) fn twin(stream: StreamId, twin: Twin, access: Arc<Access>, metrics: Arc<StreamMetrics>) -> Self {
        Self::new(stream, Machine::Twin(Box::new(twin)), access, metrics)
    }

    fn new(stream: StreamId, machine: Machine, access: Arc<Access>, metrics: Arc<StreamMetrics>) -> Self {
        let mirror = access.mirror.as_ref().map(|mirror| mirror());
        Self {
            stream,
            machine,
            access,
            metrics,
            mirror,
            writer: None,
            reading: None,
            claim: Condition::Absent,
            events: VecDeque::new(),
            begun: false,
            over: false,
            durable: None,
        }
    }

    /// Takes something of the source, at this time of the worker's clock.
    pub(crate) async fn take(&mut self, now_utc_us: i64, input: Input) -> Result<(), WriterError> {
        match &mut self.machine {
            Machine::Alone(_, packager) => {
                let began = Instant::now();
                if let Err(error) = packager.handle(now_utc_us, input) {
                    debug!(stream = %self.stream, %error, "the packager refuses an input");
                }
                while let Machine::Alone(_, packager) = &mut self.machine
                    && let Some(output) = packager.poll()
                {
                    self.write(began, output).await?;
                }
                Ok(())
            }
            Machine::Twin(_) => self.tell(now_utc_us, TwinInput::Source(input)).await,
        }
    }

    /// The session that is written or followed.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match &self.machine {
            Machine::Alone(session, _) => Some(session.clone()),
            Machine::Twin(twin) => twin.session().cloned(),
        }
    }

    /// What comes from here on is a slate that stands in for the source, or the source again.
    pub(crate) async fn slate(&mut self, now_utc_us: i64, slate: bool) -> Result<(), WriterError> {
        match &self.machine {
            Machine::Alone(..) if slate => self.take(now_utc_us, Input::Announce(slate_event(now_utc_us))).await,
            Machine::Alone(..) => Ok(()),
            Machine::Twin(_) => self.tell(now_utc_us, TwinInput::Slate(slate)).await,
        }
    }

    /// When it wants to be told the time, if nothing happens before.
    pub(crate) fn wakes_at(&self) -> Option<i64> {
        match &self.machine {
            Machine::Alone(..) => None,
            Machine::Twin(twin) => twin.wakes_at(),
        }
    }

    /// The session, once when this worker has begun it or goes on with it.
    pub(crate) fn begun(&mut self) -> Option<SessionId> {
        if std::mem::take(&mut self.begun) { self.session() } else { None }
    }

    /// Whether an event of this id is listed, or waits to be.
    pub(crate) fn is_announced(&self, id: &str) -> bool {
        match &self.machine {
            Machine::Alone(_, packager) => packager.is_announced(id),
            Machine::Twin(twin) => twin.is_announced(id),
        }
    }

    /// Something for the journal.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Waits for what comes from the store; loses nothing when it is dropped.
    pub(crate) async fn next(&mut self) -> Happened {
        let stopped = async {
            match &self.writer {
                Some(writer) => writer.stopped().await,
                None => pending().await,
            }
        };
        let read = async {
            match &mut self.reading {
                Some((_, reading)) => timeout(READ_TIME_MAX, reading).await,
                None => pending().await,
            }
        };
        let answer = tokio::select! {
            error = stopped => return Happened::Stopped(error),
            answer = read => answer,
        };
        let Some((key, _)) = self.reading.take() else { return pending().await };
        let is_current = matches!(key, Key::Current { .. });
        match answer {
            Ok(Ok(Some(object))) => {
                let claim = is_current.then_some(Condition::Match(object.etag));
                let age_us = object.age.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
                Happened::Read(key, Found::Object { bytes: object.bytes.to_vec(), age_us }, claim)
            }
            Ok(Ok(None)) => Happened::Read(key, Found::Missing, is_current.then_some(Condition::Absent)),
            Ok(Err(error)) => {
                debug!(stream = %self.stream, %key, %error, "the log cannot be read");
                Happened::Read(key, Found::Failed, None)
            }
            Err(_) => Happened::Read(key, Found::Failed, None),
        }
    }

    /// Takes what [`Self::next`] has found.
    pub(crate) async fn happened(&mut self, now_utc_us: i64, happened: Happened) -> Result<(), WriterError> {
        match happened {
            Happened::Read(key, found, claim) => {
                self.claim = claim.unwrap_or_else(|| self.claim.clone());
                self.tell(now_utc_us, TwinInput::Read { key, found }).await
            }
            Happened::Stopped(error) => self.stopped(now_utc_us, error).await,
        }
    }

    /// Another worker has written first: that is no failure where there is one.
    async fn stopped(&mut self, now_utc_us: i64, error: WriterError) -> Result<(), WriterError> {
        match (&self.machine, error) {
            (Machine::Twin(_), WriterError::Fenced { key }) => {
                info!(stream = %self.stream, %key, "another worker writes this log: this one stands by");
                self.writer = None;
                // The machine says what to read, and nothing that would be written.
                Box::pin(self.tell(now_utc_us, TwinInput::Lost(key))).await
            }
            (_, error) => Err(error),
        }
    }

    async fn tell(&mut self, now_utc_us: i64, input: TwinInput) -> Result<(), WriterError> {
        let began = Instant::now();
        let Machine::Twin(twin) = &mut self.machine else { return Ok(()) };
        let durable = self.writer.as_ref().and_then(Writer::durable);
        if let Some(number) = durable.filter(|_| durable != self.durable) {
            self.durable = durable;
            twin.handle(now_utc_us, TwinInput::Durable(number));
        }
        twin.handle(now_utc_us, input);
        while let Machine::Twin(twin) = &mut self.machine
            && let Some(output) = twin.poll()
        {
            match output {
                TwinOutput::Do(output) => match self.write(began, output).await {
                    Err(error @ WriterError::Fenced { .. }) => return self.stopped(now_utc_us, error).await,
                    written => written?,
                },
                TwinOutput::Read(key) => self.reading = Some((key.clone(), (self.access.read)(key))),
                TwinOutput::Role(role) => self.role(role),
                TwinOutput::Damaged(number) => {
                    warn!(stream = %self.stream, %number, "somebody has changed this record of the log: it goes on after it");
                }
                TwinOutput::Foreign(session) => {
                    warn!(stream = %self.stream, %session, "the session of another worker has other renditions, or is of another version: this one waits for its end; give both the same ladder and version");
                }
                TwinOutput::Over => self.over = true,
            }
        }
        Ok(())
    }

    fn role(&mut self, role: Role) {
        let session = self.session().map(|session| session.to_string()).unwrap_or_default();
        match role {
            Role::Owner => info!(stream = %self.stream, session, "this worker writes the log"),
            Role::Standby => info!(stream = %self.stream, session, "this worker stands by"),
            Role::Looking => debug!(stream = %self.stream, session, "this worker looks for the log"),
        }
        let writes = role == Role::Owner;
        self.begun |= writes;
        self.writer = writes.then(|| {
            let claim = self.claim.clone();
            let Access { max_waiting_bytes, max_spooled_bytes, .. } = *self.access;
            let config = WriterConfig { one_by_one: true, claim, max_waiting_bytes, max_spooled_bytes };
            (self.access.writer)(config, self.mirror.clone())
        });
        self.reading = None;
        self.durable = None;
    }

    async fn write(&mut self, began: Instant, output: Output) -> Result<(), WriterError> {
        let submission = match output {
            Output::Put(put) => {
                self.begun |= matches!(put.key, Key::Current { .. });
                if let (Put { key: Key::Record { .. }, .. }, Some(writer)) = (&put, &self.writer) {
                    self.metrics.parts.fetch_add(1, Relaxed);
                    self.metrics.set_store(writer.stats());
                    if let Some(mirror) = &self.mirror {
                        self.metrics.mirror_lost.store(mirror.lost(), Relaxed);
                        self.metrics.mirror_waiting_bytes.store(mirror.waiting_bytes() as u64, Relaxed);
                    }
                }
                put.into()
            }
            Output::Delete(keys) => Submission::Delete(keys),
            Output::Event(Event::PartReady { after_us, .. }) => {
                let after = Duration::from_micros(u64::try_from(after_us).unwrap_or(0));
                self.metrics.part_time.add(after + began.elapsed());
                return Ok(());
            }
            Output::Event(event) => {
                self.events.push_back(event);
                return Ok(());
            }
        };
        match &self.writer {
            Some(writer) => writer.submit(submission).await,
            None => Ok(()),
        }
    }

    /// The source is over (`ends`), or this worker has to go: hands the log over; where nobody takes it the session is over, or is
    /// left to whom the encoder turns to.
    pub(crate) async fn leave(&mut self, clock: impl Fn() -> i64, ends: bool) -> Result<(), WriterError> {
        if matches!(self.machine, Machine::Alone(..)) {
            return self.end(clock()).await;
        }
        self.tell(clock(), TwinInput::Leave { wait_us: HANDOVER_US, ends }).await?;
        while !self.over {
            tokio::select! {
                happened = self.next() => self.happened(clock(), happened).await?,
                () = sleep(TICK) => self.tell(clock(), TwinInput::Source(Input::Tick)).await?,
            }
        }
        Ok(())
    }

    /// Ends the session.
    pub(crate) async fn end(&mut self, now_utc_us: i64) -> Result<(), WriterError> {
        self.take(now_utc_us, Input::End).await
    }

    /// Waits until everything that was given out is durable.
    pub(crate) async fn finish(&mut self, within: Duration) -> Result<(), WriterError> {
        let finished = match &self.writer {
            Some(writer) => match writer.finish(within).await {
                // The other worker has gone on.
                Err(WriterError::Fenced { .. }) if matches!(self.machine, Machine::Twin(_)) => Ok(()),
                finished => finished.map(drop),
            },
            None => Ok(()),
        };
        if let Some(mirror) = &self.mirror
            && let Err(error) = mirror.finish(within).await
        {
            warn!(stream = %self.stream, %error, "the second bucket lacks the end of this session");
        }
        finished
    }
}
