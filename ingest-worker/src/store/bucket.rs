use std::time::Duration;

use bytes::Bytes;
use tidegate_stream::Key;

/// The name that a store gives to one state of an object, as it came, quotes included.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Etag(pub String);

/// An object with its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The body.
    pub bytes: Bytes,
    /// The name of this state.
    pub etag: Etag,
    /// How long ago it was written, by the store's own clock, where the store says so.
    pub age: Option<Duration>,
}

/// What has to hold for a write to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Nothing lies under the key.
    Absent,
    /// The object is in this state.
    Match(Etag),
    /// Nothing.
    Any,
}

/// Why an object was not written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PutError {
    /// [`Condition::Absent`] does not hold.
    #[error("an object lies under the key")]
    Exists,
    /// [`Condition::Match`] does not hold.
    #[error("the object is in another state")]
    Changed,
    /// The store could not; it may have done it. To be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// The store would not; somebody has to do what the sentence says.
    #[error("{0}")]
    Refused(String),
}

/// Why something else than a write has failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store could not. To be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// The store would not; somebody has to do what the sentence says.
    #[error("{0}")]
    Refused(String),
}

impl From<StoreError> for PutError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Unavailable(why),
            StoreError::Refused(why) => Self::Refused(why),
        }
    }
}

/// The largest object that is read into memory; the largest of the platform is a segment of every rendition.
pub const MAX_OBJECT_BYTES: usize = 64 << 20;

/// What the writer needs of a store; one call is one request.
pub trait Bucket: Send + Sync + 'static {
    /// Reads an object; `None` where there is none.
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Object>, StoreError>> + Send;

    /// Writes an object where the condition holds.
    fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> impl Future<Output = Result<Etag, PutError>> + Send;

    /// Removes objects; those that are not there are no error.
    fn delete(&self, keys: &[Key]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What the compactor needs besides: nobody can know the names of all edges.
pub trait Listing: Send + Sync + 'static {
    /// The keys below a folder that are ours, with the state of each object; not more than so many.
    fn list(&self, folder: &str, max: usize) -> impl Future<Output = Result<Vec<(Key, Etag)>, StoreError>> + Send;
}
