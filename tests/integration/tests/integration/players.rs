//! Players that others have written, on the edge's playlists and on those of the bucket alone.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tidegate_integration::{ffmpeg, platform::Platform, skip};

const SECONDS: usize = 8;
const FRAMES: usize = SECONDS * 30;

fn recording(platform: &Platform) -> [String; 2] {
    let source = ["-re", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=30", "-f", "lavfi", "-i", "sine=r=48000", "-t", "8"];
    let encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    platform.push("live", &[&source[..], &encoder].concat()).finish().unwrap();
    platform.recording("live");
    [platform.url("/live/live/index.m3u8"), platform.bucket_url("/live/live/index.m3u8")]
}

/// Runs a player with a bound, and returns what it printed.
fn play(program: &str, arguments: &[&str]) -> String {
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stdout, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{program} does not come to the end");
        }
        thread::sleep(Duration::from_millis(50));
    }
    reader.join().unwrap()
}

fn there(program: &str) -> bool {
    Command::new(program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn ffmpeg_ffprobe_and_gstreamer_play_every_frame() {
    let platform = Platform::start(|_| {});
    let addresses = recording(&platform);
    for address in &addresses {
        assert_eq!(ffmpeg::decoded_frames(address), FRAMES, "ffmpeg {address}");
    }
    for address in &addresses {
        match ffmpeg::counted_frames(address) {
            Some(frames) => assert_eq!(frames, FRAMES, "ffprobe {address}"),
            None => skip("players::ffprobe", "there is no ffprobe"),
        }
    }
    if there("gst-launch-1.0") {
        for address in &addresses {
            // Each decoded picture of the demuxer's output is one line of the identity element.
            let pipeline = [
                "-v",
                "-m",
                "souphttpsrc",
                &format!("location={address}"),
                "!",
                "hlsdemux",
                "!",
                "decodebin",
                "!",
                "video/x-raw",
                "!",
                "identity",
                "silent=false",
                "!",
                "fakesink",
                "sync=false",
            ];
            let said = play("gst-launch-1.0", &pipeline.map(str::to_owned).each_ref().map(String::as_str));
            let frames = said.lines().filter(|line| line.contains("last-message = chain")).count();
            assert_eq!(frames, FRAMES, "GStreamer {address}");
        }
    } else {
        skip("players::gstreamer", "there is no gst-launch-1.0");
    }
}
