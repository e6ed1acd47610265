use alloc::{string::String, vec::Vec};

use super::{Attributes, Error, Line, MAX_ENTRIES, attributes::List, owned, value};

/// A multivariant playlist.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Multivariant {
    /// EXT-X-VERSION; 1 where the tag is not there.
    pub version: u32,
    /// Every segment can be decoded without another.
    pub independent_segments: bool,
    /// The variants in their order.
    pub variants: Vec<Variant>,
    /// EXT-X-I-FRAME-STREAM-INF.
    pub i_frame_variants: Vec<IFrameVariant>,
    /// EXT-X-MEDIA.
    pub renditions: Vec<MediaRendition>,
    /// EXT-X-SESSION-DATA.
    pub session_data: Vec<SessionData>,
    /// EXT-X-SESSION-KEY.
    pub session_keys: Vec<Attributes>,
    /// EXT-X-CONTENT-STEERING.
    pub content_steering: Option<Attributes>,
    /// EXT-X-START: offset in us (from the end where negative) and whether it is precise.
    pub start: Option<(i64, bool)>,
}

/// EXT-X-STREAM-INF with its URI.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Variant {
    /// Where its media playlist is.
    pub uri: String,
    /// Peak, in bit/s.
    pub bandwidth_bps: u64,
    /// Average, in bit/s.
    pub average_bandwidth_bps: Option<u64>,
    /// RFC 6381 names, between commas.
    pub codecs: Option<String>,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Frames in 1000 s, as 29970.
    pub frame_rate_millis: Option<u32>,
    /// Group of audio renditions.
    pub audio: Option<String>,
    /// Group of video renditions.
    pub video: Option<String>,
    /// Group of subtitle renditions.
    pub subtitles: Option<String>,
    /// Group of closed captions; `None` too where the value is NONE.
    pub closed_captions: Option<String>,
    /// All attributes, the ones above too.
    pub attributes: Attributes,
}

/// EXT-X-I-FRAME-STREAM-INF.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct IFrameVariant {
    /// Where its media playlist is.
    pub uri: String,
    /// Peak, in bit/s.
    pub bandwidth_bps: u64,
    /// All attributes, the ones above too.
    pub attributes: Attributes,
}

/// TYPE of EXT-X-MEDIA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Text in a file of its own.
    Subtitles,
    /// Text inside the video.
    ClosedCaptions,
}

/// EXT-X-MEDIA.
#[derive(Clone, PartialEq, Debug)]
pub struct MediaRendition {
    /// What it is.
    pub kind: MediaKind,
    /// The group that variants name.
    pub group_id: String,
    /// For people.
    pub name: String,
    /// Where its media playlist is; `None`: inside the variants.
    pub uri: Option<String>,
    /// RFC 5646.
    pub language: Option<String>,
    /// Play it where the viewer says nothing.
    pub default: bool,
    /// May be chosen without the viewer.
    pub autoselect: bool,
    /// Number of channels and more.
    pub channels: Option<String>,
    /// All attributes, the ones above too.
    pub attributes: Attributes,
}

/// EXT-X-SESSION-DATA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionData {
    /// What it is about.
    pub id: String,
    /// The value itself.
    pub value: Option<String>,
    /// Where the value is.
    pub uri: Option<String>,
    /// RFC 5646.
    pub language: Option<String>,
}

pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>) -> Result<Multivariant, Error> {
    let mut list = Multivariant { version: 1, ..Multivariant::default() };
    let mut pending: Option<Variant> = None;
    for line in lines {
        if !line.text.starts_with('#') {
            // A URI without EXT-X-STREAM-INF is nobody's variant.
            if let Some(mut variant) = pending.take() {
                variant.uri = owned(line.text.trim());
                list.variants.push(variant);
            }
        } else if let Some(tag) = line.text.strip_prefix("#EXT-X-") {
            let (name, rest) = tag.split_once(':').unwrap_or((tag, ""));
            list.tag(line, name, rest, &mut pending)?;
        }
        let entries = [list.variants.len(), list.renditions.len(), list.i_frame_variants.len(), list.session_data.len()];
        if entries.into_iter().any(|entries| entries > MAX_ENTRIES) {
            return Err(Error::TooLong { max: MAX_ENTRIES, what: "variants or renditions" });
        }
    }
    Ok(list)
}

impl Multivariant {
    fn tag(&mut self, line: Line<'_>, name: &str, rest: &str, pending: &mut Option<Variant>) -> Result<(), Error> {
        match name {
            "VERSION" => {
                let version = value::integer(rest.trim()).and_then(|version| u32::try_from(version).ok());
                self.version = version.ok_or_else(|| line.value("EXT-X-VERSION", "a decimal integer"))?;
            }
            "INDEPENDENT-SEGMENTS" => self.independent_segments = true,
            "STREAM-INF" => *pending = Some(variant(List::new(line, "EXT-X-STREAM-INF", rest))?),
            "I-FRAME-STREAM-INF" => {
                let list = List::new(line, "EXT-X-I-FRAME-STREAM-INF", rest);
                let uri = owned(list.required("URI")?);
                let bandwidth_bps = list.integer("BANDWIDTH")?.ok_or_else(|| list.bad("BANDWIDTH"))?;
                self.i_frame_variants.push(IFrameVariant { uri, bandwidth_bps, attributes: list.owned() });
            }
            "MEDIA" => self.renditions.push(rendition(List::new(line, "EXT-X-MEDIA", rest))?),
            "SESSION-DATA" => {
                let list = List::new(line, "EXT-X-SESSION-DATA", rest);
                self.session_data.push(SessionData {
                    id: owned(list.required("DATA-ID")?),
                    value: list.owned_text("VALUE"),
                    uri: list.owned_text("URI"),
                    language: list.owned_text("LANGUAGE"),
                });
            }
            "SESSION-KEY" => self.session_keys.push(List::new(line, "EXT-X-SESSION-KEY", rest).owned()),
            "CONTENT-STEERING" => self.content_steering = Some(List::new(line, "EXT-X-CONTENT-STEERING", rest).owned()),
            "START" => self.start = Some(start(List::new(line, "EXT-X-START", rest))?),
            _ => {}
        }
        Ok(())
    }
}

pub(super) fn start(list: List<'_>) -> Result<(i64, bool), Error> {
    let offset = list.read("TIME-OFFSET", value::signed_millionths)?.ok_or_else(|| list.bad("TIME-OFFSET"))?;
    Ok((offset, list.yes("PRECISE")))
}

fn variant(list: List<'_>) -> Result<Variant, Error> {
    let frame_rate = list.read("FRAME-RATE", |text| u32::try_from(value::millionths(text)?.checked_add(500)? / 1000).ok())?;
    Ok(Variant {
        uri: String::new(),
        bandwidth_bps: list.integer("BANDWIDTH")?.ok_or_else(|| list.bad("BANDWIDTH"))?,
        average_bandwidth_bps: list.integer("AVERAGE-BANDWIDTH")?,
        codecs: list.owned_text("CODECS"),
        resolution: list.read("RESOLUTION", value::resolution)?,
        frame_rate_millis: frame_rate,
        audio: list.owned_text("AUDIO"),
        video: list.owned_text("VIDEO"),
        subtitles: list.owned_text("SUBTITLES"),
        closed_captions: list.owned_text("CLOSED-CAPTIONS").filter(|group| group != "NONE"),
        attributes: list.owned(),
    })
}

fn rendition(list: List<'_>) -> Result<MediaRendition, Error> {
    let kind = match list.required("TYPE")? {
        "AUDIO" => MediaKind::Audio,
        "VIDEO" => MediaKind::Video,
        "SUBTITLES" => MediaKind::Subtitles,
        "CLOSED-CAPTIONS" => MediaKind::ClosedCaptions,
        _ => return Err(list.bad("TYPE")),
    };
    Ok(MediaRendition {
        kind,
        group_id: owned(list.required("GROUP-ID")?),
        name: list.owned_text("NAME").unwrap_or_default(),
        uri: list.owned_text("URI"),
        language: list.owned_text("LANGUAGE"),
        default: list.yes("DEFAULT"),
        autoselect: list.yes("AUTOSELECT"),
        channels: list.owned_text("CHANNELS"),
        attributes: list.owned(),
    })
}
