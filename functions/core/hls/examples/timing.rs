//! How long rendering and reading take: `cargo run --release -p tidegate-hls --example timing`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "a measurement reads the clock and prints")]

use std::{hint::black_box, time::Instant};

use tidegate_hls::{InitSizes, MultivariantOptions, Reach, Skip, View, i_frames, media, multivariant, read, static_media};
use tidegate_stream::{
    AsOf, ConfigHash, Hash, Msn, PartIndex, PartRecord, Period, Record, RecordBody, RecordNumber, Rendition, RenditionId, RenditionKind,
    Session, SessionId, StreamId, Timeline, Track, TrackKind, TrackPart, WriterId,
};

const PARTS: u64 = 4;
const SEGMENTS: u64 = 3700;

/// A window of two hours: 3600 segments of 2 s, four video renditions and one of audio.
fn timeline() -> Timeline {
    let renditions = ["source", "high", "medium", "low", "audio"].map(|id| Rendition {
        id: RenditionId::parse(id).unwrap(),
        kind: if id == "audio" { RenditionKind::Audio } else { RenditionKind::Video },
        part_target_us: 500_000,
    });
    let session = Session {
        stream: StreamId::parse("demo").unwrap(),
        id: SessionId::new(1_790_000_000_000, 7),
        target_duration_s: 2,
        dvr_window_s: 7200,
        renditions: renditions.into(),
    };
    let video = || Track {
        init: ConfigHash([1; 8]),
        codec: "avc1.64001f".to_owned(),
        timescale: 90_000,
        bandwidth_bps: 3_000_000,
        kind: TrackKind::Video { width: 1280, height: 720, frame_rate: None },
    };
    let period = Period { index: 0, utc_us: 1_790_000_000_000_000, start_us: 0, first_msn: Msn(0), tracks: vec![Some(video()); 5] };
    let mut timeline = Timeline::new(session);
    for n in 0..PARTS * SEGMENTS + 2 {
        let track = TrackPart {
            len: 100_000,
            start: n * 45_045,
            duration: 45_045,
            independent: n % PARTS == 0,
            key_len: u32::from(n % PARTS == 0) * 30_000,
        };
        let body = RecordBody::Part(PartRecord {
            msn: Msn(n / PARTS),
            part: PartIndex((n % PARTS) as u32),
            utc_us: 1_790_000_000_000_000 + n as i64 * 500_500,
            opens: (n == 0).then(|| period.clone()),
            events: Vec::new(),
            tracks: vec![track; 5],
        });
        timeline.apply(&Record { number: RecordNumber(n), previous: Hash::ZERO, writer: WriterId(1), body }, 100, None).unwrap();
    }
    timeline
}

/// The best and the median of many runs; on a busy machine only the best says something about the code.
fn time<T>(what: &str, bytes: usize, run: impl Fn() -> T) {
    let mut times: Vec<_> = (0..501)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{what:24} {bytes:7} bytes  best {:8.1?}  p50 {:8.1?}  p95 {:8.1?}", times[0], times[250], times[475]);
}

fn main() {
    let timeline = timeline();
    let as_of = AsOf::Part(timeline.last().unwrap());
    let whole = View { rendition: 0, as_of, skip: None, clip: None, reach: Reach::Blocking };
    let skip = View { skip: Some(Skip::Segments), ..whole };
    let full = media(&timeline, &whole);
    let delta = media(&timeline, &skip);
    println!("{} segments", full.matches("#EXTINF").count());
    time("media, 2 h", full.len(), || media(&timeline, &whole));
    let audio = View { rendition: 4, ..whole };
    time("media, 2 h, audio", media(&timeline, &audio).len(), || media(&timeline, &audio));
    time("media, 2 h, delta", delta.len(), || media(&timeline, &skip));
    time("i-frames, 2 h", i_frames(&timeline, &whole).len(), || i_frames(&timeline, &whole));
    let inits = timeline.periods().iter().flat_map(|period| period.tracks.iter().flatten());
    let sizes: InitSizes = inits.map(|track| (track.init, 700)).collect();
    time("static media, 2 h", static_media(&timeline, 0, &sizes).len(), || static_media(&timeline, 0, &sizes));
    let options = MultivariantOptions::default();
    time("multivariant", multivariant(&timeline, &options).len(), || multivariant(&timeline, &options));
    time("read media, 2 h", full.len(), || read::parse(&full));
    time("read delta", delta.len(), || read::parse(&delta));
}
