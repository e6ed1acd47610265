//! The cost guide: what a live hour and 1,000 viewers cost, set-up by set-up, by the same arithmetic as a plan.

use std::fmt::Write as _;

use super::{
    model::{Edge, Machine, Plan, Wanted, plan},
    number,
};

/// So many streams share the machines of an hour.
const STREAMS: f64 = 20.0;
const THOUSAND: f64 = 1000.0;

/// Both tables, in Markdown.
pub(super) fn guide() -> String {
    let mut text = String::from(
        "| a live hour of one stream of 20 | PUT | GET | requests, $ | machines, $ | media, GB |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for (name, wanted) in streams() {
        let plan = plan(&wanted);
        let each = |group: &str, what: &str| number(of(&plan, group, what) / STREAMS);
        let machines = (paid(&plan, "workers") + paid(&plan, "edges")) / STREAMS;
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} |",
            each("bucket", "PUT"),
            each("bucket", "GET"),
            each("bucket", "requests"),
            number(machines),
            each("bucket", "media that stays")
        );
    }
    text.push_str("\n| 1,000 viewers for an hour | requests/s | past the caches/s | GB | requests, $ | bytes, $ | function, $ |\n");
    text.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for (name, wanted) in viewers() {
        let plan = plan(&wanted);
        let seen = |group: &str, what: &str| number(of(&plan, group, what));
        let bytes = of(&plan, "CDN", "bytes, as if every hour of the month were like this");
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} |",
            seen("viewers", "requests"),
            seen("viewers", "past the CDN's caches"),
            number(of(&plan, "viewers", "media") * 3600.0 / 8.0),
            seen("CDN", "requests"),
            number(bytes),
            number(paid(&plan, "function"))
        );
    }
    text
}

fn of(plan: &Plan, group: &str, what: &str) -> f64 {
    plan.lines.iter().find(|line| line.group == group && line.what == what).map_or(0.0, |line| line.value)
}

fn paid(plan: &Plan, group: &str) -> f64 {
    // The sum of nothing is -0.
    plan.lines.iter().filter(|line| line.group == group && line.unit == "$/h").map(|line| line.value).sum::<f64>() + 0.0
}

fn five() -> Vec<f64> {
    vec![5000.0, 3000.0, 1600.0, 800.0, 400.0]
}

fn base() -> Wanted {
    Wanted {
        streams: STREAMS,
        viewers: 0.0,
        ladder_kbps: five(),
        watched_kbps: 3000.0,
        part_s: 0.5,
        segment_s: 2.0,
        twins: false,
        edge: Edge::Host,
        cdn: true,
        kept_days: 0.0,
        machine: Machine { cores: 8.0, memory_gib: 16.0, gbps: 5.0, usd_per_hour: 0.29, ladder_cores: 4.0 },
    }
}

fn streams() -> Vec<(&'static str, Wanted)> {
    vec![
        ("the source alone, hosts", Wanted { ladder_kbps: vec![5000.0], ..base() }),
        ("the source alone, parts of 1 s, hosts", Wanted { ladder_kbps: vec![5000.0], part_s: 1.0, ..base() }),
        ("five rungs, hosts", base()),
        ("five rungs, twins, hosts", Wanted { twins: true, ..base() }),
        ("five rungs, parts of 0.2 s, hosts", Wanted { part_s: 0.2, ..base() }),
        ("five rungs, Lambda", Wanted { edge: Edge::Lambda, ..base() }),
        ("five rungs, the bucket alone", Wanted { edge: Edge::Bucket, ..base() }),
    ]
}

fn viewers() -> Vec<(&'static str, Wanted)> {
    let watched = || Wanted { streams: 1.0, viewers: THOUSAND, ..base() };
    vec![
        ("hosts, parts of 0.5 s", watched()),
        ("hosts, parts of 0.2 s", Wanted { part_s: 0.2, ..watched() }),
        ("Lambda, segments of 2 s", Wanted { edge: Edge::Lambda, ..watched() }),
        ("the bucket alone, segments of 2 s", Wanted { edge: Edge::Bucket, ..watched() }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_guide_has_the_tables_as_they_are_worked_out() {
        let written = include_str!("../../../OPERATIONS.md");
        let guide = guide();
        for table in guide.split("\n\n") {
            assert!(written.contains(table.trim()), "infra/OPERATIONS.md wants what `tidegate plan --guide` says:\n{guide}");
        }
    }

    #[test]
    fn a_stream_without_viewers_costs_no_bytes_and_more_work_is_never_cheaper() {
        let requests = |wanted: &Wanted| of(&plan(wanted), "bucket", "requests");
        let rows = streams();
        let named = |name: &str| rows.iter().find(|(known, _)| *known == name).map(|(_, wanted)| requests(wanted)).unwrap_or(f64::NAN);
        assert!(named("the source alone, hosts") < named("five rungs, hosts"));
        assert!(named("five rungs, hosts") < named("five rungs, twins, hosts"));
        assert!(named("five rungs, hosts") < named("five rungs, parts of 0.2 s, hosts"));
        assert!(rows.iter().all(|(_, wanted)| paid(&plan(wanted), "CDN") == 0.0));
    }
}
