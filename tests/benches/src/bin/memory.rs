#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! Memory of the worker by itself, without its ffmpeg: one stream with the ladder, and each further pass-through stream.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use tidegate_benches::{Clip, Figure, MIB, Up, Worker, clip, print};

const SECONDS: u32 = 40;
/// Late enough that every buffer has been as full as it gets.
const LOOK_AT: Duration = Duration::from_secs(36);
const STREAMS: usize = 5;

fn main() {
    let clip = clip("1280x720", 4500, SECONDS);
    // Its embedded store is the bucket; its own worker has nothing to do.
    let up = Up::start(&[]);
    let ladder = resident(&up, &clip, 1, "");
    let [one, many] = [1, STREAMS].map(|streams| resident(&up, &clip, streams, "ladder = []\n"));
    println!(
        "resident memory of the worker: {ladder:.1} MiB with the ladder; {one:.1} with one pass-through stream, {many:.1} with {STREAMS}"
    );
    print(&[
        Figure { what: "worker with one stream and the ladder, beyond ffmpeg", bar: 64.0, seen: ladder, unit: "MiB" },
        Figure { what: "each further pass-through stream", bar: 12.0, seen: (many - one) / (STREAMS - 1) as f64, unit: "MiB" },
    ]);
}

/// The largest resident memory of a worker with so many publishers, in MiB.
fn resident(up: &Up, clip: &Clip, streams: usize, options: &str) -> f64 {
    let worker = Worker::start(up, streams, options);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        worker.push(scope, clip, &stop);
        let (begun, mut most) = (Instant::now(), 0);
        while begun.elapsed() < LOOK_AT {
            thread::sleep(Duration::from_secs(1));
            most = most.max(worker.look().resident);
        }
        stop.store(true, Relaxed);
        most as f64 / MIB
    })
}
