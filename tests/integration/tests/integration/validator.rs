//! `tidegate validate` against our own streams: whatever it finds there is a fault of ours or of its own.

use std::{path::PathBuf, process::Command};

use tidegate_integration::platform::{Platform, target};

fn validate(url: &str, seconds: &str) -> (Option<i32>, serde_json::Value) {
    let binary: PathBuf = target().join("debug/tidegate");
    assert!(binary.is_file(), "the command line is not built: run infra/build");
    let output = Command::new(binary).args(["validate", url, "--seconds", seconds, "--json", "--strict"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

fn told(report: &serde_json::Value) -> String {
    let findings = report["findings"].as_array().unwrap().iter();
    let bad = findings.filter(|finding| finding["severity"] != "note");
    bad.map(|finding| format!("{} {}:{} {}\n", finding["rule"], finding["url"], finding["line"], finding["seen"])).collect()
}

#[test]
fn our_own_stream_keeps_the_rules_live_and_as_a_recording() {
    let platform = Platform::start(|config| config.ladder = tidegate_ingest_worker::Config::default().ladder);
    let picture = ["-re", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=30", "-f", "lavfi", "-i", "sine=r=48000", "-t", "26"];
    let coded = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let push = platform.push("live", &[&picture[..], &coded].concat());
    let session = platform.session("live");
    platform.until(&session.media[0], "three segments", |answer| answer.text().matches("#EXTINF:").count() >= 3);

    let url = platform.url("/live/live/index.m3u8");
    let (code, report) = validate(&url, "15");
    assert_eq!(code, Some(0), "{}", told(&report));
    assert_eq!(report["mode"], "live, low latency");
    let looked_at = |what: &str| report["looked_at"][what].as_u64().unwrap();
    assert!(looked_at("blocking") > 60 && looked_at("parts") > 60 && looked_at("segments") > 10, "{}", report["looked_at"]);

    push.finish().unwrap();
    platform.recording("live");
    let (code, report) = validate(&url, "5");
    assert_eq!(code, Some(0), "{}", told(&report));
    assert_eq!(report["mode"], "recording");

    let (code, report) = validate(&platform.url("/live/nobody/index.m3u8"), "5");
    assert_eq!(code, Some(2), "{report}");
}
