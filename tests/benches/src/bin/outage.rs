#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! The store is away for a while: what a worker with many streams needs for it, whether that goes back, and when it has caught up.
//! `outage [seconds] [streams]`. The process that holds the embedded store is stopped and goes on again (SIGSTOP, SIGCONT).

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use tidegate_benches::{MIB, Up, Worker, clip};

/// What comes until then is start-up.
const START: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_millis(500);
/// How long the worker is watched afterwards.
const AFTER: Duration = Duration::from_secs(30);
const PART_S: f64 = 0.5;

fn main() {
    let argument = |at: usize, otherwise: u64| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (away, streams) = (Duration::from_secs(argument(1, 12)), argument(2, 20));
    let clip = clip("640x360", 900, 20);
    let part_bytes = (clip.rate() / 8.0 * PART_S) as u64;
    let up = Up::start(&[]);
    let worker = Worker::start(&up, streams as usize, "ladder = []\n");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        worker.push(scope, &clip, &stop);
        sleep(START);
        let (before, began) = (worker.look(), Instant::now());
        let stopped = Stopped::new(up.pid());
        let mut most = before;
        let mut watch = |until: Duration| {
            let mut written = None;
            while began.elapsed() < until {
                sleep(SAMPLE);
                let (look, elapsed) = (worker.look(), began.elapsed());
                most.resident = most.resident.max(look.resident);
                most.waiting = most.waiting.max(look.waiting);
                // On its way is always the part that each stream has just made.
                if look.waiting <= streams * part_bytes {
                    written.get_or_insert(elapsed);
                }
            }
            written
        };
        watch(away);
        drop(stopped);
        let written = watch(away + AFTER);
        let (after, mib) = (worker.look(), |bytes: u64| bytes as f64 / MIB);
        stop.store(true, Relaxed);
        println!("{streams} pass-through streams, the store away for {} s", away.as_secs());
        println!(
            "resident memory: {:.1} MiB before, {:.1} at most while {:.1} waited for the store, {:.1} when it has been back for {} s",
            mib(before.resident),
            mib(most.resident),
            mib(most.waiting),
            mib(after.resident),
            AFTER.as_secs()
        );
        println!("file handles: {}, {}; late parts: {}", before.handles, after.handles, after.late_parts - before.late_parts);
        match written {
            Some(at) => println!("all of it written {:.1} s after the store came back", at.saturating_sub(away).as_secs_f64()),
            None => println!("some of it not written {} s after the store came back", AFTER.as_secs()),
        }
    });
}

/// A process that stands still, until this is dropped.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Self {
        signal(pid, "-STOP");
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, "-CONT");
    }
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success(), "{pid} runs");
}
