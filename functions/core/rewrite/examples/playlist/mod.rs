//! What rewriting is measured with, here and in `tests/wasi`.
use std::fmt::Write as _;

/// 20 variants, 7 renditions, 10 I-frame playlists: 7.4 kB.
pub(crate) fn multivariant() -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for n in 0..7 {
        let language = ["en", "de", "fr", "es", "it", "pt", "ja"][n];
        writeln!(text, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud{}\",NAME=\"Language {language}\",LANGUAGE=\"{language}\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio/{language}/stereo-128k/packaged/playlist.m3u8\"", n % 2).unwrap();
    }
    for n in 0..20 {
        let (bps, height) = (400_000 + n * 450_000, 216 + n * 54);
        writeln!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bps},AVERAGE-BANDWIDTH={},CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION={}x{height},FRAME-RATE=29.970,AUDIO=\"aud{}\",CLOSED-CAPTIONS=NONE,VIDEO-RANGE=SDR", bps * 9 / 10, height * 16 / 9, n % 2).unwrap();
        writeln!(text, "video/{height}p/{bps}/main-rendition-cmaf/playlist.m3u8").unwrap();
    }
    for n in 0..10 {
        let height = 216 + n * 108;
        writeln!(text, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"avc1.64001f\",RESOLUTION={}x{height},URI=\"video/{height}p/trick-play/iframes-only.m3u8\"", 60_000 + n * 40_000, 50_000 + n * 38_000, height * 16 / 9).unwrap();
    }
    text
}
