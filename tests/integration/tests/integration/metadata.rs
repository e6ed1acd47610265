//! The metadata function over real stores: nothing is lost when many write at once.

use std::io::Read as _;

use futures_util::future::join_all;
use tidegate_function::{Answer, Request};
use tidegate_ingest_worker::store::{Store, drive};
use tidegate_integration::{Embedded, Minio, S3};
use tidegate_metadata::{Job, State};
use tidegate_stream::Json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eighty_increments_by_eight_writers_lose_nothing_on_the_embedded_store() {
    let embedded = Embedded::start();
    increments(&embedded.s3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eighty_increments_by_eight_writers_lose_nothing_on_minio() {
    let test = "metadata::eighty_increments_by_eight_writers_lose_nothing_on_minio";
    let Some(minio) = Minio::start(test) else { return };
    increments(&minio.s3).await;
}

async fn increments(s3: &S3) {
    let store = Store::connect(s3.store_config()).await.unwrap();
    store.ensure_bucket().await.unwrap();
    let (status, _, _) = ask(&store, "POST", "/api/v1/streams", "", r#"{"id":"counter","title":"0"}"#).await;
    assert_eq!(status, 201);
    let begun = std::time::Instant::now();
    let done = join_all((0..8).map(|_| add_ten(&store))).await;
    let conflicts: u32 = done.iter().map(|(conflicts, _)| conflicts).sum();
    let unknown: u32 = done.iter().map(|(_, unknown)| unknown).sum();
    println!("80 increments by 8 writers in {:.1?}, {conflicts} conflicts, {unknown} without an answer", begun.elapsed());
    let (_, _, document) = ask(&store, "GET", "/api/v1/streams/counter", "", "").await;
    let title = document.text_of("title").to_owned();
    // What was answered 503 may have been written, and was tried again.
    let counted: u32 = title.parse().unwrap();
    assert!((80..=80 + unknown).contains(&counted), "{counted} with {conflicts} conflicts, {unknown} without an answer");
    let (_, _, list) = ask(&store, "GET", "/api/v1/streams", "", "").await;
    let items = list.get("items").unwrap().items();
    assert_eq!((items.len(), items[0].text_of("title")), (1, title.as_str()), "the list says the same");
    let made = join_all((0..16).map(|n| async move {
        let body = format!(r#"{{"id":"many-{n}"}}"#);
        ask(&Store::connect(s3.store_config()).await.unwrap(), "POST", "/api/v1/streams", "", &body).await.0
    }));
    assert!(made.await.into_iter().all(|status| status == 201), "streams that are made at the same time");
    let (_, _, list) = ask(&store, "GET", "/api/v1/streams", "", "").await;
    assert_eq!(list.get("items").unwrap().items().len(), 17);
}

/// Conflicts, and answers that leave open what has happened.
async fn add_ten(store: &Store) -> (u32, u32) {
    let (mut conflicts, mut unknown) = (0, 0);
    for _ in 0..10 {
        loop {
            let (_, etag, document) = ask(store, "GET", "/api/v1/streams/counter", "", "").await;
            let next = document.text_of("title").parse::<u32>().unwrap() + 1;
            let (status, _, problem) = ask(store, "PATCH", "/api/v1/streams/counter", &etag, &format!(r#"{{"title":"{next}"}}"#)).await;
            match status {
                200 => break,
                412 => conflicts += 1,
                503 => unknown += 1,
                other => panic!("{other}: {problem}"),
            }
        }
    }
    (conflicts, unknown)
}

/// Status, ETag and document of the answer.
pub(crate) async fn ask(store: &Store, method: &str, path: &str, etag: &str, body: &str) -> (u16, String, Json) {
    let mut headers = vec![("content-type".into(), "application/json".into())];
    if !etag.is_empty() {
        headers.push(("if-match".into(), etag.into()));
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request =
        Request { method: method.into(), path: path.into(), query: query.into(), headers, body: body.into(), ..Request::default() };
    let answer = drive(store, Job::trusted(request), &mut State::new(), random).await.unwrap();
    let Answer::Respond { status, headers, body } = answer else { panic!("{path} has no answer of its own") };
    let etag = headers.iter().find(|(name, _)| *name == "etag").map_or(String::new(), |(_, value)| value.to_string());
    (status, etag, if body.is_empty() { Json::Null } else { Json::parse(&body).unwrap() })
}

fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
