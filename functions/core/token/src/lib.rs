//! Playback tokens: CTA-5007 Common Access Tokens, read, checked against a request, made, renewed and revoked.
//!
//! A token is a COSE_Mac0 with HMAC-SHA-256 around CWT claims, in base64url. [`Token::open`] trusts nothing before the code of the
//! right key has been compared; [`Claims::allow`] then holds the claims against what is asked for. A claim that is not understood
//! here refuses the token, since it may be there to narrow what the rest allows.
//!
//! In scope: CBOR as far as tokens need it, the claims `iss sub aud exp nbf iat cti catv catu catm catgeoiso3166 catr catreplay`
//! (the last only as "may be used again"), keys by their id, revocations.
//! Out of scope: where a request carries its token and what a stream asks for (`functions/access`).
//!
//! Invariant: whatever the bytes, opening a token returns; it never panics, recurses without end, or allocates by a claimed size.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod allow;
mod base64url;
mod cbor;
mod claims;
mod cose;
mod hmac;
mod key;
mod revoked;
mod uri;

pub use allow::{Asked, Refusal};
pub use claims::{Claims, Match, MatchKind, Renewal, RenewalKind, UriPart};
pub use cose::{OpenError, Token, kid_of};
pub use key::{BadKeys, Key, Keys};
pub use revoked::{BadRevocations, Revocations};
