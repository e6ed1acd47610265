//! How long rewriting takes: `cargo run --release -p tidegate-rewrite --example rewrite_timing`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "a measurement reads the clock and prints")]

mod playlist;

use std::{fmt::Write as _, hint::black_box, time::Instant};

use tidegate_rewrite::{Filter, Place, Places, Rules, dash, hls};

fn media(segments: usize) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:1\n");
    for n in 0..segments {
        writeln!(text, "#EXTINF:6.00000,\nsegment_{n:08}.m4s").unwrap();
    }
    text
}

fn manifest() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\"?>\n<MPD type=\"dynamic\">\n  <Period id=\"1\">\n    <AdaptationSet contentType=\"video\">\n      <SegmentTemplate timescale=\"90000\" media=\"$RepresentationID$/$Time$.m4s\" initialization=\"$RepresentationID$/init.mp4\">\n        <SegmentTimeline>\n",
    );
    for n in 0..120 {
        writeln!(text, "          <S t=\"{}\" d=\"180180\"/>", n * 180_180).unwrap();
    }
    text += "        </SegmentTimeline>\n      </SegmentTemplate>\n";
    for n in 0..8 {
        writeln!(
            text,
            "      <Representation id=\"v{n}\" height=\"{}\" width=\"1280\" bandwidth=\"{}\" codecs=\"avc1.64001f\"/>",
            240 + n * 120,
            500_000 + n * 700_000
        )
        .unwrap();
    }
    text += "    </AdaptationSet>\n  </Period>\n</MPD>\n";
    text
}

/// The best and the median of many runs; on a busy machine only the best says something about the code.
fn time(what: &str, text: &str, run: impl Fn(&[u8]) -> Vec<u8>) {
    let out = run(text.as_bytes());
    let mut times: Vec<_> = (0..2001)
        .map(|_| {
            let start = Instant::now();
            black_box(run(black_box(text.as_bytes())));
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "{what:42} {:7} -> {:7} bytes  best {:8.1?}  p50 {:8.1?}  p95 {:8.1?}",
        text.len(),
        out.len(),
        times[0],
        times[1000],
        times[1900]
    );
}

fn main() {
    let place = |to: &str, query: &str, keeps_relative| Place {
        from: "https://o.example/".into(),
        to: to.into(),
        query: query.into(),
        keeps_relative,
    };
    let base = "https://o.example/live/index.m3u8".to_owned();
    let token = Places {
        base: base.clone(),
        playlists: vec![place("/", "tok=0123456789abcdef0123456789abcdef", true)],
        absolute: true,
        ..Places::default()
    };
    let moved =
        Places { base, media: vec![place("https://cdn.example/", "t=0123456789abcdef", false)], absolute: true, ..Places::default() };
    let filter = Rules { filter: Filter { max_height: Some(720), ..Filter::default() }, ..Rules::default() };
    let still = Rules::default();
    let (multivariant, short, long, manifest) = (playlist::multivariant(), media(10), media(3600), manifest());
    time("multivariant, nothing to do", &multivariant, |text| hls(text, &still, &Places::default(), None).unwrap());
    time("multivariant, parameters", &multivariant, |text| hls(text, &still, &token, None).unwrap());
    time("multivariant, filter and parameters", &multivariant, |text| hls(text, &filter, &token, None).unwrap());
    time("media, 10 segments, moved", &short, |text| hls(text, &still, &moved, None).unwrap());
    time("media, 3600 segments, nothing to do", &long, |text| hls(text, &still, &Places::default(), None).unwrap());
    time("media, 3600 segments, moved", &long, |text| hls(text, &still, &moved, None).unwrap());
    time("DASH, filter and moved", &manifest, |text| dash(text, &filter, &moved, None).unwrap());
}
