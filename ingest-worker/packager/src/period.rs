mod anchor;

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use tidegate_cmaf::CodecConfig;
use tidegate_stream::{FrameRate, Msn, PartIndex, RenditionKind};

pub(crate) use self::anchor::{Anchor, Sound};
use crate::{
    Config, DropReason, Event, Frame,
    audio_cutter::AudioCutter,
    clock::{WallClock, steps_period},
    cutter::{Cut, Cutter},
    grid::{AudioGrid, AudioPlace, DecodeLine, Timing, VideoGrid, scale},
    plan::{Plan, most_audio},
    track::{Configured, Line, Piece, Queued, Stamp, TrackQueue},
};

/// A stretch with one clock: puts frames in parts, in all renditions at the same media time.
#[derive(Debug)]
pub(crate) struct Period {
    timing: Timing,
    plan: Plan,
    grid: VideoGrid,
    lead: usize,
    cutter: LeadCutter,
    tracks: Vec<TrackQueue>,
    kinds: Vec<RenditionKind>,
    bandwidths: Vec<u32>,
    pending: VecDeque<Pending>,
    wall: WallClock,
    zero_ms: i64,
    base_us: i64,
    /// Audio may begin this much before the period does, in its frames.
    audio_before: i64,
    late_us: i64,
    queue_bytes: usize,
    too_long_said: bool,
    end_us: i64,
    opened: bool,
    /// Where the sound of each rendition goes on in the log of another worker.
    sounds: Vec<Option<Sound>>,
    floor_us: i64,
}

#[derive(Debug)]
enum LeadCutter {
    Video(Cutter),
    Audio(AudioCutter),
}

/// What a period starts with.
pub(crate) struct Start<'a> {
    pub(crate) config: &'a Config,
    pub(crate) plan: Plan,
    pub(crate) timing: Timing,
    pub(crate) lead: usize,
    /// The timestamp at which it starts …
    pub(crate) zero_ms: i64,
    /// … and the media time that this is, in us.
    pub(crate) base_us: i64,
    /// The first of its session.
    pub(crate) is_first: bool,
    /// By how much this worker's clock is behind that of the session.
    pub(crate) ahead_us: i64,
    /// No part is of an earlier date.
    pub(crate) floor_us: i64,
    /// Where it goes on with what another worker has begun.
    pub(crate) anchor: Option<&'a Anchor>,
}

#[derive(Debug)]
struct Pending {
    cut: Cut,
    utc_us: i64,
    /// Dates go on from a later one than durations say.
    steps_clock: bool,
    ready_at: i64,
    is_last: bool,
}

/// How the media time of a record and its dates follow those of the record before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The first of its clock.
    Opens,
    /// Media time goes on, and its dates do so from a later one.
    Steps,
    GoesOn,
}

/// A record without its number.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) clock: Clock,
    pub(crate) starts_segment: bool,
    pub(crate) utc_us: i64,
    /// Media time at which it starts.
    pub(crate) start_us: i64,
    pub(crate) frame_rate: Option<FrameRate>,
    pub(crate) pieces: Vec<Piece>,
}

/// Where the next record goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) sequence: u32,
    /// If it starts a segment …
    pub(crate) new_msn: Msn,
    /// … and if it does not.
    pub(crate) open: (Msn, PartIndex),
    /// The part of the open segment that another worker has written there, if it does not start the next segment.
    pub(crate) theirs: Option<PartIndex>,
}

/// What may be left out to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// Waits as long as the limits say.
    Usual,
    /// Takes what is there: no more will come, or no more can be held.
    None,
}

/// Frames of audio that a part ends before the video of its record does, so that no record waits for audio: they come
/// interleaved within 2 frames or so of the video of their time.
const AUDIO_ALLOWANCE: i64 = 3;

/// Audio that is further behind than this is not late but missing: its time is given up as a gap.
const AUDIO_BEHIND_US: i64 = 1_000_000;

/// Audio that goes on this much longer than the video is kept at the end of a period.
const AUDIO_TRAIL_US: i64 = 200_000;

/// The earliest date of what follows a part: a clock that is set back is followed at half the speed, so that no date comes again.
pub(crate) fn floor_after(utc_us: i64, length_us: i64) -> i64 {
    utc_us.saturating_add(length_us / 2)
}

impl Period {
    pub(crate) fn new(start: &Start<'_>) -> Self {
        let Start { config, plan, timing, lead, zero_ms, base_us, is_first, anchor, .. } = *start;
        let kinds: Vec<_> = config.renditions.iter().map(|rendition| rendition.kind).collect();
        let line = |kind: &RenditionKind| match kind {
            RenditionKind::Video => Line::Video(DecodeLine::default()),
            RenditionKind::Audio => Line::Audio(None),
        };
        let base = anchor.map_or_else(|| timing.ticks_from_us(base_us), |anchor| anchor.base);
        let base_us = anchor.map_or_else(|| timing.us(base), Anchor::base_us);
        Self {
            timing,
            plan,
            grid: VideoGrid::new(timing, zero_ms, base),
            lead,
            cutter: LeadCutter::Video(Cutter::new(plan.lengths(config, &timing))),
            tracks: kinds.iter().map(|kind| TrackQueue::new(line(kind), base_us)).collect(),
            bandwidths: config.renditions.iter().map(|rendition| rendition.bandwidth_bps).collect(),
            kinds,
            pending: VecDeque::new(),
            wall: anchor
                .map_or_else(|| WallClock::corrected(start.ahead_us), |anchor| WallClock::adopting(anchor.utc_us - anchor.base_us())),
            zero_ms,
            base_us,
            audio_before: if is_first { AUDIO_ALLOWANCE } else { 0 },
            late_us: config.limits.late_us,
            queue_bytes: config.limits.queue_bytes,
            too_long_said: false,
            end_us: base_us,
            opened: anchor.is_some(),
            floor_us: start.floor_us,
            sounds: anchor.map_or_else(Vec::new, |anchor| anchor.audio.clone()),
        }
    }

    /// Audio is the lead: cuts in segments of this length.
    pub(crate) fn lead_by_audio(&mut self, segment_us: i64) {
        if let Some(config) = self.tracks.get(self.lead).and_then(|track| track.config.clone()) {
            let rate = i64::from(config.track.timescale);
            let most = most_audio(self.plan.targets.audio_us, config.audio_frame, rate);
            let cutter = AudioCutter::new(config.audio_frame, rate, segment_us, self.plan.audio_part_us, most);
            let goes_on = self.sounds.get(self.lead).copied().flatten().filter(|sound| sound.alike);
            if goes_on.is_some() {
                // It begins inside a segment.
                self.tracks.iter_mut().for_each(TrackQueue::start_segment);
            }
            self.cutter = LeadCutter::Audio(match goes_on {
                Some(sound) => cutter.resume(config.ticks(self.base_us), sound.end),
                None => cutter,
            });
        }
    }

    pub(crate) fn lead(&self) -> usize {
        self.lead
    }

    pub(crate) fn is_led_by_audio(&self) -> bool {
        matches!(self.cutter, LeadCutter::Audio(_))
    }

    /// No later part is of an earlier date.
    pub(crate) fn floor_us(&self) -> i64 {
        self.floor_us
    }

    /// By how much this worker's clock is behind that of the session.
    pub(crate) fn ahead_us(&self) -> i64 {
        self.wall.correction_us()
    }

    /// Up to where there is media, in us.
    pub(crate) fn end_us(&self) -> i64 {
        self.end_us
    }

    /// What frames of a rendition are from here on. Says whether that is something new.
    pub(crate) fn configure(&mut self, rendition: usize, config: &CodecConfig) {
        let bandwidth = self.bandwidths.get(rendition).copied().unwrap_or(0);
        let (Some(track), Some(configured)) = (self.tracks.get_mut(rendition), Configured::new(config, &self.timing, bandwidth)) else {
            return;
        };
        track.absent = false;
        if track.config.as_ref().is_some_and(|known| known.track.init == configured.track.init) {
            return;
        }
        if let (Line::Audio(grid), CodecConfig::Aac(aac)) = (&mut track.line, config) {
            let mut placed = AudioGrid::new(aac.sample_rate(), aac.frame_samples(), self.zero_ms, configured.ticks(self.base_us));
            if let Some(sound) = self.sounds.get(rendition).copied().flatten().filter(|_| grid.is_none()) {
                track.written_us = configured.us(sound.end);
                placed = placed.with_next(sound.tick);
            }
            *grid = Some(placed);
        }
        track.config = Some(Arc::new(configured));
    }

    pub(crate) fn absent(&mut self, rendition: usize) {
        if let Some(track) = self.tracks.get_mut(rendition) {
            track.absent = true;
        }
    }

    /// Takes a frame, or says why it is in no part.
    pub(crate) fn frame(&mut self, now: i64, rendition: usize, frame: Frame, events: &mut Vec<Event>) {
        let dts_ms = frame.dts_ms;
        let taken = match self.kinds.get(rendition) {
            Some(RenditionKind::Video) => self.video(now, rendition, frame, events),
            Some(RenditionKind::Audio) => self.audio(now, rendition, frame),
            None => return,
        };
        if let Err(why) = taken {
            events.push(Event::FrameDropped { rendition, dts_ms, why });
        }
    }

    fn video(&mut self, now: i64, rendition: usize, frame: Frame, events: &mut Vec<Event>) -> Result<(), DropReason> {
        let is_lead = rendition == self.lead;
        let lead_newest = self.tracks.get(self.lead).and_then(|track| track.newest);
        let track = self.tracks.get_mut(rendition).ok_or(DropReason::NoConfig)?;
        let config = track.config.clone().ok_or(DropReason::NoConfig)?;
        if frame.data.is_empty() || track.bytes + frame.data.len() > self.queue_bytes {
            track.needs_sync = true;
            return Err(DropReason::Size);
        }
        // A new configuration has its first frames to decode from too.
        track.needs_sync |= track.last_init.is_some_and(|last| last != config.track.init);
        if track.needs_sync && !frame.sync {
            return Err(DropReason::NotSync);
        }
        let Line::Video(line) = &mut track.line else { return Err(DropReason::NoConfig) };
        let pts_ms = frame.dts_ms.saturating_add(i64::from(frame.cts_ms));
        let pts = self.grid.tick(pts_ms);
        let mut tick = line.decode(&self.timing, self.grid.tick(frame.dts_ms), pts, frame.sync);
        if let (true, LeadCutter::Video(cutter)) = (is_lead, &self.cutter) {
            tick = cutter.admit(tick);
        } else if tick + self.timing.frame / 2 < self.timing.ticks_from_us(track.written_us) {
            // What refers to it cannot be decoded either.
            track.needs_sync = true;
            return Err(if track.written_us == self.base_us { DropReason::BeforeStart } else { DropReason::Late });
        }
        line.took(tick);
        if track.stalled && lead_newest.is_some_and(|newest| tick + self.plan.video_part > newest) {
            track.stalled = false;
            events.push(Event::TrackBack { rendition });
        }
        let reconfigured = track.last_init.is_some_and(|last| last != config.track.init);
        track.last_init = Some(config.track.init);
        track.push(Queued { tick, pts, sync: frame.sync, dts_ms: frame.dts_ms, data: frame.data, config })?;
        if is_lead {
            self.lead_video(now, tick, pts_ms, frame.sync, reconfigured, events);
        }
        Ok(())
    }

    fn lead_video(&mut self, now: i64, tick: i64, pts_ms: i64, sync: bool, reconfigured: bool, events: &mut Vec<Event>) {
        let LeadCutter::Video(cutter) = &mut self.cutter else { return };
        self.wall.saw(now, self.timing.us(tick));
        let mut cuts = Vec::new();
        cutter.push(tick, sync, reconfigured, &mut cuts);
        if cutter.segment() == Some(tick) {
            self.grid.settle(pts_ms);
        }
        if let Some(length) = cutter.too_long(tick).filter(|_| !self.too_long_said) {
            self.too_long_said = true;
            events.push(Event::GopTooLong { ms: self.timing.us(length) / 1000 });
        }
        self.queue(now, &cuts, events);
    }

    fn audio(&mut self, now: i64, rendition: usize, frame: Frame) -> Result<(), DropReason> {
        let is_lead = rendition == self.lead;
        let track = self.tracks.get_mut(rendition).ok_or(DropReason::NoConfig)?;
        let config = track.config.clone().ok_or(DropReason::NoConfig)?;
        let Line::Audio(Some(grid)) = &mut track.line else { return Err(DropReason::NoConfig) };
        if frame.data.is_empty() || track.bytes + frame.data.len() > self.queue_bytes {
            return Err(DropReason::Size);
        }
        let sound = self.sounds.get(rendition).copied().flatten();
        let is_before = match sound {
            Some(sound) => frame.dts_ms < sound.ms,
            None => grid.exact(frame.dts_ms) < config.ticks(self.base_us) - self.audio_before * grid.frame(),
        };
        if is_before {
            return Err(DropReason::BeforeStart);
        }
        let AudioPlace::At(tick) = grid.place(frame.dts_ms) else { return Err(DropReason::Overlap) };
        if (track.written_us > self.base_us || sound.is_some()) && tick < config.ticks(track.written_us) {
            return Err(DropReason::Late);
        }
        let us = config.us(tick);
        track.push(Queued { tick, pts: tick, sync: true, dts_ms: frame.dts_ms, data: frame.data, config })?;
        if let (true, LeadCutter::Audio(cutter)) = (is_lead, &mut self.cutter) {
            self.wall.saw(now, us);
            let mut cuts = Vec::new();
            cutter.push(tick, &mut cuts);
            self.queue(now, &cuts, &mut Vec::new());
        }
        Ok(())
    }

    fn queue(&mut self, now: i64, cuts: &[Cut], events: &mut Vec<Event>) {
        for cut in cuts {
            let step = if cut.starts_segment { self.wall.settle() } else { None };
            events.extend(step.map(|by_us| Event::ClockStep { by_us }));
            let start_us = self.cut_us(cut.start);
            let length_us = self.cut_us(cut.end) - start_us;
            if cut.starts_segment {
                self.wall.begin_after(self.floor_us, start_us);
            }
            let utc_us = self.wall.utc_us(start_us).max(self.floor_us);
            self.floor_us = floor_after(utc_us, length_us);
            let steps_clock = step.is_some_and(steps_period);
            self.pending.push_back(Pending { cut: *cut, utc_us, steps_clock, ready_at: now, is_last: false });
        }
    }

    /// Ticks per second of cuts.
    fn cut_scale(&self) -> i64 {
        match (&self.cutter, self.tracks.get(self.lead).and_then(|track| track.config.as_ref())) {
            (LeadCutter::Audio(_), Some(config)) => i64::from(config.track.timescale),
            _ => i64::from(self.timing.timescale),
        }
    }

    fn cut_us(&self, tick: i64) -> i64 {
        scale(tick, 1_000_000, self.cut_scale())
    }

    /// The next record, once it is complete or has waited long enough.
    pub(crate) fn next(&mut self, now: i64, patience: Patience, place: Place, events: &mut Vec<Event>) -> Option<Built> {
        let pending = self.pending.front()?;
        let ready = self.tracks.iter().enumerate().all(|(rendition, track)| self.has_part(rendition, track, &pending.cut));
        let waited = now.saturating_sub(pending.ready_at) > self.late_us;
        let full = self.tracks.iter().any(|track| track.bytes > self.queue_bytes / 2);
        if !(ready || waited || full || patience == Patience::None) {
            return None;
        }
        let pending = self.pending.pop_front()?;
        let position = if pending.cut.starts_segment { (place.new_msn, PartIndex(0)) } else { place.open };
        let stamp = Stamp {
            sequence: place.sequence,
            utc_us: pending.cut.starts_segment.then_some((pending.utc_us, self.cut_us(pending.cut.start))),
        };
        let (msn, part) = position;
        events.push(Event::PartReady { msn, part, after_us: now.saturating_sub(pending.ready_at) });
        let mut pieces = Vec::with_capacity(self.tracks.len());
        let is_theirs = place.theirs.is_some_and(|part| part == position.1);
        for rendition in 0..self.tracks.len() {
            let piece = match self.kinds.get(rendition) {
                Some(RenditionKind::Video) => self.video_piece(rendition, &pending, stamp, position, patience, events),
                _ => self.audio_piece(rendition, &pending, stamp, is_theirs, events),
            };
            pieces.push(piece);
        }
        self.end_us = self.end_us.max(self.cut_us(pending.cut.end));
        let clock = match (core::mem::replace(&mut self.opened, true), pending.steps_clock) {
            (false, _) => Clock::Opens,
            (true, true) => Clock::Steps,
            (true, false) => Clock::GoesOn,
        };
        Some(Built {
            clock,
            starts_segment: pending.cut.starts_segment,
            utc_us: pending.utc_us,
            start_us: self.cut_us(pending.cut.start),
            frame_rate: self.timing.rate,
            pieces,
        })
    }

    fn has_part(&self, rendition: usize, track: &TrackQueue, cut: &Cut) -> bool {
        let nothing_comes = track.absent || track.config.is_none() || track.stalled;
        let is_audio = self.kinds.get(rendition) == Some(&RenditionKind::Audio);
        rendition == self.lead || nothing_comes || is_audio || track.has_video_until(cut, self.timing.frame)
    }

    fn video_piece(
        &mut self,
        rendition: usize,
        pending: &Pending,
        stamp: Stamp,
        (msn, part): (Msn, PartIndex),
        patience: Patience,
        events: &mut Vec<Event>,
    ) -> Piece {
        let (is_lead, cut, scale_of_cut) = (rendition == self.lead, &pending.cut, self.cut_scale());
        let Some(track) = self.tracks.get_mut(rendition) else { return Piece::default() };
        track.written_us = scale(cut.end, 1_000_000, scale_of_cut);
        if cut.starts_segment {
            track.start_segment();
        }
        let config = track.current.clone();
        // Where audio is the lead there is no video.
        let timescale = i64::from(self.timing.timescale);
        let (start, end) = (scale(cut.start, timescale, scale_of_cut), scale(cut.end, timescale, scale_of_cut));
        if matches!(self.cutter, LeadCutter::Audio(_)) {
            return Piece::gap(start, end - start, None);
        }
        let complete = is_lead || track.has_video_until(cut, self.timing.frame);
        let mut early = Vec::new();
        let taken = track.take_video(cut, is_lead, self.timing.frame, &mut early);
        let (mut frames, left_out): (Vec<_>, Vec<_>) = taken.into_iter().partition(|frame| track.is_current(frame));
        let dropped = |why| move |frame: &Queued| Event::FrameDropped { rendition, dts_ms: frame.dts_ms, why };
        events.extend(early.iter().map(dropped(DropReason::Late)));
        events.extend(left_out.iter().map(dropped(DropReason::Reconfigured)));
        if !complete && patience == Patience::Usual && config.is_some() {
            if !track.stalled && !track.absent {
                events.push(Event::TrackLate { rendition, msn, part });
            }
            track.stalled = true;
            track.needs_sync = true;
            events.extend(frames.drain(..).map(|frame| dropped(DropReason::Late)(&frame)));
        }
        let Some(first) = frames.first() else { return Piece::gap(start, end - start, config) };
        if cut.starts_segment && !(first.sync && first.tick == cut.start) {
            events.push(Event::SegmentNotSync { rendition, msn });
        }
        Piece::chunk(&frames, cut.end, stamp).unwrap_or_else(|| Piece::gap(start, end - start, config))
    }

    fn audio_piece(&mut self, rendition: usize, pending: &Pending, stamp: Stamp, is_theirs: bool, events: &mut Vec<Event>) -> Piece {
        let (is_lead, cut, scale_of_cut) = (rendition == self.lead, &pending.cut, self.cut_scale());
        let is_alone = !is_lead && self.sounds.get(rendition).copied().flatten().is_some_and(|sound| sound.alike);
        let Some(track) = self.tracks.get_mut(rendition) else { return Piece::default() };
        if cut.starts_segment {
            track.start_segment();
        }
        // Before the first configuration no frame is queued.
        let Some(config) = track.current.clone() else { return Piece::gap(0, 0, None) };
        let frame = config.audio_frame.max(1);
        let end = scale(cut.end, i64::from(config.track.timescale), scale_of_cut);
        let limit = match (is_lead, pending.is_last) {
            (true, _) => end,
            (false, true) => end + config.ticks(AUDIO_TRAIL_US),
            (false, false) => end - AUDIO_ALLOWANCE * frame,
        };
        let most = most_audio(self.plan.targets.audio_us, frame, i64::from(config.track.timescale));
        let expected = config.ticks(track.written_us);
        if is_alone && is_theirs {
            return Piece::gap(expected, 0, Some(config));
        }
        let mut left_out = Vec::new();
        let after = (track.written_us > self.base_us).then_some(expected);
        let frames = track.take_audio(limit, most, after, &mut left_out);
        let dropped = |frame: &Queued| Event::FrameDropped { rendition, dts_ms: frame.dts_ms, why: DropReason::Reconfigured };
        events.extend(left_out.iter().map(dropped));
        if let Some(last) = frames.last() {
            let end = last.tick + frame;
            track.written_us = config.us(end);
            if let Some(piece) = Piece::chunk(&frames, end, stamp) {
                return piece;
            }
        }
        // Nothing is there. It may still come, unless what comes next is later or the wait was long.
        let missing = match track.front() {
            Some(front) if track.is_current(front) => front.tick.min(limit) - expected,
            _ if is_lead || track.absent || config.us(limit - expected) > AUDIO_BEHIND_US => limit - expected,
            _ => 0,
        };
        let missing = missing.clamp(0, most);
        track.written_us = config.us(expected + missing);
        Piece::gap(expected, missing, Some(config))
    }

    /// No more frames come: what is open is complete.
    pub(crate) fn finish(&mut self, now: i64, events: &mut Vec<Event>) {
        let mut cuts = Vec::new();
        match &mut self.cutter {
            LeadCutter::Video(cutter) => cutter.finish(&mut cuts),
            LeadCutter::Audio(cutter) => cutter.finish(&mut cuts),
        }
        self.queue(now, &cuts, events);
        if let Some(last) = self.pending.back_mut() {
            last.is_last = true;
        }
    }

    /// After the last part: the audio that is left, beside a gap in the video.
    pub(crate) fn trailing(&mut self, place: Place, events: &mut Vec<Event>) -> Option<Built> {
        if !self.opened || matches!(self.cutter, LeadCutter::Audio(_)) {
            return None;
        }
        let until_us = self.end_us;
        let mut longest_us = 0;
        let mut pieces = Vec::with_capacity(self.tracks.len());
        let utc_us = self.wall.utc_us(until_us);
        for (rendition, track) in self.tracks.iter_mut().enumerate() {
            let mut left_out = Vec::new();
            let audio = track.current.clone().filter(|config| config.audio_frame > 0);
            let piece = audio.and_then(|config| {
                let limit = config.ticks(until_us + AUDIO_TRAIL_US);
                let most = most_audio(self.plan.targets.audio_us, config.audio_frame, i64::from(config.track.timescale));
                let after = (track.written_us > self.base_us).then(|| config.ticks(track.written_us));
                let frames = track.take_audio(limit, most, after, &mut left_out);
                let end = frames.last()?.tick + config.audio_frame;
                longest_us = longest_us.max(config.us(end) - until_us);
                track.written_us = config.us(end);
                Piece::chunk(&frames, end, Stamp { sequence: place.sequence, utc_us: None })
            });
            let dropped = |frame: &Queued| Event::FrameDropped { rendition, dts_ms: frame.dts_ms, why: DropReason::PastEnd };
            events.extend(left_out.iter().map(dropped));
            pieces.push(piece);
        }
        if pieces.iter().all(Option::is_none) {
            return None;
        }
        let longest_us = longest_us.max(0);
        let pieces = pieces.into_iter().zip(&self.tracks).map(|(piece, track)| {
            let gap = |config: &Arc<Configured>| {
                let (start, duration) = (config.ticks(track.written_us), config.ticks(longest_us));
                Piece::gap(start, if config.audio_frame > 0 { 0 } else { duration }, Some(config.clone()))
            };
            piece.unwrap_or_else(|| track.current.as_ref().map_or_else(Piece::default, gap))
        });
        let pieces = pieces.collect();
        self.end_us = until_us + longest_us;
        Some(Built { clock: Clock::GoesOn, starts_segment: false, utc_us, start_us: until_us, frame_rate: self.timing.rate, pieces })
    }

    /// The frames that no part took.
    pub(crate) fn leftovers(&mut self, events: &mut Vec<Event>) {
        for (rendition, track) in self.tracks.iter_mut().enumerate() {
            for frame in track.drain() {
                events.push(Event::FrameDropped { rendition, dts_ms: frame.dts_ms, why: DropReason::PastEnd });
            }
        }
    }
}
