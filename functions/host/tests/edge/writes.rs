use http::Method;

use tidegate_rig::IMMUTABLE;

use crate::setup::Edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_write_under_conditions_and_see_what_they_wrote() {
    let edge = Edge::start().await;
    let written = edge.get("/store/meta/a?if-none-match=*").await;
    let etag = written.text().strip_prefix("done ").unwrap_or_else(|| panic!("{}", written.text())).to_owned();
    assert_eq!(edge.get("/fetch/meta/a?1").await.text(), "store/meta/a");
    assert_eq!(edge.get("/store/meta/a?if-none-match=*").await.text(), "Conflict", "somebody else was first");
    assert_eq!(edge.get("/store/meta/a?if-match=%22old%22").await.text(), "Conflict");
    assert_eq!(edge.get(&format!("/store/meta/a?if-match={}", etag.replace('"', "%22"))).await.text(), format!("done {etag}"));
    let seen = edge.store.requests("meta/a");
    let put = seen.iter().find(|seen| seen.method == Method::PUT).unwrap();
    assert_eq!((&put.headers["content-type"], &put.headers["if-none-match"]), (&"text/plain".parse().unwrap(), &"*".parse().unwrap()));

    assert_eq!(edge.get("/delete/meta/a").await.text(), "done none");
    assert_eq!(edge.get("/fetch/meta/a?2").await.status, 404);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_read_passes_what_is_kept() {
    let edge = Edge::start().await;
    edge.store.put("meta/a", "one", IMMUTABLE);
    assert_eq!(edge.get("/fetch/meta/a?1").await.text(), "one");
    edge.store.put("meta/a", "two", IMMUTABLE);
    assert_eq!(edge.get("/fetch/meta/a?2").await.text(), "one");
    assert_eq!(edge.get("/fresh/meta/a").await.text(), "two");
    assert_eq!(edge.get("/fetch/meta/a?3").await.text(), "two", "and is kept in its place");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_that_the_store_wants_repeated_is_repeated_and_other_failures_are_not() {
    let edge = Edge::start().await;
    edge.store.fail(2, 409);
    assert!(edge.get("/store/meta/a?if-none-match=*").await.text().starts_with("done "));
    edge.store.fail(1, 500);
    assert_eq!(edge.get("/store/meta/b").await.text(), "Failed", "it may have happened");
    assert_eq!(edge.store.requests("meta/b").len(), 1);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_functions_write_is_bounded() {
    let edge = Edge::start_with(|config| config.limits.store_body = 10).await;
    assert_eq!(edge.get("/store/meta/a").await.text(), "Failed");
    assert!(edge.store.requests("meta/a").is_empty());
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_has_its_own_randomness_and_the_settings_of_the_host() {
    let edge = Edge::start_with(|config| config.environment = vec![("TIDEGATE_TRY".into(), "as set".into())]).await;
    assert_ne!(edge.get("/random").await.text(), edge.get("/random").await.text());
    assert_eq!(edge.get("/setting/TIDEGATE_TRY").await.text(), "as set");
    assert_eq!(edge.get("/setting/PATH").await.text(), "");
    edge.stopped().await;
}
