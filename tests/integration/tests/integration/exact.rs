//! Two workers with a fresh ffmpeg for each GOP, of which one started later: they make the same bytes.

use std::{collections::BTreeMap, thread, time::Duration};

use tidegate_ingest_worker::{Config, Mode, Rung};
use tidegate_integration::{
    ffmpeg,
    platform::Platform,
    publisher::{Publisher, Style, Tag, TagKind, read_flv},
};
use tidegate_stream::RenditionId;

const GOPS: usize = 9;
/// The GOP that the second worker begins with.
const LATE_GOPS: usize = 3;

fn exact(config: &mut Config) {
    let rung = |name, height, bitrate_kbps| Rung { name: RenditionId::parse(name).unwrap(), height, bitrate_kbps };
    config.transcode.mode = Mode::Exact;
    config.ladder = vec![rung("medium", 240, 400), rung("low", 144, 150)];
    (config.package.segment_ms, config.package.part_ms) = (1000, 250);
}

/// The same source from a GOP on: what it says of itself first, then the rest.
fn from_gop(tags: &[Tag], gop: usize) -> Vec<Tag> {
    let is_config = |tag: &Tag| tag.kind == TagKind::Script || tag.body.get(1) == Some(&0);
    let is_key = |tag: &&Tag| tag.kind == TagKind::Video && tag.body.first() == Some(&0x17) && !is_config(tag);
    let begin = tags.iter().filter(is_key).nth(gop).unwrap().timestamp_ms;
    let configs = tags.iter().filter(|tag| is_config(tag)).map(|tag| Tag { timestamp_ms: begin, ..tag.clone() });
    configs.chain(tags.iter().filter(|tag| !is_config(tag) && tag.timestamp_ms >= begin).cloned()).collect()
}

/// What the samples of each segment of the source are, in every rung. Boxes around them name the worker's own clock and count.
fn segments(platform: &Platform) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let session = platform.recording("live");
    let mut viewer = platform.viewer();
    let mut samples: Vec<Vec<Vec<u8>>> = Vec::new();
    for path in &session.media {
        let text = viewer.get(path).unwrap().text();
        let folder = path.rsplit_once('/').unwrap().0;
        let uris = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        samples.push(uris.map(|uri| mdat(&viewer.get(&format!("{folder}/{uri}")).unwrap().body)).collect());
    }
    let (source, rungs) = samples.split_first().unwrap();
    source.iter().enumerate().map(|(at, bytes)| (bytes.clone(), rungs.iter().map(|rung| rung[at].clone()).collect())).collect()
}

fn mdat(mut media: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    while let Some((head, _)) = media.split_first_chunk::<8>() {
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (whole, rest) = media.split_at(len.clamp(8, media.len()));
        if &head[4..] == b"mdat" {
            found.extend_from_slice(&whole[8..]);
        }
        media = rest;
    }
    found
}

#[test]
fn two_workers_that_began_at_different_times_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("source.flv");
    let seconds = GOPS.to_string();
    let source = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30", "-t", &seconds, "-c:v", "libx264", "-preset", "ultrafast"];
    ffmpeg::make(&file, &[&source[..], &["-tune", "zerolatency", "-g", "30", "-b:v", "1500k", "-pix_fmt", "yuv420p"]].concat());
    let tags = read_flv(&std::fs::read(&file).unwrap());
    let workers = [(0, Platform::start(exact)), (LATE_GOPS, Platform::start(exact))];
    thread::scope(|scope| {
        for (gop, platform) in &workers {
            let tags = from_gop(&tags, *gop);
            scope.spawn(move || {
                let (_, key) = platform.admit("live");
                thread::sleep(Duration::from_secs(*gop as u64));
                let mut publisher = Publisher::connect(platform.rtmp, &key, Style::default()).unwrap();
                publisher.play(&tags).unwrap();
                publisher.finish().unwrap();
            });
        }
    });
    let [first, second] = workers.each_ref().map(|(_, platform)| segments(platform));
    assert_eq!((first.len(), second.len()), (GOPS, GOPS - LATE_GOPS));
    let mut same = 0;
    for (source, rungs) in &second {
        let of_first = first.get(source).expect("the source is passed through as it is");
        assert!(rungs.iter().all(|rung| !rung.is_empty()), "a rung has a gap");
        assert!(of_first == rungs, "a GOP was encoded to other bytes");
        same += rungs.len();
    }
    println!("{same} of {} segments of rungs are the same bytes", second.len() * 2);
    assert_eq!(same, (GOPS - LATE_GOPS) * 2);
}
