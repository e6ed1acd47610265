#![allow(clippy::disallowed_methods, reason = "a test: it asks how many worlds it is to play, and on how many cores")]
//! A few hundred worlds by chance in every test run, and as many as `TIDEGATE_SEEDS` says in CI; more with
//! `cargo run -p tidegate-world -- --seeds 100000`.

use std::thread;

use tidegate_world::{Plan, play};

#[test]
fn whatever_goes_wrong_the_rules_hold() {
    let seeds: u64 = std::env::var("TIDEGATE_SEEDS").map_or(SEEDS, |told| told.parse().expect("a number of seeds"));
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let failed: Vec<String> = thread::scope(|scope| {
        // Neighbours differ in how long they take, so that each core takes every so manieth.
        let play_from = |first: u64| {
            (first..seeds).step_by(cores as usize).filter_map(|seed| {
                Some(format!("seed {seed}: {}; cargo run -p tidegate-world -- --seed {seed}", play(seed, Plan::new(seed)).broken?))
            })
        };
        let shares: Vec<_> = (0..cores).map(|core| scope.spawn(move || play_from(core).collect::<Vec<_>>())).collect();
        shares.into_iter().flat_map(|share| share.join().expect("a world that ends")).collect()
    });
    assert!(failed.is_empty(), "{failed:#?}");
    println!("{seeds} worlds");
}

#[test]
fn worlds_that_have_failed_once_hold() {
    let failed: Vec<String> =
        FAILED_ONCE.iter().filter_map(|seed| Some(format!("seed {seed}: {}", play(*seed, Plan::new(*seed)).broken?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Clocks that are minutes behind, and an edge that took a silence for the end; records removed and altered by hand, with a lone worker and
/// with two; two sessions written side by side; dates that went back after two takeovers; sound twice after a source broke off; a hole in
/// the sound alone, at which the player stood; dates that were seconds old, of a worker that had learned how far its clock is ahead from
/// frames that a pause had held back; a log that somebody has changed once and twice while the store was away; a gap that was longer than a
/// part, behind a source that broke off; a worker that was not run after the first picture, and took the rate for variable; a session begun on
/// what `current` had been ten seconds before; a small hole before the sound that is left when a source breaks off; a playhead that was put just before a small hole, and stood;
/// a worker whose clock is ahead, whose parts edges saw by twos, and a player that took an origin which had been away for one that was late;
/// a head that leads past two records which somebody removed while the store was away, waited for twice, though its owner had left.
const FAILED_ONCE: &[u64] = &[
    2445, 6199, 13_447, 14_875, 30_704, 31_373, 64_783, 66_945, 77_934, 89_982, 125_347, 149_464, 151_245, 194_167, 211_179, 252_651,
    264_170, 273_609, 276_347, 315_743, 332_582, 382_068, 391_495, 405_109, 459_184, 464_941, 505_419, 511_847, 515_232, 563_824, 588_944,
    590_494, 590_996, 626_103, 702_097, 713_774, 757_614, 763_859, 776_058, 831_057, 833_228, 834_786, 894_468, 901_415, 956_023,
    2_002_857, 2_114_434, 4_261_541, 12_004_704, 16_007_099, 17_006_266, 21_011_944, 22_002_482, 22_014_610, 23_020_279, 24_014_289,
    41_001_833,
];

/// About a second for fifty of them.
const SEEDS: u64 = 300;
