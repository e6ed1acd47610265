#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! CPU of the whole ladder, encoders and all of ours, against one `ffmpeg -f hls` that makes the same ladder of the same source
//! at the same time.

use std::{
    env,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tidegate_benches::{Clip, Figure, Up, clip, flv_tag, print};
use tidegate_rig::{
    ffmpeg, process,
    publisher::{Publisher, Style},
};

const SECONDS: u32 = 40;
const WARM_UP: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(32);
/// The worker's default ladder.
const RUNGS: [(u32, u32, u32); 3] = [(1280, 720, 2800), (852, 480, 1200), (480, 270, 500)];

fn main() {
    let size = env::args().nth(1).unwrap_or_else(|| "1280x720".into());
    let clip = clip(&size, 4500, SECONDS);
    let folder = env::temp_dir().join(format!("tidegate-bench-hls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let up = Up::start(&["--ladder", "default"]);
    let mut hls = hls(&folder, &size);
    let mut input = hls.stdin.take().unwrap();
    let (rtmp, key, pids) = (up.rtmp, up.stream_key.clone(), [up.pid(), hls.id()]);
    let [ours, theirs] = thread::scope(|scope| {
        let clip = &clip;
        scope.spawn(move || {
            let mut publisher = Publisher::connect(rtmp, &key, Style::default()).unwrap();
            publisher.play(&clip.tags).unwrap();
            publisher.finish().unwrap();
        });
        scope.spawn(move || feed(&mut input, clip));
        thread::sleep(WARM_UP);
        let before = pids.map(used);
        thread::sleep(MEASURED);
        let after = pids.map(used);
        [after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])]
    });
    let _ = hls.wait();
    let _ = std::fs::remove_dir_all(&folder);
    // A ladder that lost a rung on the way is not the same ladder: such a run says nothing.
    let (dropped, late) = (up.metric("rungs_dropped_total", ""), up.metric("late_parts_total", ""));
    if dropped != 0.0 || late != 0.0 {
        println!("no figure: {dropped} times a rung was left out, {late} times one was late: the machine has too much to do");
        return;
    }
    let (ours, theirs) = (ours.as_secs_f64(), theirs.as_secs_f64());
    println!(
        "{size} at 30 frames/s, {} s: ours {ours:.2} CPU s (worker, encoders, edge, store), ffmpeg -f hls {theirs:.2} CPU s",
        MEASURED.as_secs()
    );
    print(&[Figure { what: "CPU of the ladder against ffmpeg -f hls", bar: 1.05, seen: ours / theirs, unit: "times" }]);
}

/// A process with all that it has started.
fn used(pid: u32) -> Duration {
    process::cpu(pid) + process::descendants(pid).keys().map(|pid| process::cpu(*pid)).sum()
}

/// The same encoders with the same settings, written as ordinary HLS by ffmpeg itself.
fn hls(folder: &std::path::Path, size: &str) -> std::process::Child {
    let height: u32 = size.split_once('x').and_then(|(_, height)| height.parse().ok()).unwrap();
    // The worker encodes no rung as large as the source at a rate that is not below it; 720p of 4.5 Mbit/s keeps all three.
    let rungs: Vec<_> = RUNGS.iter().filter(|(_, lines, _)| *lines <= height).collect();
    let mut graph = format!("[0:v]split={}{}", rungs.len(), (0..rungs.len()).map(|at| format!("[s{at}]")).collect::<String>());
    for (at, (width, lines, _)) in rungs.iter().enumerate() {
        graph += &format!(";[s{at}]scale={width}:{lines}:flags=fast_bilinear[v{at}]");
    }
    let mut command = Command::new(ffmpeg::program());
    command.args("-hide_banner -nostats -loglevel error -y -threads 1 -f flv -i pipe:0 -filter_complex".split(' ')).arg(graph);
    command.args(["-map", "0:v", "-c:v:0", "copy"]);
    for (at, (_, _, kbps)) in rungs.iter().enumerate() {
        let place = at + 1;
        command.args(["-map", &format!("[v{at}]")]);
        let options = format!(
            "-c:v:{place} libx264 -preset:v:{place} veryfast -tune:v:{place} zerolatency -threads:v:{place} 1 -profile:v:{place} high \
             -b:v:{place} {kbps}k -maxrate:v:{place} {kbps}k -bufsize:v:{place} {kbps}k -g:v:{place} 60 -sc_threshold:v:{place} 0"
        );
        command.args(options.split_whitespace());
    }
    let map: Vec<String> = (0..=rungs.len()).map(|at| format!("v:{at},agroup:a")).collect();
    command.args([
        "-map",
        "0:a",
        "-c:a",
        "copy",
        "-f",
        "hls",
        "-hls_time",
        "2",
        "-hls_segment_type",
        "fmp4",
        "-hls_flags",
        "delete_segments",
    ]);
    command.args(["-var_stream_map", &format!("{} a:0,agroup:a,default:yes", map.join(" ")), "-master_pl_name", "index.m3u8"]);
    command.arg("v%v.m3u8").current_dir(folder).stdin(Stdio::piped()).spawn().expect("ffmpeg starts")
}

/// Writes a file at the pace of its timestamps.
fn feed(input: &mut impl std::io::Write, clip: &Clip) {
    let begun = Instant::now();
    input.write_all(&[b'F', b'L', b'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]).unwrap();
    for tag in &clip.tags {
        let due = begun + Duration::from_millis(u64::from(tag.timestamp_ms));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if input.write_all(&flv_tag(tag)).is_err() {
            return;
        }
    }
}
