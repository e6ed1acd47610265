use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use bytes::Bytes;
use http::Method;

use tidegate_host::Upstream;
use tidegate_rig::IMMUTABLE;

use crate::setup::Edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immutable_object_is_read_once() {
    let edge = Edge::start().await;
    edge.store.slow(Duration::from_millis(50));
    edge.store.put("a/b", "bytes", IMMUTABLE);
    let many: Vec<_> = (0..20).flat_map(|n| edge.many(1, &format!("/fetch/a/b?{n}"))).collect();
    for answer in many {
        assert_eq!(answer.await.unwrap().text(), "bytes");
    }
    assert_eq!(edge.get("/fetch/a/b?later").await.text(), "bytes");
    assert_eq!(edge.store.requests("a/b").len(), 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_may_change_is_asked_for_again_and_survives_a_failing_store() {
    let edge = Edge::start().await;
    edge.store.put("current", "one", "");
    assert_eq!(edge.get("/fetch/current?1").await.text(), "one");
    assert_eq!(edge.get("/fetch/current?2").await.text(), "one");
    assert_eq!(edge.store.requests("current").len(), 1);
    tokio::time::sleep(Duration::from_millis(550)).await;
    assert_eq!(edge.get("/fetch/current?3").await.text(), "one");
    let seen = edge.store.requests("current");
    assert!(seen.len() == 2 && seen[1].headers.contains_key("if-none-match"), "{seen:?}");
    edge.store.put("current", "two", "");
    tokio::time::sleep(Duration::from_millis(550)).await;
    assert_eq!(edge.get("/fetch/current?4").await.text(), "two");
    edge.store.fail(100, 503);
    tokio::time::sleep(Duration::from_millis(550)).await;
    assert_eq!(edge.get("/fetch/current?5").await.text(), "two");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stumbles_is_asked_again_and_one_that_lies_down_is_a_503() {
    let edge = Edge::start().await;
    edge.store.put("a", "bytes", IMMUTABLE);
    edge.store.fail(2, 500);
    assert_eq!(edge.get("/fetch/a").await.text(), "bytes");
    edge.store.fail(3, 503);
    assert_eq!(edge.get("/fetch/b").await.status, 503);
    edge.store.fail(1, 403);
    assert_eq!(edge.get("/fetch/c").await.status, 503);
    edge.store.fail(1, 404);
    assert_eq!(edge.get("/fetch/e").await.status, 503, "a bucket that is not there is no stream that has not begun");
    assert_eq!(edge.get("/fetch/d").await.status, 404);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_changes_is_read_from_a_second_bucket_where_the_first_fails_and_nothing_else_is() {
    let second = tidegate_rig::Store::start().await;
    let endpoint = second.endpoint();
    let edge = Edge::start_with(|config| config.mirror = Some(Upstream { endpoint, ..config.upstream.clone() })).await;
    for store in [&edge.store, &second] {
        store.put("seg/1", "segment", IMMUTABLE);
        store.put("current", "one", "no-cache");
    }
    assert_eq!(edge.get("/fetch/seg/2").await.status, 404, "the first alone says what is not there");
    assert_eq!(second.requests("seg/2").len(), 0);
    edge.store.fail(3, 503);
    assert_eq!(edge.get("/fetch/seg/1").await.text(), "segment");
    edge.store.fail(100, 503);
    assert_eq!(edge.get("/send/seg/1:0-2").await.text(), "seg");
    assert_eq!(edge.get("/fetch/current").await.status, 503, "what is newest nobody else can say");
    assert_eq!(edge.get("/fetch/seg/3").await.status, 503, "nor what is not there yet");
    edge.store.fail(0, 503);
    assert_eq!(edge.get("/fetch/current").await.text(), "one");
    assert_eq!(edge.metric("mirror_gets_total").await, 1, "it is kept then");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_are_sent_as_one_body_with_ranges() {
    let edge = Edge::start().await;
    edge.store.put("a", "0123456789", IMMUTABLE);
    edge.store.put("b", "abcdef", IMMUTABLE);
    let path = "/send/a:2-5,b,a:0-0";
    let whole = edge.get(path).await;
    assert_eq!((whole.status.as_u16(), whole.text()), (200, "2345abcdef0"));
    assert_eq!((whole.header("content-length"), whole.header("accept-ranges"), whole.header("content-type")), ("11", "bytes", "video/mp4"));
    assert!(whole.headers.keys().all(|name| !name.as_str().starts_with("tidegate-")), "{:?}", whole.headers);

    let part = edge.send(Method::GET, path, &[("range", "bytes=3-6")]).await;
    assert_eq!((part.status.as_u16(), part.text(), part.header("content-range")), (206, "5abc", "bytes 3-6/11"));
    let end = edge.send(Method::GET, path, &[("range", "bytes=-2")]).await;
    assert_eq!((end.text(), end.header("content-range")), ("f0", "bytes 9-10/11"));
    let beyond = edge.send(Method::GET, path, &[("range", "bytes=11-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */11"));
    let head = edge.send(Method::HEAD, path, &[]).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "11", 0));

    let etag = whole.header("etag");
    assert_eq!(etag, "\"sent\"");
    let known = edge.send(Method::GET, path, &[("if-none-match", etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len(), known.header("etag")), (304, 0, etag));
    assert_eq!((edge.store.requests("a").len(), edge.store.requests("b").len()), (1, 1));
    assert_eq!(edge.metric("guest_calls_total").await, 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_too_large_to_keep_is_read_by_range() {
    let edge = Edge::start_with(|config| config.limits.object = 1000).await;
    edge.store.put("film", vec![b'x'; 5000], IMMUTABLE);
    for first in [0, 1000, 2000] {
        let answer = edge.get(&format!("/send/film:{first}-{}", first + 499)).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 500));
    }
    let seen = edge.store.requests("film");
    assert_eq!(seen.iter().filter(|seen| seen.headers.contains_key("range")).count(), 3);
    assert_eq!(seen.len(), 4, "one request found that the object is too large");
    assert_eq!(edge.get("/send/film").await.status, 503);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_that_are_not_there_are_errors_of_that_request() {
    let edge = Edge::start().await;
    edge.store.put("short", "abc", IMMUTABLE);
    assert_eq!(edge.get("/send/short:0-9").await.status, 502);
    assert_eq!(edge.get("/send/gone:0-9").await.status, 404);
    assert_eq!(edge.get("/send/..%2fx").await.status, 502);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bucket_would_keep_is_bounded() {
    let edge = Edge::start_with(|config| config.limits.objects = 100_000).await;
    for n in 0..20 {
        edge.store.put(&format!("k{n}"), Bytes::from(vec![b'x'; 10_000]), IMMUTABLE);
        assert_eq!(edge.get(&format!("/send/k{n}")).await.body.len(), 10_000);
    }
    edge.get("/send/k0?again").await;
    edge.get("/send/k19?again").await;
    assert_eq!((edge.store.requests("k0").len(), edge.store.requests("k19").len()), (2, 1));
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_a_private_bucket_are_signed() {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let edge = Edge::start_with(|config| config.upstream.credentials = Some(SharedCredentialsProvider::new(credentials))).await;
    edge.store.put("a", "bytes", IMMUTABLE);
    assert_eq!(edge.get("/fetch/a").await.text(), "bytes");
    let seen = edge.store.requests("a");
    let authorization = seen[0].headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/us-east-1/s3/aws4_request"), "{authorization}");
    edge.stopped().await;
}
