use alloc::{string::String, vec::Vec};

use crate::Answer;

/// What a job wants next. The host gives what came of it to the job's `handle`; after an answer the job is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Read this object: [`Input::Fetched`].
    Fetch {
        /// The object.
        key: String,
        /// First and last byte, both inclusive, as in a Range header (the object may be shorter); `None`: all of it.
        range: Option<(u64, u64)>,
        /// Past every cache: somebody is about to change it. Without, a host may be a second behind.
        fresh: bool,
        /// Objects that are asked for next, each in the same way: a host may read them at the same time.
        ahead: Vec<String>,
    },
    /// Write this object: [`Input::Stored`].
    Store {
        /// The object.
        key: String,
        /// All of its bytes.
        body: Vec<u8>,
        /// The media type that it is stored with.
        content_type: &'static str,
        /// What has to hold for the write to happen.
        condition: Condition,
    },
    /// Delete this object, if it is there: [`Input::Stored`].
    Delete {
        /// The object.
        key: String,
    },
    /// Read something that is not ours, over http or https: [`Input::Loaded`]. Hosts refuse private addresses, follow no redirects
    /// (the function decides about each) and stop at the limits given here or their own, whichever is lower.
    Load {
        /// An absolute URL.
        url: String,
        /// Headers beside those that the host has to send.
        headers: Vec<(String, String)>,
        /// Bytes of the body, decoded, after which to stop with [`Loaded::TooLarge`].
        max_bytes: usize,
        /// Time after which to stop with [`Loaded::Failed`], in ms.
        timeout_ms: u32,
    },
    /// The job is done.
    Answer(Answer),
}

/// What has to hold for a write to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Nothing: the last writer wins.
    None,
    /// There is no such object (`If-None-Match: *`).
    Absent,
    /// The object still has this ETag (`If-Match`).
    Match(String),
}

/// What came of an [`Output`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Of [`Output::Fetch`].
    Fetched(Fetched),
    /// Of [`Output::Store`] and [`Output::Delete`].
    Stored(Stored),
    /// Of [`Output::Load`].
    Loaded(Loaded),
}

/// What came of a fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fetched {
    /// The object (status 200 or 206).
    Got {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its ETag as the store wrote it, quotes included, for [`Condition::Match`].
        etag: Option<String>,
        /// How long ago the store has written it, by the store's own clock; `None` where the host does not know.
        age_ms: Option<u64>,
    },
    /// There is no such object (404; 416 too).
    Missing,
    /// Anything else: the store did not answer, or not properly.
    Failed,
}

impl Fetched {
    /// The bytes of `range` (both ends inclusive) of a whole object, as far as they are there.
    #[must_use]
    pub fn cut(mut self, (first, last): (u64, u64)) -> Self {
        if let Self::Got { bytes, .. } = &mut self {
            let len = bytes.len();
            let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(len);
            bytes.truncate(within(last.saturating_add(1)));
            bytes.drain(..within(first).min(bytes.len()));
        }
        self
    }
}

/// What came of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stored {
    /// It is durable.
    Done {
        /// The new ETag, where the store says it.
        etag: Option<String>,
    },
    /// The condition did not hold (412, or 409 again and again): somebody else wrote.
    Conflict,
    /// The store did not answer, or not properly: the write may or may not have happened.
    Failed,
}

/// What came of a load.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loaded {
    /// The other side answered, whatever its status.
    Got {
        /// The status code.
        status: u16,
        /// The headers, names in lower case.
        headers: Vec<(String, String)>,
        /// The body, decoded.
        body: Vec<u8>,
    },
    /// The body is longer than allowed.
    TooLarge,
    /// The address is one that the host does not reach: private, or not on its list.
    Denied,
    /// No connection, no answer in time, or not HTTP.
    Failed,
}
