use alloc::{string::String, vec::Vec};

use crate::{
    answer::Refusal,
    call::{Go, refuse},
};

/// What stands behind the `?`, decoded: every name once, and none that is not known.
pub(crate) struct Query(Vec<(&'static str, String)>);

/// Items of a page.
const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 50;
/// Characters that are searched for.
const TEXT_MAX: usize = 200;

impl Query {
    pub(crate) fn parse(query: &str, known: &[&'static str]) -> Go<Self> {
        let mut all: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known.iter().copied().find(|known| *known == name);
            let name =
                name.ok_or_else(|| refuse(Refusal::Malformed, format_args!("the query has {} and nothing else", known.join(", "))))?;
            let value = decode(value).filter(|value| value.chars().count() <= TEXT_MAX && !value.chars().any(char::is_control));
            let value = value.ok_or_else(|| refuse(Refusal::Malformed, format_args!("`{name}` in the query does not read")))?;
            if all.iter().any(|(there, _)| *there == name) {
                return Err(refuse(Refusal::Malformed, format_args!("`{name}` stands twice in the query")));
            }
            all.push((name, value));
        }
        Ok(Self(all))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// How many items are asked for; not more than `most`.
    pub(crate) fn limit(&self, most: usize) -> Go<usize> {
        let most = most.min(LIMIT_MAX);
        let Some(text) = self.get("limit") else { return Ok(most.min(LIMIT_DEFAULT)) };
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit) && !text.starts_with('+'));
        let limit = limit.ok_or_else(|| refuse(Refusal::Malformed, format_args!("`limit` is a number from 1 to {LIMIT_MAX}")))?;
        Ok(limit.min(most))
    }

    pub(crate) fn number(&self, name: &str) -> Go<Option<u64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Some(number)),
            _ => Err(refuse(Refusal::Malformed, format_args!("`{name}` is what an answer before has given as `next`"))),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Go<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(refuse(Refusal::Malformed, format_args!("`{name}` is true or false"))),
        }
    }
}

/// Decodes percent signs, and `+` as forms write a space.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
