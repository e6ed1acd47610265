use alloc::{string::String, vec::Vec};

/// Text under construction: one allocation of the expected size, in which numbers are written in place.
///
/// Formatting through `core::fmt` costs several times as much; a playlist of a long window has 10,000 numbers.
pub(crate) struct Text {
    /// Whole texts and ASCII alone, so it is UTF-8.
    bytes: Vec<u8>,
}

impl Text {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn finish(self) -> String {
        String::from_utf8(self.bytes).unwrap_or_default()
    }

    /// The last bytes, to be changed into other ASCII.
    #[inline]
    pub(crate) fn last_mut<const LEN: usize>(&mut self) -> Option<&mut [u8; LEN]> {
        self.bytes.last_chunk_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was written since there were this many bytes.
    pub(crate) fn since(&self, len: usize) -> &[u8] {
        self.bytes.get(len..).unwrap_or_default()
    }

    /// The first `len` bytes, which are ASCII.
    #[inline]
    pub(crate) fn start_of<const ROOM: usize>(&mut self, bytes: &[u8; ROOM], len: usize) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.bytes.truncate(self.bytes.len() - ROOM.saturating_sub(len));
        self
    }

    #[inline]
    pub(crate) fn str(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Bytes that are ASCII.
    #[inline]
    pub(crate) fn ascii<const LEN: usize>(&mut self, bytes: &[u8; LEN]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    #[inline]
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
        self.bytes.extend_from_slice(digits.get(20 - count..).unwrap_or_default());
        self
    }

    /// A number with zeros in front.
    #[inline]
    pub(crate) fn padded<const WIDTH: usize>(&mut self, number: u64) -> &mut Self {
        self.ascii(&padded::<WIDTH>(number))
    }

    /// Seconds with five decimals, from units of 10 us.
    pub(crate) fn seconds(&mut self, units: u64) -> &mut Self {
        self.number(units / UNITS_PER_S).str(".").padded::<5>(units % UNITS_PER_S)
    }
}

/// The last digits of a number.
#[inline]
pub(crate) fn padded<const WIDTH: usize>(mut number: u64) -> [u8; WIDTH] {
    let mut digits = [b'0'; WIDTH];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
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
