use bytes::Bytes;
use rtmp_runtime::amf0::{Amf0Value, Command};

/// What a source says about itself in `onMetaData`. Hints only: what comes after may differ.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Hints {
    /// Frames per second.
    pub(crate) frame_rate: Option<f64>,
    /// Bits per second of the pictures.
    pub(crate) video_bps: Option<u32>,
    /// Whether pictures are to come.
    pub(crate) video: Option<bool>,
    /// Whether sound is to come.
    pub(crate) audio: Option<bool>,
}

/// An encoder's metadata is below 1 kB; what is longer is not read.
const SCRIPT_BYTES_MAX: usize = 64 * 1024;

impl Hints {
    /// Reads the body of a script tag; anything unexpected gives no hints.
    #[must_use]
    pub(crate) fn read(body: &Bytes) -> Option<Self> {
        let mut rest = body.get(..body.len().min(SCRIPT_BYTES_MAX))?;
        let mut name = take_string(&mut rest)?;
        // RTMP says `@setDataFrame` first, a file does not.
        if name == "@setDataFrame" {
            name = take_string(&mut rest)?;
        }
        if name != "onMetaData" {
            return None;
        }
        let (Amf0Value::Object(pairs) | Amf0Value::EcmaArray(pairs)) = parse(rest)? else { return None };
        let value = |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, value)| value);
        let number = |key: &str| match value(key) {
            Some(Amf0Value::Number(number)) if number.is_finite() && *number > 0.0 => Some(*number),
            _ => None,
        };
        // Encoders name the codecs of what they send; one that names none says nothing about what is to come.
        let codec = |key: &str| value(key).is_some();
        let (video, audio) = (codec("videocodecid"), codec("audiocodecid"));
        let known = video || audio;
        Some(Self {
            frame_rate: number("framerate").or_else(|| number("videoframerate")).filter(|rate| (1.0..=240.0).contains(rate)),
            video_bps: number("videodatarate").filter(|kbps| *kbps < 1e6).map(|kbps| (kbps * 1000.0) as u32),
            video: known.then_some(video),
            audio: known.then_some(audio),
        })
    }
}

/// Reads one AMF0 value. The crate reads whole commands only: a name, a number, values.
fn parse(value: &[u8]) -> Option<Amf0Value> {
    const COMMAND: [u8; 12] = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Command::parse(&[&COMMAND, value].concat()).ok()?.arguments.into_iter().next()
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (&[marker, high, low], tail) = rest.split_first_chunk::<3>()?;
    if marker != 2 {
        return None;
    }
    let (text, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    *rest = tail;
    core::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(names: &[&str], pairs: Vec<(&str, Amf0Value)>) -> Bytes {
        let mut arguments: Vec<_> = names.iter().map(|name| Amf0Value::String((*name).into())).collect();
        arguments.push(Amf0Value::EcmaArray(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect()));
        let body = Command { name: String::new(), transaction_id: 0.0, arguments }.to_body().unwrap();
        Bytes::from(body).slice(12..)
    }

    #[test]
    fn a_push_and_a_file_say_the_same() {
        let pairs = || {
            vec![
                ("framerate", Amf0Value::Number(30.0)),
                ("videodatarate", Amf0Value::Number(2500.0)),
                ("videocodecid", Amf0Value::Number(7.0)),
            ]
        };
        let hints = Hints { frame_rate: Some(30.0), video_bps: Some(2_500_000), video: Some(true), audio: Some(false) };
        assert_eq!(Hints::read(&script(&["@setDataFrame", "onMetaData"], pairs())), Some(hints));
        assert_eq!(Hints::read(&script(&["onMetaData"], pairs())), Some(hints));
    }

    #[test]
    fn nonsense_gives_no_hints() {
        assert_eq!(Hints::read(&Bytes::new()), None);
        assert_eq!(Hints::read(&script(&["onCuePoint"], vec![])), None);
        assert_eq!(Hints::read(&script(&["onMetaData"], vec![("framerate", Amf0Value::Number(f64::NAN))])), Some(Hints::default()));
        let whole = script(&["@setDataFrame", "onMetaData"], vec![("framerate", Amf0Value::Number(30.0))]);
        for cut in 0..whole.len() {
            let _ = Hints::read(&whole.slice(..cut));
        }
    }
}
