//! JSON as documents and requests have it: whole numbers, no name twice, bounded depth and size.
//!
//! Our own, because of what the component may weigh: reading documents into `serde_json::Value` costs it 13 kB, and each document type
//! with derived code about 10 kB more; this is a tenth of that for all of them. It also refuses what a library lets pass and two
//! readers understand differently: a name that stands twice in an object, and numbers that are not whole.

use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write as _};

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in the order in which it was written; no name stands twice.
    Object(Vec<(String, Self)>),
}

/// Why a text is not JSON of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    /// The byte at which reading stopped.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Lists and objects inside each other; a document has 4.
const DEPTH_MAX: u32 = 16;
/// Members of one object, which are compared with each other; the widest document has 25.
const MEMBERS_MAX: usize = 128;
/// Values in one text: the list of 256 API tokens has 4,000.
const VALUES_MAX: usize = 20_000;

impl Json {
    /// Reads a text.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let text = core::str::from_utf8(text).map_err(|error| JsonError { at: error.valid_up_to(), what: "not UTF-8" })?;
        let mut reader = Reader { text, at: 0, values: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.error("more than one value"));
        }
        Ok(value)
    }

    /// An object without members.
    #[must_use]
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// The member of an object; `None` too where this is no object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The members of an object; none where this is something else.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The items of a list; none where this is something else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// Sets a member of an object, in its place or at the end; without effect on anything else.
    pub fn set(&mut self, name: &str, value: impl Into<Self>) {
        self.put(name, value.into());
    }

    /// Not generic, so that it is in the component once.
    #[inline(never)]
    fn put(&mut self, name: &str, value: Self) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => members.push((name.into(), value)),
        }
    }

    /// [`Self::set`], to write an object in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Self>) -> Self {
        self.put(name, value.into());
        self
    }

    /// Takes a member out of an object.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        let Self::Object(members) = self else { return None };
        let at = members.iter().position(|(known, _)| known == name)?;
        Some(members.remove(at).1)
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The text of a member that is a string; empty where there is none.
    #[must_use]
    pub fn text_of(&self, name: &str) -> &str {
        self.get(name).and_then(Self::text).unwrap_or_default()
    }

    /// A member that is a number and not negative; 0 where there is none.
    #[must_use]
    pub fn number_of(&self, name: &str) -> u64 {
        self.get(name).and_then(Self::number).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    }

    /// The texts of a member that is a list of strings.
    pub fn texts_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get(name).map_or(&[][..], Self::items).iter().filter_map(Self::text)
    }

    /// The bytes of the text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        self.write(&mut text);
        text.into_bytes()
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(true) => out.push_str("true"),
            Self::Flag(false) => out.push_str("false"),
            Self::Number(number) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                let mut mark = '[';
                for item in items {
                    out.push(mark);
                    item.write(out);
                    mark = ',';
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Object(members) => {
                let mut mark = '{';
                for (name, value) in members {
                    out.push(mark);
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                    mark = ',';
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Json {
    /// A number beyond what JSON readers agree on becomes the largest.
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            '\n' => out.push_str("\\n"),
            // `<` too, so that a document inside a page never ends a script, and what only JavaScript takes for the end of a line.
            '\u{0}'..='\u{1f}' | '<' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> JsonError {
        JsonError { at: self.at, what }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes over a mark, if it is next.
    fn skip(&mut self, mark: u8) -> bool {
        self.space();
        let there = self.peek() == Some(mark);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.error("no value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: u32) -> Result<Json, JsonError> {
        self.space();
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(self.error("too many values, or too deep"));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Json::Text),
            Some(b'{') => self.members(depth),
            Some(b'[') => self.list(depth),
            Some(b't') => self.word("true", Json::Flag(true)),
            Some(b'f') => self.word("false", Json::Flag(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("no value")),
        }
    }

    fn list(&mut self, depth: u32) -> Result<Json, JsonError> {
        let mut items = Vec::new();
        self.at += 1;
        if self.skip(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.skip(b']') {
                return Ok(Json::List(items));
            }
            if !self.skip(b',') {
                return Err(self.error("no comma between items"));
            }
        }
    }

    fn members(&mut self, depth: u32) -> Result<Json, JsonError> {
        let mut members: Vec<(String, Json)> = Vec::new();
        self.at += 1;
        if self.skip(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("no name of a member"));
            }
            let name = self.string()?;
            if members.len() >= MEMBERS_MAX || members.iter().any(|(known, _)| *known == name) {
                return Err(self.error("a name stands twice, or there are too many"));
            }
            if !self.skip(b':') {
                return Err(self.error("no colon after a name"));
            }
            members.push((name, self.value(depth + 1)?));
            if self.skip(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.skip(b',') {
                return Err(self.error("no comma between members"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let end = self.rest().bytes().position(|b| !matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
        let word = self.rest().get(..end.unwrap_or_else(|| self.rest().len())).unwrap_or_default();
        let digits = word.strip_prefix('-').unwrap_or(word);
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        let number = if plain { word.parse().ok() } else { None };
        let number = number.ok_or_else(|| self.error("not a whole number of 64 bits"))?;
        self.at += word.len();
        Ok(Json::Number(number))
    }

    /// Reads a string whose quotation mark is next.
    fn string(&mut self) -> Result<String, JsonError> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let plain = self.rest().find(|c: char| matches!(c, '"' | '\\') || c < ' ').unwrap_or_else(|| self.rest().len());
            text.push_str(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string without end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let mark = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match mark {
            Some(mark @ (b'"' | b'\\' | b'/')) => char::from(mark),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.unit()?;
                let code = match first {
                    0xd800..=0xdbff if self.rest().starts_with("\\u") => {
                        self.at += 2;
                        let second = self.unit()?;
                        0x10000 + ((first - 0xd800) << 10) + second.checked_sub(0xdc00).filter(|low| *low < 0x400).unwrap_or(u32::MAX >> 1)
                    }
                    other => other,
                };
                char::from_u32(code).ok_or_else(|| self.error("half a character"))?
            }
            _ => return Err(self.error("an unknown escape")),
        })
    }

    fn unit(&mut self) -> Result<u32, JsonError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error("four hexadecimal digits are missing"))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Flag),
            any::<i64>().prop_map(Json::Number),
            any::<String>().prop_map(Json::Text),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    /// What the library says to the same text.
    fn library(value: &serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(flag) => Json::Flag(*flag),
            serde_json::Value::Number(number) => number.as_i64().map_or(Json::Null, Json::Number),
            serde_json::Value::String(text) => Json::Text(text.clone()),
            serde_json::Value::Array(items) => Json::List(items.iter().map(library).collect()),
            serde_json::Value::Object(members) => {
                Json::Object(members.iter().map(|(name, value)| (name.clone(), library(value))).collect())
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same_here_and_in_the_library(value in any_json()) {
            let bytes = value.to_bytes();
            prop_assert_eq!(Json::parse(&bytes).unwrap(), value.clone());
            prop_assert_eq!(library(&serde_json::from_slice(&bytes).unwrap()).to_string().len(), value.to_string().len());
        }

        #[test]
        fn what_reads_here_reads_in_the_library(text in r#"[\[\]{}",:\\0-9a-fnrtulse. \-]{0,40}"#) {
            if let Ok(value) = Json::parse(text.as_bytes()) {
                let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(library(&theirs).to_string().len(), value.to_string().len());
            }
        }

        #[test]
        fn any_bytes_read_or_say_why(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::parse(&bytes);
        }
    }

    #[test]
    fn escapes_are_read() {
        let read = |text: &str| Json::parse(text.as_bytes());
        assert_eq!(read(r#""\ud83c\udfa5\n\/""#), Ok(Json::Text("🎥\n/".into())));
        assert_eq!(Json::Text("</script>\u{1}".into()).to_string(), r#""\u003c/script>\u0001""#);
    }

    #[test]
    fn what_is_no_json_of_ours_is_refused() {
        let deep = alloc::format!("{}{}", "[".repeat(40), "]".repeat(40));
        let wide = alloc::format!("[{}0]", "0,".repeat(30_000));
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,\"a\":2}",
            "1.5",
            "1e3",
            "01",
            "-",
            "99999999999999999999",
            "\"\n\"",
            r#""\ud83c""#,
            r#""\udfa5""#,
            r#""\ud83cA""#,
            r#""\x""#,
            "nul",
            "1 2",
            "{a:1}",
            r#"{"a" 1}"#,
            "\"",
            "+1",
            "NaN",
            &deep,
            &wide,
        ] {
            assert!(Json::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
