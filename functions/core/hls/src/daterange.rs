use tidegate_stream::{AttributeValue, Event, Scte35Kind, date};

use crate::line::Text;

/// EXT-X-DATERANGE. The texts of an event can be quoted: a timeline holds no others.
pub(crate) fn date_range(text: &mut Text, event: &Event) {
    text.str("#EXT-X-DATERANGE:ID=\"").str(&event.id).str("\"");
    if !event.class.is_empty() {
        text.str(",CLASS=\"").str(&event.class).str("\"");
    }
    text.str(",START-DATE=\"").ascii(&date(event.start_utc_us)).str("\"");
    for (name, micros) in [(",DURATION=", event.duration_us), (",PLANNED-DURATION=", event.planned_duration_us)] {
        if let Some(micros) = micros {
            text.str(name);
            millionths(text, micros);
        }
    }
    for (name, value) in &event.attributes {
        text.str(",").str(name).str("=");
        match value {
            AttributeValue::Text(value) => {
                text.str("\"").str(value).str("\"");
            }
            AttributeValue::Millionths(value) => {
                text.str(if *value < 0 { "-" } else { "" });
                millionths(text, value.unsigned_abs());
            }
            AttributeValue::Bytes(bytes) => hexadecimal(text, bytes),
        }
    }
    if let Some(scte35) = &event.scte35 {
        text.str(match scte35.kind {
            Scte35Kind::Command => ",SCTE35-CMD=",
            Scte35Kind::Out => ",SCTE35-OUT=",
            Scte35Kind::In => ",SCTE35-IN=",
        });
        hexadecimal(text, &scte35.section);
    }
    text.str(if event.end_on_next { ",END-ON-NEXT=YES\n" } else { "\n" });
}

/// Seconds with as many decimals as it takes, from us.
fn millionths(text: &mut Text, micros: u64) {
    text.number(micros / 1_000_000);
    let mut rest = micros % 1_000_000;
    if rest > 0 {
        text.str(".");
    }
    let mut place = 100_000;
    while rest > 0 {
        text.number(rest / place);
        rest %= place;
        place /= 10;
    }
}

fn hexadecimal(text: &mut Text, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.str("0x");
    for byte in bytes {
        let digit = |four: u8| DIGITS.get(usize::from(four)).copied().unwrap_or(b'0');
        text.ascii(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec};

    use tidegate_stream::Scte35;

    use super::*;

    #[test]
    fn every_field_has_its_attribute() {
        let event = Event {
            id: "splice-6FFFFFF0".to_string(),
            class: "com.example.ad".to_string(),
            start_utc_us: 1_790_000_000_123_000,
            duration_us: Some(59_993_000),
            planned_duration_us: Some(60_000_000),
            end_on_next: false,
            attributes: vec![
                ("CUE".to_string(), AttributeValue::Text("PRE,ONCE".to_string())),
                ("X-ASSET-URI".to_string(), AttributeValue::Text("https://example.com/ad.m3u8".to_string())),
                ("X-RESUME-OFFSET".to_string(), AttributeValue::Millionths(-1_500_000)),
                ("X-TOKEN".to_string(), AttributeValue::Bytes(vec![0xab, 0x01])),
            ],
            scte35: Some(Scte35 { kind: Scte35Kind::Out, section: vec![0xfc, 0x00] }),
        };
        let mut text = Text::with_capacity(0);
        date_range(&mut text, &event);
        assert_eq!(
            text.finish(),
            "#EXT-X-DATERANGE:ID=\"splice-6FFFFFF0\",CLASS=\"com.example.ad\",START-DATE=\"2026-09-21T14:13:20.123Z\",DURATION=59.993,\
             PLANNED-DURATION=60,CUE=\"PRE,ONCE\",X-ASSET-URI=\"https://example.com/ad.m3u8\",X-RESUME-OFFSET=-1.5,X-TOKEN=0xAB01,\
             SCTE35-OUT=0xFC00\n"
        );
    }
}
