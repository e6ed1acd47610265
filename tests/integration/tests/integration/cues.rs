//! What owners say at moments of a session, while the worker that writes it is killed and its twin goes on.

use std::time::{Duration, Instant};

use tidegate_cmaf::Boxes;
use tidegate_host::PreferWait;
use tidegate_ingest_worker::store::Store;
use tidegate_integration::{
    Embedded,
    platform::{PATIENCE, Platform},
    twins::Twins,
};
use tidegate_stream::{Json, format_utc, parse_utc};

use crate::metadata::ask;

const KILL: i32 = 9;
/// A cue without a time is said with the next picture: after the second in which it is looked for, and after a takeover where there is one.
const SAID_WITHIN_MS: u64 = 20_000;
/// Clocks of processes on one machine are the same, and times are told in milliseconds.
const CLOCK_MS: u64 = 20;
/// What leads a date to where it should be is at most 50 ms a segment, and the sound of a part begins a little before its picture.
const DATE_MS: u64 = 100;

#[test]
fn cues_around_a_takeover_are_each_said_once_at_their_time_in_playlist_and_segments() {
    let embedded = Embedded::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = runtime.block_on(Store::connect(embedded.s3.store_config())).unwrap();
    let post = |path: &str, body: String| runtime.block_on(ask(&store, "POST", path, "", &body));
    assert_eq!(post("/api/v1/streams", r#"{"id":"twins"}"#.into()).0, 201);
    let mut twins = Twins::start(embedded.s3.clone(), false);
    twins.settle(4);

    let mut cues: Vec<Cue> = Vec::new();
    let mut say = |text: &'static str, at_utc_ms: Option<u64>| {
        let posted_utc_ms = now_utc_ms();
        let at = at_utc_ms.map_or(Json::Null, |at| Json::from(format_utc(at)));
        let body = Json::object().with("text", text).with("at", at).with("duration_ms", 1500u32);
        // While nobody writes, a record may come late: the stream is live all the same.
        let (status, _, answer) = post("/api/v1/streams/twins/cues", String::from_utf8(body.to_bytes()).unwrap());
        assert_eq!(status, 201, "{text}: {answer}");
        cues.push(Cue { text, id: answer.text_of("id").into(), posted_utc_ms, at_utc_ms });
    };
    say("long before", None);
    twins.settle(8);
    // The owner may or may not have read this one, and may or may not have written it.
    say("just before", None);
    let owner = twins.owner().expect("somebody writes");
    twins.kill_while(owner, KILL, Duration::from_millis(200), || {
        say("while nobody writes", None);
        say("at a time to come", Some(now_utc_ms() + 6_000));
    });
    twins.settle(10);
    say("afterwards", None);

    // An edge that has seen nothing of all this.
    let platform = Platform::over(embedded.s3.clone(), PreferWait::Auto, |_| {});
    let playlist = platform.session("twins").media.first().unwrap().clone();
    let begun = Instant::now();
    let text = loop {
        let text = platform.viewer().get(&playlist).unwrap().text();
        if cues.iter().all(|cue| is_past(&text, cue)) {
            break text;
        }
        assert!(begun.elapsed() < PATIENCE, "a cue did not come: {}", twins.report());
        twins.watch(Duration::from_millis(200));
    };
    assert!(twins.reader.is_one_session(), "{}", twins.report());
    let folder = playlist.rsplit_once('/').unwrap().0;
    let messages = messages(&platform, folder, &text);
    for cue in &cues {
        let ranges: Vec<&str> = text.lines().filter(|line| line.starts_with(&format!("#EXT-X-DATERANGE:ID=\"{}\"", cue.id))).collect();
        let [range] = ranges[..] else { panic!("`{}` is {} times in the playlist:\n{text}", cue.text, ranges.len()) };
        assert!(range.contains(&format!("X-COM-TIDEGATE-TEXT=\"{}\"", cue.text)) && range.contains(",DURATION=1.5"), "{range}");
        let start = start_utc_ms(range);
        match cue.at_utc_ms {
            Some(at) => assert_eq!(start, at, "{range}"),
            None => assert!((cue.posted_utc_ms - CLOCK_MS..cue.posted_utc_ms + SAID_WITHIN_MS).contains(&start), "{cue:?}: {range}"),
        }
        let said: Vec<u64> = messages.iter().filter(|(text, _)| text == cue.text).map(|(_, at)| *at).collect();
        let [at] = said[..] else { panic!("`{}` is said {} times in the segments: {messages:?}", cue.text, said.len()) };
        assert!(at.abs_diff(start) <= DATE_MS, "{cue:?}: {at} in the segments, {start} in the playlist");
        println!("`{}`: {} ms after it was posted", cue.text, start.saturating_sub(cue.posted_utc_ms));
    }
}

#[derive(Debug)]
struct Cue {
    text: &'static str,
    id: String,
    posted_utc_ms: u64,
    at_utc_ms: Option<u64>,
}

/// Whether a segment behind the one that this cue came with is listed.
fn is_past(playlist: &str, cue: &Cue) -> bool {
    let range = playlist.lines().find(|line| line.contains(&cue.id)).map(start_utc_ms);
    let newest = playlist.lines().filter_map(|line| parse_utc(line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")?)).max();
    range.zip(newest).is_some_and(|(range, newest)| newest > range)
}

fn start_utc_ms(range: &str) -> u64 {
    let date = range.split_once("START-DATE=\"").and_then(|(_, rest)| rest.split_once('"'));
    date.and_then(|(date, _)| parse_utc(date)).unwrap_or_else(|| panic!("no date in {range}"))
}

/// What segments of a playlist say and when, by the date of their segment, in ms since 1970.
fn messages(platform: &Platform, folder: &str, playlist: &str) -> Vec<(String, u64)> {
    let (mut found, mut date) = (Vec::new(), None);
    for line in playlist.lines() {
        if let Some(text) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
            date = parse_utc(text);
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let media = platform.viewer().get(&format!("{folder}/{line}")).unwrap();
        assert_eq!(media.status, 200, "{line}");
        let first = decode_time(&media.body).unwrap_or_else(|| panic!("{line} has no time"));
        for message in Boxes::new(&media.body).filter_map(Result::ok).filter(|found| found.kind == *b"emsg") {
            // Version 1, as we write it: time scale, time, duration, id, and behind two names an ID3 tag that ends with the text.
            let number = |from: usize, to: usize| message.body[from..to].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
            let (scale, at) = (number(4, 8), number(8, 16));
            let text = message.body.rsplit(|byte| *byte == 0).next().unwrap_or_default();
            let date = date.unwrap_or_else(|| panic!("{line} has no date"));
            let since_ms = (at as i64 - first as i64) * 1000 / scale as i64;
            found.push((String::from_utf8_lossy(text).into_owned(), date.saturating_add_signed(since_ms)));
        }
    }
    found
}

/// The time of the first frame of a segment.
fn decode_time(media: &[u8]) -> Option<u64> {
    let within = |bytes, kind| Boxes::new(bytes).find(kind).ok();
    let body = within(within(within(media, b"moof")?, b"traf")?, b"tfdt")?;
    Some(u64::from_be_bytes(body.get(4..12)?.try_into().ok()?))
}

fn now_utc_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}
