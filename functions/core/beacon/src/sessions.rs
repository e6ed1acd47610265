use alloc::collections::BTreeMap;

use crate::event::{Event, EventKind, Since, State};

/// The playback sessions that one instance remembers: enough to count nothing twice and to know how long a player has played that only
/// says in which state it is.
#[derive(Debug)]
pub struct Sessions {
    /// Those heard of since the last turn, and those heard of before: who is in neither is forgotten.
    young: BTreeMap<u64, Known>,
    old: BTreeMap<u64, Known>,
    turned_ms: u64,
    max: usize,
}

/// What one event adds to the figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// When it happened, by the edge's clock.
    pub at_ms: u64,
    /// The event before: when it happened, where that is known.
    pub before_ms: Option<u64>,
    /// The event before claimed the time after it.
    pub takes_back: bool,
    /// This one claims the time after it.
    pub claims: bool,
    /// Played since the event before.
    pub played_ms: u32,
    /// Stalled since then.
    pub stalled_ms: u32,
    /// Stalls that began since then.
    pub stalls: u32,
    /// What was played since then.
    pub played_kbps: Option<u32>,
    /// What is played from here on.
    pub kbps: Option<u32>,
    /// The session is new.
    pub attempt: bool,
    /// Its first picture.
    pub play: bool,
    /// It was left before that.
    pub exit_before_start: bool,
    /// It failed before that.
    pub start_failure: bool,
    /// Frames that were not shown since the event before.
    pub dropped_frames: u32,
}

/// Why an event adds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ignored {
    /// It was counted before, or is too old to know.
    Repeated,
    /// The session says more than a player has to say.
    TooMany,
    /// It was said in a request of a player that tells events.
    Redundant,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    first_ms: u64,
    at_ms: u64,
    /// The clock of the player, for those that do not number events.
    sent_utc_ms: u64,
    /// Time that its own word has been believed for.
    believed_ms: u64,
    number: Option<u32>,
    /// Which of the 64 events before were seen.
    seen: u64,
    lines: u32,
    state: State,
    claimed: bool,
    started: bool,
    kbps: Option<u32>,
    dropped_frames: u32,
    stalls: u32,
    stalled_ms: u32,
    /// All that is known was said in requests.
    by_requests: bool,
}

/// The time after an event in which a player that plays counts as watching, unless its next event says otherwise. Players report every
/// 30 s; the rest is for the way.
pub const CLAIM_MS: u64 = 35_000;
/// Beyond, a player was not there in between: a laptop that slept.
const GAP_MS: u64 = 90_000;
/// How much more time than has gone by a session may tell of: reports that were held back.
const BELIEVED_SLACK_MS: u64 = 120_000;
/// Events of a session at once, and one more each second: a page that was offline tells 50.
const LINES_AT_ONCE: u64 = 64;
/// A session that is silent for so long, at most twice that, is forgotten.
const TURN_MS: u64 = 180_000;

impl Sessions {
    /// Remembers at most so many (about 200 bytes each).
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), turned_ms: 0, max }
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is remembered.
    #[must_use]
    pub fn knows(&self, session: u64) -> bool {
        self.young.contains_key(&session) || self.old.contains_key(&session)
    }

    /// Takes an event that happened at this time of the edge's clock; `session` is unique over all streams.
    pub fn take(&mut self, session: u64, event: &Event<'_>, at_ms: u64) -> Result<Step, Ignored> {
        if self.young.len() >= self.max / 2 || at_ms.saturating_sub(self.turned_ms) > TURN_MS {
            self.old = core::mem::take(&mut self.young);
            self.turned_ms = at_ms;
        }
        if let Some(known) = self.old.remove(&session) {
            self.young.insert(session, known);
        }
        match self.young.get_mut(&session) {
            Some(known) => known.next(event, at_ms),
            None => {
                let (known, step) = Known::first(event, at_ms);
                self.young.insert(session, known);
                Ok(step)
            }
        }
    }
}

impl Known {
    fn first(event: &Event<'_>, at_ms: u64) -> (Self, Step) {
        let mut known = Self {
            first_ms: at_ms,
            at_ms,
            sent_utc_ms: event.sent_utc_ms,
            believed_ms: 0,
            number: event.number,
            seen: 1,
            lines: 1,
            state: event.state,
            claimed: false,
            // Whoever tells of a time before this has begun elsewhere.
            started: event.since.is_some() && event.startup_ms.is_none() && !matches!(event.state, State::Starting),
            kbps: event.bitrate_kbps,
            dropped_frames: event.dropped_frames.unwrap_or(0),
            stalls: event.stalls.unwrap_or(0),
            stalled_ms: event.stalled_ms.unwrap_or(0),
            by_requests: event.in_request,
        };
        let mut step =
            Step { at_ms, kbps: event.bitrate_kbps, played_kbps: event.bitrate_kbps, attempt: event.since.is_none(), ..Step::default() };
        if let Some(since) = event.since {
            known.believe(&mut step, since);
        }
        known.milestones(&mut step, event);
        step.claims = event.state == State::Playing;
        known.claimed = step.claims;
        (known, step)
    }

    fn next(&mut self, event: &Event<'_>, at_ms: u64) -> Result<Step, Ignored> {
        match (self.by_requests, event.in_request) {
            (false, true) => return Err(Ignored::Redundant),
            // From here on it tells events. What it tells of the time before has been counted; its clock is another.
            (true, false) => {
                self.by_requests = false;
                self.sent_utc_ms = 0;
                return self.next(&Event { since: None, ..event.clone() }, at_ms);
            }
            (true, true) | (false, false) => {}
        }
        let newest = self.number(event)?;
        self.lines = self.lines.saturating_add(1);
        if u64::from(self.lines) > LINES_AT_ONCE + at_ms.saturating_sub(self.first_ms) / 1000 {
            return Err(Ignored::TooMany);
        }
        let mut step = Step { at_ms, played_kbps: self.kbps.or(event.bitrate_kbps), ..Step::default() };
        match event.since {
            // What an event tells of itself is the same in whichever order events come.
            Some(since) => {
                self.believe(&mut step, since);
                step.claims = event.state == State::Playing;
            }
            None if newest => {
                let at_ms = at_ms.max(self.at_ms);
                step.at_ms = at_ms;
                self.remember(&mut step, event, at_ms);
                step.claims = event.state == State::Playing;
            }
            // It only says in which state the player was before what is known.
            None => {}
        }
        self.milestones(&mut step, event);
        if newest {
            step.dropped_frames = advance(&mut self.dropped_frames, event.dropped_frames);
            self.at_ms = step.at_ms;
            self.sent_utc_ms = event.sent_utc_ms;
            self.state = event.state;
            self.claimed = step.claims;
            self.kbps = event.bitrate_kbps.or(self.kbps);
        }
        step.kbps = event.bitrate_kbps.or(self.kbps);
        Ok(step)
    }

    /// Whether the event is the newest; an error where it has been here before.
    fn number(&mut self, event: &Event<'_>) -> Result<bool, Ignored> {
        let (Some(number), Some(known)) = (event.number, self.number) else {
            self.number = event.number.or(self.number);
            // Without numbers the player's clock has to do.
            let repeated = (event.sent_utc_ms, event.state) == (self.sent_utc_ms, self.state) && event.kind != EventKind::Error;
            return if repeated || event.sent_utc_ms < self.sent_utc_ms { Err(Ignored::Repeated) } else { Ok(true) };
        };
        if number > known {
            self.seen = self.seen.checked_shl(number - known).unwrap_or(0) | 1;
            self.number = Some(number);
            return Ok(true);
        }
        let bit = 1u64.checked_shl(known - number).ok_or(Ignored::Repeated)?;
        if self.seen & bit != 0 {
            return Err(Ignored::Repeated);
        }
        self.seen |= bit;
        Ok(false)
    }

    /// Takes the player's word, within what can be.
    fn believe(&mut self, step: &mut Step, since: Since) {
        let gone_ms = step.at_ms.saturating_sub(self.first_ms) + BELIEVED_SLACK_MS;
        let left_ms = gone_ms.saturating_sub(self.believed_ms);
        let time_ms = u64::from(since.time_ms).min(GAP_MS).min(left_ms) as u32;
        self.believed_ms += u64::from(time_ms);
        step.before_ms = Some(step.at_ms.saturating_sub(u64::from(time_ms)));
        step.takes_back = since.ran;
        step.played_ms = since.played_ms.min(time_ms);
        step.stalled_ms = since.stalled_ms.min(time_ms - step.played_ms);
        // No stall is shorter than a few frames.
        step.stalls = since.stalls.min(1 + time_ms / 100);
    }

    /// Works out from the state before what has happened since.
    fn remember(&mut self, step: &mut Step, event: &Event<'_>, at_ms: u64) {
        let time_ms = at_ms - self.at_ms;
        step.before_ms = Some(self.at_ms);
        step.takes_back = self.claimed;
        let spent_ms = if time_ms > GAP_MS { CLAIM_MS } else { time_ms } as u32;
        match self.state {
            State::Playing => {
                step.played_ms = spent_ms;
                step.stalls = u32::from(event.state == State::Stalled);
            }
            State::Stalled => step.stalled_ms = spent_ms,
            State::Starting | State::Paused | State::Ended | State::Failed => {}
        }
        // Who counts stalls itself knows better than its states.
        if event.stalls.is_some() {
            step.stalls = advance(&mut self.stalls, event.stalls).min(1 + spent_ms / 100);
        }
        if event.stalled_ms.is_some() {
            step.stalled_ms = advance(&mut self.stalled_ms, event.stalled_ms).min(spent_ms);
            step.played_ms = step.played_ms.min(spent_ms - step.stalled_ms);
        }
    }

    fn milestones(&mut self, step: &mut Step, event: &Event<'_>) {
        // Our player says with its first picture how long it took; others may only say that they play.
        let plays = event.startup_ms.is_some() || (event.since.is_none() && event.state == State::Playing);
        if self.started {
            return;
        }
        if plays {
            self.started = true;
            step.play = true;
        } else if event.state.is_over() && !self.state_is_over(step) {
            step.start_failure = event.state == State::Failed;
            step.exit_before_start = event.state == State::Ended;
        }
    }

    /// Whether the end was told before: a failure is told as a state and as an error.
    fn state_is_over(&self, step: &Step) -> bool {
        !step.attempt && self.lines > 1 && self.state.is_over()
    }
}

/// What a total has grown by; a smaller one is a player that began anew.
fn advance(known: &mut u32, told: Option<u32>) -> u32 {
    let Some(told) = told else { return 0 };
    let grown = told.saturating_sub(*known);
    *known = told;
    grown
}
