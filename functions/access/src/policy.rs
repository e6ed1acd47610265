use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use serde::Deserialize;
use tidegate_stream::{MetaKey, OriginId, OriginPath, StreamId};

/// Who may watch a stream, as its document says under `playback`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Whether a token is needed.
    pub access: Access,
    /// Where it may be watched; empty: everywhere.
    pub countries: Vec<String>,
    /// Where it may not be watched.
    pub blocked_countries: Vec<String>,
}

/// Whether a token is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// No: everybody may watch.
    #[default]
    Public,
    /// Any token that opens the address.
    #[serde(alias = "token")]
    Signed,
    /// A token that was made for this stream alone, ends, and can be revoked by its id.
    Private,
    /// The stream is switched off. No word for `access`.
    #[serde(skip)]
    Off,
    /// A word that is not known: nobody may watch.
    #[serde(other)]
    Nobody,
}

/// What a document says of its playback, in `meta/streams/<stream>.json` and in `meta/origins/<name>.json`.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    playback: Policy,
    #[serde(default)]
    deleted: bool,
    /// Only `false` says something.
    #[serde(default)]
    enabled: Option<bool>,
}

impl Policy {
    /// Everybody may watch.
    pub(crate) const OPEN: Self = Self { access: Access::Public, countries: Vec::new(), blocked_countries: Vec::new() };
    /// Nobody may watch.
    pub(crate) const CLOSED: Self = Self { access: Access::Nobody, countries: Vec::new(), blocked_countries: Vec::new() };

    /// Reads a document; one that cannot be read closes what it is about.
    #[must_use]
    pub fn read(document: &[u8]) -> Self {
        match serde_json::from_slice::<Document>(document) {
            Ok(Document { deleted: true, .. }) | Err(_) => Self::CLOSED,
            Ok(Document { enabled: Some(false), .. }) => Self { access: Access::Off, ..Self::CLOSED },
            Ok(Document { playback, .. }) => playback,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.access == Access::Public && self.countries.is_empty() && self.blocked_countries.is_empty()
    }

    /// Whether the policy lets a viewer from there watch.
    pub(crate) fn allows_country(&self, country: Option<&str>) -> bool {
        let names = |list: &[String]| {
            country.is_some_and(|country| {
                list.iter().any(|known| {
                    country.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
                        && matches!(country.as_bytes().get(known.len()), None | Some(b'-'))
                })
            })
        };
        // Where nobody knows the country, what is for some countries only is for none.
        let blocked = !self.blocked_countries.is_empty() && (country.is_none() || names(&self.blocked_countries));
        !blocked && (self.countries.is_empty() || names(&self.countries))
    }
}

/// What a request is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// Something of a stream.
    Stream(StreamId),
    /// A playlist of another origin.
    Origin(OriginId),
}

impl Subject {
    /// What a path, without its token, is about; `None`: nothing that a policy is for.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if let Some(OriginPath::File { name, .. }) = OriginPath::parse(path) {
            return Some(Self::Origin(name));
        }
        // Not only the paths of today: whatever is below a stream is the stream's.
        let (stream, _) = path.strip_prefix("live/")?.split_once('/')?;
        StreamId::parse(stream).ok().map(Self::Stream)
    }

    /// The object that holds its policy.
    pub(crate) fn document(&self) -> String {
        match self {
            Self::Stream(stream) => MetaKey::Stream { stream: stream.clone() }.to_string(),
            Self::Origin(name) => MetaKey::Origin { name: name.clone() }.to_string(),
        }
    }

    /// What every address of it begins with.
    pub(crate) fn folder(&self) -> String {
        match self {
            Self::Stream(stream) => format!("/live/{stream}/"),
            Self::Origin(name) => OriginPath::folder(name),
        }
    }
}
