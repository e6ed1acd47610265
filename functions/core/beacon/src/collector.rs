// Sorted lists in place of maps: each kind of map is 8 kB more in the component.
use alloc::{boxed::Box, string::String, vec::Vec};

use tidegate_stream::{AnalyticsKey, InstanceId, StreamId};

use crate::{
    event::{Event, Unread, lines, stir},
    report::{Ending, encode},
    sessions::{Sessions, Step},
    window::{Viewer, Window},
};

/// What one instance counts, and when it writes what down.
///
/// Every few seconds the minute that is not over is written to an object of this instance (it is replaced), and once the minute is over,
/// to one that is never changed. So an instance that is lost takes seconds with it. Nothing happens by itself: whoever drives it asks
/// [`Self::next`] after each report, and now and then when none comes.
#[derive(Debug)]
pub struct Collector {
    instance: InstanceId,
    edge: String,
    sessions: Sessions,
    minute: u64,
    /// In order.
    windows: Vec<(StreamId, Box<Window>)>,
    /// Minutes that are over and not written, oldest first.
    closed: Vec<(u64, Vec<u8>)>,
    /// New sessions in this minute by where they are from.
    newcomers: Vec<(u64, u32)>,
    /// Media heard of in this minute, in ms, by where the requests are from.
    heard: Vec<(u64, u32)>,
    changed: bool,
    next_ms: u64,
    under_way: Option<(Written, u64)>,
}

/// Something to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Where.
    pub key: AnalyticsKey,
    /// What.
    pub bytes: Vec<u8>,
}

/// What a report came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// Lines that were counted.
    pub events: usize,
    /// Lines that had been counted before.
    pub repeated: usize,
    /// Lines that are none, or too many.
    pub refused: usize,
    /// Lines of requests of players that tell events.
    pub redundant: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Written {
    Open,
    Closed { minute: u64 },
}

/// How old what is written of an open minute gets.
const WRITE_MS: u64 = 5_000;
/// Bytes that are written in each second, so that a thousand streams do not fill the line: 1 MB every 5 s.
const BYTES_PER_MS: u64 = 200;
/// A write without an answer is given up after this.
const PATIENCE_MS: u64 = 20_000;
/// Minutes that wait for a store that does not answer.
const CLOSED_MAX: usize = 5;
/// Sessions remembered.
const SESSIONS_MAX: usize = 50_000;
/// Streams counted in one minute.
const STREAMS_MAX: usize = 4_000;
/// New sessions in one minute from one place (256 addresses): more are somebody who makes them up.
const NEWCOMERS_MAX: u32 = 300;
/// Media in one minute from one place, in ms: that of as many viewers, who may be filling their buffers.
const HEARD_MS_MAX: u32 = 2 * NEWCOMERS_MAX * 60_000;
/// Places in one minute that are counted.
const PLACES_MAX: usize = 20_000;
/// How long ago an event may have happened that a report tells of.
const AGE_MS_MAX: u64 = 120_000;
const MINUTE_MS: u64 = 60_000;

impl Collector {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(instance: InstanceId, edge: String) -> Self {
        Self {
            instance,
            edge,
            sessions: Sessions::new(SESSIONS_MAX),
            minute: 0,
            windows: Vec::new(),
            closed: Vec::new(),
            newcomers: Vec::new(),
            heard: Vec::new(),
            changed: false,
            next_ms: 0,
            under_way: None,
        }
    }

    /// Counts a report. `place` is where it is from, told apart but not known: a hash of a truncated address.
    pub fn count(&mut self, stream: &StreamId, body: &str, viewer: &Viewer, place: u64, now_ms: u64) -> Counted {
        self.take(stream, body, viewer, place, now_ms, Event::read)
    }

    /// Counts what a player has said in a request for something else, in the same form.
    pub fn hear(&mut self, stream: &StreamId, body: &str, viewer: &Viewer, place: u64, now_ms: u64) -> Counted {
        self.take(stream, body, viewer, place, now_ms, |line| Event::read_request(line, now_ms))
    }

    /// Counts a request for media by how long that is, as watched from now on: of a player whose requests reach many instances. What one
    /// of them hears of a session is the whole of what it adds; attempts, plays and stalls are not known so.
    pub fn hear_media(&mut self, stream: &StreamId, line: &str, viewer: &Viewer, place: u64, now_ms: u64) -> Counted {
        self.turn(now_ms);
        let refused = Counted { refused: 1, ..Counted::default() };
        let Some(window) = window(&mut self.windows, stream) else { return refused };
        self.changed = true;
        let Some((event, media_ms)) = Event::read_request(line, now_ms).ok().and_then(|event| Some((event.clone(), event.media_ms?)))
        else {
            window.dropped_events += 1;
            return refused;
        };
        if self.sessions.knows(stir(event.session ^ salt(stream))) {
            return Counted { redundant: 1, ..Counted::default() };
        }
        if !spends(&mut self.heard, place, media_ms) {
            window.dropped_events += 1;
            return refused;
        }
        let (played_kbps, at_ms) = (event.bitrate_kbps, now_ms + u64::from(media_ms));
        let step = Step { at_ms, before_ms: Some(now_ms), played_ms: media_ms, played_kbps, kbps: played_kbps, ..Step::default() };
        window.count(&step, &event, viewer);
        Counted { events: 1, ..Counted::default() }
    }

    fn take<'l>(
        &mut self,
        stream: &StreamId,
        body: &'l str,
        viewer: &Viewer,
        place: u64,
        now_ms: u64,
        read: impl Fn(&'l str) -> Result<Event<'l>, Unread>,
    ) -> Counted {
        self.turn(now_ms);
        let mut counted = Counted::default();
        let Some(window) = window(&mut self.windows, stream) else { return Counted { refused: lines(body).count(), ..counted } };
        let salt = salt(stream);
        // Ages are told by the newest event of the report: players' clocks are anything.
        let newest = lines(body).filter_map(|line| read(line).ok()).map(|event| event.sent_utc_ms).max().unwrap_or(0);
        for line in lines(body) {
            let Ok(event) = read(line) else {
                counted.refused += 1;
                continue;
            };
            let session = stir(event.session ^ salt);
            if event.since.is_none() && !self.sessions.knows(session) && !admits(&mut self.newcomers, place) {
                counted.refused += 1;
                continue;
            }
            let age_ms = (newest - event.sent_utc_ms.min(newest)).min(AGE_MS_MAX);
            match self.sessions.take(session, &event, now_ms.saturating_sub(age_ms)) {
                Ok(step) => {
                    window.count(&step, &event, viewer);
                    counted.events += 1;
                }
                Err(crate::sessions::Ignored::Repeated) => counted.repeated += 1,
                Err(crate::sessions::Ignored::TooMany) => counted.refused += 1,
                Err(crate::sessions::Ignored::Redundant) => counted.redundant += 1,
            }
        }
        window.dropped_events += (counted.repeated + counted.refused) as u64;
        self.changed = true;
        counted
    }

    /// Adds to the window of a stream something that no player reports.
    pub fn add(&mut self, stream: &StreamId, now_ms: u64, add: impl FnOnce(&mut Window)) {
        self.turn(now_ms);
        if let Some(window) = window(&mut self.windows, stream) {
            add(window);
            self.changed = true;
        }
    }

    /// Closes the minute if it is over.
    fn turn(&mut self, now_ms: u64) {
        let minute = now_ms / MINUTE_MS;
        if minute <= self.minute {
            return;
        }
        self.close(now_ms);
        self.minute = minute;
    }

    fn close(&mut self, now_ms: u64) {
        if !self.windows.is_empty() {
            if self.closed.len() >= CLOSED_MAX {
                self.closed.remove(0);
            }
            self.closed.push((self.minute, self.encode(Ending::Closed, now_ms)));
            self.next_ms = 0;
        }
        self.windows.clear();
        self.newcomers.clear();
        self.heard.clear();
        self.changed = false;
    }

    fn encode(&self, ending: Ending, now_ms: u64) -> Vec<u8> {
        encode(self.instance, &self.edge, self.minute, now_ms, ending, self.windows.iter().map(|(stream, window)| (stream, &**window)))
    }

    /// What is to be written at this time, if anything is; [`Self::done`] has to follow. At the `end` of the instance everything is,
    /// one thing after the other.
    pub fn next(&mut self, now_ms: u64, end: bool) -> Option<Put> {
        self.turn(now_ms);
        if self.under_way.is_some_and(|(_, since_ms)| now_ms.saturating_sub(since_ms) < PATIENCE_MS) {
            return None;
        }
        if end && !self.windows.is_empty() {
            self.close(now_ms);
        }
        if now_ms < self.next_ms {
            return None;
        }
        if let Some((minute, bytes)) = self.closed.first() {
            let (minute, bytes) = (*minute, bytes.clone());
            self.under_way = Some((Written::Closed { minute }, now_ms));
            return Some(Put { key: AnalyticsKey::Minute { minute, instance: self.instance }, bytes });
        }
        if !self.changed {
            return None;
        }
        let bytes = self.encode(Ending::Open, now_ms);
        self.next_ms = now_ms + WRITE_MS.max(bytes.len() as u64 / BYTES_PER_MS);
        self.changed = false;
        self.under_way = Some((Written::Open, now_ms));
        Some(Put { key: AnalyticsKey::Open { instance: self.instance }, bytes })
    }

    /// What [`Self::next`] said has been done, or not; something that is there already is done.
    pub fn done(&mut self, done: bool, now_ms: u64) {
        let Some((what, _)) = self.under_way.take() else { return };
        match what {
            Written::Closed { minute } if done => self.closed.retain(|(known, _)| *known != minute),
            Written::Closed { .. } => self.next_ms = now_ms + WRITE_MS,
            Written::Open => self.changed |= !done,
        }
    }

    /// Who counts.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.instance
    }
}

/// The window of a stream, unless there are too many.
fn window<'a>(windows: &'a mut Vec<(StreamId, Box<Window>)>, stream: &StreamId) -> Option<&'a mut Window> {
    let at = match windows.binary_search_by(|(known, _)| known.cmp(stream)) {
        Ok(at) => at,
        Err(_) if windows.len() >= STREAMS_MAX => return None,
        Err(at) => {
            windows.insert(at, (stream.clone(), Box::default()));
            at
        }
    };
    windows.get_mut(at).map(|(_, window)| &mut **window)
}

/// Sessions are told apart in each stream.
fn salt(stream: &StreamId) -> u64 {
    stream.as_str().bytes().fold(0, |hash, byte| stir(hash ^ u64::from(byte)))
}

fn admits(newcomers: &mut Vec<(u64, u32)>, place: u64) -> bool {
    within(newcomers, place, 1, NEWCOMERS_MAX)
}

fn spends(heard: &mut Vec<(u64, u32)>, place: u64, media_ms: u32) -> bool {
    within(heard, place, media_ms, HEARD_MS_MAX)
}

/// Whether what comes from a place stays within a bound with so much more.
fn within(places: &mut Vec<(u64, u32)>, place: u64, more: u32, most: u32) -> bool {
    match places.binary_search_by_key(&place, |(known, _)| *known) {
        Ok(at) => places.get_mut(at).is_some_and(|(_, sum)| {
            *sum = sum.saturating_add(more);
            *sum <= most
        }),
        Err(at) if places.len() < PLACES_MAX => {
            places.insert(at, (place, more));
            more <= most
        }
        Err(_) => false,
    }
}
