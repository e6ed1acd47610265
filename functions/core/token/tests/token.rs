//! Tokens as a whole: what opens and what does not, and with which reason.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
use proptest::prelude::*;
use tidegate_token::{Asked, Claims, Key, Keys, Match, MatchKind, OpenError, Refusal, Renewal, RenewalKind, Revocations, Token, UriPart};

fn key(id: &str, byte: u8) -> Key {
    Key::new(id, vec![byte; 32]).unwrap()
}

fn keys() -> Keys {
    Keys::new(vec![key("new", 1), key("old", 2)]).unwrap()
}

fn claims() -> Claims {
    Claims {
        issuer: Some("shop.example".into()),
        subject: Some("bob".into()),
        audience: vec!["tidegate".into()],
        expires_s: Some(2000),
        not_before_s: Some(1000),
        issued_s: Some(1000),
        id: Some(vec![1, 2, 3, 4]),
        uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/demo/".into() }],
        methods: vec!["GET".into()],
        countries: vec!["DE".into(), "US-CA".into()],
        renewal: Some(Renewal {
            kind: RenewalKind::Cookie,
            adds_s: 600,
            deadline_s: Some(60),
            name: Some("cat".into()),
            parameters: vec!["Secure".into()],
            status: None,
        }),
    }
}

fn asked() -> Asked<'static> {
    Asked {
        now_s: 1500,
        method: "GET",
        scheme: "https",
        authority: "live.example",
        path: "/live/demo/index.m3u8",
        query: "",
        country: Some("DE"),
        audience: "tidegate",
    }
}

#[test]
fn a_token_comes_back_as_it_was_made() {
    let text = Token::seal(&claims(), keys().first().unwrap());
    let token = Token::open(&text, &keys()).unwrap();
    assert_eq!((token.claims, token.key_id.as_str()), (claims(), "new"));
    assert_eq!(claims().allow(&asked(), &Revocations::default()), Ok(()));
    assert!(text.len() < 400, "{}", text.len());
}

#[test]
fn keys_rotate_by_their_id() {
    let text = Token::seal(&claims(), &key("old", 2));
    assert_eq!(Token::open(&text, &keys()).unwrap().key_id, "old");
    assert_eq!(Token::open(&text, &Keys::new(vec![key("new", 1)]).unwrap()), Err(OpenError::UnknownKey));
    let foreign = Token::seal(&claims(), &key("old", 3));
    assert_eq!(Token::open(&foreign, &keys()), Err(OpenError::WrongCode));
}

#[test]
fn a_key_of_one_issuer_makes_no_tokens_of_another() {
    let of = |issuer: &str| {
        let mut key = key("new", 1);
        key.issuer = Some(issuer.into());
        Keys::new(vec![key]).unwrap()
    };
    let text = Token::seal(&claims(), &key("new", 1));
    assert!(Token::open(&text, &of("shop.example")).is_ok());
    assert_eq!(Token::open(&text, &of("other.example")), Err(OpenError::Issuer));
}

#[test]
fn every_bit_of_a_token_counts() {
    let text = Token::seal(&claims(), &key("new", 1));
    for at in 0..text.len() {
        let mut other = text.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        if other != text {
            assert!(Token::open(&other, &keys()).is_err(), "character {at}");
        }
    }
    for len in 0..text.len() {
        assert!(Token::open(&text[..len], &keys()).is_err());
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let none = Revocations::default();
    let check = |asked: &Asked<'_>| claims().allow(asked, &none);
    assert_eq!(check(&Asked { now_s: 2000, ..asked() }), Err(Refusal::Expired));
    assert_eq!(check(&Asked { now_s: 999, ..asked() }), Err(Refusal::NotYet));
    assert_eq!(check(&Asked { audience: "other", ..asked() }), Err(Refusal::Audience));
    assert_eq!(check(&Asked { path: "/live/demonstration/index.m3u8", ..asked() }), Err(Refusal::Address));
    assert_eq!(check(&Asked { path: "/live/demo", ..asked() }), Err(Refusal::Address));
    assert_eq!(check(&Asked { method: "POST", ..asked() }), Err(Refusal::Method));
    assert_eq!(check(&Asked { method: "HEAD", ..asked() }), Ok(()));
    assert_eq!(check(&Asked { country: Some("FR"), ..asked() }), Err(Refusal::Country));
    assert_eq!(check(&Asked { country: Some("US"), ..asked() }), Err(Refusal::Country));
    assert_eq!(check(&Asked { country: Some("us-ca"), ..asked() }), Ok(()));
    assert_eq!(check(&Asked { country: None, ..asked() }), Err(Refusal::Country));
    let revoked = |revocations: Revocations| claims().allow(&asked(), &revocations);
    assert_eq!(revoked(Revocations::new(&[&[1, 2, 3, 4]], &[], 0).unwrap()), Err(Refusal::Revoked));
    assert_eq!(revoked(Revocations::new(&[], &["bob"], 0).unwrap()), Err(Refusal::Revoked));
    assert_eq!(revoked(Revocations::new(&[], &[], 1001).unwrap()), Err(Refusal::Revoked));
    assert_eq!(revoked(Revocations::new(&[&[1, 2, 3]], &["alice"], 1000).unwrap()), Ok(()));
    let list: Revocations = serde_json::from_str(r#"{"tokens":["ff","01020304"],"issued_before_s":0}"#).unwrap();
    assert_eq!(revoked(list), Err(Refusal::Revoked));
}

#[test]
fn parts_of_addresses_fit_in_each_way() {
    let fits = |part, kind, text: &str| {
        let claims = Claims { uri: vec![Match { part, kind, text: text.into() }], ..Claims::default() };
        claims.allow(&asked(), &Revocations::default()).is_ok()
    };
    assert!(fits(UriPart::Host, MatchKind::Exact, "live.example"));
    assert!(!fits(UriPart::Host, MatchKind::Exact, "evil.example"));
    assert!(fits(UriPart::Extension, MatchKind::Suffix, "m3u8"));
    assert!(fits(UriPart::Path, MatchKind::Contains, "/demo/"));
    assert!(fits(UriPart::Stem, MatchKind::Sha256, "1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6"));
    assert!(!fits(UriPart::Stem, MatchKind::Sha256, "1BC04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6"));
    let bound = |part, kind, text: &str| {
        Claims { uri: vec![Match { part, kind, text: text.into() }], ..Claims::default() }.is_bound_to("/live/demo/")
    };
    assert!(bound(UriPart::Path, MatchKind::Prefix, "/live/demo/"));
    assert!(bound(UriPart::Path, MatchKind::Exact, "/live/demo/index.m3u8"));
    assert!(bound(UriPart::ParentPath, MatchKind::Exact, "/live/demo"));
    assert!(!bound(UriPart::Path, MatchKind::Prefix, "/live/"));
    assert!(!bound(UriPart::Path, MatchKind::Contains, "/live/demo/"));
    assert!(!bound(UriPart::Query, MatchKind::Prefix, "/live/demo/"));
}

#[test]
fn a_token_is_renewed_shortly_before_its_end_and_never_after() {
    assert_eq!(claims().renew(1939, [9; 16]), None);
    let (renewed, renewal) = claims().renew(1940, [9; 16]).map(|(claims, renewal)| (claims, renewal.clone())).unwrap();
    assert_eq!((renewed.expires_s, renewed.issued_s, renewed.id), (Some(2540), Some(1940), Some(vec![9; 16])));
    assert_eq!(renewed.uri, claims().uri);
    assert_eq!(renewal.name.as_deref(), Some("cat"));
    assert_eq!(claims().renew(2000, [9; 16]), None);
    assert_eq!(Claims { renewal: None, ..claims() }.renew(1990, [9; 16]), None);
}

#[test]
fn other_algorithms_and_claims_that_are_not_understood_are_refused() {
    // Made by hand: {1: 4} (a shortened code) in the protected header, and no header at all.
    let mut short = tidegate_text(&[0xd1, 0x84, 0x43, 0xa1, 0x01, 0x04, 0xa1, 0x04, 0x43, b'n', b'e', b'w', 0x41, 0xa0, 0x58, 0x20]);
    assert_eq!(Token::open(&short, &keys()), Err(OpenError::Algorithm));
    short = tidegate_text(&[0xd1, 0x84, 0x40, 0xa2, 0x01, 0x05, 0x04, 0x43, b'n', b'e', b'w', 0x41, 0xa0, 0x58, 0x20]);
    assert_eq!(Token::open(&short, &keys()), Err(OpenError::Algorithm), "what is not under the code says nothing");
    for bad in ["", "AAAA", "0YRDoQEF", &"A".repeat(5000)] {
        assert_eq!(Token::open(bad, &keys()), Err(OpenError::Malformed));
    }
}

/// A token of these bytes and a code of zeros.
fn tidegate_text(start: &[u8]) -> String {
    let bytes: Vec<u8> = start.iter().copied().chain([0; 32]).collect();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |n| (b >> n) & 1)).collect();
    bits.chunks(6)
        .map(|six| char::from(alphabet[six.iter().chain([0; 6].iter()).take(6).fold(0, |n, bit| n << 1 | usize::from(*bit))]))
        .collect()
}

fn any_text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/._-]{0,12}"
}

fn any_match() -> impl Strategy<Value = Match> {
    let part = prop::sample::select(vec![
        UriPart::Scheme,
        UriPart::Host,
        UriPart::Port,
        UriPart::Path,
        UriPart::Query,
        UriPart::ParentPath,
        UriPart::Filename,
        UriPart::Stem,
        UriPart::Extension,
    ]);
    let kind = prop::sample::select(vec![MatchKind::Exact, MatchKind::Prefix, MatchKind::Suffix, MatchKind::Contains, MatchKind::Sha256]);
    (part, kind, any_text()).prop_map(|(part, kind, text)| Match { part, kind, text })
}

proptest! {
    #[test]
    fn any_claims_come_back(
        issuer in prop::option::of(any_text()),
        audience in prop::collection::vec(any_text(), 0..3),
        expires_s in prop::option::of(0..i64::MAX as u64),
        id in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        one in any_match(),
        methods in prop::collection::vec(any_text(), 0..3),
    ) {
        let claims = Claims { issuer, audience, expires_s, id, uri: vec![one], methods, ..Claims::default() };
        let text = Token::seal(&claims, keys().first().unwrap());
        prop_assert_eq!(Token::open(&text, &keys()).map(|token| token.claims), Ok(claims));
    }

    #[test]
    fn any_text_is_opened_or_refused(text in "[A-Za-z0-9_=-]{0,200}") {
        prop_assert!(Token::open(&text, &keys()).is_err());
        let _ = Token::peek(&text);
    }
}
