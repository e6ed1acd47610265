//! Edges behind an edge: the bucket sees one reader.
use std::time::{Duration, Instant};

use tidegate_host::{PreferWait, Upstream};

use tidegate_rig::{IMMUTABLE, Store};

use crate::setup::Edge;

const SECRET: &str = "between-edges";

struct Tiers {
    bucket: Store,
    shield: Edge,
    edges: Vec<Edge>,
}

impl Tiers {
    async fn start(edges: usize) -> Self {
        let shield = Edge::start_with(|config| config.shield_secret = Some(SECRET.into())).await;
        let mut behind = Vec::new();
        for _ in 0..edges {
            let upstream = upstream(&shield, SECRET);
            behind.push(Edge::start_with(|config| config.upstream = upstream).await);
        }
        Self { bucket: shield.store.clone(), shield, edges: behind }
    }

    async fn stop(self) {
        for edge in self.edges {
            edge.stopped().await;
        }
        self.shield.stopped().await;
    }
}

fn upstream(shield: &Edge, secret: &str) -> Upstream {
    Upstream {
        endpoint: shield.base().to_owned(),
        bucket: "objects".into(),
        region: String::new(),
        credentials: None,
        shield_secret: Some(secret.into()),
        prefer_wait: PreferWait::Auto,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_viewers_at_several_edges_cost_the_bucket_what_one_costs() {
    let tiers = Tiers::start(4).await;
    tiers.bucket.slow(Duration::from_millis(30));
    tiers.bucket.put("seg/1", vec![b'x'; 10_000], IMMUTABLE);
    let viewers: Vec<_> = tiers.edges.iter().flat_map(|edge| edge.many(100, "/send/seg/1:0-4999")).collect();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().body.len(), 5000);
    }
    assert_eq!(tiers.bucket.requests("seg/1").len(), 1);

    let parked: Vec<_> = tiers.edges.iter().flat_map(|edge| edge.many(100, "/wait/log/7?expect-ms=400&timeout-ms=5000")).collect();
    tokio::time::sleep(Duration::from_millis(420)).await;
    let polls = tiers.bucket.requests("log/7").len();
    assert!(polls <= 8, "{polls} GETs before the object was there");
    tiers.bucket.put("log/7", "record", IMMUTABLE);
    let put = Instant::now();
    for viewer in parked {
        assert_eq!(viewer.await.unwrap().text(), "There");
    }
    assert!(put.elapsed() < Duration::from_millis(500), "{:?}", put.elapsed());
    assert_eq!(tiers.shield.metric("watchers").await, 0);
    let reads = tiers.bucket.requests("log/7").len();
    for edge in &tiers.edges {
        assert_eq!(edge.get("/fetch/log/7").await.text(), "record");
    }
    assert_eq!(tiers.bucket.requests("log/7").len(), reads, "the record came with the news of it");
    tiers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_too_large_to_keep_is_read_by_range_once_for_all() {
    let shield = Edge::start_with(|config| {
        config.shield_secret = Some(SECRET.into());
        config.limits.object = 1000;
    })
    .await;
    let upstream = upstream(&shield, SECRET);
    let edge = Edge::start_with(|config| {
        config.upstream = upstream;
        config.limits.object = 1000;
    })
    .await;
    shield.store.put("film", vec![b'x'; 5000], IMMUTABLE);
    shield.store.slow(Duration::from_millis(50));
    let viewers: Vec<_> = (0..50).flat_map(|n| edge.many(1, &format!("/send/film:1000-1499?{n}"))).collect();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().body.len(), 500);
    }
    let ranges = shield.store.requests("film").iter().filter(|seen| seen.headers.contains_key("range")).count();
    assert!(ranges <= 2, "{ranges} reads of one range");
    edge.stopped().await;
    shield.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_shown_to_nobody_who_does_not_know_the_secret() {
    let shield = Edge::start_with(|config| config.shield_secret = Some(SECRET.into())).await;
    shield.store.put("meta/keys/x", "hash", "");
    for secret in ["", "between", "between-edges2"] {
        let upstream = upstream(&shield, secret);
        let edge = Edge::start_with(|config| config.upstream = upstream).await;
        assert_ne!(edge.get("/fetch/meta/keys/x").await.text(), "hash");
        edge.stopped().await;
    }
    assert_eq!(shield.get("/objects/meta/keys/x").await.status, 403);
    assert!(shield.store.requests("meta/keys/x").is_empty());
    shield.stopped().await;
    // And where no edge is expected, there are no objects at all.
    let edge = Edge::start().await;
    edge.store.put("a", "bytes", IMMUTABLE);
    assert_eq!(edge.get("/objects/a").await.status, 404);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_is_seen_through_both_tiers_and_what_fails_is_not_kept() {
    let tiers = Tiers::start(1).await;
    let edge = &tiers.edges[0];
    tiers.bucket.put("current", "one", "");
    assert_eq!(edge.get("/fetch/current?1").await.text(), "one");
    tiers.bucket.put("current", "two", "");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(edge.get("/fetch/current?2").await.text(), "two");
    assert_eq!(edge.get("/fetch/none").await.status, 404);
    tiers.bucket.put("none", "there", IMMUTABLE);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(edge.get("/fetch/none?2").await.text(), "there");
    tiers.stop().await;
}
