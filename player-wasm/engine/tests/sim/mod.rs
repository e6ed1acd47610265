//! An origin, a link and a media element in virtual time.

#![allow(dead_code, reason = "each test uses its share of the simulation")]

mod element;
mod origin;

use std::collections::BTreeMap;

use tidegate_engine::{Config, Engine, Event, Input, MediaKind, Output, Playhead, Timing};

pub(crate) use self::{element::Element, origin::Origin};

/// Step of the simulation in ms.
const STEP_MS: f64 = 5.0;
/// Slices of work that a page finds time for in 100 ms.
const IDLE_SLICES: u32 = 100;
/// Longest that the origin holds a request, in ms.
const HOLD_MS: f64 = 6_000.0;
/// `Date.now()` at 0 of the simulated clock.
pub(crate) const UTC_AT_ZERO_MS: f64 = 1_767_225_600_000.0;

/// The whole world of one viewer.
pub(crate) struct Sim {
    pub(crate) engine: Engine,
    pub(crate) origin: Origin,
    pub(crate) element: Element,
    /// The link in bit/s at a time in s.
    pub(crate) link_bps: Box<dyn Fn(f64) -> f64>,
    pub(crate) rtt_ms: f64,
    pub(crate) now_ms: f64,
    /// What has been fetched: time in s and address.
    pub(crate) fetched: Vec<(f64, String)>,
    pub(crate) kinds: BTreeMap<&'static str, u32>,
    pub(crate) events: Vec<(f64, Event)>,
    pub(crate) end_of_stream: bool,
    transfers: BTreeMap<u32, Transfer>,
    kept: BTreeMap<u32, Vec<u8>>,
    last_told_ms: f64,
}

struct Transfer {
    url: String,
    range: Option<(u64, u64)>,
    started_ms: f64,
    /// When the first byte can be sent.
    state: State,
    media: bool,
}

enum State {
    Waiting,
    Sending { first_ms: f64, left_bits: f64, answer: origin::Answer },
}

impl Sim {
    pub(crate) fn new(origin: Origin, config: Config) -> Self {
        let config = Config { utc_at_zero_ms: UTC_AT_ZERO_MS, ..config };
        let mut sim = Self {
            engine: Engine::new(config),
            origin,
            element: Element::default(),
            link_bps: Box::new(|_| 20e6),
            rtt_ms: 20.0,
            now_ms: 30_000.0,
            fetched: Vec::new(),
            kinds: BTreeMap::new(),
            events: Vec::new(),
            end_of_stream: false,
            transfers: BTreeMap::new(),
            kept: BTreeMap::new(),
            last_told_ms: 0.0,
        };
        sim.tell(Input::Load { url: "http://origin/live/demo/index.m3u8".into() });
        sim
    }

    pub(crate) fn now_s(&self) -> f64 {
        self.now_ms / 1000.0
    }

    /// Runs for so many seconds; `watch` sees the world every 100 ms.
    pub(crate) fn run(&mut self, seconds: f64, mut watch: impl FnMut(&Self)) {
        let until_ms = self.now_ms + seconds * 1000.0;
        while self.now_ms < until_ms {
            self.now_ms += STEP_MS;
            self.carry();
            self.element.play(STEP_MS / 1000.0);
            for input in self.element.done() {
                self.tell(input);
            }
            if self.now_ms - self.last_told_ms >= 100.0 {
                self.last_told_ms = self.now_ms;
                let playhead = self.element.playhead();
                self.tell(Input::Playhead(playhead));
                self.tell(Input::Tick);
                for progress in self.progress() {
                    self.tell(progress);
                }
                self.engine.idle(IDLE_SLICES);
                watch(self);
            }
        }
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.engine.handle(self.now_ms, input);
        while let Some(output) = self.engine.poll() {
            self.perform(output);
        }
    }

    /// Distance of the playhead from the newest media of the origin, in s of the wall clock.
    pub(crate) fn behind_s(&self) -> f64 {
        self.engine.stats().latency_s.unwrap_or(f64::NAN)
    }

    pub(crate) fn playhead(&self) -> Playhead {
        self.element.playhead()
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::FetchPlaylist { id, url } => self.fetch(id, url, None, false),
            Output::FetchMedia { id, url, range, kind, .. } => {
                let name = match kind {
                    MediaKind::Init => "init",
                    MediaKind::Segment => "segment",
                    MediaKind::Part => "part",
                    MediaKind::Hint => "hint",
                };
                *self.kinds.entry(name).or_default() += 1;
                self.fetch(id, url, range, true);
            }
            Output::Drop { id } => {
                self.transfers.remove(&id);
                self.kept.remove(&id);
            }
            Output::Append { track, id, offset_s } => {
                let bytes = self.kept.get(&id).expect("the engine appends what it has not dropped").clone();
                self.element.append(track, &bytes, offset_s);
            }
            Output::Event(event) => self.events.push((self.now_s(), event)),
            Output::EndOfStream => {
                self.end_of_stream = true;
                self.element.complete = true;
            }
            other => self.element.perform(&other),
        }
    }

    /// How far the requests for media are.
    fn progress(&self) -> Vec<Input> {
        let of = |(id, transfer): (&u32, &Transfer)| {
            let total_ms = self.now_ms - transfer.started_ms;
            let (bytes, total, ttfb_ms) = match &transfer.state {
                State::Waiting => (0, None, total_ms),
                State::Sending { first_ms, left_bits, answer } => {
                    let size = answer.size();
                    (size.saturating_sub((left_bits / 8.0) as u64), Some(size), first_ms - transfer.started_ms)
                }
            };
            transfer.media.then_some(Input::Progress { id: *id, bytes, total, timing: Timing { ttfb_ms, total_ms } })
        };
        self.transfers.iter().filter_map(of).collect()
    }

    fn fetch(&mut self, id: u32, url: String, range: Option<(u64, u64)>, media: bool) {
        self.fetched.push((self.now_s(), url.clone()));
        let transfer = Transfer { url, range, started_ms: self.now_ms, state: State::Waiting, media };
        assert!(self.transfers.insert(id, transfer).is_none(), "request {id} runs already");
        assert!(self.transfers.len() < 24, "too many requests at a time");
    }

    fn carry(&mut self) {
        let sending = self.transfers.values().filter(|transfer| matches!(transfer.state, State::Sending { .. })).count();
        let share = (self.link_bps)(self.now_s()) * STEP_MS / 1000.0 / sending.max(1) as f64;
        let mut done = Vec::new();
        for (id, transfer) in &mut self.transfers {
            match &mut transfer.state {
                State::Waiting => {
                    let asked_ms = transfer.started_ms + self.rtt_ms;
                    if self.now_ms < asked_ms {
                        continue;
                    }
                    let patience = self.now_ms - asked_ms > HOLD_MS;
                    if let Some(answer) = self.origin.answer(self.now_ms / 1000.0, &transfer.url, transfer.range, patience) {
                        let left_bits = answer.size() as f64 * 8.0 + 1.0;
                        transfer.state = State::Sending { first_ms: self.now_ms, left_bits, answer };
                    }
                }
                State::Sending { left_bits, .. } => {
                    *left_bits -= share;
                    if *left_bits <= 0.0 {
                        done.push(*id);
                    }
                }
            }
        }
        for id in done {
            let Some(Transfer { url, started_ms, state: State::Sending { first_ms, answer, .. }, media, .. }) = self.transfers.remove(&id)
            else {
                continue;
            };
            let timing = Timing { ttfb_ms: first_ms - started_ms, total_ms: self.now_ms - started_ms };
            match answer {
                origin::Answer::Status(status) => self.tell(Input::Failed { id, status }),
                origin::Answer::Text(text) => self.tell(Input::PlaylistLoaded { id, url, text }),
                origin::Answer::Media { head, size } => {
                    assert!(media);
                    self.kept.insert(id, head.clone());
                    self.tell(Input::MediaLoaded { id, bytes: size, head, timing });
                }
            }
        }
    }
}
