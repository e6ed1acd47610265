use std::time::{Duration, Instant};

use tidegate_host::PreferWait;

use tidegate_rig::IMMUTABLE;

use crate::setup::Edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_viewers_wake_when_the_object_is_there() {
    let edge = Edge::start().await;
    let path = "/wait/log/7?expect-ms=300&timeout-ms=5000";
    let viewers = edge.many(100, path);
    tokio::time::sleep(Duration::from_millis(300)).await;
    edge.store.put("log/7", "record", IMMUTABLE);
    let put = Instant::now();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().text(), "There");
    }
    assert!(put.elapsed() < Duration::from_millis(100), "{:?}", put.elapsed());
    assert_eq!(edge.metric("guest_calls_total").await, 2, "one before the wait, one after");
    let polls = edge.store.requests("log/7").len();
    assert!(polls <= 6, "{polls} GETs for one object");
    // The watcher has read the object; who fetches it has it.
    assert_eq!(edge.get("/fetch/log/7").await.text(), "record");
    assert_eq!(edge.store.requests("log/7").len(), polls);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_without_its_object_ends_in_time() {
    let edge = Edge::start().await;
    let start = Instant::now();
    assert_eq!(edge.get("/wait/log/8?expect-ms=50&timeout-ms=400").await.text(), "Timeout");
    assert!((400..900).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(edge.metric("watchers").await, 0, "nobody waits, and somebody looks");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_holds_requests_is_asked_once() {
    let edge = Edge::start_with(|config| config.upstream.prefer_wait = PreferWait::Auto).await;
    edge.store.waits();
    let viewers: Vec<_> = (0..10).flat_map(|n| edge.many(1, &format!("/wait/log/9?expect-ms={n}&timeout-ms=5000"))).collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(edge.store.requests("log/9").len(), 1);
    assert_eq!(edge.store.requests("log/9")[0].headers["prefer"], "wait=20");
    edge.store.put("log/9", "record", IMMUTABLE);
    let put = Instant::now();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().text(), "There");
    }
    assert!(put.elapsed() < Duration::from_millis(100), "{:?}", put.elapsed());
    assert_eq!(edge.store.requests("log/9").len(), 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_does_not_hold_requests_is_found_out_and_polled() {
    let edge = Edge::start_with(|config| config.upstream.prefer_wait = PreferWait::Auto).await;
    for n in 0..3 {
        let viewers = edge.many(1, &format!("/wait/log/{n}?expect-ms=100&timeout-ms=5000"));
        tokio::time::sleep(Duration::from_millis(120)).await;
        edge.store.put(&format!("log/{n}"), "record", IMMUTABLE);
        for viewer in viewers {
            assert_eq!(viewer.await.unwrap().text(), "There");
        }
    }
    assert!(edge.store.requests("log/2").iter().all(|seen| !seen.headers.contains_key("prefer")));
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_key_is_absent_for_everybody_without_asking() {
    let edge = Edge::start().await;
    let parked = edge.many(1, "/wait/log/5?expect-ms=800&timeout-ms=3000");
    tokio::time::sleep(Duration::from_millis(100)).await;
    for n in 0..10 {
        assert_eq!(edge.get(&format!("/fetch/log/5?{n}")).await.status, 404);
    }
    assert_eq!(edge.store.requests("log/5").len(), 0);
    edge.store.put("log/5", "record", IMMUTABLE);
    for parked in parked {
        assert_eq!(parked.await.unwrap().text(), "There");
    }
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_answers_parked_viewers() {
    let edge = Edge::start().await;
    let parked = edge.many(3, "/wait/log/6?expect-ms=0&timeout-ms=20000");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    edge.stop();
    for parked in parked {
        assert_eq!(parked.await.unwrap().text(), "Timeout");
    }
    edge.stopped().await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_words_of_a_component_are_502() {
    let edge = Edge::start().await;
    for path in ["/wait/%2e%2e?timeout-ms=5", "/send/..%2fa", "/send/a:5-1"] {
        assert_eq!(edge.get(path).await.status, 502, "{path}");
    }
    edge.stopped().await;
}
