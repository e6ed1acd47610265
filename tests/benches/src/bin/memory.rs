#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! Memory of the worker by itself, without its ffmpeg: one stream with the ladder, and each further pass-through stream.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tidegate_benches::{Clip, Figure, Up, clip, free_port, print, program};
use tidegate_rig::{
    Child, process,
    publisher::{Publisher, Style},
};

const SECONDS: u32 = 40;
/// Late enough that every buffer has been as full as it gets.
const LOOK_AT: Duration = Duration::from_secs(36);
const STREAMS: usize = 5;
const MIB: f64 = (1 << 20) as f64;

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
    let rtmp = free_port();
    let config = up.data.join(format!("worker-{}.toml", rtmp.port()));
    fs::write(&config, format!("{options}[rtmp]\nlisten = \"{rtmp}\"\n[metrics]\n[store]\nendpoint = \"http://{}\"\n", up.store)).unwrap();
    let secret = fs::read_to_string(up.data.join("secret")).unwrap();
    let command = || {
        let mut command = Command::new(program("tidegate-ingest-worker"));
        command.arg("--config").arg(&config).envs([("AWS_ACCESS_KEY_ID", "tidegate"), ("AWS_SECRET_ACCESS_KEY", secret.trim())]);
        command.envs([("TIDEGATE_LOG", "warn"), ("TIDEGATE_METRICS_LISTEN", &free_port().to_string())]).stdin(Stdio::null());
        command
    };
    let keys: Vec<String> = (0..streams)
        .map(|at| {
            let output = command().args(["--create-key", &format!("memory{}-{at}", rtmp.port())]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        })
        .collect();
    let worker = Child::start(command()).unwrap();
    thread::scope(|scope| {
        for key in &keys {
            scope.spawn(move || {
                let mut publisher = connect(rtmp, key);
                publisher.play(&clip.tags).unwrap();
                publisher.finish().unwrap();
            });
        }
        let (begun, mut most) = (Instant::now(), 0);
        while begun.elapsed() < LOOK_AT {
            thread::sleep(Duration::from_secs(1));
            most = most.max(process::resident(worker.pid));
        }
        most as f64 / MIB
    })
}

fn connect(rtmp: SocketAddr, key: &str) -> Publisher {
    let begun = Instant::now();
    loop {
        match Publisher::connect(rtmp, key, Style::default()) {
            Ok(publisher) => return publisher,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}
