use alloc::vec::Vec;

use tidegate_stream::{Key, RecordNumber, SessionId};

use crate::{Config, Input, Output};

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
    /// This record and all before it are durable.
    Durable(RecordNumber),
    /// What comes from the source from here on is a slate that stands in for it, or its own again.
    Slate(bool),
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
    Object {
        /// Its bytes.
        bytes: Vec<u8>,
        /// How long ago it was written, by the store's own clock, in us.
        age_us: Option<i64>,
    },
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
    /// The session has other renditions than this worker, or is of another version: it cannot go on with it, and begins one of its own
    /// when that one is left or silent.
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
