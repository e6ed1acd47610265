//! MPDs as they look in every situation, and what holds of all of them.

use alloc::{
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use proptest::prelude::*;
use tidegate_stream::{AttributeValue, Event, MpdKind, Msn, RecordBody, Scte35, Scte35Kind, Timeline};

use self::sample::{Log, START_US, Shape, session};
use super::*;

// The logs that playlists are tested with.
#[path = "../../hls/src/sample.rs"]
mod sample;

macro_rules! golden {
    ($name:literal, $text:expr) => {{
        let text: String = $text;
        let expected = include_str!(concat!("golden/", $name, ".mpd"));
        assert!(text == expected, "{} is now\n---{}\n{text}---", $name, $name);
    }};
}

fn render(timeline: &Timeline, kind: MpdKind) -> String {
    mpd(timeline, &Options { kind, prefix: "", time_uri: "/time", clip: None })
}

fn with_events(log: &mut Log, record: usize, events: Vec<Event>) {
    let RecordBody::Part(part) = &mut log.records[record].body else { panic!("record {record} is no part") };
    part.events = events;
}

#[test]
fn a_live_session_lists_whole_segments() {
    let text =
        mpd(&Log::regular(4 * 9 + 2).timeline(), &Options { kind: MpdKind::Whole, prefix: "session/", time_uri: "/time", clip: None });
    golden!("live", text);
}

#[test]
fn at_low_latency_the_newest_segments_are_sequences_of_parts() {
    golden!("low_latency", render(&Log::regular(4 * 20 + 2).timeline(), MpdKind::LowLatency));
}

#[test]
fn a_recording_is_static_whatever_is_asked_for() {
    let timeline = Log::regular(7).ended().timeline();
    assert_eq!(render(&timeline, MpdKind::LowLatency), render(&timeline, MpdKind::Whole));
    golden!("ended", render(&timeline, MpdKind::Whole));
}

#[test]
fn a_discontinuity_starts_a_period_and_events_stand_in_theirs() {
    let mut shapes = Vec::from([Shape::FIRST, Shape::PART, Shape::PART, Shape::PART]);
    shapes.extend([Shape { opens: true, ..Shape::FIRST }, Shape::PART, Shape::PART, Shape::PART, Shape::FIRST]);
    let mut log = Log::shaped(session(7200), &shapes);
    let event = |id: &str, start_us: i64| Event { id: id.to_string(), start_utc_us: START_US + start_us, ..Event::default() };
    let out = Event {
        duration_us: Some(30_000_000),
        scte35: Some(Scte35 { kind: Scte35Kind::Out, section: vec![0xfc, 0x30, 0x11] }),
        ..event("break", 1_000_000)
    };
    let cue = Event {
        class: "com.example.cue".to_string(),
        attributes: vec![("X-NAME".to_string(), AttributeValue::Text("a < b".to_string()))],
        ..event("cue", 2_500_000)
    };
    with_events(&mut log, 1, vec![out, cue]);
    golden!("periods", render(&log.timeline(), MpdKind::Whole));
}

#[test]
fn a_window_that_slid_keeps_the_times_of_its_period() {
    golden!("slid", render(&Log::windowed(4 * 20 + 2, 12).timeline(), MpdKind::Whole));
}

#[test]
fn a_clip_is_static_once_it_is_complete_and_then_the_same_for_ever() {
    let clip = |log: &Log, last| {
        mpd(
            &log.timeline(),
            &Options { kind: MpdKind::LowLatency, prefix: "", time_uri: "/time", clip: Some(Clip { first: Msn(2), last }) },
        )
    };
    let complete = clip(&Log::regular(4 * 9 + 2), Some(Msn(4)));
    golden!("clip", complete);
    assert_eq!(clip(&Log::regular(4 * 9 + 2), Some(Msn(4))), clip(&Log::regular(4 * 19).ended(), Some(Msn(4))));
    let growing = clip(&Log::regular(4 * 9 + 2), None);
    assert!(growing.contains("type=\"dynamic\"") && growing.contains("startNumber=\"2\""), "{growing}");
    assert_eq!(segments(&growing).iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn nothing_known_is_an_mpd_without_periods() {
    assert!(!render(&Timeline::new(session(7200)), MpdKind::Whole).contains("<Period"));
}

/// The elements of an MPD with their attributes; panics where it is not well-formed.
fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut open = Vec::new();
    let mut found = Vec::new();
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap();
    while let Some(at) = rest.find('<') {
        let (tag, after) = rest[at + 1..].split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{text}");
            continue;
        }
        let (tag, is_whole) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut list) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((own, value)) = list.split_once("=\"") {
            let (value, others) = value.split_once('"').unwrap();
            attributes.push((own.trim().to_string(), value.to_string()));
            list = others;
        }
        assert!(list.trim().is_empty(), "{tag}");
        if !is_whole {
            open.push(name.to_string());
        }
        found.push((name.to_string(), attributes));
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

fn number(attributes: &[(String, String)], name: &str) -> Option<u64> {
    attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.parse().unwrap())
}

/// Number, start and duration of each segment of the first representation of each period.
fn segments(text: &str) -> Vec<(u64, u64, u64)> {
    let mut found = Vec::new();
    let (mut next, mut of_period) = (0, 0);
    for (name, attributes) in elements(text) {
        match name.as_str() {
            "Period" => of_period = 0,
            "Representation" => of_period += 1,
            "SegmentTemplate" if of_period == 1 => next = number(&attributes, "startNumber").unwrap_or(next),
            "S" if of_period == 1 => {
                let (mut start, duration) = (number(&attributes, "t").unwrap(), number(&attributes, "d").unwrap());
                for _ in 0..=number(&attributes, "r").unwrap_or(0) {
                    found.push((next, start, duration));
                    (next, start) = (next + 1, start + duration);
                }
            }
            _ => {}
        }
    }
    found
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let shape = (prop::bool::weighted(0.3), prop::bool::weighted(0.1), 1u32..=15, prop::bool::weighted(0.1));
    let shape = shape.prop_map(|(begins, opens, frames, gap)| Shape { begins, opens, frames, gap });
    prop::collection::vec(shape, 1..80)
}

proptest! {
    #[test]
    fn what_one_mpd_says_of_a_segment_the_next_ones_say_too(shapes in shapes(), window_s in 6u32..60, end: bool) {
        let log = Log::shaped(session(window_s), &shapes);
        let mut before: Vec<(u64, u64, u64)> = Vec::new();
        for known in 1..=log.records.len() {
            let timeline = log.after(known);
            let now = segments(&render(&timeline, MpdKind::Whole));
            for (number, start, duration) in &now {
                let segment = timeline.segment(Msn(*number)).unwrap();
                prop_assert_eq!((segment.tracks[0].start, segment.tracks[0].duration), (*start, *duration));
                if let Some(old) = before.iter().find(|old| old.0 == *number) {
                    prop_assert_eq!(old, &(*number, *start, *duration));
                }
            }
            prop_assert!(now.first() >= before.first() || before.is_empty());
            before = now;
            elements(&render(&timeline, MpdKind::LowLatency));
        }
        if end {
            let now = segments(&render(&log.ended().timeline(), MpdKind::Whole));
            prop_assert!(before.iter().all(|old| now.contains(old) || old.0 < now[0].0));
        }
    }

    #[test]
    fn no_text_breaks_out_of_its_place(text in "\\PC{0,40}|[<>&'\"]{0,8}") {
        let mut xml = xml::Xml::new();
        xml.start("a").attribute("b", &text).start("c").text(&text).end().end();
        prop_assert_eq!(elements(&xml.finish()).len(), 2);
    }
}
