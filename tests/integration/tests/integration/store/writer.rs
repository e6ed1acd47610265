use std::time::Duration;

use bytes::Bytes;
use tidegate_ingest_worker::store::{
    Bucket as _, Condition, Lane, Mirror, Put, PutCondition, Store, Submission, Writer, WriterConfig, WriterError,
};
use tidegate_integration::{Embedded, Minio, S3};
use tidegate_stream::{Key, RecordNumber, SessionId, StreamId};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_written_to_the_embedded_store() {
    let embedded = Embedded::start();
    session_is_written("embedded", &embedded.s3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_written_to_minio() {
    let Some(minio) = Minio::start("store::writer::session_is_written_to_minio") else { return };
    session_is_written("MinIO", &minio.s3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_written_to_two_buckets_alike() {
    let (first, second) = (Embedded::start(), Embedded::start());
    let [store, copy] = [&first, &second].map(|embedded| Store::connect(embedded.s3.store_config()));
    let (store, copy) = (store.await.unwrap(), copy.await.unwrap());
    let mirror = Mirror::new(copy.clone(), 64 << 20);
    let writer = Writer::mirrored(store.clone(), WriterConfig::default(), Some(mirror.clone()));
    for number in 0..100 {
        writer.submit(record(number)).await.unwrap();
        if number % 4 == 3 {
            writer.submit(head(number)).await.unwrap();
        }
    }
    writer.submit(Submission::Delete((0..50).map(record_key).collect())).await.unwrap();
    writer.finish(LIMIT).await.unwrap();
    // The second is asked for nothing by anybody: it has what the first has confirmed a little later.
    let began = std::time::Instant::now();
    while mirror.waiting_bytes() > 0 {
        assert!(began.elapsed() < LIMIT, "{} bytes wait", mirror.waiting_bytes());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(mirror.lost(), 0);
    let Submission::Put(newest) = head(99) else { panic!() };
    for (place, key) in (0..100).map(record_key).chain([newest.key]).enumerate() {
        let [here, there] = [store.get(&key).await, copy.get(&key).await].map(|found| found.unwrap().map(|object| object.bytes));
        assert_eq!(here.is_some(), place >= 50, "{key}");
        assert_eq!(here, there, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_that_comes_back_gets_everything() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start_in(dir.path());
    let port = embedded.addr.port();
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    let writer = Writer::new(store, WriterConfig::default());
    writer.submit(record(0)).await.unwrap();
    writer.finish(LIMIT).await.unwrap();
    drop(embedded);
    for number in 1..10 {
        writer.submit(record(number)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(writer.stats().waiting > 0, "nothing is lost, all waits");
    let embedded = Embedded::start_at(dir.path(), port);
    let stats = writer.finish(LIMIT).await.unwrap();
    assert!(stats.retries > 0, "{stats:?}");
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    for number in 0..10 {
        assert!(store.get(&record_key(number)).await.unwrap().is_some(), "{number}");
    }
}

fn record_key(number: u64) -> Key {
    Key::Record { stream: StreamId::parse("demo").unwrap(), session: SessionId::new(0, 0), number: RecordNumber(number) }
}

fn record(number: u64) -> Submission {
    let bytes = Bytes::from(vec![number as u8; 200_000]);
    Submission::Put(Put { key: record_key(number), bytes, condition: PutCondition::Absent, lane: Lane::Log, barrier: false })
}

fn head(number: u64) -> Submission {
    let key = Key::Head { stream: StreamId::parse("demo").unwrap(), session: SessionId::new(0, 0) };
    Submission::Put(Put { key, bytes: number.to_string().into(), condition: PutCondition::Replace, lane: Lane::Index, barrier: true })
}

/// A session at twenty times the pace of a real one: 200 records of 200 kB and 50 heads in 5 s, then a second writer.
async fn session_is_written(name: &str, s3: &S3) {
    let store = Store::connect(s3.store_config()).await.unwrap();
    let writer = Writer::new(store.clone(), WriterConfig::default());
    let mut pace = tokio::time::interval(Duration::from_millis(25));
    for number in 0..200 {
        pace.tick().await;
        writer.submit(record(number)).await.unwrap();
        if number % 4 == 3 {
            writer.submit(head(number)).await.unwrap();
        }
    }
    writer.submit(Submission::Delete((0..100).map(record_key).collect())).await.unwrap();
    let stats = writer.finish(LIMIT).await.unwrap();
    println!(
        "{name}: record of 200 kB from submission to durable: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}; {} PUT, {} sent twice, {} superseded",
        stats.log.p50, stats.log.p95, stats.log.p99, stats.puts, stats.hedges, stats.superseded
    );
    assert_eq!(store.get(&record_key(99)).await.unwrap(), None);
    assert_eq!(store.get(&record_key(199)).await.unwrap().unwrap().bytes, vec![199; 200_000]);
    let Submission::Put(newest) = head(199) else { panic!() };
    assert_eq!(store.get(&newest.key).await.unwrap().unwrap().bytes, newest.bytes);

    // Another worker wins record 200.
    store.put(&record_key(200), "another's".into(), Condition::Absent).await.unwrap();
    writer.submit(record(200)).await.unwrap();
    assert_eq!(writer.finish(LIMIT).await, Err(WriterError::Fenced { key: record_key(200) }));
    assert_eq!(store.get(&record_key(200)).await.unwrap().unwrap().bytes, "another's");
}
