//! Playlists as they look in every situation, and the rules that all of them keep.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use proptest::prelude::*;
use tidegate_stream::{AS_OF_LAG_SEGMENTS, AsOf, Event, Msn, PartIndex, Position, Timeline, TrackKind};

use super::*;
use crate::{
    read::{Media, Playlist, parse},
    sample::{Log, Shape, audio, session},
};

macro_rules! golden {
    ($name:literal, $text:expr) => {{
        let text: String = $text;
        let expected = include_str!(concat!("golden/", $name, ".m3u8"));
        assert!(text == expected, "{} is now\n---{}\n{text}---", $name, $name);
    }};
}

fn media(timeline: &Timeline, rendition: usize, as_of: AsOf, skip: Option<Skip>) -> String {
    super::media(timeline, &View { rendition, as_of, skip, clip: None, reach: Reach::Blocking })
}

fn newest(timeline: &Timeline) -> AsOf {
    timeline.last().map_or(AsOf::End, AsOf::Part)
}

fn live(log: &Log, rendition: usize) -> String {
    let timeline = log.timeline();
    media(&timeline, rendition, newest(&timeline), None)
}

fn read(text: &str) -> Media {
    match parse(text) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("{other:?}\n{text}"),
    }
}

#[test]
fn a_session_starts_with_one_part() {
    golden!("first_part", live(&Log::regular(1), 0));
}

#[test]
fn in_the_middle_of_a_segment_the_next_part_is_hinted() {
    golden!("mid_segment", live(&Log::regular(10), 0));
}

#[test]
fn after_the_usual_number_of_parts_the_next_segment_is_hinted() {
    golden!("full_segment", live(&Log::regular(12), 0));
}

#[test]
fn audio_has_dates_and_durations_of_its_own() {
    golden!("audio", live(&Log::regular(10), 2));
}

#[test]
fn the_window_slides() {
    golden!("window_slid", live(&Log::windowed(4 * 20 + 2, 12), 0));
}

#[test]
fn a_discontinuity_stands_before_its_segment_and_stays_counted() {
    let mut shapes = Vec::from([Shape::FIRST, Shape::PART, Shape::PART, Shape::PART]);
    shapes.extend([Shape { opens: true, ..Shape::FIRST }, Shape::PART]);
    golden!("discontinuity", live(&Log::shaped(session(7200), &shapes), 0));
    shapes.extend([Shape::FIRST; 5]);
    golden!("discontinuity_first", live(&Log::shaped(session(10), &shapes), 0));
    shapes.extend([Shape::FIRST; 1]);
    golden!("discontinuity_gone", live(&Log::shaped(session(10), &shapes), 0));
}

#[test]
fn gaps_are_listed_as_gaps() {
    let gap = Shape { gap: true, ..Shape::PART };
    let gap_first = Shape { gap: true, ..Shape::FIRST };
    let shapes = [Shape::FIRST, Shape::PART, gap_first, gap, gap, gap, Shape::FIRST, gap];
    let log = Log::shaped(session(7200), &shapes);
    golden!("gap", live(&log, 0));
    golden!("gap_static", static_media(&log.timeline(), 0, &InitSizes::new()));
}

#[test]
fn the_end_lists_segments_alone() {
    let log = Log::regular(7).ended();
    golden!("ended", media(&log.timeline(), 0, AsOf::End, Some(Skip::Segments)));
    let timeline = log.timeline();
    let tracks = timeline.periods().iter().flat_map(|period| period.tracks.iter().flatten());
    let sizes = tracks.map(|track| (track.init, 599)).collect();
    golden!("ended_static", static_media(&timeline, 2, &sizes));
}

#[test]
fn a_delta_leaves_out_what_is_six_targets_old() {
    let timeline = Log::regular(4 * 9 + 2).timeline();
    let yes = media(&timeline, 0, newest(&timeline), Some(Skip::Segments));
    // Who asks for a delta without date ranges is told that none are gone.
    let v2 = media(&timeline, 0, newest(&timeline), Some(Skip::DateRanges));
    let told = yes.replacen("VERSION:9", "VERSION:10", 1).replacen("SEGMENTS=3\n", "SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=\"\"\n", 1);
    assert_eq!(v2, told);
    golden!("delta", yes);
    let young = Log::regular(4 * 5).timeline();
    assert_eq!(media(&young, 0, newest(&young), Some(Skip::Segments)), media(&young, 0, newest(&young), None));
}

/// Announces something with every fifth record, for longer and longer.
fn with_events(mut log: Log) -> Log {
    for (index, record) in log.records.iter_mut().enumerate().filter(|(index, _)| index % 5 == 3) {
        let tidegate_stream::RecordBody::Part(part) = &mut record.body else { continue };
        let duration_us = Some(index as u64 * 200_000);
        let class = if index % 2 == 0 { "com.example.even".to_string() } else { String::new() };
        part.events = Vec::from([Event { id: index.to_string(), class, start_utc_us: part.utc_us, duration_us, ..Event::default() }]);
    }
    log
}

#[test]
fn events_stand_before_the_segment_with_which_they_were_announced() {
    let timeline = with_events(Log::windowed(4 * 12 + 2, 16)).timeline();
    golden!("events", media(&timeline, 0, newest(&timeline), None));
    golden!("events_delta", media(&timeline, 0, newest(&timeline), Some(Skip::DateRanges)));
    golden!("events_static", static_media(&timeline, 0, &InitSizes::new()));
}

#[test]
fn key_frames_are_the_first_bytes_of_their_segments() {
    let log = Log::regular(4 * 3 + 2);
    let timeline = log.timeline();
    let view = View { rendition: 1, as_of: newest(&timeline), skip: None, clip: None, reach: Reach::Blocking };
    golden!("i_frames", i_frames(&timeline, &view));
    golden!("i_frames_static", static_i_frames(&log.ended().timeline(), 1, &InitSizes::new()));
}

#[test]
fn a_host_that_holds_nothing_promises_nothing() {
    let timeline = Log::windowed(4 * 12 + 2, 16).timeline();
    let view = View { rendition: 0, as_of: newest(&timeline), skip: None, clip: None, reach: Reach::Segments };
    golden!("segments", super::media(&timeline, &view));
    golden!("segments_delta", super::media(&timeline, &View { skip: Some(Skip::Segments), ..view }));
    golden!("parts", super::media(&timeline, &View { reach: Reach::Parts, ..view }));
}

#[test]
fn a_clip_is_an_event_until_its_end_is_there() {
    let log = with_events(Log::regular(4 * 8 + 2));
    let clip = |timeline: &Timeline, query: &str| {
        let stretch = Stretch::parse(query).unwrap().unwrap();
        let Shown::Clip(clip) = stretch.find(timeline) else { panic!("{query}") };
        super::media(timeline, &View { rendition: 0, as_of: newest(timeline), skip: None, clip: Some(clip), reach: Reach::Blocking })
    };
    golden!("clip", clip(&log.timeline(), "start=3.5&end=8"));
    golden!("clip_growing", clip(&log.after(14), "start=3.5&end=8"));
}

#[test]
fn a_stretch_reads_as_it_is_written() {
    let timeline = Log::regular(4 * 8).timeline();
    for (query, written) in [
        ("start=3.5&end=8", "start=2026-09-21T14:13:23.500Z&end=2026-09-21T14:13:28.000Z"),
        ("x=1&end=2026-09-21T16%3A13%3A28%2B02:00", "end=2026-09-21T14:13:28.000Z"),
    ] {
        let stretch = Stretch::parse(query).unwrap().unwrap();
        assert_eq!(stretch.query(&timeline), written);
        assert_eq!(Stretch::parse(written).unwrap().unwrap().find(&timeline), stretch.find(&timeline));
    }
    assert_eq!(Stretch::parse("_HLS_msn=1&started=1"), Ok(None));
    assert_eq!(Stretch::parse("start=2026-09-21T14:13:23Z&end=2026-09-21T14:13:22Z"), Err(StretchError::Backwards));
}

#[test]
fn multivariant_playlists_name_every_rendition() {
    let timeline = Log::regular(1).timeline();
    let id = timeline.session().id.clone();
    let prefix = id.to_string() + "/";
    golden!(
        "multivariant",
        multivariant(
            &timeline,
            &MultivariantOptions {
                prefix: &prefix,
                i_frames: true,
                description: Description { title: "A \"fine\"\nday", text: "", tags: &["news".to_string(), "live".to_string()] },
                ..MultivariantOptions::default()
            }
        )
    );
    golden!("multivariant_ended", static_multivariant(&Log::regular(8).ended().timeline(), ""));
}

#[test]
fn sound_alone_is_a_variant_by_itself() {
    let mut session = session(7200);
    session.renditions.drain(..2);
    let mut log = Log::shaped(session, &[]);
    for record in Log::regular(6).records {
        let tidegate_stream::RecordBody::Part(mut part) = record.body else { unreachable!() };
        part.tracks.drain(..2);
        if let Some(period) = &mut part.opens {
            period.tracks = Vec::from([Some(audio(3))]);
        }
        log.push(tidegate_stream::RecordBody::Part(part));
    }
    golden!("audio_only", live(&log, 0));
    golden!("audio_only_multivariant", static_multivariant(&log.timeline(), ""));
}

#[test]
fn a_rendition_that_the_source_does_not_have_is_not_offered() {
    let mut log = Log::regular(6);
    for record in &mut log.records {
        let tidegate_stream::RecordBody::Part(part) = &mut record.body else { unreachable!() };
        part.tracks[2] = tidegate_stream::TrackPart::default();
        if let Some(period) = &mut part.opens {
            period.tracks[2] = None;
        }
    }
    let text = static_multivariant(&log.timeline(), "");
    assert!(!text.contains("audio") && !text.contains("mp4a"), "{text}");
    let audio = read(&live(&log, 2));
    let video = read(&live(&log, 0));
    assert!(audio.segments.iter().all(|segment| segment.gap && segment.map.is_none()));
    assert_eq!(audio.duration_us(), video.duration_us(), "a gap is as long as what it stands beside");
}

#[test]
fn nothing_known_is_an_empty_playlist() {
    let timeline = Timeline::new(session(7200));
    for text in [media(&timeline, 0, AsOf::End, None), media(&timeline, 9, AsOf::End, None), static_media(&timeline, 0, &InitSizes::new())]
    {
        assert!(read(&text).segments.is_empty(), "{text}");
    }
    assert_eq!(static_multivariant(&timeline, "").lines().count(), 3);
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let shape = (prop::bool::weighted(0.3), prop::bool::weighted(0.1), 1u32..=15, prop::bool::weighted(0.1));
    let shape = shape.prop_map(|(begins, opens, frames, gap)| Shape { begins, opens, frames, gap });
    prop::collection::vec(shape, 1..120)
}

fn window_s() -> impl Strategy<Value = u32> {
    prop_oneof![6u32..40, Just(7200)]
}

/// What a complete playlist has to be, whatever it is made from (rfc8216bis, and the HLS authoring specification).
fn check(text: &str, timeline: &Timeline, rendition: usize) -> Media {
    let list = read(text);
    let target = u64::from(list.target_duration_s) * 1_000_000;
    let control = list.server_control.expect("a live playlist says what the server can do");
    let part_target = list.part_target_us.expect("PART-INF stands where parts do");
    assert!(control.can_block_reload && control.can_skip_until_us >= Some(6 * target) && control.hold_back_us >= Some(3 * target));
    assert!(control.part_hold_back_us >= Some(3 * part_target));
    let open = list.open.as_ref().expect("the newest part belongs to an open segment");
    assert_eq!(open.msn, list.open_msn());

    let mut sequence = list.discontinuity_sequence;
    for segment in list.segments.iter().chain([open]) {
        sequence += u64::from(segment.discontinuity);
        assert_eq!(u64::from(timeline.segment(segment.msn).unwrap().period), sequence);
        assert!(segment.program_date_time_us.is_some());
        for part in &segment.parts {
            assert!(part.duration_us <= part_target, "{} is longer than {part_target}", part.uri);
        }
        let parts: u64 = segment.parts.iter().map(|part| part.duration_us).sum();
        assert!(segment.parts.is_empty() || parts == segment.duration_us, "parts add up to their segment");
    }
    // Parts are those of the newest segments, without holes, and no older than three target durations.
    let mut distance = open.duration_us;
    let mut all = true;
    for (index, segment) in list.segments.iter().rev().enumerate() {
        distance += segment.duration_us;
        let listed = !segment.parts.is_empty();
        assert!(all || !listed, "parts of {} come after none", segment.msn);
        assert_eq!(listed, distance <= 3 * target && index < 5, "parts of {}", segment.msn);
        all = listed;
    }
    assert_eq!(list.preload_hints.len(), 1);
    assert_eq!(list.rendition_reports.len(), timeline.session().renditions.len() - 1);
    let last_part = open.parts.len() as u64 - 1;
    assert!(list.rendition_reports.iter().all(|report| (report.last_msn, report.last_part) == (Some(open.msn.0), Some(last_part))));
    let own = timeline.session().renditions[rendition].id.as_str();
    assert!(list.rendition_reports.iter().all(|report| !report.uri.starts_with(own)));
    list
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_playlist_keeps_the_rules_and_numbers_never_go_back(shapes in shapes(), window_s in window_s(), rendition in 0usize..3) {
        let log = Log::shaped(session(window_s), &shapes);
        let mut before: Option<Media> = None;
        for known in 1..=log.records.len() {
            let timeline = log.after(known);
            let list = check(&media(&timeline, rendition, newest(&timeline), None), &timeline, rendition);
            if let Some(before) = before {
                prop_assert!(list.media_sequence >= before.media_sequence);
                prop_assert!(list.discontinuity_sequence >= before.discontinuity_sequence);
                prop_assert_eq!((list.server_control, list.part_target_us), (before.server_control, before.part_target_us));
                for segment in &before.segments {
                    let Some(now) = list.segments.iter().find(|now| now.msn == segment.msn) else { continue };
                    let parts = if now.parts.is_empty() { Vec::new() } else { segment.parts.clone() };
                    prop_assert_eq!(now, &read::Segment { parts, ..segment.clone() }, "a listed segment never changes");
                }
            }
            before = Some(list);
        }
    }

    #[test]
    fn what_else_is_known_changes_nothing(shapes in shapes(), window_s in window_s(), rendition in 0usize..3, skip: bool, end: bool) {
        let log = with_events(Log::shaped(session(window_s), &shapes));
        let skip = skip.then_some(Skip::DateRanges);
        let mut rendered: Vec<(Position, String)> = Vec::new();
        let log = if end { log.ended() } else { log };
        for known in 1..=log.records.len() {
            let timeline = log.after(known);
            let last = timeline.last().unwrap();
            if rendered.last().is_none_or(|(position, _)| *position < last) {
                rendered.push((last, media(&timeline, rendition, AsOf::Part(last), skip)));
            }
            for (position, text) in rendered.iter().filter(|(position, _)| position.msn.0 + AS_OF_LAG_SEGMENTS >= last.msn.0) {
                prop_assert_eq!(&media(&timeline, rendition, AsOf::Part(*position), skip), text);
            }
        }
    }

    #[test]
    fn a_delta_completes_to_the_whole(shapes in shapes(), window_s in window_s(), rendition in 0usize..3, ago in 0usize..12) {
        let log = with_events(Log::shaped(session(window_s), &shapes));
        let before = log.after(log.records.len().saturating_sub(ago).max(1));
        let now = log.timeline();
        // Those that are gone are told of for six segments; a list older than that is read anew.
        prop_assume!(now.last().unwrap().msn.0 - before.last().unwrap().msn.0 <= 6);
        let before = read(&media(&before, rendition, newest(&before), None));
        let mut whole = read(&media(&now, rendition, newest(&now), None));
        let delta = read(&media(&now, rendition, newest(&now), Some(Skip::DateRanges)));
        whole.version = delta.version;
        prop_assert_eq!(delta.merge_delta(before).unwrap(), whole);
    }

    #[test]
    fn regular_streams_get_the_part_that_was_hinted(parts_per_segment in 1usize..6, frames in 8u32..=15, segments in 2usize..8) {
        // Segments of one target duration, so that the first one shows how long they are.
        let mut session = session(7200);
        session.target_duration_s = (parts_per_segment as u32 * frames).div_ceil(30);
        let frames = session.target_duration_s * 30 / parts_per_segment as u32;
        prop_assume!(frames <= 15 && session.target_duration_s * 30 == frames * parts_per_segment as u32);
        let part = |n: usize| Shape { frames, ..if n.is_multiple_of(parts_per_segment) { Shape::FIRST } else { Shape::PART } };
        let shapes: Vec<_> = (0..parts_per_segment * segments).map(part).collect();
        let log = Log::shaped(session, &shapes);
        for known in 1..log.records.len() {
            let timeline = log.after(known);
            let hint = read(&media(&timeline, 0, newest(&timeline), None)).preload_hints.remove(0).uri;
            let next = log.after(known + 1).last().unwrap();
            prop_assert_eq!(hint, tidegate_stream::Path::part_uri(&timeline.session().renditions[0].id, next.msn, next.part));
        }
    }

    #[test]
    fn static_playlists_list_closed_segments_as_ranges(shapes in shapes(), window_s in window_s(), rendition in 0usize..3, end: bool) {
        let log = Log::shaped(session(window_s), &shapes);
        let timeline = if end { log.ended().timeline() } else { log.timeline() };
        let list = read(&static_media(&timeline, rendition, &InitSizes::new()));
        let live = read(&media(&timeline, rendition, AsOf::End, None));
        prop_assert_eq!(list.ended, end);
        prop_assert!(list.open.is_none() && list.part_target_us.is_none());
        for segment in &list.segments {
            let known = timeline.segment(segment.msn).unwrap();
            let share = known.tracks[rendition];
            prop_assert_eq!(segment.gap, share.len == 0);
            let range = (share.len > 0).then_some(read::ByteRange { offset: share.offset, length: share.len.into() });
            prop_assert_eq!(segment.byte_range, range);
            prop_assert_eq!(&segment.uri, &format!("seg/{:010}.mp4", segment.msn.0));
        }
        let facts = |list: &Media| -> Vec<_> {
            let fact = |segment: &read::Segment| (segment.msn, segment.duration_us, segment.program_date_time_us, segment.map.clone());
            list.segments.iter().map(fact).collect()
        };
        let own = facts(&list);
        prop_assert_eq!(own, facts(&live));
    }
}

#[test]
fn a_rate_of_30000_in_1001_s_does_not_drift() {
    let mut log = Log::regular(0);
    for record in Log::regular(4 * 900).records {
        let tidegate_stream::RecordBody::Part(mut part) = record.body else { unreachable!() };
        for track in &mut part.tracks[..2] {
            track.start = track.start * 1001 / 1000;
            track.duration = track.duration * 1001 / 1000;
        }
        log.push(tidegate_stream::RecordBody::Part(part));
    }
    let list = read(&media(&log.timeline(), 0, AsOf::End, None));
    // 900 segments of 60 frames, without the last, which is open: 1799.798 s.
    assert_eq!(list.segments.iter().map(|segment| segment.duration_us).sum::<u64>(), 899 * 2_002_000);
    assert!(matches!(log.timeline().periods()[0].tracks[0].as_ref().unwrap().kind, TrackKind::Video { .. }));
}

#[test]
fn a_part_is_named_by_its_place() {
    let timeline = Log::regular(6).timeline();
    let as_of = AsOf::Part(Position { msn: Msn(1), part: PartIndex(0) });
    let list = read(&media(&timeline, 1, as_of, None));
    assert_eq!(list.open.unwrap().parts[0].uri, "low/1.0.m4s");
}
