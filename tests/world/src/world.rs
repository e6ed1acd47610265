use std::{collections::BTreeMap, sync::Arc};

use tidegate_cmaf::{Defaults, read_chunk};
use tidegate_stream::{Hash, Key, Part, Record, RecordBody, SessionId, Snapshot, StreamId, Timeline};

use crate::{
    auditor::Auditor,
    edge::Edge,
    plan::{Event, Mode, Plan},
    rules::Rules,
    source::{Feed, encoder_of},
    store::{Store, Written},
    viewer::{Viewer, longest_us},
    worker::Worker,
};

/// What came of a world.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The rule that was broken.
    pub broken: Option<String>,
    /// Records written.
    pub records: u64,
    /// Times that the log went over to another worker.
    pub handovers: u64,
    /// Sessions.
    pub sessions: usize,
    /// Parts listed, and how many of them were gaps.
    pub parts: (u64, u64),
    /// Playlists and pieces of media that were looked at.
    pub served: (u64, u64),
    /// Requests of the workers to the store: reads and writes.
    pub requests: (u64, u64),
    /// How far behind the newest media the viewer is at the end, as far as it knows.
    pub behind_s: Option<f64>,
    /// The longest time between two records, in us.
    pub longest_us: i64,
    /// From when until when the viewer's picture stood still, in us.
    pub stood: Vec<(i64, i64)>,
    /// Periods of all sessions.
    pub periods: usize,
    /// The records in the order in which they were written, for a report.
    pub log: Vec<(i64, String)>,
    /// What the workers said, for a report.
    pub said: Vec<(i64, usize, String)>,
}

impl Report {
    /// The longest time for which the viewer's picture stood still, in us.
    #[must_use]
    pub fn stall_us(&self) -> i64 {
        longest_us(&self.stood)
    }
}

/// When every world begins, in us since 1970.
const T0: i64 = 1_790_000_000_000_000;
const STEP_US: i64 = 10_000;
/// A viewer comes when there is something to see.
const VIEWER_US: i64 = 2_500_000;
/// How long a viewer has to play without a stop before the end.
const PLAYS_US: i64 = 4_000_000;
/// After this both workers have received a segment and more.
const WHOLE_US: i64 = 5_000_000;
/// How far behind a viewer may be at the end.
const BEHIND_S: f64 = 6.0;
const ENCODER: u64 = 77;
/// Its frames are not an encoder's.
const SLATE: u64 = 0x51A7;
/// The second of two publishers began so much later.
const RIVAL_US: i64 = 700_000;

struct World {
    now: i64,
    plan: Plan,
    store: Store,
    workers: Vec<Worker>,
    edges: Vec<Edge>,
    viewers: Vec<Viewer>,
    auditor: Auditor,
    rules: Rules,
    restarts: Vec<(i64, usize)>,
    /// In the mode of one push: which worker the encoder is connected to.
    pushed: usize,
    encoders: u64,
}

/// Plays a plan.
#[must_use]
pub fn play(seed: u64, plan: Plan) -> Report {
    let faults = plan.faults.iter().map(|(from, to, fault)| (T0 + from, T0 + to, *fault)).collect();
    let store = Store::new(seed, faults);
    let world = World {
        now: T0,
        store,
        workers: Vec::new(),
        edges: vec![Edge::new(0), Edge::new(1)],
        viewers: Vec::new(),
        auditor: Auditor::default(),
        rules: Rules::default(),
        restarts: Vec::new(),
        pushed: 0,
        encoders: ENCODER,
        plan,
    };
    world.run(seed)
}

impl World {
    fn run(mut self, seed: u64) -> Report {
        for place in 0..2 {
            let feed = self.feed(place);
            let rung = if self.plan.other_ladder && place == 1 { "medium" } else { "low" };
            let rung = (!self.plan.sound_alone).then_some(rung);
            let mut worker = Worker::new(place, self.now, self.plan.skew_us[place], rung, feed);
            worker.mirror = self.plan.mirror;
            self.edges[place].mirror = self.plan.mirror;
            if self.plan.mode == Mode::Single && place != self.pushed {
                worker.kill();
            }
            self.workers.push(worker);
        }
        let mut events = self.plan.events.clone().into_iter().peekable();
        let end = T0 + self.plan.length_us;
        let (mut records, mut last_at, mut longest_us) = (0, T0, 0);
        while self.now < end {
            self.now += STEP_US;
            self.store.step(self.now);
            while let Some((_, event)) = events.next_if(|(at, _)| T0 + at <= self.now) {
                self.happen(event);
            }
            let due: Vec<usize> = self.restarts.iter().filter(|(at, _)| *at <= self.now).map(|(_, place)| *place).collect();
            self.restarts.retain(|(at, _)| *at > self.now);
            for place in due {
                let feed = self.feed(place);
                self.workers[place].start(self.now, feed);
            }
            for worker in &mut self.workers {
                worker.step(self.now, &mut self.store);
            }
            if self.viewers.is_empty() && self.now > T0 + VIEWER_US {
                self.viewers.push(Viewer::new(self.now, seed, "demo"));
            }
            self.rules.rewritten = self.store.rewritten;
            for viewer in &mut self.viewers {
                viewer.step(self.now, STEP_US, self.edges.as_mut_slice(), &mut self.rules);
            }
            self.auditor.step(self.now, &mut self.edges, &mut self.rules);
            for edge in &mut self.edges {
                edge.step(self.now, &mut self.store);
            }
            if self.store.written.len() > records {
                if records > 0 {
                    longest_us = longest_us.max(self.now - last_at);
                }
                (records, last_at) = (self.store.written.len(), self.now);
            }
            if self.rules.broken.is_some() || self.store.broken.is_some() {
                break;
            }
        }
        let mut report = Report { longest_us, ..Report::default() };
        self.judge(&mut report);
        report
    }

    fn feed(&mut self, place: usize) -> Feed {
        let zero = if self.plan.mode == Mode::Single { self.now } else { T0 };
        let own = (self.plan.mode == Mode::Own).then_some(0xAB00 + place as u64);
        if self.plan.mode == Mode::Single {
            self.encoders += 1;
        }
        let (encoder, zero) = match self.plan.mode {
            Mode::Rivals => (self.encoders + place as u64, zero + RIVAL_US * place as i64),
            Mode::Clocked => (self.encoders + place as u64, zero),
            Mode::Exact | Mode::Own | Mode::Single => (self.encoders, zero),
        };
        let feed = Feed::new(encoder, zero, self.now, i64::MAX, self.plan.delay_us[place], own).with(self.plan.sound[place]);
        Feed { clocked: self.plan.mode == Mode::Clocked, sound_alone: self.plan.sound_alone, ..feed }
    }

    /// What a worker shows while its encoder is away.
    fn slate(&self, to_us: i64) -> Option<Feed> {
        self.plan.slate.then(|| Feed {
            is_slate: true,
            sound_alone: self.plan.sound_alone,
            ..Feed::new(SLATE, self.now, self.now, to_us, 0, None)
        })
    }

    fn owner(&self) -> usize {
        self.workers.iter().position(|worker| worker.twin.is_some() && worker.is_owner()).unwrap_or(self.pushed)
    }

    fn happen(&mut self, event: Event) {
        let owner = self.owner();
        match event {
            Event::KillOwner(after) | Event::Leave(after) | Event::KillStandby(after) => {
                let place = if matches!(event, Event::KillStandby(_)) && self.plan.mode != Mode::Single { 1 - owner } else { owner };
                if matches!(event, Event::Leave(_)) && self.now >= self.workers[place].paused_until {
                    self.workers[place].leave(self.now, &mut self.store);
                } else {
                    self.workers[place].kill();
                }
                if self.plan.mode == Mode::Single {
                    // The encoder connects to the other one, as soon as it notices.
                    self.pushed = 1 - place;
                    self.restarts.retain(|(_, of)| *of != self.pushed);
                    self.restarts.push((self.now + (after / 2).min(4_000_000), self.pushed));
                } else {
                    self.restarts.push((self.now + after, place));
                }
            }
            Event::PauseOwner(time) => self.workers[owner].paused_until = self.now + time,
            Event::PauseStandby(time) => self.workers[1 - owner].paused_until = self.now + time,
            Event::Break(place, time) => {
                let at = self.now + time;
                let slate = self.slate(at);
                if let Some(feed) = self.workers[place].feeds.back_mut() {
                    feed.to_us = self.now;
                    let mut next = feed.clone();
                    next.is_slate = false;
                    if self.plan.mode == Mode::Single {
                        self.encoders += 1;
                        next.encoder = self.encoders;
                        next.zero_us = at;
                    }
                    let fresh = Feed::new(next.encoder, next.zero_us, at, i64::MAX, next.delay_us, next.own_rungs).with(next.sound);
                    for feed in slate.into_iter().chain([Feed { clocked: next.clocked, sound_alone: next.sound_alone, ..fresh }]) {
                        self.workers[place].reconnect(feed);
                    }
                }
            }
            Event::Move(time) => {
                let (from, to) = (self.pushed, 1 - self.pushed);
                let slate = self.slate(i64::MAX);
                if let Some(feed) = self.workers[from].feeds.back_mut() {
                    feed.to_us = self.now;
                }
                self.workers[from].feeds.extend(slate);
                self.pushed = to;
                self.restarts.push((self.now + time, to));
            }
            Event::EdgeDies(place, time) => self.edges[place].restart(self.now + time),
            Event::Alter => self.store.tamper(false),
            Event::Remove => self.store.tamper(true),
        }
    }

    fn judge(&mut self, report: &mut Report) {
        report.records = self.store.written.len() as u64;
        report.requests = (self.store.gets, self.store.puts);
        let stands = self.viewers.first().map(Viewer::stands).unwrap_or_default();
        report.stood = stands.into_iter().map(|(from, until)| (from - T0, until - T0)).collect();
        report.behind_s = self.viewers.first().and_then(Viewer::behind_s);
        report.served = (self.rules.playlists, self.rules.bodies);
        for parts in self.rules.parts.values() {
            report.parts.0 += parts.len() as u64;
            report.parts.1 += parts.values().filter(|part| part.gap).count() as u64;
        }
        for worker in &self.workers {
            report.said.extend(worker.said.iter().map(|(at, what)| (at - T0, worker.place, what.clone())));
        }
        report.said.sort();
        let written = self.store.written.iter();
        report.log =
            written.map(|Written { at, session, number, bytes, .. }| (at - T0, format!("{session} {number} {}", told(bytes)))).collect();
        let broken = self.store.broken.take().or_else(|| self.rules.broken.take());
        let broken = broken
            .or_else(|| self.logs(report))
            .or_else(|| self.side_by_side())
            .or_else(|| self.no_gap(report))
            .or_else(|| self.init_sizes())
            .or_else(|| self.viewers_play(report.sessions));
        report.broken = broken;
    }

    /// Every log that was written is one chain, its times never go back, and each record has one writer.
    fn logs(&self, report: &mut Report) -> Option<String> {
        let mut logs: BTreeMap<&str, BTreeMap<u64, &Arc<Vec<u8>>>> = BTreeMap::new();
        for Written { session, number, bytes, .. } in &self.store.written {
            logs.entry(session).or_default().entry(number.0).or_insert(bytes);
        }
        let stream = StreamId::parse("demo").ok()?;
        for (session, records) in logs {
            let id = SessionId::parse(session).ok()?;
            let current = self.store.look(&Key::Current { stream: stream.clone() }.to_string());
            let listed = current.is_some_and(|bytes| String::from_utf8_lossy(bytes).contains(session));
            report.sessions += usize::from(listed || records.len() > 4);
            let head = Key::Head { stream: stream.clone(), session: id.clone() };
            let session_of_log = self.store.look(&head.to_string()).and_then(|head| Snapshot::decode(head).ok())?.session().clone();
            let mut timeline = Timeline::new(session_of_log);
            let mut writer = None;
            let mut ends: Vec<(u32, u64)> = Vec::new();
            let (mut periods, count) = (0, records.len());
            let mut made: BTreeMap<(u64, usize), u64> = BTreeMap::new();
            let tampered = !self.store.tampered.is_empty();
            for (expected, (number, bytes)) in records.into_iter().enumerate() {
                if expected as u64 != number {
                    return Some(format!("{session}: record {expected} was never written"));
                }
                let Ok((record, offset)) = Record::decode(bytes) else { return Some(format!("{session}: record {number} does not read")) };
                if let Err(error) = timeline.apply(&record, offset, Some(Hash::of(bytes))) {
                    if tampered {
                        break;
                    }
                    return Some(format!("{session}: {error}"));
                }
                report.handovers += u64::from(writer.replace(record.writer).is_some_and(|before| before != record.writer));
                let Some(segment) = timeline.segments().back() else { continue };
                let Some(part) = segment.parts.last().filter(|part| part.record == record.number) else { continue };
                if let Some(other) = mixed(bytes, segment.msn.0, part, &mut made) {
                    return Some(format!("{session}: record {number} goes on with what another encoder began: {other}"));
                }
                report.periods += usize::from(segment.period >= periods && (listed || count > 4));
                periods = periods.max(segment.period + 1);
                ends.resize(part.tracks.len(), (segment.period, 0));
                for (end, track) in ends.iter_mut().zip(&part.tracks) {
                    // A hole is said to be one: it is a part without media.
                    if end.0 == segment.period && end.1 > 0 && track.start > end.1 && track.duration > 0 && !tampered {
                        return Some(format!("{session}: a hole that is not listed at record {number}: {} after {}", track.start, end.1));
                    }
                    if end.0 == segment.period && track.start < end.1 && track.duration > 0 {
                        return Some(format!("{session}: media time goes back at record {number}: {} after {}", track.start, end.1));
                    }
                    *end = (segment.period, if track.duration > 0 { track.start + u64::from(track.duration) } else { end.1 });
                }
            }
        }
        None
    }

    /// At the end one session is written: two workers that each write their own have nobody who stands by.
    fn side_by_side(&self) -> Option<String> {
        let recent = self.store.written.iter().filter(|written| written.at > self.now - PLAYS_US);
        let mut sessions: Vec<&str> = recent.map(|written| written.session.as_str()).collect();
        sessions.dedup();
        // One may follow another.
        (sessions.len() > 2).then(|| format!("{} and {} are written side by side", sessions[0], sessions[1]))
    }

    /// Where both workers make the same bytes and have received a whole segment, one that goes costs nothing.
    fn no_gap(&self, report: &Report) -> Option<String> {
        let Plan { mode: Mode::Exact, events, faults, .. } = &self.plan else { return None };
        let [(at, Event::KillOwner(_) | Event::Leave(_) | Event::PauseOwner(_))] = events.as_slice() else { return None };
        let whole = faults.is_empty() && *at > WHOLE_US;
        (whole && report.parts.1 > 0).then(|| format!("{} gaps where one owner went", report.parts.1))
    }

    /// Playlists in the bucket say how long each init segment is; who goes on with another encoder's log need not know it of what was before.
    fn init_sizes(&self) -> Option<String> {
        let wrong = |folder: &str, map: &str| {
            let (init, rest) = map.split_once('"')?;
            let size = self.store.look(&format!("{folder}/{init}"))?.len();
            let unknown = rest.is_empty() && self.plan.mode != Mode::Exact;
            (!unknown && rest != format!(",BYTERANGE=\"{size}@0\"")).then(|| format!("{folder}: {init} has {size} bytes: {rest}"))
        };
        self.store.playlists().find_map(|(folder, text)| {
            let text = String::from_utf8_lossy(text);
            text.lines().filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")).find_map(|map| wrong(folder, map))
        })
    }

    /// At the end everything has worked for a while: the picture moves.
    fn viewers_play(&self, sessions: usize) -> Option<String> {
        let end = self.now;
        // Who watches a session that is over, or that nobody goes on with, watches its recording.
        if sessions > 1 {
            return None;
        }
        let skew_us = self.plan.skew_us.iter().map(|skew_us| skew_us.abs()).max().unwrap_or(0);
        let clocks_agree = skew_us < 4_000_000;
        // By dates of a clock that is slow everybody is late.
        let behind_max_s = BEHIND_S + skew_us as f64 / 1e6;
        for viewer in &self.viewers {
            let at = |time: i64| viewer.seen.iter().rev().find(|(seen, _)| *seen <= time).map_or(0.0, |(_, place)| *place);
            let moved = at(end) - at(end - PLAYS_US);
            if moved < 0.9 * PLAYS_US as f64 / 1e6 {
                let calm = self.plan.calm_us() as f64 / 1e6;
                return Some(format!("after {calm} s in which all works the picture moved {moved:.2} s in 4 s: {}", viewer.report()));
            }
            if clocks_agree && viewer.behind_s().is_none_or(|behind_s| behind_s > behind_max_s) {
                return Some(format!("the viewer is {:?} s behind: {}", viewer.behind_s(), viewer.report()));
            }
        }
        None
    }
}

/// What a record says, for a report.
fn told(bytes: &[u8]) -> String {
    let Ok((Record { writer, body, .. }, _)) = Record::decode(bytes) else { return "does not read".into() };
    let RecordBody::Part(part) = body else { return format!("{body:?} by {:x}", writer.0) };
    let tracks: Vec<_> =
        part.tracks.iter().map(|track| format!("{}+{}{}", track.start, track.duration, if track.len == 0 { " gap" } else { "" })).collect();
    let opens = if part.opens.is_some() { ", a period begins" } else { "" };
    let date_us = part.utc_us - T0;
    format!("segment {}.{} by {:x} at {date_us}: {}{opens}", part.msn.0, part.part.0, writer.0, tracks.join(", "))
}

/// A rendition whose segment was begun by one encoder, and whose part in this record another has made.
fn mixed(object: &[u8], msn: u64, part: &Part, made: &mut BTreeMap<(u64, usize), u64>) -> Option<String> {
    for (rendition, track) in part.tracks.iter().enumerate().filter(|(_, track)| track.len > 0) {
        let chunk = object.get(track.offset as usize..)?.get(..track.len as usize)?;
        let chunk = read_chunk(chunk, &Defaults::default()).ok()?;
        for encoder in chunk.samples.iter().filter_map(|sample| encoder_of(sample.data)) {
            let known = *made.entry((msn, rendition)).or_insert(encoder);
            if known != encoder {
                return Some(format!("segment {msn}, rendition {rendition}: {known:x} and {encoder:x}"));
            }
        }
    }
    None
}
