//! Players that say what they play in requests only, as hls.js does with `cmcd`; and those that tell events as well.

use tidegate_beacon::{CLAIM_MS, Collector, Event, State, Window};
use tidegate_stream::InstanceId;

use crate::sessions::{START_MS, demo, drain, viewer};

/// As hls.js 1.7.4 writes them: for a playlist and for media while it starts, for media while it plays, and the same in version 2.
const PLAYLIST: &str = r#"cid="demo",mtp=12300,ot=m,sf=h,sid="7a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d",su"#;
const STARTS: &str = r#"br=3000,cid="demo",d=500,mtp=12300,rtp=15000,sf=h,sid="7a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d",su,tb=3000"#;
const PLAYS: &str = r#"br=3000,cid="demo",d=500,mtp=12300,rtp=15000,sf=h,sid="7a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d",tb=3000"#;
const PLAYS_2: &str = r#"br=(3000),cid="demo",d=500,lb=(3000),mtp=(12300),rtp=15000,sf=h,sid="7a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d",sn=2,sta=p,tb=(3000),tpb=(3000),v=2"#;

fn collector() -> Collector {
    Collector::new(InstanceId(1), "a".into())
}

fn watched_ms(window: &Window) -> u64 {
    window.all.cells.watched(START_MS - 600_000, START_MS + 3_600_000).0
}

#[test]
fn what_hls_js_says_in_requests_reads_as_its_state_and_quality() {
    for (line, state, kbps) in [
        (PLAYLIST, State::Starting, None),
        (STARTS, State::Starting, Some(3000)),
        (PLAYS, State::Playing, Some(3000)),
        (PLAYS_2, State::Playing, Some(3000)),
    ] {
        let event = Event::read_request(line, START_MS).unwrap();
        assert_eq!((event.state, event.bitrate_kbps, event.sent_utc_ms, event.in_request), (state, kbps, START_MS, true), "{line}");
    }
    assert_eq!(Event::read_request("pr=0,sid=\"a\"", START_MS).unwrap().state, State::Paused);
    for none in ["", "br=3000", "sid=", "sid=\"\"", "\u{0}", &format!("sid=\"{}\"", "a".repeat(5000))] {
        assert!(Event::read_request(none, START_MS).is_err(), "{none}");
    }
}

#[test]
fn player_that_says_it_in_requests_only_is_a_viewer_as_long_as_it_asks() {
    let mut collector = collector();
    let mut now = START_MS;
    collector.hear(&demo(), PLAYLIST, &viewer(1), 1, now);
    for _ in 0..=12 {
        collector.hear(&demo(), PLAYS, &viewer(1), 1, now);
        now += 10_000;
    }
    let window = drain(&mut collector, now);
    // Two minutes, and what the last request claims.
    assert_eq!((watched_ms(&window), window.all.played_ms), (120_000 + CLAIM_MS, 120_000));
    assert_eq!((window.all.attempts, window.all.plays, window.dropped_events), (1, 1, 0));
    assert_eq!(window.uniques.estimate(), 1);
}

#[test]
fn player_that_tells_events_too_counts_once() {
    let event = |seconds: u64| {
        let number = seconds / 30;
        format!(r#"br=(3000),e=t,sid="7a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d",sn={number},sta=p,ts={}"#, 1000 + seconds * 1000)
    };
    // Events from the start on, and events that come only after half a minute: from then on requests say nothing new.
    for first in [0, 30] {
        let mut collector = collector();
        for seconds in (0..=120).step_by(10) {
            let now = START_MS + seconds * 1000;
            if seconds % 30 == 0 && seconds >= first {
                assert_eq!(collector.count(&demo(), &event(seconds), &viewer(1), 1, now).events, 1);
            }
            collector.hear(&demo(), PLAYS, &viewer(1), 1, now + 1);
        }
        let window = drain(&mut collector, START_MS + 120_000);
        // Where requests were first, they were heard 1 ms late.
        let late_ms = u64::from(first > 0);
        assert_eq!((window.all.attempts, window.all.plays, window.dropped_events), (1, 1, 0), "first event after {first} s");
        assert_eq!(
            (watched_ms(&window), window.all.played_ms),
            (120_000 - late_ms + CLAIM_MS, 120_000 - late_ms),
            "first event after {first} s"
        );
    }
}

#[test]
fn requests_for_media_count_by_its_length_whichever_instance_hears_them() {
    let mut instances: Vec<Collector> = (0..3).map(|n| Collector::new(InstanceId(n), "a".into())).collect();
    let media = |kind: &str, d: u32| format!(r#"br=3000,d={d},ltc=1400,ot={kind},sid="7a3f1c52",v=2"#);
    let mut random = crate::player::Random(7);
    for n in 0..60u64 {
        let now = START_MS + n * 2000;
        // Pictures and sound apart: whoever asks for both is one viewer.
        for kind in ["v", "a", "m"] {
            let instance = &mut instances[random.below(3) as usize];
            instance.hear_media(&demo(), &media(kind, 2000), &viewer(1), 1, now);
        }
    }
    let mut window = Window::default();
    instances.iter_mut().for_each(|instance| window.merge(&drain(instance, START_MS + 120_000)));
    assert_eq!((watched_ms(&window), window.all.played_ms, window.all.kilobits), (120_000, 120_000, 360_000));
    assert_eq!((window.uniques.estimate(), window.latency_ms.count(), window.all.attempts), (1, 60, 0));
    let rendition = &window.by[tidegate_beacon::Dimension::Rendition as usize];
    assert_eq!((rendition.len(), rendition[0].0.as_str(), rendition[0].1.tally.played_ms), (1, "3000", 120_000));
}

#[test]
fn media_of_a_session_that_tells_events_and_media_without_end_count_for_nothing() {
    let mut collector = collector();
    let event = r#"br=(3000),e=t,sid="both",sn=1,sta=p,ts=1"#;
    collector.count(&demo(), event, &viewer(1), 1, START_MS);
    let heard = |collector: &mut Collector, line: &str| collector.hear_media(&demo(), line, &viewer(1), 2, START_MS);
    assert_eq!(heard(&mut collector, r#"d=2000,sid="both""#).redundant, 1);
    for none in ["", "sid=\"a\"", "d=2000", "d=-1,sid=\"a\"", "d=30001,sid=\"a\"", "d=1e9,sid=\"a\"", "d=2000,ot=a,sid=\"a\"", "\u{0}"] {
        assert_eq!(heard(&mut collector, none).events, 0, "{none}");
    }
    let taken = (0..10_000).filter(|_| heard(&mut collector, r#"d=30000,sid="made up""#).events == 1).count();
    assert_eq!(taken, 1200, "300 viewers of a minute, twice");
}
