use alloc::{string::ToString, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{ConfigHash, Rendition, RenditionId, RenditionKind, SessionId, StreamId, TrackKind, TrackPart, WriterId, encode_record};

fn session(dvr_window_s: u32) -> Session {
    let rendition = |id, kind| Rendition { id: RenditionId::parse(id).unwrap(), kind, part_target_us: 500_000 };
    Session {
        stream: StreamId::parse("demo").unwrap(),
        id: SessionId::new(1, 1),
        target_duration_s: 2,
        dvr_window_s,
        renditions: vec![rendition("source", RenditionKind::Video), rendition("audio", RenditionKind::Audio)],
    }
}

fn period(index: u32, first_msn: Msn) -> Period {
    let kind = TrackKind::Audio { sample_rate: 48_000, channels: 2 };
    let track = Track { init: ConfigHash([1; 8]), codec: "mp4a.40.2".to_string(), timescale: 48_000, bandwidth_bps: 1, kind };
    Period { index, utc_us: 0, start_us: 0, first_msn, tracks: vec![Some(track), None] }
}

/// Writes a log: each item is the number of parts of a segment and whether a period opens with it.
fn log(shape: &[(u32, bool)], end: bool) -> Vec<Vec<u8>> {
    let mut objects: Vec<Vec<u8>> = Vec::new();
    let (mut periods, mut objects_written) = (0, 0);
    let mut push = |body| {
        let previous = objects.last().map_or(Hash::ZERO, |object| Record::hash(object));
        let record = Record { number: RecordNumber(objects.len() as u64), previous, writer: WriterId(1), body };
        let media: &[&[u8]] = if matches!(record.body, RecordBody::End) { &[] } else { &[b"vvvv", b"aa"] };
        objects.push(encode_record(&record, media).unwrap());
    };
    for (msn, (parts, opens)) in shape.iter().enumerate() {
        for part in 0..*parts {
            let msn = Msn(msn as u64);
            let opens = (part == 0 && (*opens || msn.0 == 0)).then(|| period(periods, msn));
            periods += u32::from(opens.is_some());
            let utc_us = objects_written as i64 * 500_000;
            objects_written += 1;
            // One now and then, some of them planned ahead and some of them long.
            let event = |n: u64| Event {
                id: n.to_string(),
                start_utc_us: utc_us + (n % 5) as i64 * 1_000_000,
                duration_us: (!n.is_multiple_of(3)).then_some(n % 7 * 3_000_000),
                ..Event::default()
            };
            let events = (0..u64::from(msn.0 % 4 == 1 && part == 0) * 2).map(|n| event(msn.0 * 2 + n)).collect();
            let track = |len| TrackPart {
                len,
                start: msn.0 * 96_000 + u64::from(part) * 24_000,
                duration: 24_000,
                independent: true,
                key_len: u32::from(part == 0) * 3,
            };
            push(RecordBody::Part(PartRecord { msn, part: PartIndex(part), utc_us, opens, events, tracks: vec![track(4), track(2)] }));
        }
    }
    if end {
        push(RecordBody::End);
    }
    objects
}

fn follow(timeline: &mut Timeline, objects: &[Vec<u8>]) {
    for object in objects.iter().skip(timeline.next_record().0 as usize) {
        let (record, media) = Record::decode(object).unwrap();
        timeline.apply(&record, media, Some(Record::hash(object))).unwrap();
    }
}

#[test]
fn a_segment_is_closed_by_the_next_or_by_the_end() {
    let mut timeline = Timeline::new(session(60));
    let objects = log(&[(4, false), (1, false)], true);
    follow(&mut timeline, &objects[..4]);
    assert_eq!(timeline.last(), Some(Position { msn: Msn(0), part: PartIndex(3) }));
    assert!(!timeline.is_closed(Msn(0)));
    follow(&mut timeline, &objects[..5]);
    assert!(timeline.is_closed(Msn(0)) && !timeline.is_closed(Msn(1)));
    follow(&mut timeline, &objects);
    assert!(timeline.ended() && timeline.is_closed(Msn(1)));
    let segment = timeline.segment(Msn(0)).unwrap();
    assert_eq!(segment.tracks[1], SegmentTrack { offset: 16, len: 8, start: 0, duration: 96_000, key_len: 2 });
}

#[test]
fn a_track_that_runs_out_before_the_end_is_as_long_as_its_media() {
    let mut timeline = Timeline::new(session(60));
    let objects = log(&[(4, false), (2, false)], false);
    follow(&mut timeline, &objects);
    // The sound goes on for two parts.
    for part in 2..4 {
        let track = |len| TrackPart { len, start: 96_000 + u64::from(part) * 24_000, duration: 24_000, independent: len > 0, key_len: 0 };
        let tracks = vec![track(0), track(2)];
        let body = PartRecord { msn: Msn(1), part: PartIndex(part), utc_us: 0, opens: None, events: vec![], tracks };
        let record = Record {
            number: timeline.next_record(),
            previous: timeline.last_hash().unwrap(),
            writer: WriterId(1),
            body: RecordBody::Part(body),
        };
        timeline.apply(&record, 0, Some(Hash::ZERO)).unwrap();
    }
    let durations = |timeline: &Timeline| timeline.segment(Msn(1)).unwrap().tracks.iter().map(|track| track.duration).collect::<Vec<_>>();
    assert_eq!(durations(&timeline), [96_000, 96_000], "what is missing may be missing in the middle");
    let end = Record { number: timeline.next_record(), previous: Hash::ZERO, writer: WriterId(1), body: RecordBody::End };
    timeline.apply(&end, 0, None).unwrap();
    assert_eq!(durations(&timeline), [48_000, 96_000]);
}

#[test]
fn an_altered_record_breaks_the_chain_at_the_next_one() {
    let mut objects = log(&[(3, false)], false);
    *objects[1].last_mut().unwrap() ^= 1;
    let mut timeline = Timeline::new(session(60));
    follow(&mut timeline, &objects[..2]);
    let (record, media) = Record::decode(&objects[2]).unwrap();
    assert_eq!(timeline.apply(&record, media, None), Err(ApplyError::Chain(RecordNumber(2))));
}

#[test]
fn records_out_of_shape_are_refused_and_change_nothing() {
    let mut timeline = Timeline::new(session(60));
    follow(&mut timeline, &log(&[(2, false)], false));
    let before = timeline.clone();
    let body = |msn, part, tracks| {
        RecordBody::Part(PartRecord { msn: Msn(msn), part: PartIndex(part), utc_us: 0, opens: None, events: vec![], tracks })
    };
    let two = || vec![TrackPart::default(); 2];
    for bad in [body(0, 3, two()), body(1, 1, two()), body(2, 0, two()), body(0, 2, vec![]), body(0, 0, two())] {
        let record = Record { number: RecordNumber(2), previous: timeline.last_hash().unwrap(), writer: WriterId(1), body: bad };
        assert_eq!(timeline.apply(&record, 0, None), Err(ApplyError::Shape(RecordNumber(2))));
        assert_eq!(timeline, before);
    }
}

#[test]
fn the_window_is_the_same_whatever_else_is_known() {
    let mut timeline = Timeline::new(session(20));
    follow(&mut timeline, &log(&vec![(1, false); 40], false));
    let window: Vec<u64> = timeline.window(Msn(39)).map(|segment| segment.msn.0).collect();
    assert_eq!(window, (29..=39).collect::<Vec<_>>());
    let earlier: Vec<u64> = timeline.window(Msn(36)).map(|segment| segment.msn.0).collect();
    assert_eq!(earlier, (26..=36).collect::<Vec<_>>());
    assert!(timeline.segments().len() <= 24);
}

#[test]
fn events_are_listed_while_the_window_has_them_and_gone_for_a_while_after() {
    let mut timeline = Timeline::new(session(20));
    let mut objects: Vec<Vec<u8>> = Vec::new();
    for msn in 0..40u64 {
        let event = |id: &str, start_s: i64, duration_s: u64| Event {
            id: id.to_string(),
            start_utc_us: start_s * 1_000_000,
            duration_us: Some(duration_s * 1_000_000),
            ..Event::default()
        };
        // Segments of 2 s.
        let events = match msn {
            3 => vec![event("short", 6, 1), event("long", 6, 30)],
            4 => vec![event("planned", 50, 0)],
            _ => vec![],
        };
        let body = RecordBody::Part(PartRecord {
            msn: Msn(msn),
            part: PartIndex(0),
            utc_us: msn as i64 * 2_000_000,
            opens: (msn == 0).then(|| period(0, Msn(0))),
            events,
            tracks: vec![TrackPart { duration: 96_000, ..TrackPart::default() }; 2],
        });
        let previous = objects.last().map_or(Hash::ZERO, |object| Record::hash(object));
        objects.push(encode_record(&Record { number: RecordNumber(msn), previous, writer: WriterId(1), body }, &[b"", b""]).unwrap());
    }
    follow(&mut timeline, &objects);
    let mut log = Timeline::new(session(20));
    let ids = |events: &mut dyn Iterator<Item = &Announced>| events.map(|event| event.event.id.clone()).collect::<Vec<_>>().join(" ");
    let mut seen = Vec::new();
    for (msn, object) in objects.iter().enumerate() {
        let (record, media) = Record::decode(object).unwrap();
        log.apply(&record, media, None).unwrap();
        let as_of = AsOf::Part(Position { msn: Msn(msn as u64), part: PartIndex(0) });
        let both = (ids(&mut log.events(as_of)), ids(&mut log.events_gone(as_of)));
        if seen.last().is_none_or(|(_, last)| *last != both) {
            seen.push((msn, both));
        }
    }
    // The window reaches ten segments back; gone are those that six segments ago were listed.
    let row = |msn, listed: &str, gone: &str| (msn, (listed.to_string(), gone.to_string()));
    let expected = [
        row(0, "", ""),
        row(3, "short long", ""),
        row(4, "short long planned", ""),
        row(14, "long planned", "short"),
        row(20, "long planned", ""),
        row(29, "planned", "long"),
        row(35, "planned", ""),
        row(36, "", "planned"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_record_that_announces_too_much_or_what_cannot_be_written_is_refused() {
    let mut timeline = Timeline::new(session(60));
    follow(&mut timeline, &log(&[(2, false)], false));
    let good = Event { id: "a".to_string(), ..Event::default() };
    for events in [vec![good.clone(); EVENTS_PER_RECORD_MAX + 1], vec![Event { id: "a\nb".to_string(), ..good.clone() }]] {
        let tracks = vec![TrackPart::default(); 2];
        let body = RecordBody::Part(PartRecord { msn: Msn(0), part: PartIndex(2), utc_us: 0, opens: None, events, tracks });
        let record = Record { number: RecordNumber(2), previous: timeline.last_hash().unwrap(), writer: WriterId(1), body };
        assert_eq!(timeline.apply(&record, 0, None), Err(ApplyError::Shape(RecordNumber(2))));
    }
}

proptest! {
    /// Whether a follower read the whole log or started from a snapshot and its chapters: the same timeline.
    #[test]
    fn snapshots_and_chapters_give_the_same_timeline(
        shape in prop::collection::vec((1u32..4, prop::bool::weighted(0.1)), 1..200), dvr_window_s in 10u32..600, end in any::<bool>(),
    ) {
        let objects = log(&shape, end);
        let mut worker = Timeline::new(session(dvr_window_s));
        let mut chapters = Vec::new();
        let mut head = worker.snapshot();
        for object in &objects {
            let (record, media) = Record::decode(object).unwrap();
            let open = worker.last().map(|last| last.msn);
            worker.apply(&record, media, Some(Record::hash(object))).unwrap();
            let closed = open.filter(|msn| worker.is_closed(*msn));
            if let Some(closed) = closed {
                chapters.extend(worker.chapter_closed_by(closed));
                head = worker.snapshot();
            }
        }
        let head = Snapshot::decode(&head.encode()).unwrap();
        let wanted = head.chapters();
        let read = wanted.clone().map(|index| {
            let (_, chapter) = chapters.iter().find(|(number, _)| *number == index).expect("each chapter the head wants was written");
            Chapter::decode(&chapter.encode(), 2).unwrap()
        });
        let read = read.collect();
        let mut follower = head.into_timeline(read);
        follow(&mut follower, &objects);
        prop_assert_eq!(follower, worker);
    }

    #[test]
    fn any_bytes_decode_or_say_why(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..3u8) {
        if kind == 1 { bytes.splice(0..0, *snapshot::SNAPSHOT_MAGIC); }
        if kind == 2 { bytes.splice(0..0, *snapshot::CHAPTER_MAGIC); }
        let _ = Snapshot::decode(&bytes);
        let _ = Chapter::decode(&bytes, 2);
    }
}
