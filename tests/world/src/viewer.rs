//! A viewer: the real engine, with a media element that knows only what its bytes say.

use std::collections::HashMap;

use tidegate_cmaf::{Defaults, read_chunks, read_track_head};
use tidegate_engine::{Config, Engine, Input, Output, Playhead, Timing, Track};

use crate::{edge::Edges, random::Random, rules::Rules};

/// One viewer.
#[derive(Debug)]
pub struct Viewer {
    engine: Engine,
    element: Element,
    requests: Vec<Request>,
    kept: HashMap<u32, Vec<u8>>,
    told_at: i64,
    zero_us: i64,
    random: Random,
    /// Time and place of the playhead, every 100 ms.
    pub seen: Vec<(i64, f64)>,
}

#[derive(Debug)]
struct Request {
    id: u32,
    url: String,
    edge: usize,
    /// The edge's name for it; `None` while the request is on its way.
    there: Option<u64>,
    at: i64,
    asked_at: i64,
    media: bool,
    back: Option<(i64, crate::edge::Reply)>,
}

#[derive(Debug, Default)]
struct Element {
    time_s: f64,
    rate: f64,
    opened: bool,
    seeking: bool,
    running: bool,
    buffers: [Option<Buffer>; 2],
    done: Vec<Input>,
}

#[derive(Debug, Default)]
struct Buffer {
    timescale: Option<f64>,
    ranges: Vec<(f64, f64)>,
}

/// What can be missing between two fragments without a stop.
const TOLERANCE_S: f64 = 0.06;
const ORIGIN: &str = "http://edge";
/// A viewer's way to an edge.
const WAY_US: i64 = 10_000;

impl Viewer {
    /// Opens a stream.
    #[must_use]
    pub fn new(now: i64, seed: u64, stream: &str) -> Self {
        let config = Config { utc_at_zero_ms: now as f64 / 1000.0, ..Config::default() };
        let mut viewer = Self {
            engine: Engine::new(config),
            element: Element { rate: 1.0, ..Element::default() },
            requests: Vec::new(),
            kept: HashMap::new(),
            told_at: 0,
            zero_us: now,
            random: Random::new(seed),
            seen: Vec::new(),
        };
        viewer.tell(now, 1, Input::Load { url: format!("{ORIGIN}/live/{stream}/index.m3u8") });
        viewer
    }

    /// Runs until now.
    pub fn step(&mut self, now: i64, step_us: i64, edges: &mut (impl Edges + ?Sized), rules: &mut Rules) {
        self.carry(now, edges, rules);
        self.element.play(step_us as f64 / 1e6);
        let count = edges.count();
        for input in std::mem::take(&mut self.element.done) {
            self.tell(now, count, input);
        }
        if now - self.told_at >= 100_000 {
            self.told_at = now;
            let element = &self.element;
            let playhead =
                Playhead { time_s: element.time_s, paused: false, seeking: element.seeking, waiting: !element.running, ended: false };
            self.tell(now, count, Input::Playhead(playhead));
            self.tell(now, count, Input::Tick);
            self.seen.push((now, self.element.time_s));
        }
    }

    /// How far behind the newest media it is, in s, as far as it knows.
    #[must_use]
    pub fn behind_s(&self) -> Option<f64> {
        self.engine.stats().latency_s
    }

    /// From when until when its picture stood still, to 100 ms, once it had begun.
    #[must_use]
    pub fn stands(&self) -> Vec<(i64, i64)> {
        let mut stands: Vec<(i64, i64)> = Vec::new();
        for pair in self.seen.windows(2) {
            let [(from, before), (until, now)] = pair else { continue };
            let has_begun = self.seen.first().is_some_and(|(_, first)| before > first);
            match stands.last_mut() {
                _ if now > before || !has_begun => {}
                Some(last) if last.1 == *from => last.1 = *until,
                _ => stands.push((*from, *until)),
            }
        }
        stands
    }

    /// The longest time for which its picture has stood still, in us, once it had begun.
    #[must_use]
    pub fn longest_stall_us(&self) -> i64 {
        longest_us(&self.stands())
    }

    /// What it is doing, for a report.
    #[must_use]
    pub fn report(&self) -> String {
        let ranges: Vec<_> = self.element.buffers.iter().flatten().map(|buffer| buffer.ranges.clone()).collect();
        let requests: Vec<_> = self.requests.iter().map(|request| request.url.as_str()).collect();
        format!("playhead {:.2} of {ranges:?}, asks {requests:?}, {:?}", self.element.time_s, self.engine.stats())
    }

    fn tell(&mut self, now: i64, edges: usize, input: Input) {
        let now_ms = (now - self.zero_us) as f64 / 1000.0;
        self.engine.handle(now_ms, input);
        while let Some(output) = self.engine.poll() {
            self.perform(now, edges, output);
        }
    }

    fn perform(&mut self, now: i64, edges: usize, output: Output) {
        match output {
            Output::FetchPlaylist { id, url } => self.fetch(now, edges, id, url, false),
            Output::FetchMedia { id, url, .. } => self.fetch(now, edges, id, url, true),
            Output::Drop { id } => {
                self.requests.retain(|request| request.id != id);
                self.kept.remove(&id);
            }
            Output::OpenTracks { video, audio } => {
                self.element.buffers = [video.map(|_| Buffer::default()), audio.map(|_| Buffer::default())];
                self.element.opened = true;
                self.element.done.push(Input::Opened);
            }
            Output::Append { track, id, offset_s } => {
                if let Some(bytes) = self.kept.get(&id) {
                    self.element.append(track, bytes, offset_s);
                }
            }
            Output::Remove { track, from_s, to_s } => self.element.remove(track, from_s, to_s),
            Output::Seek { to_s } => {
                self.element.time_s = to_s;
                self.element.seeking = true;
            }
            Output::Rate { rate } => self.element.rate = rate,
            _ => {}
        }
    }

    fn fetch(&mut self, now: i64, edges: usize, id: u32, url: String, media: bool) {
        let edge = self.random.within(0, edges as i64 - 1) as usize;
        self.requests.push(Request { id, url, edge, there: None, at: now + WAY_US, asked_at: now, media, back: None });
    }

    fn carry(&mut self, now: i64, edges: &mut (impl Edges + ?Sized), rules: &mut Rules) {
        let mut done = Vec::new();
        for request in &mut self.requests {
            match (request.there, &request.back) {
                (None, None) if now >= request.at => {
                    let address = request.url.strip_prefix(ORIGIN).unwrap_or(&request.url);
                    request.there = Some(edges.ask(request.edge, now, address));
                }
                (Some(there), None) => {
                    if let Some(reply) = edges.reply(request.edge, there) {
                        request.back = Some((now + WAY_US, reply));
                    }
                }
                _ => {}
            }
            if request.back.as_ref().is_some_and(|(at, _)| now >= *at) {
                done.push(request.id);
            }
        }
        for id in done {
            let Some(at) = self.requests.iter().position(|request| request.id == id) else { continue };
            let request = self.requests.remove(at);
            let Some((_, reply)) = request.back else { continue };
            let address = request.url.strip_prefix(ORIGIN).unwrap_or(&request.url).to_owned();
            rules.reply(now, &address, &reply);
            let count = edges.count();
            if reply.status != 200 {
                self.tell(now, count, Input::Failed { id, status: reply.status });
            } else if request.media {
                let total_ms = (now - request.asked_at) as f64 / 1000.0;
                let timing = Timing { ttfb_ms: total_ms, total_ms };
                let bytes = reply.body.len() as u64;
                self.kept.insert(id, reply.body.clone());
                self.tell(now, count, Input::MediaLoaded { id, bytes, head: reply.body, timing });
            } else {
                let text = String::from_utf8(reply.body).unwrap_or_default();
                self.tell(now, count, Input::PlaylistLoaded { id, url: request.url, text });
            }
        }
    }
}

/// The longest of these stretches.
pub(crate) fn longest_us(stands: &[(i64, i64)]) -> i64 {
    stands.iter().map(|(from, until)| until - from).max().unwrap_or(0)
}

impl Element {
    fn append(&mut self, track: Track, bytes: &[u8], offset_s: f64) {
        let Some(buffer) = &mut self.buffers[track as usize] else { return };
        if let Ok(head) = read_track_head(bytes) {
            buffer.timescale = Some(f64::from(head.timescale));
        } else if let Some(timescale) = buffer.timescale {
            for chunk in read_chunks(bytes, Defaults::default()).flatten() {
                let start = chunk.decode_time as f64 / timescale + offset_s;
                buffer.add(start, start + chunk.duration() as f64 / timescale);
            }
        }
        self.told(track);
    }

    fn remove(&mut self, track: Track, from_s: f64, to_s: f64) {
        if let Some(buffer) = &mut self.buffers[track as usize] {
            let cut = |range: &(f64, f64)| [(range.0, range.1.min(from_s)), (range.0.max(to_s), range.1)];
            buffer.ranges = buffer.ranges.iter().flat_map(cut).filter(|(start, end)| start < end).collect();
        }
        self.told(track);
    }

    fn told(&mut self, track: Track) {
        let ranges = self.buffers[track as usize].as_ref().map(|buffer| buffer.ranges.clone()).unwrap_or_default();
        self.done.push(Input::Buffered { track, ranges });
        self.done.push(Input::Appended { track });
    }

    fn ahead_s(&self) -> f64 {
        let ahead = self.buffers.iter().flatten().map(|buffer| {
            let range = buffer.ranges.iter().find(|(start, end)| *start <= self.time_s + 1e-9 && self.time_s < *end);
            range.map_or(0.0, |(_, end)| end - self.time_s)
        });
        if self.opened { ahead.fold(f64::MAX, f64::min) } else { 0.0 }
    }

    fn play(&mut self, step_s: f64) {
        let ahead_s = self.ahead_s();
        let enough = if self.running { 0.02 } else { 0.1 };
        self.running = self.opened && ahead_s > enough && ahead_s < 1e9;
        if self.running {
            self.seeking = false;
            self.time_s += step_s * self.rate;
        }
    }
}

impl Buffer {
    fn add(&mut self, start: f64, end: f64) {
        self.ranges.push((start, end));
        self.ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for range in self.ranges.drain(..) {
            match merged.last_mut() {
                Some(last) if range.0 <= last.1 + TOLERANCE_S => last.1 = last.1.max(range.1),
                _ => merged.push(range),
            }
        }
        self.ranges = merged;
    }
}
