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
mod leave;
mod look;
mod mend;
mod message;
mod place;
mod slate;
mod takeover;

use alloc::{boxed::Box, collections::VecDeque};

use tidegate_stream::{Hash, Key, RecordNumber, SessionId, Timeline};

pub use self::{
    message::{Found, Role, TwinConfig, TwinInput, TwinOutput},
    slate::{SLATE_CLASS, slate_event},
};
use crate::{
    Input, Packager,
    twin::{follow::Follow, held::Held, leave::After, look::Look, place::Place},
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
    /// The first record that is not known to be durable.
    undurable: RecordNumber,
    /// Where the frames of records began, as far as they are not durable: a place in all that came, and the next record then.
    marks: VecDeque<(u64, RecordNumber)>,
    alive: Option<Alive>,
    losses: Losses,
    /// When a head that leads past a damaged record was last waited for in vain.
    waited_us: Option<i64>,
    /// The session with which this worker cannot go on.
    gone: Option<SessionId>,
    /// A session that other renditions, or another version, make another's: it is watched, and followed by one of this worker's own.
    foreign: Option<Foreign>,
    /// What this worker receives is a slate.
    slate: bool,
    /// When what was asked for was asked for.
    asked_us: i64,
    /// What `current` named when this worker began its own session, until it is seen to name that.
    before: Option<SessionId>,
    /// When the owner looks again whether it is the session that viewers are sent to.
    check_at: i64,
    /// `current` is what it was when it was read, as far as this worker has changed it.
    current_is_read: bool,
    /// Before this no session is begun: one has just ended.
    begin_at: i64,
    outputs: VecDeque<TwinOutput>,
}
#[derive(Debug)]
enum Stage {
    Looking(Look),
    Standby(Box<Follow>),
    Owner(Box<Packager>),
    Leaving { packager: Box<Packager>, next: RecordNumber, until: i64, after: After },
    Over,
}

/// A log is silent after three parts, but not before this.
const SILENCE_US_MIN: i64 = 1_000_000;
/// How often it is looked for then.
const POLL_US: i64 = 25_000;
/// How often where it is overdue by half a part.
const POLL_LATE_US: i64 = 100_000;
/// After a read that failed.
const RETRY_US: i64 = 200_000;
/// A log that was last seen longer ago may have gone on and been deleted: only its head can tell. Records live for 60 s.
const STALE_US: i64 = 20_000_000;
/// A worker that was not run for so long has no right to what it thinks it owns.
const PAUSE_US: i64 = 5_000_000;
/// A session whose head does not read is over when that has not changed for so long: heads are written with each segment.
const STRANGE_US: i64 = 12_000_000;
/// What is held where the log is nowhere in it.
const HELD_US: i64 = 12_000_000;
/// How often an owner looks whether viewers are still sent to its session: two workers that could not see each other may each write one. Who
/// is not named stands by.
const CHECK_US: i64 = 30_000_000;
/// How soon after it has gone on or begun.
const CHECK_FIRST_US: i64 = 2_000_000;
/// Key frames that an owner holds before what is not durable, should it lose the log.
const OWNER_KEYS: usize = 3;
/// A worker that took a log over and lost it again to one that was only slow waits twice as long the next time, and again, …
const LOSSES_MAX: u32 = 3;
/// … until it has lost nothing for so long.
const FORGIVEN_US: i64 = 30_000_000;

/// A session that is known to have gone on, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Alive {
    session: SessionId,
    at_us: i64,
    /// The store says so. Else it may have gone on since, and the dates of its records tell, by the clock of who has written them.
    told: bool,
}

/// A session with which this worker cannot go on, and until when it was seen to change.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Foreign {
    session: SessionId,
    /// The hash of its head, where that does not read.
    head: Option<Hash>,
    changed_us: i64,
}

/// How often a worker was wrong about the silence of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Losses {
    count: u32,
    last_us: i64,
}

impl Losses {
    fn add(&mut self, now: i64) {
        *self = Self { count: (self.count(now) + 1).min(LOSSES_MAX), last_us: now };
    }

    fn count(&self, now: i64) -> u32 {
        if now.saturating_sub(self.last_us) < FORGIVEN_US { self.count } else { 0 }
    }
}

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
            undurable: RecordNumber(0),
            marks: VecDeque::new(),
            alive: None,
            losses: Losses::default(),
            waited_us: None,
            gone: None,
            foreign: None,
            slate: false,
            asked_us: 0,
            before: None,
            check_at: 0,
            current_is_read: false,
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
            Stage::Owner(_) if paused_us > PAUSE_US => self.look(Look::Current),
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
            TwinInput::Durable(RecordNumber(number)) => self.undurable = self.undurable.max(RecordNumber(number.saturating_add(1))),
            TwinInput::Lost(key) => self.lost(&key),
            TwinInput::Slate(slate) => self.slate = slate,
            TwinInput::Leave { wait_us, ends } => self.leave(wait_us, if ends { After::End } else { After::Go }),
        }
        self.decide();
        self.ask();
    }

    /// When it wants to be called, if nothing happens before: a silence that is over is not slept through.
    #[must_use]
    pub fn wakes_at(&self) -> Option<i64> {
        let reads_at = (self.asked.is_none() && !matches!(self.stage, Stage::Owner(_) | Stage::Over)).then_some(self.read_at);
        let silent_at = match &self.stage {
            Stage::Standby(follow) => Some(follow.seen_us.saturating_add(self.patience_us(follow))),
            Stage::Leaving { until, .. } => Some(*until),
            Stage::Looking(_) | Stage::Owner(_) | Stage::Over => None,
        };
        [reads_at, silent_at].into_iter().flatten().filter(|at| *at > self.now).min()
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

    /// Whether an event of this id is listed, or waits to be; only known while this worker writes.
    #[must_use]
    pub fn is_announced(&self, id: &str) -> bool {
        match &self.stage {
            Stage::Owner(packager) | Stage::Leaving { packager, .. } => packager.is_announced(id),
            Stage::Looking(_) | Stage::Standby(_) | Stage::Over => false,
        }
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
            self.mark();
            self.forget();
        }
    }

    /// Remembers which records the newest key frame begins.
    fn mark(&mut self) {
        if let (Stage::Owner(packager), Some(key)) = (&self.stage, self.held.keys().next_back()) {
            self.marks.push_back((key.at, packager.timeline().map_or(RecordNumber(0), Timeline::next_record)));
        }
    }

    /// Forgets what nobody needs of what is held.
    fn forget(&mut self) {
        match &self.stage {
            Stage::Owner(_) => {
                // Should it lose the log, it goes on from the record that is not durable: after a time without the store that is long ago.
                while self.marks.get(1).is_some_and(|(_, number)| *number <= self.undurable) {
                    self.marks.pop_front();
                }
                let Some((needed, _)) = self.marks.front().copied() else { return };
                let oldest = self.held.keys().rev().filter(|key| key.at <= needed).nth(OWNER_KEYS - 1).copied();
                if let Some(key) = oldest {
                    self.held.forget_before(&key);
                }
            }
            Stage::Standby(_) if self.is_foreign() => self.held.forget_until(self.now.saturating_sub(HELD_US)),
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
}
