use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{SessionId, StreamId};

/// `live/<stream>/current`: which session a stream's viewers are sent to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Current {
    /// The newest session with media.
    pub session: SessionId,
}

/// `meta/streams/<stream>.json`: what a stream is called.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamDocument {
    /// The stream.
    pub id: StreamId,
    /// One line for people.
    #[serde(default)]
    pub title: String,
    /// More for people.
    #[serde(default)]
    pub description: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// `meta/keys/<hash>.json`: which stream a stream key opens. The key itself is nowhere in the bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyDocument {
    /// The stream that the key may publish.
    pub stream: StreamId,
}
