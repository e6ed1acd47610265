//! One session in virtual time: availability, round trips, buffer, stalls, speed, latency, abandoned requests.

use tidegate_abr::{Progress, Sample, State};

use crate::{
    content::Content,
    link::Link,
    policy::Policy,
    score::Score,
    setting::{SEGMENT_S, SESSION_S, Setting},
};

/// Everything that a session depends on, but the policy.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// How it is played.
    pub setting: &'a Setting,
    /// What is played.
    pub content: &'a Content,
    /// Over which link.
    pub link: &'a Link,
    /// Where in the recording the session starts, in seconds.
    pub offset_s: f64,
}

/// Plays a session and scores it.
pub fn play(scene: Scene<'_>, policy: &mut dyn Policy) -> Score {
    let mut session = Session::new(scene);
    while session.now < SESSION_S {
        session.segment(policy);
    }
    session.score()
}

/// A session under way.
#[derive(Debug, Clone)]
pub struct Session<'a> {
    scene: Scene<'a>,
    now: f64,
    /// Media time of the playhead; live media is made at its own time.
    position: f64,
    /// Media ahead of the playhead.
    buffer: f64,
    playing: bool,
    started: bool,
    rate: f64,
    /// Segment that is loaded next, counted from the first one that can be.
    next: usize,
    last: Option<usize>,
    /// Start in media time and rung of each segment loaded.
    loaded: Vec<(f64, usize)>,
    start_up: f64,
    stall: f64,
    stalls: u32,
    played: f64,
    late: f64,
    deviation: f64,
    skipped: f64,
    dropped: u32,
    decisions: u32,
    wasted: f64,
    received: f64,
    twitch: Twitch,
}

impl<'a> Session<'a> {
    /// A session that has loaded its playlists.
    pub fn new(scene: Scene<'a>) -> Self {
        // Playback begins at the segment start that comes next after the target; recorded media begins at 0.
        let behind = (scene.setting.target_s / SEGMENT_S).floor() * SEGMENT_S;
        let mut session = Self {
            scene,
            now: 0.0,
            position: -behind,
            buffer: 0.0,
            playing: false,
            started: false,
            rate: 1.0,
            next: 0,
            last: None,
            loaded: Vec::new(),
            start_up: 0.0,
            stall: 0.0,
            stalls: 0,
            played: 0.0,
            late: 0.0,
            deviation: 0.0,
            skipped: 0.0,
            dropped: 0,
            decisions: 0,
            wasted: 0.0,
            received: 0.0,
            twitch: Twitch::default(),
        };
        // Two playlists.
        session.advance(2.0 * session.rtt());
        session
    }

    /// Waits for its turn, asks the policy and loads a segment.
    pub fn segment(&mut self, policy: &mut dyn Policy) {
        let setting = self.scene.setting;
        self.jump();
        self.wait();
        if self.now >= SESSION_S {
            return;
        }
        let upcoming = self.upcoming();
        let mut q = policy.decide(&self.state(&upcoming)).min(self.scene.content.ladder_bps.len() - 1);
        self.decisions += 1;
        let chunks = (SEGMENT_S / setting.chunk_s).round() as usize;
        let begin = self.position + self.buffer;
        let (mut chunk, mut buffered, mut loaded) = (0, 0, 0.0);
        let mut tick = self.now + TICK_S;
        while chunk < chunks {
            let asked = self.now;
            let made = begin + (chunk + 1) as f64 * setting.chunk_s + setting.publish_s;
            let rtt = self.rtt();
            let first_byte = if setting.live() { (asked + rtt).max(made + 0.5 * rtt) } else { asked + rtt };
            let bits = self.scene.content.chunk_bits(setting, self.next, q, chunk);
            let end = self.scene.link.end(self.scene.offset_s + first_byte, bits, self.scene.offset_s + SESSION_S) - self.scene.offset_s;
            let mut given_up = None;
            while tick < end.min(SESSION_S) && given_up.is_none() {
                self.advance(tick);
                let here = if tick > first_byte { self.bits(first_byte, tick) } else { 0.0 };
                let progress = Progress {
                    state: self.state(&upcoming),
                    rendition: q,
                    chunk_elapsed_s: tick - asked,
                    chunk_transfer_s: Some((tick - first_byte).max(0.0)),
                    segment_loaded_bits: loaded + here,
                    chunk_loaded_bits: here,
                    chunk_bits: bits,
                    chunk,
                    buffered_chunks: buffered,
                    whole: false,
                };
                given_up = policy.progress(&progress).filter(|lower| *lower < q);
                tick += TICK_S;
            }
            if let Some(lower) = given_up {
                let here = if self.now > first_byte { self.bits(first_byte, self.now) } else { 0.0 };
                let transfer_s = (self.now - first_byte).max(0.0);
                let ttfb_s = first_byte.min(self.now) - asked;
                policy.sample(Sample { bits: here, ttfb_s, transfer_s, rendition: q, media_s: 0.0 });
                self.wasted += loaded + here;
                self.received += here;
                self.dropped += 1;
                (q, chunk, loaded) = (lower, 0, 0.0);
                continue;
            }
            self.advance(end.min(SESSION_S));
            if end > SESSION_S {
                return;
            }
            let sample = Sample { bits, ttfb_s: first_byte - asked, transfer_s: end - first_byte, rendition: q, media_s: setting.chunk_s };
            policy.sample(sample);
            loaded += bits;
            self.received += bits;
            if chunk >= buffered {
                if chunk == 0 {
                    self.loaded.push((begin, q));
                }
                buffered += 1;
                self.add(setting.chunk_s);
            }
            if let Some(segment) = self.loaded.last_mut() {
                segment.1 = q;
            }
            chunk += 1;
        }
        let latency = if setting.live() { self.now - self.position } else { 0.0 };
        self.twitch.add(&self.scene.content.ladder_bps, q, self.last, latency, self.rate);
        self.last = Some(q);
        self.next += 1;
    }

    /// Waits for room in the buffer, or until the next request makes sense at the live edge.
    fn wait(&mut self) {
        let setting = self.scene.setting;
        if setting.live() {
            let begin = self.position + self.buffer;
            let first = if setting.chunk_s < SEGMENT_S { setting.publish_s } else { SEGMENT_S + setting.publish_s };
            self.advance((begin + first).min(SESSION_S));
        } else {
            let room = setting.max_buffer_s - SEGMENT_S;
            if self.buffer > room {
                self.advance((self.now + self.buffer - room).min(SESSION_S));
            }
        }
    }

    /// Seeks to the target when playback is too late.
    fn jump(&mut self) {
        let latency = self.now - self.position;
        if self.scene.setting.live() && self.started && latency > self.scene.setting.jump_s {
            let before = self.position;
            self.loaded.retain(|(start, _)| *start < before);
            let aim = self.now - self.scene.setting.target_s;
            let begin = (aim / SEGMENT_S).ceil() * SEGMENT_S;
            self.skipped += begin - before;
            (self.position, self.buffer) = (begin, 0.0);
            if self.playing {
                self.playing = false;
                self.stalls += 1;
            }
        }
    }

    fn add(&mut self, media_s: f64) {
        self.buffer += media_s;
        let enough = if self.started { self.scene.setting.chunk_s } else { self.scene.setting.chunk_s.max(START_S) };
        if !self.playing && self.buffer >= enough - 1e-9 {
            self.playing = true;
            self.started = true;
        }
    }

    /// Lets time pass.
    fn advance(&mut self, to: f64) {
        let setting = self.scene.setting;
        while self.now < to - 1e-9 {
            let mut dt = (to - self.now).min(SLICE_S);
            if self.playing {
                self.rate = setting.speed(self.now - self.position, self.buffer);
                let lasts = self.buffer / self.rate;
                if lasts <= 1e-9 {
                    self.playing = false;
                    self.stalls += 1;
                    continue;
                }
                dt = dt.min(lasts);
                self.position += self.rate * dt;
                self.buffer = (self.buffer - self.rate * dt).max(0.0);
                self.played += dt;
                self.deviation += (self.rate - 1.0).abs() * dt;
            } else if self.started {
                self.stall += dt;
            } else {
                self.start_up += dt;
            }
            self.now += dt;
            if self.started && setting.live() {
                self.late += (self.now - self.position - setting.target_s).max(0.0) * dt;
            }
        }
        self.now = self.now.max(to);
    }

    fn state<'s>(&self, upcoming: &'s [f64]) -> State<'s> {
        State {
            buffer_s: self.buffer,
            latency_s: self.scene.setting.live().then_some(self.now - self.position),
            rate: if self.playing { self.scene.setting.speed(self.now - self.position, self.buffer) } else { 1.0 },
            last: self.last,
            playing: self.playing,
            started: self.started,
            upcoming_bits: upcoming,
        }
    }

    fn upcoming(&self) -> Vec<f64> {
        if self.scene.setting.live() {
            return Vec::new();
        }
        let rungs = self.scene.content.ladder_bps.len();
        (0..ANNOUNCED)
            .flat_map(|k| (0..rungs).map(move |q| (k, q)))
            .map(|(k, q)| self.scene.content.segment_bits(self.next + k, q))
            .collect()
    }

    fn rtt(&self) -> f64 {
        self.scene.link.rtt(self.scene.offset_s + self.now)
    }

    fn bits(&self, from: f64, to: f64) -> f64 {
        self.scene.link.bits(self.scene.offset_s + from, self.scene.offset_s + to)
    }

    /// Seconds since the start.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// What is buffered, and the distance to live.
    pub fn place(&self) -> (f64, f64) {
        (self.buffer, if self.scene.setting.live() { self.now - self.position } else { 0.0 })
    }

    /// What has been earned of QoE_live, as shares of a whole session: for comparing sessions that are equally far.
    pub fn value_so_far(&self) -> f64 {
        let ladder = &self.scene.content.ladder_bps;
        let span = (ladder[ladder.len() - 1] / ladder[0]).ln().max(1e-9);
        let utility: f64 = self.loaded.iter().map(|(_, q)| (ladder[*q] / ladder[0]).ln() / span).sum();
        let changes = self.loaded.windows(2).filter(|w| w[0].1 != w[1].1).count() as f64;
        let costs = 10.0 * self.stall + 0.1 * self.late + self.deviation + self.skipped;
        (utility - changes) * SEGMENT_S / SESSION_S - costs / SESSION_S - 0.02 * self.start_up
    }

    /// The score when it has ended.
    pub fn score(&self) -> Score {
        let played: Vec<usize> = self.loaded.iter().filter(|(start, _)| *start < self.position).map(|(_, q)| *q).collect();
        let ladder = &self.scene.content.ladder_bps;
        let span = (ladder[ladder.len() - 1] / ladder[0]).ln().max(1e-9);
        let n = played.len().max(1) as f64;
        let utility = played.iter().map(|&q| (ladder[q] / ladder[0]).ln() / span).sum::<f64>() / n;
        let changes = played.windows(2).filter(|w| w[0] != w[1]).count() as f64;
        let time = (self.played + self.stall).max(1e-9);
        let started = SESSION_S - self.start_up;
        Score {
            utility,
            stall: if self.started { self.stall / time } else { 1.0 },
            switch: changes / (n - 1.0).max(1.0),
            late_s: if started > 0.0 { self.late / started } else { 0.0 },
            deviation: self.deviation / self.played.max(1e-9),
            start_up_s: self.start_up,
            skipped: self.skipped / SESSION_S,
            stalls: f64::from(self.stalls),
            dropped: f64::from(self.dropped),
            wasted: self.wasted / self.received.max(1.0),
            kbps: played.iter().map(|&q| ladder[q] / 1000.0).sum::<f64>() / n,
            lin: linear(&played, ladder, self.stall),
            n_qoe: self.twitch.score(ladder, self.stall),
            mos: mos(utility, self.stalls.into(), self.stall, self.played),
            decisions: self.decisions,
        }
    }
}

/// QoE_lin in Mbit/s: mean rate, less the top rate per second of stall and every change in rate.
fn linear(played: &[usize], ladder: &[f64], stall_s: f64) -> f64 {
    let rate = |q: &usize| ladder[*q] / 1e6;
    let sum: f64 = played.iter().map(rate).sum();
    let changes: f64 = played.windows(2).map(|w| (rate(&w[0]) - rate(&w[1])).abs()).sum();
    (sum - ladder[ladder.len() - 1] / 1e6 * stall_s - changes) / played.len().max(1) as f64
}

/// N-QoE of the Twitch challenge (MMSys 2020): quality, less latency, speed and changes; stalls are counted at the end.
#[derive(Debug, Clone, Copy, Default)]
struct Twitch {
    sum: f64,
    segments: f64,
}

impl Twitch {
    fn add(&mut self, ladder: &[f64], q: usize, last: Option<usize>, latency_s: f64, rate: f64) {
        let (least, most) = (ladder[0], ladder[ladder.len() - 1]);
        let late = if latency_s <= 1.1 { 0.05 * least } else { 0.1 * most };
        let change = last.map_or(0.0, |last| (ladder[q] - ladder[last]).abs());
        self.sum += SEGMENT_S * ladder[q] - late * latency_s - least * (1.0 - rate).abs() - change;
        self.segments += 1.0;
    }

    /// As a share of what the top rung alone would give.
    fn score(&self, ladder: &[f64], stall_s: f64) -> f64 {
        let most = ladder[ladder.len() - 1];
        (self.sum - most * stall_s) / (self.segments.max(1.0) * SEGMENT_S * most)
    }
}

/// A score like that of ITU-T P.1203.3: quality from 1 to 5 by utility, and its term for stalls, without the one for the
/// distance between them.
fn mos(utility: f64, stalls: f64, stall_s: f64, played_s: f64) -> f64 {
    let stalling = (-stalls / 9.351_586_84).exp() * (-stall_s / played_s.max(1.0) / 0.918_908_15).exp();
    0.028_330_52 + 0.981_170_59 * (1.0 + 4.0 * utility * stalling)
}

/// A policy may look at a running request this often.
const TICK_S: f64 = 0.25;
/// The playback speed is held for this long.
const SLICE_S: f64 = 0.1;
/// Media that is needed before the first picture moves.
const START_S: f64 = 1.0;
/// Segments whose sizes recorded media announces.
const ANNOUNCED: usize = 5;
