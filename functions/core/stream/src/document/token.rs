use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{Json, KeyHash, format_utc, parse_utc};

/// What an API token allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// See streams, sessions, the names of keys.
    StreamsRead,
    /// Make, change and delete streams and playback ids.
    StreamsWrite,
    /// Make and revoke stream keys and publish tokens.
    KeysWrite,
    /// Say things at moments of a session.
    CuesWrite,
    /// See and change where events are sent.
    WebhooksWrite,
    /// Make and revoke API tokens: as good as everything.
    TokensWrite,
    /// See who changed what.
    AuditRead,
    /// See figures about viewers.
    AnalyticsRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 8] = [
        Self::StreamsRead,
        Self::StreamsWrite,
        Self::KeysWrite,
        Self::CuesWrite,
        Self::WebhooksWrite,
        Self::TokensWrite,
        Self::AuditRead,
        Self::AnalyticsRead,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StreamsRead => "streams:read",
            Self::StreamsWrite => "streams:write",
            Self::KeysWrite => "keys:write",
            Self::CuesWrite => "cues:write",
            Self::WebhooksWrite => "webhooks:write",
            Self::TokensWrite => "tokens:write",
            Self::AuditRead => "audit:read",
            Self::AnalyticsRead => "analytics:read",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// `meta/tokens.json`: every API token. One object, so that a check costs one read that caches keep.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ApiTokens {
    tokens: Vec<ApiToken>,
}

/// What is kept of an API token: not the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiToken {
    /// Stands in the token, in clear: `tga_<id>_<secret>`.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The hash of the whole token.
    pub hash: KeyHash,
    /// When it was made, in ms since 1970.
    pub created_utc_ms: u64,
    /// From when on it allows nothing, in ms since 1970.
    pub expires_utc_ms: Option<u64>,
}

/// Why a request is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// No token, or none that is known and valid.
    Unknown,
    /// The token does not allow this.
    Scope,
}

const PREFIX: &str = "tga_";
/// Tokens that can be there at once.
const TOKENS_MAX: usize = 256;

impl ApiTokens {
    /// Reads the document; `None` where it is not one, so that nobody writes over what could not be read.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let document = Json::parse(text).ok()?;
        let token = |json: &Json| {
            Some(ApiToken {
                id: json.text_of("id").into(),
                name: json.text_of("name").into(),
                scopes: json.texts_of("scopes").filter_map(Scope::parse).collect(),
                hash: KeyHash::parse(json.text_of("hash"))?,
                created_utc_ms: parse_utc(json.text_of("created"))?,
                // What says that it expires and not when has expired.
                expires_utc_ms: json.get("expires").and_then(Json::text).map(|text| parse_utc(text).unwrap_or(0)),
            })
        };
        let tokens: Option<Vec<_>> = document.get("tokens")?.items().iter().map(token).collect();
        Some(Self { tokens: tokens? })
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let tokens = self.tokens.iter().map(|token| token.public().with("hash", token.hash.to_string()));
        Json::object().with("tokens", tokens.collect::<Vec<_>>()).to_bytes()
    }

    /// Every token.
    #[must_use]
    pub fn all(&self) -> &[ApiToken] {
        &self.tokens
    }

    /// Adds a token; false where there are too many. What has expired makes room.
    #[must_use]
    pub fn add(&mut self, token: ApiToken) -> bool {
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.retain(|known| known.is_valid(token.created_utc_ms));
        }
        let fits = self.tokens.len() < TOKENS_MAX;
        if fits {
            self.tokens.push(token);
        }
        fits
    }

    /// Takes a token out; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.id != id);
        self.tokens.len() < before
    }

    /// Who may do something, given what stands in the request's `Authorization`.
    pub fn check(&self, authorization: Option<&str>, scope: Scope, now_utc_ms: u64) -> Result<&ApiToken, Denied> {
        let (scheme, token) = authorization.and_then(|value| value.split_once(' ')).ok_or(Denied::Unknown)?;
        let token = token.trim();
        let id = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).map(|(id, _)| id);
        let id = id.filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or(Denied::Unknown)?;
        // The id is no secret. What is compared in constant time is a hash, whose bytes nobody can choose.
        let known = self.tokens.iter().find(|known| known.id == id).ok_or(Denied::Unknown)?;
        if !known.hash.is_same(&KeyHash::of(token)) || !known.is_valid(now_utc_ms) {
            return Err(Denied::Unknown);
        }
        if known.scopes.contains(&scope) { Ok(known) } else { Err(Denied::Scope) }
    }
}

impl ApiToken {
    /// Makes a token from randomness: what is kept, and the token itself, which is shown once.
    #[must_use]
    pub fn new(random: &[u8; 32], name: &str, scopes: Vec<Scope>, created_utc_ms: u64, expires_utc_ms: Option<u64>) -> (Self, String) {
        let (first, rest) = random.split_at(8);
        let id = crate::id::symbols(first);
        let token = format!("{PREFIX}{id}_{}", crate::id::symbols(rest));
        let kept = Self { id, name: name.into(), scopes, hash: KeyHash::of(&token), created_utc_ms, expires_utc_ms };
        (kept, token)
    }

    /// What may be shown of it.
    #[must_use]
    pub fn public(&self) -> Json {
        let scopes: Vec<Json> = self.scopes.iter().map(|scope| Json::from(scope.as_str())).collect();
        let token = Json::object().with("id", self.id.as_str()).with("name", self.name.as_str()).with("scopes", scopes);
        token.with("created", format_utc(self.created_utc_ms)).with("expires", self.expires_utc_ms.map(format_utc))
    }

    fn is_valid(&self, now_utc_ms: u64) -> bool {
        self.expires_utc_ms.is_none_or(|expires| now_utc_ms < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(scopes: &[Scope], expires_utc_ms: Option<u64>) -> (ApiTokens, String) {
        let mut tokens = ApiTokens::default();
        let (kept, token) = ApiToken::new(&[7; 32], "ci", scopes.to_vec(), 1000, expires_utc_ms);
        assert!(tokens.add(kept));
        (ApiTokens::parse(&tokens.to_bytes()).unwrap(), token)
    }

    #[test]
    fn token_opens_what_its_scopes_say_until_it_expires() {
        let (tokens, token) = one(&[Scope::StreamsRead], Some(2000));
        let bearer = format!("Bearer {token}");
        let check = |authorization, scope, now| tokens.check(authorization, scope, now).map(|known| known.name.as_str());
        assert_eq!(check(Some(&bearer), Scope::StreamsRead, 1999), Ok("ci"));
        assert_eq!(check(Some(&bearer), Scope::StreamsWrite, 1999), Err(Denied::Scope));
        assert_eq!(check(Some(&bearer), Scope::StreamsRead, 2000), Err(Denied::Unknown));
        for wrong in [
            None,
            Some(""),
            Some("Bearer "),
            Some("Bearer tga_"),
            Some(token.as_str()),
            Some(&format!("Basic {token}")),
            Some(&format!("{bearer}x")),
        ] {
            assert_eq!(check(wrong, Scope::StreamsRead, 1000), Err(Denied::Unknown), "{wrong:?}");
        }
    }

    #[test]
    fn document_has_no_token_and_a_broken_one_is_not_empty() {
        let (tokens, token) = one(&Scope::ALL, None);
        let text = String::from_utf8(tokens.to_bytes()).unwrap();
        assert!(!text.contains(&token[13..]) && text.contains(&KeyHash::of(&token).to_string()));
        assert_eq!(ApiTokens::parse(b"{}"), None);
        assert_eq!(ApiTokens::parse(&text.as_bytes()[1..]), None);
    }
}
