/// A time span as people write it: `90s`, `15m`, `12h`, `30d`; in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span(pub(super) u64);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text.get(digits.len()..) {
            Some("s") => 1,
            Some("m") => 60,
            Some("h") => 3600,
            Some("d") => 86_400,
            _ => return Err("write it as 90s, 15m, 12h or 30d".into()),
        };
        let number: u64 = digits.parse().map_err(|_| "write it as 90s, 15m, 12h or 30d")?;
        number.checked_mul(unit).filter(|s| *s > 0).map(Self).ok_or_else(|| "this is no time span".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(["90s", "15m", "12h", "30d"].map(|text| text.parse()), [90, 900, 43_200, 2_592_000].map(|s| Ok(Span(s))));
        for bad in ["", "90", "h", "-1h", "0s", "1w", "99999999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
