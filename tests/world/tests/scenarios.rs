//! One thing at a time goes wrong, and what has to come of it.

use tidegate_world::{Event, Mode, Plan, Report, play, source::Sound, store::Fault, store::Who};

const SECOND: i64 = 1_000_000;

fn report(plan: Plan) -> Report {
    report_of(1, plan)
}

fn report_of(seed: u64, plan: Plan) -> Report {
    let report = play(seed, plan);
    assert_eq!(report.broken, None, "{:#?}\n{:#?}", report.said, report.log);
    report
}

fn with(mode: Mode, events: &[(i64, Event)], faults: &[(i64, i64, Fault)]) -> Report {
    let plan = Plan::calm(mode, 26 * SECOND);
    report(Plan { events: events.to_vec(), faults: faults.to_vec(), ..plan })
}

#[test]
fn two_workers_write_one_log_and_one_of_them_writes_all_of_it() {
    let report = with(Mode::Exact, &[], &[]);
    assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 0, 0), "{:#?}", report.said);
}

#[test]
fn an_owner_that_dies_is_gone_on_with_inside_the_segment_without_a_gap() {
    for at in [5_100, 5_600, 6_050, 6_900, 7_730] {
        let report = with(Mode::Exact, &[(at * 1000, Event::KillOwner(2 * SECOND))], &[]);
        assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
        assert!(report.longest_us < 1_900_000, "{} us", report.longest_us);
    }
}

#[test]
fn who_has_only_just_come_back_goes_on_without_a_gap_inside_the_first_segment_that_it_has_received() {
    // Its first frame is the key frame at 6 s: the sound of that segment begins a few frames before it.
    let back = (4_200_000, Event::KillStandby(SECOND / 2));
    for at in [6_700, 7_200, 7_700] {
        let report = with(Mode::Exact, &[back, (at * 1000, Event::KillOwner(4 * SECOND))], &[]);
        assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
        assert!(report.longest_us < 1_900_000, "{} us", report.longest_us);
        let report = with(Mode::Exact, &[back, (at * 1000, Event::Leave(4 * SECOND))], &[]);
        assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
        assert!(report.longest_us < 900_000, "{} us", report.longest_us);
    }
}

#[test]
fn rungs_that_are_not_alike_are_gaps_for_the_rest_of_the_segment_only() {
    let report = with(Mode::Own, &[(5_600_000, Event::KillOwner(2 * SECOND))], &[]);
    assert_eq!((report.sessions, report.handovers), (1, 1), "{:#?}", report.said);
    assert!(report.parts.1 <= 4, "{report:?}");
}

#[test]
fn an_owner_that_leaves_hands_over_without_a_gap_and_without_a_silence() {
    let report = with(Mode::Exact, &[(5_600_000, Event::Leave(4 * SECOND))], &[]);
    assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
    assert!(report.longest_us < 800_000, "{} us", report.longest_us);
}

#[test]
fn sound_that_is_not_as_regular_as_the_pictures_or_comes_later_to_one_worker_is_handed_over_without_a_gap() {
    let slow_ppm = 8_000;
    let uneven = [
        [Sound { slow_ppm, late_us: 0 }; 2],
        [Sound { slow_ppm: 0, late_us: 300_000 }, Sound::default()],
        [Sound::default(), Sound { slow_ppm: 0, late_us: 300_000 }],
        [Sound { slow_ppm, late_us: 30_000 }, Sound { slow_ppm, late_us: 350_000 }],
    ];
    let mut failed = Vec::new();
    for (sound, tenths) in uneven.iter().zip([[0, 7, 13, 17], [1, 6, 12, 18], [2, 8, 11, 16], [3, 5, 14, 19]]) {
        for tenth in tenths {
            for event in [Event::Leave(4 * SECOND), Event::KillOwner(2 * SECOND)] {
                let events = vec![(8_050_000 + tenth * 100_000, event)];
                let report = play(1, Plan { events, sound: *sound, ..Plan::calm(Mode::Exact, 22 * SECOND) });
                if report.broken.is_some() || (report.sessions, report.handovers, report.parts.1) != (1, 1, 0) {
                    failed.push(format!("{sound:?}, {tenth}, {event:?}: {:?}, {} gaps", report.broken, report.parts.1));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_push_that_comes_back_to_the_other_worker_goes_on_in_the_same_session() {
    let report = with(Mode::Single, &[(5_600_000, Event::KillOwner(3 * SECOND))], &[]);
    assert_eq!((report.sessions, report.handovers), (1, 1), "{:#?}", report.said);
}

#[test]
fn a_worker_that_wakes_up_writes_nothing_into_the_log_of_another() {
    let report = with(Mode::Exact, &[(5_600_000, Event::PauseOwner(6 * SECOND))], &[]);
    assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
}

#[test]
fn a_worker_without_the_store_is_replaced_and_stands_by_afterwards() {
    for place in 0..2 {
        let cut = Fault::Cut(Who::Worker(place));
        let report = with(Mode::Exact, &[], &[(5 * SECOND, 11 * SECOND, cut)]);
        assert_eq!((report.sessions, report.parts.1), (1, 0), "{:#?}", report.said);
    }
}

#[test]
fn a_store_that_is_away_costs_nothing_but_time() {
    let plan = Plan::calm(Mode::Exact, 46 * SECOND);
    let report = report(Plan { faults: vec![(5 * SECOND, 25 * SECOND, Fault::Away)], ..plan });
    assert_eq!((report.sessions, report.parts.1), (1, 0), "{:#?}", report.said);
}

#[test]
fn a_minute_without_the_store_and_a_minute_of_a_slow_one_cost_no_segment_and_viewers_are_back_30_s_later() {
    let part_us = 520_000;
    let (away, trouble) = ((5 * SECOND, 65 * SECOND), (65 * SECOND, 125 * SECOND));
    let faults =
        vec![(away.0, away.1, Fault::Away), (trouble.0, trouble.1, Fault::Busy(5)), (trouble.0, trouble.1, Fault::SlowPuts(5 * part_us))];
    // In some of them the one that stands by takes the silence of slow writes for an end and is wrong about it, more than a minute
    // after the newest date in the log.
    for seed in 1..=3 {
        let report = report_of(seed, Plan { faults: faults.clone(), ..Plan::calm(Mode::Exact, 155 * SECOND) });
        // A record for each part, and an end to each silence.
        assert_eq!((report.sessions, report.parts.1), (1, 0), "seed {seed}: {:#?}", report.said);
        let media = 155 * SECOND / 500_000;
        assert!(report.records as i64 >= media - 4, "seed {seed}: {} records of {media}", report.records);
        assert!(report.behind_s.is_some_and(|behind_s| behind_s < 2.5), "seed {seed}: {:?}", report.behind_s);
    }
}

#[test]
fn a_standby_costs_no_writes_and_a_few_reads_for_each_record() {
    const SECONDS: i64 = 120;
    let alone = report(Plan::calm(Mode::Single, SECONDS * SECOND));
    let twins = report(Plan::calm(Mode::Exact, SECONDS * SECOND));
    let (reads, puts) = (twins.requests.0 as i64 - alone.requests.0 as i64, twins.requests.1 as i64 - alone.requests.1 as i64);
    println!(
        "{SECONDS} s: {} PUTs alone and {} with a standby, which reads {reads} times for {} records",
        alone.requests.1, twins.requests.1, twins.records
    );
    assert!(puts.abs() * 20 <= alone.requests.1 as i64, "{alone:?} {twins:?}");
    // One that finds it, and those that come a little early.
    assert!(reads <= 3 * twins.records as i64, "{reads} for {}", twins.records);
}

#[test]
fn clocks_that_are_ten_minutes_apart_do_not_matter() {
    let plan = Plan::calm(Mode::Exact, 26 * SECOND);
    let events = vec![(5_600_000, Event::KillOwner(2 * SECOND))];
    let report = report(Plan { events, skew_us: [0, 600 * SECOND], ..plan });
    assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
}

#[test]
fn what_a_source_that_broke_off_has_left_out_of_its_last_part_is_listed_as_a_gap() {
    // It is back, ends the part that it had begun, and dies before the next one; the other one was not run meanwhile.
    let events =
        [(6_625_000, Event::PauseStandby(5_863_000)), (9_027_000, Event::Break(0, 2_684_000)), (12_355_000, Event::KillOwner(SECOND))];
    let report = with(Mode::Exact, &events, &[]);
    assert_eq!((report.sessions, report.handovers), (1, 1), "{:#?}", report.said);
    // Of three renditions, what is left of a segment of four parts.
    assert!((1..=9).contains(&report.parts.1), "{report:?}");
}

#[test]
fn a_record_that_is_removed_under_an_owner_is_no_silence() {
    // The one that stands by has not read it: the store does not answer it for a while.
    let report = with(Mode::Exact, &[(6_630_000, Event::Remove)], &[(5 * SECOND, 8 * SECOND, Fault::Cut(Who::Worker(1)))]);
    assert_eq!((report.sessions, report.handovers), (1, 0), "{:#?}", report.said);
    assert!(report.said.iter().any(|(_, worker, said)| *worker == 1 && said.starts_with("Damaged")), "{:#?}", report.said);
}

#[test]
fn a_worker_whose_clock_is_minutes_behind_and_that_is_silent_for_a_while_is_not_over() {
    let events = vec![(5 * SECOND, Event::EdgeDies(0, SECOND)), (5 * SECOND, Event::PauseOwner(9 * SECOND))];
    let plan = Plan { events, skew_us: [-279 * SECOND, 0], ..Plan::calm(Mode::Single, 26 * SECOND) };
    assert_eq!(report(plan).sessions, 1);
}

#[test]
fn a_lone_worker_that_finds_its_log_damaged_lists_a_gap_and_goes_on_in_the_same_session() {
    for event in [Event::Alter, Event::Remove] {
        // It is not run for so long that it looks for the log again, of which somebody has changed a record that is not the newest.
        let report = with(Mode::Single, &[(7_300_000, event), (7_900_000, Event::PauseOwner(6 * SECOND))], &[]);
        assert_eq!(report.sessions, 1, "{:#?}", report.said);
        assert!(report.said.iter().any(|(_, _, said)| said.starts_with("Damaged")), "{:#?}", report.said);
        // The pause, the silence after it, and at most two segments until all is there again.
        assert!(report.longest_us < 9 * SECOND, "{} us", report.longest_us);
        assert!(report.parts.1 <= 9, "{report:?}");
    }
}

#[test]
fn a_record_that_somebody_has_altered_or_removed_is_said_and_the_stream_goes_on() {
    for event in [Event::Alter, Event::Remove] {
        with(Mode::Exact, &[(5_630_000, event)], &[]);
    }
}

#[test]
fn a_worker_that_wakes_up_after_minutes_writes_nothing_that_anyone_lists() {
    // Records live for a minute: the number that it would write next has come and gone.
    let events = vec![(5_600_000, Event::PauseOwner(150 * SECOND))];
    let report = report(Plan { events, ..Plan::calm(Mode::Exact, 185 * SECOND) });
    assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
    assert!(report.said.iter().any(|(at, worker, said)| *worker == 0 && *at > 155 * SECOND && said == "Standby"), "{:#?}", report.said);
}

#[test]
fn viewers_of_a_push_that_comes_back_to_the_other_worker_stall_no_longer_than_it_was_away() {
    // Its worker is well and says that it has lost it, or is dead.
    let moves = [(5_600, 2_000), (6_050, 4_000), (7_300, 6_000)].map(|(at, away)| (at, away, Event::Move(away * 1000)));
    let kills = [(5_600, 2_000), (6_050, 3_000), (7_300, 4_000)].map(|(at, away)| (at, away, Event::KillOwner(2 * away * 1000)));
    for (at, away, event) in moves.into_iter().chain(kills) {
        let report = with(Mode::Single, &[(at * 1000, event)], &[]);
        assert_eq!((report.sessions, report.handovers), (1, 1), "{:#?}", report.said);
        println!("{event:?}, away for {away} ms: the picture stood still for {} ms", report.stall_us() / 1000);
        assert!(report.stall_us() <= away * 1000, "{} us, away for {away} ms", report.stall_us());
    }
}

#[test]
fn a_slate_keeps_the_stream_alive_until_the_encoder_is_back() {
    let events = vec![(6_300_000, Event::Break(0, 5 * SECOND))];
    let report = report(Plan { events, slate: true, ..Plan::calm(Mode::Single, 28 * SECOND) });
    // The source, the slate, the source.
    assert_eq!((report.sessions, report.periods), (1, 3), "{:#?}", report.said);
    // The owner leaves the log to another worker for a moment, in case that has the source.
    assert!(report.longest_us < 1_900_000, "{} us", report.longest_us);
    assert!(report.stall_us() < SECOND, "{} us", report.stall_us());
}

#[test]
fn a_slate_gives_way_to_the_encoder_at_the_other_worker() {
    let events = vec![(6_300_000, Event::Move(4 * SECOND))];
    let report = report(Plan { events, slate: true, ..Plan::calm(Mode::Single, 28 * SECOND) });
    assert_eq!((report.sessions, report.handovers, report.periods), (1, 1, 3), "{:#?}", report.said);
    assert!(report.longest_us < 1_900_000, "{} us", report.longest_us);
    let owner = report.said.iter().find(|(at, worker, said)| *worker == 1 && *at > 10 * SECOND && said == "Owner");
    assert!(owner.is_some_and(|(at, ..)| *at < 12 * SECOND), "{:#?}", report.said);
}

#[test]
fn a_slate_does_not_take_the_log_from_the_worker_that_has_the_source() {
    let events = vec![(6_300_000, Event::Break(0, 5 * SECOND))];
    let report = report(Plan { events, slate: true, ..Plan::calm(Mode::Exact, 28 * SECOND) });
    assert_eq!((report.sessions, report.handovers, report.periods, report.parts.1), (1, 1, 1, 0), "{:#?}\n{:#?}", report.said, report.log);
}

#[test]
fn two_publishers_of_one_key_with_different_content_are_never_mixed() {
    let report = with(Mode::Rivals, &[], &[]);
    assert_eq!((report.sessions, report.handovers, report.periods), (1, 0, 1), "{:#?}", report.said);
    for event in [Event::KillOwner(4 * SECOND), Event::Leave(4 * SECOND)] {
        let report = with(Mode::Rivals, &[(6_300_000, event)], &[]);
        assert_eq!((report.sessions, report.handovers, report.periods), (1, 1, 2), "{event:?}: {:#?}", report.said);
        assert_eq!(report.parts.1, 0, "{event:?}: {report:?}");
    }
}

#[test]
fn two_encoders_with_one_clock_go_on_in_one_time_without_a_discontinuity() {
    for at in [5_600, 6_300, 7_100] {
        let report = with(Mode::Clocked, &[(at * 1000, Event::KillOwner(4 * SECOND))], &[]);
        // Their bytes differ: what is left of the segment is a gap in pictures and sound.
        assert_eq!((report.sessions, report.handovers, report.periods), (1, 1, 1), "{:#?}\n{:#?}", report.said, report.log);
        assert!(report.parts.1 <= 12, "{report:?}");
        assert!(report.longest_us < 1_900_000, "{} us", report.longest_us);
    }
}

#[test]
fn a_twin_with_another_ladder_stands_aside_and_begins_a_session_of_its_own_when_the_log_is_silent() {
    let plan = Plan { other_ladder: true, ..Plan::calm(Mode::Exact, 60 * SECOND) };
    let report = report(plan.clone());
    assert_eq!((report.sessions, report.handovers), (1, 0), "{:#?}", report.said);
    assert_eq!(report.said.iter().filter(|(_, _, said)| said.starts_with("Foreign")).count(), 1, "{:#?}", report.said);
    let killed = play(1, Plan { events: vec![(6_300_000, Event::KillOwner(30 * SECOND))], ..plan });
    assert_eq!((killed.broken, killed.sessions), (None, 2), "{:#?}", killed.said);
    assert!(killed.longest_us < 2_500_000, "{} us", killed.longest_us);
}

#[test]
fn edges_with_a_second_bucket_go_on_with_what_is_listed_while_the_first_is_away() {
    for (from, to, fault) in [(6, 12, Fault::Away), (6, 14, Fault::MirrorAway), (6, 12, Fault::Cut(Who::Edge(0)))] {
        let plan = Plan { mirror: true, ..Plan::calm(Mode::Exact, 28 * SECOND) };
        let report = report(Plan { faults: vec![(from * SECOND, to * SECOND, fault)], ..plan });
        assert_eq!((report.sessions, report.parts.1), (1, 0), "{fault:?}: {:#?}", report.said);
    }
}

#[test]
fn sound_alone_is_gone_on_with_without_a_gap() {
    for tenth in 0..16 {
        for event in [Event::KillOwner(4 * SECOND), Event::Leave(4 * SECOND)] {
            let events = vec![(6_050_000 + tenth * 130_000, event)];
            let report = report(Plan { events, sound_alone: true, ..Plan::calm(Mode::Exact, 24 * SECOND) });
            assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{tenth}, {event:?}: {:#?}", report.said);
        }
    }
}
