use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_hls::uri::{resolve, with_query, without_directives};

use super::{
    ask::{Ask, How},
    rendition::{Rendition, Role},
};
use crate::{
    check,
    finding::{Finding, Findings},
    probe::{Answer, Failure, Method, Observation, Probe, ProbeId},
    read::{Fault, Faults, Multivariant, Playlist, read, shown},
    rule::Rule,
    rules,
};

/// What to test, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// A multivariant or media playlist.
    pub url: String,
    /// A live stream is followed for this long.
    pub follow_us: u64,
    /// The wall clock where the clock of `handle` and `poll` is 0, in us since 1970.
    pub started_utc_us: i64,
}

/// What the validator wants or has found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Make this request.
    Probe(Probe),
    /// A rule is broken, at an address where it was not yet.
    Finding(Finding),
}

/// Asks a server what it has to be asked, and judges its answers.
pub struct Validator {
    pub(super) config: Config,
    pub(super) findings: Findings,
    pub(super) multivariant: Option<Multivariant>,
    pub(super) renditions: Vec<Rendition>,
    /// Whether the root is there over HTTP/2; `None` until it is known.
    pub(super) http2: Option<bool>,
    pub(super) round_trip_us: Option<u64>,
    pub(super) counts: Counts,
    /// Why nothing can be tested.
    pub(super) fatal: Option<String>,
    pub(super) finished: bool,
    tasks: BTreeMap<(u64, u64), Task>,
    asked: BTreeMap<ProbeId, Asked>,
    next_id: u64,
}

/// How much was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Media playlists that were read.
    pub playlists: u64,
    /// Of them, answers to blocking reloads.
    pub blocking: u64,
    /// Deltas.
    pub deltas: u64,
    /// Parts.
    pub parts: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of media.
    pub media_bytes: u64,
}

/// A request that is due at some time.
struct Task {
    ask: Ask,
    url: String,
    range: Option<(u64, u64)>,
    method: Method,
    timeout_us: u64,
}

struct Asked {
    ask: Ask,
    url: String,
}

/// Renditions that are followed: more are the same again, and cost the server the same again.
const MAX_RENDITIONS: usize = 24;
/// Media that is loaded at the same time.
const MEDIA_AT_ONCE: usize = 8;
/// Requests that wait to be made.
const MAX_TASKS: usize = 512;
/// For what has to be there at once.
pub(super) const SOON_US: u64 = 10_000_000;
/// All media is loaded for so long; then that of every fourth segment.
const ALL_MEDIA_US: u64 = 45_000_000;

impl Validator {
    /// Starts with nothing known.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut new = Self {
            findings: Findings::default(),
            multivariant: None,
            renditions: Vec::new(),
            http2: None,
            round_trip_us: None,
            counts: Counts::default(),
            fatal: None,
            finished: false,
            tasks: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_id: 0,
            config,
        };
        let url = new.config.url.clone();
        new.ask(0, Ask::Root, url.clone());
        new.ask_with(0, Task { ask: Ask::Http2, url, range: None, method: Method::Get, timeout_us: SOON_US });
        new
    }

    /// The next thing to do, if any; ask again at [`Self::wake_us`] or after [`Self::handle`].
    pub fn poll(&mut self, now_us: u64) -> Option<Output> {
        if let Some(probe) = self.due(now_us) {
            return Some(Output::Probe(probe));
        }
        if self.idle(now_us) && !self.finished {
            self.finished = true;
            self.conclude(now_us);
        }
        self.findings.next().map(Output::Finding)
    }

    /// When something is due that is not yet.
    #[must_use]
    pub fn wake_us(&self) -> Option<u64> {
        self.tasks.keys().next().map(|(due, _)| *due)
    }

    /// Whether there is nothing more to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.finished
    }

    fn idle(&self, now_us: u64) -> bool {
        let over = now_us >= self.config.follow_us || self.fatal.is_some();
        // What still blocks when the time is up tells nothing more.
        self.tasks.is_empty() && (self.asked.is_empty() || (over && now_us >= self.config.follow_us.saturating_add(SOON_US)))
    }

    fn due(&mut self, now_us: u64) -> Option<Probe> {
        let over = now_us >= self.config.follow_us && self.renditions.iter().any(|rendition| rendition.was_live);
        if over || self.fatal.is_some() {
            self.tasks.clear();
            return None;
        }
        let loading = self.asked.values().filter(|asked| matches!(asked.ask, Ask::Part { .. } | Ask::Segment { .. })).count();
        let ready = self.tasks.iter().take_while(|((due, _), _)| *due <= now_us).find(|(_, task)| match &task.ask {
            Ask::Part { rendition, msn, .. } | Ask::Segment { rendition, msn } => {
                loading < MEDIA_AT_ONCE && self.init_known(*rendition, *msn)
            }
            _ => true,
        });
        let key = ready.map(|(key, _)| *key)?;
        let task = self.tasks.remove(&key)?;
        let id = ProbeId(key.1);
        let playlist = matches!(task.ask, Ask::Root | Ask::Http2 | Ask::Playlist { .. });
        let http2 = task.ask == Ask::Http2;
        self.asked.insert(id, Asked { ask: task.ask, url: task.url.clone() });
        Some(Probe { id, url: task.url, method: task.method, gzip: playlist, range: task.range, http2, timeout_us: task.timeout_us })
    }

    /// Whether the init segment of a segment has been read or has failed.
    fn init_known(&self, rendition: usize, msn: u64) -> bool {
        let Some(rendition) = self.renditions.get(rendition) else { return true };
        let map = rendition.segment(msn).and_then(|segment| segment.map.as_ref());
        map.is_none_or(|map| rendition.inits.contains_key(&rendition.absolute(&map.uri)))
    }

    pub(super) fn ask(&mut self, due_us: u64, ask: Ask, url: String) {
        self.ask_with(due_us, Task { ask, url, range: None, method: Method::Get, timeout_us: SOON_US });
    }

    pub(super) fn ask_media(&mut self, due_us: u64, ask: Ask, url: String, range: Option<(u64, u64)>) {
        self.ask_with(due_us, Task { ask, url, range, method: Method::Get, timeout_us: SOON_US * 3 });
    }

    pub(super) fn ask_playlist(&mut self, due_us: u64, rendition: usize, how: How) {
        let Some(known) = self.renditions.get(rendition) else { return };
        let url = with_query(&without_directives(&known.url), &how.query());
        // The draft lets a server hold a request for three target durations.
        let timeout_us = known.target_us().saturating_mul(3).saturating_add(SOON_US / 2).max(SOON_US);
        self.ask_with(due_us, Task { ask: Ask::Playlist { rendition, how }, url, range: None, method: Method::Get, timeout_us });
    }

    fn ask_with(&mut self, due_us: u64, task: Task) {
        if self.tasks.len() < MAX_TASKS {
            self.next_id += 1;
            self.tasks.insert((due_us, self.next_id), task);
        }
    }

    /// Whether a media segment is to be loaded.
    pub(super) fn wants(&self, now_us: u64, msn: u64) -> bool {
        now_us < ALL_MEDIA_US || msn.is_multiple_of(4)
    }

    pub(super) fn found(&mut self, now_us: u64, url: &str, rule: &'static Rule, line: u32, seen: impl Into<String>) {
        self.findings.add(url, &Fault { rule, line, seen: seen.into() }, now_us);
    }

    pub(super) fn found_all(&mut self, now_us: u64, url: &str, faults: Faults) {
        for fault in &faults.0 {
            self.findings.add(url, fault, now_us);
        }
    }

    /// Takes what came of a probe.
    pub fn handle(&mut self, now_us: u64, observation: Observation) {
        let Some(asked) = self.asked.remove(&observation.probe) else { return };
        if self.finished {
            return;
        }
        let Observation { sent_us, first_us, done_us, result, .. } = observation;
        let times = Times { now_us, sent_us, first_us, done_us };
        match asked.ask {
            Ask::Root => self.root(times, &asked.url, result),
            Ask::Head => {
                let status = result.as_ref().map(|answer| answer.status).ok();
                if status != Some(200) {
                    let seen = status.map_or_else(|| "no answer".into(), |status| format!("status {status}"));
                    self.found(now_us, &asked.url, rules::HTTP_HEAD, 0, seen);
                }
            }
            Ask::Http2 => self.http2 = Some(result.is_ok_and(|answer| answer.http2)),
            Ask::Playlist { rendition, how } => self.playlist(times, rendition, how, &asked.url, result),
            Ask::Init { rendition, url } => self.init(times, rendition, &url, result),
            Ask::Part { rendition, msn, index } => self.part(times, (rendition, msn, index), &asked.url, result),
            Ask::Segment { rendition, msn } => self.segment(times, (rendition, msn), &asked.url, result),
            Ask::Hint { rendition, uri } => self.hinted(times, rendition, &uri, result),
            Ask::Kept { rendition, part } => self.kept(times, rendition, part, &asked.url, result),
            Ask::Nothing { .. } => self.nothing(times, &asked.url, result),
        }
    }

    /// The address that was given.
    fn root(&mut self, times: Times, url: &str, result: Result<Answer, Failure>) {
        let answer = match result {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) => {
                self.fatal = Some(format!("{url} is answered with status {}", answer.status));
                return;
            }
            Err(failure) => {
                self.fatal = Some(format!("{url} cannot be loaded: {}", words(&failure)));
                return;
            }
        };
        if let Some(address) = &answer.redirected {
            self.config.url.clone_from(address);
        }
        let base = self.config.url.clone();
        let mut faults = Faults::default();
        check::of_playlist(&answer, self.utc_us(times.now_us), &mut faults);
        let (playlist, text_faults) = read(&answer.body);
        faults.0.extend(text_faults);
        match playlist {
            Some(Playlist::Multivariant(list)) => {
                check::multivariant(&list, &mut faults);
                self.compressed(times.now_us, &base, &answer);
                self.presentation(&base, list);
            }
            Some(Playlist::Media(_)) => {
                self.renditions.push(Rendition::new(base.clone(), Role::Alone));
            }
            None => {
                let seen = faults.0.first().map_or_else(String::new, |fault| fault.seen.clone());
                self.fatal = Some(format!("{base} is no playlist: {seen}"));
            }
        }
        if self.fatal.is_none() {
            self.found_all(times.now_us, &base, faults);
            self.transport(times.now_us, &base);
            self.ask_with(times.now_us, Task { ask: Ask::Head, url: base, range: None, method: Method::Head, timeout_us: SOON_US });
            for rendition in 0..self.renditions.len() {
                self.ask_playlist(times.now_us, rendition, How::Plain);
            }
        }
    }

    /// The media playlists of a multivariant playlist, each once.
    fn presentation(&mut self, base: &str, list: Multivariant) {
        let variants = list.variants.iter().enumerate().map(|(at, variant)| (variant.uri.as_str(), Role::Variant(at)));
        let media = list.renditions.iter().enumerate().filter_map(|(at, one)| Some((one.uri.as_deref()?, Role::Media(at))));
        let i_frames = list.i_frames.iter().map(|one| (one.uri.as_str(), Role::IFrames));
        for (uri, role) in variants.chain(media).chain(i_frames) {
            let url = resolve(base, uri);
            let known = self.renditions.iter().any(|rendition| rendition.url == url);
            // Variables (EXT-X-DEFINE) are not filled in here.
            if !known && !uri.is_empty() && !uri.contains("{$") && self.renditions.len() < MAX_RENDITIONS {
                self.renditions.push(Rendition::new(url, role));
            }
        }
        self.multivariant = Some(list);
    }

    fn transport(&mut self, now_us: u64, url: &str) {
        let Some(rest) = url.strip_prefix("http://") else { return };
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        // What never leaves this machine needs no TLS.
        if !["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local)) {
            self.found(now_us, url, rules::HTTP_TLS, 0, format!("plain http to {}", shown(host)));
        }
    }

    /// Small playlists gain nothing from compression, and servers leave it out.
    pub(super) fn compressed(&mut self, now_us: u64, url: &str, answer: &Answer) {
        const WORTH_BYTES: usize = 1_000;
        if answer.body.len() >= WORTH_BYTES && !check::gzip(answer) {
            self.found(now_us, url, rules::HTTP_GZIP, 0, format!("{} bytes without Content-Encoding: gzip", answer.body.len()));
        }
    }

    pub(super) fn utc_us(&self, now_us: u64) -> i64 {
        self.config.started_utc_us.saturating_add(i64::try_from(now_us).unwrap_or(i64::MAX))
    }

    /// A short name of an address, for sentences.
    pub(super) fn name(&self, rendition: usize) -> String {
        self.renditions.get(rendition).map(|rendition| rendition.name.clone()).unwrap_or_default()
    }

    pub(super) fn url(&self, rendition: usize) -> String {
        self.renditions.get(rendition).map(|rendition| rendition.url.to_string()).unwrap_or_default()
    }
}

/// When a request left, and when its answer came.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) now_us: u64,
    pub(super) sent_us: u64,
    pub(super) first_us: u64,
    pub(super) done_us: u64,
}

impl Times {
    /// From the request to the first byte.
    pub(super) fn waited_us(self) -> u64 {
        self.first_us.saturating_sub(self.sent_us)
    }

    /// From the first byte to the last.
    pub(super) fn sending_us(self) -> u64 {
        self.done_us.saturating_sub(self.first_us)
    }
}

pub(super) fn words(failure: &Failure) -> String {
    match failure {
        Failure::Connection(how) => how.clone(),
        Failure::Timeout => "no answer in time".into(),
        Failure::TooLong => "the answer is too long".into(),
    }
}
