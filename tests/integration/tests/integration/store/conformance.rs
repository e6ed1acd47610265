use std::time::{Duration, Instant};

use aws_sdk_s3::{Client, error::SdkError, primitives::ByteStream};
use bytes::Bytes;
use futures_util::future::join_all;
use tidegate_ingest_worker::store::{Bucket as _, Condition, Etag, Keys, PutError, Store, StoreError};
use tidegate_integration::{Embedded, Minio, S3};
use tidegate_stream::{Key, MetaKey, RecordNumber, SessionId, StreamId};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_store_conforms() {
    let embedded = Embedded::start();
    conforms("embedded", &embedded.s3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minio_conforms() {
    let Some(minio) = Minio::start("store::conformance::minio_conforms") else { return };
    conforms("MinIO", &minio.s3).await;
}

async fn conforms(name: &str, s3: &S3) {
    let store = Store::connect(s3.store_config()).await.unwrap();
    store.ensure_bucket().await.unwrap();
    store.ensure_bucket().await.expect("a bucket that is there is no error");
    one_of_twelve_writers_wins(&store).await;
    stale_etag_is_refused(&store).await;
    counter_loses_nothing(&store).await;
    ranges_are_those_of_http(&store).await;
    unchanged_object_is_304(&store).await;
    headers_come_back(&store).await;
    wrong_keys_are_refused(s3).await;
    pages_list_every_key_once(&store).await;
    deletes_come_in_batches(&store).await;
    put_latency(name, &store).await;
}

fn record(session: u64, number: u64) -> Key {
    Key::Record { stream: stream("race"), session: SessionId::new(session, 0), number: RecordNumber(number) }
}

fn document(name: &str) -> Key {
    MetaKey::Stream { stream: stream(name) }.into()
}

fn stream(name: &str) -> StreamId {
    StreamId::parse(name).unwrap()
}

async fn one_of_twelve_writers_wins(store: &Store) {
    for race in 0..12 {
        let key = record(1, race);
        let write = |writer: u8| {
            let key = key.clone();
            async move { store.put(&key, Bytes::from(vec![writer; 50_000]), Condition::Absent).await }
        };
        let answers = join_all((0..12).map(write)).await;
        let winners: Vec<usize> = answers.iter().enumerate().filter(|(_, answer)| answer.is_ok()).map(|(writer, _)| writer).collect();
        assert_eq!(winners.len(), 1, "race {race}: {answers:?}");
        let lost = answers.iter().filter_map(|answer| answer.as_ref().err());
        lost.for_each(|error| assert!(matches!(error, PutError::Exists | PutError::Unavailable(_)), "race {race}: {error}"));
        let there = store.get(&key).await.unwrap().unwrap().bytes;
        assert!(there.len() == 50_000 && there.iter().all(|byte| usize::from(*byte) == winners[0]), "race {race}: the winner's bytes");
    }
}

async fn stale_etag_is_refused(store: &Store) {
    let key = document("stale");
    let missing = store.put(&key, "0".into(), Condition::Match(Etag("\"0123456789abcdef0123456789abcdef\"".into()))).await;
    assert_eq!(missing, Err(PutError::Changed), "nothing is there to match");
    let first = store.put(&key, "1".into(), Condition::Any).await.unwrap();
    let second = store.put(&key, "2".into(), Condition::Match(first.clone())).await.unwrap();
    assert_eq!(store.put(&key, "3".into(), Condition::Match(first)).await, Err(PutError::Changed));
    let there = store.get(&key).await.unwrap().unwrap();
    assert_eq!((there.bytes.as_ref(), there.etag), (b"2".as_slice(), second));
}

async fn counter_loses_nothing(store: &Store) {
    let key = document("counter");
    store.put(&key, "0".into(), Condition::Absent).await.unwrap();
    let add_ten = || async {
        let mut conflicts = 0;
        for _ in 0..10 {
            loop {
                let there = store.get(&key).await.unwrap().unwrap();
                let value: u32 = std::str::from_utf8(&there.bytes).unwrap().parse().expect("never a torn read");
                match store.put(&key, (value + 1).to_string().into(), Condition::Match(there.etag)).await {
                    Ok(_) => break,
                    Err(PutError::Changed | PutError::Unavailable(_)) => conflicts += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        conflicts
    };
    let conflicts: u32 = join_all((0..8).map(|_| add_ten())).await.into_iter().sum();
    let end = store.get(&key).await.unwrap().unwrap().bytes;
    assert_eq!(end.as_ref(), b"80", "{conflicts} conflicts");
}

async fn ranges_are_those_of_http(store: &Store) {
    let key = record(2, 0);
    // Larger than one piece of the embedded store, so that a body in pieces is read too.
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    store.put(&key, body.clone().into(), Condition::Absent).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap().unwrap().bytes, body);
    let ours = store.get_range(&key, 1000, 1999).await.unwrap().unwrap();
    assert_eq!(ours.bytes, body[1000..2000]);
    for (range, expected, content_range) in [
        ("bytes=0-0", &body[..1], "bytes 0-0/3000000"),
        ("bytes=2999990-", &body[2_999_990..], "bytes 2999990-2999999/3000000"),
        ("bytes=-10", &body[2_999_990..], "bytes 2999990-2999999/3000000"),
        ("bytes=100000-2899999", &body[100_000..2_900_000], "bytes 100000-2899999/3000000"),
        ("bytes=2999999-9999999", &body[2_999_999..], "bytes 2999999-2999999/3000000"),
    ] {
        let answer = store.client().get_object().bucket(store.bucket()).key(key.to_string()).range(range).send().await.unwrap();
        assert_eq!(answer.content_range(), Some(content_range), "{range}");
        assert_eq!(answer.body.collect().await.unwrap().into_bytes(), expected, "{range}");
    }
    let beyond = store.client().get_object().bucket(store.bucket()).key(key.to_string()).range("bytes=3000000-").send().await;
    assert_eq!(status(beyond), 416);
}

async fn unchanged_object_is_304(store: &Store) {
    let key = document("unchanged");
    let Etag(etag) = store.put(&key, "same".into(), Condition::Any).await.unwrap();
    let get = || store.client().get_object().bucket(store.bucket()).key(key.to_string());
    assert_eq!(status(get().if_none_match(&etag).send().await), 304);
    assert_eq!(status(get().if_match(&etag).send().await), 200);
    assert_eq!(status(get().if_none_match("\"other\"").send().await), 200);
    assert_eq!(status(get().if_match("\"other\"").send().await), 412);
    let head = store.client().head_object().bucket(store.bucket()).key(key.to_string()).send().await.unwrap();
    let modified = *head.last_modified().unwrap();
    assert_eq!(status(get().if_modified_since(modified).send().await), 304);
    assert_eq!(head.e_tag(), Some(etag.as_str()), "HEAD says the same");
}

async fn headers_come_back(store: &Store) {
    let key = record(3, 0);
    store.put(&key, "body".into(), Condition::Absent).await.unwrap();
    let answer = store.client().get_object().bucket(store.bucket()).key(key.to_string()).send().await.unwrap();
    assert_eq!(answer.cache_control(), Some("public, max-age=31536000, immutable"));
    assert_eq!(answer.content_type(), Some("application/octet-stream"));
    assert_eq!(answer.e_tag(), Some("\"841a2d689ad86bd1611447453c22c6fc\""), "the MD5 of the body");
    let there = store.get(&key).await.unwrap().unwrap();
    assert!(there.age.is_some_and(|age| age < Duration::from_secs(60)), "the store says how old it is: {:?}", there.age);
    let missing = store.get(&record(3, 1)).await.unwrap();
    assert_eq!(missing, None);
}

async fn wrong_keys_are_refused(s3: &S3) {
    let key = record(4, 0);
    for (access_key, secret_key, named) in
        [(s3.access_key.as_str(), "wrong-secret-wrong", "AWS_SECRET_ACCESS_KEY"), ("nobody", s3.secret_key.as_str(), "AWS_ACCESS_KEY_ID")]
    {
        let keys = Some(Keys { access_key: access_key.into(), secret_key: secret_key.into() });
        let store = Store::connect(tidegate_ingest_worker::store::StoreConfig { keys, ..s3.store_config() }).await.unwrap();
        let put = store.put(&key, "x".into(), Condition::Any).await;
        assert!(matches!(&put, Err(PutError::Refused(why)) if why.contains(named)), "{put:?}");
        let get = store.get(&key).await;
        assert!(matches!(&get, Err(StoreError::Refused(why)) if why.contains(named)), "{get:?}");
        let ensure = store.ensure_bucket().await;
        assert!(matches!(&ensure, Err(StoreError::Refused(why)) if why.contains(named)), "{ensure:?}");
    }
    let elsewhere =
        Store::connect(tidegate_ingest_worker::store::StoreConfig { bucket: "not-there".into(), ..s3.store_config() }).await.unwrap();
    let put = elsewhere.put(&key, "x".into(), Condition::Absent).await;
    assert!(matches!(&put, Err(PutError::Refused(why)) if why.contains("no bucket `not-there`")), "{put:?}");
}

async fn pages_list_every_key_once(store: &Store) {
    let (client, bucket) = (store.client(), store.bucket());
    let mut keys: Vec<String> = (0..23).map(|n| format!("list/a/{n:02}")).collect();
    keys.extend(["list/a-b", "list/a.b/c", "list/b/c/d", "list/ é+&", "list/bb"].map(String::from));
    join_all(keys.iter().map(|key| put_raw(client, bucket, key))).await;
    keys.sort();
    for size in [1, 7, 1000] {
        assert_eq!(list(client, bucket, "list/", None, None, size).await, keys, "{size} a page");
    }
    assert_eq!(
        list(client, bucket, "list/", Some("/"), None, 2).await,
        ["list/ é+&", "list/a-b", "list/a.b/", "list/a/", "list/b/", "list/bb"],
        "common prefixes in their places, pages of 2"
    );
    assert_eq!(list(client, bucket, "list/a/", None, Some("list/a/19"), 1000).await, ["list/a/20", "list/a/21", "list/a/22"]);
    assert_eq!(list(client, bucket, "list/nothing", None, None, 1000).await, [""; 0]);
}

async fn put_raw(client: &Client, bucket: &str, key: &str) {
    client.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"x")).send().await.unwrap();
}

async fn list(client: &Client, bucket: &str, prefix: &str, delimiter: Option<&str>, after: Option<&str>, size: i32) -> Vec<String> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(size);
        let request = request.set_delimiter(delimiter.map(Into::into)).set_start_after(after.map(Into::into));
        let page = request.set_continuation_token(token).send().await.unwrap();
        let keys = page.contents().iter().filter_map(|object| object.key());
        let mut texts: Vec<String> =
            keys.chain(page.common_prefixes().iter().filter_map(|common| common.prefix())).map(Into::into).collect();
        texts.sort();
        assert!(texts.len() <= size as usize);
        all.extend(texts);
        token = page.next_continuation_token().map(Into::into);
        if token.is_none() {
            return all;
        }
    }
}

async fn deletes_come_in_batches(store: &Store) {
    let keys: Vec<Key> = (0..30).map(|number| record(5, number)).collect();
    for key in &keys {
        store.put(key, "x".into(), Condition::Absent).await.unwrap();
    }
    let missing = record(5, 99);
    store.delete(&[&keys[..20], &[missing]].concat()).await.unwrap();
    let prefix = format!("live/race/{}/", SessionId::new(5, 0));
    let left = list(store.client(), store.bucket(), &prefix, None, None, 1000).await;
    assert_eq!(left, keys[20..].iter().map(ToString::to_string).collect::<Vec<_>>());
}

async fn put_latency(name: &str, store: &Store) {
    let body = Bytes::from(vec![7; 200_000]);
    let mut took: Vec<Duration> = Vec::new();
    for number in 0..200 {
        let start = Instant::now();
        store.put(&record(6, number), body.clone(), Condition::Absent).await.unwrap();
        took.push(start.elapsed());
    }
    took.sort();
    println!("{name}: PUT of 200 kB, If-None-Match: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}", took[100], took[190], took[198]);
    let mut took: Vec<Duration> = Vec::new();
    for number in 0..200 {
        let start = Instant::now();
        store.get(&record(6, number)).await.unwrap().unwrap();
        took.push(start.elapsed());
    }
    took.sort();
    println!("{name}: GET of 200 kB: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}", took[100], took[190], took[198]);
}

fn status<T, E>(answer: Result<T, SdkError<E>>) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(error) => error.raw_response().expect("an answer").status().as_u16(),
    }
}
