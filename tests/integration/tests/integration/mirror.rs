//! Two buckets: the second has what the first has confirmed, plays by itself, and stands in for media where the first is away.

use tidegate_integration::{Embedded, Flaky, Trouble, ffmpeg, platform::Platform};

const SECONDS: usize = 8;
const SOURCE: [&str; 13] =
    ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-t", "8", "-c:v", "libx264", "-preset", "ultrafast", "-g", "60"];

#[test]
fn a_second_bucket_plays_by_itself_and_gives_media_where_the_first_is_away() {
    let (first, second) = (Embedded::start(), Embedded::start());
    let flaky = Flaky::before(&first.s3);
    let platform = Platform::mirrored(flaky.s3.clone(), second.s3.clone());
    platform.push("twice", &SOURCE).finish().unwrap();
    let session = platform.recording("twice");
    assert_eq!(ffmpeg::decoded_frames(&format!("{}/live/twice/index.m3u8", second.s3.bucket_url())), SECONDS * 30);

    let playlist = platform.viewer().get(&session.media[0]).unwrap().text();
    let last = playlist.lines().rev().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap();
    let folder = session.media[0].rsplit_once('/').unwrap().0;
    flaky.set("", Trouble::Busy);
    let answer = platform.viewer().get(&format!("{folder}/{last}")).unwrap();
    assert_eq!((answer.status, answer.body.is_empty()), (200, false), "{last}");
    assert!(flaky.troubled() > 0, "nobody asked the first");
    flaky.set("", Trouble::None);
}
