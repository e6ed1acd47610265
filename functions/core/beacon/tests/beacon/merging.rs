use proptest::prelude::*;
use tidegate_beacon::{BLOCK, Collector, Report, Rollup, Viewer, Window};
use tidegate_stream::InstanceId;

use crate::{
    player::Random,
    sessions::{START_MS, demo, drain},
};

/// What an edge with this seed counts: a few sessions of either kind of player.
fn window(seed: u64) -> Window {
    let mut random = Random(seed);
    let mut collector = Collector::new(InstanceId(seed), format!("edge-{}", seed % 3));
    for n in 0..1 + random.below(40) {
        let country = ["DE", "FR", "US", "JP"].get(random.below(5) as usize).map(|country| (*country).to_owned());
        let viewer =
            Viewer { unique: Some(random.next()), country, device: "phone", edge: format!("edge-{}", seed % 3), ..Viewer::default() };
        let (session, now) = (random.below(20), START_MS + n * random.below(3000));
        let line = format!(
            "br=({}),e={},ec=(\"x{}\"),ltc={},msd={},sid=\"{session}\",sn={},sta={},ts={}",
            300 * (1 + random.below(5)),
            ["t", "ps", "e"][random.below(3) as usize],
            random.below(3),
            random.below(9000),
            random.below(4000),
            random.below(6),
            ["s", "p", "r", "a", "e", "f"][random.below(6) as usize],
            random.below(100_000)
        );
        collector.count(&demo(), &line, &viewer, session, now);
    }
    drain(&mut collector, START_MS + 400_000)
}

fn sum(windows: &[&Window]) -> Window {
    windows.iter().fold(Window::default(), |mut sum, window| {
        sum.merge(window);
        sum
    })
}

proptest! {
    #[test]
    fn windows_add_up_in_any_order_and_grouping(a: u64, b: u64, c: u64) {
        let (a, b, c) = (window(a), window(b), window(c));
        prop_assert_eq!(sum(&[&a, &b]), sum(&[&b, &a]));
        prop_assert_eq!(sum(&[&sum(&[&a, &b]), &c]), sum(&[&a, &sum(&[&b, &c])]));
        prop_assert_eq!(sum(&[&a]), a);
    }

    #[test]
    fn minutes_that_are_folded_add_up_to_the_same_and_only_once(seed: u64, first in 0u64..20, before in 0u64..40) {
        let mut rollup = Rollup::default();
        // Minutes without viewers are not there.
        (0..24).filter(|n| seed >> n & 3 != 0).for_each(|n| drop(rollup.windows.insert(first + n, window(seed ^ n))));
        let whole = |rollup: &Rollup| sum(&rollup.windows.values().collect::<Vec<_>>());
        let (before_it, minutes) = (whole(&rollup), rollup.windows.clone());
        rollup.fold(before);
        prop_assert_eq!(whole(&rollup), before_it);
        let of_all = |window: &Window| Window { by: Default::default(), ..window.clone() };
        prop_assert!(rollup.windows.iter().all(|(minute, window)| of_all(window) == of_all(&minutes[minute])), "what is known of all stays where it is");
        let end = before / BLOCK * BLOCK;
        prop_assert!(rollup.windows.range(end..).all(|(minute, window)| *window == minutes[minute]), "younger minutes stay as they are");
        let folded = rollup.windows.range(..end).filter(|(_, window)| window.by.iter().any(|values| !values.is_empty()));
        let blocks: std::collections::BTreeSet<u64> = minutes.range(..end).map(|(minute, _)| minute / BLOCK).collect();
        prop_assert!(folded.count() <= blocks.len());
        prop_assert!(!rollup.fold(before), "the second time nothing is left to do");
        prop_assert_eq!(Rollup::decode(&rollup.encode()), Ok(rollup));
    }

    #[test]
    fn windows_read_as_they_were_written(seed: u64) {
        let window = window(seed);
        let report = Report {
            instance: InstanceId(seed),
            edge: "fra-1".into(),
            minute: seed % 1000,
            written_utc_ms: START_MS,
            ending: tidegate_beacon::Ending::Closed,
            windows: vec![(demo(), window)],
        };
        prop_assert_eq!(Report::decode(&report.encode()), Ok(report));
    }
}
