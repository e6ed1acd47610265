//! Hourly and daily tables: what DuckDB reads out of the files is what the API says.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tidegate_beacon::{Collector, Viewer};
use tidegate_ingest_worker::{
    Metrics, compact,
    store::{Bucket as _, Condition, Store},
};
use tidegate_integration::{Embedded, skip};
use tidegate_stream::{AnalyticsKey, InstanceId, Json, StreamId, format_utc};
use tokio_util::sync::CancellationToken;

use crate::metadata::ask;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Two days of minutes are looked through on the way, 60 in one look.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_an_hour_and_a_day_say_what_the_api_says() {
    let test = "tables::tables_of_an_hour_and_a_day_say_what_the_api_says";
    let Some(python) = python() else { return skip(test, "DuckDB is not installed (infra/tools test)") };
    let embedded = Embedded::start();
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    store.ensure_bucket().await.unwrap();
    let (status, _, _) = ask(&store, "POST", "/api/v1/streams", "", r#"{"id":"demo"}"#).await;
    assert_eq!(status, 201);

    // The last hour of a day that has been over for more than 20 minutes.
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let day = (now_ms - 20 * MINUTE_MS) / DAY_MS - 1;
    let hour = day * 24 + 23;
    let begins_ms = hour * HOUR_MS - MINUTE_MS;
    for (key, bytes) in watched(begins_ms) {
        store.put(&key.into(), bytes.into(), Condition::Absent).await.unwrap();
    }
    let lease =
        Json::object().with("holder", "").with("minute", begins_ms / MINUTE_MS - 1).with("table_hour", hour - 2).with("until_ms", 0u64);
    store.put(&AnalyticsKey::Lease.into(), lease.to_bytes().into(), Condition::Absent).await.unwrap();
    let stop = CancellationToken::new();
    let metrics = Arc::<Metrics>::default();
    let compacting = tokio::spawn(compact(store.clone(), Arc::clone(&metrics), stop.clone()));
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    for key in [AnalyticsKey::HourTable { hour: hour - 1 }, AnalyticsKey::HourTable { hour }, AnalyticsKey::DayTable { day }] {
        let file = folder.path().join(key.to_string().replace('/', "-"));
        let key = key.into();
        let table = loop {
            if let Some(object) = store.get(&key).await.unwrap() {
                break object.bytes;
            }
            assert!(begun.elapsed() < PATIENCE, "no {key}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        std::fs::write(&file, table).unwrap();
        made.push(file);
    }
    stop.cancel();
    compacting.await.unwrap();
    let text = metrics.text();
    assert!(text.contains("tidegate_viewers_plays_total{stream=\"demo\"} 25\n"), "what Prometheus reads says the same: {text}");

    let lasts = [(hour - 1, HOUR_MS, 60), (hour, HOUR_MS, 60), (day, DAY_MS, 3600)];
    for (file, (number, length_ms, step_s)) in made.iter().zip(lasts) {
        for dimension in ["country", "rendition", "device", "edge"] {
            let (from, to) = (format_utc(number * length_ms), format_utc((number + 1) * length_ms));
            let path = format!("/api/v1/streams/demo/analytics?from={from}&to={to}&step={step_s}&by={dimension}");
            let (status, _, said) = ask(&store, "GET", &path, "", "").await;
            assert_eq!(status, 200, "{said}");
            let answer = folder.path().join("answer.json");
            std::fs::write(&answer, said.to_bytes()).unwrap();
            let script = "tests/integration/tables.py";
            let output = Command::new(&python).arg(script).arg(file).arg(&answer).output().unwrap();
            assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
            println!("{}", String::from_utf8_lossy(&output.stdout).trim());
        }
    }
}

/// What two edges write of 25 viewers that watch for four minutes over the turn of an hour: two of them where few are, some with trouble.
fn watched(begins_ms: u64) -> Vec<(AnalyticsKey, Vec<u8>)> {
    let stream = StreamId::parse("demo").unwrap();
    let mut edges = [Collector::new(InstanceId(1), "fra-1".into()), Collector::new(InstanceId(2), "iad-1".into())];
    let mut objects = Vec::new();
    for second in 0..=240u64 {
        let now_ms = begins_ms + second * 1000;
        for n in 0..25u64 {
            let edge = &mut edges[usize::try_from(n % 2).unwrap()];
            let country = Some(if n < 2 {
                "FR".into()
            } else if n < 12 {
                "DE".into()
            } else {
                "US".into()
            });
            let viewer = Viewer { unique: Some(n << 40 | n), country, device: "tv", edge: format!("edge-{}", n % 2), ..Viewer::default() };
            // Each reports every 10 s, at a second of its own.
            let (number, turn) = (second / 10, second % 10);
            if turn != n % 10 {
                continue;
            }
            let kbps = [3000, 800][usize::try_from(n % 2).unwrap()];
            let line = if number == 0 {
                format!("br=({kbps}),e=ps,ltc={},msd={},sid=\"{n}\",sn=0,sta=p,ts={}", 1400 + n, 500 + n, second * 1000)
            } else if n == 13 && number == 5 {
                format!("br=({kbps}),e=e,ec=(\"decode\"),sid=\"{n}\",sn=5,sta=p,ts={}", second * 1000)
            } else {
                let (played, stalled, stalls) = if n == 4 { (9000, 1000, 1) } else { (10_000, 0, 0) };
                let since = format!("10000 {played} {stalled} {stalls} 1");
                format!(
                    "br=({kbps}),com.tidegate-since=\"{since}\",e=t,ltc={},sid=\"{n}\",sn={number},sta=p,ts={}",
                    1400 + n,
                    second * 1000
                )
            };
            edge.count(&stream, &line, &viewer, n, now_ms);
        }
        for edge in &mut edges {
            while let Some(put) = edge.next(now_ms, second == 240) {
                edge.done(true, now_ms);
                if matches!(put.key, AnalyticsKey::Minute { .. }) {
                    objects.push((put.key, put.bytes));
                }
            }
        }
    }
    objects
}

/// A Python with DuckDB, as `infra/tools` installs it.
fn python() -> Option<std::path::PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join("tidegate-duckdb")).find(|file| file.is_file());
    found.or_else(|| {
        let home = std::env::var_os("XDG_CACHE_HOME")
            .map_or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache")), |cache| Some(cache.into()));
        home.map(|cache| cache.join("tidegate/tools/bin/tidegate-duckdb")).filter(|file| file.is_file())
    })
}
