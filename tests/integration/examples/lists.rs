#![allow(clippy::disallowed_methods, reason = "a program: it reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "its figures are for a person; what is not there ends it")]
//! How long an edge takes for a page of a list and of a search of 10,000 streams that lie in a store, the embedded one and MinIO:
//! `cargo run -p tidegate-integration --example lists`.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use tidegate_function::{Answer, Request};
use tidegate_host::PreferWait;
use tidegate_ingest_worker::store::{Bucket as _, Condition, Store, drive};
use tidegate_integration::{Embedded, Minio, S3, http::Client, platform::Platform};
use tidegate_metadata::{Job, State};
use tidegate_stream::{Entry, IndexPage, Json, Ledger, MetaKey, PAGE_ENTRIES, SessionId, StreamId, Summary};

const STREAMS: usize = 10_000;
const ROUNDS: usize = 60;
const BAR_MS: f64 = 50.0;
/// Between two requests. An edge believes its copies for half a second: of four requests one reads everything again, which is what p95 is of.
const PAUSE: Duration = Duration::from_millis(150);

fn main() {
    println!("pages of {STREAMS} streams through an edge, {ROUNDS} times each, bar {BAR_MS} ms");
    let embedded = Embedded::start();
    measure("embedded store", &embedded.s3);
    drop(embedded);
    if let Some(minio) = Minio::start("lists") {
        measure("MinIO", &minio.s3);
    }
}

fn measure(store: &str, s3: &S3) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let token = runtime.block_on(fill(s3));
    let platform = Platform::over(s3.clone(), PreferWait::Auto, |_| {});
    let mut client = platform.viewer();
    let first = page(&mut client, &token, "limit=50");
    let far = (0..100).fold(first.0, |json, _| page(&mut client, &token, &format!("limit=50&cursor={}", json.text_of("next"))).0);
    let far = format!("limit=50&cursor={}", far.text_of("next"));
    for (what, query, found) in [
        ("first page of the list", "limit=50", 50),
        ("page 102 of the list", &far, 50),
        ("search that finds a stream", "q=gate+number+77%2C", 1),
        ("search that finds nothing", "q=nothing+at+all", 0),
        ("tag of 100 streams", "tag=t3&limit=100", 100),
    ] {
        let mut took: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                std::thread::sleep(PAUSE);
                let (json, took_ms) = page(&mut client, &token, query);
                assert_eq!(json.get("items").unwrap().items().len(), found, "{what}");
                took_ms
            })
            .collect();
        took.sort_by(f64::total_cmp);
        let (half, most) = (took[ROUNDS / 2], took[ROUNDS * 95 / 100]);
        let verdict = if most <= BAR_MS { "reached" } else { "NOT reached" };
        println!("{store}: {what}: p50 {half:.1} ms, p95 {most:.1} ms: {verdict}");
    }
}

/// A page, and how long it took, in ms.
fn page(client: &mut Client, token: &str, query: &str) -> (Json, f64) {
    let begun = Instant::now();
    let answer = client.request("GET", &format!("/api/v1/streams?{query}"), &[("authorization", &format!("Bearer {token}"))]).unwrap();
    let took_ms = begun.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    (Json::parse(&answer.body).unwrap(), took_ms)
}

/// Writes the index that so many streams leave, and makes an API token.
async fn fill(s3: &S3) -> String {
    let store = &Store::connect(s3.store_config()).await.unwrap();
    let write = |number: usize| async move {
        let key = MetaKey::Entry { ledger: Ledger::Index, number: number as u64 };
        store.put(&key.into(), index(number).into(), Condition::Any).await.unwrap();
    };
    stream::iter(0..STREAMS.div_ceil(PAGE_ENTRIES)).for_each_concurrent(4, write).await;
    let body = br#"{"name":"lists","scopes":["streams:read"]}"#.to_vec();
    let headers = vec![("content-type".into(), "application/json".into())];
    let request = Request { method: "POST".into(), path: "/api/v1/tokens".into(), headers, body, ..Request::default() };
    match drive(store, Job::trusted(request), &mut State::new(), random).await.unwrap() {
        Answer::Respond { status: 201, body, .. } => Json::parse(&body).unwrap().text_of("token").to_owned(),
        other => panic!("no token: {other:?}"),
    }
}

fn index(number: usize) -> Vec<u8> {
    let mut page = IndexPage::default();
    for n in (number * PAGE_ENTRIES)..((number + 1) * PAGE_ENTRIES).min(STREAMS) {
        let (stream, mark) = (StreamId::parse(&format!("stream-{n:05}")).unwrap(), SessionId::new(1, 1));
        let summary = Summary {
            visibility: "public".into(),
            language: "en".into(),
            category: "nature".into(),
            tags: vec![format!("t{}", n % 100), "sea".into()],
            title: format!("The tide at gate number {n}, as seen from the pier"),
        };
        let created_utc_ms = 1_790_000_000_000 + n as u64;
        assert!(page.mark(&stream, created_utc_ms, &mark));
        let entry =
            Entry { stream: stream.clone(), created_utc_ms, revision: 1, deleted: false, session: None, marks: Vec::new(), summary };
        page.settle(&stream, Some(&entry), Some(&mark));
    }
    page.to_bytes()
}

fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
