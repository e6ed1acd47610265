use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use tidegate_function::{Answer, Fetched, Header, Input, Job, Output, Request, World};
use tidegate_token::{Claims, Key, Match, MatchKind, Renewal, RenewalKind, Token, UriPart};

use crate::{Guarded, PREFIX, State, TOKEN};

const NOW_S: u64 = 1_790_000_000;

/// Shows what it was asked for, as a manifest function would show media.
#[derive(Debug)]
struct Shows(Request);

impl Job for Shows {
    type State = ();

    fn poll(&mut self, (): &mut (), _: &World) -> Output {
        let header = |name| self.0.header(name).unwrap_or("-");
        let line = format!("{}?{} {} {}", self.0.path, self.0.query, header(PREFIX), header(TOKEN).len());
        let headers: Vec<Header> = vec![("cache-control", "public, max-age=31536000, immutable".into())];
        Output::Answer(Answer::Respond { status: 200, headers, body: line.into_bytes() })
    }

    fn handle(&mut self, (): &mut (), _: &World, _: Input) {}
}

/// The documents of a bucket, and an edge that reads them.
struct Edge {
    documents: Vec<(String, String)>,
    fails: bool,
    reads: usize,
    state: State<()>,
    now_s: u64,
}

struct Seen {
    status: u16,
    headers: Vec<Header>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

fn key(byte: u8) -> Key {
    Key::new("k1", vec![byte; 32]).unwrap()
}

impl Edge {
    fn new(playback: &str) -> Self {
        let keys = tidegate_token::Keys::new(vec![key(1)]).unwrap();
        let documents = vec![
            ("meta/streams/demo.json".to_string(), format!(r#"{{"id":"demo","title":"x","playback":{playback}}}"#)),
            ("meta/playback-keys.json".to_string(), serde_json::to_string(&keys).unwrap()),
        ];
        Self { documents, fails: false, reads: 0, state: State::default(), now_s: NOW_S }
    }

    fn ask(&mut self, path: &str, headers: &[(&str, &str)]) -> Seen {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers = headers.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        self.run(Request { method: "GET".into(), path: path.into(), query: query.into(), headers, ..Request::default() })
    }

    fn run(&mut self, request: Request) -> Seen {
        let mut job = Guarded::new(request, Shows);
        let world = World { now_utc_ms: self.now_s * 1000, random: [7; 32] };
        for _ in 0..9 {
            match job.poll(&mut self.state, &world) {
                Output::Answer(Answer::Respond { status, headers, body }) => {
                    return Seen { status, headers, body: String::from_utf8(body).unwrap() };
                }
                Output::Fetch { key, .. } => {
                    self.reads += 1;
                    let found = self.documents.iter().find(|(known, _)| *known == key);
                    let fetched = match found {
                        _ if self.fails => Fetched::Failed,
                        Some((_, text)) => Fetched::Got { bytes: text.clone().into_bytes(), etag: None, age_ms: None },
                        None => Fetched::Missing,
                    };
                    job.handle(&mut self.state, &world, Input::Fetched(fetched));
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no answer");
    }
}

#[test]
fn a_stream_that_is_switched_off_is_shown_to_nobody() {
    let mut edge = Edge::new(r#"{"access":"public"}"#);
    edge.documents[0].1 = r#"{"enabled":false,"playback":{"access":"public"}}"#.to_string();
    let seen = edge.ask("/live/demo/index.m3u8", &[]);
    assert!(seen.status == 403 && seen.body.contains("this stream is switched off"), "{}", seen.body);
    // No document can say so by its word for access.
    let mut edge = Edge::new(r#"{"access":"off"}"#);
    assert!(edge.ask("/live/demo/index.m3u8", &[]).body.contains("nobody may watch this"));
    let mut edge = Edge::new(r#"{"access":"public"}"#);
    edge.documents[0].1 = r#"{"enabled":true}"#.to_string();
    assert_eq!(edge.ask("/live/demo/index.m3u8", &[]).status, 200);
}

fn claims() -> Claims {
    Claims {
        expires_s: Some(NOW_S + 600),
        id: Some(vec![1, 2, 3]),
        uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/demo/".into() }],
        ..Claims::default()
    }
}

fn token(claims: &Claims) -> String {
    Token::seal(claims, &key(1))
}

const MEDIA: &str = "/live/demo/0000000000000000000a/high/7.m4s";

#[test]
fn a_stream_without_policy_is_open_and_its_answers_are_shared() {
    let mut edge = Edge::new("{}");
    let seen = edge.ask(MEDIA, &[]);
    assert_eq!((seen.status, seen.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    edge.documents.clear();
    assert_eq!(edge.ask("/live/other/index.m3u8", &[]).status, 200);
    assert_eq!(edge.reads, 2);
    edge.ask(MEDIA, &[]);
    assert_eq!(edge.reads, 2, "a policy is known for some seconds");
}

#[test]
fn every_way_to_carry_a_token_opens() {
    for access in ["signed", "token", "private"] {
        let mut edge = Edge::new(&format!(r#"{{"access":"{access}"}}"#));
        let token = token(&claims());
        for (path, headers) in [
            (format!("/~{token}{MEDIA}"), vec![]),
            (MEDIA.to_string(), vec![("cta-common-access-token", token.clone())]),
            (MEDIA.to_string(), vec![("authorization", format!("bearer {token}"))]),
            (MEDIA.to_string(), vec![("cookie", format!("a=b; CTA-Common-Access-Token={token}"))]),
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let seen = edge.ask(&path, &headers);
            assert_eq!(seen.status, 200, "{}", seen.body);
            assert_eq!(seen.header("cache-control"), "private, max-age=600, immutable");
            let prefix = if path.starts_with("/~") { format!("/~{token}") } else { "-".into() };
            assert_eq!(seen.body, format!("{MEDIA}? {prefix} {}", token.len()));
        }
        let seen = edge.ask(&format!("/live/demo/index.m3u8?a=1&token={token}&b=2"), &[]);
        assert_eq!((seen.status, seen.header("location")), (302, format!("/~{token}/live/demo/index.m3u8?a=1&b=2").as_str()));
    }
}

#[test]
fn a_cdn_that_checks_tokens_itself_gets_what_it_may_share() {
    let cdn = |claims: Claims| token(&Claims { subject: Some("cdn".into()), ..claims });
    let control = |playback: &str, path: &str, headers: &[(&str, &str)]| {
        let seen = Edge::new(playback).ask(path, headers);
        assert_eq!(seen.status, 200, "{}", seen.body);
        (seen.header("cache-control").to_string(), seen.body)
    };
    let (signed, own) = (r#"{"access":"signed"}"#, cdn(claims()));
    let (shared, body) = control(signed, MEDIA, &[("cta-common-access-token", &own)]);
    assert!(shared.starts_with("public"), "{shared}");
    assert_eq!(body, format!("{MEDIA}? - 1"), "the function behind sees nobody's token");
    // In an address it is a viewer's, and so is everything where the answer depends on the country.
    assert!(control(signed, &format!("/~{own}{MEDIA}"), &[]).0.starts_with("private"));
    let abroad =
        control(r#"{"access":"signed","countries":["DE"]}"#, MEDIA, &[("cta-common-access-token", &own), ("viewer-country", "DE")]);
    assert!(abroad.0.starts_with("private"), "{}", abroad.0);
    assert!(control(signed, MEDIA, &[("cta-common-access-token", &token(&claims()))]).0.starts_with("private"));
    let of_a_country = cdn(Claims { countries: vec!["DE".into()], ..claims() });
    assert!(control(signed, MEDIA, &[("cta-common-access-token", &of_a_country), ("viewer-country", "DE")]).0.starts_with("private"));
    let narrow = Claims {
        id: Some(vec![1; 16]),
        uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/demo/".into() }],
        ..claims()
    };
    assert!(control(r#"{"access":"private"}"#, MEDIA, &[("cta-common-access-token", &cdn(narrow))]).0.starts_with("private"));
    let ended = cdn(Claims { expires_s: Some(NOW_S), ..claims() });
    assert_eq!(Edge::new(signed).ask(MEDIA, &[("cta-common-access-token", &ended)]).status, 401);
}

#[test]
fn who_may_not_watch_gets_a_reason_and_nothing_else() {
    let mut edge = Edge::new(r#"{"access":"signed"}"#);
    let mut check = |token: Option<&str>, status: u16, why: &str| {
        let path = token.map_or_else(|| MEDIA.to_string(), |token| format!("/~{token}{MEDIA}"));
        let seen = edge.ask(&path, &[]);
        assert_eq!(seen.status, status, "{}", seen.body);
        assert!(seen.body.contains(why) && !seen.body.contains("7.m4s"), "{}", seen.body);
        assert_eq!((seen.header("content-type"), seen.header("cache-control")), ("application/problem+json", "no-store"));
    };
    check(None, 401, "needs a playback token");
    check(Some("abc"), 401, "not a Common Access Token");
    check(Some(""), 401, "not a Common Access Token");
    check(Some(&token(&Claims { expires_s: Some(NOW_S), ..claims() })), 401, "expired");
    check(Some(&Token::seal(&claims(), &key(2))), 401, "right key");
    check(Some(&Token::seal(&claims(), &Key::new("k2", vec![1; 32]).unwrap())), 401, "not known here");
    let other = Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/other/".into() };
    check(Some(&token(&Claims { uri: vec![other], ..claims() })), 403, "another address");
    check(Some(&token(&Claims { countries: vec!["FR".into()], ..claims() })), 403, "country");
    check(Some(&token(&Claims { methods: vec!["POST".into()], ..claims() })), 403, "method");
    edge.documents.push(("meta/revocations.json".into(), r#"{"tokens":["010203"]}"#.into()));
    edge.now_s += 5;
    let seen = edge.ask(&format!("/~{}{MEDIA}", token(&claims())), &[]);
    assert_eq!(seen.status, 403);
    assert!(seen.body.contains("revoked"));
}

#[test]
fn a_private_stream_takes_only_narrow_tokens() {
    let mut edge = Edge::new(r#"{"access":"private"}"#);
    for wide in [
        Claims { uri: Vec::new(), ..claims() },
        Claims { expires_s: None, ..claims() },
        Claims { id: None, ..claims() },
        Claims { uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/".into() }], ..claims() },
    ] {
        let seen = edge.ask(&format!("/~{}{MEDIA}", token(&wide)), &[]);
        assert_eq!(seen.status, 403, "{wide:?}");
    }
}

#[test]
fn countries_close_public_streams_too() {
    let mut edge = Edge::new(r#"{"countries":["DE","US"],"blocked_countries":["US-CA"]}"#);
    for (country, status) in [("DE", 200), ("us-ny", 200), ("US-CA", 403), ("FR", 403)] {
        let seen = edge.ask(MEDIA, &[("viewer-country", country)]);
        assert_eq!(seen.status, status, "{country}");
        assert!(!seen.header("cache-control").contains("public"));
    }
    assert_eq!(edge.ask(MEDIA, &[]).status, 403);
}

#[test]
fn what_cannot_be_read_opens_nothing() {
    for playback in [r#"{"access":"friends"}"#, "7", r#"{"access":7}"#] {
        let mut edge = Edge::new(playback);
        assert_eq!(edge.ask(MEDIA, &[]).status, 403, "{playback}");
    }
    let mut edge = Edge::new(r#"{"access":"signed"}"#);
    let path = format!("/~{}{MEDIA}", token(&claims()));
    edge.fails = true;
    assert_eq!(edge.ask(&path, &[]).status, 503);
    edge.fails = false;
    assert_eq!(edge.ask(&path, &[]).status, 200);
    edge.fails = true;
    edge.now_s += 30;
    assert_eq!(edge.ask(&path, &[]).status, 200, "a store that is away for a moment closes nothing");
    edge.now_s += 60;
    assert_eq!(edge.ask(&path, &[]).status, 503);
    let mut edge = Edge::new(r#"{"access":"signed"}"#);
    edge.documents[1].1 = "{".into();
    assert_eq!(edge.ask(&path, &[]).status, 503, "keys that cannot be read are not no keys");
    let mut edge = Edge::new(r#"{"access":"signed"}"#);
    edge.documents.push(("meta/revocations.json".into(), "[".into()));
    assert_eq!(edge.ask(&path, &[]).status, 503);
    edge.documents.remove(0);
    edge.documents.push(("meta/streams/demo.json".into(), r#"{"id":"demo","deleted":true}"#.into()));
    edge.now_s += 100;
    assert_eq!(edge.ask(MEDIA, &[]).status, 403);
}

#[test]
fn tokens_are_renewed_the_way_they_came() {
    let mut edge = Edge::new(r#"{"access":"signed"}"#);
    let renewal = |kind| Renewal { kind, adds_s: 600, deadline_s: Some(60), name: None, parameters: Vec::new(), status: None };
    let mut ask = |kind, headers: &dyn Fn(&str) -> Vec<(&'static str, String)>, in_path: bool| {
        let old = token(&Claims { expires_s: Some(NOW_S + 30), renewal: Some(renewal(kind)), ..claims() });
        let headers = headers(&old);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = if in_path { format!("/~{old}{MEDIA}") } else { MEDIA.into() };
        edge.ask(&path, &headers)
    };
    let in_header = |token: &str| vec![("cta-common-access-token", token.to_string())];
    let in_cookie = |token: &str| vec![("cookie", format!("cta-common-access-token={token}"))];
    let renewed = |text: &str| {
        let keys = tidegate_token::Keys::new(vec![key(1)]).unwrap();
        Token::open(text, &keys).unwrap().claims.expires_s == Some(NOW_S + 600)
    };
    assert!(renewed(ask(RenewalKind::Automatic, &in_header, false).header("cta-common-access-token")));
    let seen = ask(RenewalKind::Automatic, &in_cookie, false);
    let cookie = seen.header("set-cookie").strip_prefix("cta-common-access-token=").unwrap();
    assert!(renewed(cookie.strip_suffix("; Path=/; Secure; HttpOnly; SameSite=None").unwrap()));
    let seen = ask(RenewalKind::Automatic, &|_| Vec::new(), true);
    assert_eq!(seen.status, 302);
    let location = seen.header("location").strip_prefix("/~").unwrap();
    assert!(renewed(location.strip_suffix(MEDIA).unwrap()));
    assert_eq!(ask(RenewalKind::Header, &|_| Vec::new(), true).status, 200);
}

#[test]
fn what_no_policy_is_about_passes_as_it_is() {
    let mut edge = Edge::new(r#"{"access":"signed"}"#);
    let seen = edge.ask("/api/v1/streams?token=7", &[("authorization", "Bearer x"), (PREFIX, "/~evil"), (TOKEN, "evil")]);
    assert_eq!((seen.status, seen.body.as_str(), edge.reads), (200, "/api/v1/streams?token=7 - 1", 0));
    let preflight = Request { method: "OPTIONS".into(), path: MEDIA.into(), ..Request::default() };
    assert_eq!(edge.run(preflight).status, 200);
}
