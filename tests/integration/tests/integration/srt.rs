//! An encoder that calls over SRT: the real worker, a real ffmpeg on either side.

use std::{
    net::{SocketAddr, UdpSocket},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tidegate_integration::{Child, Embedded, ffmpeg, http::Client, platform::target};

const PASSPHRASE: &str = "correct-horse-battery";
/// Of media; the worker takes it at its pace.
const SECONDS: &str = "9";
/// How long anything may take on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);

fn free_udp() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An encoder with H.264 and AAC in MPEG-TS, as OBS sends them.
fn encoder(port: u16, passphrase: Option<&str>) -> Command {
    let mut command = Command::new(ffmpeg::program());
    command.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"]);
    command.args(["-re", "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=48000", "-t", SECONDS]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac"]);
    command.args(["-f", "mpegts", "-mode", "caller"]);
    if let Some(passphrase) = passphrase {
        command.args(["-pbkeylen", "16", "-passphrase", passphrase]);
    }
    command.arg(format!("srt://127.0.0.1:{port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

struct Bucket(SocketAddr);

impl Bucket {
    fn get(&self, path: &str) -> Option<String> {
        let answer = Client::new(self.0).get(&format!("/tidegate/live/called/{path}")).unwrap();
        (answer.status == 200).then(|| answer.text())
    }

    fn until(&self, what: &str, path: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = self.get(path);
            if let Some(text) = text.as_deref().filter(|text| wanted(text)) {
                return text.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: {path}: {text:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn an_encoder_with_the_passphrase_publishes_over_srt_and_nobody_else() {
    let store = Embedded::start();
    let port = free_udp();
    let mut command = Command::new(target().join("debug/tidegate-ingest-worker"));
    command.args(["--listen", "127.0.0.1:0", "--endpoint", &store.s3.endpoint, "--bucket", &store.s3.bucket]);
    command.args(["--srt", &format!("called=127.0.0.1:{port}")]).env("TIDEGATE_SRT_PASSPHRASE", PASSPHRASE);
    command.env("AWS_ACCESS_KEY_ID", &store.s3.access_key).env("AWS_SECRET_ACCESS_KEY", &store.s3.secret_key);
    command.env("TIDEGATE_METRICS_LISTEN", "").env("TIDEGATE_FFMPEG", ffmpeg::program()).env("TIDEGATE_RTMP_RECONNECT_WINDOW_S", "3");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let _worker = Child::start(command).unwrap();
    let bucket = Bucket(store.addr);

    // The listener is there once nobody else can have its port; before, a caller is turned away by nobody.
    let begun = Instant::now();
    while UdpSocket::bind(("127.0.0.1", port)).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "the worker does not listen for SRT");
        std::thread::sleep(Duration::from_millis(100));
    }
    for passphrase in [Some("another-passphrase"), None] {
        let begun = Instant::now();
        let status = encoder(port, passphrase).status().unwrap();
        assert!(!status.success(), "{passphrase:?}: it was let in");
        assert!(begun.elapsed() < PATIENCE);
        assert_eq!(bucket.get("current"), None, "{passphrase:?}: a session began");
    }

    let begun = Instant::now();
    // The same until somebody listens: it takes as long as the worker takes to start.
    while !encoder(port, Some(PASSPHRASE)).status().unwrap().success() {
        assert!(begun.elapsed() < PATIENCE, "the encoder is not let in");
        std::thread::sleep(Duration::from_millis(500));
    }
    let multivariant = bucket.until("a playlist", "index.m3u8", |text| text.contains("#EXT-X-STREAM-INF"));
    assert!(multivariant.contains("avc1.") && multivariant.contains("mp4a.40.2"), "{multivariant}");
    let media = multivariant.lines().find(|line| line.ends_with("source.m3u8")).unwrap();
    let recording = bucket.until("the end", media, |text| text.contains("#EXT-X-ENDLIST"));
    let length: f64 = recording.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next()?.parse::<f64>().ok()).sum();
    assert!((8.0..9.5).contains(&length), "{length} s of {SECONDS}: {recording}");
}
