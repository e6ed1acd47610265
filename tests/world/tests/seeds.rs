//! A few hundred worlds by chance, in every test run; more with `cargo run -p tidegate-world -- --seeds 10000`.

use tidegate_world::{Plan, play};

#[test]
fn whatever_goes_wrong_the_rules_hold() {
    let failed: Vec<String> = (0..SEEDS)
        .filter_map(|seed| {
            Some(format!("seed {seed}: {}; cargo run -p tidegate-world -- --seed {seed}", play(seed, Plan::new(seed)).broken?))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// About a second for fifty of them.
const SEEDS: u64 = 300;
