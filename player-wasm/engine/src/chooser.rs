//! Which rung to load next: what the policy is told, when it is asked, and the log of its reasons.

use alloc::collections::VecDeque;

use tidegate_abr::{Abandon, Abr, Config as Plan, Progress, Rule, State, Why};

use crate::{
    Timing,
    transfers::{Transfer, Transfers},
};

/// Decisions that are kept for the page.
const LOG: usize = 64;

/// A decision and its reasons.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// Counts from 0 since the engine was made.
    pub number: u64,
    /// When, on the engine's clock.
    pub at_ms: f64,
    /// The segment.
    pub msn: u64,
    /// The rung before.
    pub from: usize,
    /// The rung after.
    pub to: usize,
    /// What the policy was told to be buffered when the request goes out, in s.
    pub buffer_s: f64,
    /// Distance to live, in s.
    pub latency_s: Option<f64>,
    /// A running request was given up for it.
    pub abandon: Option<Abandon>,
    /// The reasons; without alternatives where a request was given up.
    pub why: Why,
}

/// The policy and what it has not been told yet.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    policy: Option<(Plan, Abr)>,
    transfers: Transfers,
    /// Something of this presentation was chosen.
    begun: bool,
    /// The rung of the segment before the one that is loaded.
    before: Option<usize>,
    log: VecDeque<Choice>,
    count: u64,
}

/// When and for which segment a choice is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now_ms: f64,
    pub(crate) msn: u64,
    pub(crate) current: usize,
}

impl Chooser {
    /// Prepares for a ladder and a way to play; what is known of the link stays.
    pub(crate) fn plan(&mut self, plan: Plan) {
        match &mut self.policy {
            Some((known, _)) if same(known, &plan) => {}
            Some((known, abr)) => {
                *abr = abr.again(plan.clone());
                *known = plan;
            }
            none => *none = Some((plan.clone(), Abr::new(plan))),
        }
    }

    pub(crate) fn planned(&self) -> Option<&Plan> {
        self.policy.as_ref().map(|(plan, _)| plan)
    }

    /// A transfer ended or was given up.
    pub(crate) fn carried(&mut self, now_ms: f64, transfer: Transfer) {
        if let (Some(sample), Some((_, abr))) = (self.transfers.add(now_ms, transfer), &mut self.policy) {
            abr.sample(sample);
        }
    }

    /// A transfer runs: how long, in s, it would have taken with the link for itself.
    pub(crate) fn runs(&mut self, now_ms: f64, id: u32, bytes: u64, timing: Timing) -> Option<f64> {
        self.transfers.runs(now_ms, id, bytes, timing)
    }

    /// The rung for a segment. Before anything is known of the link, the present one.
    pub(crate) fn choose(&mut self, at: Moment, state: State<'_>) -> usize {
        let Some((_, abr)) = &mut self.policy else { return at.current };
        if let Some(sample) = self.transfers.close() {
            abr.sample(sample);
        }
        // The first rung of a presentation is that whose playlist is at hand.
        let last = core::mem::replace(&mut self.begun, true).then_some(at.current);
        let decision = abr.decide(&State { last, ..state });
        let keep = last.is_none() || decision.why.rule == Rule::First;
        let to = if keep { at.current } else { decision.rendition };
        self.before = last;
        self.note(at, to, &state, None, decision.why);
        to
    }

    /// Looks at the request that runs: whether to begin its segment again in a lower rung.
    pub(crate) fn look(&self, progress: Progress<'_>) -> Option<Abandon> {
        let (_, abr) = self.policy.as_ref()?;
        let state = State { last: self.before, ..progress.state };
        abr.progress(&Progress { state, ..progress })
    }

    /// A segment is begun again.
    pub(crate) fn gave_up(&mut self, at: Moment, to: usize, state: &State<'_>, abandon: Abandon) {
        let Some(why) = self.policy.as_ref().map(|(_, abr)| abr.reasons()) else { return };
        self.note(at, to, state, Some(abandon), why);
    }

    /// Builds the policy's tables, at most so many slices of less than 0.1 ms; true when there is nothing to build.
    pub(crate) fn idle(&mut self, slices: u32) -> bool {
        self.policy.as_mut().is_none_or(|(_, abr)| abr.idle(slices))
    }

    pub(crate) fn forecast_bps(&self) -> Option<f64> {
        self.policy.as_ref()?.1.forecast_bps()
    }

    pub(crate) fn log(&self) -> impl DoubleEndedIterator<Item = &Choice> {
        self.log.iter()
    }

    /// Another presentation begins; the link is the same.
    pub(crate) fn begin(&mut self) {
        self.begun = false;
        self.before = None;
    }

    fn note(&mut self, at: Moment, to: usize, state: &State<'_>, abandon: Option<Abandon>, why: Why) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Choice {
            number: self.count,
            at_ms: at.now_ms,
            msn: at.msn,
            from: at.current,
            to,
            buffer_s: state.buffer_s,
            latency_s: state.latency_s,
            abandon,
            why,
        });
        self.count += 1;
    }
}

/// Whether tables for one serve the other: lengths are measured on the list, and a stall moves the target.
fn same(a: &Plan, b: &Plan) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 0.25 * a.abs().max(b.abs());
    a.live == b.live && a.ladder_bps == b.ladder_bps && near(a.segment_s, b.segment_s) && near(a.chunk_s, b.chunk_s)
}
