use std::time::{Duration, Instant};

use tidegate_ingest_worker::store::{Bucket as _, Condition, Store};
use tidegate_integration::{Embedded, http::Client};
use tidegate_stream::{Key, MetaKey, RecordNumber, SessionId, StreamId};

fn record(number: u64) -> Key {
    Key::Record { stream: StreamId::parse("demo").unwrap(), session: SessionId::new(0, 0), number: RecordNumber(number) }
}

fn address(key: &Key) -> String {
    format!("/tidegate/{key}")
}

/// Asks for an object from a thread of its own; gives the answer and when it came.
fn ask(embedded: &Embedded, key: &Key, wait: &'static str) -> std::thread::JoinHandle<(u16, Vec<u8>, Instant)> {
    let (addr, path) = (embedded.addr, address(key));
    std::thread::spawn(move || {
        let answer = Client::new(addr).request("GET", &path, &[("prefer", wait)]).unwrap();
        // Whether the answer is there or not, whoever asked knows that it need not poll.
        assert_eq!(answer.header("preference-applied"), Some(wait).filter(|wait| *wait != "wait=0"), "{}", answer.status);
        (answer.status, answer.body, Instant::now())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_reader_is_answered_when_the_object_is_there() {
    let embedded = Embedded::start();
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    let mut took = Vec::new();
    for number in 0..20 {
        let readers: Vec<_> = (0..5).map(|_| ask(&embedded, &record(number), "wait=10")).collect();
        // Long enough that the readers are waiting; were they not, the test would pass all the same.
        tokio::time::sleep(Duration::from_millis(50)).await;
        store.put(&record(number), vec![7; 100_000].into(), Condition::Absent).await.unwrap();
        let written = Instant::now();
        for reader in readers {
            let (status, body, at) = reader.join().unwrap();
            assert_eq!((status, body.len()), (200, 100_000));
            took.push(at.saturating_duration_since(written));
        }
    }
    took.sort();
    println!("embedded: from the answer to the PUT to the waiting reader's last byte: p50 {:.1?}, p95 {:.1?}", took[50], took[95]);
    assert!(took[50] < Duration::from_secs(2), "nobody waited for the end of the time: {:?}", took[50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_ends_with_404_after_its_time_and_at_the_end_of_the_store() {
    let embedded = Embedded::start();
    let start = Instant::now();
    let (status, _, at) = ask(&embedded, &record(0), "wait=1").join().unwrap();
    assert_eq!(status, 404);
    assert!((1.0..5.0).contains(&(at - start).as_secs_f64()), "{:?}", at - start);
    assert_eq!(ask(&embedded, &record(0), "wait=0").join().unwrap().0, 404);
    let parked = ask(&embedded, &record(0), "wait=30");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    drop(embedded);
    assert!(start.elapsed() < Duration::from_secs(5), "a parked reader does not hold up the end");
    assert_eq!(parked.join().unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_of_another_origin_may_read_and_only_read() {
    let embedded = Embedded::start();
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    store.put(&record(0), "hello".into(), Condition::Absent).await.unwrap();
    let mut client = Client::new(embedded.addr);
    let origin = ("origin", "https://example.org");
    let preflight = [origin, ("access-control-request-method", "GET"), ("access-control-request-headers", "range")];
    let answer = client.request("OPTIONS", &address(&record(0)), &preflight).unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("range"));
    let answer = client.request("GET", &address(&record(0)), &[origin, ("range", "bytes=1-2")]).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (206, b"el".as_slice()));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("etag") && exposed.contains("content-range"), "{exposed}");
    let missing = client.request("GET", &address(&record(1)), &[origin]).unwrap();
    assert_eq!((missing.status, missing.header("access-control-allow-origin")), (404, Some("*")), "a page can tell what went wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsigned_requests_may_read_live_and_nothing_else() {
    let embedded = Embedded::start();
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    let secret = Key::Meta(MetaKey::Stream { stream: StreamId::parse("demo").unwrap() });
    for key in [&record(0), &secret] {
        store.put(key, "hello".into(), Condition::Absent).await.unwrap();
    }
    let mut client = Client::new(embedded.addr);
    let mut status = |method: &str, path: &str| client.request(method, path, &[]).unwrap().status;
    assert_eq!(status("GET", &address(&record(0))), 200);
    assert_eq!(status("HEAD", &address(&record(0))), 200);
    for (method, path) in [
        ("GET", address(&secret)),
        ("GET", "/tidegate/live/%2e%2e/meta/streams/demo.json".into()),
        ("GET", "/tidegate/live/../meta/streams/demo.json".into()),
        ("PUT", address(&record(1))),
        ("DELETE", address(&record(0))),
        ("GET", "/tidegate?list-type=2&prefix=live/".into()),
        ("GET", "/".into()),
        ("PUT", "/another".into()),
    ] {
        let status = status(method, &path);
        assert!(matches!(status, 403 | 404), "{method} {path}: {status}");
    }
    assert!(store.get(&record(0)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_requests_are_answered_with_4xx() {
    let embedded = Embedded::start();
    let mut client = Client::new(embedded.addr);
    let long = format!("/tidegate/live/{}", "x".repeat(900));
    for (method, path, headers) in [
        ("GET", "/tidegate/live/%ff%fe", vec![]),
        ("GET", "/tidegate/live/a%00b", vec![]),
        ("GET", long.as_str(), vec![]),
        ("GET", "/tidegate/live/x", vec![("range", "bytes=z")]),
        ("GET", "/tidegate/live/x", vec![("if-none-match", "junk")]),
        ("GET", "/TIDEGATE/live/x", vec![]),
        ("BREW", "/tidegate/live/x", vec![]),
        ("GET", "/tidegate/live/x?uploads", vec![]),
        ("POST", "/tidegate/live/x?uploads", vec![]),
        ("GET", "/tidegate/live/x", vec![("authorization", "AWS4-HMAC-SHA256 nonsense")]),
        ("GET", "//", vec![]),
    ] {
        let status = client.request(method, path, &headers).unwrap().status;
        assert!((400..500).contains(&status) || status == 501, "{method} {path}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_any_key_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let keys = ["live/a", "live/a/b", "UPPER/é/..", "live/./x", "plus+space here"];
    {
        let embedded = Embedded::start_in(dir.path());
        let store = Store::connect(embedded.s3.store_config()).await.unwrap();
        for key in keys {
            store.client().put_object().bucket(store.bucket()).key(key).body(key.as_bytes().to_vec().into()).send().await.unwrap();
        }
    }
    let embedded = Embedded::start_in(dir.path());
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    for key in keys {
        let answer = store.client().get_object().bucket(store.bucket()).key(key).send().await.unwrap();
        assert_eq!(answer.body.collect().await.unwrap().into_bytes(), key.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_beyond_the_limit_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::start_in(dir.path());
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    let body = vec![0; tidegate_store::MAX_OBJECT_BYTES as usize + 1];
    let put = store.client().put_object().bucket(store.bucket()).key("large").body(body.into()).send().await;
    // The server may have closed the connection before all was sent.
    assert!(put.is_err());
    let listed = store.client().list_objects_v2().bucket(store.bucket()).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}
