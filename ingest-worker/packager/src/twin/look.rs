use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use tidegate_stream::{Chapter, Current, Hash, Key, RecordNumber, Snapshot, Timeline};

use super::{
    Alive, CHECK_US, Foreign, Found, POLL_LATE_US, POLL_US, RETRY_US, Role, STALE_US, STRANGE_US, Stage, Twin, TwinOutput,
    follow::{Damage, Follow},
    mend::Mend,
    takeover::silence_us,
};

/// How a worker finds the log: its session, what is listed of it, and the media of its open segment.
#[derive(Debug)]
pub(super) enum Look {
    Current,
    Head { beyond: Option<Beyond> },
    Chapters { snapshot: Box<Snapshot>, next: u64, read: Vec<Chapter> },
    Open { follow: Box<Follow>, numbers: VecDeque<RecordNumber> },
    Mend(Box<Mend>),
}

/// The log is damaged at this record: a head that goes further is waited for until that time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Beyond {
    pub(super) number: RecordNumber,
    pub(super) until: i64,
    /// Nothing else leads past it.
    pub(super) or_never: bool,
}

/// The next record is looked for this long before it is due, in hundredths of a part.
const EARLY_PERCENT: i64 = 10;
/// The head of a log that was damaged and goes on tells of it within this time; else it is looked at once more.
pub(super) const HEAL_US: i64 = 10_000_000;
/// How often a head that does not read is read again.
const STRANGE_POLL_US: i64 = 1_000_000;

impl Twin {
    pub(super) fn look(&mut self, look: Look) {
        let alive_us = match &self.stage {
            Stage::Owner(_) | Stage::Leaving { .. } => Some(self.now),
            Stage::Standby(follow) if follow.lived => Some(follow.seen_us),
            Stage::Standby(_) | Stage::Looking(_) | Stage::Over => None,
        };
        if let (Some(at_us), Some(session)) = (alive_us, &self.session) {
            self.alive = Some(Alive { session: session.clone(), at_us, told: false });
        }
        if !matches!(self.stage, Stage::Looking(_)) {
            self.outputs.push_back(TwinOutput::Role(Role::Looking));
        }
        self.stage = Stage::Looking(look);
        self.asked = None;
        self.read_at = self.now;
    }

    /// Asks for what is to be read, when it is time.
    pub(super) fn ask(&mut self) {
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
            Stage::Looking(Look::Mend(mend)) => record(mend.wants()),
            Stage::Standby(follow) if self.is_to_probe(follow) => record(after(follow.timeline.next_record())),
            Stage::Standby(follow) => record(follow.timeline.next_record()),
            Stage::Leaving { next, .. } => record(*next),
            Stage::Owner(_) if self.now >= self.check_at => Some(Key::Current { stream: stream() }),
            Stage::Owner(_) | Stage::Over => None,
        };
        if let Some(key) = key {
            self.asked = Some(key.clone());
            self.asked_us = self.now;
            self.outputs.push_back(TwinOutput::Read(key));
        }
    }

    pub(super) fn read(&mut self, key: Key, found: Found) {
        if found == Found::Failed {
            self.read_at = self.now.saturating_add(RETRY_US);
            if let Stage::Standby(follow) = &mut self.stage {
                // While nobody can read, nobody can write either: that is no silence.
                follow.seen_us = follow.seen_us.max(self.now);
            }
            return;
        }
        let (object, age_us) = match found {
            Found::Object { bytes, age_us } => (Some(bytes), age_us),
            Found::Missing | Found::Failed => (None, None),
        };
        if let (Key::Head { session, .. }, Some(age_us)) = (&key, age_us) {
            let at = self.now.saturating_sub(age_us);
            let known = self.alive.take().filter(|alive| alive.session == *session);
            self.alive = Some(Alive { session: session.clone(), at_us: known.map_or(at, |known| known.at_us.max(at)), told: true });
        }
        match (&mut self.stage, key) {
            (Stage::Looking(Look::Current), Key::Current { .. }) => self.read_current(object.as_deref()),
            (Stage::Owner(_), Key::Current { .. }) => self.check(object.as_deref()),
            (Stage::Looking(Look::Head { beyond }), Key::Head { .. }) => {
                let beyond = *beyond;
                self.read_head(object.as_deref(), beyond);
            }
            (Stage::Looking(Look::Chapters { .. }), Key::Chapter { .. }) => self.read_chapter(object.as_deref()),
            (Stage::Looking(Look::Open { follow, .. }), Key::Record { .. }) => {
                follow.is_aged(self.now, age_us);
                self.read_open(object.as_deref());
            }
            (Stage::Looking(Look::Mend(_)), Key::Record { .. }) => self.read_behind(object.as_deref()),
            (Stage::Standby(follow), Key::Record { number, .. }) if number > follow.timeline.next_record() => {
                follow.probed = object.is_none();
                // Both may have been written since it was looked for.
                follow.suspect = object.is_some();
                self.read_at = self.now;
            }
            (Stage::Standby(follow), Key::Record { number, .. }) => {
                if object.is_some() {
                    follow.is_aged(self.now, age_us);
                }
                self.read_record(number, object.as_deref());
            }
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

    /// The head of whoever writes on leads past a record that is damaged.
    pub(super) fn look_beyond(&mut self, number: RecordNumber, or_never: bool) {
        let until = self.now.saturating_add(HEAL_US);
        // Until then somebody else may have begun a session.
        self.current_is_read = false;
        self.look(Look::Head { beyond: Some(Beyond { number, until, or_never }) });
        self.read_at = self.now.saturating_add(RETRY_US);
    }

    /// An owner sees which session viewers are sent to.
    fn check(&mut self, object: Option<&[u8]>) {
        self.check_at = self.now.saturating_add(CHECK_US);
        let current: Option<Current> = object.and_then(|object| serde_json::from_slice(object).ok());
        let Some(current) = current else { return };
        if self.session.as_ref() == Some(&current.session) {
            self.before = None;
        } else if self.before.as_ref() != Some(&current.session) {
            self.look(Look::Current);
        }
    }

    fn read_current(&mut self, object: Option<&[u8]>) {
        let current: Option<Current> = object.and_then(|object| serde_json::from_slice(object).ok());
        self.current_is_read = true;
        self.before = current.as_ref().map(|current| current.session.clone());
        match current {
            Some(current) if self.gone.as_ref() == Some(&current.session) => self.begin(),
            Some(current) => {
                self.session = Some(current.session);
                self.look(Look::Head { beyond: None });
            }
            None => self.begin(),
        }
    }

    fn read_head(&mut self, object: Option<&[u8]>, beyond: Option<Beyond>) {
        let Some(object) = object else { return self.begin() };
        let Ok(snapshot) = Snapshot::decode(object) else { return self.read_strange(object) };
        if Some(&snapshot.session().id) != self.session.as_ref() {
            return self.begin();
        }
        let session = snapshot.session();
        let same = session.renditions.len() == self.config.packager.renditions.len()
            && session.renditions.iter().zip(&self.config.packager.renditions).all(|(a, b)| a.id == b.id && a.kind == b.kind);
        match beyond {
            Some(Beyond { number, until, or_never }) if snapshot.next_record() <= number => {
                self.read_at = self.now.saturating_add(RETRY_US);
                return match self.now > until {
                    true if or_never => self.begin(),
                    true => {
                        self.waited_us = Some(self.now);
                        self.look(Look::Head { beyond: None });
                    }
                    false => {}
                };
            }
            _ => {}
        }
        if same {
            // It was altered, and its owner has written it anew.
            self.foreign = None;
        } else if !self.is_foreign() {
            self.outputs.push_back(TwinOutput::Foreign(session.id.clone()));
            self.foreign = Some(Foreign { session: session.id.clone(), head: None, changed_us: self.now });
        }
        let chapters = snapshot.chapters();
        if chapters.is_empty() {
            self.read_open_segment(snapshot.into_timeline(Vec::new()));
        } else {
            self.look(Look::Chapters { next: chapters.start, snapshot: Box::new(snapshot), read: Vec::new() });
        }
    }

    /// The session that is followed is one with which this worker cannot go on.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign.as_ref().is_some_and(|foreign| Some(&foreign.session) == self.session.as_ref())
    }

    /// A head of another version, or one that somebody has altered. As long as it changes, somebody writes who knows better.
    fn read_strange(&mut self, object: &[u8]) {
        let Some(session) = self.session.clone() else { return self.begin() };
        let head = Some(Hash::of(object));
        if !self.is_foreign() {
            self.outputs.push_back(TwinOutput::Foreign(session.clone()));
        }
        let known = self.foreign.take().filter(|known| known.session == session && known.head == head);
        let changed_us = known.map_or(self.now, |known| known.changed_us);
        self.foreign = Some(Foreign { session, head, changed_us });
        self.current_is_read = false;
        if self.now.saturating_sub(changed_us) > STRANGE_US {
            return self.begin();
        }
        self.read_at = self.now.saturating_add(STRANGE_POLL_US);
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
        if !recalled || (numbers.is_empty() && !follow.is_whole()) {
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

    pub(super) fn stand_by(&mut self, mut follow: Box<Follow>) {
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
            if follow.suspect {
                let timeline = follow.timeline.clone();
                return self.damaged(number, timeline);
            }
            if self.now.saturating_sub(told_us) > STALE_US {
                return self.look(Look::Head { beyond: None });
            }
            follow.missing(self.now, self.asked_us);
            let since_us = self.now.saturating_sub(follow.seen_us);
            let poll_us = if since_us > part_us + part_us / 2 { POLL_LATE_US } else { POLL_US };
            let due = follow.record_us.saturating_add(part_us - part_us * EARLY_PERCENT / 100);
            self.read_at = due.max(self.now.saturating_add(poll_us));
            // Shortly before the end of a silence it is looked for once more, so that nobody has to look when it is over.
            let silent_at =
                follow.seen_us.saturating_add(follow.patience_us(silence_us(&follow.timeline), self.losses.count(self.now), self.now));
            let last_us = silent_at.saturating_sub(POLL_US);
            if last_us > self.now {
                self.read_at = self.read_at.min(last_us);
            }
            return;
        };
        let waited = follow.waits;
        let msn = follow.timeline.last().map(|last| last.msn);
        match follow.take(self.now, object) {
            Ok(()) if follow.mended => {
                // Somebody writes who knows what was lost: what this worker has made of it is no longer needed.
                self.look_beyond(number, false);
            }
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
            Err(_) if follow.mended => self.look_beyond(number, false),
            Err(Damage::Decode(_) | Damage::Apply(_)) => {
                let timeline = follow.timeline.clone();
                self.damaged(number, timeline);
            }
        }
    }
}

fn after(number: RecordNumber) -> RecordNumber {
    RecordNumber(number.0.saturating_add(1))
}
