use alloc::{string::String, vec::Vec};

use tidegate_abr::{CatchUp, Config as Plan, Mode, Progress, State};

use crate::{
    AppendFailure, Config, Event, Input, Output, Playhead, Reason, Stats, Timing, Track,
    chooser::{Choice, Chooser, Moment},
    follower::Answer,
    ladder::{Ladder, mime_types},
    lane::{Arrived, Lane, Running},
    latency::{Bounds, Latency, MAX_CHANGE},
    playback::Playback,
    playlist::{Place, Playlist, Start},
    shared::Shared,
    source::Source,
    transfers::Transfer,
};

/// Media that cannot be decoded ends playback after this many appends in a row.
const MAX_DECODE_FAILURES: u32 = 3;
/// A media playlist that was never there: after this many failures the multivariant playlist is asked again.
const MAX_FIRST_FAILURES: u32 = 4;
/// A rung with a gap is left alone for this long: an encoder that was given up seldom comes back at once.
const GONE_MS: f64 = 30_000.0;
/// Segments over which their length is taken.
const LENGTHS: usize = 8;
/// A look at a running request earlier than this shows more of the connection than of the link.
const LOOK_MS: f64 = 200.0;
/// A server may take this long to begin with what it has; only then is it the link that is silent.
const SILENT_MS: f64 = 1_000.0;

/// The player's decisions. Give it what happens with [`Self::handle`], then do what [`Self::poll`] says until it is empty.
#[derive(Debug)]
pub struct Engine {
    pub(crate) shared: Shared,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) latency: Latency,
    pub(crate) playback: Playback,
    pub(crate) ladder: Ladder,
    /// The rung that the viewer wants.
    pub(crate) pinned: Option<usize>,
    /// The viewer has just left the choice to the policy again.
    pub(crate) released: bool,
    chooser: Chooser,
    /// What a server expects to carry, and the most that it wants to.
    advised_bps: (Option<f64>, Option<f64>),
    /// Rungs that had a gap, and until when they are left alone.
    gone: Vec<(usize, f64)>,
    pub(crate) source: Option<Source>,
    pub(crate) phase: Phase,
    /// The tracks were asked for.
    tracks_asked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing is loaded.
    Idle,
    /// The multivariant playlist is not there yet.
    Finding,
    /// Media is loaded.
    Following,
    /// Everything has been played, or another session was found: a page has to decide.
    Over,
    /// Playback is not possible.
    Broken,
}

impl Engine {
    /// Makes an engine that waits for [`Input::Load`].
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            latency: Latency::new(config.latency_s),
            shared: Shared::new(config),
            lanes: Vec::new(),
            playback: Playback::default(),
            ladder: Ladder::default(),
            pinned: None,
            released: false,
            chooser: Chooser::default(),
            advised_bps: (None, None),
            gone: Vec::new(),
            source: None,
            phase: Phase::Idle,
            tracks_asked: false,
        }
    }

    /// Takes what happened at `now_ms` of a steady clock.
    pub fn handle(&mut self, now_ms: f64, input: Input) {
        if now_ms.is_finite() {
            self.shared.now_ms = self.shared.now_ms.max(now_ms);
        }
        match input {
            Input::Load { url } => self.load(url),
            Input::PlaylistLoaded { id, url, text } => self.playlist_loaded(id, &url, &text),
            Input::MediaLoaded { id, bytes, head, timing } => {
                self.media_loaded(id, bytes, head.get(..crate::HEAD_BYTES).unwrap_or(&head), timing);
            }
            Input::Progress { id, bytes, total, timing } => self.progress(id, bytes, total, timing),
            Input::Failed { id, status } => self.failed(id, status),
            Input::Opened => self.shared.open = self.tracks_asked,
            Input::OpenFailed => self.open_failed(),
            Input::Appended { track } => self.appended(track),
            Input::AppendFailed { track, reason } => self.append_failed(track, reason),
            Input::Buffered { track, ranges } => {
                if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.track == track) {
                    lane.ranges = crate::ranges::Ranges::new(ranges);
                }
            }
            Input::Playhead(playhead) => self.playhead(playhead),
            Input::Sought { to_s } => {
                // Who goes back after the end wants to see that again.
                if self.phase == Phase::Over && !self.lanes.is_empty() {
                    self.phase = Phase::Following;
                }
                self.sought(to_s);
            }
            Input::GoLive => self.go_live(),
            Input::Pin { rung } => self.pin(rung),
            Input::Sound { at } => self.choose_sound(at),
            Input::Text { at } => self.choose_text(at),
            Input::Advised { expected_bps, most_bps } => self.advised_bps = (expected_bps, most_bps),
            Input::Tick => {}
        }
        self.step();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.shared.poll()
    }

    /// Works on the value tables of the policy while the page has nothing else to do, at most so many slices of less than 0.1 ms.
    /// Returns true when there is nothing to work on, as before the first frame, which must not wait for it.
    pub fn idle(&mut self, slices: u32) -> bool {
        !self.playback.begun || self.chooser.idle(slices)
    }

    /// The last decisions, oldest first.
    pub fn choices(&self) -> impl DoubleEndedIterator<Item = &Choice> {
        self.chooser.log()
    }

    /// Figures of this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let position_s = self.shared.position_s();
        let utc_ms = self.shared.presentation.utc_ms(position_s);
        let rung = self.lanes.first().map_or(0, |lane| lane.rung);
        let variant = self.ladder.variants.get(rung);
        let live = self.is_live();
        Stats {
            live,
            grows: self.lanes.first().and_then(Lane::playlist).is_some_and(|list| list.grows),
            at_live_edge: live && self.playback.keeps_live,
            program_date_time_ms: utc_ms,
            latency_s: utc_ms.filter(|_| live).map(|utc| (self.shared.now_ms + self.shared.config.utc_at_zero_ms - utc) / 1000.0),
            edge_distance_s: self.latency.edge_s(self.shared.now_ms).filter(|_| live).map(|edge| edge - position_s),
            target_s: self.latency.target_s().filter(|_| live),
            buffer_s: self.ahead_s(),
            rung,
            rungs: self.ladder.variants.len(),
            bandwidth_bps: variant.map_or(0, |variant| variant.bandwidth_bps),
            height: variant.map_or(0, |variant| variant.height),
            estimate_bps: self.chooser.forecast_bps(),
            stalls: self.playback.stalls,
            rate: self.playback.rate,
        }
    }

    fn load(&mut self, url: String) {
        self.close();
        let due_ms = self.shared.now_ms;
        self.source = Some(Source::new(url, due_ms));
        self.phase = Phase::Finding;
        self.latency = Latency::new(self.shared.config.latency_s);
        self.playback = Playback::default();
        self.chooser.begin();
        self.gone.clear();
        self.pinned = None;
        self.shared.presentation = Default::default();
        self.shared.playhead = Playhead::default();
        self.shared.seeking_to_s = None;
        self.shared.open = false;
        self.tracks_asked = false;
    }

    pub(crate) fn close(&mut self) {
        for lane in self.lanes.drain(..) {
            lane.close(&mut self.shared);
        }
        if let Some(source) = &mut self.source {
            let request = source.request.take();
            self.shared.drop_request(request);
        }
    }

    pub(crate) fn fail(&mut self, reason: Reason) {
        self.close();
        self.phase = Phase::Broken;
        self.shared.send(Output::Event(Event::Error { reason }));
    }

    fn playlist_loaded(&mut self, id: u32, url: &str, text: &str) {
        if self.source.as_ref().is_some_and(|source| source.request == Some(id)) {
            return self.source_loaded(url, text);
        }
        let now_ms = self.shared.now_ms;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let main_request = lane.follower.request() == Some(id);
            let Some(follower) = lane.follower_of(id) else { continue };
            let answer = follower.loaded(now_ms, url, text);
            if main_request && answer == Answer::Changed {
                lane.playlist_changed(&mut self.shared);
                let protected = lane.track != Track::Text && lane.playlist().is_some_and(|list| list.protected);
                if protected && !self.shared.config.decrypts {
                    return self.fail(Reason::Protected);
                }
                if index == 0 {
                    self.latency.set_bounds(lane.playlist().map_or(DEFAULT_BOUNDS, bounds));
                }
            }
            return;
        }
    }

    /// Begins with the first rung.
    pub(crate) fn start(&mut self, refused: Option<usize>) {
        if let Some(rung) = refused {
            self.ladder.without_codecs_of(rung);
        }
        // What this session has seen of the link goes before what an earlier one or the server expects of it.
        let expected_bps = self.chooser.forecast_bps().or(self.shared.config.expected_bps).or(self.advised_bps.0);
        let rung = self.allowed(self.ladder.start(expected_bps));
        let Some(variant) = self.ladder.variants.get(rung) else {
            return self.fail(if refused.is_some() { Reason::Codecs } else { Reason::Playlist });
        };
        let main = Lane::new(variant.track(), true, variant.url.clone(), rung, &self.shared);
        let audio = self.ladder.audio_of(variant).filter(|_| main.track == Track::Video);
        let audio = audio.map(|audio| Lane::new(Track::Audio, false, audio.url.clone(), 0, &self.shared));
        let codecs = variant.codecs.clone();
        self.phase = Phase::Following;
        self.tracks_asked = false;
        if !codecs.is_empty() {
            self.open(&codecs, main.track, audio.is_some());
        }
        self.lanes = core::iter::once(main).chain(audio).collect();
        self.shared.send(Output::Event(Event::Tracks));
        self.say_level(rung);
    }

    fn open(&mut self, codecs: &[String], main: Track, separate_audio: bool) {
        let (video, audio) = mime_types(codecs, main, separate_audio);
        self.tracks_asked = true;
        self.shared.send(Output::OpenTracks { video, audio });
    }

    fn open_failed(&mut self) {
        if self.phase != Phase::Following || self.shared.open {
            return;
        }
        let rung = self.lanes.first().map(|lane| lane.rung);
        for lane in self.lanes.drain(..) {
            lane.close(&mut self.shared);
        }
        self.start(rung);
    }

    fn say_level(&mut self, rung: usize) {
        let Some(variant) = self.ladder.variants.get(rung) else { return };
        self.shared.send(Output::Event(Event::LevelSwitched {
            rung,
            rungs: self.ladder.variants.len(),
            bandwidth_bps: variant.bandwidth_bps,
            height: variant.height,
        }));
    }

    fn media_loaded(&mut self, id: u32, bytes: u64, head: &[u8], timing: Timing) {
        let arrived = self.lanes.iter_mut().enumerate().find_map(|(index, lane)| {
            let rung = (index == 0).then_some(lane.rung);
            Some((rung, lane.media_loaded(id, head)?))
        });
        match arrived {
            Some((rung, Arrived::Fragment { duration_s })) => {
                let main = rung.map(|rung| (rung, duration_s));
                self.chooser.carried(self.shared.now_ms, Transfer { bytes, timing, main });
            }
            Some((_, Arrived::Init)) => {
                let Some(main) = self.lanes.first().filter(|_| !self.tracks_asked) else { return };
                if let Some(codecs) = main.codecs().map(<[String]>::to_vec) {
                    self.open(&codecs, main.track, self.played().count() > 1);
                }
            }
            // Nobody waits for it any more.
            None => self.shared.drop_request(Some(id)),
        }
    }

    /// Chooses the rung for the next segment, once all of the one before is there.
    fn choose(&mut self) {
        let Some(msn) = self.lanes.first().and_then(Lane::undecided) else { return };
        if let Some(plan) = self.plan() {
            self.chooser.plan(plan);
        }
        let Some(state) = self.state() else { return };
        let Some(main) = self.lanes.first_mut() else { return };
        main.chose(msn);
        let at = Moment { now_ms: self.shared.now_ms, msn, current: main.rung };
        let rung = self.chooser.choose(at, state);
        // The policy has a price for changes, and would stay for it where the viewer had wanted to be: it begins where a start would.
        let released = core::mem::take(&mut self.released).then(|| self.ladder.start(self.chooser.forecast_bps()));
        let rung = self.pinned.unwrap_or_else(|| self.allowed(released.unwrap_or(rung)));
        let rung = self.present_rung(rung).unwrap_or(rung);
        let Some(main) = self.lanes.first_mut() else { return };
        if let Some(variant) = self.ladder.variants.get(rung) {
            main.want(&mut self.shared, rung, &variant.url);
        }
    }

    /// What the policy plans with: the ladder, how segments come, how far behind live to be.
    fn plan(&self) -> Option<Plan> {
        let playlist = self.lanes.first()?.playlist()?;
        let live = self.is_live() && self.playback.keeps_live;
        let closed = || playlist.segments.iter().rev().filter(|segment| !segment.is_open() && !segment.gap).take(LENGTHS);
        let sum: f64 = closed().map(|segment| segment.duration_s).sum();
        let segment_s = if sum > 0.0 { sum / closed().count() as f64 } else { playlist.target_s };
        let parts = live && bounds(playlist).parts;
        let mut plan = Plan {
            ladder_bps: self.ladder.rates_bps(),
            segment_s,
            chunk_s: playlist.part_target_s.filter(|_| parts).unwrap_or(segment_s),
            live,
            max_buffer_s: self.shared.config.forward_s,
            catch_up: CatchUp { min: 1.0 - MAX_CHANGE, max: 1.0 + MAX_CHANGE },
            ..Plan::vod()
        };
        if live {
            plan.target_latency_s = self.latency.base_s()? + plan.publish_s();
            plan.max_buffer_s = plan.target_latency_s;
        }
        Some(plan)
    }

    /// Where playback will stand when the next request goes out, as far as that is known now.
    fn state(&self) -> Option<State<'static>> {
        let plan = self.chooser.planned()?;
        let main = self.lanes.first()?;
        let position_s = self.shared.position_s();
        let playhead = self.shared.playhead;
        let ready_s = main.ready_s(position_s);
        let edge_s = self.latency.edge_s(self.shared.now_ms).filter(|_| plan.live);
        let latency_s = edge_s.map(|edge| (edge - position_s + plan.publish_s()).max(0.0));
        // Until the next segment exists, or there is room for it, what is buffered is being played.
        let buffer_s = match (plan.mode(), latency_s) {
            (Mode::Vod, _) => ready_s.min(plan.max_buffer_s - plan.segment_s),
            (Mode::Live, Some(latency)) => ready_s.min(latency - plan.edge_s()),
            (Mode::LowLatency, Some(latency)) => ready_s.min(latency - plan.publish_s()),
            (Mode::Live | Mode::LowLatency, None) => ready_s,
        };
        Some(State {
            buffer_s: buffer_s.max(0.0),
            latency_s,
            rate: self.playback.rate,
            last: None,
            playing: self.playback.begun && !playhead.waiting,
            started: self.playback.begun,
            upcoming_bits: &[],
        })
    }

    /// A request runs: asks the policy whether to begin its segment again in a lower rung.
    fn progress(&mut self, id: u32, bytes: u64, total: Option<u64>, timing: Timing) {
        let alone_s = self.chooser.runs(self.shared.now_ms, id, bytes, timing);
        let Some(main) = self.lanes.first().filter(|_| self.pinned.is_none()) else { return };
        let Some(running) = main.running(id) else { return };
        let (Some(mut state), Some(plan)) = (self.state(), self.chooser.planned()) else { return };
        let parts = plan.mode() == Mode::LowLatency;
        if timing.total_ms < LOOK_MS || (running.buffered > 0 && self.is_inside(running)) {
            return;
        }
        // Without a byte, it is the server that makes it wait, until the list says that the media is there.
        let silent_ms = match running.listed_ms {
            Some(listed_ms) => timing.total_ms.min(self.shared.now_ms - listed_ms),
            None => 0.0,
        };
        if bytes == 0 && silent_ms < SILENT_MS {
            return;
        }
        state.buffer_s = main.ready_s(self.shared.position_s());
        let bits = bytes as f64 * 8.0;
        let progress = Progress {
            state,
            rendition: main.rung,
            chunk_elapsed_s: if bytes == 0 { silent_ms } else { timing.total_ms } / 1000.0,
            chunk_transfer_s: alone_s,
            segment_loaded_bits: bits,
            chunk_loaded_bits: bits,
            chunk_bits: total.map_or(0.0, |total| total as f64 * 8.0),
            chunk: running.part,
            buffered_chunks: running.buffered,
            whole: running.whole && parts,
        };
        let at = Moment { now_ms: self.shared.now_ms, msn: running.msn, current: main.rung };
        let Some(abandon) = self.chooser.look(progress) else { return };
        let rung = self.present_rung(abandon.rendition).unwrap_or(abandon.rendition);
        let Some(variant) = self.ladder.variants.get(rung).filter(|_| rung < at.current) else { return };
        self.chooser.gave_up(at, rung, &progress.state, abandon);
        self.chooser.carried(at.now_ms, Transfer { bytes, timing, main: Some((at.current, 0.0)) });
        if let Some(main) = self.lanes.first_mut() {
            main.begin_again(&mut self.shared, running, rung, &variant.url);
        }
    }

    /// The picture comes from this very segment: media put over it would not be decoded before its next key frame.
    fn is_inside(&self, running: Running) -> bool {
        let playhead = self.shared.playhead;
        !playhead.waiting && running.segment_s.is_some_and(|start| self.shared.position_s() > start)
    }

    /// The highest rung up to the wished one that the server wants to carry, else the lowest.
    fn allowed(&self, wished: usize) -> usize {
        let most_bps = self.advised_bps.1.unwrap_or(f64::INFINITY);
        let fits = |rung: &usize| self.ladder.variants.get(*rung).is_some_and(|variant| variant.bandwidth_bps as f64 <= most_bps);
        (0..=wished).rev().find(fits).unwrap_or(0)
    }

    /// A rung with media that is no higher than the wished one, else the lowest that has any.
    fn present_rung(&self, wished: usize) -> Option<usize> {
        let present = |rung: &usize| !self.gone.iter().any(|(gone, until_ms)| gone == rung && self.shared.now_ms < *until_ms);
        let mut rungs = 0..self.ladder.variants.len();
        (0..=wished).rev().find(present).or_else(|| rungs.find(present))
    }

    /// Leaves a rung that has a gap. Where all have it, the gap is skipped.
    fn leave_gone_rung(&mut self) {
        let Some(main) = self.lanes.first_mut() else { return };
        let Some(gone) = main.take_gone_rung() else { return };
        self.gone.retain(|(rung, _)| *rung != gone);
        self.gone.push((gone, self.shared.now_ms + GONE_MS));
        let current = main.rung;
        let to = self.present_rung(gone);
        let Some(main) = self.lanes.first_mut() else { return };
        match to.and_then(|to| Some((to, self.ladder.variants.get(to)?))) {
            Some((to, variant)) => main.want(&mut self.shared, to, &variant.url),
            None => {
                self.gone.retain(|(rung, _)| *rung != current);
                main.skip_gap();
            }
        }
    }

    fn failed(&mut self, id: u32, status: u16) {
        let now_ms = self.shared.now_ms;
        if self.source_failed(id) {
            return;
        }
        for lane in &mut self.lanes {
            if let Some(follower) = lane.follower_of(id) {
                follower.failed(now_ms, status);
                lane.candidate_failed(&mut self.shared);
                break;
            }
            if lane.media_failed(&mut self.shared, id, status) {
                break;
            }
        }
        let never_there = |lane: &Lane| lane.playlist().is_none() && lane.follower.failures() >= MAX_FIRST_FAILURES;
        let lost = self.phase == Phase::Following && !self.playback.begun && self.played().any(never_there);
        if let Some(url) = self.source.as_ref().filter(|_| lost).map(|source| source.url.clone()) {
            self.load(url);
        }
    }

    fn appended(&mut self, track: Track) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.track == track) {
            lane.appended(&mut self.shared);
        }
    }

    fn append_failed(&mut self, track: Track, reason: AppendFailure) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.track == track) else { return };
        if lane.append_failed(&mut self.shared, reason) >= MAX_DECODE_FAILURES {
            self.fail(Reason::Decode);
        }
    }

    /// Does whatever is due.
    fn step(&mut self) {
        self.watch_source();
        if self.phase != Phase::Following {
            return;
        }
        self.start_elsewhere();
        self.place_lanes();
        self.choose();
        let mut switched = None;
        for lane in &mut self.lanes {
            switched = lane.step(&mut self.shared).or(switched);
        }
        if let Some(rung) = switched {
            self.say_level(rung);
        }
        self.leave_gone_rung();
        self.note_edge();
        self.control();
        if self.playback.ended {
            self.phase = Phase::Over;
            self.shared.send(Output::Event(Event::Ended));
        }
    }

    /// Takes another rung to begin with, where the first one turns out to have nothing at the live edge.
    fn start_elsewhere(&mut self) {
        let Some(main) = self.lanes.first().filter(|main| main.cursor().is_none()) else { return };
        let (rung, track) = (main.rung, main.track);
        if !main.playlist().is_some_and(|playlist| playlist.ends_in_gap() && !playlist.ended) {
            return;
        }
        self.gone.push((rung, self.shared.now_ms + GONE_MS));
        let Some(to) = self.present_rung(rung) else { return };
        let Some(url) = self.ladder.variants.get(to).map(|variant| variant.url.clone()) else { return };
        let other = Lane::new(track, true, url, to, &self.shared);
        if let Some(main) = self.lanes.first_mut() {
            core::mem::replace(main, other).close(&mut self.shared);
        }
        self.say_level(to);
    }

    /// Finds where to start, once playlists are there. The main track decides, sound follows.
    fn place_lanes(&mut self) {
        let Some((main, others)) = self.lanes.split_first_mut() else { return };
        if main.cursor().is_none() {
            let Some(playlist) = main.playlist() else { return };
            let own = self.shared.config.start_s.filter(|start| start.is_finite()).map(|offset_s| Start { offset_s, precise: true });
            let wished = own.or(playlist.start).or(self.ladder.start);
            let Some((place, into_s, live)) = start_place(playlist, &self.latency, wished) else { return };
            main.start_at(&mut self.shared, place);
            self.playback.start = Some(place);
            self.playback.start_into_s = into_s;
            self.playback.keeps_live = live;
        }
        if others.iter().all(|lane| lane.cursor().is_some()) {
            return;
        }
        let Some(start) = self.place_beside() else { return };
        let Some((main, others)) = self.lanes.split_first_mut() else { return };
        for lane in others.iter_mut().filter(|lane| lane.cursor().is_none()) {
            let (Some(of_main), Some(own)) = (main.playlist(), lane.playlist()) else { continue };
            let place = Place { msn: own.aligned_msn(of_main, start.msn), part: if lane.track == Track::Text { 0 } else { start.part } };
            lane.start_at(&mut self.shared, place);
        }
    }

    /// Tells the latency control how far the list reaches.
    fn note_edge(&mut self) {
        let Some(main) = self.lanes.first() else { return };
        let Some(playlist) = main.playlist() else { return };
        self.playback.was_live |= !playlist.ended;
        if let Some(end_s) = main.time_of(playlist.next_place()) {
            self.latency.arrived(main.follower.changed_ms(), end_s);
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.lanes.first().and_then(Lane::playlist).is_some_and(|playlist| !playlist.ended)
    }
}

const DEFAULT_BOUNDS: Bounds = Bounds { step_s: 1.0, hold_back_s: 3.0, parts: false };

fn bounds(playlist: &Playlist) -> Bounds {
    match playlist.part_target_s {
        Some(step_s) if playlist.can_block || playlist.part_hold_back_s.is_some() => {
            Bounds { step_s, hold_back_s: playlist.part_hold_back_s.unwrap_or(3.0 * step_s), parts: true }
        }
        _ => Bounds { step_s: playlist.target_s, hold_back_s: playlist.hold_back_s.unwrap_or(3.0 * playlist.target_s), parts: false },
    }
}

/// Live: the last place to start that is the target before the end, or a part less: live goes on while the first part is on its way. Else
/// the beginning. Or where somebody wishes, unless that is nearer to live. With it how far to go into the segment, and whether the playhead
/// stays near live from there.
fn start_place(playlist: &Playlist, latency: &Latency, wished: Option<Start>) -> Option<(Place, f64, bool)> {
    let back_s = if playlist.ended { f64::MAX } else { latency.start_s()? };
    let place = playlist.start_before_end(back_s)?;
    match wished.and_then(|start| playlist.place_of(start)) {
        Some((own, into_s)) if playlist.ended || own < place => Some((own, into_s, playlist.ended)),
        _ => Some((place, 0.0, true)),
    }
}
