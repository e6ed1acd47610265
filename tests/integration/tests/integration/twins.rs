//! Two real workers as processes; the long form is `cargo run -p tidegate-integration --example chaos`.

use std::time::Duration;

use tidegate_integration::{Embedded, ffmpeg, skip, twins::Twins};

/// The owner is killed, and the next one told to go; both come back. No record is changed, and it stays one session.
fn each_goes_once(twins: &mut Twins) {
    for signal in [9, 15] {
        let owner = twins.owner().expect("somebody writes");
        let took = twins.kill(owner, signal, Duration::from_millis(200));
        assert!(took < Duration::from_secs(4), "{took:?}: {}", twins.report());
        // The worker that comes back has to have received a whole segment before it can go on inside one without a gap.
        twins.settle(10);
    }
    assert_eq!(twins.reader.changed(), 0, "{}", twins.report());
    assert!(twins.reader.is_one_session() && twins.reader.broken.is_empty(), "{:?} {}", twins.reader.broken, twins.report());
}

#[test]
fn a_killed_owner_and_one_that_is_told_to_go_cost_at_most_a_segment_each() {
    let embedded = Embedded::start();
    let mut twins = Twins::start(embedded.s3.clone(), false);
    twins.settle(4);
    each_goes_once(&mut twins);
    // Two handovers, of a segment of four parts at the most.
    assert!(twins.reader.gaps.len() <= 2 * 4, "{:?}: {}", twins.reader.gaps, twins.report());
}

#[test]
fn one_encoder_over_srt_to_both_costs_nothing_when_either_goes() {
    if !ffmpeg::knows_srt() {
        return skip("twins over SRT", "this ffmpeg knows no SRT: infra/tools fetches one that does");
    }
    let embedded = Embedded::start();
    let mut twins = Twins::over_srt(embedded.s3.clone(), false);
    // Both have a whole segment by then.
    twins.settle(8);
    each_goes_once(&mut twins);
    assert!(twins.reader.gaps.is_empty() && twins.reader.periods == 1, "{:?}: {}", twins.reader.gaps, twins.report());
}

#[test]
fn one_encoder_over_rtmp_to_one_and_srt_to_the_other_costs_nothing_when_either_goes() {
    if !ffmpeg::knows_srt() {
        return skip("twins over RTMP and SRT", "this ffmpeg knows no SRT: infra/tools fetches one that does");
    }
    let embedded = Embedded::start();
    let mut twins = Twins::both_ways(embedded.s3.clone(), false);
    twins.settle(8);
    each_goes_once(&mut twins);
    assert!(twins.reader.gaps.is_empty() && twins.reader.periods == 1, "{:?}: {}", twins.reader.gaps, twins.report());
}
