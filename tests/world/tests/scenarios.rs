//! One thing at a time goes wrong, and what has to come of it.

use tidegate_world::{Event, Mode, Plan, Report, play, store::Fault, store::Who};

const SECOND: i64 = 1_000_000;

fn report(plan: Plan) -> Report {
    let report = play(1, plan);
    assert_eq!(report.broken, None, "{:#?}", report.said);
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
fn clocks_that_are_ten_minutes_apart_do_not_matter() {
    let plan = Plan::calm(Mode::Exact, 26 * SECOND);
    let events = vec![(5_600_000, Event::KillOwner(2 * SECOND))];
    let report = report(Plan { events, skew_us: [0, 600 * SECOND], ..plan });
    assert_eq!((report.sessions, report.handovers, report.parts.1), (1, 1, 0), "{:#?}", report.said);
}

#[test]
fn a_record_that_somebody_has_altered_or_removed_is_said_and_the_stream_goes_on() {
    for event in [Event::Alter, Event::Remove] {
        with(Mode::Exact, &[(5_630_000, event)], &[]);
    }
}
