#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! Many streams for a long time: memory and file handles of the workers, and parts that were late. `soak [minutes] [streams] [pass-through]`:
//! the last word leaves the worker with the ladder out.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use tidegate_benches::{Figure, Look, MIB, Up, Worker, clip, print};

/// What comes until then is start-up.
const START: Duration = Duration::from_secs(60);
/// So that the store, which is in memory, stays small.
const SHORT: &str = "[package]\ndvr_window_s = 60\n";
const SAMPLE: Duration = Duration::from_secs(15);

fn main() {
    let argument = |at: usize, otherwise: u64| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (minutes, streams) = (argument(1, 360), argument(2, 20) as usize);
    let (small, large) = (clip("640x360", 900, 20), clip("1280x720", 3000, 20));
    let up = Up::start(&[]);
    let mut workers = vec![Worker::start(&up, streams, &format!("ladder = []\n{SHORT}"))];
    if std::env::args().nth(3).as_deref() != Some("pass-through") {
        workers.push(Worker::start(&up, 1, SHORT));
    }
    let stop = AtomicBool::new(false);
    let looks = thread::scope(|scope| {
        for (worker, clip) in workers.iter().zip([&small, &large]) {
            worker.push(scope, clip, &stop);
        }
        let mut looks: Vec<Vec<Look>> = Vec::new();
        sleep(START);
        let (began, mut said) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(60 * minutes) {
            let look: Vec<Look> = workers.iter().map(Worker::look).collect();
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
