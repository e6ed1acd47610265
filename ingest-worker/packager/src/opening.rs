use alloc::vec::Vec;

use tidegate_cmaf::CodecConfig;
use tidegate_stream::RenditionKind;

use crate::{
    Config, DropReason, Event, Frame, Input,
    rate::{Verdict, judge},
};

/// Holds what comes before a period can start: until the frame rate is known and every rendition has a configuration.
#[derive(Debug)]
pub(crate) struct Opening {
    /// What was known of the renditions when it began.
    known: Vec<Known>,
    held: Vec<(i64, Input)>,
    bytes: usize,
    /// When the first frame of each rendition came.
    first_at: Vec<Option<i64>>,
    has_sync: Vec<bool>,
    lead: Option<usize>,
    lead_start: Option<LeadStart>,
    /// Decode times of the lead from there on.
    lead_dts: Vec<i64>,
    /// When this was last asked whether the period can start.
    asked_at: Option<i64>,
}

/// Who is asked less often than that was not run meanwhile: what came could not be looked at, and the wait for it does not count.
const RUNS_US: i64 = 1_000_000;

/// The first sync frame of the lead.
#[derive(Clone, Copy, Debug)]
struct LeadStart {
    at: i64,
    pts_ms: i64,
}

/// How a period starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) lead: usize,
    pub(crate) verdict: Verdict,
    pub(crate) zero_ms: i64,
}

/// What is known of a rendition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) config: Option<CodecConfig>,
    pub(crate) absent: bool,
}

impl Opening {
    pub(crate) fn new(known: &[Known]) -> Self {
        Self {
            known: known.to_vec(),
            held: Vec::new(),
            bytes: 0,
            first_at: alloc::vec![None; known.len()],
            has_sync: alloc::vec![false; known.len()],
            lead: None,
            lead_start: None,
            lead_dts: Vec::new(),
            asked_at: None,
        }
    }

    /// Keeps an input until the period starts, or says why a frame is not kept.
    pub(crate) fn hold(&mut self, now: i64, config: &Config, input: Input) -> Result<(), DropReason> {
        if let Input::Frame { rendition, frame } = &input {
            if let Some(first) = self.first_at.get_mut(*rendition) {
                first.get_or_insert(now);
            }
            if let Some(has_sync) = self.has_sync.get_mut(*rendition) {
                *has_sync |= frame.sync || config.renditions.get(*rendition).is_some_and(|r| r.kind == RenditionKind::Audio);
                if !*has_sync {
                    return Err(DropReason::NotSync);
                }
            }
            if self.bytes + frame.data.len() > config.limits.queue_bytes {
                return Err(DropReason::Size);
            }
            self.bytes += frame.data.len();
            self.observe(now, *rendition, frame);
        }
        self.held.push((now, input));
        Ok(())
    }

    fn observe(&mut self, now: i64, rendition: usize, frame: &Frame) {
        if self.lead == Some(rendition) && (self.lead_start.is_some() || frame.sync) {
            let pts_ms = frame.dts_ms.saturating_add(i64::from(frame.cts_ms));
            self.lead_start.get_or_insert(LeadStart { at: now, pts_ms });
            self.lead_dts.push(frame.dts_ms);
        }
    }

    /// Forgets the configuration of a rendition, unless frames of it have come.
    pub(crate) fn forget(&mut self, rendition: usize) -> bool {
        let is_new = self.first_at.get(rendition).is_some_and(Option::is_none);
        if let Some(known) = self.known.get_mut(rendition).filter(|_| is_new) {
            *known = Known::default();
            self.held.retain(|(_, input)| !matches!(input, Input::Config { rendition: of, .. } if *of == rendition));
        }
        is_new
    }

    /// What was known at the beginning, and everything that was held since, to be taken again.
    pub(crate) fn into_parts(self) -> (Vec<Known>, Vec<(i64, Input)>) {
        (self.known, self.held)
    }

    /// Whether the period can start. `last_call`: it has to, with what is there.
    pub(crate) fn ready(&mut self, now: i64, config: &Config, known: &[Known], last_call: bool, events: &mut Vec<Event>) -> Option<Opened> {
        let stood_us = now.saturating_sub(self.asked_at.replace(now).unwrap_or(now)).saturating_sub(RUNS_US).max(0);
        for at in self.first_at.iter_mut().flatten().chain(self.lead_start.as_mut().map(|start| &mut start.at)) {
            *at = at.saturating_add(stood_us);
        }
        let last_call = last_call || self.bytes > config.limits.queue_bytes / 2;
        let is_old = |at: i64| now.saturating_sub(at) > config.limits.opening_us;
        let tired = last_call || self.first_at.iter().flatten().any(|at| is_old(*at));
        let lead = self.choose_lead(config, known, tired)?;
        if self.lead != Some(lead) {
            self.follow(lead);
        }
        let start = self.lead_start?;
        let lead_config = known.get(lead)?.config.as_ref()?;
        let over = last_call || is_old(start.at);
        let hint = config.frame_rate_hint.or_else(|| claimed_rate(lead_config));
        let verdict = if lead_config.is_video() { judge(&self.lead_dts, hint, over) } else { Verdict::Variable };
        if verdict == Verdict::Unclear {
            return None;
        }
        let missing = known.iter().enumerate().filter(|(_, known)| known.config.is_none() && !known.absent);
        let missing: Vec<Event> = missing.map(|(rendition, _)| Event::TrackMissing { rendition }).collect();
        if !missing.is_empty() && !over {
            return None;
        }
        events.extend(missing);
        Some(Opened { lead, verdict, zero_ms: start.pts_ms })
    }

    /// The best video that there is; audio where there is none.
    fn choose_lead(&self, config: &Config, known: &[Known], tired: bool) -> Option<usize> {
        for kind in [RenditionKind::Video, RenditionKind::Audio] {
            for (rendition, _) in config.renditions.iter().enumerate().filter(|(_, rendition)| rendition.kind == kind) {
                let Some(what) = known.get(rendition) else { continue };
                let comes = what.config.is_some() && self.first_at.get(rendition).is_some_and(Option::is_some);
                if !what.absent && (comes || !tired) {
                    return Some(rendition);
                }
            }
        }
        None
    }

    /// Another rendition is the lead than was thought: looks through what came of it.
    fn follow(&mut self, lead: usize) {
        self.lead = Some(lead);
        self.lead_dts.clear();
        self.lead_start = None;
        let held = core::mem::take(&mut self.held);
        for (at, input) in &held {
            if let Input::Frame { rendition, frame } = input {
                self.observe(*at, *rendition, frame);
            }
        }
        self.held = held;
    }
}

/// What the codec configuration says of the frame rate, where the source says nothing.
fn claimed_rate(config: &CodecConfig) -> Option<f64> {
    match config {
        CodecConfig::Avc(avc) => avc.frame_rate().map(|(frames, seconds)| f64::from(frames) / f64::from(seconds.max(1))),
        _ => None,
    }
}
