//! What lies in the bucket as text: small documents that people ask for and change.

mod cue;
mod event;
mod facts;
mod index;
mod publish;
mod rules;
mod sessions;
mod token;

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

pub use cue::Cue;
pub use event::{EventKind, event_document};
pub use facts::{Passed, SessionFacts};
pub use index::{Entry, IndexLine, IndexPage, PAGE_ENTRIES, Summary};
pub use publish::PublishToken;
pub use rules::{LatencyMode, PublishRules, RungRule};
pub use sessions::Sessions;
pub use token::{ApiToken, ApiTokens, Denied, Scope};

use crate::{SessionId, StreamId};

/// `live/<stream>/current`: which session a stream's viewers are sent to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Current {
    /// The newest session with media.
    pub session: SessionId,
}

/// `meta/streams/<stream>.json`, as far as programs that only read it care.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamDocument {
    /// The stream.
    pub id: StreamId,
    /// The number of this state; each change has a higher one.
    #[serde(default)]
    pub revision: u64,
    /// The page of the index that names it.
    #[serde(default)]
    pub page: u64,
    /// What is left of a stream that was deleted.
    #[serde(default)]
    pub deleted: bool,
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
    /// The key opens nothing from then on, in ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_utc_ms: Option<u64>,
}
