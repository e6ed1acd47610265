//! Real playlists of other projects, where a checkout has them beside it: `../shared/playlists` seen from the workspace.
//!
//! What comes out is compared with hashes of our own in `golden.txt`, and what has to hold for any playlist is checked on each.
//! `TIDEGATE_GOLDEN=write` writes the hashes anew.
#![allow(clippy::disallowed_methods, reason = "reads the playlists from disk")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use tidegate_rewrite::{Ads, Filter, Format, Interstitial, Place, Places, Rules, Start, SteeringTag, dash, hls, sniff};

fn playlists(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            playlists(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "m3u8" || extension == "mpd") {
            found.push(path);
        }
    }
}

fn places() -> Places {
    let place =
        |to: &str, query: &str| Place { from: "https://o.example/".into(), to: to.into(), query: query.into(), keeps_relative: false };
    Places {
        base: "https://o.example/live/index".into(),
        playlists: vec![place("/edge/", "")],
        media: vec![place("https://cdn.example/", "t=1")],
        others: Vec::new(),
        absolute: true,
    }
}

/// One set of rules after the other.
fn options() -> Vec<(&'static str, Rules, Places, Option<SteeringTag>)> {
    let still = Places::default();
    let interstitial = Interstitial {
        id: "x".into(),
        start_ms: Some(1000),
        asset_uri: Some("https://ads.example/x.m3u8".into()),
        ..Interstitial::default()
    };
    let steering = SteeringTag {
        server_uri: "/steering/x".into(),
        pathway: "a".into(),
        bases: vec![("a".into(), "https://a.example/".into()), ("b".into(), "https://b.example/".into())],
    };
    let filter = Filter { max_height: Some(720), languages: vec!["en".into()], ..Filter::default() };
    vec![
        ("nothing", Rules::default(), still.clone(), None),
        ("places", Rules::default(), places(), None),
        ("filter", Rules { filter, ..Rules::default() }, still.clone(), None),
        ("start", Rules { start: Some(Start { max_bps: Some(2_000_000), max_height: None }), ..Rules::default() }, still.clone(), None),
        ("interstitial", Rules { interstitials: vec![interstitial], ..Rules::default() }, still.clone(), None),
        (
            "ads",
            Rules { ads: Ads { asset_list: Some("https://ads.example/{id}".into()), cues: true }, ..Rules::default() },
            still.clone(),
            None,
        ),
        (
            "tags",
            Rules { drop_tags: vec!["EXT-X-ALLOW-CACHE".into()], add_tags: vec!["#EXT-X-ADDED".into()], ..Rules::default() },
            still,
            None,
        ),
        ("steering", Rules::default(), places(), Some(steering)),
    ]
}

fn rewrite(text: &[u8], (_, rules, places, steering): &(&str, Rules, Places, Option<SteeringTag>)) -> Option<Vec<u8>> {
    match sniff(text) {
        Some(Format::Dash) => dash(text, rules, places, steering.as_ref()).ok(),
        Some(Format::Hls) | None => hls(text, rules, places, steering.as_ref()).ok(),
    }
}

/// FNV-1a: only has to tell outputs of the same program apart.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn playlists_of_other_projects_come_out_as_they_did() {
    let folder = Path::new("../../../../shared/playlists");
    let mut found = Vec::new();
    playlists(folder, &mut found);
    if found.is_empty() {
        println!("no playlists of other projects here: nothing rewritten");
        return;
    }
    found.sort();
    let options = options();
    let mut lines = BTreeMap::new();
    for path in &found {
        let text = std::fs::read(path).unwrap();
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        assert_eq!(rewrite(&text, &options[0]).as_deref(), Some(&text[..]), "{name}: nothing was to change");
        let mut line = String::new();
        for option in &options[1..] {
            let out = rewrite(&text, option);
            match &out {
                Some(out) => {
                    check(&name, option.0, &text, out);
                    let what = if *out == text { "same".to_owned() } else { format!("{:016x}", hash(out)) };
                    write!(line, " {}={what}", option.0).unwrap();
                }
                None => write!(line, " {}=nothing-left", option.0).unwrap(),
            }
        }
        lines.insert(name, line);
        // Cut off anywhere, it is still copied.
        for cut in (0..text.len()).step_by((text.len() / 20).max(53)) {
            assert_eq!(rewrite(&text[..cut], &options[0]).as_deref(), Some(&text[..cut]));
            for option in &options[1..] {
                let _ = rewrite(&text[..cut], option);
            }
        }
    }
    let golden: String = lines.iter().map(|(name, line)| format!("{name}:{line}\n")).collect();
    let path = Path::new("tests/golden.txt");
    if std::env::var("TIDEGATE_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(path, &golden).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap();
    let known: BTreeMap<_, _> = known.lines().filter_map(|line| line.split_once(':')).collect();
    let mut compared = 0;
    for (name, line) in &lines {
        // A checkout may have more of them than there were.
        if let Some(known) = known.get(name.as_str()) {
            assert_eq!(line, known, "{name}");
            compared += 1;
        }
    }
    println!("{} playlists, {compared} of them compared", lines.len());
    assert!(compared > 0);
}

/// What holds whatever the playlist is.
fn check(name: &str, option: &str, text: &[u8], out: &[u8]) {
    let lines = |text: &[u8]| text.split(|b| *b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect::<Vec<_>>();
    let (before, after) = (lines(text), lines(out));
    let is_hls = sniff(text) == Some(Format::Hls);
    let what = format!("{name}, {option}");
    match option {
        "places" if is_hls => {
            assert_eq!(before.len(), after.len(), "{what}");
            for (before, after) in before.iter().zip(&after) {
                if before.starts_with(b"#") && !before.windows(3).any(|w| w == b"URI" || w == b"X-A") {
                    assert_eq!(before, after, "{what}");
                }
                let is_address = !before.is_empty() && !before.starts_with(b"#") && !before.trim_ascii().is_empty();
                if is_address && !before.starts_with(b"\xef\xbb\xbf") && std::str::from_utf8(before).is_ok() {
                    // Every address is absolute now, or a path of the edge, or was never one that HTTP can fetch.
                    let text = String::from_utf8_lossy(after);
                    let text = text.trim_start();
                    assert!(text.contains(':') || text.starts_with("/edge/") || text.contains("{$"), "{what}: {text}");
                }
            }
        }
        "filter" | "start" => {
            let mut known = before.clone();
            for line in after.iter().filter(|_| is_hls) {
                let at = known.iter().position(|known| known == line);
                known.swap_remove(at.unwrap_or_else(|| panic!("{what}: {}", String::from_utf8_lossy(line))));
            }
        }
        "interstitial" | "ads" | "tags" if is_hls => {
            let mut all = after.iter();
            for line in before.iter().filter(|line| !line.starts_with(b"#EXT-X-ALLOW-CACHE") && !line.is_empty()) {
                assert!(all.any(|found| found == line), "{what}: {}", String::from_utf8_lossy(line));
            }
        }
        _ => {}
    }
}
