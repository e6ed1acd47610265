use bytes::Bytes;
use tidegate_packager as packager;
pub use tidegate_packager::{Condition as PutCondition, Lane};
use tidegate_stream::Key;

/// Something to be done in the bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submission {
    /// Write an object.
    Put(Put),
    /// Remove objects, once everything that was submitted before is durable.
    Delete(Vec<Key>),
}

/// An object to be written, in bytes that are cheap to send twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Where to.
    pub key: Key,
    /// What.
    pub bytes: Bytes,
    /// Over what.
    pub condition: PutCondition,
    /// Beside what.
    pub lane: Lane,
    /// Whether everything that was submitted before has to be durable first.
    pub barrier: bool,
}

impl From<packager::Put> for Submission {
    fn from(packager::Put { key, bytes, condition, lane, barrier }: packager::Put) -> Self {
        Self::Put(Put { key, bytes: bytes.into(), condition, lane, barrier })
    }
}
