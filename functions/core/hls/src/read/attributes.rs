use alloc::{string::String, vec::Vec};

use super::{Error, Line, owned, value};

/// The attributes of a tag in their order, quotation marks removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes(pub Vec<(String, String)>);

impl Attributes {
    /// The value of an attribute.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// An attribute list as it stands in the text.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    line: Line<'a>,
    tag: &'static str,
    text: &'a str,
}

impl<'a> List<'a> {
    pub(super) fn new(line: Line<'a>, tag: &'static str, text: &'a str) -> Self {
        Self { line, tag, text }
    }

    pub(super) fn owned(self) -> Attributes {
        Attributes(self.pairs().map(|(name, value)| (owned(name), owned(value))).collect())
    }

    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    pub(super) fn owned_text(self, name: &str) -> Option<String> {
        self.text(name).map(owned)
    }

    pub(super) fn required(self, name: &'static str) -> Result<&'a str, Error> {
        self.text(name).ok_or_else(|| self.bad(name))
    }

    /// `YES` or not: any other word is no, as the specification treats what it does not know.
    pub(super) fn yes(self, name: &str) -> bool {
        self.text(name) == Some("YES")
    }

    pub(super) fn integer(self, name: &'static str) -> Result<Option<u64>, Error> {
        self.read(name, value::integer)
    }

    pub(super) fn micros(self, name: &'static str) -> Result<Option<u64>, Error> {
        self.read(name, value::millionths)
    }

    pub(super) fn read<T>(self, name: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
        self.text(name).map(|text| read(text).ok_or_else(|| self.bad(name))).transpose()
    }

    pub(super) fn bad(self, what: &'static str) -> Error {
        self.line.value(self.tag, what)
    }

    fn pairs(self) -> Pairs<'a> {
        Pairs { rest: self.text }
    }
}

/// `NAME=value` pairs between commas; a comma inside quotation marks does not divide.
struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.rest.trim_start_matches([',', ' ', '\t']);
            if text.is_empty() {
                return None;
            }
            let end = text.find(['=', ',']).unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            let Some(rest) = rest.strip_prefix('=') else {
                // A word without a value says nothing.
                self.rest = rest;
                continue;
            };
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
            };
            // What stands between a closing quotation mark and the comma belongs to nothing.
            self.rest = rest.split_once(',').map_or("", |(_, rest)| rest);
            return Some((name.trim(), value.trim()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&str, &str)> {
        Pairs { rest: text }.collect()
    }

    #[test]
    fn commas_in_quotes_do_not_divide() {
        assert_eq!(pairs("A=1,CODECS=\"a,b\",C=x"), [("A", "1"), ("CODECS", "a,b"), ("C", "x")]);
    }

    #[test]
    fn broken_lists_give_what_can_be_read() {
        assert_eq!(pairs(",, A , B=2, C=\"open"), [("B", "2"), ("C", "open")]);
        assert_eq!(pairs("A=\"x\"y,B=1"), [("A", "x"), ("B", "1")]);
        assert_eq!(pairs("=,=="), [("", ""), ("", "=")]);
    }
}
