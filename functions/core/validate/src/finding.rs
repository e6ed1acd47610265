use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    read::Fault,
    rule::{Rule, Severity},
};

/// A rule that was broken, at one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Where: a playlist, a part, a segment.
    pub url: String,
    /// The line of the playlist, from 1; 0 where it is no line.
    pub line: u32,
    /// What was seen the first time.
    pub seen: String,
    /// When that was, in us from the start.
    pub at_us: u64,
    /// How often it was seen.
    pub count: u64,
}

/// Findings, one for each rule and address.
#[derive(Default)]
pub(crate) struct Findings {
    all: Vec<Finding>,
    index: BTreeMap<(&'static str, String), usize>,
    /// Up to here the findings have been handed out.
    given: usize,
}

/// No report is longer: a stream with more addresses that are wrong is wrong in the same way everywhere.
const MAX_FINDINGS: usize = 2_000;

impl Findings {
    pub(crate) fn add(&mut self, url: &str, fault: &Fault, now_us: u64) {
        let key = (fault.rule.id, url.to_string());
        if let Some(finding) = self.index.get(&key).and_then(|index| self.all.get_mut(*index)) {
            finding.count += 1;
        } else if self.all.len() < MAX_FINDINGS {
            self.index.insert(key, self.all.len());
            self.all.push(Finding {
                rule: fault.rule,
                url: url.into(),
                line: fault.line,
                seen: fault.seen.clone(),
                at_us: now_us,
                count: 1,
            });
        }
    }

    pub(crate) fn has(&self, rule: &Rule, url: &str) -> bool {
        self.all.iter().any(|finding| finding.rule.id == rule.id && finding.url == url)
    }

    /// The next one that nobody has been told of.
    pub(crate) fn next(&mut self) -> Option<Finding> {
        let finding = self.all.get(self.given)?.clone();
        self.given += 1;
        Some(finding)
    }

    /// Errors first, then warnings, then notes; each as they were found.
    pub(crate) fn sorted(&self) -> Vec<Finding> {
        let mut all = self.all.clone();
        all.sort_by_key(|finding| (finding.rule.level.severity(), finding.at_us));
        all
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.all.iter().filter(|finding| finding.rule.level.severity() == severity).count()
    }
}
