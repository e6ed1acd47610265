use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::base64url;

/// A secret that tokens are made and checked with, under its id.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// What tokens name it by (`kid`).
    pub id: String,
    /// Who has it besides: tokens made with it name this issuer (`iss`). None: whatever they name.
    pub issuer: Option<String>,
    secret: Vec<u8>,
}

/// The keys that are good at the moment. Several, so that a new one can be in use before the old one goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    /// What this service is called in `aud`; empty: tokens for others are not told apart.
    pub audience: String,
}

/// Why a document of keys cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKeys {
    /// The secret is not base64url, or can be guessed.
    #[error("the secret of a key is base64url and has {SHORTEST} to {LONGEST} bytes")]
    Secret,
    /// An id that is empty, long, or there twice.
    #[error("the id of a key has 1 to 64 characters and is there once")]
    Id,
    /// More than one rotation needs.
    #[error("there may be at most {MOST} keys")]
    TooMany,
}

const SHORTEST: usize = 16;
const LONGEST: usize = 128;
const MOST: usize = 16;

/// `{"keys":[{"id":"2026-11","secret":"…","issuer":"shop.example"}],"audience":"tidegate"}`: a document of keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    keys: Vec<Entry>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    audience: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    /// Base64url.
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
}

impl Key {
    /// Makes a key; `secret` is what the owner's systems share with the edges.
    pub fn new(id: &str, secret: Vec<u8>) -> Result<Self, BadKeys> {
        if !(SHORTEST..=LONGEST).contains(&secret.len()) {
            return Err(BadKeys::Secret);
        }
        if id.is_empty() || id.len() > 64 {
            return Err(BadKeys::Id);
        }
        Ok(Self { id: id.into(), issuer: None, secret })
    }

    /// Makes a key from the text that documents hold.
    pub fn parse(id: &str, secret: &str) -> Result<Self, BadKeys> {
        Self::new(id, base64url::decode(secret.trim()).ok_or(BadKeys::Secret)?)
    }

    /// The secret as documents hold it: for the one time that its owner is shown it.
    #[must_use]
    pub fn secret_text(&self) -> String {
        base64url::encode(&self.secret)
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret is nobody's to print.
        write!(f, "Key({})", self.id)
    }
}

impl Keys {
    /// Adds a key in front of the others: new tokens are made with it, and those of the others stay good until they are taken away.
    pub fn rotate(&mut self, key: Key) -> Result<(), BadKeys> {
        let mut keys = self.keys.clone();
        keys.insert(0, key);
        self.keys = Self::new(keys)?.keys;
        Ok(())
    }

    /// Takes a key away; says whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let had = self.keys.len();
        self.keys.retain(|key| key.id != id);
        self.keys.len() < had
    }

    /// Takes keys; the first is the one that new tokens are made with.
    pub fn new(keys: Vec<Key>) -> Result<Self, BadKeys> {
        if keys.len() > MOST {
            return Err(BadKeys::TooMany);
        }
        let mut ids: Vec<_> = keys.iter().map(|key| &key.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() < keys.len() {
            return Err(BadKeys::Id);
        }
        Ok(Self { keys, audience: String::new() })
    }

    /// The key of this id.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<&Key> {
        self.keys.iter().find(|key| key.id.as_bytes() == id)
    }

    /// The key that new tokens are made with.
    #[must_use]
    pub fn first(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// Whether there is none: nothing that asks for a token can be watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        let key = |entry: &Entry| Ok(Key { issuer: entry.issuer.clone(), ..Key::parse(&entry.id, &entry.secret)? });
        let keys = document.keys.iter().map(key).collect::<Result<_, _>>().and_then(Self::new);
        keys.map(|keys| Self { audience: document.audience, ..keys }).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Keys {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |key: &Key| Entry { id: key.id.clone(), secret: base64url::encode(&key.secret), issuer: key.issuer.clone() };
        Document { keys: self.keys.iter().map(entry).collect(), audience: self.audience.clone() }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _};

    use super::*;

    #[test]
    fn a_document_comes_back_and_a_secret_is_never_printed() {
        let text = r#"{"keys":[{"id":"new","secret":"AAECAwQFBgcICQoLDA0ODw"},{"id":"old","secret":"AQECAwQFBgcICQoLDA0ODw"}]}"#;
        let keys: Keys = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&keys).unwrap(), text);
        assert_eq!(keys.find(b"old").map(|key| key.secret()[0]), Some(1));
        assert_eq!(keys.first().map(|key| key.id.as_str()), Some("new"));
        assert_eq!(format!("{keys:?}"), "Keys { keys: [Key(new), Key(old)], audience: \"\" }");
    }

    #[test]
    fn keys_that_can_be_guessed_or_confused_are_refused() {
        for bad in [
            r#"{"keys":[{"id":"a","secret":"c2hvcnQ"}]}"#,
            r#"{"keys":[{"id":"","secret":"AAECAwQFBgcICQoLDA0ODw"}]}"#,
            r#"{"keys":[{"id":"a","secret":"AAECAwQFBgcICQoLDA0ODw"},{"id":"a","secret":"AAECAwQFBgcICQoLDA0ODw"}]}"#,
            r#"{"keys":[],"more":1}"#,
        ] {
            let error = serde_json::from_str::<Keys>(bad).unwrap_err().to_string();
            assert!(!error.contains("c2hvcnQ"), "{error}");
        }
    }
}
