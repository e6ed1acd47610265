use alloc::{
    format,
    string::{String, ToString},
};

use crate::{KeyHash, StreamId, id::symbols, key::parse_number};

/// What a publish token says: `tgp.<stream>.<expires>.<signature>` publishes a stream until then, without anything in the bucket about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishToken {
    /// The stream that it publishes.
    pub stream: StreamId,
    /// Until when, in ms since 1970.
    pub expires_utc_ms: u64,
}

impl PublishToken {
    /// What every publish token begins with; no stream key does.
    pub const PREFIX: &str = "tgp.";

    /// The token.
    #[must_use]
    pub fn sign(&self, secret: &[u8]) -> String {
        format!("{}{}.{}.{}", Self::PREFIX, self.stream, self.expires_utc_ms, self.signature(secret))
    }

    /// Reads a token that is signed and has not expired.
    #[must_use]
    pub fn verify(token: &str, secret: &[u8], now_utc_ms: u64) -> Option<Self> {
        let mut words = token.strip_prefix(Self::PREFIX)?.split('.');
        let (stream, expires, signature) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || secret.is_empty() {
            return None;
        }
        let read = Self { stream: StreamId::parse(stream).ok()?, expires_utc_ms: parse_number(expires, 15)? };
        // Two hashes of what is compared: how far they agree says nothing about the signature.
        let is_signed = KeyHash::of(&read.signature(secret)).is_same(&KeyHash::of(signature));
        (is_signed && now_utc_ms < read.expires_utc_ms).then_some(read)
    }

    fn signature(&self, secret: &[u8]) -> String {
        let expires = self.expires_utc_ms.to_string();
        let KeyHash(bytes) = KeyHash::signed(secret, &[self.stream.as_str().as_bytes(), b".", expires.as_bytes()]);
        symbols(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_opens_its_stream_until_it_expires_and_nothing_else() {
        let stream = StreamId::parse("demo").unwrap();
        let token = PublishToken { stream, expires_utc_ms: 2000 };
        let text = token.sign(b"secret");
        assert_eq!(PublishToken::verify(&text, b"secret", 1999), Some(token));
        assert_eq!(PublishToken::verify(&text, b"secret", 2000), None);
        assert_eq!(PublishToken::verify(&text, b"other", 1000), None);
        for forged in [text.replace("demo", "test"), text.replace("2000", "9000"), format!("{text}x"), format!("{text}.x"), "tgp.".into()] {
            assert_eq!(PublishToken::verify(&forged, b"secret", 1000), None, "{forged}");
        }
        let without_secret = PublishToken { stream: StreamId::parse("demo").unwrap(), expires_utc_ms: 2000 }.sign(b"");
        assert_eq!(PublishToken::verify(&without_secret, b"", 1000), None);
    }
}
