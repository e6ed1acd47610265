use std::{collections::HashMap, sync::atomic::AtomicU64};

use bytes::Bytes;
use tidegate_stream::{RecordNumber, SessionId, StreamId};

use super::{
    super::{
        bucket::{Condition, Etag, Object, PutError, StoreError},
        clock::{sleep, virtual_time},
        submission::PutCondition,
    },
    *,
};

/// A bucket in memory whose answers follow a script.
#[derive(Clone, Default)]
struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    objects: Mutex<HashMap<Key, Object>>,
    /// What the next requests meet, in order; then all goes well.
    script: Mutex<Vec<Fate>>,
    /// What was asked, in order: `put 3`, `done 3`.
    asked: Mutex<Vec<String>>,
    writes: AtomicU64,
}

#[derive(Clone)]
enum Fate {
    /// It is done, and the answer comes after this.
    After(u64),
    /// It is done after this, and answered then; a request that is given up before is done all the same.
    Late(u64),
    /// It is done, and the answer is lost.
    DoneButLost,
    Fails(PutError),
}

impl Fake {
    fn scripted(fates: impl IntoIterator<Item = Fate>) -> Self {
        let fake = Self::default();
        *fake.0.script.lock().unwrap() = fates.into_iter().collect();
        fake
    }

    fn fate(&self) -> Fate {
        let mut script = self.0.script.lock().unwrap();
        if script.is_empty() { Fate::After(1) } else { script.remove(0) }
    }

    fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    fn note(&self, what: &str, key: &Key) {
        self.0.asked.lock().unwrap().push(format!("{what} {}", key.to_string().rsplit('/').next().unwrap().trim_start_matches('0')));
    }

    fn body(&self, key: &Key) -> Option<Bytes> {
        self.0.objects.lock().unwrap().get(key).map(|object| object.bytes.clone())
    }

    fn write(&self, key: &Key, bytes: Bytes, condition: &Condition) -> Result<Etag, PutError> {
        let mut objects = self.0.objects.lock().unwrap();
        match (condition, objects.get(key)) {
            (Condition::Absent, Some(_)) => return Err(PutError::Exists),
            (Condition::Match(_), None) => return Err(PutError::Changed),
            (Condition::Match(etag), Some(there)) if there.etag != *etag => return Err(PutError::Changed),
            _ => {}
        }
        let etag = Etag(self.0.writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string());
        objects.insert(key.clone(), Object { bytes, etag: etag.clone(), age: None });
        Ok(etag)
    }
}

impl Bucket for Fake {
    async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.note("get", key);
        Ok(self.0.objects.lock().unwrap().get(key).cloned())
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        self.note("put", key);
        let answer = match self.fate() {
            Fate::After(ms) => {
                sleep(Duration::from_millis(ms)).await;
                self.write(key, bytes, &condition)
            }
            Fate::Late(ms) => {
                let (fake, key) = (self.clone(), key.clone());
                let late = tokio::spawn(async move {
                    sleep(Duration::from_millis(ms)).await;
                    fake.write(&key, bytes, &condition)
                });
                late.await.unwrap()
            }
            Fate::DoneButLost => {
                self.write(key, bytes, &condition)?;
                Err(PutError::Unavailable("lost".into()))
            }
            Fate::Fails(error) => Err(error),
        };
        if answer.is_ok() {
            self.note("done", key);
        }
        answer
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        for key in keys {
            self.note("delete", key);
            self.0.objects.lock().unwrap().remove(key);
        }
        Ok(())
    }
}

fn record_key(number: u64) -> Key {
    let stream = StreamId::parse("demo").unwrap();
    Key::Record { stream, session: SessionId::new(0, 0), number: RecordNumber(number) }
}

fn head_key() -> Key {
    Key::Head { stream: StreamId::parse("demo").unwrap(), session: SessionId::new(0, 0) }
}

fn record(number: u64) -> Submission {
    let bytes = Bytes::from(format!("record {number}"));
    Submission::Put(Put { key: record_key(number), bytes, condition: PutCondition::Absent, lane: Lane::Log, barrier: false })
}

fn head(bytes: &'static str) -> Submission {
    let (key, condition) = (head_key(), PutCondition::Replace);
    Submission::Put(Put { key, bytes: bytes.into(), condition, lane: Lane::Index, barrier: true })
}

fn unavailable() -> Fate {
    Fate::Fails(PutError::Unavailable("503".into()))
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn session_arrives_whole_and_in_order() {
    virtual_time::run(async {
        let fake = Fake::default();
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        for number in 1..=3 {
            writer.submit(record(number)).await.unwrap();
        }
        writer.submit(head("three")).await.unwrap();
        writer.submit(Submission::Delete(vec![record_key(1)])).await.unwrap();
        let stats = writer.finish(MINUTE).await.unwrap();
        assert_eq!(fake.asked(), ["put 1", "put 2", "put 3", "done 1", "done 2", "done 3", "put head", "done head", "delete 1"]);
        assert_eq!((stats.puts, stats.hedges, stats.retries, stats.waiting), (4, 0, 0, 0));
        assert_eq!((stats.log.count, stats.log.p99), (3, Duration::from_millis(1)));
    });
}

#[test]
fn store_that_cannot_is_asked_until_it_can() {
    virtual_time::run(async {
        let fake = Fake::scripted((0..20).map(|_| unavailable()));
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        writer.submit(record(1)).await.unwrap();
        let stats = writer.finish(MINUTE).await.unwrap();
        assert_eq!(stats.retries, 20);
        assert!(
            stats.log.p50 > Duration::from_secs(7) && stats.log.p50 < Duration::from_secs(17),
            "pauses grow to 1 s: {:?}",
            stats.log.p50
        );
        assert!(fake.body(&record_key(1)).is_some());
    });
}

#[test]
fn slow_answer_is_overtaken_by_a_second_request() {
    virtual_time::run(async {
        let fake = Fake::scripted([Fate::After(4000), Fate::After(10)]);
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        writer.submit(record(1)).await.unwrap();
        let stats = writer.finish(MINUTE).await.unwrap();
        assert_eq!((stats.puts, stats.hedges), (2, 1));
        assert_eq!(stats.log.p50, Duration::from_millis(510), "the first p95 is half a second");
    });
}

#[test]
fn hedge_waits_for_the_p95_and_never_below_its_floor() {
    virtual_time::run(async {
        let fake = Fake::scripted((0..20).map(|_| Fate::After(80)).chain([Fate::After(4000), Fate::After(10)]));
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        for number in 1..=21 {
            writer.submit(record(number)).await.unwrap();
            writer.finish(MINUTE).await.unwrap();
        }
        assert_eq!(writer.stats().log.p99, Duration::from_millis(90), "80 ms, then 10 ms");
        let fast = Fake::scripted((0..20).map(|_| Fate::After(1)).chain([Fate::After(4000), Fate::After(10)]));
        let writer = Writer::new(fast, WriterConfig::default());
        for number in 1..=21 {
            writer.submit(record(number)).await.unwrap();
            writer.finish(MINUTE).await.unwrap();
        }
        assert_eq!(writer.stats().log.p99, Duration::from_millis(60), "the floor of 50 ms, then 10 ms");
    });
}

#[test]
fn store_that_is_always_slow_is_not_asked_twice_for_long() {
    virtual_time::run(async {
        let fake = Fake::scripted((0..200).map(|_| Fate::After(700)));
        let writer = Writer::new(fake, WriterConfig::default());
        for number in 1..=100 {
            writer.submit(record(number)).await.unwrap();
        }
        let stats = writer.finish(MINUTE).await.unwrap();
        assert!(stats.hedges <= 20, "{stats:?}");
    });
}

#[test]
fn own_write_whose_answer_was_lost_is_success() {
    virtual_time::run(async {
        let fake = Fake::scripted([Fate::DoneButLost]);
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        writer.submit(record(1)).await.unwrap();
        writer.finish(MINUTE).await.unwrap();
        assert_eq!(fake.asked(), ["put 1", "put 1", "get 1"]);
    });
}

#[test]
fn foreign_record_ends_the_session_here() {
    virtual_time::run(async {
        let fake = Fake::default();
        fake.write(&record_key(2), "another".into(), &Condition::Any).unwrap();
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        let watch = tokio::spawn({
            let writer = writer.clone();
            async move { writer.stopped().await }
        });
        for number in 1..=2 {
            writer.submit(record(number)).await.unwrap();
        }
        let fenced = WriterError::Fenced { key: record_key(2) };
        assert_eq!(writer.finish(MINUTE).await, Err(fenced.clone()));
        assert_eq!(watch.await.unwrap(), fenced);
        assert_eq!(writer.submit(record(3)).await, Err(fenced));
        assert_eq!(fake.body(&record_key(2)).unwrap(), "another");
        assert_eq!(fake.body(&record_key(3)), None);
    });
}

#[test]
fn refusal_ends_the_session_after_a_few_tries_with_its_sentence() {
    virtual_time::run(async {
        let fake = Fake::scripted((0..4).map(|_| Fate::Fails(PutError::Refused("check the keys".into()))));
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        writer.submit(head("1")).await.unwrap();
        let error = writer.finish(MINUTE).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{} cannot be written: check the keys", head_key()));
        assert_eq!(fake.asked().len(), 4);
    });
}

#[test]
fn late_copy_of_an_older_state_never_comes_over_a_newer_one() {
    virtual_time::run(async {
        // The first write of the head is given up after 5 s and reaches the store after 20 s.
        let fake = Fake::scripted([Fate::After(1), Fate::Late(20_000)]);
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        for state in ["one", "two", "three"] {
            writer.submit(head(state)).await.unwrap();
            writer.finish(MINUTE).await.unwrap();
        }
        sleep(MINUTE).await;
        assert_eq!(fake.body(&head_key()).unwrap(), "three");
    });
}

#[test]
fn document_that_was_there_before_is_replaced() {
    virtual_time::run(async {
        let fake = Fake::default();
        fake.write(&head_key(), "older".into(), &Condition::Any).unwrap();
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        for state in ["one", "two"] {
            writer.submit(head(state)).await.unwrap();
            writer.finish(MINUTE).await.unwrap();
        }
        assert_eq!(fake.asked(), ["put head", "get head", "put head", "done head", "put head", "done head"]);
        assert_eq!(writer.stats().retries, 0);
    });
}

#[test]
fn newest_state_alone_is_written_after_an_outage() {
    virtual_time::run(async {
        let fake = Fake::scripted((0..10).map(|_| unavailable()));
        let writer = Writer::new(fake.clone(), WriterConfig::default());
        for state in ["one", "two", "three", "four"] {
            writer.submit(head(state)).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
        let stats = writer.finish(MINUTE).await.unwrap();
        assert_eq!(stats.superseded, 2);
        assert_eq!(fake.asked().iter().filter(|asked| *asked == "done head").count(), 2);
        assert_eq!(fake.body(&head_key()).unwrap(), "four");
    });
}

#[test]
fn what_memory_has_no_room_for_waits_on_disk_and_is_written_in_order() {
    virtual_time::run(async {
        let fake = Fake::scripted((0..20).map(|_| unavailable()));
        let config = WriterConfig { max_waiting_bytes: 1, max_spooled_bytes: 1 << 20, one_by_one: true, ..WriterConfig::default() };
        let writer = Writer::new(fake.clone(), config);
        for number in 1..=30 {
            writer.submit(record(number)).await.unwrap();
        }
        let stats = writer.stats();
        assert!(stats.spooled_bytes > 0, "{stats:?}");
        let stats = writer.finish(10 * MINUTE).await.unwrap();
        assert_eq!((stats.waiting, stats.spooled_bytes), (0, 0));
        let done: Vec<String> = fake.asked().into_iter().filter(|asked| asked.starts_with("done")).collect();
        assert_eq!(done, (1..=30).map(|number| format!("done {number}")).collect::<Vec<_>>());
        let Submission::Put(last) = record(30) else { panic!() };
        assert_eq!(fake.body(&last.key), Some(last.bytes));
        assert_eq!(writer.durable(), Some(RecordNumber(30)));
    });
}

#[test]
fn a_second_bucket_gets_what_the_first_has_confirmed_in_order_and_holds_nothing_up() {
    virtual_time::run(async {
        let (first, second) = (Fake::scripted([Fate::After(50), unavailable()]), Fake::scripted((0..30).map(|_| Fate::After(400))));
        let mirror = Mirror::new(second.clone(), 1 << 20);
        let config = WriterConfig { one_by_one: true, ..WriterConfig::default() };
        let writer = Writer::mirrored(first.clone(), config, Some(mirror.clone()));
        let start = now();
        for number in 1..=10 {
            writer.submit(record(number)).await.unwrap();
            assert!(
                second.asked().iter().filter(|asked| asked.starts_with("put")).count() < number as usize,
                "not before the first has it"
            );
        }
        writer.submit(head("ten")).await.unwrap();
        writer.finish(MINUTE).await.unwrap();
        assert!(now() - start < Duration::from_secs(1), "it waited for the second");
        mirror.finish(MINUTE).await.unwrap();
        assert_eq!((second.body(&record_key(10)), second.body(&head_key())), (first.body(&record_key(10)), first.body(&head_key())));
        assert_eq!((mirror.lost(), mirror.waiting_bytes()), (0, 0));
        let heads_at = second.asked().iter().position(|asked| asked == "put head").unwrap();
        let records = second.asked().iter().take(heads_at).filter(|asked| asked.starts_with("done")).count();
        assert_eq!(records, 10, "a snapshot names what is there: {:?}", second.asked());
    });
}

#[test]
fn a_second_bucket_that_is_away_lacks_what_is_beyond_its_bound_and_that_is_counted() {
    virtual_time::run(async {
        let (first, second) = (Fake::default(), Fake::scripted((0..8).map(|_| unavailable())));
        let mirror = Mirror::new(second.clone(), 3 * 530);
        let writer = Writer::mirrored(first.clone(), WriterConfig { one_by_one: true, ..WriterConfig::default() }, Some(mirror.clone()));
        for number in 1..=10 {
            writer.submit(record(number)).await.unwrap();
            writer.finish(MINUTE).await.unwrap();
        }
        assert_eq!(first.asked().iter().filter(|asked| asked.starts_with("done")).count(), 10);
        mirror.finish(10 * MINUTE).await.unwrap();
        let there = (1..=10).filter(|number| second.body(&record_key(*number)).is_some()).count() as u64;
        assert!(there >= 2 && mirror.lost() == 10 - there, "{there} there, {} lost", mirror.lost());
    });
}

#[test]
fn a_second_bucket_with_another_history_is_left_alone_until_the_next_snapshot() {
    virtual_time::run(async {
        let (first, second) = (Fake::default(), Fake::default());
        second.write(&record_key(2), "of somebody else".into(), &Condition::Any).unwrap();
        let mirror = Mirror::new(second.clone(), 1 << 20);
        let writer = Writer::mirrored(first.clone(), WriterConfig { one_by_one: true, ..WriterConfig::default() }, Some(mirror.clone()));
        for number in 1..=4 {
            writer.submit(record(number)).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(second.body(&record_key(2)).unwrap(), "of somebody else");
        assert!(mirror.lost() > 0);
        writer.submit(head("four")).await.unwrap();
        writer.submit(record(5)).await.unwrap();
        writer.finish(MINUTE).await.unwrap();
        mirror.finish(MINUTE).await.unwrap();
        assert!(second.body(&head_key()).is_some() && second.body(&record_key(5)).is_some());
    });
}

#[test]
fn submit_waits_for_room() {
    virtual_time::run(async {
        let fake = Fake::scripted([Fate::After(300)]);
        let writer = Writer::new(fake, WriterConfig { max_waiting_bytes: 1, ..WriterConfig::default() });
        let start = now();
        writer.submit(record(1)).await.unwrap();
        assert_eq!(writer.try_submit(record(2)), Ok(Some(record(2))));
        assert_eq!(now() - start, Duration::ZERO);
        writer.submit(record(2)).await.unwrap();
        assert_eq!(now() - start, Duration::from_millis(300));
        assert_eq!(writer.finish(Duration::ZERO).await, Err(WriterError::Unfinished { left: 1, seconds: 0 }));
        writer.finish(MINUTE).await.unwrap();
    });
}
