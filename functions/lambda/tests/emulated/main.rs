#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "tests, which read the clock and start processes")]
//! The real binary behind an emulated runtime API and a bucket in memory.
#[allow(dead_code, reason = "shared with the bench")]
mod emulator;
mod event;

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tidegate_golden::{cases, golden_bucket};
use tidegate_rig::Store;

use crate::{
    emulator::{Answer, Environment, Outcome},
    event::{SOURCES, Source, event},
};

async fn start(store: &Store, more: &[(&str, &str)]) -> Environment {
    let endpoint = store.endpoint();
    let variables = [&[("TIDEGATE_STORE_BUCKET", "bucket"), ("AWS_ENDPOINT_URL", endpoint.as_str())], more].concat();
    Environment::start(Path::new(env!("CARGO_BIN_EXE_bootstrap")), &variables).await
}

fn get(source: Source, target: &str) -> serde_json::Value {
    event(source, "GET", target, &[], None)
}

#[tokio::test]
async fn golden_cases_are_the_same_bytes_from_every_source_of_events() {
    let store = Store::with(golden_bucket()).await;
    let buffered = start(&store, &[]).await;
    let streaming = start(&store, &[("TIDEGATE_RESPONSE", "stream")]).await;
    let mut wrong = Vec::new();
    for case in cases() {
        for source in SOURCES {
            // A load balancer decodes a query and hands over its pairs: a token in it is for addresses that it does not rewrite.
            if matches!(source, Source::LoadBalancer) && case.name == "hidden_query_token" {
                continue;
            }
            let event = event(source, &case.request.method, &case.request.target, &case.request.headers, None);
            let check = |answer: &Answer| {
                let checked = case.check(answer.status, |name| answer.headers.get(name).cloned(), &answer.body);
                checked.map_err(|why| format!("{source:?} {why}")).err()
            };
            let answer = buffered.ask(&event).await;
            wrong.extend(check(&answer));
            let kind = answer.headers.get("content-type").cloned().unwrap_or_default();
            let is_media = kind.starts_with("video/") || kind.starts_with("audio/");
            assert_eq!(answer.base64, is_media && !answer.body.is_empty(), "{}: {kind}", case.name);
            if matches!(source, Source::FunctionUrl) {
                let answer = streaming.ask(&event).await;
                assert!(answer.streamed, "{}", case.name);
                wrong.extend(check(&answer));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn head_says_the_length_and_sends_no_body() {
    let store = Store::with(golden_bucket()).await;
    let lambda = start(&store, &[]).await;
    let session = tidegate_golden::session_path();
    let answer = lambda.ask(&event(Source::FunctionUrl, "HEAD", &format!("{session}/high/3.m4s"), &[], None)).await;
    assert_eq!((answer.status, answer.body.len(), answer.headers["content-length"].as_str()), (200, 0, "40"));
}

#[tokio::test]
async fn bodies_come_as_text_or_base64_and_have_a_bound() {
    let mut objects = golden_bucket();
    let token = tidegate_golden::api_token(&mut objects);
    let store = Store::with(objects).await;
    let lambda = start(&store, &[]).await;
    let headers = [("authorization".to_owned(), format!("Bearer {token}")), ("content-type".to_owned(), "application/json".to_owned())];
    for (source, id) in [(Source::FunctionUrl, "one"), (Source::Gateway, "two"), (Source::LoadBalancer, "three")] {
        let body = format!(r#"{{"id":"{id}","title":"Tide"}}"#);
        let encoded = BASE64_STANDARD.encode(&body);
        let made = lambda.ask(&event(source, "POST", "/api/v1/streams", &headers, Some((&encoded, true)))).await;
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        let again = lambda.ask(&event(source, "POST", "/api/v1/streams", &headers, Some((&body, false)))).await;
        assert_eq!(again.status, 409, "the first one is there: {}", String::from_utf8_lossy(&again.body));
        assert!(store.object(&format!("meta/streams/{id}.json")).is_some());
    }
    let long = "x".repeat((64 << 10) + 1);
    assert_eq!(lambda.ask(&event(Source::FunctionUrl, "POST", "/api/v1/streams", &headers, Some((&long, false)))).await.status, 413);
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_the_environment_goes_on() {
    let store = Store::with(golden_bucket()).await;
    let lambda = start(&store, &[]).await;
    store.fail(usize::MAX, 500);
    let target = format!("{}/high.m3u8", tidegate_golden::session_path());
    let answer = lambda.ask(&get(Source::FunctionUrl, &target)).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"));
    store.fail(0, 500);
    // What failed is not remembered as missing for longer than a moment.
    let mut status = 0;
    for _ in 0..100 {
        status = lambda.ask(&get(Source::FunctionUrl, &target)).await.status;
        if status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn an_event_that_is_none_is_an_error_of_that_event_alone() {
    let store = Store::with(golden_bucket()).await;
    let lambda = start(&store, &[]).await;
    let Outcome::Failed(error) = lambda.invoke(&serde_json::json!({ "detail": "a scheduled event" })).await else { panic!() };
    assert!(error["errorMessage"].as_str().unwrap().contains("JSON payload"), "{error}");
    assert_eq!(lambda.ask(&get(Source::Gateway, "/time")).await.status, 200);
}

#[tokio::test]
async fn a_function_that_is_not_configured_says_what_is_missing() {
    let environment = Environment::start(Path::new(env!("CARGO_BIN_EXE_bootstrap")), &[]).await;
    let (ended_well, said) = environment.ended().await;
    assert!(!ended_well && said.contains("TIDEGATE_STORE_BUCKET is not set"), "{said}");
}

#[tokio::test]
async fn viewers_cannot_say_who_they_are_or_reach_into_the_bucket() {
    let mut objects = golden_bucket();
    let document = objects.get_mut("meta/streams/hidden.json").unwrap();
    let text = String::from_utf8(document.clone()).unwrap();
    *document = text.replace(r#""access":"signed""#, r#""access":"public","countries":["DE"]"#).into_bytes();
    let store = Store::with(objects).await;
    let lambda = start(&store, &[("TIDEGATE_COUNTRY_HEADER", "CloudFront-Viewer-Country")]).await;
    let status = async |name: &str, value: &str| {
        let headers = [(name.to_owned(), value.to_owned())];
        lambda.ask(&event(Source::FunctionUrl, "GET", "/live/hidden/index.m3u8", &headers, None)).await.status
    };
    assert_eq!(status("viewer-country", "DE").await, 403, "only the CDN's header counts");
    assert_eq!(status("tidegate-viewer-country", "DE").await, 403);
    assert_eq!(status("cloudfront-viewer-country", "FR").await, 403);
    assert_eq!(status("cloudfront-viewer-country", "DE").await, 200);
}

#[tokio::test]
async fn viewers_who_say_it_in_requests_alone_are_counted_by_where_they_are() {
    let store = Store::with(golden_bucket()).await;
    let lambda = start(&store, &[("TIDEGATE_ADDRESS_HEADER", "CloudFront-Viewer-Address")]).await;
    let said = "CMCD=br%3D3000%2Cd%3D2000%2Csid%3D%22a%22";
    for (media, address) in [("audio/11", "198.51.100.7:443"), ("high/3", "198.51.100.7:443")] {
        let target = format!("{}/{media}.m4s?{said}", tidegate_golden::session_path());
        let headers = [("cloudfront-viewer-address".to_owned(), address.to_owned())];
        let answer = lambda.ask(&event(Source::FunctionUrl, "GET", &target, &headers, None)).await;
        assert_eq!((answer.status, answer.body.is_empty()), (200, false), "{target}");
    }
    let [(_, bytes)] = store.below("analytics/open/").try_into().unwrap();
    let report = tidegate_beacon::Report::decode(&bytes).unwrap();
    let window = &report.windows[0].1;
    assert_eq!((report.edge.as_str(), window.all.played_ms, window.events, window.uniques.estimate()), ("lambda", 2000, 1, 1));
}

#[tokio::test]
async fn lines_of_a_report_that_counts_go_to_firehose_before_it_is_answered() {
    let (store, firehose) = (Store::with(golden_bucket()).await, Store::start().await);
    firehose.reply(r#"{"FailedPutCount":0}"#);
    let endpoint = format!("{}/bucket/raw", firehose.endpoint());
    let lambda = start(&store, &[("TIDEGATE_RAW_FIREHOSE", "reports"), ("TIDEGATE_RAW_FIREHOSE_ENDPOINT", &endpoint)]).await;
    let kind = [("content-type".to_owned(), "application/cmcd".to_owned())];
    let post = async |stream: &str| {
        let line = "e=t,sid=\"a\",sta=p,ts=1,v=2";
        lambda.ask(&event(Source::FunctionUrl, "POST", &format!("/live/{stream}/beacon"), &kind, Some((line, false)))).await.status
    };
    assert_eq!(post("nobody").await, 404);
    assert!(firehose.requests("raw").is_empty(), "what does not count is not sent");
    assert_eq!(post(tidegate_golden::session_path().split('/').nth(2).unwrap()).await, 204);
    let seen = firehose.requests("raw");
    assert!(seen.len() == 1 && seen[0].headers["authorization"].to_str().unwrap().contains("/firehose/aws4_request"), "{seen:?}");
    firehose.fail(usize::MAX, 500);
    assert_eq!(post(tidegate_golden::session_path().split('/').nth(2).unwrap()).await, 204, "a player does not send it again for that");
}
