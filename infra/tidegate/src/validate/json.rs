use serde_json::{Value, json};
use tidegate_validate::{Finding, Report, Rule, Severity, rules::ALL};

/// The report for programs.
pub(super) fn report(report: &Report) -> String {
    let seconds = |us: u64| us as f64 / 1e6;
    let renditions: Vec<Value> = report
        .renditions
        .iter()
        .map(|one| {
            json!({
                "url": one.url,
                "codec": one.codec,
                "target_duration_s": one.target_us.map(seconds),
                "part_target_s": one.part_target_us.map(seconds),
                "window_s": seconds(one.window_us),
                "peak_bps": one.peak_bps,
            })
        })
        .collect();
    let counts = report.counts;
    text(&json!({
        "url": report.url,
        "mode": report.mode.words(),
        "not_tested": report.fatal,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notes": report.count(Severity::Note),
        "looked_at": {
            "playlists": counts.playlists,
            "blocking": counts.blocking,
            "deltas": counts.deltas,
            "parts": counts.parts,
            "segments": counts.segments,
            "media_bytes": counts.media_bytes,
        },
        "renditions": renditions,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    }))
}

/// All rules for programs.
pub(super) fn rules() -> String {
    text(&ALL.iter().map(|rule| described(rule)).collect())
}

fn described(rule: &Rule) -> Value {
    json!({
        "rule": rule.id,
        "level": rule.level.word(),
        "severity": rule.level.severity().word(),
        "section": rule.section.to_string(),
        "text": rule.text,
        "advice": rule.advice,
    })
}

fn finding(finding: &Finding) -> Value {
    let mut value = described(finding.rule);
    if let Value::Object(fields) = &mut value {
        fields.insert("url".into(), json!(finding.url));
        fields.insert("line".into(), json!((finding.line > 0).then_some(finding.line)));
        fields.insert("seen".into(), json!(finding.seen));
        fields.insert("first_s".into(), json!(finding.at_us as f64 / 1e6));
        fields.insert("count".into(), json!(finding.count));
    }
    value
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}
