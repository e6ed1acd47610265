//! Whatever a page, a server and a viewer do.

use proptest::prelude::*;
use tidegate_engine::{Config, Engine, Input, Output, Timing, Track};

fn playlist_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("#EXTM3U".to_owned()),
        Just("#EXT-X-ENDLIST".to_owned()),
        Just("#EXT-X-DISCONTINUITY".to_owned()),
        Just("#EXT-X-GAP".to_owned()),
        Just("http://x/a.m4s".to_owned()),
        (0u64..40).prop_map(|n| format!("{n}.m4s")),
        any::<u64>().prop_map(|n| format!("#EXT-X-MEDIA-SEQUENCE:{n}")),
        (0u32..9).prop_map(|n| format!("#EXT-X-TARGETDURATION:{n}")),
        (0u32..90).prop_map(|n| format!("#EXTINF:{}.{},", n / 10, n % 10)),
        any::<u32>().prop_map(|n| format!("#EXTINF:{n},")),
        (0u64..9).prop_map(|n| format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={n}")),
        (0u64..9).prop_map(|n| format!("#EXT-X-PART:DURATION=0.5,URI=\"{n}.0.m4s\",INDEPENDENT=YES")),
        (0u64..9).prop_map(|n| format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{n}.1.m4s\"")),
        Just("#EXT-X-PART-INF:PART-TARGET=0.5".to_owned()),
        Just("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,CAN-SKIP-UNTIL=12".to_owned()),
        Just("#EXT-X-MAP:URI=\"i.mp4\"".to_owned()),
        Just("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z".to_owned()),
        Just("#EXT-X-STREAM-INF:BANDWIDTH=5,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"".to_owned()),
        Just("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"audio.m3u8\"".to_owned()),
        ".{0,30}",
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}", lines.join("\n")))
}

#[derive(Clone, Debug)]
enum Step {
    Playlist(String),
    Media(Vec<u8>, u64, f64),
    Progress(u64, f64),
    Failed(u16),
    Element(f64, bool, bool),
    Buffered(Vec<(f64, f64)>),
    Appended(bool),
    Sought(f64),
    GoLive,
    Advised(f64, f64),
    Wait(f64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => playlist_text().prop_map(Step::Playlist),
        4 => (proptest::collection::vec(any::<u8>(), 0..80), any::<u64>(), any::<f64>()).prop_map(|(head, bytes, ms)| Step::Media(head, bytes, ms)),
        1 => prop_oneof![Just(0u16), Just(404), Just(503)].prop_map(Step::Failed),
        2 => (any::<f64>(), any::<bool>(), any::<bool>()).prop_map(|(time, waiting, paused)| Step::Element(time, waiting, paused)),
        1 => proptest::collection::vec((any::<f64>(), any::<f64>()), 0..4).prop_map(Step::Buffered),
        2 => (any::<u64>(), any::<f64>()).prop_map(|(bytes, ms)| Step::Progress(bytes, ms)),
        3 => any::<bool>().prop_map(Step::Appended),
        1 => any::<f64>().prop_map(Step::Sought),
        1 => Just(Step::GoLive),
        1 => (any::<f64>(), any::<f64>()).prop_map(|(expected, most)| Step::Advised(expected, most)),
        2 => (0.0..9_000.0).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_comes_nothing_panics_and_requests_stay_bounded(first in playlist_text(), steps in proptest::collection::vec(step(), 0..60)) {
        let mut engine = Engine::new(Config::default());
        let mut now_ms = 0.0;
        let (mut playlists, mut media) = (Vec::new(), Vec::new());
        engine.handle(now_ms, Input::Load { url: "http://x/index.m3u8".into() });
        let drain = |engine: &mut Engine, playlists: &mut Vec<u32>, media: &mut Vec<u32>| {
            let mut outputs = 0;
            while let Some(output) = engine.poll() {
                outputs += 1;
                assert!(outputs < 1000);
                match output {
                    Output::FetchPlaylist { id, .. } => playlists.push(id),
                    Output::FetchMedia { id, .. } => media.push(id),
                    Output::Drop { id } => {
                        playlists.retain(|own| *own != id);
                        media.retain(|own| *own != id);
                    }
                    Output::OpenTracks { .. } => engine.handle(0.0, Input::Opened),
                    _ => {}
                }
            }
        };
        drain(&mut engine, &mut playlists, &mut media);
        for step in core::iter::once(Step::Playlist(first)).chain(steps) {
            now_ms += 20.0;
            let input = match step {
                Step::Playlist(text) => match playlists.pop() {
                    Some(id) => Input::PlaylistLoaded { id, url: "http://x/a.m3u8".into(), text },
                    None => Input::Tick,
                },
                Step::Media(head, bytes, ms) => match media.pop() {
                    Some(id) => Input::MediaLoaded { id, bytes, head, timing: Timing { ttfb_ms: 0.0, total_ms: ms } },
                    None => Input::Tick,
                },
                Step::Progress(bytes, total_ms) => match media.last() {
                    Some(id) => Input::Progress { id: *id, bytes, total: None, timing: Timing { ttfb_ms: 1.0, total_ms } },
                    None => Input::Tick,
                },
                Step::Failed(status) => match media.pop().or_else(|| playlists.pop()) {
                    Some(id) => Input::Failed { id, status },
                    None => Input::Tick,
                },
                Step::Element(time_s, waiting, paused) => {
                    Input::Playhead(tidegate_engine::Playhead { time_s, waiting, paused, ..Default::default() })
                }
                Step::Buffered(ranges) => Input::Buffered { track: Track::Video, ranges },
                Step::Appended(video) => Input::Appended { track: if video { Track::Video } else { Track::Audio } },
                Step::Sought(to_s) => Input::Sought { to_s },
                Step::GoLive => Input::GoLive,
                Step::Advised(expected, most) => Input::Advised { expected_bps: Some(expected), most_bps: Some(most) },
                Step::Wait(ms) => {
                    now_ms += ms;
                    Input::Tick
                }
            };
            engine.handle(now_ms, input);
            drain(&mut engine, &mut playlists, &mut media);
            prop_assert!(playlists.len() + media.len() < 40);
        }
    }
}
