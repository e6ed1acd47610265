use alloc::{string::String, vec::Vec};

use crate::{Json, format_utc, parse_utc};

/// `meta/cues/<stream>/<session>/<number>.json`: something to be said at a moment of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cue {
    /// Its name; the ID of its EXT-X-DATERANGE.
    pub id: String,
    /// What kind of thing is said, for programs; the CLASS of its EXT-X-DATERANGE.
    pub class: String,
    /// What is said.
    pub text: String,
    /// When, by the clock of the worker, in ms since 1970; `None`: with the next picture.
    pub at_utc_ms: Option<u64>,
    /// How long it is true, in ms.
    pub duration_ms: u64,
}

impl Cue {
    /// Reads a cue.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let json = Json::parse(text).ok()?;
        let text = |name| Some(json.get(name)?.text()?.into());
        let at_utc_ms = json.get("at").and_then(Json::text).and_then(parse_utc);
        Some(Self { id: text("id")?, class: text("class")?, text: text("text")?, at_utc_ms, duration_ms: json.number_of("duration_ms") })
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = Json::object().with("id", self.id.as_str()).with("class", self.class.as_str()).with("text", self.text.as_str());
        json.with("at", self.at_utc_ms.map(format_utc)).with("duration_ms", self.duration_ms).to_bytes()
    }
}
