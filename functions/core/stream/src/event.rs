use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::Position;

/// Something that holds from a moment of a session on: a programme, an ad break, a cue for an application. Playlists show it as a
/// date range, DASH as an event.
///
/// What is announced again under the same id adds to what is known; it must not contradict it (rfc8216bis 4.4.5.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Event {
    /// Its name in the session.
    pub id: String,
    /// Events of a class have the same attributes with the same meaning; empty for none.
    pub class: String,
    /// When it starts, in us since 1970, by the clock of PROGRAM-DATE-TIME.
    pub start_utc_us: i64,
    /// How long it lasts, in us, where that is known.
    pub duration_us: Option<u64>,
    /// How long it is expected to last, in us.
    pub planned_duration_us: Option<u64>,
    /// It ends where the next one of its class starts; only with a class and without a duration.
    pub end_on_next: bool,
    /// `X-…` attributes, names with their `X-`, and `CUE`.
    pub attributes: Vec<(String, AttributeValue)>,
    /// What SCTE-35 says, where it comes from there.
    pub scte35: Option<Scte35>,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AttributeValue {
    /// A quoted string.
    Text(String),
    /// A decimal number, in millionths.
    Millionths(i64),
    /// Bytes, written as hexadecimal digits.
    Bytes(Vec<u8>),
}

/// A `splice_info_section` and the part that it plays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scte35 {
    /// Its part.
    pub kind: Scte35Kind,
    /// The section as it came.
    pub section: Vec<u8>,
}

/// The part that a `splice_info_section` plays (SCTE 35, and rfc8216bis 4.4.5.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Scte35Kind {
    /// Says something that is neither of the two.
    Command,
    /// Leaves the programme.
    Out,
    /// Comes back to it.
    In,
}

/// An event and the part whose record announced it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Announced {
    /// From here on it is known.
    pub at: Position,
    /// What is known.
    pub event: Event,
}

/// Events that one record may announce. With [`EVENT_BYTES_MAX`] they leave room for the tracks in [`crate::Record::HEAD_MAX`].
pub const EVENTS_PER_RECORD_MAX: usize = 8;

/// Bytes of the texts and sections of one event, names of attributes included.
pub const EVENT_BYTES_MAX: usize = 1280;

/// Events that a timeline holds. A writer announces no more while so many are in the window.
pub const EVENTS_MAX: usize = 2048;

impl Event {
    /// Whether the event can be written as it is: it has an id, its texts have no quotation marks and no control characters, the
    /// names of its attributes are such, and all of it is within [`EVENT_BYTES_MAX`].
    #[must_use]
    pub fn is_writable(&self) -> bool {
        let plain = |text: &str| !text.contains(|c: char| c == '"' || c.is_control());
        let name = |name: &str| {
            let rest = name.strip_prefix("X-").unwrap_or_default();
            name == "CUE" || !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
        };
        let value = |value: &AttributeValue| match value {
            AttributeValue::Text(text) => plain(text),
            AttributeValue::Millionths(_) | AttributeValue::Bytes(_) => true,
        };
        let sizes = self.attributes.iter().map(|(name, value)| {
            name.len().saturating_add(match value {
                AttributeValue::Text(text) => text.len(),
                AttributeValue::Millionths(_) => 10,
                AttributeValue::Bytes(bytes) => bytes.len(),
            })
        });
        let section = self.scte35.as_ref().map_or(0, |scte35| scte35.section.len());
        let size = sizes.fold(self.id.len() + self.class.len() + section, usize::saturating_add);
        let end_on_next = !self.end_on_next || (!self.class.is_empty() && self.duration_us.is_none());
        !self.id.is_empty()
            && plain(&self.id)
            && plain(&self.class)
            && self.attributes.iter().all(|(own, own_value)| name(own) && value(own_value))
            && size <= EVENT_BYTES_MAX
            && end_on_next
    }

    /// The number that stands for its id where ids are numbers, as in DASH: FNV-1a.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.id.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// The last moment that it is known to hold, in us since 1970; its start where nothing is known of its length.
    #[must_use]
    pub fn end_utc_us(&self) -> i64 {
        let duration_us = self.duration_us.or(self.planned_duration_us).unwrap_or(0);
        self.start_utc_us.saturating_add_unsigned(duration_us)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec};

    use super::*;

    fn event() -> Event {
        Event { id: "break-1".to_string(), class: "com.example.ad".to_string(), start_utc_us: 5, ..Event::default() }
    }

    #[test]
    fn what_cannot_be_quoted_is_not_writable() {
        assert!(event().is_writable());
        for id in ["", "a\"b", "a\nb"] {
            assert!(!Event { id: id.to_string(), ..event() }.is_writable(), "{id}");
        }
        for name in ["", "X-", "COM-X", "X-a", "X-A,B"] {
            let attributes = vec![(name.to_string(), AttributeValue::Millionths(1))];
            assert!(!Event { attributes, ..event() }.is_writable(), "{name}");
        }
        let attributes = vec![("X-A".to_string(), AttributeValue::Text("\"".to_string()))];
        assert!(!Event { attributes, ..event() }.is_writable());
        let section = vec![0; EVENT_BYTES_MAX];
        assert!(!Event { scte35: Some(Scte35 { kind: Scte35Kind::Out, section }), ..event() }.is_writable());
    }

    #[test]
    fn an_end_on_next_needs_a_class_and_no_duration() {
        let event = Event { end_on_next: true, ..event() };
        assert!(event.is_writable());
        assert!(!Event { class: String::new(), ..event.clone() }.is_writable());
        assert!(!Event { duration_us: Some(1), ..event }.is_writable());
    }

    #[test]
    fn the_end_is_the_duration_then_the_plan_then_the_start() {
        let planned = Event { planned_duration_us: Some(10), ..event() };
        assert_eq!([event().end_utc_us(), planned.end_utc_us()], [5, 15]);
        assert_eq!(Event { duration_us: Some(3), ..planned }.end_utc_us(), 8);
    }
}
