#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! Many streams for a long time: memory and file handles of the workers, and parts that were late. `soak [minutes] [streams] [pass-through]`:
//! the last word leaves the worker with the ladder out.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use tidegate_benches::{Clip, Figure, Up, clip, free_port, print, program};
use tidegate_rig::{
    Child,
    http::Client,
    process,
    publisher::{Publisher, Style, Tag, TagKind},
};

const MIB: f64 = (1 << 20) as f64;
/// What comes until then is start-up.
const START: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_secs(15);

/// A worker and what it publishes.
struct Soaked {
    child: Child,
    rtmp: SocketAddr,
    metrics: SocketAddr,
    keys: Vec<String>,
}

/// A look at a worker.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    resident: u64,
    handles: usize,
    late_parts: u64,
    parts: u64,
}

fn main() {
    let argument = |at: usize, otherwise: u64| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (minutes, streams) = (argument(1, 360), argument(2, 20) as usize);
    let (small, large) = (clip("640x360", 900, 20), clip("1280x720", 3000, 20));
    let up = Up::start(&[]);
    let mut workers = vec![worker(&up, streams, "ladder = []\n")];
    if std::env::args().nth(3).as_deref() != Some("pass-through") {
        workers.push(worker(&up, 1, ""));
    }
    let stop = AtomicBool::new(false);
    let looks = thread::scope(|scope| {
        for (worker, clip) in workers.iter().zip([&small, &large]) {
            for key in &worker.keys {
                let (rtmp, stop) = (worker.rtmp, &stop);
                scope.spawn(move || push(rtmp, key, clip, stop));
            }
        }
        let mut looks: Vec<Vec<Look>> = Vec::new();
        sleep(START);
        let (began, mut said) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(60 * minutes) {
            let look: Vec<Look> = workers.iter().map(look).collect();
            if looks.is_empty() || began.elapsed() >= said + Duration::from_secs(300) {
                said = began.elapsed();
                println!("{:>4} min: {look:?}", said.as_secs() / 60);
            }
            looks.push(look);
            sleep(SAMPLE);
        }
        stop.store(true, Relaxed);
        looks
    });
    let hours = minutes as f64 / 60.0;
    for (place, what) in ["pass-through", "with the ladder"].into_iter().enumerate().take(workers.len()) {
        let of = |look: &Vec<Look>| look[place];
        let (first, last) = (of(&looks[0]), looks.last().map(of).unwrap_or_default());
        assert!(last.parts > first.parts && last.late_parts >= first.late_parts, "{what}: nothing was published, or the worker began anew");
        // Of the first and the last quarter: one look says more of its moment than of the worker.
        let quarter = (looks.len() / 4).max(1);
        let middle = |part: &[Vec<Look>], of: fn(&Look) -> u64| {
            let mut seen: Vec<u64> = part.iter().map(|look| of(&look[place])).collect();
            seen.sort_unstable();
            seen[seen.len() / 2] as f64
        };
        let both = |of: fn(&Look) -> u64| (middle(&looks[..quarter], of), middle(&looks[looks.len() - quarter..], of));
        let (early, late) = both(|look| look.resident);
        let (early, late) = (early / MIB, late / MIB);
        let handles = both(|look| look.handles as u64);
        println!(
            "{what}: {early:.1} MiB in the first quarter and {late:.1} in the last; {} and {} file handles; {} parts",
            handles.0,
            handles.1,
            last.parts - first.parts
        );
        print(&[
            Figure { what: "memory, last quarter beyond the first", bar: 1.0, seen: late - early, unit: "MiB" },
            Figure { what: "file handles more", bar: 2.0, seen: handles.1 - handles.0, unit: "" },
            Figure { what: "late parts after the start", bar: 0.0, seen: (last.late_parts - first.late_parts) as f64, unit: "" },
        ]);
    }
    println!("{hours:.2} h of {streams} pass-through streams and {} with the ladder", workers.len() - 1);
}

fn worker(up: &Up, streams: usize, options: &str) -> Soaked {
    let (rtmp, metrics) = (free_port(), free_port());
    let config = up.data.join(format!("worker-{}.toml", rtmp.port()));
    let text = format!(
        "{options}[rtmp]\nlisten = \"{rtmp}\"\n[package]\ndvr_window_s = 60\n[metrics]\nlisten = \"{metrics}\"\n[store]\nendpoint = \"http://{}\"\n",
        up.store
    );
    fs::write(&config, text).unwrap();
    let secret = fs::read_to_string(up.data.join("secret")).unwrap();
    let command = || {
        let mut command = Command::new(program("tidegate-ingest-worker"));
        command.arg("--config").arg(&config).envs([("AWS_ACCESS_KEY_ID", "tidegate"), ("AWS_SECRET_ACCESS_KEY", secret.trim())]);
        command.env("TIDEGATE_LOG", "warn").stdin(Stdio::null());
        command
    };
    let key = |at: usize| {
        let output = command().args(["--create-key", &format!("soak{}-{at}", rtmp.port())]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let keys = (0..streams).map(key).collect();
    Soaked { child: Child::start(command()).unwrap(), rtmp, metrics, keys }
}

fn look(worker: &Soaked) -> Look {
    let pid = worker.child.pid;
    // A worker that is gone has no growth either.
    let text = Client::new(worker.metrics).get("/metrics").expect("the worker says how it is").text();
    let sum = |name: &str| {
        let start = format!("tidegate_ingest_{name}{{");
        text.lines().filter(|line| line.starts_with(&start)).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let handles = fs::read_dir(format!("/proc/{pid}/fd")).expect("the worker runs").count();
    Look { resident: process::resident(pid), handles, late_parts: sum("late_parts_total"), parts: sum("parts_total") }
}

/// Pushes a clip over and over at its own pace.
fn push(rtmp: SocketAddr, key: &str, clip: &Clip, stop: &AtomicBool) {
    let length_ms = u64::from(clip.tags.last().map_or(0, |tag| tag.timestamp_ms)) + 33;
    let is_config = |tag: &Tag| tag.kind == TagKind::Script || tag.body.get(1) == Some(&0);
    while !stop.load(Relaxed) {
        let Ok(mut publisher) = Publisher::connect(rtmp, key, Style::default()) else {
            sleep(Duration::from_millis(200));
            continue;
        };
        for tag in clip.tags.iter().filter(|tag| is_config(tag)) {
            let _ = publisher.send(&Tag { timestamp_ms: 0, ..tag.clone() });
        }
        let began = Instant::now();
        'rounds: for round in 0u64.. {
            for tag in clip.tags.iter().filter(|tag| !is_config(tag)) {
                let at_ms = round * length_ms + u64::from(tag.timestamp_ms);
                sleep((began + Duration::from_millis(at_ms)).saturating_duration_since(Instant::now()));
                if stop.load(Relaxed) || publisher.send(&Tag { timestamp_ms: at_ms as u32, ..tag.clone() }).is_err() {
                    break 'rounds;
                }
            }
        }
    }
}
