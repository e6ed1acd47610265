//! Playlists that break one rule each.

use std::collections::BTreeSet;

use tidegate_validate::check_text;

const MEDIA: &str = r#"#EXTM3U
#EXT-X-VERSION:10
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5,HOLD-BACK=6.0
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z
#EXTINF:2.000,
7.m4s
#EXTINF:2.000,
8.m4s
#EXTINF:2.000,
9.m4s
#EXTINF:2.000,
10.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:14:20.000Z
#EXTINF:2.000,
11.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:14:22.000Z
#EXT-X-PART:DURATION=0.5,URI="12.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.5,URI="12.1.m4s"
#EXT-X-PART:DURATION=0.5,URI="12.2.m4s"
#EXT-X-PART:DURATION=0.5,URI="12.3.m4s"
#EXTINF:2.000,
12.m4s
#EXT-X-PART:DURATION=0.5,URI="13.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.5,URI="13.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="13.2.m4s"
#EXT-X-RENDITION-REPORT:URI="audio.m3u8",LAST-MSN=13,LAST-PART=1
"#;

const CLASSIC: &str = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:6.0,
a.ts
#EXTINF:5.5,
b.ts
#EXT-X-ENDLIST
"#;

const MULTIVARIANT: &str = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",VALUE="A film"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Deutsch",LANGUAGE="de",AUTOSELECT=YES,URI="de.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="English",LANGUAGE="en",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,SCORE=2,AUDIO="audio",CLOSED-CAPTIONS="cc"
high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000,AVERAGE-BANDWIDTH=250000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,SCORE=1,AUDIO="audio",CLOSED-CAPTIONS="cc"
low.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.64001f",RESOLUTION=640x360,URI="i-frames.m3u8"
"#;

/// The rule, the playlist, what is replaced in it, and by what.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("TEXT-UTF8", MEDIA, "#EXTM3U", "\u{feff}#EXTM3U"),
    ("TEXT-EXTM3U", MEDIA, "#EXTM3U\n", "\n#EXTM3U\n"),
    ("TEXT-EXTM3U", MEDIA, "#EXTM3U\n", "#EXTM3U url-tvg=\"x\"\n"),
    ("TEXT-KIND", MEDIA, "7.m4s\n", "7.m4s\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"),
    ("TEXT-KIND", MULTIVARIANT, "low.m3u8\n", "low.m3u8\n#EXT-X-ENDLIST\n"),
    ("TEXT-CONTROL", MEDIA, "9.m4s", "9\u{7}.m4s"),
    ("ATTR-SYNTAX", MEDIA, "PART-HOLD-BACK=1.5,HOLD", "PART-HOLD-BACK=1.5, HOLD"),
    ("ATTR-SYNTAX", MEDIA, "PART-INF:PART-TARGET=0.5", "PART-INF:PART-TARGET=0.5,"),
    ("ATTR-SYNTAX", MEDIA, "URI=\"init.mp4\"", "URI=\"init.mp4"),
    ("ATTR-SYNTAX", MEDIA, "HOLD-BACK=6.0", "HOLD-BACK=6.0,now"),
    ("ATTR-TWICE", MEDIA, "HOLD-BACK=6.0", "HOLD-BACK=6.0,HOLD-BACK=6.0"),
    ("ATTR-VALUE", MEDIA, "URI=\"init.mp4\"", "URI=init.mp4"),
    ("ATTR-VALUE", MEDIA, "#EXT-X-PART:DURATION=0.5,URI=\"12.1", "#EXT-X-PART:DURATION=\"0.5\",URI=\"12.1"),
    ("ATTR-VALUE", MEDIA, "CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=YES,CAN-SKIP-DATERANGES=maybe"),
    ("ATTR-VALUE", CLASSIC, "TARGETDURATION:6", "TARGETDURATION:6.0"),
    ("ATTR-VALUE", CLASSIC, "EXTINF:6.0,", "EXTINF: 6.0,"),
    ("ATTR-VALUE", MULTIVARIANT, "RESOLUTION=640x360,URI", "RESOLUTION=wide,URI"),
    ("ATTR-MISSING", MEDIA, "LAST-PART=1\n", "LAST-PART=1\n#EXT-X-RENDITION-REPORT:LAST-MSN=13\n"),
    ("ATTR-MISSING", MULTIVARIANT, "BANDWIDTH=100000,CODECS", "CODECS"),
    ("TAG-ONCE", MEDIA, "#EXT-X-VERSION:10\n", "#EXT-X-VERSION:10\n#EXT-X-VERSION:10\n"),
    ("TAG-ONCE", CLASSIC, "#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST\n#EXT-X-ENDLIST\n"),
    ("TAG-UNKNOWN", MEDIA, "7.m4s\n", "7.m4s\n#EXT-X-CUE-OUT:30\n"),
    ("VERSION", MEDIA, "#EXT-X-VERSION:10", "#EXT-X-VERSION:5"),
    ("VERSION", CLASSIC, "#EXT-X-VERSION:6\n", ""),
    ("MEDIA-TARGET", CLASSIC, "#EXT-X-TARGETDURATION:6\n", ""),
    ("MEDIA-LENGTH", CLASSIC, "EXTINF:5.5", "EXTINF:6.51"),
    ("MEDIA-EXTINF", CLASSIC, "#EXTINF:5.5,\n", ""),
    ("MEDIA-EXTINF", CLASSIC, "#EXT-X-ENDLIST", "#EXTINF:1.0,\n#EXT-X-ENDLIST"),
    ("MEDIA-ORDER", CLASSIC, "a.ts\n", "a.ts\n#EXT-X-MEDIA-SEQUENCE:0\n"),
    ("MEDIA-RANGE", CLASSIC, "#EXTINF:6.0", "#EXT-X-BYTERANGE:100\n#EXTINF:6.0"),
    ("MEDIA-MAP", MEDIA, "#EXT-X-MAP:URI=\"init.mp4\"\n", ""),
    ("MEDIA-EMPTY", CLASSIC, "#EXTINF:6.0,\na.ts\n#EXTINF:5.5,\nb.ts\n", ""),
    ("MEDIA-TYPE", CLASSIC, "#EXT-X-PLAYLIST-TYPE:VOD\n", ""),
    (
        "MEDIA-GAP",
        MEDIA,
        "\"12.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.5,URI=\"12.1.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"12.2.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"12.3.m4s\"",
        "\"12.0.m4s\",GAP=YES\n#EXT-X-PART:DURATION=0.5,URI=\"12.1.m4s\",GAP=YES\n#EXT-X-PART:DURATION=0.5,URI=\"12.2.m4s\",GAP=YES\n#EXT-X-PART:DURATION=0.5,URI=\"12.3.m4s\",GAP=YES",
    ),
    ("MEDIA-I-FRAME-PARTS", MEDIA, "#EXT-X-VERSION:10\n", "#EXT-X-VERSION:10\n#EXT-X-I-FRAMES-ONLY\n"),
    ("DATE-MISSING", CLASSIC, "#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6.0,\na.ts\n#EXTINF:5.5,\nb.ts\n#EXT-X-ENDLIST", "#EXTINF:6.0,\na.ts"),
    ("DATE-JUMP", MEDIA, "14:14:22.000Z", "14:14:22.300Z"),
    ("DATE-RANGE", CLASSIC, "#EXTINF:6.0,", "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:14:20Z\n#EXT-X-DATERANGE:ID=\"a\"\n#EXTINF:6.0,"),
    (
        "DATE-RANGE",
        CLASSIC,
        "#EXTINF:6.0,",
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:14:20Z\n#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-09-21T14:14:20Z\",END-DATE=\"2026-09-21T14:14:10Z\"\n#EXTINF:6.0,",
    ),
    (
        "DATE-RANGE",
        CLASSIC,
        "#EXTINF:6.0,",
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:14:20Z\n#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-09-21T14:14:20Z\",X=1\n#EXT-X-DATERANGE:ID=\"a\",X=2\n#EXTINF:6.0,",
    ),
    ("DATE-RANGE-ANCHOR", CLASSIC, "#EXTINF:6.0,", "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-09-21T14:14:20Z\"\n#EXTINF:6.0,"),
    ("DISCONTINUITY-COUNT", MEDIA, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n", ""),
    ("LL-PART-INF", MEDIA, "#EXT-X-PART-INF:PART-TARGET=0.5\n", ""),
    ("LL-PART-HOLD-BACK", MEDIA, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=0.9"),
    ("LL-PART-HOLD-BACK", MEDIA, "PART-HOLD-BACK=1.5,", ""),
    ("LL-PART-HOLD-BACK-3", MEDIA, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.25"),
    ("LL-HOLD-BACK", MEDIA, ",HOLD-BACK=6.0", ",HOLD-BACK=5.0"),
    ("LL-SKIP-UNTIL", MEDIA, "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=11.0"),
    ("LL-SKIP-RANGES", MEDIA, "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-DATERANGES=YES"),
    ("LL-CAN-BLOCK", MEDIA, "CAN-BLOCK-RELOAD=YES,", ""),
    ("LL-PART-LONG", MEDIA, "#EXT-X-PART:DURATION=0.5,URI=\"13.1", "#EXT-X-PART:DURATION=0.6,URI=\"13.1"),
    (
        "LL-PART-SHORT",
        MEDIA,
        "DURATION=0.5,URI=\"12.1.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"12.2.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"12.3.m4s\"\n#EXTINF:2.000",
        "DURATION=0.4,URI=\"12.1.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"12.2.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"12.3.m4s\"\n#EXTINF:1.900",
    ),
    (
        "LL-PART-TAGS",
        MEDIA,
        "#EXT-X-PART:DURATION=0.5,URI=\"12.3",
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:14:22.000Z\n#EXT-X-PART:DURATION=0.5,URI=\"12.3",
    ),
    ("LL-PART-SUM", MEDIA, "#EXT-X-PART:DURATION=0.5,URI=\"12.3.m4s\"\n", ""),
    (
        "LL-PART-OLD",
        MEDIA,
        "#EXTINF:2.000,\n7.m4s",
        "#EXT-X-PART:DURATION=0.5,URI=\"7.0.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"7.1.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"7.2.m4s\"\n#EXT-X-PART:DURATION=0.5,URI=\"7.3.m4s\"\n#EXTINF:2.000,\n7.m4s",
    ),
    ("LL-PART-RANGE", MEDIA, "URI=\"13.1.m4s\"", "URI=\"13.m4s\",BYTERANGE=\"100@100\""),
    ("LL-HINT", MEDIA, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"13.2.m4s\"\n", ""),
    ("LL-HINT-ONE", MEDIA, "#EXT-X-RENDITION", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"13.3.m4s\"\n#EXT-X-RENDITION"),
    ("LL-HINT-ENDED", CLASSIC, "#EXT-X-ENDLIST", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"c.ts\"\n#EXT-X-ENDLIST"),
    ("LL-HINT-LISTED", MEDIA, "TYPE=PART,URI=\"13.2.m4s\"", "TYPE=PART,URI=\"13.1.m4s\""),
    ("LL-DELTA-RANGES-OFFER", MEDIA, "LAST-PART=1\n", "LAST-PART=1\n#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-09-21T14:14:20.000Z\"\n"),
    ("MV-URI", MULTIVARIANT, "low.m3u8\n", "low.m3u8\nmore.m3u8\n"),
    ("MV-CODECS", MULTIVARIANT, "CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=640x360,", "RESOLUTION=640x360,"),
    ("MV-RESOLUTION", MULTIVARIANT, "RESOLUTION=640x360,FRAME", "FRAME"),
    ("MV-FRAME-RATE", MULTIVARIANT, "FRAME-RATE=30.000,SCORE=1", "SCORE=1"),
    ("MV-AVERAGE", MULTIVARIANT, "AVERAGE-BANDWIDTH=250000,", ""),
    ("MV-GROUP", MULTIVARIANT, "SCORE=1,AUDIO=\"audio\"", "SCORE=1,AUDIO=\"sound\""),
    ("MV-MEDIA", MULTIVARIANT, ",INSTREAM-ID=\"CC1\"", ""),
    ("MV-MEDIA", MULTIVARIANT, "#EXT-X-I-FRAME", "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\",LANGUAGE=\"en\"\n#EXT-X-I-FRAME"),
    ("MV-MEDIA-GROUP", MULTIVARIANT, "NAME=\"Deutsch\"", "NAME=\"English\""),
    ("MV-MEDIA-GROUP", MULTIVARIANT, "LANGUAGE=\"de\",AUTOSELECT", "LANGUAGE=\"de\",DEFAULT=YES,AUTOSELECT"),
    ("MV-LANGUAGE", MULTIVARIANT, "LANGUAGE=\"de\",", ""),
    (
        "MV-I-FRAMES",
        MULTIVARIANT,
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,CODECS=\"avc1.64001f\",RESOLUTION=640x360,URI=\"i-frames.m3u8\"\n",
        "",
    ),
    (
        "MV-SEVERAL",
        MULTIVARIANT,
        "#EXT-X-STREAM-INF:BANDWIDTH=300000,AVERAGE-BANDWIDTH=250000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000,SCORE=1,AUDIO=\"audio\",CLOSED-CAPTIONS=\"cc\"\nlow.m3u8\n",
        "",
    ),
    ("MV-CAPTIONS", MULTIVARIANT, "SCORE=1,AUDIO=\"audio\",CLOSED-CAPTIONS=\"cc\"", "SCORE=1,AUDIO=\"audio\",CLOSED-CAPTIONS=NONE"),
    ("MV-SESSION-DATA", MULTIVARIANT, "VALUE=\"A film\"", "VALUE=\"A film\",URI=\"x.json\""),
    ("MV-SCORE", MULTIVARIANT, "SCORE=1,", ""),
    ("MV-ASPECT", MULTIVARIANT, "RESOLUTION=640x360,FRAME", "RESOLUTION=640x480,FRAME"),
];

/// Rules with a case of their own below or here.
pub(crate) fn rules() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(rule, ..)| *rule).chain(["LL-DELTA-OFFER", "TEXT-LONG"])
}

fn broken(bytes: &[u8]) -> (BTreeSet<&'static str>, String) {
    let faults = check_text(bytes);
    let told = faults.iter().map(|fault| format!("{}:{} {}\n", fault.rule.id, fault.line, fault.seen)).collect();
    (faults.iter().map(|fault| fault.rule.id).collect(), told)
}

#[test]
fn playlists_without_fault_have_no_finding() {
    for text in [MEDIA, CLASSIC, MULTIVARIANT] {
        let (rules, told) = broken(text.as_bytes());
        assert!(rules.is_empty(), "{told}{text}");
    }
}

#[test]
fn each_fault_of_a_playlist_breaks_its_rule_alone() {
    let mut wrong = String::new();
    for (rule, text, from, to) in CASES {
        assert!(text.contains(from), "{rule}: `{from}` is not there");
        let (rules, told) = broken(text.replacen(from, to, 1).as_bytes());
        if rules != BTreeSet::from([*rule]) {
            wrong += &format!("{rule} expected for `{to}`:\n{told}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn bytes_that_are_no_utf8_are_a_fault() {
    let mut bytes = CLASSIC.as_bytes().to_vec();
    let at = CLASSIC.find("a.ts").unwrap();
    bytes[at] = 0xff;
    assert_eq!(broken(&bytes).0, BTreeSet::from(["TEXT-UTF8"]));
}

#[test]
fn long_windows_without_deltas_are_told() {
    let segments: String = (0..70).map(|at| format!("#EXTINF:2.000,\n{at}.x.m4s\n")).collect();
    let text = MEDIA.replacen("#EXTINF:2.000,\n7.m4s\n", &segments, 1).replacen("CAN-SKIP-UNTIL=12.0,", "", 1);
    let (rules, told) = broken(text.as_bytes());
    assert_eq!(rules, BTreeSet::from(["LL-DELTA-OFFER"]), "{told}");
}

#[test]
fn lines_beyond_those_that_are_read_are_told() {
    // A rule that is broken beyond them is not seen, and says so.
    let lines = |most: usize| format!("{CLASSIC}{}#EXT-X-VERSION:6\n", "# what nobody reads\n".repeat(most - CLASSIC.lines().count()));
    assert_eq!(broken(lines(199_999).as_bytes()).0, BTreeSet::from(["TAG-ONCE"]));
    assert_eq!(broken(lines(200_000).as_bytes()).0, BTreeSet::from(["TEXT-LONG"]));
}

#[test]
fn faults_are_found_in_their_line() {
    let fault = &check_text(MEDIA.replacen("9.m4s", "9.m4s\n#EXT-X-PROGRAM-DATE-TIME:soon", 1).as_bytes())[0];
    assert_eq!((fault.rule.id, fault.line), ("ATTR-VALUE", 16), "{}", fault.seen);
}
