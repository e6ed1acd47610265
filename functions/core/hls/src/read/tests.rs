use alloc::{format, string::String, vec::Vec};

use proptest::prelude::*;

use super::*;

fn media(text: &str) -> Media {
    match parse(text) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("{other:?}"),
    }
}

const LIVE: &str = "#EXTM3U\r
#EXT-X-VERSION:9\r
#EXT-X-TARGETDURATION:4\r
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12\r
#EXT-X-PART-INF:PART-TARGET=0.33334\r
#EXT-X-MEDIA-SEQUENCE:266\r
#EXT-X-KEY:METHOD=AES-128,URI=\"key,1\"\r
#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"600@20\"\r
#EXT-X-PROGRAM-DATE-TIME:2019-02-14T02:13:36.106Z\r
#EXTINF:4.00008,a title, with a comma\r
#EXT-X-BYTERANGE:1000@0\r
fileSequence266.mp4\r
#EXT-X-SOMETHING-NEW:X=1\r
# a comment\r
#EXT-X-DISCONTINUITY\r
#EXT-X-KEY:METHOD=NONE\r
#EXT-X-PART:DURATION=0.33334,URI=\"filePart267.0.mp4\",INDEPENDENT=YES,BYTERANGE=\"10@5\"\r
#EXT-X-PART:DURATION=0.33334,URI=\"filePart267.0.mp4\",BYTERANGE=\"20\"\r
#EXTINF:4.00008,\r
#EXT-X-BYTERANGE:500\r
fileSequence266.mp4\r
#EXT-X-PART:DURATION=0.33334,URI=\"filePart268.a.mp4\",GAP=YES\r
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"filePart268.b.mp4\",BYTERANGE-START=7\r
#EXT-X-PRELOAD-HINT:TYPE=NEW,URI=\"x\"\r
#EXT-X-RENDITION-REPORT:URI=\"../1M/wait.php\",LAST-MSN=268,LAST-PART=0\r
#EXT-X-DATERANGE:ID=\"ad\",CLASS=\"c\",START-DATE=\"2019-02-14T02:13:36Z\",X-A=0xFF\r
";

#[test]
fn every_tag_of_a_live_playlist_is_read() {
    let list = media(LIVE);
    let control = list.server_control.unwrap();
    assert!(control.can_block_reload && !control.can_skip_dateranges);
    assert_eq!(
        (control.part_hold_back_us, control.can_skip_until_us, control.hold_back_us),
        (Some(1_000_000), Some(24_000_000), Some(12_000_000))
    );
    assert_eq!((list.target_duration_s, list.part_target_us, list.version), (4, Some(333_340), 9));
    let [first, second] = list.segments.as_slice() else { panic!("{list:?}") };
    assert_eq!((first.msn.0, second.msn.0, list.open_msn().0), (266, 267, 268));
    assert_eq!(first.title.as_deref(), Some("a title, with a comma"));
    assert_eq!(first.program_date_time_us, Some(1_550_110_416_106_000));
    assert_eq!(first.keys[0].uri.as_deref(), Some("key,1"));
    assert!(second.keys.is_empty() && second.discontinuity && second.discontinuity_sequence == 1);
    assert_eq!(first.map.as_ref().unwrap().byte_range, Some(ByteRange { offset: 20, length: 600 }));
    assert_eq!(second.byte_range, Some(ByteRange { offset: 1000, length: 500 }), "a range without offset follows the one before");
    assert_eq!(second.parts[1].byte_range, Some(ByteRange { offset: 15, length: 20 }));
    assert!(second.parts[0].independent && !second.parts[1].independent);
    let open = list.open.unwrap();
    assert_eq!((open.msn.0, open.duration_us, open.parts[0].gap), (268, 333_340, true));
    assert_eq!(list.preload_hints, [PreloadHint { kind: PreloadKind::Part, uri: "filePart268.b.mp4".into(), start: 7, length: None }]);
    assert_eq!(list.rendition_reports[0].last_msn, Some(268));
    assert_eq!((list.date_ranges[0].id.as_str(), list.date_ranges[0].attributes.value("X-A")), ("ad", Some("0xFF")));
}

#[test]
fn every_tag_of_a_multivariant_playlist_is_read() {
    let text = "#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"A day\",LANGUAGE=\"en\"
#EXT-X-START:TIME-OFFSET=-4.5,PRECISE=YES
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"en.m3u8\"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI=\"low/iframe.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,AVERAGE-BANDWIDTH=1000000,CODECS=\"avc1.4d401f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=29.97,AUDIO=\"a\",CLOSED-CAPTIONS=NONE
low/video.m3u8
stray.m3u8
";
    let Ok(Playlist::Multivariant(list)) = parse(text) else { panic!() };
    let [variant] = list.variants.as_slice() else { panic!("{list:?}") };
    assert_eq!(
        (variant.uri.as_str(), variant.bandwidth_bps, variant.average_bandwidth_bps),
        ("low/video.m3u8", 1_280_000, Some(1_000_000))
    );
    assert_eq!((variant.resolution, variant.frame_rate_millis), (Some((1280, 720)), Some(29_970)));
    assert_eq!((variant.codecs.as_deref(), variant.audio.as_deref()), (Some("avc1.4d401f,mp4a.40.2"), Some("a")));
    assert_eq!(variant.closed_captions, None);
    assert_eq!(list.start, Some((-4_500_000, true)));
    let rendition = &list.renditions[0];
    assert_eq!((rendition.kind, rendition.uri.as_deref(), rendition.default), (MediaKind::Audio, Some("en.m3u8"), true));
    assert_eq!(list.i_frame_variants[0].bandwidth_bps, 86_000);
    assert_eq!(list.session_data[0].value.as_deref(), Some("A day"));
}

#[test]
fn what_does_not_read_is_refused_with_its_line() {
    let refused = |lines: &str| match parse(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{lines}\n")) {
        Err(error) => format!("{error}"),
        Ok(list) => panic!("{list:?}"),
    };
    assert_eq!(refused("#EXTINF:two,\na"), "line 3: EXTINF has a value that does not read: a duration");
    assert_eq!(refused("#EXT-X-MEDIA-SEQUENCE:-1"), "line 3: EXT-X-MEDIA-SEQUENCE has a value that does not read: a decimal integer");
    assert_eq!(refused("#EXT-X-PART:URI=\"a\""), "line 3: EXT-X-PART has a value that does not read: DURATION");
    assert_eq!(refused("a"), "line 3: a URI without EXTINF");
    assert_eq!(refused("#EXTINF:1,\na\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1"), "line 5: EXT-X-SKIP must stand once and before the first segment");
    assert_eq!(parse("#EXTM3U\n#EXTINF:1,\na\n"), Err(Error::Missing { tag: "EXT-X-TARGETDURATION" }));
    assert_eq!(parse("#EXTM3U\n"), Err(Error::Kind));
    for text in ["", "\n#EXTM3U", "<html>", "#EXTM3U8", "\u{feff}"] {
        assert_eq!(parse(text), Err(Error::NotPlaylist), "{text}");
    }
}

#[test]
fn a_playlist_beyond_the_bounds_is_refused() {
    let many = |line: &str, count: usize| format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}", line.repeat(count));
    assert!(matches!(parse(&many("#EXTINF:1,\na\n", MAX_LINES as usize)), Err(Error::TooLong { .. })));
    assert!(matches!(parse(&many("#EXT-X-PART:DURATION=1,URI=\"a\"\n", MAX_ENTRIES + 1)), Err(Error::TooLong { .. })));
    assert!(matches!(parse(&many("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"a\"\n", MAX_ENTRIES + 1)), Err(Error::TooLong { .. })));
    assert!(matches!(parse(&many("#EXT-X-KEY:METHOD=A\n", MAX_ENTRIES + 1)), Err(Error::TooLong { .. })));
}

fn delta(tags: &str, skipped: u64, first: u64) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:10\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}{tags}\n\
         #EXTINF:4,\nnext.mp4\n#EXT-X-DATERANGE:ID=\"new\"\n"
    )
}

#[test]
fn a_delta_takes_maps_keys_discontinuities_and_date_ranges_from_the_playlist_before() {
    let merged = media(&delta(",RECENTLY-REMOVED-DATERANGES=\"gone\"", 1, 267)).merge_delta(media(LIVE)).unwrap();
    let msns: Vec<u64> = merged.segments.iter().map(|segment| segment.msn.0).collect();
    assert_eq!(msns, [267, 268]);
    assert_eq!((merged.segments[1].discontinuity_sequence, merged.segments[1].discontinuity), (1, false));
    assert_eq!(merged.segments[1].map, merged.segments[0].map);
    let ids: Vec<&str> = merged.date_ranges.iter().map(|range| range.id.as_str()).collect();
    assert_eq!(ids, ["ad", "new"]);
    let removed = media(&delta(",RECENTLY-REMOVED-DATERANGES=\"ad\"", 1, 267)).merge_delta(media(LIVE)).unwrap();
    assert_eq!(removed.date_ranges.len(), 1);
}

#[test]
fn a_delta_that_does_not_follow_is_refused() {
    let merge = |skipped, first| media(&delta("", skipped, first)).merge_delta(media(LIVE)).map(|_| ());
    assert_eq!(merge(3, 266), Err(MergeError::Unknown(tidegate_stream::Msn(268))));
    assert_eq!(merge(1, 265), Err(MergeError::Unknown(tidegate_stream::Msn(265))));
    assert_eq!(merge(u64::MAX, 266), Err(MergeError::Unknown(tidegate_stream::Msn(268))));
    let before = media(&delta("", 1, 266));
    assert_eq!(media(&delta("", 1, 266)).merge_delta(before).map(|_| ()), Err(MergeError::PreviousIsDelta));
    assert!(media(LIVE).merge_delta(media(LIVE)).is_ok_and(|whole| whole == media(LIVE)));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        lines in prop::collection::vec(prop_oneof![
            prop::sample::select(LIVE.lines().collect::<Vec<_>>()).prop_map(String::from),
            "#EXT(INF|-X-(SKIP|PART|MAP|KEY|MEDIA-SEQUENCE|BYTERANGE|STREAM-INF|MEDIA|DATERANGE)):(\\PC{0,20}|[A-Z-]{1,12}=\"?[0-9@.]{1,22}\"?)",
            "\\PC{0,30}",
        ], 0..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = format!("#EXTM3U\n{}", lines.join("\n"));
        let cut = cut.index(text.len() + 1);
        if let Some(text) = text.get(..cut) {
            let _ = parse(text);
        }
        if let Ok(Playlist::Media(list)) = parse(&text) {
            let _ = list.duration_us();
            let _ = list.merge_delta(media(LIVE));
        }
    }
}
