//! Says in the bucket what lists, recordings and webhooks need to know of a session: that it is live, what comes in, that it is over.
//!
//! Some small objects at its start and at its end, nothing in between. Every step may be done twice, by this worker or by its twin:
//! lists have a session once, and an event that is written twice has the same id.

mod caretaker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tidegate_stream::{
    EventKind, IndexPage, Json, Key, KeyHash, Ledger, MetaKey, SessionFacts, SessionId, Sessions, Snapshot, StreamDocument, StreamId,
    Timeline, event_document,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, warn};

use crate::store::{Bucket, Condition, PutError, StoreError};

/// Something to be said of a stream.
#[derive(Debug)]
pub(crate) enum News {
    /// The first part of a session is on its way to the bucket, or this worker goes on with the session of another.
    Live {
        /// The session.
        session: SessionId,
        /// What comes in.
        input: Json,
    },
    /// What this worker writes of a session is durable. It is over, unless another worker goes on.
    Left {
        /// The session.
        session: SessionId,
    },
    /// A publish was given up.
    Errored {
        /// The name of what happened.
        id: SessionId,
        /// In one sentence.
        why: String,
    },
    /// The publish is over.
    Idle,
}

/// Writes the news of one publish, one after another, while the publish goes on.
pub(crate) struct Herald {
    news: mpsc::Sender<News>,
    task: JoinHandle<()>,
}

/// What starts heralds.
pub(crate) struct Announcer(Box<dyn Fn(StreamId, mpsc::Receiver<News>) -> BoxFuture<'static, ()> + Send + Sync>);

/// News that wait. A publish with more sessions than that has other problems, and loses nothing but its place in lists.
const NEWS_MAX: usize = 32;
/// How long the first part of a session may take to be durable.
const LIVE_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the end of a publish waits for the news of it.
const END_TIME_MAX: Duration = Duration::from_secs(5);
/// Tries of one piece of news while the store does not answer, with pauses that double from the first on: two minutes.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// Changes of one document by others that may come first.
const CONFLICTS_MAX: usize = 40;
/// Others that may write events at the same time.
const EVENT_TRIES: u64 = 256;
/// How often the number that the events have reached is written down.
const REACHED_EVERY: u64 = 16;

impl Announcer {
    /// Writes to this store.
    pub(crate) fn new(bucket: impl Bucket) -> Self {
        let desk = Arc::new(Desk::new(bucket));
        Self(Box::new(move |stream, news| {
            let desk = Arc::clone(&desk);
            Box::pin(async move { desk.read_out(stream, news).await })
        }))
    }

    /// Starts on a publish.
    pub(crate) fn herald(&self, stream: &StreamId) -> Herald {
        let (news, heard) = mpsc::channel(NEWS_MAX);
        Herald { news, task: tokio::spawn((self.0)(stream.clone(), heard)) }
    }
}

impl Herald {
    /// Says something; never waits.
    pub(crate) fn say(&self, news: News) {
        if let Err(error) = self.news.try_send(news) {
            debug!(%error, "news of a session is lost");
        }
    }

    /// Waits until all is written, for a while.
    pub(crate) async fn end(self) {
        let Self { news, mut task } = self;
        drop(news);
        if timeout(END_TIME_MAX, &mut task).await.is_err() {
            // It goes on by itself, as long as this process does.
            debug!("the news of a publish takes long");
        }
    }
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Refused(String),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::Refused(why) => Self::Refused(why),
        }
    }
}

impl From<PutError> for Failed {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Refused(why) => Self::Refused(why),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// Writes what happened where lists and webhooks look.
pub(crate) struct Desk<B> {
    bucket: B,
    /// All events before this number are there.
    events: AtomicU64,
}

impl<B: Bucket> Desk<B> {
    /// Writes to this store.
    pub(crate) fn new(bucket: B) -> Self {
        Self { bucket, events: AtomicU64::new(0) }
    }

    async fn read_out(&self, stream: StreamId, mut heard: mpsc::Receiver<News>) {
        // A publish that needs another session goes on being live.
        let (mut is_live, mut ended) = (false, None);
        while let Some(news) = heard.recv().await {
            match news {
                News::Live { session, input } => {
                    if self.is_current(&stream, &session, &heard).await {
                        let kinds: &[EventKind] = if is_live { &[] } else { &[EventKind::StreamLive] };
                        is_live |= self.persist(&stream, || self.begin(&stream, &session, &input, kinds)).await.is_some();
                    }
                }
                News::Left { session } => {
                    let over = self.persist(&stream, || self.end(&stream, &session, false)).await;
                    ended = over.unwrap_or(false).then_some(session);
                }
                News::Errored { id, why } => {
                    let event = event_document(EventKind::StreamErrored, &id, Some(&stream), Json::object().with("why", why));
                    self.persist(&stream, || self.happened(&event)).await;
                    ended = ended.filter(|_| !is_live);
                }
                News::Idle => {
                    if let Some(session) = ended.take() {
                        let idle = [(EventKind::StreamIdle, Json::object().with("session", session.as_str()))];
                        self.persist(&stream, || self.tell(&stream, &session, &idle, None)).await;
                    }
                }
            }
        }
    }

    /// Does something until the store lets it, for a while.
    async fn persist<T, F: Future<Output = Result<T, Failed>>>(&self, stream: &StreamId, mut what: impl FnMut() -> F) -> Option<T> {
        let mut pause = PAUSE;
        for _ in 0..TRIES {
            match what().await {
                Ok(done) => return Some(done),
                Err(Failed::Refused(why)) => {
                    warn!(%stream, why, "the store does not take what lists and webhooks need to know of a session");
                    return None;
                }
                Err(Failed::Unavailable(why)) => debug!(%stream, why, "the news of a session has to wait"),
            }
            sleep(pause).await;
            pause *= 2;
        }
        warn!(%stream, "the store did not take what lists and webhooks need to know of a session");
        None
    }

    /// Waits until viewers are sent to a session. Before that nobody can watch it.
    async fn is_current(&self, stream: &StreamId, session: &SessionId, heard: &mpsc::Receiver<News>) -> bool {
        let until = Instant::now() + LIVE_TIME_MAX;
        let key = Key::Current { stream: stream.clone() };
        loop {
            if let Ok(Some(object)) = self.bucket.get(&key).await
                && Json::parse(&object.bytes).is_ok_and(|current| current.text_of("session") == session.as_str())
            {
                return true;
            }
            // Once something came after, this was its last chance.
            if Instant::now() > until || !heard.is_empty() || heard.is_closed() {
                return false;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn begin(&self, stream: &StreamId, session: &SessionId, input: &Json, kinds: &[EventKind]) -> Result<(), Failed> {
        let key = MetaKey::Session { stream: stream.clone(), session: session.clone() };
        let facts = SessionFacts::new(stream, session, input.clone());
        match self.bucket.put(&key.into(), facts.to_bytes().into(), Condition::Absent).await {
            Ok(_) | Err(PutError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
        self.change(MetaKey::Sessions { stream: stream.clone() }, |bytes| {
            let mut sessions = bytes.map(Sessions::parse).unwrap_or_default();
            sessions.add(session).then(|| sessions.to_bytes())
        })
        .await?;
        let mut before = None;
        self.change_line(stream, |page| {
            before = page.entry(stream).and_then(|line| line.session.clone()).filter(|before| before < session);
            page.begin(stream, session)
        })
        .await?;
        if let Some(before) = before {
            // Its worker has died: nobody has said that it is over.
            self.end(stream, &before, false).await?;
        }
        let facts = Json::object().with("session", session.as_str()).with("input", input.clone());
        let events: Vec<_> = kinds.iter().map(|kind| (*kind, facts.clone())).collect();
        self.tell(stream, session, &events, None).await
    }

    /// Says that a session is over, where its log says so, a newer one has come, or its worker is `gone`; whether it is.
    async fn end(&self, stream: &StreamId, session: &SessionId, gone: bool) -> Result<bool, Failed> {
        let timeline = self.timeline(stream, session).await?;
        let current = self.bucket.get(&Key::Current { stream: stream.clone() }).await?;
        let current = current.and_then(|object| Json::parse(&object.bytes).ok());
        let is_followed = current.is_some_and(|current| current.text_of("session") > session.as_str());
        let Some(timeline) = timeline.filter(|timeline| timeline.ended() || is_followed || gone) else { return Ok(false) };
        self.change_line(stream, |page| page.end(stream, session)).await?;
        let ended_utc_ms = timeline.newest_utc_ms();
        let facts = || {
            let seconds = ended_utc_ms.saturating_sub(session.utc_ms()) / 1000;
            let playlist = format!("/live/{stream}/{session}/index.m3u8");
            Json::object().with("session", session.as_str()).with("duration_s", seconds).with("playlist", playlist)
        };
        let mut events = vec![(EventKind::SessionEnded, facts())];
        if timeline.ended() {
            // Its last segment and its playlists were durable before its end was.
            events.push((EventKind::RecordingReady, facts()));
        }
        self.tell(stream, session, &events, Some(ended_utc_ms)).await?;
        Ok(true)
    }

    async fn timeline(&self, stream: &StreamId, session: &SessionId) -> Result<Option<Timeline>, Failed> {
        let head = self.bucket.get(&Key::Head { stream: stream.clone(), session: session.clone() }).await?;
        let snapshot = head.and_then(|head| Snapshot::decode(&head.bytes).ok());
        Ok(snapshot.map(|snapshot| snapshot.into_timeline(Vec::new())))
    }

    /// Writes those events that nobody has written, and that they are written.
    async fn tell(&self, stream: &StreamId, session: &SessionId, events: &[(EventKind, Json)], end: Option<u64>) -> Result<(), Failed> {
        let key = MetaKey::Session { stream: stream.clone(), session: session.clone() };
        let object = self.bucket.get(&key.clone().into()).await?;
        let read = |bytes: Option<&[u8]>| {
            bytes.and_then(SessionFacts::parse).unwrap_or_else(|| SessionFacts::new(stream, session, Json::object()))
        };
        let facts = read(object.as_ref().map(|object| &*object.bytes));
        for (kind, what) in events.iter().filter(|(kind, _)| !facts.is_told(*kind)) {
            let id = event_id(*kind, stream, session, end.or_else(|| facts.ended_utc_ms()).unwrap_or_else(|| session.utc_ms()));
            self.happened(&event_document(*kind, &id, Some(stream), what.clone())).await?;
        }
        self.change(key, |bytes| {
            let mut facts = read(bytes);
            let before = facts.clone();
            if let (Some(utc_ms), None) = (end, facts.ended_utc_ms()) {
                facts.end(utc_ms);
            }
            events.iter().for_each(|(kind, _)| facts.tell(*kind));
            (facts != before).then(|| facts.to_bytes())
        })
        .await
    }

    /// Adds an event to those that webhooks are told.
    async fn happened(&self, event: &Json) -> Result<(), Failed> {
        let ledger = Ledger::Events;
        if self.events.load(Relaxed) == 0
            && let Some(object) = self.bucket.get(&MetaKey::Reached { ledger }.into()).await?
        {
            let reached = std::str::from_utf8(&object.bytes).ok().and_then(|text| text.trim().parse().ok());
            self.events.fetch_max(reached.unwrap_or(0), Relaxed);
        }
        let first = self.events.load(Relaxed);
        for number in first..first.saturating_add(EVENT_TRIES) {
            // All before this number are there, so that no hole comes to be.
            match self.bucket.put(&MetaKey::Entry { ledger, number }.into(), event.to_bytes().into(), Condition::Absent).await {
                Err(PutError::Exists) => {
                    self.events.fetch_max(number + 1, Relaxed);
                }
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    self.events.fetch_max(number + 1, Relaxed);
                    if (number + 1).is_multiple_of(REACHED_EVERY) {
                        let reached = (number + 1).to_string().into_bytes();
                        // Only saves time.
                        let _ = self.bucket.put(&MetaKey::Reached { ledger }.into(), reached.into(), Condition::Any).await;
                    }
                    return Ok(());
                }
            }
        }
        Err(Failed::Unavailable("others write too many events".into()))
    }

    /// Changes the line of a stream in the list of all streams; one that has no document has none.
    async fn change_line(&self, stream: &StreamId, mut edit: impl FnMut(&mut IndexPage) -> bool) -> Result<(), Failed> {
        let Some(object) = self.bucket.get(&MetaKey::Stream { stream: stream.clone() }.into()).await? else { return Ok(()) };
        let Ok(document) = serde_json::from_slice::<StreamDocument>(&object.bytes) else { return Ok(()) };
        self.change(MetaKey::Entry { ledger: Ledger::Index, number: document.page }, |bytes| {
            let mut page = IndexPage::parse(bytes?);
            edit(&mut page).then(|| page.to_bytes())
        })
        .await
    }

    /// Changes a document, over and over until nobody comes in between; `edit` says `None` where nothing is to be done.
    async fn change(&self, key: MetaKey, mut edit: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>) -> Result<(), Failed> {
        let key = key.into();
        for _ in 0..CONFLICTS_MAX {
            let object = self.bucket.get(&key).await?;
            let Some(bytes) = edit(object.as_ref().map(|object| &*object.bytes)) else { return Ok(()) };
            let condition = object.map_or(Condition::Absent, |object| Condition::Match(object.etag));
            match self.bucket.put(&key, bytes.into(), condition).await {
                Ok(_) => return Ok(()),
                Err(PutError::Exists | PutError::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Unavailable(format!("others change {key} all the time")))
    }
}

/// The same for the same thing, whoever says it and however often.
fn event_id(kind: EventKind, stream: &StreamId, session: &SessionId, utc_ms: u64) -> SessionId {
    let [a, b, c, d, e, f, g, h, ..] = KeyHash::of(&format!("{} {stream} {session}", kind.as_str())).0;
    SessionId::new(utc_ms, u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}
