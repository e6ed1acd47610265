//! A token is any text: it opens or is refused. What opens, after its code was made right, is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_token::{Asked, Key, Keys, Revocations, Token, kid_of};

fuzz_target!(|bytes: &[u8]| {
    let Ok(key) = Key::new("k", vec![7; 32]) else { return };
    let Ok(keys) = Keys::new(vec![key.clone()]) else { return };
    // As a text, and as the bytes that a text stands for.
    let text = String::from_utf8_lossy(bytes);
    let encoded = base64url(bytes);
    for text in [text.as_ref(), encoded.as_str()] {
        let _ = kid_of(text);
        let _ = Token::open(text, &keys);
        let Ok(claims) = Token::peek(text) else { continue };
        let sealed = Token::seal(&claims, &key);
        if sealed.len() <= 2048 {
            assert_eq!(Token::open(&sealed, &keys).map(|token| token.claims), Ok(claims.clone()));
        }
        let path = "/live/demo/index.m3u8";
        let asked = Asked { now_s: 1_790_000_000, method: "GET", scheme: "https", authority: "a:1", path, query: "q", country: Some("DE"), audience: "x" };
        let _ = claims.allow(&asked, &Revocations::default());
        let _ = (claims.is_bound_to("/live/demo/"), claims.renew(1_790_000_000, [0; 16]));
    }
});

fn base64url(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().chain([0; 2].iter()).take(3).fold(0_usize, |bits, b| bits << 8 | usize::from(*b));
        (0..=chunk.len()).for_each(|n| out.push(char::from(alphabet[(bits >> (18 - 6 * n)) & 63])));
    }
    out
}
