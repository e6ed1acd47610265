use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The SHA-256 of an object's bytes; a record carries the hash of the record before it, which makes the log a chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

/// The first 8 bytes of the SHA-256 of an init segment: equal codec configurations have equal addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConfigHash(pub [u8; 8]);

/// The SHA-256 of a stream key: what the bucket stores in place of the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl Hash {
    /// What the first record of a session names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// Hashes the bytes of an object.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl ConfigHash {
    /// Hashes an init segment.
    #[must_use]
    pub fn of(init: &[u8]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(init)[..8]);
        Self(first)
    }

    /// Reads 16 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl KeyHash {
    /// Hashes a stream key.
    #[must_use]
    pub fn of(stream_key: &str) -> Self {
        Self(Sha256::digest(stream_key.as_bytes()).into())
    }

    /// Whether two hashes are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        core::hint::black_box(differing) == 0
    }

    /// HMAC-SHA256 (RFC 2104) of a message.
    #[must_use]
    pub fn signed(secret: &[u8], message: &[&[u8]]) -> Self {
        let mut key = [0; 64];
        match key.get_mut(..secret.len()) {
            Some(start) => start.copy_from_slice(secret),
            None => key[..32].copy_from_slice(&Sha256::digest(secret)),
        }
        let mut inner = Sha256::new_with_prefix(key.map(|byte| byte ^ 0x36));
        message.iter().for_each(|piece| inner.update(piece));
        let mut outer = Sha256::new_with_prefix(key.map(|byte| byte ^ 0x5c));
        outer.update(inner.finalize());
        Self(outer.finalize().into())
    }

    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

macro_rules! hex {
    ($($id:ident),*) => { $(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )* };
}
hex!(Hash, ConfigHash, KeyHash);

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let short = KeyHash::signed(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(short.to_string(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = KeyHash::signed(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(long.to_string(), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn hashes_are_the_same_or_not() {
        assert!(KeyHash::of("a").is_same(&KeyHash::of("a")) && !KeyHash::of("a").is_same(&KeyHash::of("b")));
    }
}
