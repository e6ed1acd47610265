use core::ops::Range;

/// One line of a playlist, and where it stands in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Line<'a> {
    pub(super) start: usize,
    /// Where the next line begins.
    pub(super) next: usize,
    /// Without the line end.
    pub(super) content: &'a [u8],
}

impl<'a> Line<'a> {
    /// The name of the tag, without the hash; empty for what is none: an address, a comment, a blank line.
    pub(super) fn tag(&self) -> &'a [u8] {
        let content = self.without_mark();
        if !content.starts_with(b"#EXT") {
            return b"";
        }
        let end = content.iter().position(|b| *b == b':').unwrap_or_else(|| content.trim_ascii_end().len());
        content.get(1..end).unwrap_or_default()
    }

    /// Where the attributes of the tag begin, in bytes from the start of the line.
    pub(super) fn list(&self) -> usize {
        self.content.iter().position(|b| *b == b':').map_or(self.content.len(), |at| at + 1)
    }

    /// What follows the colon of the tag.
    pub(super) fn value(&self) -> &'a [u8] {
        self.content.get(self.list()..).unwrap_or_default()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.without_mark().trim_ascii().is_empty()
    }

    pub(super) fn is_address(&self) -> bool {
        let content = self.without_mark().trim_ascii();
        !content.is_empty() && !content.starts_with(b"#")
    }

    /// Where the text of an address stands, without the blanks around it.
    pub(super) fn trimmed(&self) -> Range<usize> {
        let content = self.without_mark();
        let end = self.start + self.content.trim_ascii_end().len();
        let start = self.start + self.content.len() - content.trim_ascii_start().len();
        start..end.max(start)
    }

    /// A byte order mark belongs to the text, not to its first line.
    fn without_mark(&self) -> &'a [u8] {
        if self.start == 0 { self.content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.content) } else { self.content }
    }
}

/// Goes through a text line by line; `\n` and `\r\n` end one.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, end: text.len() }
    }

    pub(super) fn between(text: &'a [u8], piece: Range<usize>) -> Self {
        Self { text, at: piece.start, end: piece.end.min(text.len()) }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.at >= self.end {
            return None;
        }
        let start = self.at;
        let rest = self.text.get(start..self.end)?;
        let (content, len) = match memchr::memchr(b'\n', rest) {
            Some(at) => (rest.get(..at)?, at + 1),
            None => (rest, rest.len()),
        };
        self.at = start + len;
        Some(Line { start, next: self.at, content: content.strip_suffix(b"\r").unwrap_or(content) })
    }
}
