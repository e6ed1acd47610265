use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use tidegate_cmaf::{Aac, CodecConfig};
use tidegate_stream::{AsOf, EVENTS_MAX, Rendition, RenditionKind, Session, Timeline};

use crate::{
    Config, DropReason, Event, Frame, Input, Output,
    clock::{FORWARD_MS_MAX, is_jump},
    grid::Timing,
    joint::Joint,
    opening::{Known, Opened, Opening},
    period::{Anchor, Patience, Period, Start, floor_after},
    plan::{Plan, Targets},
    rate::Verdict,
    writer::Writer,
};

/// Turns frames into objects. One for each session.
#[derive(Debug)]
pub struct Packager {
    config: Config,
    known: Vec<Known>,
    stage: Stage,
    /// There from the first period on.
    writer: Option<Writer>,
    targets: Option<Targets>,
    /// By how much this worker's clock is behind that of the worker that began the session.
    ahead_us: i64,
    /// No part of the next period is of an earlier date.
    floor_us: i64,
    /// Where the next period starts, in us of media time.
    base_us: i64,
    /// The newest timestamp of each rendition in this period.
    newest_ms: Vec<i64>,
    strays: VecDeque<Stray>,
    /// Events for the records to come; not more than [`EVENTS_MAX`] with those that are listed.
    announcements: VecDeque<tidegate_stream::Event>,
    outputs: VecDeque<Output>,
}

/// A frame whose time is far from the lead's.
#[derive(Debug)]
struct Stray {
    at: i64,
    rendition: usize,
    frame: Frame,
    /// The lead's time when it came.
    lead_ms: i64,
}

/// What a packager needs to go on with the session of another worker.
#[derive(Debug)]
pub(crate) struct Resume {
    /// All that is listed.
    pub(crate) timeline: Timeline,
    /// The media of the open segment, one for each rendition.
    pub(crate) media: Vec<Vec<u8>>,
    /// The parts of the open segment, where this worker's own are to go on after them.
    pub(crate) joint: Option<Joint>,
    /// Where the open segment begins in this worker's source.
    pub(crate) anchor: Option<Anchor>,
    /// What is known of the renditions at that place.
    pub(crate) known: Vec<Known>,
    /// By how much this worker's clock is behind that of the session, where there is no anchor to say it.
    pub(crate) ahead_us: i64,
}

#[derive(Debug)]
enum Stage {
    Opening(Opening),
    Running(Box<Period>),
    Ended,
}

/// Why an input cannot be taken; the packager stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such rendition.
    #[error("there is no rendition {0} in this session")]
    Rendition(usize),
    /// An audio configuration for video, or the reverse.
    #[error("the configuration for rendition {0} is of another kind of media")]
    Kind(usize),
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// An event that cannot be written (see [`tidegate_stream::Event::is_writable`]).
    #[error("the event has no id, is too large, or has characters that cannot be written")]
    Announcement,
    /// More events than a playlist can list.
    #[error("{0} events are listed or wait to be: one has to leave the window first")]
    Announcements(usize),
}

/// A session's media time starts here, so that audio may start a little before the first picture.
const FIRST_BASE_US: i64 = 1_000_000;

/// Bounds what arithmetic has to bear: 8,900 years, far beyond any wrap of 32 bits.
const DTS_MS_MAX: i64 = 1 << 48;

/// No encoder reorders frames over more than this; FLV could say hours.
const CTS_MS_MAX: i32 = 10_000;

/// The year 2255; a clock beyond is broken.
const UTC_US_MAX: i64 = 1 << 53;

/// Frames of other renditions that may come before the lead shows that the clock is new, …
const STRAYS_MAX: usize = 512;

/// … and how far the lead may go on meanwhile.
const STRAY_WAIT_MS: i64 = 1_000;

impl Packager {
    /// Starts a session; nothing is written before the first media.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let known = alloc::vec![Known::default(); config.renditions.len()];
        let stage = Stage::Opening(Opening::new(&known));
        Self {
            config,
            known,
            stage,
            writer: None,
            targets: None,
            base_us: FIRST_BASE_US,
            newest_ms: Vec::new(),
            strays: VecDeque::new(),
            announcements: VecDeque::new(),
            ahead_us: 0,
            floor_us: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Goes on with the session of another worker. With an anchor in its clock, from the first frame of its open segment on,
    /// which has to come next; else in a new period.
    pub(crate) fn resume(now_utc_us: i64, config: Config, resume: Resume) -> Self {
        let Resume { timeline, media, joint, anchor, known, ahead_us } = resume;
        let session = timeline.session();
        let target = |kind| session.renditions.iter().find(|rendition| rendition.kind == kind).map(|rendition| rendition.part_target_us);
        let video_us = target(RenditionKind::Video).unwrap_or(config.part_target_us);
        let targets = Targets { video_us, audio_us: target(RenditionKind::Audio).unwrap_or(video_us) };
        let base_us = end_us(&timeline).max(FIRST_BASE_US);
        let newest = timeline.segments().iter().rev().find_map(|segment| Some((segment, segment.parts.last()?)));
        let floor_us = newest.map_or(0, |(segment, part)| {
            let lengths = part.tracks.iter().enumerate();
            let lengths = lengths.filter_map(|(n, share)| Some(timeline.track(segment, n)?.micros(share.duration.into())));
            floor_after(part.utc_us, i64::try_from(lengths.max().unwrap_or(0)).unwrap_or(0))
        });
        let stage = Stage::Opening(Opening::new(&known));
        let writer = Writer::resume(timeline, media, joint, config.writer, now_utc_us);
        let mut packager = Self {
            newest_ms: Vec::new(),
            strays: VecDeque::new(),
            announcements: VecDeque::new(),
            outputs: VecDeque::new(),
            ahead_us,
            floor_us,
            writer: Some(writer),
            targets: Some(targets),
            config,
            known,
            stage,
            base_us,
        };
        if let Some(anchor) = anchor {
            packager.anchor(&anchor);
        }
        packager
    }

    fn anchor(&mut self, anchor: &Anchor) {
        let has_video = self.config.renditions.get(anchor.lead).is_some_and(|rendition| rendition.kind == RenditionKind::Video);
        let timing = Timing::of(anchor.rate);
        let plan = Plan::new(&self.config, &timing, self.audio(anchor.lead), has_video, self.targets);
        let start = Start {
            config: &self.config,
            plan,
            timing,
            lead: anchor.lead,
            zero_ms: anchor.zero_ms,
            base_us: 0,
            is_first: false,
            ahead_us: 0,
            floor_us: 0,
            anchor: Some(anchor),
        };
        let mut period = Period::new(&start);
        for (rendition, known) in self.known.iter().enumerate() {
            if let Some(config) = &known.config {
                period.configure(rendition, config);
            }
            if known.absent {
                period.absent(rendition);
            }
        }
        if !has_video {
            period.lead_by_audio(i64::from(self.config.segment_target_us));
        }
        self.newest_ms = alloc::vec![anchor.zero_ms; self.known.len()];
        self.stage = Stage::Running(Box::new(period));
    }

    /// What is known of the log, with all that was given out; `None` before the first record.
    pub(crate) fn timeline(&self) -> Option<&Timeline> {
        self.writer.as_ref().map(Writer::timeline)
    }

    /// Whether an event of this id is listed, or waits to be.
    #[must_use]
    pub fn is_announced(&self, id: &str) -> bool {
        let listed = self.timeline().is_some_and(|timeline| timeline.events(AsOf::End).any(|known| known.event.id == id));
        listed || self.announcements.iter().any(|event| event.id == id)
    }

    /// This worker goes: says in the log that another one need not wait for a silence.
    pub(crate) fn leave(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.leave(&mut self.outputs);
        }
    }

    /// Takes what happened at `now_utc_us` (us since 1970).
    pub fn handle(&mut self, now_utc_us: i64, input: Input) -> Result<(), Error> {
        if matches!(self.stage, Stage::Ended) {
            return Err(Error::Ended);
        }
        self.check(&input)?;
        let now_utc_us = now_utc_us.clamp(0, UTC_US_MAX);
        match input {
            Input::Config { rendition, config } => self.configure(now_utc_us, rendition, config),
            Input::Frame { rendition, frame } => self.frame(now_utc_us, rendition, frame),
            Input::Discontinuity => self.close_period(now_utc_us),
            Input::Absent { rendition } => self.absent(now_utc_us, rendition),
            Input::Forget { rendition } => self.forget(rendition),
            Input::Announce(event) => self.announcements.push_back(event),
            Input::Tick => {}
            Input::End => {
                self.close_period(now_utc_us);
                self.stage = Stage::Ended;
                if let Some(writer) = &mut self.writer {
                    writer.end(now_utc_us, &mut self.outputs);
                }
                return Ok(());
            }
        }
        self.open_period(now_utc_us, false);
        self.write(now_utc_us, Patience::Usual);
        Ok(())
    }

    /// What is to be done next; drain it after each [`Self::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn check(&self, input: &Input) -> Result<(), Error> {
        let rendition = match input {
            Input::Config { rendition, .. }
            | Input::Frame { rendition, .. }
            | Input::Absent { rendition }
            | Input::Forget { rendition } => *rendition,
            Input::Announce(event) => return self.check_announcement(event),
            Input::Discontinuity | Input::Tick | Input::End => return Ok(()),
        };
        let kind = self.config.renditions.get(rendition).ok_or(Error::Rendition(rendition))?.kind;
        match input {
            Input::Config { config, .. } if config.is_video() != (kind == RenditionKind::Video) => Err(Error::Kind(rendition)),
            _ => Ok(()),
        }
    }

    fn check_announcement(&self, event: &tidegate_stream::Event) -> Result<(), Error> {
        if !event.is_writable() {
            return Err(Error::Announcement);
        }
        let count = self.announcements.len() + self.writer.as_ref().map_or(0, Writer::events);
        if count < EVENTS_MAX { Ok(()) } else { Err(Error::Announcements(count)) }
    }

    fn configure(&mut self, now: i64, rendition: usize, config: CodecConfig) {
        let changed = self.known.get(rendition).is_some_and(|known| known.config.as_ref() != Some(&config));
        if let Some(known) = self.known.get_mut(rendition) {
            *known = Known { config: Some(config.clone()), absent: false };
        }
        // Cuts follow the lead's timescale, and pictures lead sound: neither can change within a period.
        let is_video = config.is_video();
        let audio_leads = matches!(&self.stage, Stage::Running(period) if period.is_led_by_audio());
        let is_lead = matches!(&self.stage, Stage::Running(period) if period.lead() == rendition);
        if audio_leads && (is_video || (is_lead && changed)) {
            self.close_period(now);
        }
        match &mut self.stage {
            Stage::Opening(opening) => {
                let _ = opening.hold(now, &self.config, Input::Config { rendition, config });
            }
            Stage::Running(period) => period.configure(rendition, &config),
            Stage::Ended => {}
        }
    }

    fn absent(&mut self, now: i64, rendition: usize) {
        if let Some(known) = self.known.get_mut(rendition) {
            known.absent = true;
        }
        match &mut self.stage {
            Stage::Opening(opening) => {
                let _ = opening.hold(now, &self.config, Input::Absent { rendition });
            }
            Stage::Running(period) => period.absent(rendition),
            Stage::Ended => {}
        }
    }

    fn forget(&mut self, rendition: usize) {
        let Stage::Opening(opening) = &mut self.stage else { return };
        if let Some(known) = self.known.get_mut(rendition).filter(|_| opening.forget(rendition)) {
            *known = Known::default();
        }
    }

    fn frame(&mut self, now: i64, rendition: usize, frame: Frame) {
        if frame.dts_ms.saturating_abs() > DTS_MS_MAX || frame.cts_ms.saturating_abs() > CTS_MS_MAX {
            return self.event(Event::FrameDropped { rendition, dts_ms: frame.dts_ms, why: DropReason::Stray });
        }
        if let Stage::Running(period) = &self.stage {
            let lead = period.lead();
            let step = |from: usize| self.newest_ms.get(from).map_or(0, |newest| frame.dts_ms.saturating_sub(*newest));
            let (of_lead, of_itself) = (step(lead), step(rendition));
            if rendition == lead {
                let from_ms = frame.dts_ms.saturating_sub(of_lead);
                if is_jump(from_ms, frame.dts_ms) {
                    self.event(Event::Jump { from_ms, to_ms: frame.dts_ms });
                    let strays = core::mem::take(&mut self.strays);
                    self.close_period(now);
                    self.take_strays(strays, frame.dts_ms);
                } else {
                    self.drop_strays(|stray| frame.dts_ms.saturating_sub(stray.lead_ms) > STRAY_WAIT_MS);
                }
            } else if of_lead.saturating_abs() > FORWARD_MS_MAX && of_itself.saturating_abs() > FORWARD_MS_MAX {
                let lead_ms = frame.dts_ms.saturating_sub(of_lead);
                self.strays.push_back(Stray { at: now, rendition, frame, lead_ms });
                let mut excess = self.strays.len().saturating_sub(STRAYS_MAX);
                return self.drop_strays(|_| core::mem::replace(&mut excess, 0) > 0);
            }
        }
        let mut events = Vec::new();
        let dts_ms = frame.dts_ms;
        match &mut self.stage {
            Stage::Opening(opening) => {
                if let Err(why) = opening.hold(now, &self.config, Input::Frame { rendition, frame }) {
                    events.push(Event::FrameDropped { rendition, dts_ms, why });
                }
            }
            Stage::Running(period) => {
                if let Some(newest) = self.newest_ms.get_mut(rendition) {
                    *newest = dts_ms.max(*newest);
                }
                period.frame(now, rendition, frame, &mut events);
            }
            Stage::Ended => {}
        }
        events.into_iter().for_each(|event| self.event(event));
    }

    /// The lead has a new clock: what came before it with the same one belongs to the new period.
    fn take_strays(&mut self, strays: VecDeque<Stray>, lead_ms: i64) {
        for Stray { at, rendition, frame, .. } in strays {
            let dts_ms = frame.dts_ms;
            let near = dts_ms.saturating_sub(lead_ms).saturating_abs() <= FORWARD_MS_MAX;
            let held = match &mut self.stage {
                Stage::Opening(opening) if near => opening.hold(at, &self.config, Input::Frame { rendition, frame }),
                _ => Err(DropReason::Stray),
            };
            if let Err(why) = held {
                self.event(Event::FrameDropped { rendition, dts_ms, why });
            }
        }
    }

    /// Gives up strays from the oldest on.
    fn drop_strays(&mut self, mut given_up: impl FnMut(&Stray) -> bool) {
        while let Some(stray) = self.strays.pop_front_if(|stray| given_up(stray)) {
            self.event(Event::FrameDropped { rendition: stray.rendition, dts_ms: stray.frame.dts_ms, why: DropReason::Stray });
        }
    }

    /// Starts the period once all is known that it needs.
    fn open_period(&mut self, now: i64, last_call: bool) {
        let Stage::Opening(opening) = &mut self.stage else { return };
        let mut events = Vec::new();
        let opened = opening.ready(now, &self.config, &self.known, last_call, &mut events);
        events.into_iter().for_each(|event| self.event(event));
        let Some(opened) = opened else { return };
        let Stage::Opening(opening) = core::mem::replace(&mut self.stage, Stage::Ended) else { return };
        let (known, held) = opening.into_parts();
        let period = self.new_period(opened, &known);
        self.stage = Stage::Running(Box::new(period));
        self.newest_ms = alloc::vec![opened.zero_ms; self.known.len()];
        for (at, input) in held {
            match input {
                Input::Config { rendition, config } => self.configure(at, rendition, config),
                Input::Frame { rendition, frame } => self.frame(at, rendition, frame),
                Input::Absent { rendition } => self.absent(at, rendition),
                Input::Forget { .. } | Input::Announce(_) | Input::Discontinuity | Input::Tick | Input::End => {}
            }
        }
    }

    fn new_period(&mut self, opened: Opened, known_before: &[Known]) -> Period {
        let Opened { lead, verdict, zero_ms } = opened;
        let has_video = self.config.renditions.get(lead).is_some_and(|rendition| rendition.kind == RenditionKind::Video);
        let timing = Timing::of(match verdict {
            Verdict::Constant(rate) => Some(rate),
            Verdict::Unclear | Verdict::Variable => None,
        });
        let plan = Plan::new(&self.config, &timing, self.audio(lead), has_video, self.targets);
        self.targets = Some(plan.targets);
        let is_first = self.writer.is_none();
        if is_first {
            self.writer = Some(Writer::new(self.session(plan.targets), self.config.writer));
        }
        let start = Start {
            config: &self.config,
            plan,
            timing,
            lead,
            zero_ms,
            base_us: self.base_us,
            is_first,
            ahead_us: self.ahead_us,
            floor_us: self.floor_us,
            anchor: None,
        };
        let mut period = Period::new(&start);
        for (rendition, (before, known)) in known_before.iter().zip(&self.known).enumerate() {
            // The lead of audio alone needs its frame length from the start.
            let config = if rendition == lead { known.config.as_ref() } else { before.config.as_ref() };
            if let Some(config) = config {
                period.configure(rendition, config);
            }
            if known.absent {
                period.absent(rendition);
            }
        }
        if !has_video {
            period.lead_by_audio(i64::from(self.config.segment_target_us));
        }
        period
    }

    /// The audio that parts have to be long enough for.
    fn audio(&self, lead: usize) -> Option<&Aac> {
        let aac = |known: &'_ Known| !known.absent && matches!(known.config, Some(CodecConfig::Aac(_)));
        let lead = self.known.get(lead).filter(|known| aac(known));
        let found = lead.or_else(|| self.known.iter().find(|known| aac(known)))?;
        match &found.config {
            Some(CodecConfig::Aac(aac)) => Some(aac),
            _ => None,
        }
    }

    fn session(&self, targets: Targets) -> Session {
        let rendition = |config: &crate::RenditionConfig| Rendition {
            id: config.id.clone(),
            kind: config.kind,
            part_target_us: match config.kind {
                RenditionKind::Video => targets.video_us,
                RenditionKind::Audio => targets.audio_us,
            },
        };
        Session {
            stream: self.config.stream.clone(),
            id: self.config.session.clone(),
            target_duration_s: self.config.target_duration_s,
            dvr_window_s: self.config.dvr_window_s,
            renditions: self.config.renditions.iter().map(rendition).collect(),
        }
    }

    /// Writes the records that are complete.
    fn write(&mut self, now: i64, patience: Patience) {
        let (Stage::Running(period), Some(writer)) = (&mut self.stage, &mut self.writer) else { return };
        let mut events = Vec::new();
        while let Some(built) = period.next(now, patience, writer.place(), &mut events) {
            let frame_rate = built.frame_rate;
            if let Some(msn) = writer.write(now, built, &mut self.announcements, &mut self.outputs) {
                events.push(Event::PeriodOpened { msn, frame_rate });
            }
            self.outputs.extend(events.drain(..).map(Output::Event));
        }
        self.outputs.extend(events.into_iter().map(Output::Event));
    }

    /// Ends the period with what is there; another one begins with the next frames.
    fn close_period(&mut self, now: i64) {
        self.open_period(now, true);
        let mut events = Vec::new();
        if let Stage::Running(period) = &mut self.stage {
            period.finish(now, &mut events);
        }
        self.write(now, Patience::None);
        if let (Stage::Running(period), Some(writer)) = (&mut self.stage, &mut self.writer) {
            while let Some(built) = period.trailing(writer.place(), &mut events) {
                writer.write(now, built, &mut VecDeque::new(), &mut self.outputs);
            }
            period.leftovers(&mut events);
            self.base_us = self.base_us.max(period.end_us());
            self.ahead_us = period.ahead_us();
            self.floor_us = period.floor_us();
        }
        events.into_iter().for_each(|event| self.event(event));
        // Configurations stay known; what was held for a period that could not start is lost with its clock.
        let opening = Stage::Opening(Opening::new(&self.known));
        if let Stage::Opening(lost) = core::mem::replace(&mut self.stage, opening) {
            let (_, held) = lost.into_parts();
            for (_, input) in held {
                if let Input::Frame { rendition, frame } = input {
                    self.event(Event::FrameDropped { rendition, dts_ms: frame.dts_ms, why: DropReason::NoConfig });
                }
            }
        }
        self.drop_strays(|_| true);
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// Up to where the tracks of a log go, in us.
fn end_us(timeline: &Timeline) -> i64 {
    let Some(segment) = timeline.segments().back() else { return 0 };
    let ends = segment.tracks.iter().enumerate().filter_map(|(rendition, track)| {
        let end = timeline.track(segment, rendition)?.micros(track.start.saturating_add(track.duration));
        i64::try_from(end).ok()
    });
    ends.max().unwrap_or(0)
}
