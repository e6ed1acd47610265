use proptest::prelude::*;
use tidegate_beacon::{Collector, Report, Viewer, Window};
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
