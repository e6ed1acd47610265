//! Lines of players' reports on their way to another engine, played by a server that takes them or not.
use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use http::HeaderValue;
use tidegate_host::RawLines;
use tidegate_rig::{Seen, Store};

use crate::setup::Edge;

const LINES: &str = "e=ps,sid=\"a\",sta=s,ts=1\ne=ps,sid=\"a\",sta=p,ts=2\n";

/// Polls, since lines are gathered for a second.
async fn until<T>(mut seen: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(seen) = seen().await {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within 30 s");
}

async fn posted(taker: &Store, count: usize) -> Vec<Seen> {
    until(async || Some(taker.requests("raw")).filter(|seen| seen.len() >= count)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_count_are_posted_as_rows_and_posted_again_until_they_are_taken() {
    let taker = Store::start().await;
    let url = format!("{}/bucket/raw?query=INSERT", taker.endpoint()).parse().unwrap();
    let edge = Edge::start_with(|config| {
        config.raw = Some(RawLines::Post { url, authorization: Some(HeaderValue::from_static("Basic eDp5")) });
        config.country_header = Some("x-country".into());
        config.name = "fra-1".into();
    })
    .await;
    taker.fail(1, 503);
    assert_eq!(edge.post("/live/demo/beacon", &[("x-country", "DE")], LINES).await.status, 204);
    assert_eq!(edge.post("/beacon/nobody", &[], LINES).await.status, 404);
    let seen = posted(&taker, 2).await;
    assert_eq!(seen[0].body, seen[1].body, "what was refused comes again");
    assert_eq!(seen[1].headers["authorization"], "Basic eDp5");
    assert_eq!(seen[1].headers["content-type"], "application/x-ndjson");
    let rows = String::from_utf8(seen[1].body.to_vec()).unwrap();
    assert_eq!(rows.lines().count(), 2, "what does not count is not sent: {rows}");
    let row = r#""stream":"demo","edge":"fra-1","country":"DE","network":"","line":"e=ps,sid=\"a\",sta=p,ts=2"}"#;
    assert!(rows.lines().nth(1).unwrap().ends_with(row), "{rows}");
    until(async || (edge.metric("raw_lines_total").await == 2).then_some(())).await;

    // What waits when the host stops is sent without gathering.
    assert_eq!(edge.post("/beacon/demo", &[], LINES).await.status, 204);
    edge.stopped().await;
    assert_eq!(taker.requests("raw").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firehose_gets_a_signed_record_and_is_believed_when_it_says_that_it_failed() {
    let taker = Store::start().await;
    let credentials = SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test"));
    let endpoint = format!("{}/bucket/raw", taker.endpoint()).parse().unwrap();
    let edge = Edge::start_with(|config| {
        config.raw = Some(RawLines::Firehose { endpoint, region: "eu-west-1".into(), stream: "reports".into(), credentials });
    })
    .await;
    taker.reply(r#"{"FailedPutCount":1,"RequestResponses":[{"ErrorCode":"ServiceUnavailableException"}]}"#);
    assert_eq!(edge.post("/beacon/demo", &[], "e=t,sid=\"a\",sta=p,ts=1").await.status, 204);
    posted(&taker, 1).await;
    taker.reply(r#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}"#);
    let seen = posted(&taker, 2).await;
    let head = |name: &str| seen[1].headers[name].to_str().unwrap().to_owned();
    assert_eq!(head("x-amz-target"), "Firehose_20150804.PutRecordBatch");
    assert!(head("authorization").contains("/eu-west-1/firehose/aws4_request"), "{}", head("authorization"));
    let body = String::from_utf8(seen[1].body.to_vec()).unwrap();
    assert!(body.starts_with(r#"{"DeliveryStreamName":"reports","Records":[{"Data":"eyJhdCI6"#), "{body}");
    until(async || (edge.metric("raw_lines_total").await == 1).then_some(())).await;
    assert_eq!(edge.metric("raw_lost_total").await, 0);
    edge.stopped().await;
}
