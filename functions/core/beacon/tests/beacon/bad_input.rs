use tidegate_beacon::{Collector, Ending, Report, Rollup, Viewer, Window};
use tidegate_stream::{InstanceId, StreamId};

use crate::sessions::{START_MS, demo, drain, viewer};

fn collector() -> Collector {
    Collector::new(InstanceId(1), "a".into())
}

fn viewers_now(window: &Window) -> u64 {
    window.all.cells.viewers_milli(START_MS + 20_000) / 1000
}

#[test]
fn one_session_never_plays_more_than_the_time_that_goes_by() {
    let mut collector = collector();
    // It says each second that it has played for an hour.
    for n in 0..60u64 {
        let line = format!("e=t,sid=\"x\",sn={n},sta=p,ts={},com.tidegate-since=\"3600000 3600000 0 900 1\"", n * 1000);
        collector.count(&demo(), &line, &viewer(1), 1, START_MS + n * 1000);
    }
    let window = drain(&mut collector, START_MS + 60_000);
    assert!(window.all.played_ms <= 60_000 + 120_000 + 90_000, "{}", window.all.played_ms);
    assert!(viewers_now(&window) <= 5, "{}: it is believed for no more than reports that were held back", viewers_now(&window));
}

#[test]
fn replays_and_floods_of_a_session_add_nothing() {
    let mut collector = collector();
    let line = "e=ps,sid=\"x\",sn=0,sta=p,ts=1,msd=5";
    let counted = collector.count(&demo(), &[line; 64].join("\n"), &viewer(1), 1, START_MS);
    assert_eq!((counted.events, counted.repeated), (1, 63));
    let flood: Vec<String> = (1..2000).map(|n| format!("e=t,sid=\"x\",sn={n},sta=p,ts={n}")).collect();
    let counted: usize = flood.chunks(64).map(|lines| collector.count(&demo(), &lines.join("\n"), &viewer(1), 1, START_MS).events).sum();
    assert!(counted <= 64, "{counted}");
    let window = drain(&mut collector, START_MS);
    assert_eq!(viewers_now(&window), 1);
}

#[test]
fn a_place_that_makes_up_viewers_is_bounded_and_others_are_not() {
    let mut collector = collector();
    for n in 0..5000 {
        collector.count(&demo(), &format!("e=ps,sid=\"made-up-{n}\",sn=0,sta=p,ts=1"), &viewer(1), 1, START_MS);
    }
    collector.count(&demo(), "e=ps,sid=\"real\",sn=0,sta=p,ts=1", &viewer(2), 2, START_MS);
    let window = drain(&mut collector, START_MS);
    assert_eq!((viewers_now(&window), window.uniques.estimate(), window.dropped_events), (301, 2, 4700));
}

#[test]
fn future_and_ancient_events_are_counted_where_they_arrive() {
    let mut collector = collector();
    let lines = "e=ps,sid=\"x\",sn=1,sta=p,ts=253402300799999\ne=ps,sid=\"x\",sn=0,sta=s,ts=0";
    collector.count(&demo(), lines, &viewer(1), 1, START_MS);
    let window = drain(&mut collector, START_MS);
    let (inside, _) = window.all.cells.watched(START_MS - 200_000, START_MS + 60_000);
    let (everywhere, _) = window.all.cells.watched(0, u64::from(u32::MAX) * 10_000);
    assert_eq!((inside, everywhere), (35_000, 35_000));
}

#[test]
fn names_and_streams_are_bounded_in_number_and_length() {
    let mut collector = collector();
    for n in 0..6000 {
        let stream = StreamId::parse(&format!("s{n}")).unwrap();
        collector.count(&stream, "e=t,sid=\"a\",sn=0,sta=p,ts=1", &viewer(1), n, START_MS);
    }
    for n in 0..2000u64 {
        let viewer = Viewer { country: Some(format!("{n}-{}", "x".repeat(500))), region: Some("\n<b>".into()), ..viewer(n) };
        let line = format!("br=({}),e=e,ec=(\"{n}\"),sid=\"{n}\",sn=0,sta=p,ts=1", n + 1);
        collector.count(&StreamId::parse("s0").unwrap(), &line, &viewer, n, START_MS);
    }
    let put = collector.next(START_MS, false).unwrap();
    let report = Report::decode(&put.bytes).unwrap();
    assert_eq!(report.windows.len(), 4000);
    let (_, window) = report.windows.iter().find(|(stream, _)| stream.as_str() == "s0").unwrap();
    assert!(window.errors.len() <= 33 && window.by.iter().all(|values| values.len() <= 257));
    assert!(window.by.iter().flatten().all(|(value, _)| value.len() <= 48 && !value.contains('\n')));
    assert_eq!(window.all.errors, 2000);
}

/// Found by fuzzing: each count was within its bound, and their sum was written as what does not read as the same.
#[test]
fn one_name_twice_is_refused() {
    let mut window = Window { errors: vec![("media".into(), 1), ("network".into(), 1 << 44)], ..Window::default() };
    let report = |window: &Window| {
        let windows = vec![(demo(), window.clone())];
        Report { instance: InstanceId(1), edge: "a".into(), minute: 1, written_utc_ms: 1, ending: Ending::Open, windows }.encode()
    };
    assert!(Report::decode(&report(&window)).is_ok());
    window.errors[0] = window.errors[1].clone();
    assert!(Report::decode(&report(&window)).is_err());
    let rollup = Rollup { windows: [(7, Window::default()), (8, Window::default())].into(), ..Rollup::default() };
    let mut bytes = rollup.encode();
    assert!(Rollup::decode(&bytes).is_ok());
    let second = bytes.iter().rposition(|byte| *byte == 1).unwrap();
    bytes[second] = 0;
    assert!(Rollup::decode(&bytes).is_err());
}

/// The name of a host is cut between letters.
#[test]
fn a_long_name_of_an_edge_still_reads() {
    let edge = format!("{}é", "x".repeat(63));
    let report = Report { instance: InstanceId(1), edge, minute: 1, written_utc_ms: 1, ending: Ending::Open, windows: Vec::new() };
    assert_eq!(Report::decode(&report.encode()).unwrap().edge, "x".repeat(63));
}
