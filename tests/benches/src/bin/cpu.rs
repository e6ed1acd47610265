#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! CPU of worker and edge (one process) for one pass-through stream of 4.5 Mbit/s with one viewer of picture and sound; MinIO is
//! a process of its own and not counted.

use std::{env, thread, time::Duration};

use tidegate_benches::{Figure, Up, clip, follow, print};
use tidegate_rig::{
    process,
    publisher::{Publisher, Style},
};

const SECONDS: u32 = 75;
const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(60);

fn main() {
    let profile = env::var("TIDEGATE_PROFILE").unwrap_or_else(|_| "debug".into());
    let clip = clip("1920x1080", 4500, SECONDS);
    let options: Vec<String> = env::args().skip(1).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let up = Up::start(&[&["--store", "minio", "--ladder", "none"], &options[..]].concat());
    let (edge, rtmp, pid, key) = (up.edge, up.rtmp, up.pid(), up.stream_key.clone());
    let (used, parts) = thread::scope(|scope| {
        let viewers = [0, 1].map(|place| scope.spawn(move || follow(edge, "studio", place).parts.len()));
        let meter = scope.spawn(move || {
            thread::sleep(WARM_UP);
            let before = process::cpu(pid);
            thread::sleep(MEASURED);
            process::cpu(pid).saturating_sub(before)
        });
        let mut publisher = Publisher::connect(rtmp, &key, Style::default()).unwrap();
        publisher.play(&clip.tags).unwrap();
        publisher.finish().unwrap();
        (meter.join().unwrap(), viewers.map(|viewer| viewer.join().unwrap()))
    });
    println!("{:.1} Mbit/s, {profile} build, {} parts of picture and {} of sound fetched", clip.rate() / 1e6, parts[0], parts[1]);
    print(&[Figure { what: "CPU of worker and edge per minute", bar: 1.0, seen: used.as_secs_f64(), unit: "s" }]);
}
