//! The headers in which a component talks to the host: whatever a component writes, the host reads keys that lead nowhere else.
#![no_main]
#![allow(dead_code, reason = "the modules are the host's own, and have more than is tried here")]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

#[path = "../../../functions/host/src/range.rs"]
mod range;
#[path = "../../../functions/host/src/wire.rs"]
mod wire;
#[path = "../../../functions/host/src/objects/key.rs"]
mod key;
mod objects {
    pub(crate) use crate::key::ObjectKey;
}

fn sound(key: &objects::ObjectKey) {
    let key = key.as_str();
    assert!(!key.is_empty() && !key.starts_with('/') && !key.split('/').any(|word| matches!(word, "" | "." | "..")), "{key}");
    assert!(http::Uri::try_from(format!("http://objects.internal/{key}")).is_ok_and(|uri| uri.path()[1..] == *key && uri.query().is_none()));
}

fuzz_target!(|lines: Vec<(u8, &[u8])>| {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = match name % 5 {
            0 => "tidegate-wait",
            1 => "tidegate-send",
            2 => "tidegate-load",
            3 => "tidegate-functions",
            _ => "content-type",
        };
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(HeaderName::from_static(name), value);
    }
    if let Ok(Some(wait)) = wire::wait(&headers) {
        sound(&wait.key);
    }
    if let Ok(pieces) = wire::pieces(&headers) {
        for piece in pieces {
            sound(&piece.key);
            assert!(piece.range.is_none_or(|(first, last)| first <= last));
        }
    }
    wire::load(&headers);
    wire::spoken(&headers);
    wire::strip(&mut headers);
    assert!(headers.keys().all(|name| !name.as_str().starts_with("tidegate-")));
});
