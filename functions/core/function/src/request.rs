use alloc::{string::String, vec::Vec};

/// What a viewer, an owner or a player's beacon asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// As `GET`.
    pub method: String,
    /// As it stands in the request line, with the slash in front and without the query.
    pub path: String,
    /// What stands after the `?`; empty where there is none.
    pub query: String,
    /// Names in lower case; values that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
    /// The body; hosts bound it (64 KiB on ours) before a function sees it.
    pub body: Vec<u8>,
    /// The request was answered with [`Answer::Wait`](crate::Answer::Wait) before, and this came of it.
    pub waited: Option<Waited>,
    /// What playlists may promise on this host.
    pub reach: Reach,
}

/// How close to the live edge a host can serve; what is listed must be what it keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// Parts, and requests are held until what they name is there.
    #[default]
    Blocking,
    /// Parts as they are, for viewers that ask again and again: nothing is held.
    Parts,
    /// Whole segments alone: nothing is held, and an ordinary player asks once a segment.
    Segments,
}

impl Request {
    /// The first header of this name, which has to be in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What came of a wait (header `tidegate-waited`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// The object is there (`1`).
    There,
    /// It did not come in time (`timeout`).
    Timeout,
}

impl Waited {
    /// Reads the value of the header `tidegate-waited`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value.trim() {
            "1" => Some(Self::There),
            "timeout" => Some(Self::Timeout),
            _ => None,
        }
    }
}

/// What a function cannot know by itself. A host makes a new one for every call of `poll` and `handle`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct World {
    /// The wall clock, in ms since 1970.
    pub now_utc_ms: u64,
    /// Bytes that nobody can guess, fresh for this call: good for a key or an id, not for two.
    pub random: [u8; 32],
}
