use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The name of a live channel, stable over its broadcasts: 1 to 64 of `a-z 0-9 - _`, first a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(String);

/// The name of one publish of a stream: 20 characters of Crockford base 32, which sort by start time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

/// The name of a rendition inside its session, as `source`, `high` or `audio`: 1 to 32 of `a-z 0-9 - _`; never `index`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RenditionId(String);

/// The name of another origin whose playlists are shown here: as the id of a stream.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginId(String);

/// A name under which a stream is played, so that its own name stays unknown and one address can be withdrawn: 1 to 32 of `a-z 0-9 - _`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlaybackId(String);

/// A media sequence number: the place of a segment in its session, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Msn(pub u64);

/// The place of a part in its segment, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct PartIndex(pub u32);

/// The place of a record in the log of its session, from 0, without holes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct RecordNumber(pub u64);

/// Who wrote a record: drawn by chance by each worker when it starts, so that two workers that write the same media are told
/// apart. Says nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct WriterId(pub u64);

/// Why a text is not an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// The text is empty or too long.
    #[error("an id has 1 to {max} characters, this one has {len}")]
    Length {
        /// Characters allowed at most.
        max: usize,
        /// Characters found.
        len: usize,
    },
    /// A character outside the alphabet of this id.
    #[error("`{0}` cannot be part of this id")]
    Character(char),
    /// A word with a meaning of its own in the bucket.
    #[error("this name is reserved")]
    Reserved,
}

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SESSION_LEN: usize = 20;

/// Random bytes as text, 5 bits of each: for ids and secrets.
#[must_use]
pub fn symbols(random: &[u8]) -> String {
    random.iter().map(|byte| symbol((*byte).into())).collect()
}

fn symbol(value: u64) -> char {
    char::from(CROCKFORD.get((value & 31) as usize).copied().unwrap_or(b'0'))
}

fn parse_word(text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max {
        return Err(IdError::Length { max, len: text.chars().count() });
    }
    for (at, c) in text.chars().enumerate() {
        let letter = c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(letter || (at > 0 && matches!(c, '-' | '_'))) {
            return Err(IdError::Character(c));
        }
    }
    Ok(())
}

impl StreamId {
    /// Parses an id; the only way to make one.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_word(text, 64)?;
        Ok(Self(text.into()))
    }
}

impl OriginId {
    /// Parses an id; the only way to make one.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_word(text, 64)?;
        Ok(Self(text.into()))
    }
}

impl RenditionId {
    /// Parses an id; the only way to make one.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_word(text, 32)?;
        // `index.m3u8` is the multivariant playlist and the others are folders of a session.
        if matches!(text, "index" | "head" | "log" | "seg" | "chapter" | "init") {
            return Err(IdError::Reserved);
        }
        Ok(Self(text.into()))
    }
}

impl PlaybackId {
    /// Parses an id; the only way to make one.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        parse_word(text, 32)?;
        Ok(Self(text.into()))
    }
}

impl SessionId {
    /// Parses an id that came from outside.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() != SESSION_LEN {
            return Err(IdError::Length { max: SESSION_LEN, len: text.chars().count() });
        }
        match text.bytes().find(|b| !CROCKFORD.contains(b)) {
            Some(b) => Err(IdError::Character(char::from(b))),
            None => Ok(Self(text.into())),
        }
    }

    /// Makes the id of a session that starts at `utc_ms`; `random` keeps two starts in one millisecond apart.
    #[must_use]
    pub fn new(utc_ms: u64, random: u64) -> Self {
        let time = (0..10).rev().map(|n| symbol(utc_ms >> (5 * n)));
        let rest = (0..10).rev().map(|n| symbol(random >> (5 * n)));
        Self(time.chain(rest).collect())
    }

    /// The start time that the id carries, in ms since 1970.
    #[must_use]
    pub fn utc_ms(&self) -> u64 {
        let value = |b: u8| CROCKFORD.iter().position(|c| *c == b).unwrap_or(0) as u64;
        self.0.bytes().take(10).fold(0, |sum, b| (sum << 5) | value(b))
    }
}

impl Msn {
    /// The next segment.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl PartIndex {
    /// The next part of the same segment.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl RecordNumber {
    /// The next record of the log.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

macro_rules! text_id {
    ($($id:ident),*) => { $(
        impl $id {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $id {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }
        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0
            }
        }
        impl core::str::FromStr for $id {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    )* };
}
text_id!(StreamId, SessionId, RenditionId, OriginId, PlaybackId);

macro_rules! number_id {
    ($($id:ident),*) => { $(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )* };
}
number_id!(Msn, PartIndex, RecordNumber);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_could_leave_their_folder() {
        for bad in ["", "..", "a/b", "A", "é", "-a", "a b", "a.b", "%2e"] {
            assert!(StreamId::parse(bad).is_err(), "{bad}");
            assert!(RenditionId::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(RenditionId::parse("index"), Err(IdError::Reserved));
        assert!(StreamId::parse(&"a".repeat(64)).is_ok());
        assert!(StreamId::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn session_ids_sort_by_start_and_carry_it() {
        let early = SessionId::new(1_790_000_000_000, u64::MAX);
        let late = SessionId::new(1_790_000_000_001, 0);
        assert!(early < late);
        assert_eq!(early.utc_ms(), 1_790_000_000_000);
        assert_eq!(SessionId::parse(early.as_str()), Ok(early));
    }
}
