//! Tags and texts of an XML document, as places in it. Nothing is checked: what is no tag is text.
use alloc::{borrow::Cow, string::String};
use core::ops::Range;

/// One piece of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// Between two tags; comments, CDATA, declarations and processing instructions are pieces of text of their own kind.
    Text(Range<usize>),
    /// `<name …>` or `<name …/>`.
    Start { tag: Range<usize>, name: Range<usize>, is_empty: bool },
    /// `</name>`.
    End { tag: Range<usize> },
    /// Something that holds neither elements nor addresses.
    Other,
}

/// Goes through a document.
pub(super) struct Pieces<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Where `end` ends, from here on; the end of the document where it does not come.
    fn past(&self, from: usize, end: &[u8]) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.windows(end.len()).position(|window| window == end).map_or(self.text.len(), |at| from + at + end.len())
    }

    /// Past the `>` of a tag: one in quotation marks is part of a value.
    fn past_tag(&self, from: usize) -> usize {
        let mut quote = None;
        for (at, b) in self.text.iter().enumerate().skip(from) {
            match (quote, b) {
                (None, b'>') => return at + 1,
                (None, b'"' | b'\'') => quote = Some(*b),
                (Some(open), b) if open == *b => quote = None,
                _ => {}
            }
        }
        self.text.len()
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        if !rest.starts_with(b"<") {
            self.at = start + memchr::memchr(b'<', rest).unwrap_or(rest.len());
            return Some(Piece::Text(start..self.at));
        }
        for (open, close) in [(&b"<!--"[..], &b"-->"[..]), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")] {
            if rest.starts_with(open) {
                self.at = self.past(start + open.len(), close);
                return Some(Piece::Other);
            }
        }
        if rest.starts_with(b"<!") {
            // A document type may hold declarations between brackets.
            let bracket = rest.iter().position(|b| matches!(b, b'[' | b'>')).filter(|at| rest.get(*at) == Some(&b'['));
            self.at = bracket.map_or_else(|| self.past(start, b">"), |at| self.past(self.past(start + at, b"]"), b">"));
            return Some(Piece::Other);
        }
        self.at = self.past_tag(start);
        let tag = start..self.at;
        let is_closed = self.text.get(self.at - 1) == Some(&b'>');
        if rest.starts_with(b"</") {
            return Some(Piece::End { tag });
        }
        let name_len = rest.iter().skip(1).take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'>' | b'/')).count();
        if name_len == 0 || !is_closed {
            return Some(Piece::Text(tag));
        }
        let is_empty = self.text.get(self.at - 2) == Some(&b'/');
        Some(Piece::Start { name: start + 1..start + 1 + name_len, tag, is_empty })
    }
}

/// The name without its prefix.
pub(super) fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|b| *b == b':').next().unwrap_or(name)
}

/// One attribute of a tag.
pub(super) struct Attribute<'a> {
    pub(super) name: &'a [u8],
    /// Where its value stands in the document, without quotation marks.
    pub(super) at: Range<usize>,
}

/// Goes through the attributes of a tag.
pub(super) fn attributes<'a>(text: &'a [u8], tag: Range<usize>, name: &Range<usize>) -> impl Iterator<Item = Attribute<'a>> {
    let mut at = name.end;
    let text = text.get(..tag.end).unwrap_or(text);
    core::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let name_start = at + rest.iter().position(|b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'>'))?;
            let rest = text.get(name_start..)?;
            let name_len = rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'=' | b'/' | b'>'))?;
            let rest = text.get(name_start + name_len..)?;
            let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let equals = name_start + name_len + blanks;
            if text.get(equals) != Some(&b'=') {
                at = equals.max(name_start + 1);
                continue;
            }
            let rest = text.get(equals + 1..)?;
            let open = equals + 1 + rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let quote = *text.get(open)?;
            if !matches!(quote, b'"' | b'\'') {
                at = open.max(name_start + 1);
                continue;
            }
            let len = memchr::memchr(quote, text.get(open + 1..)?)?;
            at = open + len + 2;
            return Some(Attribute { name: text.get(name_start..name_start + name_len)?, at: open + 1..open + 1 + len });
        }
    })
}

/// A value as it is meant; `None` for what is not UTF-8 and for entities of the document's own.
pub(super) fn unescape(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = core::str::from_utf8(bytes).ok()?;
    if !text.contains('&') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (entity, after) = after.split_once(';')?;
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let digits = number.strip_prefix('#')?;
                let code = digits.strip_prefix(['x', 'X']).map_or_else(|| digits.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
                char::from_u32(code?)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// Writes a value so that it reads as it is meant, between any quotation marks.
pub(super) fn push_escaped(out: &mut alloc::vec::Vec<u8>, text: &str) {
    for b in text.bytes() {
        match b {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            b => out.push(b),
        }
    }
}
