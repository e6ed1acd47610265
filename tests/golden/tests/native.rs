#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test; it is told by the environment to write what it found")]
//! The functions by themselves, with nothing around them.

use tidegate_dispatch::{Dispatch, Host, Settled, State, Step};
use tidegate_function::{Fetched, Input, Loaded, Output, Reach, Request, Stored, World};
use tidegate_golden::{Answer, Bucket, Case, cases, golden_bucket};

/// Some day after the recordings.
const NOW_MS: u64 = 1_760_000_000_000;

fn fetch(bucket: &Bucket, key: &str, range: Option<(u64, u64)>) -> Fetched {
    let Some(object) = bucket.get(key) else { return Fetched::Missing };
    let got = Fetched::Got { bytes: object.clone(), etag: Some("\"1\"".into()), age_ms: None };
    match range {
        Some(range) => got.cut(range),
        None => got,
    }
}

fn answer(bucket: &Bucket, case: &Case, host: Host, reach: Reach) -> Answer {
    let (path, query) = case.request.target.split_once('?').unwrap_or((&case.request.target, ""));
    let request = Request {
        method: case.request.method.clone(),
        path: path.into(),
        query: query.into(),
        headers: case.request.headers.clone(),
        reach,
        ..Request::default()
    };
    let (mut state, world) = (State::default(), World { now_utc_ms: NOW_MS, random: [7; 32] });
    let mut dispatch = Dispatch::new(request, host);
    loop {
        let input = match dispatch.poll(&mut state, &world) {
            Step::Do(Output::Fetch { key, range, .. }) => Input::Fetched(fetch(bucket, &key, range)),
            Step::Do(Output::Store { .. } | Output::Delete { .. }) => Input::Stored(Stored::Failed),
            Step::Do(Output::Load { .. }) => Input::Loaded(Loaded::Failed),
            Step::Respond(Settled { status, headers, body }) => {
                let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
                let body = if case.request.method == "HEAD" { String::new() } else { String::from_utf8(body).unwrap() };
                return Answer { status, headers, body };
            }
            other => panic!("{}: {other:?}", case.name),
        };
        dispatch.handle(&mut state, &world, input);
    }
}

#[test]
fn every_case_is_answered_as_it_is_written() {
    let bucket = golden_bucket();
    let cases = cases();
    assert!(cases.len() >= 30, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let answer = answer(&bucket, &case, Host::Answers, Reach::Segments);
        if std::env::var("TIDEGATE_GOLDEN").is_ok_and(|value| value == "write") {
            case.write(&answer);
            continue;
        }
        let header = |name: &str| answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        wrong.extend(case.check(answer.status, header, answer.body.as_bytes()).err());
        // What has ended looks the same wherever it is shown.
        assert_eq!(answer, self::answer(&bucket, &case, Host::Holds, Reach::Blocking), "{}", case.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
