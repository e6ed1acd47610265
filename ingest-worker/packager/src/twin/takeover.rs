use alloc::{boxed::Box, vec::Vec};

use tidegate_stream::{Key, RecordNumber, SessionId, Timeline, WriterId};

use super::{
    CHECK_FIRST_US, POLL_LATE_US, Role, SILENCE_US_MIN, STALE_US, Stage, Twin, TwinOutput,
    follow::Follow,
    leave::After,
    look::Look,
    place::{self, Place},
    slate::slate_event,
};
use crate::{Condition, Config, Input, Lane, Output, Packager, Put, opening::Known, packager::Resume};

/// An owner that leaves a hole behind it is waited for longer than one whose next part this worker can write itself.
const PATIENCE_SILENCES: i64 = 2;
/// A source that is behind the log is waited for this long, before it counts as another one.
const BEHIND_US: i64 = 4_000_000;

/// A record of a part takes about so long to be made, written and found.
const WRITE_US: i64 = 60_000;

impl Twin {
    /// Whether it is time to write.
    pub(super) fn decide(&mut self) {
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
        let silent_us = follow.silent_us(self.now);
        // A slate gives way to a source that can go on with its session, and not to another slate.
        let is_free = !self.slate && (follow.is_left() || follow.is_slate() && !self.is_foreign());
        if !is_free && (silent_us < self.patience_us(follow) || !follow.probed) {
            return;
        }
        if self.now.saturating_sub(follow.seen_us) > STALE_US {
            return self.look(Look::Head { beyond: None });
        }
        if self.is_foreign() {
            return self.begin();
        }
        if follow.is_slate() && !self.slate {
            return self.go_on(None);
        }
        match place::find(&self.held, follow, self.place.as_ref()) {
            Ok(place) => self.go_on(Some(place)),
            // This worker's source is behind: it will come to where the log is.
            Err(place::NotFound::Later) if silent_us < silence.saturating_add(BEHIND_US) => {}
            Err(_) if silent_us < silence * PATIENCE_SILENCES && self.is_lived() => {}
            Err(_) => {
                let Stage::Standby(follow) = &self.stage else { return };
                // A store that was away for longer makes no session old that this worker knows to have gone on, nor does another clock.
                let alive = self.alive.as_ref().filter(|alive| Some(&alive.session) == self.session.as_ref());
                let dated_us = follow.last_utc_us().filter(|_| !alive.is_some_and(|alive| alive.told));
                let alive_us = alive.map(|alive| alive.at_us).max(dated_us).unwrap_or(0);
                let age_us = self.now.saturating_sub(alive_us);
                if self.is_lived() || age_us <= self.config.reconnect_us { self.go_on(None) } else { self.begin() }
            }
        }
    }

    pub(super) fn patience_us(&self, follow: &Follow) -> i64 {
        follow.patience_us(silence_us(&follow.timeline), self.losses.count(self.now), self.now)
    }

    /// Whether it is time to see that there is nothing behind the record that is missing. An owner writes one record after another: if
    /// there is, somebody has removed the one before, and its owner is well.
    pub(super) fn is_to_probe(&self, follow: &Follow) -> bool {
        !follow.probed && !follow.suspect && follow.silent_us(self.now).saturating_add(2 * POLL_LATE_US) > self.patience_us(follow)
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
        let anchor = place.map(|place| place.anchor);
        let compared = anchor.as_ref().filter(|anchor| !anchor.is_sound());
        let (media, joint) = (follow.media(), compared.map(|anchor| follow.joint(anchor)));
        let ahead_us = follow.ahead_us(self.now);
        let next = follow.timeline.next_record();
        let resume = Resume { timeline: follow.timeline, media, joint, anchor, known, ahead_us };
        let mut packager = Packager::resume(self.now, config, resume);
        self.announce_slate(&mut packager);
        if let Some(key) = key {
            self.held.forget_before(&key);
        }
        self.before = None;
        self.owes_from(next);
        self.replay(packager, inputs);
    }

    /// Begins a session of its own.
    pub(super) fn begin(&mut self) {
        let can = self.now >= self.begin_at && self.held.keys().next().is_some();
        if !can {
            self.session = None;
            self.look(Look::Current);
            self.read_at = self.now.saturating_add(POLL_LATE_US);
            return;
        }
        if !core::mem::take(&mut self.current_is_read) {
            // It is claimed in the state in which it is.
            self.gone = self.session.take();
            return self.look(Look::Current);
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
        self.owes_from(RecordNumber(0));
        self.announce_slate(&mut packager);
        self.replay(packager, inputs);
    }

    /// Where a slate stands in for this worker's source, the log says so.
    pub(super) fn announce_slate(&self, packager: &mut Packager) {
        if self.slate {
            let _ = packager.handle(self.now, Input::Announce(slate_event(self.now)));
        }
    }

    /// All that is held goes into records from here on.
    fn owes_from(&mut self, next: RecordNumber) {
        self.undurable = next;
        self.check_at = self.now.saturating_add(CHECK_FIRST_US);
        self.marks.clear();
        self.marks.extend(self.held.keys().next().map(|key| (key.at, next)));
    }

    pub(super) fn replay(&mut self, mut packager: Packager, inputs: Vec<(i64, Input)>) {
        for (came_us, input) in inputs {
            let _ = packager.handle(came_us, input);
        }
        self.stage = Stage::Owner(Box::new(packager));
        self.drain();
    }

    pub(super) fn drain(&mut self) {
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

/// How long a log may be still before its owner is taken to be gone: three parts of the pictures, since a share of sound that is a frame
/// longer waits in no record, less what the record takes that ends the silence.
pub(super) fn silence_us(timeline: &Timeline) -> i64 {
    let parts_us = timeline.session().renditions.iter().map(|rendition| i64::from(rendition.part_target_us)).min();
    (3 * parts_us.unwrap_or(0) - WRITE_US).max(SILENCE_US_MIN)
}
