use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use tidegate_stream::{
    ConfigHash, Event, Hash, Msn, PartIndex, PartRecord, Period, RecordBody, RecordNumber, Rendition, RenditionId, RenditionKind, Session,
    Track, TrackKind, TrackPart, WriterId, encode_record,
};

use super::*;

pub(crate) fn session() -> Session {
    Session {
        stream: StreamId::parse("demo").unwrap(),
        id: SessionId::new(1, 1),
        target_duration_s: 2,
        dvr_window_s: 3600,
        renditions: vec![Rendition { id: RenditionId::parse("source").unwrap(), kind: RenditionKind::Video, part_target_us: 500_000 }],
    }
}

fn event(number: u64) -> Event {
    let start_utc_us = number as i64 * 500_000;
    Event { id: number.to_string(), start_utc_us, duration_us: Some(number % 5 * 20_000_000), ..Event::default() }
}

/// A log with this many parts in each segment; record n begins at n x 500 ms.
pub(crate) fn log(shape: &[u32], end: bool) -> Vec<Vec<u8>> {
    let mut objects: Vec<Vec<u8>> = Vec::new();
    let mut push = |body: RecordBody| {
        let previous = objects.last().map_or(Hash::ZERO, |object| Record::hash(object));
        let media: &[&[u8]] = if body == RecordBody::End { &[] } else { &[b"chunk"] };
        let record = Record { number: RecordNumber(objects.len() as u64), previous, writer: WriterId(1), body };
        objects.push(encode_record(&record, media).unwrap());
    };
    let mut number = 0;
    for (msn, parts) in shape.iter().enumerate() {
        for part in 0..*parts {
            let msn = Msn(msn as u64);
            let kind = TrackKind::Video { width: 2, height: 2, frame_rate: None };
            let track = Track { init: ConfigHash([0; 8]), codec: "avc1.64001f".to_string(), timescale: 90_000, bandwidth_bps: 1, kind };
            let opens = (number == 0).then(|| Period { index: 0, utc_us: 0, start_us: 0, first_msn: msn, tracks: vec![Some(track)] });
            let start = number * 45_000;
            let tracks = vec![TrackPart { len: 5, start, duration: 45_000, independent: part == 0, key_len: 0 }];
            push(RecordBody::Part(PartRecord {
                msn,
                part: PartIndex(part),
                utc_us: number as i64 * 500_000,
                opens,
                events: (number % 7 == 0).then(|| event(number)).into_iter().collect(),
                tracks,
            }));
            number += 1;
        }
    }
    if end {
        push(RecordBody::End);
    }
    objects
}

pub(crate) fn apply(timeline: &mut Timeline, object: &[u8]) {
    let (record, media_offset) = Record::decode(object).unwrap();
    timeline.apply(&record, media_offset, None).unwrap();
}

/// A bucket as a worker leaves it after the first `records` records of a log.
struct Bucket(BTreeMap<String, Vec<u8>>);

impl Bucket {
    fn new(objects: &[Vec<u8>], records: usize) -> Self {
        let session = session();
        let (stream, id) = (session.stream.clone(), session.id.clone());
        let key = |key: Key| key.to_string();
        let head = key(Key::Head { stream: stream.clone(), session: id.clone() });
        let mut timeline = Timeline::new(session);
        let mut bucket = BTreeMap::from([(head.clone(), timeline.snapshot().encode())]);
        for (number, object) in objects.iter().take(records).enumerate() {
            let open = timeline.last().map(|last| last.msn);
            apply(&mut timeline, object);
            let number = RecordNumber(number as u64);
            bucket.insert(key(Key::Record { stream: stream.clone(), session: id.clone(), number }), object.clone());
            if let Some(closed) = open.filter(|msn| timeline.is_closed(*msn)) {
                if let Some((index, chapter)) = timeline.chapter_closed_by(closed) {
                    bucket.insert(key(Key::Chapter { stream: stream.clone(), session: id.clone(), index }), chapter.encode());
                }
                bucket.insert(head.clone(), timeline.snapshot().encode());
            }
        }
        Self(bucket)
    }

    /// Removes records, as their retention does.
    fn expire(&mut self, records: core::ops::Range<u64>) {
        let Session { stream, id: session, .. } = session();
        for number in records.map(RecordNumber) {
            self.0.remove(&Key::Record { stream: stream.clone(), session: session.clone(), number }.to_string());
        }
    }

    /// Drives a follower until it wants nothing more; returns what it read.
    fn feed(&self, follower: &mut Follower, now_ms: u64) -> Vec<String> {
        self.feed_aged(follower, now_ms, None)
    }

    /// As [`Self::feed`], from a store that says how old each object is.
    fn feed_aged(&self, follower: &mut Follower, now_ms: u64, age_ms: Option<u64>) -> Vec<String> {
        let mut reads = Vec::new();
        while let Some(need) = follower.need(now_ms) {
            assert!(reads.len() < 1000, "a follower has to come to rest");
            let key = need.key.to_string();
            match self.0.get(&key) {
                Some(bytes) => follower.handle(now_ms, &need.key, Fetched::Got { bytes, age_ms }),
                None => follower.handle(now_ms, &need.key, Fetched::Missing),
            }
            reads.push(key);
        }
        reads
    }
}

fn got(bytes: &[u8]) -> Fetched<'_> {
    Fetched::Got { bytes, age_ms: None }
}

fn follower() -> Follower {
    Follower::new(session().stream, session().id)
}

fn last(follower: &Follower) -> (u64, u32) {
    let last = follower.timeline().and_then(Timeline::last).unwrap();
    (last.msn.0, last.part.0)
}

#[test]
fn a_part_costs_one_read_once_the_log_is_followed() {
    let log = log(&[4, 4, 4], false);
    let mut follower = follower();
    let reads = Bucket::new(&log, 9).feed(&mut follower, 4600);
    assert_eq!(last(&follower), (2, 0));
    // The head is as of the close of segment 1, which record 8 says; then the tip.
    assert_eq!(reads.len(), 2);
    let reads = Bucket::new(&log, 10).feed(&mut follower, 5100);
    assert_eq!(last(&follower), (2, 1));
    assert_eq!(reads.len(), 2, "{reads:?}");
    assert!(Bucket::new(&log, 11).feed(&mut follower, 5110).is_empty(), "the tip is believed for a moment");
    follower.wake();
    assert_eq!(Bucket::new(&log, 11).feed(&mut follower, 5110).len(), 2);
    assert_eq!(last(&follower), (2, 2));
}

#[test]
fn chapters_are_read_before_the_log() {
    let log = log(&[1; 150], false);
    let mut follower = follower();
    let reads = Bucket::new(&log, 150).feed(&mut follower, 75_000);
    assert_eq!(reads.iter().filter(|key| key.contains("/chapter/")).count(), 2);
    let timeline = follower.timeline().unwrap();
    assert_eq!((timeline.segments().len(), timeline.segments()[0].msn), (150, Msn(0)));
}

#[test]
fn a_missing_chapter_shortens_the_past_and_nothing_else() {
    let log = log(&[1; 150], false);
    let mut bucket = Bucket::new(&log, 150);
    bucket.0.retain(|key, _| !key.ends_with("/chapter/0000000000"));
    let mut follower = follower();
    bucket.feed(&mut follower, 75_000);
    assert_eq!(follower.timeline().unwrap().segments()[0].msn, Msn(64));
    assert_eq!(last(&follower), (149, 0));
}

#[test]
fn a_follower_that_slept_starts_from_the_head_again() {
    let log = log(&[4; 40], false);
    let mut follower = follower();
    Bucket::new(&log, 9).feed(&mut follower, 4600);
    let mut late = Bucket::new(&log, 160);
    late.expire(0..140);
    let reads = late.feed(&mut follower, 80_000);
    assert_eq!(last(&follower).0, 39);
    assert!(reads.len() < 8, "{reads:?}");
}

#[test]
fn records_that_expired_unseen_are_passed_by_the_head() {
    let log = log(&[4; 8], false);
    let mut follower = follower();
    Bucket::new(&log, 9).feed(&mut follower, 4600);
    let mut late = Bucket::new(&log, 32);
    late.expire(0..20);
    // It looks often, so it never counts as asleep; the log stands still for it.
    for now_ms in (4700..=16_000).step_by(100) {
        late.feed(&mut follower, now_ms);
    }
    assert_eq!(last(&follower), (7, 3));
}

#[test]
fn a_record_that_was_removed_is_passed_though_the_clock_of_its_writer_is_a_minute_ahead() {
    let log = log(&[4; 50], false);
    let mut follower = follower();
    // By its dates the newest record began at 74.5 s.
    Bucket::new(&log, 150).feed(&mut follower, 10_000);
    for now_ms in (10_100..=20_000).step_by(100) {
        let mut later = Bucket::new(&log, 150 + (now_ms as usize - 10_000) / 500);
        later.expire(150..151);
        later.feed(&mut follower, now_ms);
    }
    assert!(last(&follower).0 >= 40, "{:?}", last(&follower));
}

/// How late each record is read, in ms, by who waits for it as it is told to and then looks every 40 ms; and how often it looks in vain.
fn lateness(ahead_ms: u64) -> (Vec<u64>, usize) {
    let log = log(&[4; 20], false);
    let published = |record: u64| 100_000 + record * 500;
    // Record n begins at n x 500 ms, and says so by a clock that is ahead of the one here.
    let here = |now_ms: u64| now_ms - 100_000 + 500 - ahead_ms;
    let bucket = |now_ms: u64| Bucket::new(&log, (0..80).filter(|record| published(*record) <= now_ms).count());
    let mut follower = follower();
    let mut now_ms = published(8) + 400;
    bucket(now_ms).feed(&mut follower, here(now_ms));
    let (mut late, mut in_vain) = (Vec::new(), 0);
    while last(&follower).0 < 19 {
        let timeline = follower.timeline().unwrap();
        let number = timeline.next_record();
        let wait = crate::gate::wait(timeline, (follower.date_ms(here(now_ms)) * 1000) as i64);
        now_ms += u64::from(wait.expect_ms);
        while published(number.0) > now_ms {
            in_vain += 1;
            now_ms += 40;
        }
        late.push(now_ms - published(number.0));
        follower.wake();
        bucket(now_ms).feed(&mut follower, here(now_ms));
    }
    (late, in_vain)
}

#[test]
fn records_are_read_in_time_though_the_clock_of_their_writer_is_ahead() {
    // Who is in time, or ahead by a frame, is waited for as its dates say.
    for ahead_ms in [0, 33] {
        let (late, looks) = lateness(ahead_ms);
        assert!(late.iter().all(|late| *late <= 40) && looks == 0, "{ahead_ms}: {looks} {late:?}");
    }
    // By less than a part it cannot be told from a writer that is in time: parts are late by as much, and no more.
    for ahead_ms in [600, 1_700, 3_000] {
        let (late, looks) = lateness(ahead_ms);
        assert!(late[8..].iter().all(|late| *late <= 40) && late.iter().all(|late| *late <= 1000), "{ahead_ms}: {late:?}");
        assert!(looks <= 2 * late.len(), "{ahead_ms}: {looks} looks in vain for {} records", late.len());
    }
}

#[test]
fn a_session_that_is_not_there_is_asked_for_once_a_second() {
    let bucket = Bucket(BTreeMap::new());
    let mut follower = follower();
    assert_eq!(bucket.feed(&mut follower, 0).len(), 1);
    assert!(follower.is_absent());
    assert!(bucket.feed(&mut follower, 999).is_empty());
    assert_eq!(bucket.feed(&mut follower, 1000).len(), 1);
}

#[test]
fn a_damaged_record_is_not_shown_and_the_head_leads_past_it() {
    let log = log(&[4, 4, 4], false);
    let mut follower = follower();
    Bucket::new(&log, 6).feed(&mut follower, 3100);
    let mut bucket = Bucket::new(&log, 7);
    bucket.0.insert(
        Key::Record { stream: session().stream, session: session().id, number: RecordNumber(6) }.to_string(),
        b"not a record".to_vec(),
    );
    let reads = bucket.feed(&mut follower, 3600);
    assert!(reads.len() < 4, "{reads:?}");
    assert_eq!(last(&follower), (1, 1));
    assert!(follower.is_damaged());
    Bucket::new(&log, 12).feed(&mut follower, 6000);
    assert!(last(&follower) >= (2, 0));
    assert!(!follower.is_damaged());
}

#[test]
fn everything_is_known_after_the_end() {
    let log = log(&[2, 2], true);
    let mut follower = follower();
    Bucket::new(&log, 5).feed(&mut follower, 2500);
    assert!(follower.timeline().unwrap().ended());
    assert_eq!(follower.need(100_000), None);
}

#[test]
fn a_log_that_nobody_writes_any_more_is_closed_and_opened_again_when_it_goes_on() {
    let log = log(&[4; 8], false);
    let mut follower = follower();
    let bucket = Bucket::new(&log, 18);
    let mut closed_ms = None;
    for now_ms in (9000..60_000).step_by(100) {
        bucket.feed(&mut follower, now_ms);
        if closed_ms.is_none() && follower.timeline().is_some_and(Timeline::ended) {
            closed_ms = Some(now_ms);
        }
    }
    // Record 17 began at 8.5 s; 15 target durations are 30 s; the head is looked at every 4 s.
    assert!(closed_ms.is_some_and(|ms| (38_500..=43_000).contains(&ms)), "{closed_ms:?}");
    Bucket::new(&log, 32).feed(&mut follower, 66_000);
    assert!(!follower.timeline().unwrap().ended());
    assert_eq!(last(&follower), (7, 3));
}

#[test]
fn a_fresh_edge_does_not_take_a_worker_whose_clock_is_minutes_behind_for_over() {
    let log = log(&[4; 8], false);
    for aged in [false, true] {
        let mut follower = follower();
        // Record 17 began at 8.5 s by its worker's clock, which is 279 s behind; it is silent for 9 s.
        for since_ms in (1000..10_000).step_by(100) {
            Bucket::new(&log, 18).feed_aged(&mut follower, 287_500 + since_ms, aged.then_some(since_ms));
            assert!(!follower.timeline().unwrap().ended(), "{since_ms}");
        }
        Bucket::new(&log, 19).feed(&mut follower, 297_500);
        assert_eq!(last(&follower), (4, 2));
    }
}

#[test]
fn a_fresh_edge_closes_what_the_store_says_is_old_after_a_look_of_some_seconds_and_anything_else_after_half_a_minute() {
    let log = log(&[4; 8], false);
    let bucket = Bucket::new(&log, 18);
    // When it comes by the dates of the log, how long before the store has written it, and how long it looks before it says so.
    let cases = [(100_000, Some(60_000), 6000), (100_000, None, 30_000), (1_000_000, None, 6000)];
    for (first_ms, age_ms, looks_ms) in cases {
        let mut follower = follower();
        let closed_ms = (0..60_000).step_by(100).find(|at_ms| {
            bucket.feed_aged(&mut follower, first_ms + at_ms, age_ms.map(|age_ms| age_ms + at_ms));
            follower.timeline().is_some_and(Timeline::ended)
        });
        // The head is looked at every 4 s.
        assert!(closed_ms.is_some_and(|ms| (looks_ms..=looks_ms + 4500).contains(&ms)), "{first_ms} {age_ms:?}: {closed_ms:?}");
    }
}

#[test]
fn a_log_that_goes_on_after_all_is_not_closed_by_a_head_that_does_not_know_it_yet() {
    let log = log(&[4; 8], false);
    let mut follower = follower();
    Bucket::new(&log, 18).feed(&mut follower, 9000);
    Bucket::new(&log, 19).feed(&mut follower, 9500);
    // Nobody asks for a minute. The record is there since a moment ago, and the head does not tell of it.
    Bucket::new(&log, 20).feed(&mut follower, 70_000);
    assert!(!follower.timeline().unwrap().ended());
    assert_eq!(last(&follower), (4, 3));
}

#[test]
fn an_edge_whose_store_is_back_asks_the_head_whether_the_log_has_moved_past_a_record_that_is_missing() {
    let log = log(&[4; 20], false);
    let mut follower = follower();
    Bucket::new(&log, 9).feed(&mut follower, 4600);
    for now_ms in (4700..9_000).step_by(100) {
        if let Some(need) = follower.need(now_ms) {
            follower.handle(now_ms, &need.key, Fetched::Failed);
        }
    }
    let mut back = Bucket::new(&log, 40);
    back.expire(9..10);
    back.feed(&mut follower, 9_000);
    assert_eq!(last(&follower), (9, 3), "at once");
}

#[test]
fn a_minute_in_which_the_store_does_not_answer_closes_nothing() {
    let log = log(&[4; 80], false);
    let mut follower = follower();
    Bucket::new(&log, 18).feed(&mut follower, 9000);
    Bucket::new(&log, 19).feed(&mut follower, 9500);
    for now_ms in (9600..70_000).step_by(100) {
        if let Some(need) = follower.need(now_ms) {
            follower.handle(now_ms, &need.key, Fetched::Failed);
        }
    }
    // The store is back, and a little later so is the worker, with what it has held.
    for now_ms in (70_000..76_000).step_by(100) {
        Bucket::new(&log, 19).feed(&mut follower, now_ms);
        assert!(!follower.timeline().unwrap().ended(), "{now_ms}");
    }
    Bucket::new(&log, 140).feed(&mut follower, 76_100);
    assert_eq!(last(&follower), (34, 3));
}

#[test]
fn a_clock_that_is_minutes_ahead_closes_nothing_that_goes_on() {
    let log = log(&[4; 40], false);
    let mut follower = follower();
    for records in 8..160 {
        Bucket::new(&log, records).feed(&mut follower, 600_000 + records as u64 * 500);
        assert!(!follower.timeline().unwrap().ended());
    }
    assert_eq!(last(&follower), (39, 2));
}

#[test]
fn what_is_known_of_a_long_recording_is_not_read_again() {
    let log = log(&[1; 300], false);
    let mut follower = follower();
    Bucket::new(&log, 150).feed(&mut follower, 75_000);
    let mut late = Bucket::new(&log, 300);
    late.expire(0..280);
    let reads = late.feed(&mut follower, 150_000);
    let chapters: Vec<_> =
        reads.iter().filter_map(|key| key.split_once("/chapter/")).map(|(_, index)| index.trim_start_matches('0')).collect();
    assert_eq!(chapters, ["2", "3"]);
    let mut fresh = self::follower();
    late.feed(&mut fresh, 150_000);
    assert_eq!(follower.timeline(), fresh.timeline());
}

#[test]
fn a_store_that_fails_costs_time_and_not_the_past() {
    let log = log(&[1; 150], false);
    let bucket = Bucket::new(&log, 150);
    let mut follower = follower();
    let head = follower.need(75_000).unwrap().key;
    follower.handle(75_000, &head, got(&bucket.0[&head.to_string()]));
    let chapter = follower.need(75_000).unwrap().key;
    assert!(chapter.to_string().contains("/chapter/"));
    follower.handle(75_000, &chapter, Fetched::Failed);
    assert_eq!(follower.need(75_000).unwrap().key, chapter);
    assert!(follower.timeline().is_none() && follower.outline().is_some_and(|outline| outline.last().is_some()));
    bucket.feed(&mut follower, 75_000);
    assert_eq!(follower.timeline().unwrap().segments().len(), 150);
}

#[test]
fn a_head_that_claims_an_endless_past_costs_a_bounded_number_of_reads() {
    let mut timeline = Timeline::new(Session { dvr_window_s: u32::MAX, ..session() });
    for object in log(&[1; 45_000], false) {
        apply(&mut timeline, &object);
    }
    let bytes = timeline.snapshot().encode();
    let mut follower = follower();
    let head = follower.need(0).unwrap().key;
    follower.handle(0, &head, got(&bytes));
    let mut reads = 0;
    while let Some(need) = follower.need(75_000) {
        follower.handle(75_000, &need.key, Fetched::Missing);
        reads += 1;
    }
    assert_eq!(reads, CHAPTERS_MAX + 1, "the chapters and the next record");
    assert!(follower.timeline().is_some());
}
