use tidegate_stream::{Msn, PartIndex};

/// The delivery directives of a playlist request (rfc8216bis, 6.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Directives {
    /// `_HLS_msn`: answer when this segment is there …
    pub msn: Option<Msn>,
    /// `_HLS_part`: … or, with this, when this part of it is there.
    pub part: Option<PartIndex>,
    /// `_HLS_skip`: answer with a delta.
    pub skip: Option<Skip>,
}

/// What a client that asks for a delta can do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// `YES`: old segments.
    Segments,
    /// `v2`: old segments and old date ranges.
    DateRanges,
}

/// Why directives cannot be followed; each is the client's fault (400).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectiveError {
    /// Not a decimal integer.
    #[error("_HLS_msn has to be a decimal number")]
    Msn,
    /// Not a decimal integer.
    #[error("_HLS_part has to be a decimal number")]
    Part,
    /// Neither `YES` nor `v2`.
    #[error("_HLS_skip has to be YES or v2")]
    Skip,
    /// A part of no segment (rfc8216bis, 6.2.5.2).
    #[error("_HLS_part needs _HLS_msn")]
    PartAlone,
    /// The same directive twice.
    #[error("a delivery directive must not be given twice")]
    Twice,
}

impl Directives {
    /// Reads the directives of a query; other parameters are nobody's business here.
    pub fn parse(query: &str) -> Result<Self, DirectiveError> {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let twice = match name {
                "_HLS_msn" => found.msn.replace(Msn(number(value).ok_or(DirectiveError::Msn)?)).is_some(),
                "_HLS_part" => {
                    let part = number(value).and_then(|number| u32::try_from(number).ok());
                    found.part.replace(PartIndex(part.ok_or(DirectiveError::Part)?)).is_some()
                }
                "_HLS_skip" => {
                    let skip = match value {
                        "YES" => Skip::Segments,
                        "v2" => Skip::DateRanges,
                        _ => return Err(DirectiveError::Skip),
                    };
                    found.skip.replace(skip).is_some()
                }
                _ => false,
            };
            if twice {
                return Err(DirectiveError::Twice);
            }
        }
        if found.part.is_some() && found.msn.is_none() {
            return Err(DirectiveError::PartAlone);
        }
        Ok(found)
    }
}

/// A decimal number of the size that any playlist can have; signs and spaces are not digits.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn directives_are_found_among_other_parameters() {
        let found = Directives::parse("token=a%3Db&_HLS_msn=12&x&_HLS_part=3&_HLS_skip=v2").unwrap();
        assert_eq!(found, Directives { msn: Some(Msn(12)), part: Some(PartIndex(3)), skip: Some(Skip::DateRanges) });
        assert_eq!(Directives::parse(""), Ok(Directives::default()));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for (query, error) in [
            ("_HLS_msn=", DirectiveError::Msn),
            ("_HLS_msn=-1", DirectiveError::Msn),
            ("_HLS_msn=+1", DirectiveError::Msn),
            ("_HLS_msn=1.5", DirectiveError::Msn),
            ("_HLS_msn=9999999999999999999999", DirectiveError::Msn),
            ("_HLS_msn=1&_HLS_part=x", DirectiveError::Part),
            ("_HLS_msn=1&_HLS_part=4294967296", DirectiveError::Part),
            ("_HLS_part=1", DirectiveError::PartAlone),
            ("_HLS_skip=no", DirectiveError::Skip),
            ("_HLS_msn=1&_HLS_msn=1", DirectiveError::Twice),
        ] {
            assert_eq!(Directives::parse(query), Err(error), "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in ".{0,60}|(&?_HLS_(msn|part|skip)=[0-9a-zA-Z+-]{0,22}){0,4}") {
            let _ = Directives::parse(&query);
        }
    }
}
