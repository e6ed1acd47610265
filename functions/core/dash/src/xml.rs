use alloc::{string::String, vec::Vec};
use core::fmt::{Display, Write as _};

/// XML under construction. What is written between quotation marks or as text is escaped here and nowhere else.
pub(crate) struct Xml {
    text: String,
    open: Vec<&'static str>,
    /// The start tag of the innermost element is not closed yet.
    in_tag: bool,
}

impl Xml {
    pub(crate) fn new() -> Self {
        Self { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), open: Vec::new(), in_tag: false }
    }

    /// Starts an element.
    pub(crate) fn start(&mut self, name: &'static str) -> &mut Self {
        self.close_tag();
        self.text.push('\n');
        (0..self.open.len()).for_each(|_| self.text.push(' '));
        self.text.push('<');
        self.text.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// An attribute of the element that was started last.
    pub(crate) fn attribute(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.escaped(value);
        self.text.push('"');
        self
    }

    /// Text in the element.
    pub(crate) fn text(&mut self, value: impl Display) -> &mut Self {
        self.close_tag();
        self.escaped(value);
        self
    }

    /// Ends the innermost element.
    pub(crate) fn end(&mut self) -> &mut Self {
        let Some(name) = self.open.pop() else { return self };
        if self.in_tag {
            self.text.push_str("/>");
            self.in_tag = false;
        } else {
            if self.text.ends_with('>') {
                self.text.push('\n');
                (0..self.open.len()).for_each(|_| self.text.push(' '));
            }
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push('>');
        }
        self
    }

    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.text.push('\n');
        self.text
    }

    fn close_tag(&mut self) {
        if core::mem::take(&mut self.in_tag) {
            self.text.push('>');
        }
    }

    fn escaped(&mut self, value: impl Display) {
        // Writing to memory cannot fail.
        let _ = write!(Escape(&mut self.text), "{value}");
    }
}

struct Escape<'a>(&'a mut String);

impl core::fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // XML 1.0 has no other control characters, not even escaped.
                c if c.is_control() => self.0.push(' '),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// `PT1.5S`, from us.
pub(crate) struct Duration(pub(crate) u64);

impl Display for Duration {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PT{}S", Seconds(self.0))
    }
}

/// `1.5`, from us, to the millisecond, rounded to the nearest.
pub(crate) struct Seconds(pub(crate) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let ms = self.0.saturating_add(500) / 1000;
        match ms % 1000 {
            0 => write!(f, "{}", ms / 1000),
            rest => write!(f, "{}.{rest:03}", ms / 1000),
        }
    }
}

/// A date, from us since 1970.
pub(crate) struct Date(pub(crate) i64);

impl Display for Date {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        tidegate_stream::date(self.0).iter().try_for_each(|byte| f.write_char(char::from(*byte)))
    }
}
