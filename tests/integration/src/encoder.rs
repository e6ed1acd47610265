//! One encoder that sends the same to every worker: over RTMP, as one MPEG-TS over SRT, or to each another way.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use crate::{
    ffmpeg,
    publisher::{Publisher, Style, Tag, TagKind, read_flv},
};

/// Sends until it is dropped, and connects again where a worker goes.
pub(crate) struct Encoder {
    stop: Arc<AtomicBool>,
    encodes: Vec<Child>,
    threads: Vec<JoinHandle<()>>,
}

/// A key frame every 2 s.
const CODECS: [&str; 16] = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-g",
    "60",
    "-keyint_min",
    "60",
    "-sc_threshold",
    "0",
    "-bf",
    "0",
    "-c:a",
    "aac",
    "-ar",
    "48000",
];
/// Of MPEG-TS in a packet of SRT: seven of 188 bytes.
const SRT_BYTES: usize = 1316;
/// What waits for a caller that is not through yet: about 20 s.
const SRT_PACKETS: usize = 2048;
/// What waits for a worker that is not there yet: about as long.
const TAGS: usize = 2048;

impl Encoder {
    /// Pushes an endless loop of the same tags to each address.
    pub(crate) fn rtmp(addresses: [SocketAddr; 2], key: &'static str, folder: &Path) -> Self {
        let flv = folder.join("source.flv");
        let input =
            ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=60", "-f", "lavfi", "-i", "sine=frequency=440:duration=60"];
        ffmpeg::make(&flv, &[input.as_slice(), CODECS.as_slice()].concat());
        let tags = Arc::new(read_flv(&fs::read(&flv).unwrap()));
        let (stop, began) = (Arc::<AtomicBool>::default(), Instant::now());
        let pusher = |address| {
            let (stop, tags) = (Arc::clone(&stop), Arc::clone(&tags));
            spawn(move || push(address, key, &tags, began, &stop))
        };
        let threads = addresses.map(pusher).into();
        Self { stop, encodes: Vec::new(), threads }
    }

    /// Encodes, and calls each port with the same packets, from wherever it is when somebody answers: seldom at a key frame.
    pub(crate) fn srt(ports: [u16; 2], passphrase: &'static str) -> Self {
        let mut command = quiet_ffmpeg();
        command.args(["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-re", "-f", "lavfi", "-i", "sine=frequency=440"]);
        command.args(CODECS).args(["-pix_fmt", "yuv420p", "-flush_packets", "1", "-f", "mpegts", "pipe:1"]);
        let mut encodes = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = encodes.stdout.take().unwrap();
        let (mut packets, mut threads) = (Vec::new(), Vec::new());
        for port in ports {
            let (sender, receiver) = sync_channel(SRT_PACKETS);
            packets.push(sender);
            threads.push(spawn(move || call(port, passphrase, &receiver)));
        }
        threads.push(spawn(move || duplicate(stdout, &packets)));
        Self { stop: Arc::default(), encodes: vec![encodes], threads }
    }

    /// Encodes once and sends it both ways, as OBS with two outputs does: to the first as it is over RTMP, to the second as MPEG-TS over SRT.
    pub(crate) fn both(address: SocketAddr, key: &'static str, port: u16, passphrase: &'static str) -> Self {
        let mut command = quiet_ffmpeg();
        command.args(["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-re", "-f", "lavfi", "-i", "sine=frequency=440"]);
        command.args(CODECS).args(["-pix_fmt", "yuv420p", "-flush_packets", "1", "-f", "flv", "pipe:1"]);
        let mut encodes = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut command = quiet_ffmpeg();
        command.args(["-fflags", "nobuffer", "-f", "flv", "-i", "pipe:0", "-c", "copy", "-flush_packets", "1", "-f", "mpegts", "pipe:1"]);
        let mut wraps = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut flv, mut to_wrap, wrapped) = (encodes.stdout.take().unwrap(), wraps.stdin.take().unwrap(), wraps.stdout.take().unwrap());
        let (sender, packets) = sync_channel(SRT_PACKETS);
        let (tags, pushed) = sync_channel(TAGS);
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let threads = vec![
            spawn(move || call(port, passphrase, &packets)),
            spawn(move || duplicate(wrapped, &[sender])),
            spawn(move || push_live(address, key, &pushed, &stopped)),
            spawn(move || {
                let mut bytes = vec![0; 13];
                if flv.read_exact(&mut bytes).is_err() || to_wrap.write_all(&bytes).is_err() {
                    return;
                }
                while let Some(tag) = next_tag(&mut flv, &mut bytes) {
                    let _ = tags.try_send(tag);
                    if to_wrap.write_all(&bytes[13..]).is_err() {
                        return;
                    }
                }
            }),
        ];
        Self { stop, encodes: vec![encodes, wraps], threads }
    }
}

/// One tag of a stream; `bytes` becomes a file with it alone.
fn next_tag(flv: &mut ChildStdout, bytes: &mut Vec<u8>) -> Option<Tag> {
    bytes.truncate(13);
    let mut head = [0; 11];
    flv.read_exact(&mut head).ok()?;
    bytes.extend_from_slice(&head);
    let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
    bytes.resize(13 + 11 + length + 4, 0);
    flv.read_exact(&mut bytes[13 + 11..]).ok()?;
    read_flv(bytes).pop()
}

/// Pushes tags as they come, from a key frame on, and connects again where it breaks.
fn push_live(address: SocketAddr, key: &str, tags: &Receiver<Tag>, stop: &AtomicBool) {
    let mut configs: Vec<Tag> = Vec::new();
    let mut connection: Option<(Publisher, Option<u32>)> = None;
    while let Ok(tag) = tags.recv() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if is_config(&tag) {
            configs.push(tag);
            continue;
        }
        if connection.is_none() && is_key(&tag) {
            connection = Publisher::connect(address, key, Style::default()).ok().map(|mut publisher| {
                let sent = configs.iter().all(|tag| publisher.send(&Tag { timestamp_ms: 0, ..tag.clone() }).is_ok());
                (publisher, sent.then_some(tag.timestamp_ms))
            });
        }
        let Some((publisher, Some(zero_ms))) = &mut connection else { continue };
        let stamped = Tag { timestamp_ms: tag.timestamp_ms.saturating_sub(*zero_ms), ..tag };
        if publisher.send(&stamped).is_err() {
            connection = None;
        }
    }
}

fn is_config(tag: &Tag) -> bool {
    tag.kind == TagKind::Script || tag.body.get(1) == Some(&0)
}

fn is_key(tag: &Tag) -> bool {
    tag.kind == TagKind::Video && tag.body.first().is_some_and(|byte| byte >> 4 == 1)
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for encodes in &mut self.encodes {
            let _ = encodes.kill();
            let _ = encodes.wait();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn quiet_ffmpeg() -> Command {
    let mut command = Command::new(ffmpeg::program());
    command.args(["-hide_banner", "-nostdin", "-loglevel", "quiet"]).stderr(Stdio::null());
    command
}

/// Gives every packet to every caller; to one that is stuck, none.
fn duplicate(mut stdout: ChildStdout, to: &[SyncSender<[u8; SRT_BYTES]>]) {
    let mut packet = [0; SRT_BYTES];
    while stdout.read_exact(&mut packet).is_ok() {
        for sender in to {
            let _ = sender.try_send(packet);
        }
    }
}

/// Calls a port, and again when that call is over.
fn call(port: u16, passphrase: &str, packets: &Receiver<[u8; SRT_BYTES]>) {
    let size = SRT_BYTES.to_string();
    let mut over = false;
    while !over {
        let mut command = quiet_ffmpeg();
        command.args(["-f", "data", "-raw_packet_size", &size, "-i", "pipe:0", "-map", "0", "-c", "copy", "-f", "data"]);
        command.args(["-mode", "caller", "-pkt_size", &size, "-pbkeylen", "16", "-passphrase", passphrase]);
        command.arg(format!("srt://127.0.0.1:{port}")).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut caller = command.spawn().unwrap();
        let mut stdin = caller.stdin.take().unwrap();
        // What came meanwhile would have been for the call before.
        while packets.try_recv().is_ok() {}
        over = loop {
            match packets.recv() {
                Ok(packet) if stdin.write_all(&packet).is_ok() => {}
                Ok(_) => break false,
                Err(_) => break true,
            }
        };
        let _ = caller.kill();
        let _ = caller.wait();
    }
}

/// Pushes an endless loop of tags to one worker, at their own pace, and connects again where it breaks.
fn push(address: SocketAddr, key: &str, tags: &[Tag], began: Instant, stop: &AtomicBool) {
    let length_ms = u64::from(tags.last().map_or(0, |tag| tag.timestamp_ms)) + 33;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut publisher) = Publisher::connect(address, key, Style::default()) else {
            sleep(Duration::from_millis(200));
            continue;
        };
        for tag in tags.iter().filter(|tag| is_config(tag)) {
            let _ = publisher.send(&Tag { timestamp_ms: 0, ..tag.clone() });
        }
        let mut zero: Option<u64> = None;
        let from_ms = began.elapsed().as_millis() as u64;
        let mut round = from_ms / length_ms;
        'rounds: loop {
            for tag in tags.iter().filter(|tag| !is_config(tag)) {
                let at_ms = round * length_ms + u64::from(tag.timestamp_ms);
                if at_ms < from_ms || (zero.is_none() && !is_key(tag)) {
                    continue;
                }
                let zero = *zero.get_or_insert(at_ms);
                let due = began + Duration::from_millis(at_ms);
                sleep(due.saturating_duration_since(Instant::now()));
                let stamped = Tag { timestamp_ms: (at_ms - zero) as u32, ..tag.clone() };
                if stop.load(Ordering::Relaxed) || publisher.send(&stamped).is_err() {
                    break 'rounds;
                }
            }
            round += 1;
        }
    }
}
