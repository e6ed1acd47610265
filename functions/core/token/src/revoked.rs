use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize};

use crate::claims::Claims;

/// Tokens that are called back before they end. An entry can go when the tokens that it means have ended.
///
/// As a document: `{"tokens":["<cti in hex>"],"subjects":["bob"],"issued_before_s":1790000000}`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Revocations {
    /// Ids (`cti`) in lower-case hexadecimal digits.
    #[serde(deserialize_with = "sorted")]
    tokens: Vec<String>,
    /// Everything of these subjects (`sub`).
    #[serde(deserialize_with = "sorted")]
    subjects: Vec<String>,
    /// Everything that was made before this time, in seconds since 1970: after a leak.
    issued_before_s: u64,
}

/// Why a list cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRevocations {
    /// More than an edge should hold in each instance; let tokens end sooner, or revoke by `issued_before_s`.
    #[error("at most {MOST} tokens and {MOST} subjects can be revoked at once")]
    TooMany,
}

/// Entries of each list: 64 bytes each, so some hundreds of kB.
const MOST: usize = 10_000;

impl Revocations {
    /// Takes what is revoked; ids as their bytes.
    pub fn new(tokens: &[&[u8]], subjects: &[&str], issued_before_s: u64) -> Result<Self, BadRevocations> {
        if tokens.len() > MOST || subjects.len() > MOST {
            return Err(BadRevocations::TooMany);
        }
        let mut tokens: Vec<_> = tokens.iter().map(|id| hex(id)).collect();
        let mut subjects: Vec<String> = subjects.iter().copied().map(String::from).collect();
        tokens.sort_unstable();
        subjects.sort_unstable();
        Ok(Self { tokens, subjects, issued_before_s })
    }

    /// Adds one token.
    pub fn revoke(&mut self, id: &[u8]) -> Result<(), BadRevocations> {
        let id = hex(id);
        if let Err(at) = self.tokens.binary_search(&id) {
            if self.tokens.len() >= MOST {
                return Err(BadRevocations::TooMany);
            }
            self.tokens.insert(at, id);
        }
        Ok(())
    }

    pub(crate) fn revokes(&self, claims: &Claims) -> bool {
        let token = !self.tokens.is_empty() && claims.id.as_ref().is_some_and(|id| self.tokens.binary_search(&hex(id)).is_ok());
        let subject = claims.subject.as_ref().is_some_and(|subject| self.subjects.binary_search(subject).is_ok());
        // A token that does not say when it was made may be from before.
        token || subject || claims.issued_s.unwrap_or(0) < self.issued_before_s
    }
}

fn sorted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut list = Vec::<String>::deserialize(deserializer)?;
    if list.len() > MOST {
        return Err(serde::de::Error::custom(BadRevocations::TooMany));
    }
    list.sort_unstable();
    Ok(list)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
