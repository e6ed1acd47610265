use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

use tidegate_stream::{AttributeValue, Event, Timeline};

use crate::{
    mpd::{LISTED, Listed},
    xml::Xml,
};

const SCTE35: &str = "urn:scte:scte35:2014:xml+bin";
/// Date ranges that do not come from SCTE-35; the class is the value, the attributes are the text.
const DATE_RANGE: &str = "urn:tidegate:daterange:2026";

/// The events that start in a period, those from before the first listed one in that. One stream for each scheme and class.
pub(crate) fn event_streams(xml: &mut Xml, timeline: &Timeline, listed: &Listed<'_>, all: &[Listed<'_>]) {
    let after = all.iter().find(|other| other.period.index > listed.period.index).map_or(i64::MAX, |next| next.period.utc_us);
    let is_first = all.first().is_some_and(|first| first.period.index == listed.period.index);
    let from = if is_first { i64::MIN } else { listed.period.utc_us };
    let here = timeline.events(LISTED).map(|event| &event.event).filter(|event| (from..after).contains(&event.start_utc_us));
    let mut events: Vec<&Event> = here.collect();
    events.sort_by_key(|event| (stream_of(event), event.start_utc_us));
    let mut open = None;
    for event in events {
        let (scheme, value) = stream_of(event);
        if open != Some((scheme, value)) {
            if open.is_some() {
                xml.end();
            }
            xml.start("EventStream").attribute("schemeIdUri", scheme);
            if !value.is_empty() {
                xml.attribute("value", value);
            }
            xml.attribute("timescale", 1000);
            open = Some((scheme, value));
        }
        write(xml, event, listed);
    }
    if open.is_some() {
        xml.end();
    }
}

fn stream_of(event: &Event) -> (&'static str, &str) {
    if event.scte35.is_some() { (SCTE35, "") } else { (DATE_RANGE, &event.class) }
}

fn write(xml: &mut Xml, event: &Event, listed: &Listed<'_>) {
    // Times of events count from the start of their period, which may be listed from its middle on.
    let cut_us = i64::try_from(listed.offset_us.saturating_sub(listed.period.start_us)).unwrap_or(0);
    let since_us = event.start_utc_us.saturating_sub(listed.period.utc_us).saturating_sub(cut_us);
    xml.start("Event").attribute("presentationTime", since_us.max(0) / 1000);
    if let Some(duration_us) = event.duration_us.or(event.planned_duration_us) {
        xml.attribute("duration", duration_us / 1000);
    }
    xml.attribute("id", event.number());
    match &event.scte35 {
        Some(scte35) => {
            xml.start("Signal").attribute("xmlns", "http://www.scte.org/schemas/35/2016");
            xml.start("Binary").text(base64(&scte35.section)).end().end();
        }
        None => {
            xml.text(attributes(event));
        }
    }
    xml.end();
}

/// The id and the attributes, as in EXT-X-DATERANGE.
fn attributes(event: &Event) -> String {
    let mut text = String::new();
    // Writing to memory cannot fail.
    let _ = write!(text, "ID=\"{}\"", event.id);
    for (name, value) in &event.attributes {
        let _ = match value {
            AttributeValue::Text(value) => write!(text, ",{name}=\"{value}\""),
            AttributeValue::Millionths(value) => {
                let (sign, value) = (if *value < 0 { "-" } else { "" }, value.unsigned_abs());
                write!(text, ",{name}={sign}{}.{:06}", value / 1_000_000, value % 1_000_000)
            }
            AttributeValue::Bytes(bytes) => {
                let _ = write!(text, ",{name}=0x");
                bytes.iter().try_for_each(|byte| write!(text, "{byte:02X}"))
            }
        };
    }
    text
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let all = at(0) << 16 | at(1) << 8 | at(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS.get((all >> shift & 63) as usize).copied().unwrap_or(b'=');
            text.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")];
        for (plain, expected) in pairs {
            assert_eq!(base64(plain.as_bytes()), expected);
        }
    }
}
