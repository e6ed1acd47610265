#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! A process that is killed at any of its requests, and the one after it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tidegate_stream::{Current, Rendition, RenditionId, RenditionKind, Session, Timeline};

use super::*;
use crate::store::{Condition, Etag, Object, PutError, StoreError};

const STARTED_MS: u64 = 1_790_000_000_000;

/// A bucket in memory. After so many requests it answers no more; the last write may or may not have happened.
#[derive(Clone, Default)]
struct Memory {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    left: Arc<Mutex<Option<usize>>>,
    last_happens: bool,
}

impl Memory {
    fn is_dead(&self) -> bool {
        self.left.lock().unwrap().as_mut().is_some_and(|left| {
            let dead = *left == 0;
            *left = left.saturating_sub(1);
            dead
        })
    }

    fn place(&self, key: impl Into<Key>, bytes: impl Into<Bytes>) {
        self.objects.lock().unwrap().insert(key.into().to_string(), bytes.into());
    }

    /// The events in the bucket: kinds, ids and what they say.
    fn events(&self) -> Vec<(String, String, Json)> {
        let objects = self.objects.lock().unwrap();
        let events = objects.iter().filter(|(key, _)| key.starts_with("meta/events/")).map(|(_, bytes)| Json::parse(bytes).unwrap());
        events.map(|event| (event.text_of("type").into(), event.text_of("id").into(), event.get("data").unwrap().clone())).collect()
    }

    fn facts(&self) -> SessionFacts {
        let key: Key = MetaKey::Session { stream: stream(), session: session() }.into();
        SessionFacts::parse(&self.objects.lock().unwrap()[&key.to_string()]).unwrap()
    }
}

fn etag(bytes: &Bytes) -> Etag {
    Etag(tidegate_stream::Hash::of(bytes).to_string())
}

impl Bucket for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        if self.is_dead() {
            return Err(StoreError::Unavailable("killed".into()));
        }
        let objects = self.objects.lock().unwrap();
        Ok(objects.get(&key.to_string()).map(|bytes| Object { bytes: bytes.clone(), etag: etag(bytes), age: None }))
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        let dead = self.is_dead();
        if dead && !self.last_happens {
            return Err(PutError::Unavailable("killed".into()));
        }
        let mut objects = self.objects.lock().unwrap();
        match (condition, objects.get(&key.to_string())) {
            (Condition::Absent, Some(_)) => return Err(PutError::Exists),
            (Condition::Match(wanted), there) if there.map(etag).as_ref() != Some(&wanted) => return Err(PutError::Changed),
            _ => {}
        }
        let etag = etag(&bytes);
        objects.insert(key.to_string(), bytes);
        if dead { Err(PutError::Unavailable("killed".into())) } else { Ok(etag) }
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let dead = self.is_dead();
        if !dead || self.last_happens {
            let mut objects = self.objects.lock().unwrap();
            keys.iter().for_each(|key| drop(objects.remove(&key.to_string())));
        }
        if dead { Err(StoreError::Unavailable("killed".into())) } else { Ok(()) }
    }
}

impl Listing for Memory {
    async fn list(&self, folder: &str, max: usize) -> Result<Vec<(Key, Etag)>, StoreError> {
        if self.is_dead() {
            return Err(StoreError::Unavailable("killed".into()));
        }
        let objects = self.objects.lock().unwrap();
        let below = objects.iter().filter(|(key, _)| key.starts_with(folder));
        Ok(below.filter_map(|(key, bytes)| Some((Key::parse(key)?, etag(bytes)))).take(max).collect())
    }
}

fn stream() -> StreamId {
    StreamId::parse("demo").unwrap()
}

fn session() -> SessionId {
    SessionId::new(STARTED_MS, 7)
}

/// A session that has begun and has no segment yet, of a stream with two thresholds.
fn begun() -> Memory {
    let memory = Memory::default();
    let rendition = Rendition { id: RenditionId::parse("source").unwrap(), kind: RenditionKind::Video, part_target_us: 500_000 };
    let of = Session { stream: stream(), id: session(), target_duration_s: 2, dvr_window_s: 60, renditions: vec![rendition] };
    memory.place(Key::Head { stream: stream(), session: session() }, Timeline::new(of).snapshot().encode());
    memory.place(Key::Current { stream: stream() }, serde_json::to_vec(&Current { session: session() }).unwrap());
    memory.place(MetaKey::Stream { stream: stream() }, r#"{"viewer_thresholds":[100,10]}"#);
    let facts = SessionFacts::new(&stream(), &session(), Json::object());
    memory.place(MetaKey::Session { stream: stream(), session: session() }, facts.to_bytes());
    memory
}

/// Does something with a process that is killed after each number of requests, and then with another one; `check` sees the bucket.
async fn killed_anywhere<F: Future<Output = Result<(), Failed>>>(what: impl Fn(Desk<Memory>) -> F, check: impl Fn(&Memory)) {
    for last_happens in [false, true] {
        let mut kills = 0;
        loop {
            let memory = Memory { last_happens, ..begun() };
            *memory.left.lock().unwrap() = Some(kills);
            let through = what(Desk::new(memory.clone())).await.is_ok();
            *memory.left.lock().unwrap() = None;
            what(Desk::new(memory.clone())).await.unwrap();
            check(&memory);
            if through {
                break;
            }
            kills += 1;
            assert!(kills < 100, "it never comes to an end");
        }
        assert!(kills > 4, "it was killed at {kills} places only");
    }
}

fn ids_of(events: &[(String, String, Json)], kind: &str) -> Vec<String> {
    let mut ids: Vec<String> = events.iter().filter(|(known, _, _)| known == kind).map(|(_, id, _)| id.clone()).collect();
    ids.dedup();
    ids
}

#[tokio::test]
async fn session_whose_worker_has_died_is_said_to_be_over_whenever_the_caretaker_is_killed() {
    let now_ms = STARTED_MS + SILENT_MS;
    let close = |desk: Desk<Memory>| async move { desk.close_silent(&stream(), &session(), now_ms).await.map(|over| assert!(over)) };
    killed_anywhere(close, |memory| {
        let events = memory.events();
        // An event may be there twice, but is the same then.
        for kind in ["session.ended", "stream.idle"] {
            assert_eq!(ids_of(&events, kind).len(), 1, "{kind} in {events:?}");
        }
        assert!(ids_of(&events, "recording.ready").is_empty(), "nobody has finished it");
        assert_eq!(memory.facts().ended_utc_ms(), Some(STARTED_MS));
    })
    .await;
}

#[tokio::test]
async fn session_that_is_silent_for_less_is_left_alone() {
    let memory = begun();
    let desk = Desk::new(memory.clone());
    assert!(!desk.close_silent(&stream(), &session(), STARTED_MS + SILENT_MS - 1).await.unwrap());
    assert_eq!(memory.events(), []);
}

#[tokio::test]
async fn thresholds_and_the_peak_are_told_whenever_the_caretaker_is_killed() {
    let watch = |desk: Desk<Memory>| async move { desk.watched(&stream(), &session(), 120, STARTED_MS + 5000).await };
    killed_anywhere(watch, |memory| {
        let events = memory.events();
        let of = |viewers: u64| events.iter().filter(|(_, _, what)| what.number_of("viewers") == viewers).cloned().collect::<Vec<_>>();
        for viewers in [10, 100] {
            assert_eq!(ids_of(&of(viewers), "viewer.threshold").len(), 1, "{events:?}");
        }
        assert_eq!(memory.facts().peak_viewers(), Some(&Json::Number(120)));
    })
    .await;
}

#[tokio::test]
async fn threshold_is_told_once_in_a_session_and_the_peak_never_falls() {
    let memory = begun();
    let desk = Desk::new(memory.clone());
    for viewers in [9, 10, 50, 5, 12, 99] {
        desk.watched(&stream(), &session(), viewers, STARTED_MS).await.unwrap();
    }
    assert_eq!(memory.events().len(), 1);
    assert_eq!(memory.facts().peak_viewers(), Some(&Json::Number(99)));
}

/// Three sessions of a day each, all over but the last; their stream keeps recordings for two days.
fn recorded() -> [SessionId; 3] {
    [0, 1, 2].map(|day| SessionId::new(STARTED_MS + day * DAY_MS, day))
}

fn with_recordings(memory: &Memory, retention: &str) {
    let sessions = recorded();
    memory.place(MetaKey::Stream { stream: stream() }, format!(r#"{{"retention_days":{retention}}}"#));
    let mut list = Sessions::default();
    for session in &sessions {
        list.add(session);
        let mut facts = SessionFacts::new(&stream(), session, Json::object());
        if session != &sessions[2] {
            facts.end(session.utc_ms() + DAY_MS / 2);
        }
        memory.place(MetaKey::Session { stream: stream(), session: session.clone() }, facts.to_bytes());
        let at = || (stream(), session.clone());
        for number in 0..2500 {
            let (stream, session) = at();
            memory.place(Key::Segment { stream, session, msn: tidegate_stream::Msn(number) }, "media");
        }
        for rendition in ["source", "audio"] {
            let ((stream, session), rendition) = (at(), RenditionId::parse(rendition).unwrap());
            memory.place(Key::StaticMedia { stream, session, rendition }, "list");
        }
        let ((stream, session), (of, id)) = (at(), at());
        memory.place(Key::Head { stream, session }, "snapshot");
        memory.place(Key::SessionMultivariant { stream: of, session: id }, "list");
    }
    memory.place(MetaKey::Sessions { stream: stream() }, list.to_bytes());
}

fn objects_of(memory: &Memory, session: &SessionId) -> usize {
    let folder = Key::session_folder(&stream(), session);
    memory.objects.lock().unwrap().keys().filter(|key| key.starts_with(&folder)).count()
}

#[tokio::test]
async fn recordings_go_when_they_are_too_old_wherever_the_process_is_killed() {
    let [first, second, third] = recorded();
    // Half a day after the end of the first one its two days are over.
    let now_ms = STARTED_MS + DAY_MS / 2 + 2 * DAY_MS;
    let forget = |desk: Desk<Memory>| async move {
        let list: Key = MetaKey::Sessions { stream: stream() }.into();
        if desk.bucket.get(&list).await?.is_none() {
            with_recordings(&desk.bucket, "2");
        }
        desk.forget_old(&stream(), now_ms).await.map(drop)
    };
    killed_anywhere(forget, |memory| {
        assert_eq!(objects_of(memory, &first), 0);
        assert_eq!((objects_of(memory, &second), objects_of(memory, &third)), (2504, 2504));
        let list: Key = MetaKey::Sessions { stream: stream() }.into();
        assert_eq!(Sessions::parse(&memory.objects.lock().unwrap()[&list.to_string()]).all(), [second.clone(), third.clone()]);
    })
    .await;
}

#[tokio::test]
async fn recordings_stay_where_nobody_says_for_how_long_and_live_sessions_always() {
    let memory = begun();
    with_recordings(&memory, "null");
    let desk = Desk::new(memory.clone());
    assert_eq!(desk.forget_old(&stream(), STARTED_MS + 1000 * DAY_MS).await.unwrap(), 0);
    with_recordings(&memory, "0");
    assert_eq!(desk.forget_old(&stream(), STARTED_MS + 1000 * DAY_MS).await.unwrap(), 2);
    assert_eq!(recorded().map(|session| objects_of(&memory, &session)), [0, 0, 2504], "who has not ended stays");
}

#[tokio::test]
async fn a_session_that_was_called_over_and_goes_on_is_not_removed() {
    let memory = begun();
    memory.place(MetaKey::Stream { stream: stream() }, r#"{"retention_days":0}"#);
    let mut facts = SessionFacts::new(&stream(), &session(), Json::object());
    facts.end(STARTED_MS + 1);
    memory.place(MetaKey::Session { stream: stream(), session: session() }, facts.to_bytes());
    let mut list = Sessions::default();
    list.add(&session());
    memory.place(MetaKey::Sessions { stream: stream() }, list.to_bytes());
    let desk = Desk::new(memory.clone());
    // Its newest media is that old.
    assert_eq!(desk.forget_old(&stream(), STARTED_MS + SILENT_MS - 1).await.unwrap(), 0);
    assert_eq!(desk.forget_old(&stream(), STARTED_MS + SILENT_MS + 1).await.unwrap(), 1);
    assert_eq!(objects_of(&memory, &session()), 0);
}
