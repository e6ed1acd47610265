//! A viewer's `Range` header, against a body of any length.
#![no_main]
#![allow(dead_code, reason = "the module is the host's own, and has more than is tried here")]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

#[path = "../../../functions/host/src/range.rs"]
mod range;

use range::Ranged;

fuzz_target!(|input: (u64, &[u8])| {
    let (len, bytes) = input;
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    if let Ranged::Bytes { first, last } = Ranged::of(Some(&value), len) {
        assert!(first <= last && last < len, "{first}-{last} of {len}");
    }
});
