//! Our own streams under `tidegate validate`, in every mode: no error and no warning.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tidegate_ingest_worker::{Config, Rung};
use tidegate_integration::{
    ffmpeg::{self, Push},
    platform::{Platform, target},
};
use tidegate_stream::RenditionId;

/// Seconds for which a live stream is followed: `TIDEGATE_VALIDATE_SECONDS`, or so many.
const FOLLOWED: u32 = 12;
const PICTURE: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -pix_fmt yuv420p -b:v 400k -maxrate 400k -bufsize 400k";

/// What a validator found, as it says it to programs.
struct Verdict {
    mode: String,
    text: String,
    /// Errors and warnings.
    findings: Vec<String>,
}

/// What these sources are, and no fault of what serves them: one rendition is no ladder.
const OF_THE_SOURCE: [&str; 1] = ["MV-SEVERAL"];
/// How fast it goes is a matter of the machine, which runs encoders and other tests as well: only who asks for a time of their own
/// (`tests/validate/run`) asks for these too.
const OF_THE_MACHINE: [&str; 6] = ["LIVE-LATE", "LL-PART-LATE", "LL-LAST-PART-LATE", "LL-DRIBBLE", "LL-RTT", "ALIGN-STEP"];

/// What was asked for, where something was.
fn asked() -> Option<u32> {
    std::env::var("TIDEGATE_VALIDATE_SECONDS").ok().map(|text| text.parse().expect("TIDEGATE_VALIDATE_SECONDS is a number of seconds"))
}

fn followed() -> u32 {
    asked().unwrap_or(FOLLOWED)
}

fn validate(address: &str, seconds: u32) -> Verdict {
    let binary = target().join("debug/tidegate");
    assert!(binary.is_file(), "the command line is not built: run infra/build");
    let output = Command::new(binary).args(["validate", address, "--json", "--seconds", &seconds.to_string()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{address}: {error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    assert!(report["not_tested"].is_null(), "{address}: {text}");
    let of_the_machine: &[&str] = if asked().is_some() { &[] } else { &OF_THE_MACHINE };
    let is_ours = |rule: &str| !OF_THE_SOURCE.contains(&rule) && !of_the_machine.contains(&rule);
    let counts =
        report["findings"].as_array().unwrap().iter().filter(|one| one["severity"] != "note" && one["rule"].as_str().is_some_and(is_ours));
    let findings = counts.map(|one| format!("{} {}", one["rule"], one["seen"])).collect();
    Verdict { mode: report["mode"].as_str().unwrap().to_owned(), findings, text }
}

fn assert_clean(what: &str, mode: &str, verdict: &Verdict) {
    assert_clean_but(what, mode, verdict, &[]);
}

fn assert_clean_but(what: &str, mode: &str, verdict: &Verdict, but: &[&str]) {
    let left: Vec<&String> = verdict.findings.iter().filter(|one| !but.iter().any(|rule| one.contains(rule))).collect();
    assert!(left.is_empty(), "{what}: {left:#?}: {}", verdict.text);
    assert_eq!(verdict.mode, mode, "{what}: {}", verdict.text);
}

/// A picture of 30 frames/s with a key frame each second, and sound.
fn live(seconds: u32) -> Vec<String> {
    let input = format!("-re -f lavfi -i testsrc2=s=320x180:r=30 -re -f lavfi -i sine=r=48000 -t {seconds} {PICTURE} -c:a aac -b:a 64k");
    input.split(' ').map(str::to_owned).collect()
}

fn start(platform: &Platform, stream: &str, input: &[String]) -> Push {
    platform.push(stream, &input.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Waits until a stream has so many whole segments, and returns the path of its session.
fn session(platform: &Platform, stream: &str, segments: usize) -> String {
    let media = platform.session(stream).media[0].clone();
    platform.until(&media, "segments", |answer| answer.text().matches("#EXTINF:").count() >= segments);
    format!("{}/index.m3u8", media.rsplit_once('/').unwrap().0)
}

/// Segments of one second, so that a short test sees many of them.
fn short_segments(config: &mut Config) {
    config.package.segment_ms = 1000;
    config.package.part_ms = 333;
}

#[test]
fn live_discontinuity_audio_only_recording_and_clip_keep_all_rules() {
    let platform = Platform::start(short_segments);
    let long = followed() + 14;
    let pushes: Vec<Push> = [
        ("live", live(long)),
        ("radio", {
            let input = format!("-re -f lavfi -i sine=r=48000 -t {long} -c:a aac -b:a 64k");
            input.split(' ').map(str::to_owned).collect()
        }),
    ]
    .iter()
    .map(|(stream, input)| start(&platform, stream, input))
    .collect();
    let (again, _) = platform.admit("again");
    let input = live(long + 34);
    let input: Vec<&str> = input.iter().map(String::as_str).collect();
    let mut publisher = Push::start(&input, &again);
    let paths: Vec<String> = ["live", "radio", "again"].iter().map(|stream| session(&platform, stream, 6)).collect();
    let verdicts = thread::scope(|scope| {
        let follow = |path: &str| {
            let address = platform.url(path);
            scope.spawn(move || validate(&address, followed()))
        };
        let until = Instant::now() + Duration::from_secs(followed().into());
        let under_way: Vec<_> = paths.iter().map(|path| follow(path)).collect();
        // From the start, as it grows; and a stretch of it that is whole.
        let clips = [follow(&format!("{}?start=1", paths[0])), follow(&format!("{}?start=1&end=4.5", paths[0]))];
        // An encoder whose network breaks each minute, and that comes back.
        let mut breaks = Instant::now() + Duration::from_secs(3);
        while breaks + Duration::from_secs(5) < until {
            thread::sleep(breaks.saturating_duration_since(Instant::now()));
            publisher.kill();
            publisher = Push::start(&input, &again);
            breaks += Duration::from_secs(60);
        }
        let verdicts: Vec<Verdict> = under_way.into_iter().chain(clips).map(|one| one.join().unwrap()).collect();
        publisher.kill();
        verdicts
    });
    let [live, radio, again, growing, clip] = &verdicts[..] else { panic!("five were followed") };
    assert_clean("live", "live, low latency", live);
    assert_clean("audio only", "live, low latency", radio);
    // Nobody knows that a connection is about to break: the part that was hinted then never comes.
    assert_clean_but("a publisher that comes back", "live, low latency", again, &["LL-HINT-TRUE"]);
    assert!(again.text.contains("source.m3u8"), "{}", again.text);
    assert_clean("a clip that grows", "live, low latency", growing);
    assert_clean("a clip", "recording", clip);
    for push in pushes {
        push.finish().unwrap();
    }
    for (path, stream) in paths.iter().zip(["live", "radio"]) {
        platform.recording(stream);
        assert_clean("a recording", "recording", &validate(&platform.url(path), 5));
    }
    platform.recording("again");
    assert_clean("a recording with a discontinuity", "recording", &validate(&platform.url(&paths[2]), 5));
    let clip = format!("{}?start=2&end=9.5", paths[2]);
    assert_clean("a clip of a recording", "recording", &validate(&platform.url(&clip), 5));
}

#[cfg(target_os = "linux")]
#[test]
fn a_window_that_moves_and_a_rung_that_is_left_out_keep_all_rules() {
    let folder = tempfile::tempdir().unwrap();
    // An ffmpeg that can be told from all others on the machine.
    let named = folder.path().join("ffmpeg-that-is-slow");
    std::os::unix::fs::symlink(ffmpeg::program(), &named).unwrap();
    let rung = |name, height| Rung { name: RenditionId::parse(name).unwrap(), height, bitrate_kbps: 150 };
    let platform = Platform::start(|config| {
        short_segments(config);
        config.package.dvr_window_s = 8;
        config.ffmpeg.clone_from(&named);
        config.ladder = vec![rung("medium", 144), rung("low", 90)];
    });
    let push = start(&platform, "live", &live(followed() + 48));
    let path = session(&platform, "live", 7);
    let (address, name) = (platform.url(&path), named.to_str().unwrap());
    let verdict = thread::scope(|scope| {
        let followed = scope.spawn(|| validate(&address, followed()));
        thread::sleep(Duration::from_secs(4));
        // It stands still, as one does on a machine that is too slow, until a rung is left out.
        signal("-STOP", name);
        let begun = Instant::now();
        while platform.metrics.stream(&"live".parse().unwrap()).rungs_dropped.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "no rung is left out");
            thread::sleep(Duration::from_millis(100));
        }
        signal("-CONT", name);
        followed.join().unwrap()
    });
    push.kill();
    assert_clean("a rung that is left out", "live, low latency", &verdict);
}

/// Sends a signal to the processes that run this program.
#[cfg(target_os = "linux")]
fn signal(signal: &str, program: &str) {
    let of = |pid: &str| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().into_string().unwrap_or_default();
        if pid.bytes().all(|byte| byte.is_ascii_digit()) && of(&pid).starts_with(program.as_bytes()) {
            let _ = Command::new("kill").args([signal, &pid]).status();
        }
    }
}
