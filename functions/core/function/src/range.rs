/// What a `Range` header asks of a body of known length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ranged {
    /// All of it: no range, or one that RFC 9110 lets a server ignore.
    Whole,
    /// Bytes `first..=last`, both inside the body.
    Bytes {
        /// The first byte.
        first: u64,
        /// The last byte, inclusive.
        last: u64,
    },
    /// No byte of the body: 416.
    Unsatisfiable,
}

impl Ranged {
    /// Reads a `Range` header. A list of ranges, another unit and bad syntax count as no range (RFC 9110, 14.2).
    #[must_use]
    pub fn of(header: Option<&str>, len: u64) -> Self {
        let Some(range) = header else {
            return Self::Whole;
        };
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-')) else {
            return Self::Whole;
        };
        let ranged = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some((first, last.min(len.saturating_sub(1)))),
            (Some(first), None) if last.is_empty() => Some((first, len.saturating_sub(1))),
            (None, Some(0)) if first.is_empty() => return Self::Unsatisfiable,
            (None, Some(suffix)) if first.is_empty() => Some((len.saturating_sub(suffix), len.saturating_sub(1))),
            _ => None,
        };
        match ranged {
            None => Self::Whole,
            Some((first, _)) if first >= len => Self::Unsatisfiable,
            Some((first, last)) => Self::Bytes { first, last },
        }
    }
}

/// Reads decimal digits and nothing else (`str::parse` would take a sign).
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, len: u64) -> Ranged {
        Ranged::of(Some(text), len)
    }

    #[test]
    fn single_ranges_are_cut_to_the_body() {
        assert_eq!(of("bytes=0-9", 100), Ranged::Bytes { first: 0, last: 9 });
        assert_eq!(of("bytes=90-", 100), Ranged::Bytes { first: 90, last: 99 });
        assert_eq!(of("bytes=-10", 100), Ranged::Bytes { first: 90, last: 99 });
        assert_eq!(of("bytes=-1000", 100), Ranged::Bytes { first: 0, last: 99 });
        assert_eq!(of("bytes=50-1000", 100), Ranged::Bytes { first: 50, last: 99 });
    }

    #[test]
    fn ranges_without_a_byte_of_the_body_are_unsatisfiable() {
        for (text, len) in
            [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0), ("bytes=0-0", 0)]
        {
            assert_eq!(of(text, len), Ranged::Unsatisfiable, "{text} of {len}");
        }
    }

    #[test]
    fn what_is_not_one_byte_range_is_ignored() {
        for text in [
            "bytes=0-1,4-5",
            "bytes=9-0",
            "bytes=+1-2",
            "bytes=a-b",
            "bytes=-",
            "items=0-1",
            "bytes",
            "bytes=1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(of(text, 100), Ranged::Whole, "{text}");
        }
        assert_eq!(Ranged::of(None, 100), Ranged::Whole);
    }
}
