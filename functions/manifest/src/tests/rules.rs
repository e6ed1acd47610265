//! The rules of low latency (draft-pantos-hls-rfc8216bis-22 and the HLS authoring specification, 14), one test each, on what viewers
//! get. Rules 15 and 16 are about transport: `functions/host/tests`.

use tidegate_hls::read::{Media, PreloadKind};
use tidegate_stream::Event;

use super::{
    end, get, header, media, status, text,
    world::{START_MS, World},
};
use crate::State;
use tidegate_function::{Answer, Request, Waited};

const PLAYLISTS: [&str; 3] = ["~/source.m3u8", "~/audio.m3u8", "~/source.iframes.m3u8"];

fn read(world: &World, address: &str) -> Media {
    media(&world.get(&mut State::new(), address))
}

#[test]
fn rule_01_hold_backs_are_three_targets() {
    let list = read(&World::after(10), "~/source.m3u8");
    let control = list.server_control.unwrap();
    // The longest part of any rendition counts: audio has 0.512 s.
    assert_eq!((list.part_target_us, control.part_hold_back_us, control.hold_back_us), (Some(500_000), Some(1_536_000), Some(6_000_000)));
}

#[test]
fn rule_02_parts_are_at_least_85_percent_of_their_target_but_at_the_end_of_a_segment() {
    let mut world = World::after(10);
    world.write_part(true);
    for address in &PLAYLISTS[..2] {
        let list = read(&world, address);
        let target = list.part_target_us.unwrap();
        for segment in list.segments.iter().chain(&list.open) {
            for (index, part) in segment.parts.iter().enumerate() {
                let may_be_short = index + 1 == segment.parts.len() || part.independent || part.gap;
                assert!(part.duration_us <= target && (may_be_short || part.duration_us * 100 >= target * 85), "{}", part.uri);
            }
        }
    }
}

#[test]
fn rule_03_targets_are_equal_in_all_renditions_and_never_change() {
    let mut world = World::after(5);
    let facts = |list: Media| (list.target_duration_s, list.server_control);
    let first = facts(read(&world, PLAYLISTS[0]));
    for records in 0..100u32 {
        world.write_part(records.is_multiple_of(7));
        for address in PLAYLISTS {
            let list = read(&world, address);
            assert!(list.segments.iter().all(|segment| segment.duration_us <= u64::from(list.target_duration_s) * 1_000_000 + 499_999));
            assert_eq!(facts(list), first);
        }
    }
}

#[test]
fn rule_04_what_is_missing_is_a_gap() {
    let mut world = World::after(9);
    world.gap = true;
    world.write_part(false);
    for n in 0..4 {
        world.gap = true;
        world.write_part(n == 0);
    }
    world.write_part(true);
    let mut state = State::new();
    let list = media(&world.get(&mut state, "~/source.m3u8"));
    let [.., broken, gone] = list.segments.as_slice() else { panic!("{list:?}") };
    assert!(!broken.gap && broken.parts[1].gap && gone.gap && gone.parts.iter().all(|part| part.gap));
    for uri in [&broken.parts[1].uri, &gone.uri, &gone.parts[0].uri] {
        // Players of HLS do not ask for it; those of DASH get a fragment without frames.
        let Answer::Respond { status: 200, body, .. } = world.get(&mut state, &format!("~/{uri}")) else { panic!("{uri}") };
        let chunk = tidegate_cmaf::read_chunk(&body, &tidegate_cmaf::Defaults::default()).unwrap();
        assert!(chunk.samples.is_empty() && chunk.decode_time > 0, "{uri}: {chunk:?}");
    }
    assert!(read(&world, "~/audio.m3u8").segments.iter().all(|segment| !segment.gap));
    assert!(read(&world, "~/source.iframes.m3u8").segments.last().unwrap().gap);
}

#[test]
fn rule_05_parts_leave_the_list_after_three_targets_and_stay_for_three_more() {
    let mut world = World::after(4 * 10);
    let mut state = State::new();
    let mut seen: Vec<(u64, String)> = Vec::new();
    for _ in 0..40 {
        world.write_part(false);
        let list = media(&world.get(&mut state, "~/source.m3u8"));
        let all: Vec<_> = list.segments.iter().chain(&list.open).collect();
        let mut distance = 0;
        for segment in all.iter().rev() {
            distance += segment.duration_us;
            assert_eq!(!segment.parts.is_empty(), distance <= 6_000_000, "segment {} at {distance}", segment.msn);
        }
        let now = world.now_ms();
        seen.retain(|(at, _)| now - at <= 12_000);
        seen.extend(all.last().iter().flat_map(|open| &open.parts).map(|part| (now, part.uri.clone())));
        for (_, uri) in &seen {
            assert_eq!(status(&world.get(&mut state, &format!("~/{uri}"))), 200, "{uri}");
        }
    }
}

#[test]
fn rule_06_what_is_listed_is_there_as_a_whole() {
    let world = World::after(4 * 12 + 3);
    let mut state = State::new();
    for address in &PLAYLISTS[..2] {
        let list = media(&world.get(&mut state, address));
        let parts = list.segments.iter().chain(&list.open).flat_map(|segment| &segment.parts).map(|part| &part.uri);
        for uri in list.segments.iter().map(|segment| &segment.uri).chain(parts) {
            let answer = world.get(&mut state, &format!("~/{uri}"));
            assert!(world.body(&answer).starts_with(if address.contains("audio") { "[audio" } else { "[video" }), "{uri}");
        }
    }
}

#[test]
fn rule_07_key_frames_are_marked_and_tags_stand_before_the_first_part() {
    let answer = World::after(10).get(&mut State::new(), "~/source.m3u8");
    for segment in media(&answer).segments {
        let marks: Vec<bool> = segment.parts.iter().map(|part| part.independent).collect();
        assert_eq!(marks, [true, false, false, false]);
    }
    let lines: Vec<&str> = text(&answer).lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[0].starts_with("#EXT-X-PROGRAM-DATE-TIME") || pair[0].starts_with("#EXT-X-MAP")) {
        assert!(!pair[1].starts_with("#EXTINF"), "{pair:?}");
    }
    assert!(read(&World::after(10), "~/audio.m3u8").segments.iter().flat_map(|segment| &segment.parts).all(|part| part.independent));
}

#[test]
fn rule_08_dates_are_in_all_playlists_and_agree() {
    let world = World::after(4 * 9 + 1);
    let dates =
        |address| -> Vec<_> { read(&world, address).segments.iter().map(|segment| segment.program_date_time_us.unwrap()).collect() };
    let [video, audio, key_frames] = PLAYLISTS.map(dates);
    assert_eq!(video, key_frames);
    // Media time 0 is the same moment in both.
    assert_eq!(video, audio);
    assert_eq!(video[0], (START_MS * 1000) as i64);
}

#[test]
fn rule_09_the_next_part_is_hinted_and_nothing_after_the_end() {
    let mut world = World::after(10);
    let mut state = State::new();
    let list = media(&world.get(&mut state, "~/source.m3u8"));
    let [hint] = list.preload_hints.as_slice() else { panic!("{:?}", list.preload_hints) };
    assert_eq!((hint.kind, hint.uri.as_str()), (PreloadKind::Part, "source/2.2.m4s"));
    assert!(matches!(world.get(&mut state, "~/source/2.2.m4s"), Answer::Wait { .. }));
    assert_eq!(status(&world.get(&mut state, "~/source/2.6.m4s")), 404, "nobody was told of it");
    world.write_end();
    assert!(media(&world.get(&mut State::new(), "~/source.m3u8")).preload_hints.is_empty());
}

#[test]
fn rule_10_every_other_rendition_is_reported() {
    let world = World::after(10);
    for (own, other) in [("~/source.m3u8", "audio.m3u8"), ("~/audio.m3u8", "source.m3u8")] {
        let list = read(&world, own);
        let [report] = list.rendition_reports.as_slice() else { panic!("{:?}", list.rendition_reports) };
        assert_eq!((report.uri.as_str(), report.last_msn, report.last_part), (other, Some(2), Some(1)));
    }
}

#[test]
fn rule_11_the_server_says_the_same_everywhere() {
    let world = World::after(4 * 9);
    let control = |address: &&str| {
        let answer = world.get(&mut State::new(), address);
        text(&answer).lines().find(|line| line.starts_with("#EXT-X-SERVER-CONTROL")).map(str::to_owned)
    };
    let all: Vec<_> =
        PLAYLISTS.iter().chain(&["~/source.m3u8?start=4", "~/source.m3u8?_HLS_msn=8&_HLS_part=0&_HLS_skip=v2"]).map(control).collect();
    assert!(all.iter().all(|line| line.is_some() && *line == all[0]), "{all:?}");
}

#[test]
fn rule_12_directives_wait_for_a_segment_or_a_part() {
    let mut world = World::after(10);
    let mut state = State::new();
    for query in ["_HLS_msn=2", "_HLS_msn=2&_HLS_part=2", "_HLS_msn=3&_HLS_part=0"] {
        assert!(matches!(world.get(&mut state, &format!("~/source.m3u8?{query}")), Answer::Wait { .. }), "{query}");
    }
    world.write_part(true);
    let mut at = |query: &str| end(&world.get(&mut state, &format!("~/source.m3u8?{query}")));
    assert_eq!(at("_HLS_msn=2"), (3, 1), "the segment is complete");
    assert_eq!(at("_HLS_msn=2&_HLS_part=2"), (3, 1), "a part beyond the last is the first of the next segment");
    assert_eq!(status(&world.get(&mut State::new(), "~/source.m3u8?_HLS_part=1")), 400);
}

#[test]
fn rule_13_too_far_is_400_too_long_503_and_old_the_newest() {
    let mut world = World::after(4 * 6 + 2);
    let asked = |world: &World, query: &str| world.get(&mut State::new(), &format!("~/source.m3u8?{query}"));
    assert_eq!(status(&asked(&world, "_HLS_msn=9")), 400);
    assert_eq!(status(&asked(&world, "_HLS_msn=6&_HLS_part=9")), 400);
    assert!(matches!(asked(&world, "_HLS_msn=8"), Answer::Wait { .. }));
    assert_eq!(end(&asked(&world, "_HLS_msn=1&_HLS_part=1")), (6, 2));
    let request = Request { waited: Some(Waited::Timeout), ..get(&world.full("~/source.m3u8?_HLS_msn=6&_HLS_part=2")) };
    assert_eq!(status(&world.run(&mut State::new(), request, world.now_ms() + 1500).0), 503);
    world.write_end();
    for query in ["_HLS_msn=99", "_HLS_msn=1&_HLS_part=1", "_HLS_skip=v2"] {
        assert!(media(&asked(&world, query)).ended, "{query}");
    }
}

#[test]
fn rule_14_deltas_leave_out_what_they_may() {
    let mut world = World::new(START_MS);
    for n in 0..4 * 20 + 2 {
        // Both were announced long before the skip boundary; the short one is over.
        if n == 4 {
            let event = |id: &str, duration_us| Event {
                id: id.to_owned(),
                start_utc_us: (START_MS * 1000) as i64,
                duration_us: Some(duration_us),
                ..Event::default()
            };
            world.events = vec![event("short", 1_000_000), event("long", 3_600_000_000)];
        }
        world.write_part(false);
    }
    let at = |query: &str| world.get(&mut State::new(), &format!("~/source.m3u8?_HLS_msn=20&_HLS_part=1{query}"));
    let (whole, yes, v2) = (at(""), at("&_HLS_skip=YES"), at("&_HLS_skip=v2"));
    let [list, yes_list, v2_list] = [&whole, &yes, &v2].map(media);
    assert_eq!((list.version, yes_list.version, v2_list.version), (8, 9, 10));
    let skip_until = list.server_control.and_then(|control| control.can_skip_until_us).unwrap();
    assert_eq!(skip_until, 12_000_000);
    let kept: u64 = yes_list.segments.iter().chain(&yes_list.open).map(|segment| segment.duration_us).sum();
    assert!(kept >= skip_until && kept < skip_until + 2_000_000, "{kept}");
    assert_eq!((list.date_ranges.len(), yes_list.date_ranges.len(), v2_list.date_ranges.len()), (2, 2, 0));
    for delta in [yes_list, v2_list] {
        let mut merged = delta.merge_delta(list.clone()).unwrap();
        merged.version = list.version;
        assert_eq!(merged, list);
    }
    assert!(text(&v2).len() < text(&yes).len() && text(&yes).len() < text(&whole).len());
}

#[test]
fn rule_14_date_ranges_that_left_are_named() {
    let mut world = World::new(START_MS);
    for n in 0..4 * 3700 {
        if n == 400 {
            let start_utc_us = (START_MS * 1000) as i64 + 200_000_000;
            world.events = vec![Event { id: "gone".to_owned(), start_utc_us, duration_us: Some(1), ..Event::default() }];
        }
        world.write_part(false);
        // The window is 3,600 segments: segment 100 leaves it when 3,701 begins.
    }
    let mut state = State::new();
    let mut named = Vec::new();
    for _ in 0..64 {
        world.write_part(false);
        let last = world.timeline.last().unwrap();
        let delta = media(&world.get(&mut state, &format!("~/source.m3u8?_HLS_msn={}&_HLS_part={}&_HLS_skip=v2", last.msn, last.part)));
        named.push(delta.skip.and_then(|skip| skip.recently_removed_dateranges).unwrap_or_default());
    }
    assert!(named.first().unwrap().is_empty() && named.last().unwrap().is_empty());
    assert!(named.iter().any(|ids| *ids == ["gone"]));
}

#[test]
fn rule_17_the_same_request_gets_the_same_bytes_from_every_edge() {
    // The property over whole sessions is `every_instance_gives_the_same_bytes_for_the_same_part`; here edges that began to follow
    // at different moments, with events on the way.
    let mut world = World::after(0);
    let mut edges: Vec<State> = Vec::new();
    for records in 1..=120u64 {
        if records % 9 == 0 {
            let start_utc_us = (START_MS * 1000 + records * 500) as i64;
            world.events = vec![Event { id: records.to_string(), start_utc_us, duration_us: Some(records * 100_000), ..Event::default() }];
        }
        world.write_part(records % 11 == 0);
        if records % 20 == 1 {
            edges.push(State::new());
        }
        let last = world.timeline.last().unwrap();
        for playlist in ["source.m3u8", "audio.m3u8", "source.iframes.m3u8"] {
            for skip in ["", "&_HLS_skip=YES", "&_HLS_skip=v2"] {
                let address = format!("~/{playlist}?_HLS_msn={}&_HLS_part={}{skip}", last.msn, last.part);
                let bodies: Vec<String> = edges.iter_mut().map(|edge| text(&world.get(edge, &address)).to_owned()).collect();
                assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{address}");
            }
        }
    }
}

#[test]
fn rule_18_answers_are_kept_as_long_as_they_are_true() {
    let world = World::after(10);
    let kept = |address: &str| header(&world.get(&mut State::new(), address), "cache-control").to_owned();
    // Six target durations for what was named, half of one for what was not, a moment for what may yet come.
    assert_eq!(kept("~/source.m3u8?_HLS_msn=2&_HLS_part=1"), "public, max-age=12");
    assert_eq!(kept("~/source.m3u8"), "public, max-age=1");
    assert_eq!(kept("~/source/9.m4s"), "public, max-age=1");
    assert_eq!(kept("~/source/1.m4s"), "public, max-age=31536000, immutable");
}
