//! Several workers, one log. Each of them receives the same source; one owns the log, the others stand by.
//!
//! Whoever writes the next record first owns the log from there on: that conditional PUT is the lock, the heartbeat and the
//! fence. A [`Twin`] finds the session that goes on, or begins one; stands by, reading the log as any reader does; goes on with
//! it when its owner is silent or leaves; and stands by again as soon as somebody else has written a record before it.
//!
//! Nothing of the clock of one worker is in that of another: where the log is in this worker's source is found by the bytes of
//! the frames themselves (`place.rs`).

mod follow;
mod held;
mod place;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use tidegate_stream::{Chapter, Current, Key, RecordNumber, SessionId, Snapshot, Timeline, WriterId};

use crate::{
    Condition, Config, Input, Lane, Output, Packager, Put,
    opening::Known,
    packager::Resume,
    twin::{
        follow::{Damage, Follow},
        held::Held,
        place::Place,
    },
};

/// One of several workers that write one log.
#[derive(Debug)]
pub struct Twin {
    config: TwinConfig,
    held: Held,
    /// The session that is followed or written.
    session: Option<SessionId>,
    stage: Stage,
    /// Where the log was in this worker's source when it was last found there.
    place: Option<Place>,
    /// What was asked for and has not come.
    asked: Option<Key>,
    read_at: i64,
    now: i64,
    sessions: u64,
    /// Before this no session is begun: one has just ended.
    begin_at: i64,
    outputs: VecDeque<TwinOutput>,
}

/// What a twin is told once.
#[derive(Clone, PartialEq, Debug)]
pub struct TwinConfig {
    /// As for a packager alone; its session is the name of the first that this worker begins.
    pub packager: Config,
    /// How long a session whose log stands still is gone on with, in us.
    pub reconnect_us: i64,
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TwinInput {
    /// Something of the source, or that time passed.
    Source(Input),
    /// What came of [`TwinOutput::Read`].
    Read {
        /// What was asked for.
        key: Key,
        /// What is there.
        found: Found,
    },
    /// Somebody else has written this object first; nothing that was given out after it is written.
    Lost(Key),
    /// This worker goes, or its source is over: another one may go on.
    Leave {
        /// How long it waits for that, in us.
        wait_us: i64,
        /// Then the session is over; else it is left to whoever comes within the time to reconnect.
        ends: bool,
    },
}

/// What came of a read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The whole object.
    Object(Vec<u8>),
    /// There is none.
    Missing,
    /// The store did not answer, or not properly.
    Failed,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TwinOutput {
    /// As from a packager alone. Records have to be written one after another: a record that is sent before the one before it is
    /// durable could land where another worker's chain goes on.
    Do(Output),
    /// Read this object; there is one at a time.
    Read(Key),
    /// This worker's part has changed. What was given out before and is not written yet is void unless it is the owner.
    Role(Role),
    /// Somebody has changed the log: this record is not what it was.
    Damaged(RecordNumber),
    /// The session has other renditions than this worker: it cannot go on with it.
    Foreign(SessionId),
    /// This worker's part is over.
    Over,
}

/// What a worker does for its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It looks for the session.
    Looking,
    /// It holds what it receives, and watches.
    Standby,
    /// It writes.
    Owner,
}

#[derive(Debug)]
enum Stage {
    Looking(Look),
    Standby(Box<Follow>),
    Owner(Box<Packager>),
    Leaving { packager: Box<Packager>, next: RecordNumber, until: i64, after: After },
    Over,
}

/// What an owner that leaves does when nobody goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    /// Only its source has left it: it goes on itself when that is back.
    Stay,
    /// It ends the session.
    End,
    /// It goes.
    Go,
}

#[derive(Debug)]
enum Look {
    Current,
    /// `beyond`: the log is damaged at this record; a head that goes further is waited for until that time.
    Head {
        beyond: Option<(RecordNumber, i64)>,
    },
    Chapters {
        snapshot: Box<Snapshot>,
        next: u64,
        read: Vec<Chapter>,
    },
    Open {
        follow: Box<Follow>,
        numbers: VecDeque<RecordNumber>,
    },
}

/// A log is silent after three parts, but not before this.
const SILENCE_US_MIN: i64 = 1_000_000;
/// An owner that leaves a hole behind it is waited for longer than one whose next part this worker can write itself.
const PATIENCE_SILENCES: i64 = 2;
/// A source that is behind the log is waited for this long, before it counts as another one.
const BEHIND_US: i64 = 4_000_000;
/// The next record is looked for this long before it is due, in hundredths of a part.
const EARLY_PERCENT: i64 = 10;
/// How often it is looked for then.
const POLL_US: i64 = 25_000;
/// How long a worker whose source has broken off leaves the log to the other one: it takes a read and a write.
const HANDOVER_US: i64 = 600_000;
/// How often where it is overdue by half a part.
const POLL_LATE_US: i64 = 100_000;
/// After a read that failed.
const RETRY_US: i64 = 200_000;
/// A log that was last seen longer ago may have gone on and been deleted: only its head can tell. Records live for 60 s.
const STALE_US: i64 = 20_000_000;
/// A worker that was not run for so long has no right to what it thinks it owns.
const PAUSE_US: i64 = 5_000_000;
/// What is held where the log is nowhere in it.
const HELD_US: i64 = 12_000_000;
/// Key frames that an owner holds, should it lose the log.
const OWNER_KEYS: usize = 3;
/// The log of a session that was damaged goes on beyond it within this time, or it is over.
const HEAL_US: i64 = 10_000_000;

impl Twin {
    /// Looks for a session; nothing is written before it is known that there is none to go on with.
    #[must_use]
    pub fn new(config: TwinConfig) -> Self {
        let held = Held::new(&config.packager);
        Self {
            held,
            config,
            session: None,
            stage: Stage::Looking(Look::Current),
            place: None,
            asked: None,
            read_at: 0,
            now: 0,
            sessions: 0,
            begin_at: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened at `now_utc_us` (us since 1970).
    pub fn handle(&mut self, now_utc_us: i64, input: TwinInput) {
        let before = core::mem::replace(&mut self.now, now_utc_us);
        let paused_us = if before > 0 { now_utc_us.saturating_sub(before) } else { 0 };
        match &mut self.stage {
            // Meanwhile somebody else may own the log, and even have deleted the records that would say so.
            Stage::Owner(_) if paused_us > PAUSE_US => self.look(Look::Head { beyond: None }),
            // What was asked before says nothing of now.
            Stage::Standby(follow) if paused_us > SILENCE_US_MIN => {
                follow.seen_us = now_utc_us;
                self.asked = None;
                self.read_at = now_utc_us;
            }
            _ => {}
        }
        match input {
            TwinInput::Source(input) => self.source(input),
            TwinInput::Read { key, found } => {
                if self.asked.as_ref() == Some(&key) {
                    self.asked = None;
                    self.read(key, found);
                }
            }
            TwinInput::Lost(key) => self.lost(&key),
            TwinInput::Leave { wait_us, ends } => self.leave(wait_us, if ends { After::End } else { After::Go }),
        }
        self.decide();
        self.ask();
    }

    /// What is to be done next; drain it after each [`Self::handle`].
    pub fn poll(&mut self) -> Option<TwinOutput> {
        self.outputs.pop_front()
    }

    /// The session that is followed or written.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// What it does.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.stage {
            Stage::Looking(_) => Role::Looking,
            Stage::Standby(_) => Role::Standby,
            Stage::Owner(_) | Stage::Leaving { .. } | Stage::Over => Role::Owner,
        }
    }

    fn source(&mut self, input: Input) {
        match input {
            Input::End => return self.end(),
            Input::Discontinuity => return self.discontinuity(),
            _ => {}
        }
        if let Stage::Owner(packager) = &mut self.stage {
            // An input that the packager cannot take is of no use to anybody.
            let _ = packager.handle(self.now, input.clone());
        }
        if input == Input::Tick {
            return self.drain();
        }
        let is_key = self.held.push(self.now, input);
        self.drain();
        if is_key {
            self.forget();
        }
    }

    /// Forgets what nobody needs of what is held.
    fn forget(&mut self) {
        match &self.stage {
            Stage::Owner(_) => {
                let oldest = self.held.keys().rev().nth(OWNER_KEYS).copied();
                if let Some(key) = oldest {
                    self.held.forget_before(&key);
                }
            }
            Stage::Standby(follow) => match place::find(&self.held, follow, self.place.as_ref()) {
                Ok(place) => {
                    self.held.forget_before(&place.key);
                    self.place = Some(place);
                }
                Err(_) if self.place.is_none() => self.held.forget_until(self.now.saturating_sub(HELD_US)),
                Err(_) => {}
            },
            Stage::Looking(_) | Stage::Leaving { .. } | Stage::Over => {}
        }
    }

    /// The source breaks off, or has a new clock. One whose source goes on takes the log over without a gap; if there is none, this
    /// worker itself goes on in a new period, with its next key frame.
    fn discontinuity(&mut self) {
        self.place = None;
        self.held.clear();
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Owner(packager) => self.hand_over(packager, HANDOVER_US, After::Stay),
            other => self.stage = other,
        }
    }

    fn end(&mut self) {
        match &mut self.stage {
            Stage::Owner(packager) | Stage::Leaving { packager, .. } => {
                let _ = packager.handle(self.now, Input::End);
            }
            Stage::Looking(_) | Stage::Standby(_) | Stage::Over => {}
        }
        self.drain();
        self.stage = Stage::Over;
        self.outputs.push_back(TwinOutput::Over);
    }

    fn leave(&mut self, wait_us: i64, after: After) {
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Owner(packager) => self.hand_over(packager, wait_us, after),
            Stage::Leaving { packager, next, until, .. } => self.stage = Stage::Leaving { packager, next, until, after },
            Stage::Looking(_) | Stage::Standby(_) => self.outputs.push_back(TwinOutput::Over),
            Stage::Over => {}
        }
    }

    fn hand_over(&mut self, mut packager: Box<Packager>, wait_us: i64, after: After) {
        packager.leave();
        match packager.timeline().map(Timeline::next_record) {
            Some(next) if next.0 > 0 => {
                self.read_at = self.now;
                self.stage = Stage::Leaving { packager, next, until: self.now.saturating_add(wait_us), after };
                self.drain();
            }
            // Nothing is written yet.
            _ if after == After::Stay => {
                let _ = packager.handle(self.now, Input::Discontinuity);
                self.stage = Stage::Owner(packager);
            }
            _ => {
                self.stage = Stage::Owner(packager);
                self.end();
            }
        }
    }

    /// Somebody else has the log that this worker has left.
    fn is_left(&mut self, after: After) {
        if after == After::Stay {
            self.look(Look::Head { beyond: None });
        } else {
            self.stage = Stage::Over;
            self.outputs.push_back(TwinOutput::Over);
        }
    }

    fn lost(&mut self, key: &Key) {
        match self.stage {
            Stage::Owner(_) if matches!(key, Key::Current { .. }) => {
                self.session = None;
                self.look(Look::Current);
            }
            Stage::Owner(_) => self.look(Look::Head { beyond: None }),
            Stage::Leaving { after, .. } => self.is_left(after),
            Stage::Looking(_) | Stage::Standby(_) | Stage::Over => {}
        }
    }

    fn look(&mut self, look: Look) {
        if !matches!(self.stage, Stage::Looking(_)) {
            self.outputs.push_back(TwinOutput::Role(Role::Looking));
        }
        self.stage = Stage::Looking(look);
        self.asked = None;
        self.read_at = self.now;
    }

    /// Asks for what is to be read, when it is time.
    fn ask(&mut self) {
        if self.asked.is_some() || self.now < self.read_at {
            return;
        }
        let stream = || self.config.packager.stream.clone();
        let record = |number| Some(Key::Record { stream: stream(), session: self.session.clone()?, number });
        let key = match &self.stage {
            Stage::Looking(Look::Current) => Some(Key::Current { stream: stream() }),
            Stage::Looking(Look::Head { .. }) => self.session.clone().map(|session| Key::Head { stream: stream(), session }),
            Stage::Looking(Look::Chapters { next, .. }) => {
                self.session.clone().map(|session| Key::Chapter { stream: stream(), session, index: *next })
            }
            Stage::Looking(Look::Open { numbers, .. }) => numbers.front().and_then(|number| record(*number)),
            Stage::Standby(follow) => record(follow.timeline.next_record()),
            Stage::Leaving { next, .. } => record(*next),
            Stage::Owner(_) | Stage::Over => None,
        };
        if let Some(key) = key {
            self.asked = Some(key.clone());
            self.outputs.push_back(TwinOutput::Read(key));
        }
    }

    fn read(&mut self, key: Key, found: Found) {
        if found == Found::Failed {
            self.read_at = self.now.saturating_add(RETRY_US);
            if let Stage::Standby(follow) = &mut self.stage {
                // While nobody can read, nobody can write either: that is no silence.
                follow.seen_us = follow.seen_us.max(self.now);
            }
            return;
        }
        let object = match found {
            Found::Object(object) => Some(object),
            Found::Missing | Found::Failed => None,
        };
        match (&mut self.stage, key) {
            (Stage::Looking(Look::Current), Key::Current { .. }) => self.read_current(object.as_deref()),
            (Stage::Looking(Look::Head { beyond }), Key::Head { .. }) => {
                let beyond = *beyond;
                self.read_head(object.as_deref(), beyond);
            }
            (Stage::Looking(Look::Chapters { .. }), Key::Chapter { .. }) => self.read_chapter(object.as_deref()),
            (Stage::Looking(Look::Open { .. }), Key::Record { .. }) => self.read_open(object.as_deref()),
            (Stage::Standby(_), Key::Record { number, .. }) => self.read_record(number, object.as_deref()),
            (Stage::Leaving { after, .. }, Key::Record { .. }) => match object {
                Some(_) => {
                    let after = *after;
                    self.is_left(after);
                }
                None => self.read_at = self.now.saturating_add(POLL_US),
            },
            _ => {}
        }
    }

    fn read_current(&mut self, object: Option<&[u8]>) {
        let current: Option<Current> = object.and_then(|object| serde_json::from_slice(object).ok());
        match current {
            Some(current) => {
                self.session = Some(current.session);
                self.look(Look::Head { beyond: None });
            }
            None => self.begin(),
        }
    }

    fn read_head(&mut self, object: Option<&[u8]>, beyond: Option<(RecordNumber, i64)>) {
        let snapshot = object.and_then(|object| Snapshot::decode(object).ok());
        let ours = |snapshot: &Snapshot| Some(&snapshot.session().id) == self.session.as_ref();
        let Some(snapshot) = snapshot.filter(ours) else { return self.begin() };
        let session = snapshot.session();
        let same = session.renditions.len() == self.config.packager.renditions.len()
            && session.renditions.iter().zip(&self.config.packager.renditions).all(|(a, b)| a.id == b.id && a.kind == b.kind);
        match beyond {
            Some((damaged, until)) if snapshot.next_record() <= damaged => {
                self.read_at = self.now.saturating_add(RETRY_US);
                if self.now > until {
                    self.begin();
                }
                return;
            }
            _ => {}
        }
        if !same {
            self.outputs.push_back(TwinOutput::Foreign(session.id.clone()));
            return self.begin();
        }
        let chapters = snapshot.chapters();
        if chapters.is_empty() {
            self.read_open_segment(snapshot.into_timeline(Vec::new()));
        } else {
            self.look(Look::Chapters { next: chapters.start, snapshot: Box::new(snapshot), read: Vec::new() });
        }
    }

    fn read_chapter(&mut self, object: Option<&[u8]>) {
        let Stage::Looking(Look::Chapters { snapshot, next, read }) = &mut self.stage else { return };
        let renditions = snapshot.session().renditions.len();
        // Where one is missing, what is older is not listed any more.
        read.extend(object.and_then(|object| Chapter::decode(object, renditions).ok()));
        *next += 1;
        if *next >= snapshot.chapters().end {
            let timeline = Snapshot::clone(snapshot).into_timeline(core::mem::take(read));
            self.read_open_segment(timeline);
        }
    }

    fn read_open_segment(&mut self, timeline: Timeline) {
        if timeline.ended() {
            return self.begin();
        }
        let numbers = Follow::numbers(&timeline);
        let follow = Box::new(Follow::new(timeline, self.now));
        if numbers.is_empty() {
            return self.stand_by(follow);
        }
        self.look(Look::Open { follow, numbers });
    }

    fn read_open(&mut self, object: Option<&[u8]>) {
        let Stage::Looking(Look::Open { follow, numbers }) = &mut self.stage else { return };
        let number = numbers.pop_front();
        let recalled = object.is_some_and(|object| follow.recall(object).is_ok());
        if !recalled {
            // Somebody has changed it, or the head is old and its records are gone: the log goes on all the same, but nobody can go
            // on inside this segment.
            self.outputs.extend(number.map(TwinOutput::Damaged));
            follow.forget_open();
            numbers.clear();
        }
        if numbers.is_empty()
            && let Stage::Looking(Look::Open { follow, .. }) = core::mem::replace(&mut self.stage, Stage::Over)
        {
            self.stand_by(follow);
        }
    }

    fn stand_by(&mut self, mut follow: Box<Follow>) {
        follow.seen_us = self.now;
        self.stage = Stage::Standby(follow);
        self.place = None;
        self.read_at = self.now;
        self.outputs.push_back(TwinOutput::Role(Role::Standby));
    }

    fn read_record(&mut self, number: RecordNumber, object: Option<&[u8]>) {
        let Stage::Standby(follow) = &mut self.stage else { return };
        let part_us = i64::from(follow.timeline.session().part_target_us());
        let told_us = core::mem::replace(&mut follow.told_us, self.now);
        let Some(object) = object else {
            if self.now.saturating_sub(told_us) > STALE_US {
                return self.look(Look::Head { beyond: None });
            }
            follow.missing(self.now);
            let since_us = self.now.saturating_sub(follow.seen_us);
            let poll_us = if since_us > part_us + part_us / 2 { POLL_LATE_US } else { POLL_US };
            let due = follow.seen_us.saturating_add(part_us - part_us * EARLY_PERCENT / 100);
            self.read_at = due.max(self.now.saturating_add(poll_us));
            return;
        };
        let waited = follow.waits;
        let msn = follow.timeline.last().map(|last| last.msn);
        match follow.take(self.now, object) {
            Ok(()) => {
                // One that was there at once may not be the last.
                let wait_us = if waited { part_us - part_us * EARLY_PERCENT / 100 } else { 0 };
                self.read_at = self.now.saturating_add(wait_us);
                if follow.timeline.ended() {
                    let begin_us = silence_us(&follow.timeline);
                    self.begin_at = self.now.saturating_add(begin_us);
                    self.held.forget_until(self.now);
                    self.session = None;
                    return self.look(Look::Current);
                }
                if follow.timeline.last().map(|last| last.msn) != msn {
                    self.forget();
                }
            }
            Err(Damage::Decode(_) | Damage::Apply(_)) => {
                self.outputs.push_back(TwinOutput::Damaged(number));
                let until = self.now.saturating_add(HEAL_US);
                self.look(Look::Head { beyond: Some((number, until)) });
                self.read_at = self.now.saturating_add(RETRY_US);
            }
        }
    }

    /// Whether it is time to write.
    fn decide(&mut self) {
        if let Stage::Leaving { until, after, .. } = &self.stage
            && self.now >= *until
        {
            // Nobody goes on.
            return match after {
                After::Stay => self.resume(),
                After::End => self.end(),
                After::Go => self.is_left(After::Go),
            };
        }
        let Stage::Standby(follow) = &self.stage else { return };
        let silence = silence_us(&follow.timeline);
        let silent_us = follow.silent_us();
        if !follow.left && silent_us < follow.patience_us(silence, self.now) {
            return;
        }
        if self.now.saturating_sub(follow.seen_us) > STALE_US {
            return self.look(Look::Head { beyond: None });
        }
        match place::find(&self.held, follow, self.place.as_ref()) {
            Ok(place) => self.go_on(Some(place)),
            // This worker's source is behind: it will come to where the log is.
            Err(place::NotFound::Later) if silent_us < silence.saturating_add(BEHIND_US) => {}
            Err(_) if silent_us < silence * PATIENCE_SILENCES && self.is_lived() => {}
            Err(_) => {
                let Stage::Standby(follow) = &self.stage else { return };
                let age_us = self.now.saturating_sub(follow.last_utc_us().unwrap_or(0));
                if self.is_lived() || age_us <= self.config.reconnect_us { self.go_on(None) } else { self.begin() }
            }
        }
    }

    /// The source is back, and nobody else had one: goes on in a new period.
    fn resume(&mut self) {
        if self.held.keys().next().is_none() {
            return;
        }
        let (_, inputs) = self.held.all();
        if let Stage::Leaving { mut packager, .. } = core::mem::replace(&mut self.stage, Stage::Over) {
            let _ = packager.handle(self.now, Input::Discontinuity);
            self.replay(*packager, inputs);
        }
    }

    /// The log has moved while this worker watched it.
    fn is_lived(&self) -> bool {
        matches!(&self.stage, Stage::Standby(follow) if follow.lived)
    }

    /// Writes on in the log of another worker.
    fn go_on(&mut self, place: Option<Place>) {
        let Stage::Standby(follow) = &self.stage else { return };
        let (key, known, inputs) = match &place {
            Some(place) => {
                let (known, inputs) = self.held.from(&place.key);
                (Some(place.key), known, inputs)
            }
            None => {
                // What the owner has written is not written again, as far as can be told.
                let from_us = follow.unwritten_us();
                let Some(key) = self.held.keys().find(|key| !follow.lived || key.came_us >= from_us).copied() else { return };
                let (known, inputs) = self.held.from(&key);
                (Some(key), known, inputs)
            }
        };
        let Stage::Standby(mut follow) = core::mem::replace(&mut self.stage, Stage::Over) else { return };
        self.outputs.push_back(TwinOutput::Role(Role::Owner));
        for (key, bytes) in follow.take_beside() {
            let put = Put { key, bytes, condition: Condition::Absent, lane: Lane::Index, barrier: false };
            self.outputs.push_back(TwinOutput::Do(Output::Put(put)));
        }
        let session = follow.timeline.session();
        let config = Config {
            session: session.id.clone(),
            target_duration_s: session.target_duration_s,
            dvr_window_s: session.dvr_window_s,
            ..self.config.packager.clone()
        };
        let (media, joint) = (follow.media(), place.as_ref().map(|_| follow.joint()));
        let anchor = place.as_ref().map(|place| place.anchor.clone());
        let ahead_us = follow.ahead_us(self.now);
        let resume = Resume { timeline: follow.timeline, media, joint, anchor, known, ahead_us };
        let packager = Packager::resume(self.now, config, resume);
        if let Some(key) = key {
            self.held.forget_before(&key);
        }
        self.replay(packager, inputs);
    }

    /// Begins a session of its own.
    fn begin(&mut self) {
        let can = self.now >= self.begin_at && self.held.keys().next().is_some();
        if !can {
            self.session = None;
            self.look(Look::Current);
            self.read_at = self.now.saturating_add(POLL_LATE_US);
            return;
        }
        let mut config = self.config.packager.clone();
        if self.sessions > 0 {
            let utc_ms = u64::try_from(self.now / 1000).unwrap_or(0);
            let WriterId(chance) = config.writer;
            config.session = SessionId::new(utc_ms, chance.wrapping_add(self.sessions));
        }
        self.sessions += 1;
        self.session = Some(config.session.clone());
        self.place = None;
        let (known, inputs) = self.held.all();
        self.outputs.push_back(TwinOutput::Role(Role::Owner));
        let mut packager = Packager::new(config);
        for (rendition, Known { config, absent }) in known.into_iter().enumerate() {
            if let Some(config) = config {
                let _ = packager.handle(self.now, Input::Config { rendition, config });
            }
            if absent {
                let _ = packager.handle(self.now, Input::Absent { rendition });
            }
        }
        self.replay(packager, inputs);
    }

    fn replay(&mut self, mut packager: Packager, inputs: Vec<(i64, Input)>) {
        for (came_us, input) in inputs {
            let _ = packager.handle(came_us, input);
        }
        self.stage = Stage::Owner(Box::new(packager));
        self.drain();
    }

    fn drain(&mut self) {
        let (Stage::Owner(packager) | Stage::Leaving { packager, .. }) = &mut self.stage else { return };
        while let Some(mut output) = packager.poll() {
            if let Output::Put(put) = &mut output
                && matches!(put.key, Key::Current { .. })
            {
                put.condition = Condition::Claim;
            }
            self.outputs.push_back(TwinOutput::Do(output));
        }
    }
}

/// How long a log may be still before its owner is taken to be gone.
fn silence_us(timeline: &Timeline) -> i64 {
    (3 * i64::from(timeline.session().part_target_us())).max(SILENCE_US_MIN)
}
