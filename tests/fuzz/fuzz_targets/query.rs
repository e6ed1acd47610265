//! Whatever stands in a request line and its headers, a request is answered: tokens, origins.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_access::Guarded;
use tidegate_function::{Answer, Fetched, Input, Job, Loaded, Output, Request, World};

const ORIGIN: &[u8] = br#"{"base":"https://o.example/","viewers_choose":true,"playlists":"edge","playback":{"countries":["DE"]}}"#;
const STREAM: &[u8] = br#"{"id":"demo","playback":{"access":"signed"}}"#;

fuzz_target!(|text: &str| {
    let mut words = text.splitn(3, '\n');
    let address = words.next().unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let headers = [("authorization", words.next()), ("cookie", words.next()), ("viewer-country", Some("DE"))];
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect();
    let request = Request { method: "GET".into(), path: path.into(), query: query.into(), headers, ..Request::default() };
    let mut job = Guarded::new(request, tidegate_origin::Job::new);
    let mut state = tidegate_access::State::default();
    let world = World { now_utc_ms: 1_790_000_000_000, random: [7; 32] };
    for _ in 0..32 {
        match job.poll(&mut state, &world) {
            Output::Answer(Answer::Respond { status, .. }) => {
                assert!((200..=504).contains(&status));
                return;
            }
            Output::Fetch { key, .. } => {
                let bytes = if key.starts_with("meta/origins/") { ORIGIN } else { STREAM };
                let fetched = if key.contains("/playback-keys") || key.contains("/revocations") { Fetched::Missing } else { Fetched::Got { bytes: bytes.to_vec(), etag: None, age_ms: None } };
                job.handle(&mut state, &world, Input::Fetched(fetched));
            }
            Output::Load { url, .. } => {
                assert!(url.starts_with("https://o.example/"), "{url}");
                let body = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".to_vec();
                job.handle(&mut state, &world, Input::Loaded(Loaded::Got { status: 200, headers: Vec::new(), body }));
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("no answer");
});
