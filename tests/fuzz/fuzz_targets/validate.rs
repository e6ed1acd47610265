//! The validator's reader and its rules about one playlist take any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_validate::check_text;

fuzz_target!(|bytes: &[u8]| {
    let faults = check_text(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for fault in faults {
        assert!(fault.line as usize <= lines + 1, "line {} of {lines}: {}", fault.line, fault.rule.id);
    }
});
