//! What strangers send: odd requests to the edge, garbage to the RTMP port. Nobody else may notice.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use tidegate_integration::{
    ffmpeg,
    http::Client,
    platform::Platform,
    process,
    publisher::{Publisher, Style, closed_within, read_flv},
};

const SOURCE: [&str; 21] = [
    "-re",
    "-f",
    "lavfi",
    "-i",
    "testsrc2=s=320x180:r=30",
    "-f",
    "lavfi",
    "-i",
    "sine=r=48000",
    "-t",
    "40",
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-tune",
    "zerolatency",
    "-g",
    "60",
    "-c:a",
    "aac",
];

#[test]
fn odd_requests_get_a_clear_no_and_never_a_server_error() {
    let platform = Platform::start(|_| {});
    let push = platform.push("live", &SOURCE);
    let session = platform.session("live");
    let media = &session.media[0];
    platform.until(media, "a part", |answer| answer.text().contains("#EXT-X-PART:"));
    let folder = media.rsplit_once('/').unwrap().0;

    let far = format!("{media}?_HLS_msn=999999999999");
    let paths = [
        "/live",
        "/live/",
        "/live//",
        "/live/live",
        "/live/live/",
        "/live/../../etc/passwd",
        "/live/%2e%2e/x",
        "/live/LIVE/index.m3u8",
        "/live/live/index.m3u8/",
        "/live/nobody/index.m3u8",
        "/live/live/00000000000000000000/source.m3u8",
        "/live/live/x/source.m3u8",
        "/%00",
        "/\u{e9}",
        "//",
        "/live/live/index.m3u8%00",
        "/meta/keys/x.json",
        "/live/live/current",
        "/favicon.ico",
    ];
    let below = [
        "nothing.m3u8",
        "source/0.0.0.m4s",
        "source/-1.m4s",
        "source/99999999999999999999999.m4s",
        "source/0.m4s.m4s",
        "head",
        "log/0000000000",
        "init/source/zz.mp4",
    ];
    let queries = [
        "_HLS_part=0",
        "_HLS_msn=",
        "_HLS_msn=-1",
        "_HLS_msn=x",
        "_HLS_msn=1e9",
        "_HLS_msn=18446744073709551616",
        "_HLS_msn=0&_HLS_msn=1",
        "_HLS_msn=0&_HLS_part=x",
        "_HLS_msn=0&_HLS_part=4294967296",
        "_HLS_skip=MAYBE",
        "%",
        "%ff=%fe",
        "&&&&",
        "=",
    ];
    let long = format!("/live/{}/index.m3u8", "a".repeat(3000));
    let all = paths
        .iter()
        .map(|path| (*path).to_owned())
        .chain(below.iter().map(|file| format!("{folder}/{file}")))
        .chain(queries.iter().map(|query| format!("{media}?{query}")))
        .chain([far, long]);
    for path in all {
        let status = status(platform.edge, "GET", &path, &[]);
        // Directives that mean nothing may be passed over, as any unknown query is.
        let fine = (400..500).contains(&status) || (status == 200 && path.contains('?'));
        assert!(fine, "GET {path} gave {status}");
    }
    for path in ["/live/nobody/index.m3u8", "/live/live/x/source.m3u8", "/meta/keys/x.json", "/live/live/current"] {
        assert_eq!(status(platform.edge, "GET", path, &[]), 404, "{path}");
    }
    assert_eq!(status(platform.edge, "GET", &format!("{media}?_HLS_part=0"), &[]), 400);
    assert_eq!(status(platform.edge, "GET", &format!("{media}?_HLS_msn=999999999"), &[]), 400);
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let status = status(platform.edge, method, media, &[]);
        assert!((400..500).contains(&status), "{method} gave {status}");
    }
    for range in [
        "bytes=",
        "bytes=5-2",
        "bytes=-0",
        "bytes=99999999999-",
        "bytes=a-b",
        "lines=1-2",
        "bytes=0-1,5-6,9-11",
        "bytes=18446744073709551615-",
    ] {
        let status = status(platform.edge, "GET", &format!("{folder}/source/0.0.m4s"), &[("range", range)]);
        assert!(status < 500, "range {range} gave {status}");
    }
    // And a viewer still gets what it asks for.
    assert_eq!(platform.viewer().get(media).unwrap().status, 200);
    push.kill();
}

/// The status of one request on a connection of its own; a closed connection counts as a clear no.
fn status(edge: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    Client::new(edge).request(method, path, headers).map_or(499, |answer| answer.status)
}

/// From the first byte of a connection to its end, where it does not publish: the worker gives it 5 s, and 1 s to read why.
const STRANGER_TIME_MAX: Duration = Duration::from_secs(8);
/// What 60 strangers and what they sent may add to the memory of everything that runs in this process.
const STRANGERS_BYTES_MAX: u64 = 48 << 20;
/// What one publisher with a key may add: RTMP messages of 16 MiB that never end, and what the heap keeps of them.
const PUBLISHER_BYTES_MAX: u64 = 64 << 20;

/// How much longer a stream has got.
struct Progress<'a> {
    platform: &'a Platform,
    path: String,
}

impl<'a> Progress<'a> {
    fn of(platform: &'a Platform, stream: &str) -> Self {
        let path = platform.session(stream).media[0].clone();
        let progress = Self { platform, path };
        platform.until(&progress.path, "parts", |answer| Self::parts(&answer.text()) > 2);
        progress
    }

    fn parts(text: &str) -> usize {
        text.matches("#EXT-X-PART:").count() + 4 * text.matches("#EXTINF:").count()
    }

    /// The next four parts come in time: 2 s of media within 4 s.
    fn assert_undisturbed(&self, by: &str) {
        let before = Self::parts(&self.platform.viewer().get(&self.path).unwrap().text());
        let begun = Instant::now();
        self.platform.until(&self.path, "more of the stream", |answer| Self::parts(&answer.text()) >= before + 4);
        assert!(begun.elapsed() < Duration::from_secs(4), "{by}: four parts took {:?}", begun.elapsed());
    }
}

#[test]
fn strangers_on_the_rtmp_port_cost_bounded_memory_and_time_and_no_other_stream() {
    let platform = Platform::start(|_| {});
    let push = platform.push("live", &SOURCE);
    let live = Progress::of(&platform, "live");

    let handshake = |socket: &mut TcpStream| {
        let mut hello = vec![0; 1537];
        hello[0] = 3;
        let _ = socket.write_all(&hello);
        let mut reply = vec![0; 3073];
        let _ = socket.read_exact(&mut reply);
        let _ = socket.write_all(&reply[1..1537]);
    };
    let connect = || {
        let socket = TcpStream::connect(platform.rtmp).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        socket
    };
    let before = process::memory(std::process::id());
    // Sockets that say nothing stay open while the others do their worst.
    let mut strangers: Vec<(&str, Instant, TcpStream)> = (0..20).map(|_| ("silence", Instant::now(), connect())).collect();
    for (name, bytes) in garbage() {
        for greets in [false, true] {
            let (begun, mut socket) = (Instant::now(), connect());
            if greets {
                handshake(&mut socket);
            }
            let _ = socket.write_all(&bytes);
            strangers.push((name, begun, socket));
        }
    }
    let (begun, mut half) = (Instant::now(), connect());
    let _ = half.write_all(&[3; 700]);
    strangers.push(("half a handshake", begun, half));
    let (begun, mut slow) = (Instant::now(), connect());
    for byte in [3; 50] {
        let _ = slow.write_all(&[byte]);
    }
    strangers.push(("one byte at a time", begun, slow));

    let grown = process::memory(std::process::id()).saturating_sub(before);
    println!("{} strangers: {} kB more", strangers.len(), grown >> 10);
    assert!(grown < STRANGERS_BYTES_MAX, "{} strangers cost {grown} bytes", strangers.len());
    live.assert_undisturbed("strangers");
    for (name, begun, mut socket) in strangers {
        let left = STRANGER_TIME_MAX.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        assert!(closed_within(&mut socket, left), "{name}: still open after {:?}", begun.elapsed());
    }
    // A publisher that behaves is still let in.
    let (_, key) = platform.admit("other");
    Publisher::connect(platform.rtmp, &key, Style::default()).unwrap().finish().unwrap();
    push.kill();
}

#[test]
fn a_publisher_with_a_key_that_misbehaves_is_bounded_too() {
    let platform = Platform::start(|config| {
        config.rtmp.silence_s = 3;
        config.rtmp.reconnect_window_s = 1;
    });
    let push = platform.push("live", &SOURCE);
    let live = Progress::of(&platform, "live");
    let before = process::memory(std::process::id());
    let mut held = Vec::new();
    for (at, (name, bytes)) in garbage().into_iter().enumerate() {
        let (_, key) = platform.admit(&format!("bad{at}"));
        let mut publisher = Publisher::connect(platform.rtmp, &key, Style::default()).unwrap();
        // A chunk as long as can be said, and more than the largest message in it.
        let _ = publisher.send_raw(&message(1, &0x7FFF_FFFF_u32.to_be_bytes()));
        let _ = publisher.send_raw(&bytes);
        let mut socket = publisher.into_socket();
        let _ = socket.set_write_timeout(Some(Duration::from_millis(500)));
        let _ = socket.write_all(&vec![7; 4 << 20]);
        held.push((name, Instant::now(), socket));
    }
    let grown = process::memory(std::process::id()).saturating_sub(before);
    println!("{} publishers with a key: {} kB more", held.len(), grown >> 10);
    assert!(grown < PUBLISHER_BYTES_MAX * held.len() as u64, "{grown} bytes");
    live.assert_undisturbed("publishers with a key");
    for (name, begun, mut socket) in held {
        let left = Duration::from_secs(12).saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        assert!(closed_within(&mut socket, left), "{name}: still open after {:?}", begun.elapsed());
    }
    push.kill();
}

#[test]
fn chunks_of_one_byte_are_rtmp_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.flv");
    let small =
        ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=30", "-t", "3", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-b:v", "100k"];
    ffmpeg::make(&file, &small);
    let platform = Platform::start(|_| {});
    let (_, key) = platform.admit("crumbs");
    let mut publisher = Publisher::connect(platform.rtmp, &key, Style { chunk_size: 1, ..Style::default() }).unwrap();
    publisher.play(&read_flv(&std::fs::read(&file).unwrap())).unwrap();
    publisher.finish().unwrap();
    platform.recording("crumbs");
    assert_eq!(ffmpeg::decoded_frames(&platform.url("/live/crumbs/index.m3u8")), 90);
}

/// Streams of bytes that have ended other servers.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let mut array = vec![2, 0, 7];
    array.extend_from_slice(b"connect");
    array.extend_from_slice(&[8, 0xFF, 0xFF, 0xFF, 0xFF]);
    let deep = [[2, 0, 7].as_slice(), b"connect", &[3, 0, 1, b'a'].repeat(5000)].concat();
    vec![
        ("zeros", vec![0; 100_000]),
        ("ones", vec![0xFF; 100_000]),
        ("an HTTP request", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100)),
        ("a chunk size of 2^31", message(1, &0x8000_0000_u32.to_be_bytes())),
        ("a chunk size of 0", message(1, &[0; 4])),
        ("an acknowledgement window of 0", message(5, &[0; 4])),
        ("an array of 2^32 elements", message(20, &array)),
        ("an object without an end", message(20, &deep)),
        ("a message of 16 MiB that never ends", [vec![3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0, 0], vec![1; 10_000]].concat()),
        (
            "many messages begun at once",
            (2..64).flat_map(|stream| [vec![stream, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0, 0], vec![0; 128]].concat()).collect(),
        ),
    ]
}

/// A message in one chunk.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![3, 0, 0, 0];
    out.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, 0, 0, 0, 0]);
    out.extend_from_slice(body);
    out
}
