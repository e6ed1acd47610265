//! Speaks with other implementations, for `tests/browser/token.test.mjs`: a line in, a line out.
//!
//! `seal <name>` gives a token with known claims, `open <token>` says what the token says, or why it does not open.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for a test: it speaks through its output")]

use tidegate_token::{Asked, Claims, Key, Keys, Match, MatchKind, Renewal, RenewalKind, Revocations, Token, UriPart};

fn claims(name: &str) -> Claims {
    let uri = |part, kind, text: &str| Match { part, kind, text: text.into() };
    let all = Claims {
        issuer: Some("tidegate".into()),
        subject: Some("bob".into()),
        audience: vec!["one".into(), "two".into()],
        expires_s: Some(4_000_000_000),
        not_before_s: Some(1_000_000_000),
        issued_s: Some(1_000_000_000),
        id: Some(vec![0, 1, 0xfe]),
        uri: vec![
            uri(UriPart::Path, MatchKind::Prefix, "/live/demo/"),
            uri(UriPart::Host, MatchKind::Exact, "live.example"),
            uri(UriPart::Extension, MatchKind::Exact, ".m3u8"),
        ],
        methods: vec!["GET".into(), "HEAD".into()],
        countries: vec!["DE".into()],
        renewal: Some(Renewal {
            kind: RenewalKind::Header,
            adds_s: 120,
            deadline_s: Some(60),
            name: Some("renewed".into()),
            parameters: Vec::new(),
            status: None,
        }),
    };
    match name {
        "all" => all,
        "short" => Claims { issuer: Some("tidegate".into()), expires_s: Some(4_000_000_000), ..Claims::default() },
        "expired" => Claims { issuer: Some("tidegate".into()), expires_s: Some(1_000_000_000), ..Claims::default() },
        name => panic!("there is no token {name}"),
    }
}

fn main() {
    // The key of the test, 0 to 31.
    let keys = Keys::new(vec![Key::new("interop", (0..32).collect()).unwrap()]).unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("seal", name)) => println!("{}", Token::seal(&claims(name), keys.first().unwrap())),
            Some(("open", token)) => match Token::open(token, &keys) {
                Err(why) => println!("refused: {why}"),
                Ok(Token { claims, .. }) => {
                    let asked = Asked {
                        now_s: 2_000_000_000,
                        method: "GET",
                        scheme: "https",
                        authority: "live.example",
                        path: "/live/demo/index.m3u8",
                        query: "",
                        country: Some("DE"),
                        audience: "one",
                    };
                    let verdict = claims.allow(&asked, &Revocations::default()).map_or_else(|why| why.to_string(), |()| "allowed".into());
                    println!("{verdict} {claims:?}");
                }
            },
            _ => panic!("seal NAME or open TOKEN, not {line}"),
        }
    }
}
