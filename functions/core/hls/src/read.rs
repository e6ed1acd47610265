//! Reading playlists: text in, plain structs out. Unknown tags and attributes are passed over, known ones must have their type.

mod attributes;
mod delta;
mod media;
mod multivariant;
pub mod value;

use alloc::string::String;

pub use attributes::Attributes;
pub use delta::MergeError;
pub use media::{
    ByteRange, DateRange, KeyTag, Map, Media, Part, PlaylistType, PreloadHint, PreloadKind, RenditionReport, Segment, ServerControl, Skip,
};
pub use multivariant::{IFrameVariant, MediaKind, MediaRendition, Multivariant, SessionData, Variant};

/// Lines that a playlist may have. A window of 24 h in 2 s segments has 130,000 lines with four for each segment.
pub const MAX_LINES: u32 = 200_000;

/// Segments, parts, variants or renditions that a playlist may have: twice the segments of 24 h in 2 s segments.
pub const MAX_ENTRIES: usize = 100_000;

/// A playlist of one of the two kinds.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and is taken apart where it is made")]
pub enum Playlist {
    /// Lists the variants of a presentation.
    Multivariant(Multivariant),
    /// Lists the segments of one rendition.
    Media(Media),
}

/// Why a text is not a playlist.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first line is another one.
    #[error("the text does not start with #EXTM3U")]
    NotPlaylist,
    /// Tags of both kinds of playlist, or of none.
    #[error("the text is neither a multivariant nor a media playlist")]
    Kind,
    /// A tag whose value is not what it has to be.
    #[error("line {line}: {tag} has a value that does not read: {what}")]
    Value {
        /// Where, from 1.
        line: u32,
        /// Which tag.
        tag: &'static str,
        /// The attribute, or what was expected.
        what: &'static str,
    },
    /// A line that must not stand alone.
    #[error("line {line}: {what}")]
    Order {
        /// Where, from 1.
        line: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A media playlist without a tag that it must have.
    #[error("{tag} is missing")]
    Missing {
        /// Which tag.
        tag: &'static str,
    },
    /// The text is beyond [`MAX_LINES`] or [`MAX_ENTRIES`].
    #[error("the playlist has more than {max} {what}")]
    TooLong {
        /// The bound.
        max: usize,
        /// Of what.
        what: &'static str,
    },
}

/// One line with its place, and errors that name it.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: u32,
    text: &'a str,
}

impl Line<'_> {
    fn value(self, tag: &'static str, what: &'static str) -> Error {
        Error::Value { line: self.number, tag, what }
    }

    fn order(self, what: &'static str) -> Error {
        Error::Order { line: self.number, what }
    }
}

/// Reads a playlist of either kind.
pub fn parse(text: &str) -> Result<Playlist, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim_end);
    // `#EXTM3U` is followed by attributes in lists that some servers write for other players.
    if lines.next().is_none_or(|first| first.split([' ', '\t']).next() != Some("#EXTM3U")) {
        return Err(Error::NotPlaylist);
    }
    let mut kind = None;
    for (at, line) in lines.enumerate() {
        if at >= MAX_LINES as usize {
            return Err(Error::TooLong { max: MAX_LINES as usize, what: "lines" });
        }
        if kind.is_none() {
            kind = kind_of(line);
        }
    }
    match kind.ok_or(Error::Kind)? {
        Kind::Multivariant => multivariant::read(numbered(text)).map(Playlist::Multivariant),
        Kind::Media => media::read(numbered(text)).map(Playlist::Media),
    }
}

fn numbered(text: &str) -> impl Iterator<Item = Line<'_>> {
    let lines = text.lines().zip(1..).map(|(line, number)| Line { number, text: line.trim_end() });
    lines.skip(1).filter(|line| !line.text.is_empty())
}

enum Kind {
    Multivariant,
    Media,
}

/// Which kind of playlist a tag belongs to; `None` for tags of both.
fn kind_of(line: &str) -> Option<Kind> {
    let name = line.strip_prefix("#EXT")?.split(':').next()?;
    match name {
        "-X-MEDIA" | "-X-STREAM-INF" | "-X-I-FRAME-STREAM-INF" | "-X-SESSION-DATA" | "-X-SESSION-KEY" | "-X-CONTENT-STEERING" => {
            Some(Kind::Multivariant)
        }
        "INF" | "-X-TARGETDURATION" | "-X-MEDIA-SEQUENCE" | "-X-PART" | "-X-PART-INF" | "-X-SERVER-CONTROL" | "-X-ENDLIST"
        | "-X-PLAYLIST-TYPE" | "-X-MAP" | "-X-SKIP" | "-X-BYTERANGE" | "-X-KEY" => Some(Kind::Media),
        _ => None,
    }
}

/// Copies a text out of the playlist.
fn owned(text: &str) -> String {
    String::from(text)
}

#[cfg(test)]
mod tests;
