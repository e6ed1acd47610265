//! How long opening a token takes: `cargo run --release -p tidegate-token --example token_timing`.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "a measurement reads the clock and prints")]

use std::{hint::black_box, time::Instant};

use tidegate_token::{Asked, Claims, Key, Keys, Match, MatchKind, Revocations, Token, UriPart};

fn main() {
    let keys = Keys::new(vec![Key::new("2026-11", vec![7; 32]).unwrap()]).unwrap();
    let claims = Claims {
        issuer: Some("shop.example".into()),
        expires_s: Some(2_000_000_000),
        id: Some(vec![7; 16]),
        uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/demo/".into() }],
        ..Claims::default()
    };
    let text = Token::seal(&claims, keys.first().unwrap());
    let asked = Asked {
        now_s: 1_900_000_000,
        method: "GET",
        scheme: "https",
        authority: "live.example",
        path: "/live/demo/index.m3u8",
        query: "",
        country: None,
        audience: "",
    };
    let ids: Vec<[u8; 16]> = (0..10_000_u128).map(u128::to_be_bytes).collect();
    let revoked = Revocations::new(&ids.iter().map(|id| &id[..]).collect::<Vec<_>>(), &[], 0).unwrap();
    let mut times: Vec<_> = (0..2001)
        .map(|_| {
            let start = Instant::now();
            let token = Token::open(black_box(&text), &keys).unwrap();
            black_box(token.claims.allow(&asked, &revoked)).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "open and allow, {} characters, 10,000 revoked: best {:.1?}  p50 {:.1?}  p95 {:.1?}",
        text.len(),
        times[0],
        times[1000],
        times[1900]
    );
}
