use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_hls::read::{MAX_ENTRIES, value};

use super::{Faults, Line, MEDIA_TAGS, attributes::Attributes, shown, tag};
use crate::rules;

/// A multivariant playlist.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Multivariant {
    /// EXT-X-INDEPENDENT-SEGMENTS.
    pub independent: bool,
    /// EXT-X-STREAM-INF with their addresses.
    pub variants: Vec<Variant>,
    /// EXT-X-MEDIA.
    pub renditions: Vec<Rendition>,
    /// EXT-X-I-FRAME-STREAM-INF.
    pub i_frames: Vec<IFrames>,
}

/// EXT-X-STREAM-INF.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Variant {
    /// Where it stands.
    pub line: u32,
    /// Its address as written.
    pub uri: String,
    /// BANDWIDTH.
    pub bandwidth_bps: Option<u64>,
    /// AVERAGE-BANDWIDTH.
    pub average_bps: Option<u64>,
    /// CODECS, taken apart.
    pub codecs: Option<Vec<String>>,
    /// RESOLUTION.
    pub resolution: Option<(u32, u32)>,
    /// FRAME-RATE is there.
    pub frame_rate: bool,
    /// SCORE is there.
    pub score: bool,
    /// AUDIO, VIDEO, SUBTITLES and CLOSED-CAPTIONS with the group that each names.
    pub groups: Vec<(&'static str, String)>,
    /// CLOSED-CAPTIONS=NONE.
    pub no_captions: bool,
}

/// EXT-X-MEDIA.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rendition {
    /// Where it stands.
    pub line: u32,
    /// TYPE.
    pub kind: String,
    /// GROUP-ID.
    pub group: String,
    /// NAME.
    pub name: String,
    /// LANGUAGE is there.
    pub language: bool,
    /// DEFAULT=YES.
    pub default: bool,
    /// AUTOSELECT, where it is there.
    pub autoselect: Option<bool>,
    /// URI.
    pub uri: Option<String>,
    /// INSTREAM-ID is there.
    pub instream: bool,
}

/// EXT-X-I-FRAME-STREAM-INF.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IFrames {
    /// Where it stands.
    pub line: u32,
    /// Its address as written.
    pub uri: String,
    /// CODECS is there.
    pub codecs: bool,
    /// RESOLUTION is there.
    pub resolution: bool,
}

impl Variant {
    /// Whether it has pictures, as far as it says.
    #[must_use]
    pub fn has_video(&self) -> bool {
        let of_video = |codec: &String| VIDEO.iter().any(|start| codec.starts_with(start));
        self.resolution.is_some() || self.codecs.as_ref().is_none_or(|codecs| codecs.iter().any(of_video))
    }
}

/// How the codecs of pictures begin.
const VIDEO: [&str; 12] = ["avc1", "avc3", "hvc1", "hev1", "av01", "vp08", "vp09", "dvh1", "dvhe", "dav1", "mjpg", "mp4v"];

/// Reads a multivariant playlist.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, faults: &mut Faults) -> Multivariant {
    let mut reader = Reader::default();
    for line in lines {
        if reader.list.variants.len() + reader.list.renditions.len() + reader.list.i_frames.len() >= MAX_ENTRIES {
            break;
        }
        match tag(line.text) {
            Some((name, value)) => reader.tag(line, name, value, faults),
            None if line.text.starts_with('#') => {}
            None => match reader.variant.take() {
                Some(variant) => reader.list.variants.push(Variant { uri: line.text.to_string(), ..variant }),
                None => faults.add(rules::MV_URI, line.number, format!("no EXT-X-STREAM-INF before {}", shown(line.text))),
            },
        }
    }
    reader.finish(faults)
}

#[derive(Default)]
struct Reader {
    list: Multivariant,
    variant: Option<Variant>,
    version: Option<u64>,
    needs: (u64, &'static str),
}

impl Reader {
    fn tag<'a>(&mut self, line: Line<'a>, name: &'a str, text: &'a str, faults: &mut Faults) {
        if let Some(variant) = self.variant.take_if(|_| name == "EXT-X-STREAM-INF") {
            faults.add(rules::MV_URI, variant.line, "no address behind it");
        }
        match name {
            "EXT-X-VERSION" => {
                if self.version.is_some() {
                    faults.add(rules::TAG_ONCE, line.number, "EXT-X-VERSION stands twice");
                }
                self.version = value::integer(text.trim());
                if self.version.is_none() {
                    faults.add(rules::ATTR_VALUE, line.number, format!("{name}: `{}` is not a decimal integer", shown(text)));
                }
            }
            "EXT-X-INDEPENDENT-SEGMENTS" => self.list.independent = true,
            "EXT-X-STREAM-INF" => self.variant = Some(variant(line, &Attributes::read(line, name, text, faults), faults)),
            "EXT-X-I-FRAME-STREAM-INF" => {
                let list = Attributes::read(line, name, text, faults);
                list.require(&["BANDWIDTH", "URI"], faults);
                list.integer("BANDWIDTH", faults);
                list.integer("AVERAGE-BANDWIDTH", faults);
                list.number("RESOLUTION", "<width>x<height>", value::resolution, faults);
                self.list.i_frames.push(IFrames {
                    line: line.number,
                    uri: list.text("URI", faults).unwrap_or_default().into(),
                    codecs: list.text("CODECS", faults).is_some(),
                    resolution: list.has("RESOLUTION"),
                });
            }
            "EXT-X-MEDIA" => self.media(line, &Attributes::read(line, name, text, faults), faults),
            "EXT-X-SESSION-DATA" => {
                let list = Attributes::read(line, name, text, faults);
                list.require(&["DATA-ID"], faults);
                if list.has("VALUE") == list.has("URI") {
                    faults.add(
                        rules::MV_SESSION_DATA,
                        line.number,
                        if list.has("URI") { "both VALUE and URI" } else { "neither VALUE nor URI" },
                    );
                }
            }
            "EXT-X-SESSION-KEY" => Attributes::read(line, name, text, faults).require(&["METHOD", "URI"], faults),
            "EXT-X-CONTENT-STEERING" => Attributes::read(line, name, text, faults).require(&["SERVER-URI"], faults),
            "EXT-X-START" => Attributes::read(line, name, text, faults).require(&["TIME-OFFSET"], faults),
            "EXT-X-DEFINE" => {
                let list = Attributes::read(line, name, text, faults);
                self.needs = self.needs.max(if list.has("QUERYPARAM") { (11, "EXT-X-DEFINE") } else { (8, "EXT-X-DEFINE") });
            }
            "EXTM3U" => faults.add(rules::TAG_ONCE, line.number, "EXTM3U stands twice"),
            // That the playlist mixes both kinds has been said.
            name if MEDIA_TAGS.contains(&name) => {}
            _ => faults.add(rules::TAG_UNKNOWN, line.number, shown(line.text)),
        }
    }

    fn media(&mut self, line: Line<'_>, list: &Attributes<'_>, faults: &mut Faults) {
        list.require(&["TYPE", "GROUP-ID", "NAME"], faults);
        let kind = list.word("TYPE", &["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"], faults).unwrap_or_default();
        if list.text("INSTREAM-ID", faults).is_some_and(|id| id.starts_with("SERVICE")) {
            self.needs = self.needs.max((7, "INSTREAM-ID of SERVICE"));
        }
        self.list.renditions.push(Rendition {
            line: line.number,
            kind: kind.into(),
            group: list.text("GROUP-ID", faults).unwrap_or_default().into(),
            name: list.text("NAME", faults).unwrap_or_default().into(),
            language: list.text("LANGUAGE", faults).is_some(),
            default: list.yes("DEFAULT", faults),
            autoselect: list.word("AUTOSELECT", &["YES", "NO"], faults).map(|word| word == "YES"),
            uri: list.text("URI", faults).map(Into::into),
            instream: list.has("INSTREAM-ID"),
        });
    }

    fn finish(mut self, faults: &mut Faults) -> Multivariant {
        if let Some(variant) = self.variant.take() {
            faults.add(rules::MV_URI, variant.line, "no address behind it");
        }
        let (needs, why) = self.needs;
        let version = self.version.unwrap_or(1);
        if version < needs {
            faults.add(rules::VERSION, 0, format!("version {version}, and {why} asks for {needs}"));
        }
        self.list
    }
}

fn variant(line: Line<'_>, list: &Attributes<'_>, faults: &mut Faults) -> Variant {
    list.require(&["BANDWIDTH"], faults);
    let captions_none =
        list.has("CLOSED-CAPTIONS") && list.pairs().iter().any(|(name, value)| name == "CLOSED-CAPTIONS" && value == "NONE");
    let mut variant = Variant {
        line: line.number,
        bandwidth_bps: list.integer("BANDWIDTH", faults),
        average_bps: list.integer("AVERAGE-BANDWIDTH", faults),
        codecs: list.text("CODECS", faults).map(|codecs| codecs.split(',').map(|codec| codec.trim().to_string()).collect()),
        resolution: list.number("RESOLUTION", "<width>x<height>", value::resolution, faults),
        frame_rate: list.number("FRAME-RATE", "a decimal number", value::millionths, faults).is_some(),
        score: list.number("SCORE", "a decimal number", value::millionths, faults).is_some(),
        no_captions: captions_none,
        ..Variant::default()
    };
    for name in ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"] {
        if captions_none && name == "CLOSED-CAPTIONS" {
            continue;
        }
        if let Some(group) = list.text(name, faults) {
            variant.groups.push((name, group.to_string()));
        }
    }
    variant
}
