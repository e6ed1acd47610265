use std::{collections::BTreeSet, fmt::Write as _};

use tidegate_validate::{Finding, RenditionSummary, Report, Rule, Severity, rules::ALL};

/// Texts wrap here, so that they fit beside each other on a wide terminal and alone on a small one.
const WIDTH: usize = 110;
/// Of one rule so many places are shown.
const PLACES: usize = 6;

/// Colours, where somebody looks.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Note => "1;36",
        };
        self.paint(code, text)
    }
}

/// The report for people.
pub(super) fn report(report: &Report, color: bool) -> String {
    let paint = Paint(color);
    let mut text = format!("\n  {}\n", paint.bold(&report.url));
    if let Some(fatal) = &report.fatal {
        let _ = writeln!(text, "\n  {}  {fatal}\n", paint.severity(Severity::Error, "not tested"));
        return text;
    }
    let counts = report.counts;
    let parts = if counts.parts > 0 { format!("{}, ", many(counts.parts, "part")) } else { String::new() };
    let _ = writeln!(
        text,
        "  {}; looked at {} ({} blocking, {}), {parts}{}, {} of media\n",
        report.mode.words(),
        many(counts.playlists, "playlist"),
        counts.blocking,
        many(counts.deltas, "delta"),
        many(counts.segments, "segment"),
        bytes(counts.media_bytes),
    );
    renditions(&mut text, &report.renditions, paint);
    let mut shown = BTreeSet::new();
    for finding in &report.findings {
        if shown.insert(finding.rule.id) {
            rule(&mut text, report, finding, paint);
        }
    }
    let [errors, warnings, notes] = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| report.count(severity));
    let mut total = Vec::new();
    for (count, severity) in [(errors, Severity::Error), (warnings, Severity::Warning), (notes, Severity::Note)] {
        let words = many(count as u64, severity.word());
        total.push(if count > 0 { paint.severity(severity, &words) } else { words });
    }
    let _ = writeln!(
        text,
        "  {}{}\n",
        total.join(", "),
        if errors + warnings == 0 { paint.paint("1;32", "  ✓ the stream keeps the rules") } else { String::new() }
    );
    text
}

fn renditions(text: &mut String, all: &[RenditionSummary], paint: Paint) {
    let seconds = |us: Option<u64>| us.map_or_else(|| "–".into(), |us| format!("{} s", us as f64 / 1e6));
    let mut rows = vec![["playlist", "codec", "target", "part", "window", "peak"].map(str::to_owned)];
    for one in all {
        let peak = if one.peak_bps > 0 { format!("{:.2} Mbit/s", one.peak_bps as f64 / 1e6) } else { "–".into() };
        rows.push([
            one.name.clone(),
            one.codec.clone().unwrap_or_else(|| "–".into()),
            seconds(one.target_us),
            seconds(one.part_target_us),
            window(one.window_us),
            peak,
        ]);
    }
    let widths: Vec<usize> =
        (0..6).map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let line = cells.join("  ");
        let _ = writeln!(text, "  {}", if at == 0 { paint.dim(line.trim_end()) } else { line.trim_end().to_owned() });
    }
    text.push('\n');
}

/// A rule with every place where it is broken.
fn rule(text: &mut String, report: &Report, finding: &Finding, paint: Paint) {
    let Rule { id, level, section, text: sentence, advice } = *finding.rule;
    let severity = level.severity();
    let place = paint.dim(&format!("{}, {section}", level.word()));
    let _ = writeln!(text, "  {}  {}  {place}", paint.severity(severity, &format!("{:<7}", severity.word())), paint.bold(id));
    wrapped(text, sentence, "           ");
    let same: Vec<&Finding> = report.findings.iter().filter(|other| other.rule.id == id).collect();
    for one in same.iter().take(PLACES) {
        let name = short(&one.url, &report.url);
        let line = if one.line > 0 { format!(":{}", one.line) } else { String::new() };
        let times = if one.count > 1 { paint.dim(&format!("  ({} times)", one.count)) } else { String::new() };
        let _ = writeln!(text, "             {}{line}  {}{times}", paint.paint("36", &name), one.seen);
    }
    if same.len() > PLACES {
        let _ = writeln!(text, "             and {} more", many((same.len() - PLACES) as u64, "playlist"));
    }
    wrapped(text, &format!("→ {advice}"), "           ");
    text.push('\n');
}

/// All rules for people.
pub(super) fn rules(color: bool) -> String {
    let paint = Paint(color);
    let mut text = String::new();
    for (severity, title) in [
        (Severity::Error, "Errors: the draft or Apple says MUST"),
        (Severity::Warning, "Warnings: the draft or Apple says SHOULD, or players were seen to break"),
        (Severity::Note, "Notes: worth knowing"),
    ] {
        let of: Vec<&&Rule> = ALL.iter().filter(|rule| rule.level.severity() == severity).collect();
        let _ = writeln!(text, "\n{}", paint.severity(severity, &format!("{title} ({})", of.len())));
        for rule in of {
            let _ = writeln!(text, "  {:<24}{}  {}", rule.id, paint.dim(&format!("{:<11}", rule.section)), rule.text);
        }
    }
    text += "\nSections without a name are of draft-pantos-hls-rfc8216bis-22; Apple's are of the HLS Authoring Specification for Apple Devices.\n";
    text
}

/// An address beside that of the stream: what differs is what tells.
fn short(url: &str, base: &str) -> String {
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rest = url.strip_prefix(folder).map_or(url, |rest| rest.trim_start_matches('/'));
    rest.split('?').next().unwrap_or_default().to_owned()
}

fn wrapped(text: &mut String, sentence: &str, indent: &str) {
    let mut line = String::from(indent);
    for word in sentence.split(' ') {
        if line.chars().count() + word.chars().count() > WIDTH && line.len() > indent.len() {
            let _ = writeln!(text, "{}", line.trim_end());
            line = String::from(indent);
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn many(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{} kB", count.div_ceil(1000)),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

fn window(us: u64) -> String {
    let s = us / 1_000_000;
    if s < 120 { format!("{s} s") } else { format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) }
}
