//! What the doctor found, for people and for programs.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

/// What one check came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    /// The name of the check, as `store.race`.
    pub(crate) check: &'static str,
    pub(crate) outcome: Outcome,
    /// What was seen, in one sentence.
    pub(crate) seen: String,
    /// What to do about it; empty where there is nothing to do.
    pub(crate) advice: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Fine,
    /// It works, and could be better.
    Warned,
    /// Streams would lose data or not run.
    Failed,
    /// It was not looked at.
    Skipped,
}

impl Finding {
    pub(crate) fn fine(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Fine, seen: seen.into(), advice: String::new() }
    }

    pub(crate) fn warned(check: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Warned, seen: seen.into(), advice: advice.into() }
    }

    pub(crate) fn failed(check: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Failed, seen: seen.into(), advice: advice.into() }
    }

    pub(crate) fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Skipped, seen: why.into(), advice: String::new() }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warned => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// Prints findings as they come, as lines for people or as one JSON document at the end.
pub(crate) struct Report {
    json: bool,
    findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, findings: Vec::new() }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if !self.json {
            println(&line(&finding));
        }
        self.findings.push(finding);
    }

    pub(crate) fn end(&self) {
        if self.json {
            let findings: Vec<_> = self.findings.iter().map(document).collect();
            println(&json!({ "findings": findings, "failed": self.failed() }).to_string());
        }
    }

    /// Whether a check of this name has failed.
    pub(crate) fn failed_in(&self, prefix: &str) -> bool {
        self.findings.iter().any(|finding| finding.outcome == Outcome::Failed && finding.check.starts_with(prefix))
    }

    pub(crate) fn failed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == Outcome::Failed).count()
    }
}

fn line(finding: &Finding) -> String {
    let first = format!("{:<8} {:<18} {}", finding.outcome.word(), finding.check, finding.seen);
    if finding.advice.is_empty() { first } else { format!("{first}\n{:<27} {}", "", finding.advice) }
}

fn document(finding: &Finding) -> serde_json::Value {
    json!({ "check": finding.check, "outcome": finding.outcome.word().to_lowercase(), "seen": finding.seen, "advice": finding.advice })
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[allow(clippy::print_stdout, reason = "the answer to the command")]
fn println(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_seen_and_what_to_do_below_it() {
        assert_eq!(line(&Finding::fine("ffmpeg", "version 9")), "fine     ffmpeg             version 9");
        let failed = line(&Finding::failed("store.race", "2 winners", "use another store"));
        assert_eq!(failed, "FAILED   store.race         2 winners\n                            use another store");
    }
}
