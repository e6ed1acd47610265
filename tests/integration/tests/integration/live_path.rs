//! From a push over RTMP to what a viewer gets, through every real part.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use tidegate_integration::{
    ffmpeg::{self, Push},
    http::Client,
    platform::Platform,
    publisher::{PublishError, Publisher, Style, read_flv},
    skip,
};

/// A source: what makes it, and which tracks it has.
struct Source {
    name: &'static str,
    arguments: &'static [&'static str],
    video: bool,
    audio: bool,
}

const PICTURE: [&str; 8] = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p"];
const SOUND: [&str; 4] = ["-c:a", "aac", "-b:a", "64k"];

const SOURCES: &[Source] = &[
    Source {
        name: "film24",
        arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24", "-f", "lavfi", "-i", "sine=r=48000", "-t", "7"],
        video: true,
        audio: true,
    },
    Source {
        name: "pal25",
        arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i", "sine=r=44100", "-t", "7"],
        video: true,
        audio: true,
    },
    Source {
        name: "ntsc2997",
        arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30000/1001", "-f", "lavfi", "-i", "sine=r=48000", "-t", "7"],
        video: true,
        audio: true,
    },
    Source {
        name: "ntsc5994",
        arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=60000/1001", "-f", "lavfi", "-i", "sine=r=48000", "-t", "7"],
        video: true,
        audio: true,
    },
    Source {
        name: "bframes",
        arguments: &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=30",
            "-f",
            "lavfi",
            "-i",
            "sine=r=48000",
            "-t",
            "7",
            "-bf",
            "2",
            "-b_strategy",
            "0",
        ],
        video: true,
        audio: true,
    },
    Source { name: "silent", arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-t", "7"], video: true, audio: false },
    Source {
        name: "muted",
        arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "7"],
        video: true,
        audio: true,
    },
    Source {
        name: "vfr",
        // Frames of 30 fps of which every seventh and every eleventh is missing.
        arguments: &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=30",
            "-f",
            "lavfi",
            "-i",
            "sine=r=48000",
            "-t",
            "7",
            "-vf",
            "select='mod(n,7)*mod(n,11)'",
            "-fps_mode",
            "vfr",
            // 60 frames would be 2.6 s here, and a source whose segments are too long begins a new session.
            "-force_key_frames",
            "expr:gte(t,n_forced*2)",
        ],
        video: true,
        audio: true,
    },
    Source { name: "radio", arguments: &["-f", "lavfi", "-i", "sine=r=48000", "-t", "7"], video: false, audio: true },
    Source {
        name: "short",
        arguments: &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-f", "lavfi", "-i", "sine=r=48000", "-t", "0.7"],
        video: true,
        audio: true,
    },
];

fn file(folder: &Path, source: &Source) -> String {
    let path = folder.join(format!("{}.flv", source.name));
    let picture: &[&str] = if source.video { &PICTURE } else { &[] };
    let sound: &[&str] = if source.audio { &SOUND } else { &[] };
    // Where the arguments bring B-frames, `ultrafast` would not switch them off again.
    ffmpeg::make(&path, &[source.arguments, picture, sound].concat());
    path.to_str().unwrap().to_owned()
}

/// A second of source at 30 fps with sound, pushed at real pace for `seconds`.
fn live<'a>(seconds: &'a str, sound: &'a str) -> Vec<&'a str> {
    let picture = ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-f", "lavfi", "-i", sound, "-t", seconds];
    [&picture[..], &PICTURE, &["-tune", "zerolatency"], &SOUND].concat()
}

/// Publishers whose 32-bit milliseconds pass these values 3 s after they begin: there RTMP's chunk headers get an extension,
/// and there the timestamps begin at 0 again.
const CROSSINGS: [(&str, u32); 2] = [("past24bits", 0x00FF_FFFF - 3000), ("past32bits", u32::MAX - 3000)];

#[test]
fn every_frame_that_was_pushed_is_in_every_playlist() {
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::start(|_| {});
    let files: Vec<_> = SOURCES.iter().map(|source| file(folder.path(), source)).collect();
    let pushes: Vec<Push> =
        SOURCES.iter().zip(&files).map(|(source, file)| platform.push(source.name, &["-re", "-i", file, "-c", "copy"])).collect();
    // ffmpeg always begins at 0: the crossings have a publisher of our own.
    let with_b_frames = SOURCES.iter().position(|source| source.name == "bframes").unwrap();
    let tags = read_flv(&std::fs::read(&files[with_b_frames]).unwrap());
    std::thread::scope(|scope| {
        for (name, timestamp_offset) in CROSSINGS {
            let (_, key) = platform.admit(name);
            let style = Style { timestamp_offset, ..Style::default() };
            let (tags, rtmp) = (&tags, platform.rtmp);
            scope.spawn(move || {
                let mut publisher = Publisher::connect(rtmp, &key, style).unwrap();
                publisher.play(tags).unwrap();
                publisher.finish().unwrap();
            });
        }
    });
    for push in pushes {
        push.finish().unwrap();
    }
    let pushed = SOURCES.iter().zip(&files).map(|(source, file)| (source.name, source, file));
    let crossed = CROSSINGS.iter().map(|(name, _)| (*name, &SOURCES[with_b_frames], &files[with_b_frames]));
    for (name, source, file) in pushed.chain(crossed) {
        platform.recording(name);
        let playlist = format!("/live/{name}/index.m3u8");
        let addresses = [platform.url(&playlist), platform.bucket_url(&playlist)];
        let tracks = [("v:0", source.video), ("a:0", source.audio)];
        for (track, _) in tracks.iter().filter(|(_, there)| *there) {
            let pushed = ffmpeg::packets(file, track);
            for address in &addresses {
                compare(name, track, address, &pushed, &ffmpeg::packets(address, track));
            }
        }
        if source.video {
            let counted = addresses.each_ref().map(|address| ffmpeg::counted_frames(address));
            match ffmpeg::counted_frames(file) {
                None => skip("live_path: ffprobe -count_frames", "there is no ffprobe"),
                pushed => assert_eq!(counted, [pushed, pushed], "{name}: ffprobe -count_frames at edge and bucket"),
            }
        }
    }
}

/// The same frames in the same order; each at its own time, to the millisecond that FLV has.
fn compare(name: &str, track: &str, address: &str, pushed: &[ffmpeg::Packet], played: &[ffmpeg::Packet]) {
    let content = |packets: &[ffmpeg::Packet]| packets.iter().map(|packet| (packet.size, packet.checksum.clone())).collect::<Vec<_>>();
    assert_eq!(content(pushed).len(), content(played).len(), "{name} {track}: frames at {address}");
    assert!(content(pushed) == content(played), "{name} {track}: the frames at {address} are not those that were pushed");
    let (first, second) = (pushed[0].pts_ms, played[0].pts_ms);
    for (at, (a, b)) in pushed.iter().zip(played).enumerate() {
        let off = (b.pts_ms - second) - (a.pts_ms - first);
        assert!(off.abs() <= 2, "{name} {track}: frame {at} is {off} ms off at {address}");
    }
    let times: BTreeSet<i64> = played.iter().map(|packet| packet.pts_ms).collect();
    assert_eq!(times.len(), played.len(), "{name} {track}: two frames have one time at {address}");
}

#[test]
fn a_blocking_reload_is_answered_when_its_part_is_there() {
    let platform = Platform::start(|_| {});
    let push = platform.push("live", &live("12", "sine=r=48000"));
    let session = platform.session("live");
    let path = &session.media[0];
    let mut viewer = platform.viewer();
    let listed = platform.until(path, "a first part", |answer| answer.text().contains("#EXT-X-PART:")).text();
    let (mut msn, mut part) = next(&listed);
    let mut times = Vec::new();
    for _ in 0..10 {
        let begun = Instant::now();
        let answer = viewer.get(&format!("{path}?_HLS_msn={msn}&_HLS_part={part}")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (after_msn, after_part) = next(&answer.text());
        assert!((after_msn, after_part) > (msn, part), "part {msn}.{part} is not listed:\n{}", answer.text());
        times.push(begun.elapsed());
        (msn, part) = (after_msn, after_part);
    }
    // A part comes twice a second: a request that did not wait would be answered at once each time.
    let whole: Duration = times.iter().sum();
    assert!(whole > Duration::from_secs(3) && whole < Duration::from_secs(12), "{times:?}");
    push.kill();
}

/// The part after the last one that is listed: media sequence number and place.
fn next(playlist: &str) -> (u64, u32) {
    let first: u64 = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap_or("0").parse().unwrap();
    let closed = playlist.lines().filter(|line| line.starts_with("#EXTINF:")).count() as u64;
    let tail = playlist.rsplit("#EXTINF:").next().unwrap_or_default();
    let parts = tail.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count() as u32;
    (first + closed, parts)
}

#[test]
fn the_parts_of_a_segment_are_its_bytes() {
    let platform = Platform::start(|_| {});
    let push = platform.push("live", &live("10", "sine=r=48000"));
    let session = platform.session("live");
    let closed = |text: &str| text.lines().filter(|line| line.starts_with("#EXTINF:")).count() >= 2;
    let mut viewer = platform.viewer();
    for path in &session.media {
        let text = platform.until(path, "two closed segments", |answer| closed(&answer.text())).text();
        let folder = path.rsplit_once('/').unwrap().0;
        let mut parts = Vec::new();
        let mut compared = 0;
        for line in text.lines() {
            if let Some(part) = line.strip_prefix("#EXT-X-PART:") {
                let uri = part.split_once("URI=\"").unwrap().1.split_once('"').unwrap().0;
                parts.extend(get(&mut viewer, &format!("{folder}/{uri}")));
            } else if !line.starts_with('#') && !line.is_empty() {
                let segment = get(&mut viewer, &format!("{folder}/{line}"));
                assert!(segment == parts, "{line}: {} bytes in the segment, {} in its parts", segment.len(), parts.len());
                compared += 1;
                parts.clear();
            }
        }
        assert!(compared >= 2, "{text}");
    }
    push.kill();
}

fn get(viewer: &mut Client, path: &str) -> Vec<u8> {
    let answer = viewer.get(path).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.body
}

#[test]
fn a_ladder_is_aligned_and_ends_as_one() {
    let platform = Platform::start(|config| config.ladder = tidegate_ingest_worker::Config::default().ladder);
    let source = ["-re", "-f", "lavfi", "-i", "testsrc2=s=960x540:r=30", "-f", "lavfi", "-i", "sine=r=48000", "-t", "8"];
    let push = platform.push("live", &[&source[..], &PICTURE, &["-tune", "zerolatency"], &SOUND].concat());
    push.finish().unwrap();
    let session = platform.recording("live");
    // The source, three rungs (the highest as large as the source and not larger), and the sound.
    assert_eq!(session.media.len(), 5, "{}", session.multivariant);
    let mut durations = BTreeSet::new();
    for path in &session.media[..4] {
        let text = get(&mut platform.viewer(), path);
        let text = String::from_utf8(text).unwrap();
        durations.insert(text.lines().filter(|line| line.starts_with("#EXTINF:")).map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(ffmpeg::decoded_frames(&platform.url(path)), 240, "{path}");
    }
    assert_eq!(durations.len(), 1, "{durations:?}");
}

#[test]
fn a_wrong_key_is_refused_and_a_second_publisher_too() {
    let platform = Platform::start(|_| {});
    let (_, key) = platform.admit("live");
    let refused_in = |app: &'static str, key: &str| match Publisher::connect(platform.rtmp, key, Style { app, ..Style::default() }) {
        Err(PublishError::Refused(code)) => code,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a publisher with the key `{key}` was let in"),
    };
    let refused = |key: &str| refused_in("live", key);
    assert_eq!(refused_in("films", &key), "NetConnection.Connect.InvalidApp");
    assert!(refused("not-a-key").starts_with("NetStream.Publish."));
    assert!(refused("").starts_with("NetStream."));
    let first = Publisher::connect(platform.rtmp, &key, Style::default()).unwrap();
    assert!(refused(&key).starts_with("NetStream.Publish."));
    first.finish().unwrap();
}

#[test]
fn a_publisher_that_comes_back_goes_on_after_a_discontinuity() {
    let platform = Platform::start(|config| config.rtmp.reconnect_window_s = 20);
    let (address, _) = platform.admit("live");
    let first = Push::start(&live("30", "sine=r=48000"), &address);
    let path = platform.session("live").media[0].clone();
    let segments = |text: &str| text.lines().filter(|line| line.starts_with("#EXTINF:")).count();
    let before = platform.until(&path, "a closed segment", |answer| segments(&answer.text()) >= 1).text();
    first.kill();
    let second = Push::start(&live("6", "sine=r=48000"), &address);
    second.finish().unwrap();
    let after = platform.until(&path, "the end", |answer| answer.text().contains("#EXT-X-ENDLIST")).text();
    assert_eq!(after.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{after}");
    assert!(segments(&after) > segments(&before), "{after}");
}
