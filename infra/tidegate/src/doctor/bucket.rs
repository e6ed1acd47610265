//! Whether a bucket keeps the promises that the log stands on, through the eyes of the worker.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use tidegate_ingest_worker::store::{Bucket, Condition, PutError};
use tidegate_stream::{Key, RecordNumber, SessionId, StreamId};

use super::finding::Finding;

/// Where the doctor writes: a stream and a session that nobody watches.
pub(crate) struct Probe {
    stream: StreamId,
    session: SessionId,
}

const RACES: u64 = 6;
const WRITERS: u8 = 12;
const COUNTERS: u32 = 4;
const COUNTS_EACH: u32 = 5;
/// How often a counter may be told that somebody else was first.
const TRIES: u32 = 200;
const TIMED: u64 = 30;
/// A record of five rungs.
const RECORD_BYTES: usize = 200_000;
/// Beyond this a record comes later than the part after it is due, at the default part of 500 ms.
const PUT_P99: Duration = Duration::from_millis(400);

/// The numbers of the records that each check writes; none of them meets another's.
const FIRST: u64 = 1;
const RACE: u64 = 100;
const TIMING: u64 = 200;

const ADVICE: &str = "this store would lose parts of streams without a word: use AWS S3, MinIO, SeaweedFS or the embedded store";

impl Probe {
    pub(crate) fn new(session: SessionId) -> Self {
        // The name is short and of the right letters; it cannot be refused.
        let stream = StreamId::parse("tidegate-doctor").unwrap_or_else(|_| unreachable!("the name is an id"));
        Self { stream, session }
    }

    pub(crate) fn record(&self, number: u64) -> Key {
        Key::Record { stream: self.stream.clone(), session: self.session.clone(), number: RecordNumber(number) }
    }

    /// An object that is replaced, as snapshots are.
    pub(crate) fn head(&self) -> Key {
        Key::Head { stream: self.stream.clone(), session: self.session.clone() }
    }

    fn counter(&self) -> Key {
        Key::SessionMultivariant { stream: self.stream.clone(), session: self.session.clone() }
    }
}

/// All checks, in an order in which a later one means nothing when an earlier one failed.
pub(crate) async fn examine(store: &impl Bucket, probe: &Probe) -> Vec<Finding> {
    let mut findings = vec![read_back(store, probe).await];
    if findings.iter().any(|finding| finding.outcome == super::finding::Outcome::Failed) {
        return findings;
    }
    findings.push(write_once(store, probe).await);
    findings.push(match_etag(store, probe).await);
    findings.push(race(store, probe).await);
    findings.push(counter(store, probe).await);
    findings.push(timing(store, probe).await);
    findings
}

/// Removes what the checks have written, as far as the store lets.
pub(crate) async fn clean(store: &impl Bucket, probe: &Probe) {
    let numbers = [FIRST, FIRST + 1].into_iter().chain(RACE..RACE + RACES).chain(TIMING..TIMING + TIMED);
    let keys: Vec<Key> = numbers.map(|number| probe.record(number)).chain([probe.head(), probe.counter()]).collect();
    if let Err(error) = store.delete(&keys).await {
        tracing::warn!(%error, "what the doctor wrote could not be deleted");
    }
}

async fn read_back(store: &impl Bucket, probe: &Probe) -> Finding {
    let check = "store.read";
    let advice = "give the keys the right to put, get and delete under live/, and to list it";
    if let Err(error) = store.put(&probe.record(FIRST), "first".into(), Condition::Absent).await {
        return Finding::failed(check, format!("a new object cannot be written: {error}"), advice);
    }
    match store.get(&probe.record(FIRST)).await {
        Ok(Some(object)) if object.bytes == "first" => {}
        Ok(_) => return Finding::failed(check, "an object that was just written does not read back", ADVICE),
        Err(error) => return Finding::failed(check, format!("an object that was just written cannot be read: {error}"), advice),
    }
    match store.get(&probe.record(FIRST + 1)).await {
        Ok(None) => Finding::fine(check, "an object reads back at once, and a missing one is missing"),
        Ok(Some(_)) => Finding::failed(check, "an object is there that nobody wrote", ADVICE),
        Err(error) => Finding::failed(check, format!("a missing object is not a 404: {error}"), advice),
    }
}

async fn write_once(store: &impl Bucket, probe: &Probe) -> Finding {
    let check = "store.write-once";
    match store.put(&probe.record(FIRST), "second".into(), Condition::Absent).await {
        Err(PutError::Exists) => Finding::fine(check, "If-None-Match: * keeps an object as it is"),
        Ok(_) => Finding::failed(check, "If-None-Match: * is ignored: a second writer overwrites", ADVICE),
        Err(error) => Finding::failed(check, format!("If-None-Match: * is not understood: {error}"), ADVICE),
    }
}

async fn match_etag(store: &impl Bucket, probe: &Probe) -> Finding {
    let check = "store.if-match";
    let first = match store.put(&probe.head(), "1".into(), Condition::Any).await {
        Ok(etag) => etag,
        Err(error) => return Finding::failed(check, format!("a document cannot be written: {error}"), ADVICE),
    };
    if let Err(error) = store.put(&probe.head(), "2".into(), Condition::Match(first.clone())).await {
        return Finding::failed(check, format!("If-Match with the right ETag is refused: {error}"), ADVICE);
    }
    match store.put(&probe.head(), "3".into(), Condition::Match(first)).await {
        Err(PutError::Changed) => Finding::fine(check, "If-Match refuses whoever knows only an old state"),
        Ok(_) => Finding::failed(check, "If-Match is ignored: an old state overwrites a new one", ADVICE),
        Err(error) => Finding::failed(check, format!("If-Match is not understood: {error}"), ADVICE),
    }
}

async fn race(store: &impl Bucket, probe: &Probe) -> Finding {
    let check = "store.race";
    let mut wrong = 0;
    for race in 0..RACES {
        let key = &probe.record(RACE + race);
        let write = |writer| async move { store.put(key, Bytes::from(vec![writer; 20_000]), Condition::Absent).await };
        let answers = join_all((0..WRITERS).map(write)).await;
        let winners: Vec<usize> = answers.iter().enumerate().filter(|(_, answer)| answer.is_ok()).map(|(writer, _)| writer).collect();
        let there = store.get(key).await.ok().flatten();
        let is_whole = there.is_some_and(|object| {
            let first = object.bytes.first().copied().map(usize::from);
            object.bytes.iter().all(|byte| Some(usize::from(*byte)) == first) && first == winners.first().copied()
        });
        wrong += u64::from(winners.len() != 1 || !is_whole);
    }
    match wrong {
        0 => Finding::fine(check, format!("{RACES} races of {WRITERS} writers had one winner each")),
        wrong => Finding::failed(check, format!("{wrong} of {RACES} races of {WRITERS} writers had no one winner"), ADVICE),
    }
}

async fn counter(store: &impl Bucket, probe: &Probe) -> Finding {
    let check = "store.counter";
    let key = &probe.counter();
    if let Err(error) = store.put(key, "0".into(), Condition::Any).await {
        return Finding::failed(check, format!("a document cannot be written: {error}"), ADVICE);
    }
    let value = |bytes: &Bytes| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u32>().ok());
    let count = || async move {
        let mut done = 0;
        for _ in 0..TRIES {
            let Ok(Some(there)) = store.get(key).await else { continue };
            let Some(now) = value(&there.bytes) else { continue };
            if store.put(key, (now + 1).to_string().into(), Condition::Match(there.etag)).await.is_ok() {
                done += 1;
                if done == COUNTS_EACH {
                    break;
                }
            }
        }
        done
    };
    let done: u32 = join_all((0..COUNTERS).map(|_| count())).await.into_iter().sum();
    let end = store.get(key).await.ok().flatten().and_then(|there| value(&there.bytes));
    match end {
        Some(end) if end == done && done == COUNTERS * COUNTS_EACH => {
            Finding::fine(check, format!("{COUNTERS} writers counted to {end} and lost nothing"))
        }
        Some(end) if end == done => Finding::warned(
            check,
            format!("{COUNTERS} writers got {done} of {} counts in", COUNTERS * COUNTS_EACH),
            "the store is slow under contention: documents will be slow to change",
        ),
        Some(end) => Finding::failed(check, format!("{COUNTERS} writers were told {done} counts, and {end} are there"), ADVICE),
        None => Finding::failed(check, "the document that the writers counted in cannot be read", ADVICE),
    }
}

async fn timing(store: &impl Bucket, probe: &Probe) -> Finding {
    let check = "store.latency";
    let body = Bytes::from(vec![7; RECORD_BYTES]);
    let mut took = Vec::new();
    for number in TIMING..TIMING + TIMED {
        let start = Instant::now();
        if let Err(error) = store.put(&probe.record(number), body.clone(), Condition::Absent).await {
            return Finding::failed(check, format!("a record of {} kB cannot be written: {error}", RECORD_BYTES / 1000), ADVICE);
        }
        took.push(start.elapsed());
    }
    judge_timing(check, took)
}

fn judge_timing(check: &'static str, mut took: Vec<Duration>) -> Finding {
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    let (p50, p99) = (at(50), at(99));
    let seen = format!("a record of {} kB is durable in {p50:.1?} (p50), {p99:.1?} (p99)", RECORD_BYTES / 1000);
    if p99 > PUT_P99 {
        Finding::warned(check, seen, "use longer parts (part_ms above twice the p99), a store nearer to the worker, or S3 Express One Zone")
    } else {
        Finding::fine(check, seen)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{Mutex, PoisonError},
    };

    use tidegate_ingest_worker::store::{Etag, Object, StoreError};

    use super::*;
    use crate::doctor::finding::Outcome;

    /// A store in memory that keeps its word, or breaks it in one way.
    #[derive(Default)]
    struct Fake {
        objects: Mutex<HashMap<String, Object>>,
        fault: Option<Fault>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Fault {
        /// As Garage and s3rver do.
        IgnoresConditions,
        /// As s3s-fs does: looks, lets others go first, writes.
        LooksThenWrites,
        /// Answers 403 for what is not there.
        HidesMissing,
    }

    impl Fake {
        fn with(fault: Fault) -> Self {
            Self { fault: Some(fault), ..Self::default() }
        }

        fn holds(&self, key: &str, condition: &Condition) -> Result<(), PutError> {
            let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
            match (condition, objects.get(key)) {
                (Condition::Absent, Some(_)) => Err(PutError::Exists),
                (Condition::Match(etag), there) if there.is_none_or(|there| there.etag != *etag) => Err(PutError::Changed),
                _ => Ok(()),
            }
        }
    }

    impl Bucket for Fake {
        async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
            let there = self.objects.lock().unwrap_or_else(PoisonError::into_inner).get(&key.to_string()).cloned();
            match (there, self.fault) {
                (None, Some(Fault::HidesMissing)) => Err(StoreError::Refused("403".into())),
                (there, _) => Ok(there),
            }
        }

        async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
            let key = key.to_string();
            match self.fault {
                Some(Fault::IgnoresConditions) => tokio::task::yield_now().await,
                Some(Fault::LooksThenWrites) => {
                    self.holds(&key, &condition)?;
                    tokio::task::yield_now().await;
                }
                _ => self.holds(&key, &condition)?,
            }
            let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
            let etag = Etag(format!("\"{}\"", objects.values().map(|object| object.bytes.len()).sum::<usize>() + bytes.len()));
            let etag = Etag(format!("{}-{}", etag.0, objects.get(&key).map_or(0, |there| there.etag.0.len())));
            objects.insert(key, Object { bytes, etag: etag.clone(), age: None });
            Ok(etag)
        }

        async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
            let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
            keys.iter().for_each(|key| drop(objects.remove(&key.to_string())));
            Ok(())
        }
    }

    fn failed(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().filter(|finding| finding.outcome == Outcome::Failed).map(|finding| finding.check).collect()
    }

    async fn of(store: &Fake) -> Vec<Finding> {
        examine(store, &Probe::new(SessionId::new(1_790_000_000_000, 7))).await
    }

    #[tokio::test]
    async fn a_store_that_keeps_its_word_passes_and_is_left_clean() {
        let store = Fake::default();
        let findings = of(&store).await;
        assert_eq!(failed(&findings), [""; 0], "{findings:?}");
        assert_eq!(findings.len(), 6);
        clean(&store, &Probe::new(SessionId::new(1_790_000_000_000, 7))).await;
        assert_eq!(store.objects.lock().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_store_that_ignores_conditions_is_refused() {
        let findings = of(&Fake::with(Fault::IgnoresConditions)).await;
        assert_eq!(failed(&findings), ["store.write-once", "store.if-match", "store.race", "store.counter"], "{findings:?}");
    }

    #[tokio::test]
    async fn a_store_that_looks_before_it_writes_is_refused_by_the_races() {
        let findings = of(&Fake::with(Fault::LooksThenWrites)).await;
        assert_eq!(failed(&findings), ["store.race", "store.counter"], "{findings:?}");
    }

    #[tokio::test]
    async fn a_store_that_hides_what_is_missing_is_refused_at_once() {
        let findings = of(&Fake::with(Fault::HidesMissing)).await;
        assert_eq!(failed(&findings), ["store.read"], "{findings:?}");
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn a_slow_store_is_a_warning() {
        let slow = judge_timing("store.latency", vec![Duration::from_millis(500); 10]);
        assert_eq!(slow.outcome, Outcome::Warned);
        assert_eq!(judge_timing("store.latency", vec![Duration::from_millis(20); 10]).outcome, Outcome::Fine);
    }
}
