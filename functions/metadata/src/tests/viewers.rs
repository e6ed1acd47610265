use alloc::{format, string::ToString};

use tidegate_beacon::{Collector, Compactor, Report, Rollup, Viewer};
use tidegate_stream::{AnalyticsKey, InstanceId, Json, MetaKey, Scope, StreamId};

use super::world::{Bucket, NOW};

const MINUTE_MS: u64 = 60_000;

fn demo() -> StreamId {
    StreamId::parse("demo").unwrap()
}

/// A bucket with a stream that 9 people in Germany and 2 in France have begun to watch some seconds ago.
fn watched(document: &str) -> (Bucket, alloc::string::String) {
    let mut bucket = Bucket::new();
    bucket.now_utc_ms = NOW / MINUTE_MS * MINUTE_MS + 12_000;
    let token = bucket.token(&[Scope::AnalyticsRead]);
    bucket.put(&MetaKey::Stream { stream: demo() }.to_string(), document.into());
    let now = bucket.now_utc_ms;
    let mut collector = Collector::new(InstanceId(7), "fra-1".into());
    for n in 0..11u64 {
        let country = Some(if n < 9 { "DE".into() } else { "FR".into() });
        let viewer = Viewer { unique: Some(n << 40 | n), country, device: "tv", edge: "fra-1".into(), ..Viewer::default() };
        let line = format!("br=(3000),e=ps,ltc=1400,msd={},sid=\"{n}\",sn=0,sta=p,ts=1", 500 + n);
        collector.count(&demo(), &line, &viewer, n, now - 12_000);
        let line = format!("br=(3000),com.tidegate-since=\"10000 9000 1000 1 1\",e=t,ltc=1400,sid=\"{n}\",sn=1,sta=p,ts=10001");
        collector.count(&demo(), &line, &viewer, n, now - 2000);
    }
    let mut compactor = Compactor::new(now / MINUTE_MS, None);
    compactor.take_open(Report::decode(&collector.next(now, false).unwrap().bytes).unwrap());
    for (stream, json) in compactor.latest(now) {
        bucket.put(&AnalyticsKey::Latest { stream }.to_string(), json.to_bytes());
    }
    collector.done(true, now);
    compactor.take(Report::decode(&collector.next(now, true).unwrap().bytes).unwrap());
    let settled = compactor.settle(now + MINUTE_MS).unwrap();
    let hour = settled.minute / 60;
    for (stream, window) in settled.windows {
        let mut rollup = Rollup::default();
        rollup.windows.insert(settled.minute, window);
        bucket.put(&AnalyticsKey::Hour { stream, hour }.to_string(), rollup.encode());
    }
    (bucket, token)
}

#[test]
fn everybody_sees_how_many_watch_and_owners_see_where() {
    let (mut bucket, token) = watched("{}");
    let public = bucket.ask("GET", "/api/v1/streams/demo/viewers", &[], "");
    assert_eq!((public.status, public.json.number_of("viewers"), public.header("cache-control")), (200, 11, "public, max-age=2"));
    assert_eq!(public.json.members().len(), 3);
    let owner = bucket.get("/api/v1/streams/demo/viewers", &token);
    let countries = owner.json.get("by").unwrap().get("country").unwrap();
    assert_eq!(countries.to_string(), r#"[{"value":"DE","viewers":9},{"value":"other","viewers":2}]"#, "two are too few to say where");
    assert_eq!((owner.json.number_of("peak_today"), owner.header("cache-control")), (11, "no-store"));
    let stranger = bucket.token(&[Scope::StreamsRead]);
    assert_eq!(bucket.get("/api/v1/streams/demo/viewers", &stranger).status, 403);
    assert_eq!(bucket.ask("GET", "/api/v1/streams/nobody/viewers", &[], "").status, 404);
}

#[test]
fn hidden_counts_are_for_owners_and_private_streams_are_nobodys() {
    let (mut bucket, token) = watched(r#"{"viewer_count":"hidden"}"#);
    assert_eq!(bucket.ask("GET", "/api/v1/streams/demo/viewers", &[], "").status, 401);
    assert_eq!(bucket.get("/api/v1/streams/demo/viewers", &token).json.number_of("viewers"), 11);
    let (mut bucket, token) = watched(r#"{"visibility":"private"}"#);
    assert_eq!(bucket.ask("GET", "/api/v1/streams/demo/viewers", &[], "").status, 404);
    assert_eq!(bucket.get("/api/v1/streams/demo/viewers", &token).status, 200);
    let (mut bucket, token) = watched(r#"{"deleted":true}"#);
    assert_eq!(bucket.get("/api/v1/streams/demo/viewers", &token).status, 404);
}

#[test]
fn figures_over_time_are_by_steps_and_dimensions() {
    let (mut bucket, token) = watched("{}");
    bucket.now_utc_ms += 2 * MINUTE_MS;
    let said = bucket.get("/api/v1/streams/demo/analytics?step=60&by=country", &token);
    assert_eq!(said.status, 200, "{}", said.json);
    let total = said.json.get("total").unwrap();
    let number = |name| total.number_of(name);
    assert_eq!((number("plays"), number("attempts"), number("uniques"), number("rebuffers")), (11, 11, 11, 11));
    assert_eq!((number("rebuffer_ppm"), number("bitrate_bps")), (100_000, 3_000_000));
    assert_eq!(total.get("latency_ms").unwrap().number_of("count"), 11);
    assert_eq!(total.get("stall_ms").unwrap().number_of("count"), 11);
    let spread = |name| said.json.get("spread").unwrap().get(name).unwrap().items().to_vec();
    let bars = |name| spread(name).iter().filter(|bar| bar.number_of("count") > 0).map(ToString::to_string).collect::<alloc::vec::Vec<_>>();
    assert_eq!(bars("startup_ms"), [r#"{"from_ms":500,"count":11}"#], "500 to 510 ms");
    assert_eq!(bars("stall_ms"), [r#"{"from_ms":1000,"count":11}"#]);
    // 9 s played by each, and the 35 s that each has claimed.
    assert_eq!(number("watched_s"), 11 * 44);
    assert_eq!(number("viewers_peak"), 11);
    let series = said.json.get("series").unwrap().items();
    assert_eq!(series.len(), 61, "an hour, and the minute that is not over");
    let busy: alloc::vec::Vec<_> = series.iter().filter(|point| point.number_of("plays") > 0).collect();
    assert_eq!((busy.len(), busy[0].number_of("viewers")), (1, 8), "44 of 60 seconds");
    let by = said.json.get("by").unwrap();
    assert_eq!(by.get("values").unwrap().items()[0].text_of("value"), "DE");
    assert_eq!(by.get("values").unwrap().items()[1].text_of("value"), "other");
    let sum = |of: &dyn Fn(&Json) -> u64| by.get("values").unwrap().items().iter().map(of).sum::<u64>();
    assert_eq!(sum(&|value| value.number_of("uniques")), 11);
    assert_eq!(sum(&|value| value.get("latency_ms").unwrap().number_of("count")), 11);

    let csv = bucket.get("/api/v1/streams/demo/analytics?step=60&format=csv", &token);
    let Json::Text(text) = &csv.json else { panic!("a table") };
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(text.starts_with("at,viewers,viewers_peak,uniques,watched_s,attempts,plays,"), "{text}");
    let columns = |line: &str| line.split(',').count();
    assert!(text.lines().all(|line| columns(line) == columns(text.lines().next().unwrap())));
    let by = bucket.ask("GET", "/api/v1/streams/demo/analytics?by=country", &[("authorization", &token), ("accept", "text/csv")], "");
    let Json::Text(text) = &by.json else { panic!("a table") };
    assert!(text.starts_with("country,viewers,uniques,watched_s,attempts") && text.contains("\nDE,"), "{text}");
    assert!(text.lines().all(|line| columns(line) == columns(text.lines().next().unwrap())), "{text}");
}

#[test]
fn what_is_asked_wrongly_or_for_too_much_is_refused() {
    let (mut bucket, token) = watched("{}");
    for query in [
        "step=61",
        "by=colour",
        "format=xml",
        "from=yesterday",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=1970-01-01T00:00:00Z&step=60",
        "from=1970-01-01T00:00:00Z&step=86400",
        "step=60&step=60",
        "x=1",
    ] {
        assert_eq!(bucket.get(&format!("/api/v1/streams/demo/analytics?{query}"), &token).status, 400, "{query}");
    }
    assert_eq!(bucket.ask("GET", "/api/v1/streams/demo/analytics", &[], "").status, 401);
    assert_eq!(bucket.get("/api/v1/streams/nobody/analytics", &token).status, 404);
    bucket.put(&AnalyticsKey::Hour { stream: demo(), hour: bucket.now_utc_ms / 3_600_000 }.to_string(), b"\x01\x09broken".to_vec());
    assert_eq!(bucket.get("/api/v1/streams/demo/analytics", &token).status, 503);
}
