use alloc::string::String;

use sha2::{Digest as _, Sha256};

use crate::{
    claims::{Claims, Match, MatchKind, Renewal, UriPart},
    revoked::Revocations,
    uri::Address,
};

/// What a token is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// Seconds since 1970.
    pub now_s: u64,
    /// As `GET`.
    pub method: &'a str,
    /// As `https`; empty where it is not known, and then no condition on it fits.
    pub scheme: &'a str,
    /// The Host header; empty where it is not known.
    pub authority: &'a str,
    /// The path without the token, with the slash in front.
    pub path: &'a str,
    /// The query without the token.
    pub query: &'a str,
    /// Where the viewer is, as `DE` or `US-CA`, if the edge knows.
    pub country: Option<&'a str>,
    /// What this service is called in `aud`; empty: tokens for others are not told apart.
    pub audience: &'a str,
}

/// Why a token does not open what is asked for. The words are for the viewer's developer and give nothing away about others.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `aud` names others.
    #[error("the token is for another service")]
    Audience,
    /// `catu` does not fit.
    #[error("the token is for another address")]
    Address,
    /// `catm` does not name the method.
    #[error("the token is not for this method")]
    Method,
    /// `catgeoiso3166` does not name the country, or the country is not known.
    #[error("the token is not for this country")]
    Country,
    /// The token, or everything of its subject or issue, was called back.
    #[error("the token has been revoked")]
    Revoked,
}

impl Claims {
    /// Holds the claims against what is asked for.
    pub fn allow(&self, asked: &Asked<'_>, revocations: &Revocations) -> Result<(), Refusal> {
        if self.expires_s.is_some_and(|expires_s| asked.now_s >= expires_s) {
            return Err(Refusal::Expired);
        }
        if self.not_before_s.is_some_and(|not_before_s| asked.now_s < not_before_s) {
            return Err(Refusal::NotYet);
        }
        if revocations.revokes(self) {
            return Err(Refusal::Revoked);
        }
        if !asked.audience.is_empty() && !self.audience.is_empty() && !self.audience.iter().any(|audience| audience == asked.audience) {
            return Err(Refusal::Audience);
        }
        // What is good for GET is good for the head of the same answer.
        let method = if asked.method == "HEAD" { "GET" } else { asked.method };
        if !self.methods.is_empty() && !self.methods.iter().any(|known| known == method || known == asked.method) {
            return Err(Refusal::Method);
        }
        if !self.countries.is_empty() && !asked.country.is_some_and(|country| self.countries.iter().any(|known| is_in(country, known))) {
            return Err(Refusal::Country);
        }
        let address = Address { scheme: asked.scheme, authority: asked.authority, path: asked.path, query: asked.query };
        if !self.uri.iter().all(|condition| condition.fits(&address)) {
            return Err(Refusal::Address);
        }
        Ok(())
    }

    /// Whether `catu` leaves no path but those that begin with this one.
    #[must_use]
    pub fn is_bound_to(&self, path: &str) -> bool {
        self.uri.iter().any(|condition| {
            let Match { part, kind, text } = condition;
            let whole = matches!(kind, MatchKind::Exact | MatchKind::Prefix) && matches!(part, UriPart::Path);
            let parent = *kind == MatchKind::Exact && *part == UriPart::ParentPath && path.strip_suffix('/') == Some(text);
            (whole && text.starts_with(path)) || parent
        })
    }

    /// The claims of the token that follows this one, if it is time for one: those of this one with a later end and a new name.
    #[must_use]
    pub fn renew(&self, now_s: u64, id: [u8; 16]) -> Option<(Self, &Renewal)> {
        let (renewal, expires_s) = (self.renewal.as_ref()?, self.expires_s?);
        let deadline_s = renewal.deadline_s.unwrap_or(renewal.adds_s / 2);
        if now_s >= expires_s || now_s.saturating_add(deadline_s) < expires_s {
            return None;
        }
        let claims =
            Self { expires_s: Some(now_s.saturating_add(renewal.adds_s)), issued_s: Some(now_s), id: Some(id.into()), ..self.clone() };
        // A shorter life than is left would take something away.
        (claims.expires_s > self.expires_s).then_some((claims, renewal))
    }
}

impl Match {
    fn fits(&self, address: &Address<'_>) -> bool {
        let value = address.part(self.part);
        // Schemes and hosts are the same in capitals; the rest is not.
        let lower: String;
        let value = if matches!(self.part, UriPart::Scheme | UriPart::Host) && value.bytes().any(|b| b.is_ascii_uppercase()) {
            lower = value.to_ascii_lowercase();
            lower.as_str()
        } else {
            value
        };
        match self.kind {
            MatchKind::Exact => value == self.text,
            MatchKind::Prefix => value.starts_with(&self.text),
            MatchKind::Suffix => value.ends_with(&self.text),
            MatchKind::Contains => value.contains(&self.text),
            MatchKind::Sha256 => {
                let digest = Sha256::digest(value.as_bytes());
                let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
                digest.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).eq(self.text.chars())
            }
        }
    }
}

/// `US-CA` is in `US`.
fn is_in(place: &str, known: &str) -> bool {
    place.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
        && matches!(place.as_bytes().get(known.len()), None | Some(b'-'))
}
