//! COSE_Mac0 (RFC 9052) around the claims.
use alloc::{string::String, vec::Vec};

use crate::{
    base64url,
    cbor::{Value, head},
    claims::{Claims, ClaimsError},
    hmac::{hmac_sha256, same},
    key::{Key, Keys},
};

/// Characters of a token. Addresses have 4096 at most, and a token with every claim has 400.
const LONGEST: usize = 2048;

const CWT_TAG: u64 = 61;
const MAC0_TAG: u64 = 17;
const ALG: i64 = 1;
const KID: i64 = 4;
const CRIT: i64 = 2;
const HS256: i64 = 5;

/// A token whose code is right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it says.
    pub claims: Claims,
    /// The key that it was made with.
    pub key_id: String,
}

/// Why a text is not a token of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Not base64url, not CBOR, not a COSE_Mac0.
    #[error("this is not a Common Access Token")]
    Malformed,
    /// Not HMAC-SHA-256.
    #[error("the token is not made with HS256")]
    Algorithm,
    /// No key, or one that is not there, or no longer.
    #[error("the token is made with a key that is not known here")]
    UnknownKey,
    /// The code is another one: it was changed, or made with another key of this name.
    #[error("the token is not made with the right key")]
    WrongCode,
    /// The key belongs to another issuer than the token names.
    #[error("the token is not made by the owner of its key")]
    Issuer,
    /// A claim with a value that is not of its type, or one that is not supported.
    #[error("the claim {0} of the token cannot be used here")]
    Claim(i64),
}

struct Mac0 {
    protected: Vec<u8>,
    key_id: Option<Vec<u8>>,
    algorithm: Option<i64>,
    payload: Vec<u8>,
    code: [u8; 32],
}

impl Token {
    /// Opens a token: its code first, then what it says.
    pub fn open(text: &str, keys: &Keys) -> Result<Self, OpenError> {
        let mac0 = Mac0::read(text)?;
        if mac0.algorithm != Some(HS256) {
            return Err(OpenError::Algorithm);
        }
        let key = mac0.key_id.as_deref().and_then(|id| keys.find(id)).ok_or(OpenError::UnknownKey)?;
        if !same(&mac0.code(key), &mac0.code) {
            return Err(OpenError::WrongCode);
        }
        let claims = Claims::read(&mac0.payload).map_err(|error| match error {
            ClaimsError::Value(label) | ClaimsError::Unknown(label) => OpenError::Claim(label),
            ClaimsError::Shape => OpenError::Malformed,
        })?;
        if key.issuer.is_some() && key.issuer != claims.issuer {
            return Err(OpenError::Issuer);
        }
        Ok(Self { claims, key_id: key.id.clone() })
    }

    /// Makes the text of a token.
    #[must_use]
    pub fn seal(claims: &Claims, key: &Key) -> String {
        let mut protected = Vec::new();
        Value::Map(Vec::from([(Value::Integer(ALG), Value::Integer(HS256))])).encode(&mut protected);
        let payload = claims.write();
        let mac0 = Mac0 { protected, key_id: None, algorithm: None, payload, code: [0; 32] };
        let code = mac0.code(key);
        let unprotected = Value::Map(Vec::from([(Value::Integer(KID), Value::Bytes(key.id.as_bytes().to_vec()))]));
        let parts = [Value::Bytes(mac0.protected), unprotected, Value::Bytes(mac0.payload), Value::Bytes(code.into())];
        let mut out = Vec::new();
        head(&mut out, 6, CWT_TAG);
        head(&mut out, 6, MAC0_TAG);
        Value::Array(parts.into()).encode(&mut out);
        base64url::encode(&out)
    }

    /// What a token says, whether its code is right or not: for people who look into one, never for a decision.
    pub fn peek(text: &str) -> Result<Claims, OpenError> {
        Claims::read(&Mac0::read(text)?.payload).map_err(|error| match error {
            ClaimsError::Value(label) | ClaimsError::Unknown(label) => OpenError::Claim(label),
            ClaimsError::Shape => OpenError::Malformed,
        })
    }
}

/// The key that a token names, whether it is right or not.
#[must_use]
pub fn kid_of(text: &str) -> Option<Vec<u8>> {
    Mac0::read(text).ok()?.key_id
}

impl Mac0 {
    fn read(text: &str) -> Result<Self, OpenError> {
        let bytes = Some(text).filter(|text| text.len() <= LONGEST).and_then(base64url::decode).ok_or(OpenError::Malformed)?;
        let value = Value::decode(&bytes).ok_or(OpenError::Malformed)?;
        Self::of(value).ok_or(OpenError::Malformed)
    }

    fn of(value: Value) -> Option<Self> {
        let value = match value {
            Value::Tag(CWT_TAG, value) => *value,
            value => value,
        };
        // Without a tag it is a COSE_Mac0 by the context (RFC 9052 section 2).
        let value = match value {
            Value::Tag(MAC0_TAG, value) => *value,
            Value::Tag(..) => return None,
            value => value,
        };
        let Value::Array(parts) = value else { return None };
        let [Value::Bytes(protected), unprotected, Value::Bytes(payload), Value::Bytes(code)] = <[Value; 4]>::try_from(parts).ok()? else {
            return None;
        };
        let header = if protected.is_empty() { Value::Map(Vec::new()) } else { Value::decode(&protected)? };
        let find =
            |map: &Value, label: i64| map.map()?.iter().find(|(key, _)| key.integer() == Some(label)).map(|(_, value)| value.clone());
        if find(&header, CRIT).is_some() || unprotected.map().is_none() {
            return None;
        }
        let key_id = match find(&header, KID).or_else(|| find(&unprotected, KID)) {
            Some(Value::Bytes(id)) => Some(id),
            Some(Value::Text(id)) => Some(id.into_bytes()),
            _ => None,
        };
        // Only what is under the code may say how the code is made.
        let algorithm = find(&header, ALG).and_then(|algorithm| algorithm.integer());
        Some(Self { protected, key_id, algorithm, payload, code: code.try_into().ok()? })
    }

    /// The code over `["MAC0", protected, h'', payload]`.
    fn code(&self, key: &Key) -> [u8; 32] {
        let mut start = Vec::with_capacity(self.protected.len() + 24);
        head(&mut start, 4, 4);
        head(&mut start, 3, 4);
        start.extend_from_slice(b"MAC0");
        head(&mut start, 2, self.protected.len() as u64);
        start.extend_from_slice(&self.protected);
        head(&mut start, 2, 0);
        head(&mut start, 2, self.payload.len() as u64);
        hmac_sha256(key.secret(), &[&start, &self.payload])
    }
}
