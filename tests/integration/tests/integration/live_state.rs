//! What the API, viewers and webhooks are told of a stream that goes live, is renamed, and ends.

use std::time::{Duration, Instant};

use tidegate_ingest_worker::store::{Bucket as _, Store};
use tidegate_integration::platform::Platform;
use tidegate_stream::{Json, Ledger, MetaKey};

use crate::metadata::ask;

const INPUT: [&str; 20] = [
    "-re",
    "-f",
    "lavfi",
    "-i",
    "testsrc2=s=320x180:r=25",
    "-f",
    "lavfi",
    "-i",
    "sine=r=48000",
    "-t",
    "600",
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-g",
    "50",
    "-c:a",
    "aac",
    "-shortest",
];
/// What takes longer is broken, not slow, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(90);
/// The bar is 5 s, which the caches on the way add up to; a machine that does other things as well gets more.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_stream_goes_live_is_renamed_and_ends_and_everybody_is_told() {
    let platform = Platform::start(|_| {});
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = runtime.block_on(Store::connect(platform.s3().store_config())).unwrap();
    let api = |method: &str, path: &str, etag: &str, body: &str| runtime.block_on(ask(&store, method, path, etag, body));
    let until = |path: &str, what: &str, wanted: &dyn Fn(&Json) -> bool| {
        let begun = Instant::now();
        loop {
            let (status, _, json) = api("GET", path, "", "");
            if status == 200 && wanted(&json) {
                return json;
            }
            assert!(begun.elapsed() < PATIENCE, "{path}: {what} did not come; the last answer was {status} {json}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    let items = |json: &Json| json.get("items").map_or(0, |items| items.items().len());

    assert_eq!(api("POST", "/api/v1/streams", "", r#"{"id":"show","title":"Before","tags":["one"]}"#).0, 201);
    assert_eq!(items(&api("GET", "/api/v1/streams?live=true", "", "").2), 0);
    let push = platform.push("show", &INPUT);
    until("/api/v1/streams?live=true", "the stream among those that are live", &|json| items(json) == 1);
    let live = until("/api/v1/streams/show/live", "a healthy session with its input", &|json| {
        json.text_of("health") == "healthy" && json.get("session").is_some_and(|session| session.get("input") != Some(&Json::Null))
    });
    let session = live.get("session").unwrap();
    let input = session.get("input").unwrap();
    let video = input.get("video").unwrap();
    assert_eq!((video.number_of("width"), video.number_of("height"), video.number_of("frame_rate_milli")), (320, 180, 25_000), "{input}");
    assert_eq!(input.get("audio").unwrap().number_of("sample_rate_hz"), 48_000, "{input}");

    // Viewers have the old title in every cache.
    let multivariant = format!("/live/show/{}/index.m3u8", session.text_of("id"));
    platform.until("/live/show/info.json", "the title", |answer| answer.text().contains("Before"));
    platform.until(&multivariant, "the title", |answer| answer.text().contains("Before"));
    let (_, etag, _) = api("GET", "/api/v1/streams/show", "", "");
    assert_eq!(api("PATCH", "/api/v1/streams/show", &etag, r#"{"title":"After","tags":["two"]}"#).0, 200);
    let changed = Instant::now();
    platform.until("/live/show/info.json", "the new title", |answer| answer.text().contains("After") && answer.text().contains("two"));
    let info = changed.elapsed();
    platform.until(&multivariant, "the new title", |answer| answer.text().contains("After") && answer.text().contains("two"));
    let playlist = changed.elapsed();
    println!("a new title is in info.json after {info:.1?}, in the multivariant playlist after {playlist:.1?}");
    assert!(playlist < SEEN_WITHIN, "{playlist:?}");
    assert_eq!(items(&api("GET", "/api/v1/streams?live=true&q=after", "", "").2), 1, "the line of the list is whole");

    push.kill();
    until("/api/v1/streams?live=true", "no stream that is live", &|json| items(json) == 0);
    let sessions = until("/api/v1/streams/show/sessions", "one session that is over", &|json| {
        json.get("items").is_some_and(|items| items.items().first().is_some_and(|session| session.text_of("state") == "ended"))
    });
    assert_eq!(items(&sessions), 1);
    let event = |number| runtime.block_on(store.get(&MetaKey::Entry { ledger: Ledger::Events, number }.into())).unwrap();
    let begun = Instant::now();
    let kinds = loop {
        let events = (0..).map_while(event).map(|object| Json::parse(&object.bytes).unwrap().text_of("type").to_owned());
        let kinds: Vec<String> = events.collect();
        if kinds.last().is_some_and(|last| last == "stream.idle") {
            break kinds;
        }
        assert!(begun.elapsed() < PATIENCE, "no end among the events: {kinds:?}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(kinds, ["stream.created", "stream.live", "session.ended", "recording.ready", "stream.idle"]);
}
