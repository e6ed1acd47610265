use alloc::{string::String, vec, vec::Vec};

use crate::{AttributeValue, Event, Json, format_utc, parse_utc};

/// `meta/cues/<stream>/<session>/<number>.json`: something to be said at a moment of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cue {
    /// Its name; the ID of its EXT-X-DATERANGE.
    pub id: String,
    /// What kind of thing is said, for programs; the CLASS of its EXT-X-DATERANGE.
    pub class: String,
    /// What is said.
    pub text: String,
    /// When it was made, in ms since 1970.
    pub created_utc_ms: u64,
    /// When, by the clock of the worker, in ms since 1970; `None`: with the next picture.
    pub at_utc_ms: Option<u64>,
    /// How long it is true, in ms.
    pub duration_ms: u64,
}

impl Cue {
    /// Reads a cue.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let json = Json::parse(text).ok()?;
        let text = |name| Some(json.get(name)?.text()?.into());
        let created_utc_ms = parse_utc(json.text_of("created")).unwrap_or(0);
        let at_utc_ms = json.get("at").and_then(Json::text).and_then(parse_utc);
        let duration_ms = json.number_of("duration_ms");
        Some(Self { id: text("id")?, class: text("class")?, text: text("text")?, created_utc_ms, at_utc_ms, duration_ms })
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = Json::object().with("id", self.id.as_str()).with("class", self.class.as_str()).with("text", self.text.as_str());
        let json = json.with("created", format_utc(self.created_utc_ms));
        json.with("at", self.at_utc_ms.map(format_utc)).with("duration_ms", self.duration_ms).to_bytes()
    }

    /// As it is announced in the log; `now_utc_ms` is the worker's clock. An event that is not writable has too long a text.
    #[must_use]
    pub fn event(&self, now_utc_ms: u64) -> Event {
        let start_ms = i64::try_from(self.at_utc_ms.unwrap_or(now_utc_ms)).unwrap_or(0);
        Event {
            id: self.id.clone(),
            class: self.class.replace('"', "'"),
            start_utc_us: start_ms.saturating_mul(1000),
            duration_us: Some(self.duration_ms.saturating_mul(1000)).filter(|us| *us > 0),
            attributes: vec![(TEXT.into(), AttributeValue::Text(quotable(&self.text)))],
            ..Event::default()
        }
    }

    /// The text of a cue that was announced; `None` where the event is none.
    #[must_use]
    pub fn text_of(event: &Event) -> Option<String> {
        let (_, value) = event.attributes.iter().find(|(name, _)| name == TEXT)?;
        if let AttributeValue::Text(text) = value { plain(text) } else { None }
    }
}

/// The attribute of EXT-X-DATERANGE that has the text, with `%`, `"` and control characters as percent and two digits.
const TEXT: &str = "X-COM-TIDEGATE-TEXT";

/// A text for a quoted string: `decodeURIComponent` gives it back.
fn quotable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '"') || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&alloc::format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn plain(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let decoded = if byte == b'%' { u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()? } else { byte };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_announced_and_comes_back(text in ".{0,200}", at in prop::option::of(0..1u64 << 40), duration_ms in 0..1u64 << 30) {
            let cue = Cue { id: "c1".into(), class: "com.example".into(), text: text.clone(), created_utc_ms: 5, at_utc_ms: at, duration_ms };
            prop_assert_eq!(Cue::parse(&cue.to_bytes()), Some(cue.clone()));
            let event = cue.event(7);
            prop_assert!(event.is_writable());
            prop_assert_eq!(event.start_utc_us, at.unwrap_or(7) as i64 * 1000);
            prop_assert_eq!(Cue::text_of(&event), Some(text));
        }
    }

    #[test]
    fn text_that_is_too_long_is_not_writable() {
        let cue = Cue { id: "c1".into(), class: "c".into(), text: "\"".repeat(500), created_utc_ms: 0, at_utc_ms: None, duration_ms: 0 };
        assert!(!cue.event(0).is_writable());
    }
}
