//! The engine against a simulated origin, link and media element.

#![allow(clippy::unwrap_used, reason = "a simulation that breaks its own rules has to stop the test")]

mod sim;

use sim::{Origin, Sim};
use tidegate_engine::{Config, Engine, Event, Input, Rule, Track};

fn levels(sim: &Sim) -> Vec<usize> {
    let rungs = sim.events.iter().filter_map(|(_, event)| match event {
        Event::LevelSwitched { rung, .. } => Some(*rung),
        _ => None,
    });
    rungs.collect()
}

#[test]
fn playback_starts_at_the_target_and_stays_there() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.run(3.0, |_| {});
    let (started, _) = sim.events.iter().find(|(_, event)| *event == Event::Playing).expect("playing");
    assert!(started - 30.0 < 1.0, "the first picture took {} s", started - 30.0);
    sim.run(7.0, |_| {});
    let mut worst: f64 = 0.0;
    sim.run(60.0, |sim| {
        // The last frame of a part is 0.1 s old when the part is published.
        worst = worst.max((sim.behind_s() - 1.4).abs());
    });
    assert!(worst < 0.2, "the latency strays by {worst} s");
    assert_eq!(sim.element.waits, 0);
    assert_eq!(sim.engine.stats().stalls, 0);
}

/// Live goes on while the first media is on its way: who waits for all of a segment, and then for live, waits twice.
#[test]
fn on_a_slow_link_the_first_picture_waits_for_its_first_part_alone() {
    let mut waits = 0;
    for latency_s in [None, Some(2.5)] {
        for place in 0..8 {
            let mut sim = Sim::new(Origin::default(), Config { latency_s, ..Config::default() });
            (sim.link_bps, sim.rtt_ms) = (Box::new(|_| 2e6), 60.0);
            sim.now_ms += 250.0 * f64::from(place);
            let began = sim.now_s();
            sim.run(20.0, |_| {});
            let (shown, _) = sim.events.iter().find(|(_, event)| *event == Event::Playing).expect("playing");
            // Two playlists, then a part of 0.6 Mbit with sound beside it.
            assert!(shown - began < 1.0, "{latency_s:?}, {place}: the first picture took {:.2} s", shown - began);
            assert!(sim.element.waits <= 1, "{latency_s:?}, {place}: {} waits", sim.element.waits);
            waits += sim.element.waits;
        }
    }
    assert!(waits <= 5, "{waits} of 16 wait once more");
}

#[test]
fn parts_are_asked_for_before_they_exist_and_playlists_as_deltas() {
    let mut sim = Sim::new(Origin::default(), Config { expected_bps: Some(1e9), ..Config::default() });
    sim.run(30.0, |_| {});
    let hints = sim.kinds.get("hint").copied().unwrap_or(0);
    assert!(hints > 2 * 55, "{:?}", sim.kinds);
    assert!(sim.origin.deltas > 2 * 55, "{}", sim.origin.deltas);
    let playlists = sim.fetched.iter().filter(|(_, url)| url.contains("_HLS_msn")).count();
    assert!(playlists < 2 * 64, "{playlists} playlists in 30 s");
    assert_eq!(levels(&sim), [3]);
}

#[test]
fn hints_that_never_come_true_cost_no_stall() {
    let origin = Origin { wrong_hints: true, ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.run(40.0, |_| {});
    assert_eq!(sim.element.waits, 0);
    assert!(sim.element.shown_s > 38.0);
}

/// Whoever is further behind than live finds segments that are there already. Two of their parts on their way together have half of the link
/// each, and all of one takes longer than what is buffered lasts: neither is a reason to give them up.
#[test]
fn what_comes_in_time_over_a_slow_link_is_not_given_up() {
    let mut given_up = 0;
    for place in 0..8 {
        let video = vec![("low", 800_000), ("medium", 1_600_000), ("high", 2_100_000), ("source", 2_500_000)];
        let origin = Origin { video, ..Origin::default() };
        let mut sim = Sim::new(origin, Config { latency_s: Some(2.5), ..Config::default() });
        (sim.link_bps, sim.rtt_ms) = (Box::new(|_| 3.2e6), 60.0);
        sim.now_ms += 250.0 * f64::from(place);
        sim.run(20.0, |_| {});
        given_up += sim.engine.choices().filter(|choice| choice.abandon.is_some()).count();
        assert!(sim.element.waits <= 1, "{place}: {} waits", sim.element.waits);
    }
    // It was 30 where one of two that shared the link was taken for slow, and all of a segment for what the buffer waits for.
    assert!(given_up < 8, "{given_up} requests were given up in eight times 20 s");
}

/// A viewer whose link is below most of the ladder for half a minute, and who goes down and up again. The policy takes the
/// top rung of 6 Mbit/s, 1.3 s from live, from 11 to 13 Mbit/s on, by what it remembers of the time before.
fn throttled_for_half_a_minute(origin: Origin) -> Sim {
    let mut sim = Sim::new(origin, Config::default());
    sim.link_bps = Box::new(|now_s| if (60.0..90.0).contains(&now_s) { 1.8e6 } else { 14e6 });
    sim.run(25.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 3, "{:?}", levels(&sim));
    sim.run(30.0, |_| {});
    assert!(sim.engine.stats().rung <= 1, "{:?}", levels(&sim));
    sim.run(50.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 3, "{:?}", levels(&sim));
    sim
}

#[test]
fn rung_follows_the_link_down_and_up() {
    let sim = throttled_for_half_a_minute(Origin::default());
    // A choice that is taken back before it is shown is no change for a viewer.
    let chosen = sim.engine.choices().filter(|choice| choice.abandon.is_none() && choice.from != choice.to).count();
    assert!(chosen < 10, "{chosen} changes");
    let given_up = sim.engine.choices().filter(|choice| choice.abandon.is_some()).count();
    assert!(given_up < 4, "{given_up} requests were given up");
}

/// RFC 8216bis 6.2.4 lets renditions count as they like; dates say what belongs together.
#[test]
fn renditions_that_count_in_ways_of_their_own_are_gone_over_to() {
    for numbers in [vec![("low", 100), ("medium", 60), ("source", 7), ("audio", 12)], vec![("high", 40), ("source", 1000)]] {
        let sim = throttled_for_half_a_minute(Origin { numbers, ..Origin::default() });
        assert!(sim.element.shown_s > 100.0, "{} s were shown", sim.element.shown_s);
    }
}

/// Parts of the lowest rung fit in a congestion window and are over at once; nothing else says that the link is fast again.
#[test]
fn a_viewer_of_small_parts_comes_back_up_after_a_throttled_link() {
    for (part_s, low_bps) in [(0.2, 200_000), (0.2, 400_000), (0.5, 200_000)] {
        let video = vec![("low", low_bps), ("medium", 1_000_000), ("high", 3_000_000)];
        let mut sim = Sim::new(Origin { part_s, video, ..Origin::default() }, Config::default());
        let throttled_s = sim.now_s() + 25.0..sim.now_s() + 50.0;
        sim.link_bps = Box::new(move |now_s| if throttled_s.contains(&now_s) { 0.45e6 } else { 20e6 });
        sim.run(50.0, |_| {});
        assert_eq!(sim.engine.stats().rung, 0, "{:?}", levels(&sim));
        sim.run(10.0, |_| {});
        assert!(sim.engine.stats().rung > 0, "parts of {part_s} s: {:?}", levels(&sim));
    }
}

#[test]
fn a_rung_that_the_viewer_wants_is_kept_until_it_is_given_back() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.run(25.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 3, "{:?}", levels(&sim));
    sim.tell(Input::Pin { rung: Some(0) });
    sim.run(25.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 0, "{:?}", levels(&sim));
    sim.tell(Input::Pin { rung: Some(99) });
    sim.run(60.0, |_| {});
    assert!(sim.engine.stats().rung > 0, "a rung that does not exist is none: {:?}", levels(&sim));
    assert_eq!(sim.element.waits, 0);
    assert_eq!(sim.engine.levels().map(|level| level.bandwidth_bps).collect::<Vec<_>>().len(), 4);
}

#[test]
fn what_a_server_wants_to_carry_bounds_the_policy_and_not_the_viewer() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.tell(Input::Advised { expected_bps: Some(20e6), most_bps: Some(1.5e6) });
    let mut highest = 0;
    sim.run(25.0, |sim| highest = highest.max(sim.engine.stats().rung));
    assert_eq!(highest, 1, "{:?}", levels(&sim));
    sim.tell(Input::Pin { rung: Some(3) });
    sim.run(10.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 3, "{:?}", levels(&sim));
    sim.tell(Input::Advised { expected_bps: None, most_bps: Some(f64::NAN) });
    sim.tell(Input::Pin { rung: None });
    sim.run(10.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 0, "no rung is below what is no number: {:?}", levels(&sim));
}

#[test]
fn what_a_server_expects_to_carry_chooses_the_first_rung() {
    for (expected_bps, rung) in [(300_000.0, 0), (20e6, 3)] {
        let mut sim = Sim::new(Origin::default(), Config::default());
        sim.tell(Input::Advised { expected_bps: Some(expected_bps), most_bps: None });
        sim.run(2.0, |_| {});
        assert_eq!(levels(&sim).first(), Some(&rung), "at {expected_bps} bit/s");
    }
}

#[test]
fn what_was_seen_of_the_link_goes_before_what_a_server_expects() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.run(10.0, |_| {});
    sim.tell(Input::Advised { expected_bps: Some(300_000.0), most_bps: None });
    let before = levels(&sim).len();
    sim.tell(Input::Load { url: "http://origin/live/demo/index.m3u8".into() });
    sim.run(2.0, |_| {});
    assert_eq!(levels(&sim).get(before), Some(&3), "{:?} over 20 Mbit/s", levels(&sim));
}

#[test]
fn decisions_explain_themselves_and_come_from_the_tables_once_these_are_built() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.run(20.0, |_| {});
    let rules: Vec<Rule> = sim.engine.choices().map(|choice| choice.why.rule).collect();
    assert_eq!((rules.first(), rules.last()), (Some(&Rule::First), Some(&Rule::Value)));
    let last = sim.engine.choices().next_back().unwrap();
    assert_eq!(last.why.alternatives.len(), 4);
    let best = last.why.alternatives.iter().enumerate().max_by(|a, b| a.1.value.total_cmp(&b.1.value)).unwrap();
    assert_eq!(best.0, last.to);
    assert!((last.why.forecast_bps / 20e6 - 1.0).abs() < 0.3, "{}", last.why.forecast_bps);
    assert_eq!(sim.engine.choices().filter(|choice| choice.abandon.is_none()).count() as u64, last.number + 1);
}

#[test]
fn tables_are_not_built_before_the_first_frame() {
    let mut engine = Engine::new(Config::default());
    assert!(engine.idle(1_000), "nothing is played, and nothing is to be built");
    engine.handle(0.0, Input::Load { url: "http://origin/live/demo/index.m3u8".into() });
    assert!(engine.idle(1_000));
}

#[test]
fn a_segment_that_comes_too_slowly_is_begun_again_in_a_lower_rung() {
    let origin = Origin { low_latency: false, ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.link_bps = Box::new(|now_s| if now_s < 60.0 { 12e6 } else { 0.9e6 });
    sim.run(60.0, |_| {});
    let given_up: Vec<_> = sim.engine.choices().filter(|choice| choice.abandon.is_some()).collect();
    assert!(!given_up.is_empty(), "{:?}", levels(&sim));
    assert!(given_up.iter().all(|choice| choice.to < choice.from));
    assert!(sim.element.waits <= 1, "{} waits", sim.element.waits);
    assert!(sim.element.shown_s > 57.0, "{}", sim.element.shown_s);
}

#[test]
fn latency_comes_back_after_an_outage() {
    for outage_s in [3.0, 12.0] {
        let mut sim = Sim::new(Origin::default(), Config::default());
        sim.link_bps = Box::new(move |now_s| if (50.0..50.0 + outage_s).contains(&now_s) { 1.0 } else { 10e6 });
        sim.run(20.0 + outage_s + 1.0, |_| {});
        assert!(sim.engine.stats().stalls >= 1);
        sim.run(100.0, |_| {});
        let behind = sim.behind_s();
        assert!((behind - 1.4).abs() < 0.2, "100 s after an outage of {outage_s} s the latency is {behind} s");
        assert!(sim.element.waits < 5, "{}", sim.element.waits);
    }
}

#[test]
fn latency_is_back_within_half_a_minute_of_a_throttled_link() {
    for throttled_bps in [0.5e6, 0.8e6, 1.2e6] {
        let mut sim = Sim::new(Origin::default(), Config::default());
        sim.link_bps = Box::new(move |now_s| if (50.0..80.0).contains(&now_s) { throttled_bps } else { 12e6 });
        sim.run(50.0, |_| {});
        let worst = sim.behind_s();
        let mut back_s = f64::INFINITY;
        sim.run(60.0, |sim| {
            if (sim.behind_s() - 1.4).abs() > 0.2 {
                back_s = f64::INFINITY;
            } else {
                back_s = back_s.min(sim.now_s() - 80.0);
            }
        });
        assert!(back_s < 30.0, "after {throttled_bps} bit/s and {worst} s, the latency is back after {back_s} s, at {} s", sim.behind_s());
    }
}

#[test]
fn a_page_that_was_not_run_for_minutes_goes_on_at_the_live_edge() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.run(20.0, |_| {});
    sim.now_ms += 180_000.0;
    sim.run(15.0, |_| {});
    assert!(sim.behind_s() < 2.5, "{} s behind", sim.behind_s());
    let shown_s = sim.element.shown_s;
    sim.run(10.0, |_| {});
    assert!(sim.element.shown_s > shown_s + 9.0);
}

#[test]
fn an_origin_that_falls_silent_is_waited_for() {
    let origin = Origin { silence: Some((45.0, 53.0)), ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.run(90.0, |_| {});
    assert!((sim.behind_s() - 1.4).abs() < 0.4, "{}", sim.behind_s());
    assert!(sim.element.waits <= 2, "{}", sim.element.waits);
}

#[test]
fn errors_of_the_server_are_retried_with_pauses() {
    for status in [503, 404, 0] {
        let origin = Origin { broken: Some((45.0, 50.0, status)), ..Origin::default() };
        let mut sim = Sim::new(origin, Config::default());
        sim.run(90.0, |_| {});
        let during = sim.fetched.iter().filter(|(at, _)| (45.0..50.0).contains(at)).count();
        assert!(during < 60, "{during} requests in 5 s of status {status}");
        assert!(sim.element.shown_s > 45.0, "{status}: {}", sim.element.shown_s);
        assert!(sim.behind_s() < 2.5, "{status}: {}", sim.behind_s());
    }
}

#[test]
fn media_time_that_begins_anew_is_played_in_one_piece() {
    let origin = Origin { discontinuities: vec![22, 30], ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    let mut last = 0.0;
    sim.run(50.0, |sim| {
        assert!(sim.playhead().time_s >= last - 0.01);
        last = sim.playhead().time_s;
    });
    assert_eq!(sim.element.waits, 0);
    assert!((sim.behind_s() - 1.4).abs() < 0.2, "{}", sim.behind_s());
}

#[test]
fn a_rung_that_is_given_up_is_left_for_another() {
    let origin = Origin { given_up: Some(("source", 20)), ..Origin::default() };
    let mut sim = Sim::new(origin, Config { expected_bps: Some(1e9), ..Config::default() });
    sim.run(9.0, |_| {});
    assert_eq!(levels(&sim), [3]);
    sim.run(50.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 2, "{:?}", levels(&sim));
    assert_eq!(sim.element.waits, 0);
    assert!((sim.behind_s() - 1.4).abs() < 0.3, "{}", sim.behind_s());
}

#[test]
fn a_rung_that_was_given_up_before_is_not_started_with() {
    for given_up in ["medium", "low"] {
        let origin = Origin { given_up: Some((given_up, 3)), ..Origin::default() };
        let expected_bps = (given_up == "low").then_some(1.0);
        let mut sim = Sim::new(origin, Config { expected_bps, ..Config::default() });
        sim.run(3.0, |_| {});
        let (started, _) = sim.events.iter().find(|(_, event)| *event == Event::Playing).expect("playing");
        assert!(started - 30.0 < 1.2, "the first picture took {} s", started - 30.0);
        assert!(sim.behind_s() < 2.0, "{}", sim.behind_s());
    }
}

#[test]
fn the_way_down_leads_past_a_rung_that_is_given_up() {
    let origin = Origin { given_up: Some(("high", 18)), ..Origin::default() };
    let mut sim = Sim::new(origin, Config { expected_bps: Some(1e9), ..Config::default() });
    sim.link_bps = Box::new(|now_s| if now_s < 45.0 { 20e6 } else { 3.2e6 });
    sim.run(60.0, |_| {});
    assert_eq!(sim.engine.stats().rung, 1, "{:?}", levels(&sim));
    assert!(sim.element.shown_s > 50.0, "{}", sim.element.shown_s);
    assert!(sim.behind_s() < 4.0, "{}", sim.behind_s());
}

#[test]
fn sound_alone_plays_at_the_live_edge() {
    let mut sim = Sim::new(Origin { video: Vec::new(), ..Origin::default() }, Config::default());
    sim.run(30.0, |_| {});
    assert_eq!(sim.element.waits, 0);
    assert!((sim.behind_s() - 1.4).abs() < 0.2, "{}", sim.behind_s());
    assert!(sim.element.ranges(Track::Video).is_empty());
}

#[test]
fn gaps_in_the_list_are_skipped() {
    let origin = Origin { gaps: vec![21, 22], low_latency: false, ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.run(60.0, |_| {});
    assert!(sim.element.shown_s > 50.0, "{}", sim.element.shown_s);
    assert!(sim.element.waits <= 1, "{}", sim.element.waits);
}

/// Chromium was seen to stand 0.103 s before the end of what it had, for good; of one picture a second the last begins a second before it.
#[test]
fn a_gap_is_left_wherever_before_it_the_element_stops() {
    for stops_before_s in [0.04, 0.1, 0.103, 0.2, 0.39, 0.41, 0.7, 1.0] {
        let origin = Origin { gaps: vec![21, 22], low_latency: false, ..Origin::default() };
        let mut sim = Sim::new(origin, Config::default());
        sim.element.stops_before_s = stops_before_s;
        sim.run(60.0, |_| {});
        assert!(sim.element.shown_s > 45.0, "{stops_before_s} s before: {} s", sim.element.shown_s);
    }
}

#[test]
fn an_end_of_the_stream_is_played_out_and_a_new_session_is_found() {
    let origin = Origin { last_msn: Some(21), ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.run(25.0, |_| {});
    assert!(sim.end_of_stream);
    assert!(sim.events.iter().any(|(_, event)| *event == Event::Ended));
    assert!((sim.element.time_s - 44.0).abs() < 0.1, "{}", sim.element.time_s);
    assert!(!sim.events.iter().any(|(_, event)| *event == Event::NewSession));
    sim.origin.session = "b";
    sim.run(5.0, |_| {});
    assert_eq!(sim.events.iter().filter(|(_, event)| *event == Event::NewSession).count(), 1);
}

#[test]
fn a_session_that_was_closed_and_goes_on_is_seen() {
    let mut sim = Sim::new(Origin { last_msn: Some(21), ..Origin::default() }, Config::default());
    sim.run(60.0, |_| {});
    let count = |sim: &Sim, wanted: &Event| sim.events.iter().filter(|(_, event)| event == wanted).count();
    assert_eq!((count(&sim, &Event::Ended), count(&sim, &Event::NewSession)), (1, 0));
    sim.origin.last_msn = None;
    sim.run(10.0, |_| {});
    assert_eq!(count(&sim, &Event::NewSession), 1);
}

#[test]
fn a_session_that_nobody_ended_gives_way_to_the_next() {
    let origin = Origin { silence: Some((40.0, 1e6)), ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.run(20.0, |_| {});
    sim.origin.session = "b";
    sim.origin.silence = None;
    sim.run(20.0, |_| {});
    assert!(sim.events.iter().any(|(_, event)| *event == Event::NewSession));
}

#[test]
fn ordinary_hls_live_and_recorded_plays_from_byte_ranges() {
    let live = Origin { low_latency: false, byte_ranges: true, ..Origin::default() };
    let mut sim = Sim::new(live, Config::default());
    sim.run(60.0, |_| {});
    assert_eq!(sim.element.waits, 0);
    assert!((sim.behind_s() - 6.1).abs() < 2.5, "{}", sim.behind_s());

    let recorded = Origin { low_latency: false, byte_ranges: true, last_msn: Some(9), ..Origin::default() };
    let mut sim = Sim::new(recorded, Config::default());
    sim.run(25.0, |_| {});
    assert!(sim.element.seeks.iter().all(|to| *to < 0.1), "{:?}", sim.element.seeks);
    assert!((sim.element.shown_s - 20.0).abs() < 0.2, "{}", sim.element.shown_s);
    assert!(sim.events.iter().any(|(_, event)| *event == Event::Ended));
    assert_eq!(sim.element.waits, 0);
}

#[test]
fn a_recording_can_be_seen_again_after_its_end() {
    let recorded = Origin { low_latency: false, last_msn: Some(39), window: 100, ..Origin::default() };
    let mut sim = Sim::new(recorded, Config::default());
    sim.now_ms = 100_000.0;
    sim.run(85.0, |_| {});
    let ends = |sim: &Sim| sim.events.iter().filter(|(_, event)| *event == Event::Ended).count();
    assert_eq!(ends(&sim), 1);
    // By then the beginning has been removed.
    assert!(sim.element.ranges(Track::Video).first().unwrap().0 > 30.0);
    sim.element.seek(3.0);
    sim.tell(Input::Sought { to_s: 3.0 });
    sim.run(85.0, |_| {});
    assert_eq!(ends(&sim), 2);
    assert!((sim.element.shown_s - 157.0).abs() < 0.5, "{}", sim.element.shown_s);
}

#[test]
fn a_viewer_who_seeks_back_stays_there_until_live_is_wanted() {
    let mut sim = Sim::new(Origin { window: 60, ..Origin::default() }, Config::default());
    sim.run(10.0, |_| {});
    sim.element.seek(12.0);
    sim.tell(Input::Sought { to_s: 12.0 });
    sim.run(20.0, |_| {});
    assert!(!sim.engine.stats().at_live_edge);
    assert!((sim.element.time_s - 32.0).abs() < 1.5, "{}", sim.element.time_s);
    sim.tell(Input::GoLive);
    sim.run(10.0, |_| {});
    assert!((sim.behind_s() - 1.4).abs() < 0.3, "{}", sim.behind_s());
}

#[test]
fn playback_begins_where_the_playlist_or_the_page_says() {
    // The playlist begins at segment 0; at 30 s of the clock live is at 28.6 s.
    let started = |start: Option<&'static str>, start_s: Option<f64>| {
        let origin = Origin { window: 60, start, ..Origin::default() };
        let mut sim = Sim::new(origin, Config { start_s, ..Config::default() });
        sim.run(10.0, |_| {});
        assert_eq!(sim.element.waits, 0);
        assert_eq!(sim.events.iter().filter(|(_, event)| *event == Event::Playing).count(), 1);
        (sim.element.time_s - sim.element.shown_s, sim.engine.stats().at_live_edge)
    };
    for (tag, own, expected) in [
        (Some("TIME-OFFSET=0"), None, 0.0),
        (Some("TIME-OFFSET=5,PRECISE=YES"), None, 5.0),
        (Some("TIME-OFFSET=5"), None, 4.0),
        (Some("TIME-OFFSET=-20,PRECISE=YES"), None, 9.5),
        (Some("TIME-OFFSET=0"), Some(7.5), 7.5),
    ] {
        let (start_s, live) = started(tag, own);
        assert!((start_s - expected).abs() < 0.6, "{tag:?} {own:?}: {start_s}");
        assert!(!live);
    }
    // Nearer to the edge than live is, is live.
    for (tag, own) in [(Some("TIME-OFFSET=-0.1"), None), (None, Some(9_000.0)), (None, Some(f64::NAN))] {
        let (start_s, live) = started(tag, own);
        assert!(start_s > 27.0 && live, "{tag:?} {own:?}: {start_s}");
    }
    let mut sim = Sim::new(Origin { window: 60, start: Some("TIME-OFFSET=0"), ..Origin::default() }, Config::default());
    sim.run(10.0, |_| {});
    sim.tell(Input::GoLive);
    sim.run(10.0, |_| {});
    assert!((sim.behind_s() - 1.4).abs() < 0.3, "{}", sim.behind_s());
}

#[test]
fn a_recording_begins_where_the_page_says() {
    for deaf in [0, 1] {
        let recorded = Origin { low_latency: false, last_msn: Some(9), ..Origin::default() };
        let mut sim = Sim::new(recorded, Config { start_s: Some(13.5), ..Config::default() });
        sim.element.deaf = deaf;
        sim.run(12.0, |_| {});
        assert!((sim.element.shown_s - 6.5).abs() < 0.3, "{} after {deaf} seeks that were not heard", sim.element.shown_s);
        assert!(sim.events.iter().any(|(_, event)| *event == Event::Ended));
    }
}

#[test]
fn what_was_played_is_removed_after_a_while() {
    let mut sim = Sim::new(Origin::default(), Config::default());
    sim.run(100.0, |_| {});
    for track in [Track::Video, Track::Audio] {
        let ranges = sim.element.ranges(track);
        assert_eq!(ranges.len(), 1);
        let kept = sim.element.time_s - ranges.first().unwrap().0;
        assert!((29.0..40.0).contains(&kept), "{kept} s are kept");
    }
}

#[test]
fn a_stream_that_is_not_there_yet_is_waited_for() {
    let origin = Origin { broken: Some((0.0, 40.0, 404)), ..Origin::default() };
    let mut sim = Sim::new(origin, Config::default());
    sim.run(9.0, |_| {});
    assert_eq!(sim.events.len(), 1);
    assert!(sim.events.iter().any(|(_, event)| *event == Event::Offline));
    sim.run(8.0, |_| {});
    assert!(sim.events.iter().any(|(_, event)| *event == Event::Playing));
}

#[test]
fn the_same_world_gives_the_same_requests() {
    let fetched = || {
        let mut sim = Sim::new(Origin::default(), Config::default());
        sim.link_bps = Box::new(|now_s| 1e6 + 8e6 * (now_s / 7.0).sin().abs());
        sim.run(30.0, |_| {});
        sim.fetched
    };
    assert_eq!(fetched(), fetched());
}
