//! Real playlists of other projects, which lie beside a checkout and are not shipped.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::origin::{Asked, Origin};
use proptest::prelude::*;
use tidegate_validate::{Playlist, check_text, read};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "m3u8" || end == "m3u" || end == "txt") {
            found.push(path);
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the playlists are files")]
fn real_playlists_are_read_to_their_end() {
    let folder = Path::new("../../../../shared/playlists/hls");
    let mut found = Vec::new();
    files(folder, &mut found);
    if found.is_empty() {
        eprintln!("skipped: no playlists in {}", folder.display());
        return;
    }
    found.sort();
    let mut rules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for path in &found {
        let bytes = fs::read(path).unwrap();
        let (playlist, _) = read(&bytes);
        for fault in check_text(&bytes) {
            let lines = bytes.split(|byte| *byte == b'\n').count() as u32;
            assert!(fault.line <= lines + 1, "{}: line {} of {lines}", path.display(), fault.line);
            let name = path.strip_prefix(folder).unwrap().display();
            rules.entry(fault.rule.id).or_default().push(format!("{name}:{} {}", fault.line, fault.seen));
        }
        // Where the reader of players finds segments, so does this one.
        let text = String::from_utf8_lossy(&bytes);
        if let (Ok(tidegate_hls::read::Playlist::Media(theirs)), Some(Playlist::Media(ours))) =
            (tidegate_hls::read::parse(&text), &playlist)
        {
            let theirs: Vec<&str> = theirs.segments.iter().map(|segment| segment.uri.as_str()).collect();
            let ours: Vec<&str> = ours.segments.iter().map(|segment| segment.uri.as_str()).collect();
            assert_eq!(theirs, ours, "{}", path.display());
        }
    }
    if std::env::var_os("TIDEGATE_TELL").is_some() {
        for (rule, seen) in &rules {
            println!("{rule} x{}", seen.len());
            for one in seen.iter().take(4) {
                println!("    {one}");
            }
        }
    }
    // Most are made by real packagers: what they do wrong is what authors are known to leave out.
    assert!(rules.contains_key("MV-AVERAGE") && rules.contains_key("MV-I-FRAMES"));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = check_text(&bytes);
        let _ = check_text(&[b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n", bytes.as_slice()].concat());
    }

    #[test]
    fn any_order_of_tags_is_read(lines in prop::collection::vec(prop::sample::select(LINES), 0..40)) {
        let _ = check_text(format!("#EXTM3U\n{}", lines.join("\n")).as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn servers_that_answer_anything_are_followed_to_the_end(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..30),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}", lines.join("\n")).into_bytes();
        let origin = Origin::twisted(move |asked, _, now, reply| match asked {
            Asked::List { .. } if now / 500_000 % 3 == 1 => reply.body.clone_from(&text),
            Asked::Part { .. } | Asked::Segment { .. } if now / 500_000 % 2 == 1 => reply.body.clone_from(&bytes),
            _ => {}
        });
        prop_assert!(origin.validate(6).fatal.is_none());
    }
}

const LINES: &[&str] = &[
    "#EXT-X-TARGETDURATION:2",
    "#EXT-X-TARGETDURATION:99999999999999999999",
    "#EXT-X-MEDIA-SEQUENCE:18446744073709551615",
    "#EXT-X-DISCONTINUITY-SEQUENCE:18446744073709551615",
    "#EXTINF:2.000,",
    "#EXTINF:18446744073709.9,",
    "#EXTINF",
    "a.m4s",
    "#EXT-X-PART:DURATION=0.5,URI=\"a\",BYTERANGE=\"18446744073709551615@18446744073709551615\"",
    "#EXT-X-PART:DURATION=18446744073709,URI=\"b\"",
    "#EXT-X-PART-INF:PART-TARGET=18446744073709",
    "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=18446744073709,PART-HOLD-BACK=0,HOLD-BACK=0",
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=18446744073709551615",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-GAP",
    "#EXT-X-PROGRAM-DATE-TIME:9999-12-31T23:59:59Z",
    "#EXT-X-PROGRAM-DATE-TIME:0000-01-01T00:00:00Z",
    "#EXT-X-BYTERANGE:18446744073709551615",
    "#EXT-X-MAP:URI=\"i\"",
    "#EXT-X-KEY:METHOD=AES-128",
    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"c\",BYTERANGE-START=18446744073709551615",
    "#EXT-X-RENDITION-REPORT:URI=\"d\",LAST-MSN=18446744073709551615,LAST-PART=18446744073709551615",
    "#EXT-X-DATERANGE:ID=\"e\",START-DATE=\"9999-12-31T23:59:59Z\",END-DATE=\"0000-01-01T00:00:00Z\",DURATION=1",
    "#EXT-X-ENDLIST",
    "#EXT-X-STREAM-INF:RESOLUTION=0x0,BANDWIDTH=1",
];
