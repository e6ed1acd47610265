use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use super::line::Line;
use crate::{Parts, attribute::attributes};

/// Variables of one playlist: more are not kept, and what they stand for stays as it is.
const MOST: usize = 64;
/// Bytes of an address with its variables put in.
const LONGEST: usize = 8192;

/// What EXT-X-DEFINE has defined so far.
///
/// A value that is imported from the multivariant playlist is not known here, and an address that needs it stays as it is.
#[derive(Debug)]
pub(super) struct Variables {
    known: Vec<(String, String)>,
    /// The query of the playlist's own URL.
    query: String,
}

impl Variables {
    pub(super) fn new(base: &str) -> Self {
        Self { known: Vec::new(), query: Parts::of(base).query.unwrap_or_default().to_string() }
    }

    pub(super) fn define(&mut self, line: &Line<'_>) {
        let (mut name, mut value) = (None, None);
        for attribute in attributes(line.content, line.list()) {
            match attribute.name {
                b"NAME" => name = attribute.text(),
                b"VALUE" => value = attribute.text().map(String::from),
                b"QUERYPARAM" => {
                    name = attribute.text();
                    value = name.and_then(|name| self.parameter(name));
                }
                _ => {}
            }
        }
        if let (Some(name), Some(value)) = (name, value)
            && self.known.len() < MOST
            && is_name(name)
        {
            self.known.push((name.into(), value));
        }
    }

    /// Puts the variables in; `None` if one of them is not defined.
    pub(super) fn substitute(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{$") {
            out.push_str(before);
            let (name, after) = after.split_once('}')?;
            let (_, value) = self.known.iter().find(|(known, _)| known == name)?;
            if out.len() + value.len() > LONGEST {
                return None;
            }
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        Some(out)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let (_, value) = self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(own, _)| *own == name)?;
        percent_decode(value)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        bytes.push(match b {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            b => b,
        });
    }
    String::from_utf8(bytes).ok()
}
