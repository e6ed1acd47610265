use alloc::boxed::Box;

use tidegate_stream::{Key, Timeline};

use super::{Stage, Twin, TwinOutput, look::Look};
use crate::{Input, Packager};

/// What an owner that leaves does when nobody goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    /// Only its source has left it: it goes on itself when that is back.
    Stay,
    /// It ends the session.
    End,
    /// It goes.
    Go,
}

/// How long a worker whose source has broken off leaves the log to the other one: it takes a read and a write.
const HANDOVER_US: i64 = 600_000;

impl Twin {
    /// The source breaks off, or has a new clock. One whose source goes on takes the log over without a gap; if there is none, this
    /// worker itself goes on in a new period, with its next key frame.
    pub(super) fn discontinuity(&mut self) {
        self.place = None;
        self.held.clear();
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Owner(packager) => self.hand_over(packager, HANDOVER_US, After::Stay),
            other => self.stage = other,
        }
    }

    pub(super) fn end(&mut self) {
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

    pub(super) fn leave(&mut self, wait_us: i64, after: After) {
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
    pub(super) fn is_left(&mut self, after: After) {
        if after == After::Stay {
            self.look(Look::Head { beyond: None });
        } else {
            self.stage = Stage::Over;
            self.outputs.push_back(TwinOutput::Over);
        }
    }

    pub(super) fn lost(&mut self, key: &Key) {
        match self.stage {
            Stage::Owner(_) if matches!(key, Key::Current { .. }) => {
                self.session = None;
                self.look(Look::Current);
            }
            Stage::Owner(_) => {
                self.losses.add(self.now);
                self.look(Look::Head { beyond: None });
            }
            Stage::Leaving { after, .. } => self.is_left(after),
            Stage::Looking(_) | Stage::Standby(_) | Stage::Over => {}
        }
    }

    /// The source is back, and nobody else had one: goes on in a new period.
    pub(super) fn resume(&mut self) {
        if self.held.keys().next().is_none() {
            return;
        }
        let (_, inputs) = self.held.all();
        if let Stage::Leaving { mut packager, .. } = core::mem::replace(&mut self.stage, Stage::Over) {
            let _ = packager.handle(self.now, Input::Discontinuity);
            self.announce_slate(&mut packager);
            self.replay(*packager, inputs);
        }
    }
}
