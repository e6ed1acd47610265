use core::ops::Range;

/// One `NAME=value` of an attribute list, as places in the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a [u8],
    /// Without quotation marks.
    pub(crate) value: &'a [u8],
    /// Where the value stands, in bytes from the start of what was given, without quotation marks.
    pub(crate) at: Range<usize>,
    pub(crate) quoted: bool,
}

impl<'a> Attribute<'a> {
    /// The value as text; what is not UTF-8 is none.
    pub(crate) fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.value).ok()
    }

    pub(crate) fn number(&self) -> Option<u64> {
        self.text()?.trim().parse().ok()
    }
}

/// Goes through an attribute list; `text` is the whole line and `start` where the list begins. Lenient: what is between two
/// attributes and belongs to none is passed over.
pub(crate) fn attributes(text: &[u8], start: usize) -> Attributes<'_> {
    Attributes { text, at: start }
}

pub(crate) struct Attributes<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        loop {
            let rest = self.text.get(self.at..)?;
            let skip = rest.iter().position(|b| !matches!(b, b',' | b' ' | b'\t'))?;
            let name_start = self.at + skip;
            let rest = self.text.get(name_start..)?;
            let name_len = rest.iter().position(|b| matches!(b, b'=' | b','))?;
            let equals = name_start + name_len;
            if self.text.get(equals) != Some(&b'=') {
                // A word without a value says nothing.
                self.at = equals;
                continue;
            }
            let name = self.text.get(name_start..equals)?.trim_ascii();
            let blanks = self.text.get(equals + 1..)?.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let value_start = equals + 1 + blanks;
            let quoted = self.text.get(value_start) == Some(&b'"');
            let at = if quoted {
                let start = value_start + 1;
                let len = memchr::memchr(b'"', self.text.get(start..)?).unwrap_or(self.text.len() - start);
                start..start + len
            } else {
                let rest = self.text.get(value_start..)?;
                let len = rest.iter().position(|b| *b == b',').unwrap_or(rest.len());
                value_start..value_start + rest.get(..len)?.trim_ascii_end().len()
            };
            // What stands between a closing quotation mark and the comma belongs to nothing.
            let rest = self.text.get(at.end..)?;
            self.at = at.end + rest.iter().position(|b| *b == b',').unwrap_or(rest.len());
            return Some(Attribute { name, value: self.text.get(at.clone())?, at, quoted });
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, bool)> {
        attributes(text.as_bytes(), 0)
            .map(|a| {
                assert_eq!(text.as_bytes().get(a.at.clone()), Some(a.value));
                (String::from_utf8_lossy(a.name).into(), String::from_utf8_lossy(a.value).into(), a.quoted)
            })
            .collect()
    }

    #[test]
    fn commas_in_quotes_do_not_divide() {
        let expected = [("A", "1", false), ("CODECS", "a,b", true), ("C", "x", false)].map(|(a, b, c)| (a.into(), b.into(), c));
        assert_eq!(pairs("A=1,CODECS=\"a,b\",C=x"), expected);
        assert_eq!(pairs(" A=1 , CODECS = \"a,b\" , C= x "), expected);
    }

    #[test]
    fn broken_lists_give_what_can_be_read() {
        assert_eq!(pairs(",, A , B=2, C=\"open"), [("B".into(), "2".into(), false), ("C".into(), "open".into(), true)]);
        assert_eq!(pairs("A=\"x\"y,B=1"), [("A".into(), "x".into(), true), ("B".into(), "1".into(), false)]);
        assert_eq!(pairs(""), []);
        assert_eq!(pairs("=,==").len(), 2);
        assert_eq!(pairs("A=\""), [("A".into(), String::new(), true)]);
    }
}
