use std::time::Duration;

use http::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::setup::Edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_requests_in_flight_are_one_call() {
    let edge = Edge::start().await;
    let answers = edge.many(50, "/slow?public,max-age=1");
    let mut texts = Vec::new();
    for answer in answers {
        texts.push(answer.await.unwrap().text().to_owned());
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_eq!(edge.metric("guest_calls_total").await, 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_kept_as_long_as_they_say() {
    let edge = Edge::start().await;
    let path = "/count?public,%20max-age=1".replace("%20", "");
    let first = edge.get(&path).await;
    assert_eq!(edge.get(&path).await.text(), first.text());
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_ne!(edge.get(&path).await.text(), first.text());
    let private = edge.get("/count?private,max-age=9").await;
    assert_ne!(edge.get("/count?private,max-age=9").await.text(), private.text());
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_answers_reach_only_who_asked() {
    let edge = Edge::start().await;
    for answer in edge.many(5, "/slow?private") {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(edge.metric("guest_calls_total").await, 5);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_who_leaves_does_not_stop_the_work_for_others() {
    let edge = Edge::start().await;
    let leader = edge.many(1, "/slow?public,max-age=5");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let follower = edge.many(1, "/slow?public,max-age=5");
    for leader in leader {
        leader.abort();
    }
    for follower in follower {
        assert_eq!(follower.await.unwrap().status, 200);
    }
    assert_eq!(edge.metric("guest_calls_total").await, 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn playlists_are_gzipped_for_those_who_take_it() {
    let edge = Edge::start().await;
    let plain = edge.get("/text").await;
    assert_eq!((plain.header("vary"), plain.header("content-encoding"), plain.header("etag")), ("accept-encoding", "", "\"one\""));
    let zipped = edge.send(Method::GET, "/text", &[("accept-encoding", "br;q=0, gzip")]).await;
    assert_eq!((zipped.header("content-encoding"), zipped.header("etag")), ("gzip", "W/\"one\""));
    assert_eq!(zipped.header("content-length"), zipped.body.len().to_string());
    assert!(zipped.body.len() < plain.body.len() / 10);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&zipped.body[..]), &mut text).unwrap();
    assert_eq!(text, plain.text());
    let brotli = edge.send(Method::GET, "/text", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!((brotli.header("content-encoding"), brotli.body.len() < zipped.body.len()), ("br", true));
    let known = edge.send(Method::GET, "/text", &[("accept-encoding", "gzip"), ("if-none-match", "W/\"one\"")]).await;
    assert_eq!(known.status, 304);
    assert_eq!(edge.metric("guest_calls_total").await, 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_are_refused_at_once() {
    let edge = Edge::start_with(|config| config.limits.requests = 3).await;
    let parked = edge.many(3, "/slow?no-store");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = edge.get("/noop").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    assert_eq!(edge.get("/healthz").await.status, 200);
    for parked in parked {
        assert_eq!(parked.await.unwrap().status, 200);
    }
    assert_eq!(edge.get("/noop").await.status, 200);
    edge.stopped().await;
}

/// A burst of different requests wants more instances than there are, before any of them is free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_waits_for_an_instance_and_is_not_refused() {
    let edge = Edge::start_with(|config| {
        config.limits.instances = 1;
        config.limits.guest_queue = Duration::from_secs(30);
    })
    .await;
    let viewers: Vec<_> = (0..60).flat_map(|n| edge.many(1, &format!("/slow?{n}"))).collect();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().status, 200);
    }
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_calls_of_the_component_queue_and_then_are_refused() {
    let edge = Edge::start_with(|config| {
        config.limits.guest_calls = 1;
        config.limits.guest_queue = Duration::from_millis(100);
    })
    .await;
    let first = edge.many(1, "/slow?1");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let refused = edge.get("/noop").await;
    assert_eq!((refused.status.as_u16(), refused.text()), (503, "too many requests wait for the functions\n"));
    for first in first {
        assert_eq!(first.await.unwrap().status, 200);
    }
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_served_without_the_component() {
    let edge = Edge::start().await;
    let page = edge.get("/").await;
    assert_eq!((page.text(), page.header("cache-control")), ("<p>watch</p>", "no-cache"));
    let script = edge.get("/player/player.js").await;
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(edge.send(Method::GET, "/player/player.js", &[("if-none-match", script.header("etag"))]).await.status, 304);
    assert_eq!(edge.get("/readyz").await.text(), "ready\n");
    assert_eq!(edge.metric("guest_calls_total").await, 0);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_requests_get_a_4xx_and_the_host_lives() {
    let edge = Edge::start().await;
    let address = edge.base().trim_start_matches("http://").to_owned();
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(5000));
    let huge = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    let body = format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n{}", "a".repeat(100_000));
    let cases: [(&str, &[&str]); 10] = [
        (&long, &["414"]),
        (&huge, &["431", ""]),
        (&many, &["431", ""]),
        (&body, &["413"]),
        ("garbage\r\n\r\n", &["400"]),
        ("GET http://[::1/ HTTP/1.1\r\n\r\n", &["400"]),
        ("GET * HTTP/1.1\r\nhost: x\r\n\r\n", &["400", "404"]),
        ("GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n", &["404"]),
        ("BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n", &["404"]),
        ("GET /%00%ff?%zz HTTP/1.1\r\nhost: x\r\n\r\n", &["404"]),
    ];
    for (request, statuses) in cases {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(request.as_bytes()).await.ok();
        let mut answer = vec![0; 16];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await.expect("no answer").unwrap_or(0);
        let status = String::from_utf8_lossy(&answer[..read]).split(' ').nth(1).unwrap_or_default().chars().take(3).collect::<String>();
        assert!(statuses.contains(&status.as_str()), "{:?}… got {status:?}", request.chars().take(40).collect::<String>());
    }
    assert_eq!(edge.get("/noop").await.status, 200);
    edge.stopped().await;
}
