//! Whatever an owner sends to the API, and whatever lies in the bucket, a request is answered, and what is written reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_function::{Answer, Fetched, Input, Job as _, Output, Request, Stored, World};
use tidegate_metadata::{Job, State};
use tidegate_stream::{Json, Key};

const ROUTES: [(&str, &str); 12] = [
    ("POST", "/api/v1/streams"),
    ("PUT", "/api/v1/streams/demo"),
    ("PATCH", "/api/v1/streams/demo"),
    ("POST", "/api/v1/streams/demo/keys"),
    ("POST", "/api/v1/streams/demo/publish-tokens"),
    ("POST", "/api/v1/streams/demo/playback-ids"),
    ("POST", "/api/v1/streams/demo/cues"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/webhooks"),
    ("GET", "/api/v1/streams"),
    ("GET", "/api/v1/streams/demo/analytics"),
    ("GET", "/live/demo/info.json"),
];
const STREAM: &[u8] = br#"{"id":"demo","revision":3,"title":"Demo","visibility":"public","created":"2026-11-20T09:00:00.000Z"}"#;
const STEPS_MAX: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let [route, bucket, rest @ ..] = bytes else { return };
    if let Ok(json) = Json::parse(rest) {
        assert_eq!(Json::parse(&json.to_bytes()), Ok(json));
    }
    let (method, path) = ROUTES[usize::from(*route) % ROUTES.len()];
    // A list has no body: what it is asked is text as well.
    let query = if method == "GET" { String::from_utf8_lossy(rest).into_owned() } else { String::new() };
    let headers = [("content-type", if method == "PATCH" { "application/merge-patch+json" } else { "application/json" }), ("if-match", "\"1\"")];
    let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    let request = Request { method: method.into(), path: path.into(), query, headers, body: rest.to_vec(), ..Request::default() };
    let (mut job, mut state) = (Job::trusted(request), State::new());
    let world = World { now_utc_ms: 1_790_000_000_000, random: [7; 32] };
    for _ in 0..STEPS_MAX {
        let input = match job.poll(&mut state, &world) {
            Output::Answer(Answer::Respond { status, body, .. }) => {
                assert!((200..=503).contains(&status), "{status}");
                // Tables are text; everything else is JSON, of bounded length.
                assert!(body.len() < 1 << 22);
                return;
            }
            Output::Fetch { key, range, .. } => {
                let found = match bucket % 3 {
                    // Somebody has written anything there, …
                    1 => Some(rest),
                    // … or nothing at all: the first of what is numbered is not there either.
                    2 => None,
                    _ => key.starts_with("meta/streams/").then_some(STREAM),
                };
                let cut = |bytes: &[u8]| bytes[..if range.is_some() { bytes.len().min(1) } else { bytes.len() }].to_vec();
                Input::Fetched(found.map_or(Fetched::Missing, |bytes| Fetched::Got { bytes: cut(bytes), etag: Some("\"1\"".into()), age_ms: None }))
            }
            Output::Store { key, body, .. } => {
                assert!(Key::parse(&key).is_some(), "{key} is no key");
                assert!(!key.ends_with(".json") || Json::parse(&body).is_ok(), "what is written to {key} does not read");
                Input::Stored(Stored::Done { etag: Some("\"2\"".into()) })
            }
            Output::Delete { .. } => Input::Stored(Stored::Done { etag: None }),
            other => panic!("{other:?}"),
        };
        job.handle(&mut state, &world, input);
    }
    // Where everything that is numbered seems to be there, the search for its end has its own bound.
    assert_eq!(bucket % 3, 1, "{path} has no answer");
});
