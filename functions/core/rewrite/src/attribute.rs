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
        let text = self.text;
        loop {
            let name_start = skip_to(text, self.at, |b| !matches!(b, b',' | b' ' | b'\t'));
            let equals = skip_to(text, name_start, |b| matches!(b, b'=' | b','));
            if *text.get(equals)? != b'=' {
                // A word without a value says nothing.
                self.at = equals;
                continue;
            }
            let name = text.get(name_start..equals)?.trim_ascii();
            let value_start = skip_to(text, equals + 1, |b| !matches!(b, b' ' | b'\t'));
            let quoted = text.get(value_start) == Some(&b'"');
            let at = if quoted {
                let start = value_start + 1;
                start..skip_to(text, start, |b| b == b'"')
            } else {
                let end = skip_to(text, value_start, |b| b == b',');
                value_start..value_start + text.get(value_start..end)?.trim_ascii_end().len()
            };
            // What stands between a closing quotation mark and the comma belongs to nothing.
            self.at = skip_to(text, at.end, |b| b == b',');
            return Some(Attribute { name, value: text.get(at.clone())?, at, quoted });
        }
    }
}

/// The next place, from `at` on, of a byte that ends what is skipped; else the end of the text. Values are short: a call of memchr costs
/// more than it saves.
#[inline]
fn skip_to(text: &[u8], mut at: usize, ends: impl Fn(u8) -> bool) -> usize {
    while let Some(byte) = text.get(at) {
        if ends(*byte) {
            return at;
        }
        at += 1;
    }
    at
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
