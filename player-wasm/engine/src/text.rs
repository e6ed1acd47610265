//! Numbers as text. The standard formatting would be a tenth of the module that a viewer downloads.

use alloc::string::String;

/// Adds a number in decimal.
pub(crate) fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// Adds a byte as two hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, byte: u8) {
    for nibble in [byte >> 4, byte & 15] {
        text.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 9, 10, 1234, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, alloc::format!("{number}"));
        }
        for byte in [0, 0x1f, 0xa0, 0xff] {
            let mut text = String::new();
            push_hex(&mut text, byte);
            assert_eq!(text, alloc::format!("{byte:02x}"));
        }
    }
}
