//! A viewer's `Range` header, against a body of any length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_function::Ranged;

fuzz_target!(|input: (u64, &str)| {
    let (len, value) = input;
    if let Ranged::Bytes { first, last } = Ranged::of(Some(value), len) {
        assert!(first <= last && last < len, "{first}-{last} of {len}");
    }
});
