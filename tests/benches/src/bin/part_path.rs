#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! From the last frame of a part sent over RTMP to that part listed by a blocking reload, and fetched, at the edge; over a real
//! MinIO on loopback, one viewer. And how long the worker itself had the part, which is where the encoders' time shows.

use std::{env, thread, time::Duration};

use tidegate_benches::{Clip, Figure, Part, Up, clip, follow, percentile, print};
use tidegate_rig::publisher::{Publisher, Style};

const SECONDS: u32 = 40;
/// The first segment is the start of everything: connections, ffmpeg, the first look at the stream.
const START_PARTS: usize = 4;

struct Run {
    listed: Vec<Duration>,
    fetched: Vec<Duration>,
    encode_p50_ms: f64,
    encode_p95_ms: f64,
    put_p50_ms: f64,
    put_p99_ms: f64,
}

fn main() {
    let part_ms = env::args().nth(1).unwrap_or_else(|| "500".into());
    let clip = clip("1920x1080", 4500, SECONDS);
    println!("1080p30, {:.1} Mbit/s, {part_ms} ms parts, MinIO, one viewer, {SECONDS} s", clip.rate() / 1e6);
    let passed = run(&clip, &["--part-ms", &part_ms, "--ladder", "none"]);
    let ladder = run(&clip, &["--part-ms", &part_ms, "--ladder", "default"]);
    for (name, run) in [("pass-through", &passed), ("ladder of three", &ladder)] {
        let times = |times: &[Duration]| {
            format!("p50 {:.1}, p95 {:.1}, max {:.1} ms", percentile(times, 50), percentile(times, 95), percentile(times, 100))
        };
        println!("{name}: {} parts; listed {}; fetched {}", run.listed.len(), times(&run.listed), times(&run.fetched));
        if env::var_os("TIDEGATE_EACH").is_some() {
            println!("  each: {:?}", run.fetched.iter().map(Duration::as_millis).collect::<Vec<_>>());
        }
        println!("  in the worker after its last frame: p50 {:.2}, p95 {:.2} ms", run.encode_p50_ms, run.encode_p95_ms);
        println!("  written by the store: p50 {:.2}, p99 {:.2} ms", run.put_p50_ms, run.put_p99_ms);
    }
    let beyond = |percent, own: f64| percentile(&ladder.fetched, percent) - own;
    print(&[
        Figure { what: "pass-through, last frame sent to part fetched, p50", bar: 25.0, seen: percentile(&passed.fetched, 50), unit: "ms" },
        Figure { what: "pass-through, last frame sent to part fetched, p95", bar: 40.0, seen: percentile(&passed.fetched, 95), unit: "ms" },
        Figure { what: "ladder, the same beyond the encoders, p50", bar: 25.0, seen: beyond(50, ladder.encode_p50_ms), unit: "ms" },
        Figure { what: "ladder, the same beyond the encoders, p95", bar: 40.0, seen: beyond(95, ladder.encode_p95_ms), unit: "ms" },
        Figure { what: "part ready after its last frame, pass-through, p50", bar: 1.0, seen: passed.encode_p50_ms, unit: "ms" },
        Figure { what: "part ready after its last frame, 1080p30 and three rungs, p50", bar: 30.0, seen: ladder.encode_p50_ms, unit: "ms" },
    ]);
}

fn run(clip: &Clip, options: &[&str]) -> Run {
    let up = Up::start(&[&["--store", "minio"], options].concat());
    let (edge, rtmp, key) = (up.edge, up.rtmp, up.stream_key.clone());
    let (left, parts, encode, put) = thread::scope(|scope| {
        let viewer = scope.spawn(move || follow(edge, "studio", 0).parts);
        let mut publisher = Publisher::connect(rtmp, &key, Style::default()).unwrap();
        let left = publisher.play(&clip.tags).unwrap();
        let encode = ["0.5", "0.95"].map(|quantile| 1000.0 * up.metric("part_seconds", &format!(",quantile=\"{quantile}\"")));
        let put = ["0.5", "0.99"].map(|quantile| 1000.0 * up.metric("put_seconds", &format!(",lane=\"log\",quantile=\"{quantile}\"")));
        publisher.finish().unwrap();
        (left, viewer.join().unwrap(), encode, put)
    });
    let pictures = clip.pictures();
    let mut frames = 0;
    let mut run = Run {
        listed: Vec::new(),
        fetched: Vec::new(),
        encode_p50_ms: encode[0],
        encode_p95_ms: encode[1],
        put_p50_ms: put[0],
        put_p99_ms: put[1],
    };
    for (at, Part { duration, listed, fetched }) in parts.iter().enumerate() {
        frames += (duration * 30.0).round() as usize;
        // The last part is closed by the end of the stream, not by its last frame.
        if at < START_PARTS || at + 1 == parts.len() {
            continue;
        }
        let Some(sent) = frames.checked_sub(1).and_then(|last| left.get(*pictures.get(last)?)) else { continue };
        run.listed.push(listed.saturating_duration_since(*sent));
        run.fetched.push(fetched.saturating_duration_since(*sent));
    }
    run
}
