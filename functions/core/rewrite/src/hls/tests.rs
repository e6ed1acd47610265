use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use proptest::prelude::*;

use crate::{Ads, Error, Filter, Interstitial, Place, Places, Rules, Start, SteeringTag, hls as rewrite};

fn run(text: &str, rules: &Rules, places: &Places) -> String {
    String::from_utf8(rewrite(text.as_bytes(), rules, places, None).unwrap()).unwrap()
}

fn ruled(text: &str, rules: &Rules) -> String {
    run(text, rules, &Places::default())
}

/// Everything moves: playlists to the edge, media to a CDN with a parameter, the rest stays where it is.
fn moving() -> Places {
    let place =
        |to: &str, query: &str| Place { from: "https://o.example/live/".into(), to: to.into(), query: query.into(), keeps_relative: false };
    Places {
        base: "https://o.example/live/a/index.m3u8?user=bob&b%20c=d%2Fe".into(),
        playlists: vec![place("/edge/", "")],
        media: vec![place("https://cdn.example/", "t=1")],
        others: Vec::new(),
        absolute: true,
    }
}

const MULTIVARIANT: &str = "#EXTM3U\n\
#EXT-X-VERSION:7\n\
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English, spoken\",LANGUAGE=\"en\",DEFAULT=YES,URI=\"audio/en.m3u8\"\n\
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Deutsch\",LANGUAGE=\"de\",URI=\"audio/de.m3u8\"\n\
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"Deutsch\",LANGUAGE=\"de\",URI=\"subs/de.m3u8\"\n\
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\n\
low.m3u8\n\
#EXT-X-STREAM-INF:BANDWIDTH=6000000,RESOLUTION=1920x1080,CODECS=\"avc1.640028,mp4a.40.2\",AUDIO=\"a\"\n\
# a comment\n\
high.m3u8\n\
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,CODECS=\"hvc1.1.6.L93,mp4a.40.2\",AUDIO=\"a\"\n\
mid.m3u8\n\
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,RESOLUTION=1920x1080,URI=\"iframe.m3u8\"";

#[test]
fn variants_outside_the_filter_go_with_their_address() {
    let rules = Rules { filter: Filter { max_height: Some(720), ..Filter::default() }, ..Rules::default() };
    let out = ruled(MULTIVARIANT, &rules);
    assert!(!out.contains("1920x1080") && !out.contains("high.m3u8") && !out.contains("iframe.m3u8"));
    assert!(out.contains("# a comment\n") && out.contains("low.m3u8\n") && out.ends_with("mid.m3u8"));
    let rules = Rules { filter: Filter { codecs: vec!["avc1".into(), "mp4a".into()], ..Filter::default() }, ..Rules::default() };
    let out = ruled(MULTIVARIANT, &rules);
    assert!(!out.contains("hvc1") && !out.contains("mid.m3u8") && out.contains("high.m3u8"));
    let rules = Rules { filter: Filter { max_bps: Some(1), ..Filter::default() }, ..Rules::default() };
    assert_eq!(rewrite(MULTIVARIANT.as_bytes(), &rules, &Places::default(), None), Err(Error::NothingLeft));
}

#[test]
fn a_group_keeps_its_last_languages() {
    let rules = Rules { filter: Filter { languages: vec!["en".into()], ..Filter::default() }, ..Rules::default() };
    let out = ruled(MULTIVARIANT, &rules);
    assert!(!out.contains("audio/de.m3u8"));
    assert!(out.contains("subs/de.m3u8"), "the only subtitles stay");
}

#[test]
fn the_start_rung_comes_first_and_the_rest_keeps_its_order() {
    let rules = Rules { start: Some(Start { max_height: Some(720), max_bps: None }), ..Rules::default() };
    let out = ruled(MULTIVARIANT, &rules);
    let at = |name: &str| out.find(name).unwrap();
    assert!(at("mid.m3u8") < at("low.m3u8") && at("low.m3u8") < at("high.m3u8"));
    let mut lines: Vec<_> = out.lines().collect();
    let mut expected: Vec<_> = MULTIVARIANT.lines().collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let rules = Rules { start: Some(Start { max_height: None, max_bps: Some(1) }), ..Rules::default() };
    assert_eq!(ruled(MULTIVARIANT, &rules), MULTIVARIANT, "the smallest is first already");
}

#[test]
fn a_variant_that_moves_from_an_end_without_line_break_gets_one() {
    let text = "#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\na\r\n#EXT-X-STREAM-INF:BANDWIDTH=9\r\nb";
    let rules = Rules { start: Some(Start::default()), ..Rules::default() };
    assert_eq!(ruled(text, &rules), "#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=9\r\nb\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\na");
}

#[test]
fn every_tag_with_an_address_is_covered() {
    let text = "\u{feff}#EXTM3U\r\n\
#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a.m3u8\"\r\n\
#EXT-X-I-FRAME-STREAM-INF:URI=\"i.m3u8\" ,BANDWIDTH=1\r\n\
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"k\"\r\n\
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\"\r\n\
#EXT-X-SESSION-DATA:DATA-ID=\"x\",URI=\"d.json\"\r\n\
#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s.json\"\r\n\
#EXT-X-STREAM-INF:BANDWIDTH=1\r\n\
\r\n\
  v.m3u8  \r\n";
    let expected = "\u{feff}#EXTM3U\r\n\
#EXT-X-MEDIA:TYPE=AUDIO,URI=\"/edge/a/a.m3u8\"\r\n\
#EXT-X-I-FRAME-STREAM-INF:URI=\"/edge/a/i.m3u8\" ,BANDWIDTH=1\r\n\
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"https://o.example/live/a/k\"\r\n\
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\"\r\n\
#EXT-X-SESSION-DATA:DATA-ID=\"x\",URI=\"https://o.example/live/a/d.json\"\r\n\
#EXT-X-CONTENT-STEERING:SERVER-URI=\"https://o.example/s.json\"\r\n\
#EXT-X-STREAM-INF:BANDWIDTH=1\r\n\
\r\n\
  /edge/a/v.m3u8  \r\n";
    assert_eq!(run(text, &Rules::default(), &moving()), expected);
    let text = "#EXTM3U\n\
#EXT-X-TARGETDURATION:4\n\
#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n\
#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"1@2\"\n\
#EXT-X-DATERANGE:ID=\"1\",X-ASSET-URI=\"https://ads.example/1.m3u8\",X-ASSET-LIST=\"list.json\"\n\
#EXT-X-PART:DURATION=1,URI=\"p.mp4\"\n\
#EXTINF:4,http://not.an/address\n\
s.ts?a=b\n\
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"h.mp4\"\n\
#EXT-X-RENDITION-REPORT:URI=\"../b/x.m3u8\",LAST-MSN=1";
    let expected = "#EXTM3U\n\
#EXT-X-TARGETDURATION:4\n\
#EXT-X-KEY:METHOD=AES-128,URI=\"https://o.example/live/a/k\"\n\
#EXT-X-MAP:URI=\"https://cdn.example/a/init.mp4?t=1\",BYTERANGE=\"1@2\"\n\
#EXT-X-DATERANGE:ID=\"1\",X-ASSET-URI=\"https://ads.example/1.m3u8\",X-ASSET-LIST=\"https://o.example/live/a/list.json\"\n\
#EXT-X-PART:DURATION=1,URI=\"https://cdn.example/a/p.mp4?t=1\"\n\
#EXTINF:4,http://not.an/address\n\
https://cdn.example/a/s.ts?a=b&t=1\n\
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"https://cdn.example/a/h.mp4?t=1\"\n\
#EXT-X-RENDITION-REPORT:URI=\"/edge/b/x.m3u8\",LAST-MSN=1";
    assert_eq!(run(text, &Rules::default(), &moving()), expected);
}

#[test]
fn variables_are_put_in_and_unknown_ones_stay() {
    let text = "#EXTM3U\n\
#EXT-X-DEFINE:NAME=\"host\",VALUE=\"https://o.example/live\"\n\
#EXT-X-DEFINE:QUERYPARAM=\"user\"\n\
#EXT-X-DEFINE:IMPORT=\"later\"\n\
#EXTINF:4,\n\
{$host}/{$user}.ts\n\
#EXTINF:4,\n\
{$later}/1.ts\n\
#EXTINF:4,\n\
{$host/1.ts\n";
    let out = run(text, &Rules::default(), &moving());
    assert!(out.contains("\nhttps://cdn.example/bob.ts?t=1\n"));
    assert!(out.contains("\n{$later}/1.ts\n") && out.contains("\n{$host/1.ts\n"));
    assert!(out.starts_with(text.split_once("{$host}").unwrap().0));
}

#[test]
fn steering_takes_the_place_of_what_is_there() {
    let tag = SteeringTag { server_uri: "/steering/x".into(), pathway: "a".into(), bases: Vec::new() };
    let text = "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"old\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"b\"\nw\n";
    let out = String::from_utf8(rewrite(text.as_bytes(), &Rules::default(), &Places::default(), Some(&tag)).unwrap()).unwrap();
    let expected = "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steering/x\",PATHWAY-ID=\"a\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"a\"\nv\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"b\"\nw\n";
    assert_eq!(out, expected);
    let media = "#EXTM3U\n#EXTINF:1,\na\n";
    assert_eq!(rewrite(media.as_bytes(), &Rules::default(), &Places::default(), Some(&tag)).unwrap(), media.as_bytes());
}

fn live() -> String {
    let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n\
#EXT-X-DATERANGE:ID=\"break 1\",START-DATE=\"2026-11-25T20:00:07.9Z\",PLANNED-DURATION=8,SCTE35-OUT=0xFC\n\
#EXT-X-PROGRAM-DATE-TIME:2026-11-25T20:00:00Z\n"
        .to_string();
    for n in 0..6 {
        text += &format!("#EXTINF:4.00000,\n{n}.ts\n");
    }
    text
}

#[test]
fn breaks_become_cues_at_the_nearest_segments() {
    let rules = Rules { ads: Ads { cues: true, asset_list: None }, ..Rules::default() };
    let out = ruled(&live(), &rules);
    let before = |name: &str| out.split_once(&format!("\n{name}")).unwrap().0.lines().rev().nth(1).unwrap().to_string();
    assert_eq!(before("2.ts"), "#EXT-X-CUE-OUT:DURATION=8.000");
    assert_eq!(before("3.ts"), "#EXT-X-CUE-OUT-CONT:ElapsedTime=4.100,Duration=8.000");
    assert_eq!(before("4.ts"), "#EXT-X-CUE-IN");
    assert_eq!(out.matches("CUE").count(), 3);
    let without: String = out.lines().filter(|line| !line.contains("CUE")).map(|line| format!("{line}\n")).collect();
    assert_eq!(without, live());
    let slid = live().replace("T20:00:00Z", "T20:00:12Z");
    assert!(ruled(&slid, &rules).contains("#EXT-X-CUE-OUT-CONT:ElapsedTime=4.100,Duration=8.000\n#EXTINF:4.00000,\n0.ts"));
    assert_eq!(ruled(&out, &rules), out, "a playlist with cues keeps its own");
}

#[test]
fn breaks_become_interstitials_beside_their_date_range() {
    let list = "https://ads.example/?id={id}&d={duration}";
    let rules = Rules { ads: Ads { asset_list: Some(list.into()), cues: false }, ..Rules::default() };
    let out = ruled(&live(), &rules);
    let expected = "SCTE35-OUT=0xFC\n#EXT-X-DATERANGE:ID=\"break 1-break\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2026-11-25T20:00:07.900Z\",DURATION=8.000,X-ASSET-LIST=\"https://ads.example/?id=break%201&d=8.000\"\n";
    assert!(out.contains(expected), "{out}");
}

#[test]
fn interstitials_go_before_the_first_segment() {
    let interstitial = Interstitial {
        id: "promo".into(),
        start_date: Some("2026-11-25T20:00:10Z".into()),
        asset_uri: Some("https://ads.example/promo.m3u8".into()),
        duration_ms: Some(15_000),
        resume_offset_ms: Some(0),
        restrict: vec!["SKIP".into(), "JUMP".into()],
        snap: vec!["OUT".into()],
        cue: vec!["ONCE".into()],
        ..Interstitial::default()
    };
    let rules = Rules { interstitials: vec![interstitial.clone()], ..Rules::default() };
    let tag = "#EXT-X-DATERANGE:ID=\"promo\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2026-11-25T20:00:10.000Z\",DURATION=15.000,X-ASSET-URI=\"https://ads.example/promo.m3u8\",X-RESUME-OFFSET=0.000,X-RESTRICT=\"SKIP,JUMP\",X-SNAP=\"OUT\",CUE=\"ONCE\"\n";
    assert_eq!(ruled(&live(), &rules), live().replace("#EXT-X-PROGRAM", &format!("{tag}#EXT-X-PROGRAM")));
    let later = live().replace("2026-11-25T20:00:00Z", "2026-11-25T21:00:00Z");
    assert_eq!(ruled(&later, &rules), later, "what lies before a live window is over");
    let recording = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n";
    let by_time = Interstitial { start_date: None, start_ms: Some(4000), ..interstitial };
    let rules = Rules { interstitials: vec![by_time], ..Rules::default() };
    let out = ruled(recording, &rules);
    assert!(out.contains("START-DATE=\"1970-01-01T00:00:04.000Z\""));
    assert!(out.contains("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:4,\na\n"));
    let unplaced = recording.replace("#EXT-X-ENDLIST\n", "");
    assert_eq!(ruled(&unplaced, &rules), unplaced, "a live stream has no beginning to count from");
}

#[test]
fn tags_are_dropped_and_added_by_name() {
    let rules = Rules {
        drop_tags: vec!["EXT-X-ALLOW-CACHE".into(), "EXT-X-INDEPENDENT-SEGMENTS".into()],
        add_tags: vec!["#EXT-X-START:TIME-OFFSET=-6".into()],
        ..Rules::default()
    };
    let text = "#EXTM3U\r\n#EXT-X-ALLOW-CACHE:YES\r\n#EXT-X-ALLOW-CACHES\r\n#EXT-X-INDEPENDENT-SEGMENTS\r\n#EXTINF:1,\r\na";
    assert_eq!(ruled(text, &rules), "#EXTM3U\r\n#EXT-X-START:TIME-OFFSET=-6\r\n#EXT-X-ALLOW-CACHES\r\n#EXTINF:1,\r\na");
    assert_eq!(ruled("#EXTM3U", &rules), "#EXTM3U\n#EXT-X-START:TIME-OFFSET=-6\n");
}

/// Lines as playlists have them, broken ones among them.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("#EXTM3U".to_string()),
        (0..9_u32, "[a-z0-9/:.?{}$ ]{0,12}").prop_map(|(bw, uri)| format!("#EXT-X-STREAM-INF:BANDWIDTH={bw},RESOLUTION=640x{bw}\n{uri}")),
        (
            "(URI|NAME|X-ASSET-URI|SERVER-URI|LANGUAGE|GROUP-ID|START-DATE)",
            "[a-z0-9/:.?{}$ ,]{0,12}",
            "(MEDIA|KEY|MAP|PART|DATERANGE|DEFINE|I-FRAME-STREAM-INF)"
        )
            .prop_map(|(name, value, tag)| format!("#EXT-X-{tag}:TYPE=AUDIO,{name}=\"{value}\"")),
        "#EXTINF:[0-9.]{1,5},".prop_map(String::from),
        "[a-z0-9/:.?{}$# ]{0,16}",
        "\\PC{0,20}",
    ]
}

fn any_playlist() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just(""), Just("\r")];
    prop::collection::vec((any_line(), end), 0..30)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| (line + end).into_bytes()).collect())
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![any_playlist(), prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    #[test]
    fn without_rules_the_output_is_the_input(text in any_bytes()) {
        prop_assert_eq!(&rewrite(&text, &Rules::default(), &Places::default(), None).unwrap(), &text);
        let keeps = Place { from: "https://o.example/".into(), to: "x/".into(), query: String::new(), keeps_relative: true };
        let places = Places { base: "https://o.example/a".into(), media: vec![keeps.clone()], playlists: vec![keeps], ..Places::default() };
        let out = rewrite(&text, &Rules::default(), &places, None).unwrap();
        prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), text.iter().filter(|b| **b == b'\n').count());
    }

    #[test]
    fn places_change_addresses_alone(text in any_playlist()) {
        let out = rewrite(&text, &Rules::default(), &moving(), None).unwrap();
        let lines = |text: &[u8]| text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (before, after) = (lines(&text), lines(&out));
        prop_assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            let is_tag = before.starts_with(b"#");
            if before.starts_with(b"#EXTINF") || (is_tag && !before.starts_with(b"#EXT")) {
                prop_assert_eq!(before, after);
            }
            prop_assert_eq!(before.ends_with(b"\r"), after.ends_with(b"\r"));
        }
    }

    #[test]
    fn filters_only_take_lines_away(text in any_playlist(), max in 0..9_u32) {
        let filter = Filter { max_height: Some(max), languages: vec!["en".into()], ..Filter::default() };
        let rules = Rules { filter, ..Rules::default() };
        if let Ok(out) = rewrite(&text, &rules, &Places::default(), None) {
            let mut left = text.split_inclusive(|b| *b == b'\n');
            for line in out.split_inclusive(|b| *b == b'\n') {
                let bare = |line: &[u8]| line.trim_ascii_end().to_vec();
                prop_assert!(left.any(|known| bare(known) == bare(line)));
            }
        }
    }

    #[test]
    fn a_start_rung_only_changes_the_order(text in any_playlist()) {
        let rules = Rules { start: Some(Start::default()), ..Rules::default() };
        let out = rewrite(&text, &rules, &Places::default(), None).unwrap();
        let sorted = |text: &[u8]| { let mut lines: Vec<_> = text.split(|b| *b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect(); lines.sort(); lines };
        prop_assert_eq!(sorted(&text), sorted(&out));
    }

    #[test]
    fn additions_are_only_additions(text in any_playlist()) {
        let interstitial = Interstitial { id: "x".into(), start_ms: Some(0), asset_uri: Some("u".into()), ..Interstitial::default() };
        let rules = Rules {
            interstitials: vec![interstitial],
            ads: Ads { asset_list: Some("l".into()), cues: true },
            add_tags: vec!["#EXT-X-ADDED".into()],
            ..Rules::default()
        };
        let out = rewrite(&text, &rules, &Places::default(), None).unwrap();
        let mut all = out.split_inclusive(|b| *b == b'\n');
        for line in text.split_inclusive(|b| *b == b'\n') {
            prop_assert!(all.any(|found| found.trim_ascii_end() == line.trim_ascii_end()));
        }
    }
}
