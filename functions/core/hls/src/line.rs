use alloc::string::String;

/// Text under construction: one allocation of the expected size, and a small buffer in which numbers are written in place.
///
/// Formatting through `core::fmt` costs five times as much; a playlist of a long window has 10,000 numbers.
pub(crate) struct Text {
    text: String,
    line: [u8; LINE],
    len: usize,
}

const LINE: usize = 256;
/// The longest thing that is pushed in one piece without asking for room again: a number of 20 digits with a point.
const ROOM: usize = 32;

impl Text {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { text: String::with_capacity(capacity), line: [0; LINE], len: 0 }
    }

    pub(crate) fn finish(mut self) -> String {
        self.flush();
        self.text
    }

    pub(crate) fn str(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        match self.line.get_mut(self.len..self.len + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => {
                self.flush();
                self.text.push_str(text);
            }
        }
        self
    }

    pub(crate) fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            count += 1;
            if number == 0 {
                break;
            }
        }
        self.ascii(digits.get(20 - count..).unwrap_or_default())
    }

    /// A number with zeros in front.
    pub(crate) fn padded<const WIDTH: usize>(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [b'0'; WIDTH];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.ascii(&digits)
    }

    /// Seconds with five decimals, from units of 10 us.
    pub(crate) fn seconds(&mut self, units: u64) -> &mut Self {
        self.number(units / UNITS_PER_S).str(".").padded::<5>(units % UNITS_PER_S)
    }

    fn ascii(&mut self, bytes: &[u8]) -> &mut Self {
        if self.len + ROOM > LINE {
            self.flush();
        }
        if let Some(room) = self.line.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
        self
    }

    fn flush(&mut self) {
        // Whole texts and ASCII alone get into the line.
        let line = self.line.get(..self.len).unwrap_or_default();
        self.text.push_str(core::str::from_utf8(line).unwrap_or_default());
        self.len = 0;
    }
}

/// Durations are written in units of 10 us: five decimals.
pub(crate) const UNITS_PER_S: u64 = 100_000;

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_as_fmt_writes_them(numbers in prop::collection::vec(any::<u64>(), 0..40)) {
            let mut text = Text::with_capacity(0);
            let mut expected = String::new();
            for number in numbers {
                text.number(number).str(" ").padded::<10>(number % 10_000_000_000).str(" ").seconds(number).str("é\n");
                expected += &number.to_string();
                expected += &format!(" {:010} {}.{:05}é\n", number % 10_000_000_000, number / 100_000, number % 100_000);
            }
            prop_assert_eq!(text.finish(), expected);
        }
    }
}
