use alloc::{format, string::String, vec::Vec};

use tidegate_hls::read::value;

use super::{Faults, Line, shown};
use crate::rules;

/// Numbers end here, so that those who trust them can count on.
pub(super) const MAX_NUMBER: u64 = 1 << 60;
/// Durations end here, after twelve days, so that those of a whole playlist can be added up.
pub(super) const MAX_US: u64 = 1 << 40;

/// The attributes of one tag, and where faults about them go.
pub(super) struct Attributes<'a> {
    line: u32,
    tag: &'a str,
    all: Vec<Attribute<'a>>,
}

#[derive(Clone, Copy)]
struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
    quoted: bool,
}

impl<'a> Attributes<'a> {
    /// Reads an attribute list (4.2).
    pub(super) fn read(line: Line<'a>, tag: &'a str, text: &'a str, faults: &mut Faults) -> Self {
        let mut list = Self { line: line.number, tag, all: Vec::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let Some((name, after)) = rest.split_once('=') else {
                list.syntax(&format!("`{}` has no value", shown(rest)), faults);
                break;
            };
            let name = match name.rsplit_once(',') {
                Some((before, name)) => {
                    list.syntax(&format!("`{}` has no value", shown(before)), faults);
                    name
                }
                None => name,
            };
            let attribute;
            (attribute, rest) = list.attribute(name, after, faults);
            if list.has(attribute.name) {
                faults.add(rules::ATTR_TWICE, line.number, format!("{tag}: {} stands twice", attribute.name));
            }
            list.all.push(attribute);
        }
        list
    }

    /// One attribute, and what stands behind its comma.
    fn attribute(&self, spaced: &'a str, after: &'a str, faults: &mut Faults) -> (Attribute<'a>, &'a str) {
        let name = spaced.trim();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-') {
            self.syntax(&format!("`{}` is no name", shown(spaced)), faults);
        } else if name != spaced {
            self.syntax(&format!("a space beside {name}"), faults);
        }
        let start = after.trim_start_matches([' ', '\t']);
        if start != after {
            self.syntax(&format!("a space after {name}="), faults);
        }
        let (value, quoted, behind) = match start.strip_prefix('"') {
            Some(inner) => match inner.split_once('"') {
                Some((value, behind)) => (value, true, behind),
                None => {
                    self.syntax(&format!("the quotation mark of {name} is not closed"), faults);
                    (inner, true, "")
                }
            },
            None => {
                let (value, behind) = start.split_at(start.find(',').unwrap_or(start.len()));
                if value.is_empty() {
                    self.syntax(&format!("{name} has no value"), faults);
                } else if value.trim() != value {
                    self.syntax(&format!("a space beside the value of {name}"), faults);
                }
                (value.trim(), false, behind)
            }
        };
        let (between, rest) = behind.split_once(',').map_or((behind, None), |(between, rest)| (between, Some(rest)));
        if !between.is_empty() {
            self.syntax(&format!("`{}` behind the value of {name}", shown(between)), faults);
        }
        if rest == Some("") {
            self.syntax("a comma at the end", faults);
        }
        (Attribute { name, value, quoted }, rest.unwrap_or_default())
    }

    fn syntax(&self, seen: &str, faults: &mut Faults) {
        faults.add(rules::ATTR_SYNTAX, self.line, format!("{}: {seen}", self.tag));
    }

    fn find(&self, name: &str) -> Option<Attribute<'a>> {
        self.all.iter().find(|attribute| attribute.name == name).copied()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// All names and values, for comparing.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        self.all.iter().map(|attribute| (attribute.name.into(), attribute.value.into())).collect()
    }

    /// A quoted string.
    pub(super) fn text(&self, name: &str, faults: &mut Faults) -> Option<&'a str> {
        let attribute = self.find(name)?;
        if !attribute.quoted {
            self.value(attribute, "a quoted string", faults);
        }
        Some(attribute.value)
    }

    /// A word without quotation marks.
    pub(super) fn word(&self, name: &str, words: &[&str], faults: &mut Faults) -> Option<&'a str> {
        let attribute = self.find(name)?;
        if attribute.quoted || !words.contains(&attribute.value) {
            self.value(attribute, &format!("one of {} without quotation marks", words.join(", ")), faults);
        }
        Some(attribute.value)
    }

    /// `YES`, which some attributes have beside `NO`.
    pub(super) fn yes(&self, name: &str, faults: &mut Faults) -> bool {
        self.word(name, &["YES", "NO"], faults) == Some("YES")
    }

    pub(super) fn integer(&self, name: &str, faults: &mut Faults) -> Option<u64> {
        self.number(name, "a decimal integer", value::integer, faults).map(|number| number.min(MAX_NUMBER))
    }

    /// Seconds, in us.
    pub(super) fn seconds(&self, name: &str, faults: &mut Faults) -> Option<u64> {
        self.number(name, "a decimal number", value::millionths, faults).map(|us| us.min(MAX_US))
    }

    pub(super) fn number<T>(&self, name: &str, what: &str, read: impl Fn(&str) -> Option<T>, faults: &mut Faults) -> Option<T> {
        let attribute = self.find(name)?;
        let number = read(attribute.value);
        if attribute.quoted || number.is_none() {
            self.value(attribute, what, faults);
        }
        number
    }

    /// `<n>[@<o>]` in quotation marks.
    pub(super) fn range(&self, name: &str, faults: &mut Faults) -> Option<(u64, Option<u64>)> {
        let attribute = self.find(name)?;
        let range = value::byte_range(attribute.value);
        if !attribute.quoted || range.is_none() {
            self.value(attribute, "a quoted \"<n>@<o>\"", faults);
        }
        range.map(|(length, offset)| (length.min(MAX_NUMBER), offset.map(|offset| offset.min(MAX_NUMBER))))
    }

    /// A date in quotation marks, in us since 1970.
    pub(super) fn date(&self, name: &str, faults: &mut Faults) -> Option<i64> {
        let attribute = self.find(name)?;
        let date = value::date(attribute.value);
        if !attribute.quoted || date.is_none() {
            self.value(attribute, "a quoted date of ISO 8601", faults);
        }
        date
    }

    /// Says which of the attributes that have to be there are not.
    pub(super) fn require(&self, names: &[&str], faults: &mut Faults) {
        for name in names.iter().filter(|name| !self.has(name)) {
            faults.add(rules::ATTR_MISSING, self.line, format!("{} has no {name}", self.tag));
        }
    }

    fn value(&self, attribute: Attribute<'_>, what: &str, faults: &mut Faults) {
        let quote = if attribute.quoted { "\"" } else { "" };
        let seen = format!("{}: {}={quote}{}{quote} is not {what}", self.tag, attribute.name, shown(attribute.value));
        faults.add(rules::ATTR_VALUE, self.line, seen);
    }
}
