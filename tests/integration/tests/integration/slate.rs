//! What viewers see while an encoder is away: a slate, in the same session, until it is back.

use std::path::Path;

use tidegate_ingest_worker::Rung;
use tidegate_integration::{
    ffmpeg,
    platform::{Platform, Session},
    publisher::{Publisher, Style, Tag, read_flv},
};
use tidegate_stream::RenditionId;

const RED: &[&str] = &["-f", "lavfi", "-i", "color=red:s=640x360", "-frames:v", "1"];

#[test]
fn viewers_see_the_slate_while_the_encoder_is_away_and_the_source_again_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, clip) = (folder.path().join("soon back.png"), folder.path().join("source.flv"));
    ffmpeg::run(&[RED, &[picture.to_str().unwrap()]].concat());
    let input = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-f", "lavfi", "-i", "sine=r=48000", "-t", "4"];
    ffmpeg::make(&clip, &[&input[..], &["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-bf", "0", "-c:a", "aac"]].concat());
    let tags = read_flv(&std::fs::read(&clip).unwrap());
    let platform = Platform::start(|config| {
        config.slate.file = picture.clone();
        config.rtmp.reconnect_window_s = 60;
        config.ladder = vec![Rung { name: RenditionId::parse("low").unwrap(), height: 90, bitrate_kbps: 100 }];
    });
    let (_, key) = platform.admit("live");
    publish(&platform, &key, &tags, false);
    let session = platform.session("live");
    let video = &session.media[0];
    platform.until(video, "the slate", |answer| answer.text().contains("com.tidegate.slate"));
    // Of that two whole segments.
    let is_on = |text: &str| text.split("#EXT-X-DISCONTINUITY\n").nth(1).is_some_and(|slate| slate.matches("#EXTINF:").count() >= 2);
    platform.until(video, "the slate goes on", |answer| is_on(&answer.text()));
    publish(&platform, &key, &tags, true);

    let recording = platform.recording("live");
    assert_eq!(recording.media, session.media, "it is one session");
    for path in &recording.media {
        let text = platform.viewer().get(path).unwrap().text();
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 2, "the source, the slate, the source: {path}\n{text}");
        assert!(!text.contains("#EXT-X-GAP"), "{path}\n{text}");
    }
    let (source, rung) = (colours(&platform, &recording, 0), colours(&platform, &recording, 1));
    for [before, slate, after] in [source, rung] {
        let is_red = |[red, green, blue]: [u8; 3]| red > 180 && green < 60 && blue < 60;
        assert!(is_red(slate) && !is_red(before) && !is_red(after), "{before:?}, {slate:?}, {after:?}");
    }
}

/// Pushes a clip at its own pace, and says that it is over or breaks off.
fn publish(platform: &Platform, key: &str, tags: &[Tag], finish: bool) {
    let mut publisher = Publisher::connect(platform.rtmp, key, Style::default()).unwrap();
    publisher.play(tags).unwrap();
    if finish {
        publisher.finish().unwrap();
    }
}

/// The colour of the first picture of each period, on the whole.
fn colours(platform: &Platform, session: &Session, media: usize) -> [[u8; 3]; 3] {
    let path = &session.media[media];
    let base = path.rsplit_once('/').unwrap().0;
    let text = platform.viewer().get(path).unwrap().text();
    let get = |uri: &str| platform.viewer().get(&format!("{base}/{uri}")).unwrap().body;
    let folder = tempfile::tempdir().unwrap();
    let mut map = String::new();
    let colours: Vec<[u8; 3]> = text
        .split("#EXT-X-DISCONTINUITY\n")
        .map(|period| {
            let of_map = period.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.split_once('"'));
            map = of_map.map_or_else(|| map.clone(), |(uri, _)| uri.to_owned());
            let segment = period.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
            let file = folder.path().join("segment.mp4");
            std::fs::write(&file, [get(&map), get(segment)].concat()).unwrap();
            colour(&file)
        })
        .collect();
    colours.try_into().expect("three periods")
}

fn colour(file: &Path) -> [u8; 3] {
    let file = file.to_str().unwrap();
    let pixel = ffmpeg::run(&["-i", file, "-vf", "scale=1:1:flags=area", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    pixel.try_into().expect("one pixel")
}
