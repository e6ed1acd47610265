//! The table of policies, and the differences of the first one to the others.

use std::fmt::Write;

use crate::{
    bootstrap::{BySet, interval, mean},
    run::Row,
    score::Score,
    setting::Setting,
};

/// Values of policy `p` by set.
pub fn by_set(rows: &[Row], value: impl Fn(&Row) -> f64) -> BySet {
    let mut sets = BySet::new();
    for row in rows {
        sets.entry(row.set).or_default().push(value(row));
    }
    sets
}

/// The table of one setting as Markdown.
pub fn render(setting: &Setting, names: &[&str], rows: &[Row]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "**{}**, {} recordings, {} sets\n", setting.name, rows.len(), by_set(rows, |_| 0.0).len());
    let _ = writeln!(
        text,
        "| policy | QoE_live | util | stall % | switch % | stalls | late s | speed % | dropped | wasted % | start s | kbit/s | QoE_lin | N-QoE | P.1203~ | {} minus it, 95 % | better on |",
        names[0]
    );
    let _ = writeln!(text, "|{}", "---|".repeat(17));
    for (p, name) in names.iter().enumerate() {
        let of = |value: fn(&Score) -> f64| mean(&by_set(rows, |r| value(&r.scores[p])));
        let _ = write!(
            text,
            "| {name} | {:.3} | {:.3} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.0} | {:.2} | {:.3} | {:.2} |",
            of(Score::qoe),
            of(|s| s.utility),
            of(|s| 100.0 * s.stall),
            of(|s| 100.0 * s.switch),
            of(|s| s.stalls),
            of(|s| s.late_s),
            of(|s| 100.0 * s.deviation),
            of(|s| s.dropped),
            of(|s| 100.0 * s.wasted),
            of(|s| s.start_up_s),
            of(|s| s.kbps),
            of(|s| s.lin),
            of(|s| s.n_qoe),
            of(|s| s.mos),
        );
        if p == 0 {
            let _ = writeln!(text, " | |");
            continue;
        }
        let difference = by_set(rows, |r| r.scores[0].qoe() - r.scores[p].qoe());
        let (low, high) = interval(&difference);
        let better = by_set(rows, |r| f64::from(u8::from(r.scores[0].qoe() > r.scores[p].qoe())));
        let _ = writeln!(text, " {:+.3} [{low:+.3}, {high:+.3}] | {:.0} % |", mean(&difference), 100.0 * mean(&better));
    }
    text
}

/// QoE_live of the first policy by set, and what it is ahead of the others.
pub fn render_sets(names: &[&str], rows: &[Row]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| set | n | {} | minus {} |", names[0], names[1..].join(" | minus "));
    let _ = writeln!(text, "|{}", "---|".repeat(names.len() + 2));
    let average = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    for (set, own) in by_set(rows, |r| r.scores[0].qoe()) {
        let _ = write!(text, "| {set} | {} | {:.3} |", own.len(), average(&own));
        for p in 1..names.len() {
            let difference = by_set(rows, |r| r.scores[0].qoe() - r.scores[p].qoe());
            let _ = write!(text, " {:+.3} |", difference.get(set).map_or(0.0, |v| average(v)));
        }
        text.push('\n');
    }
    text
}
