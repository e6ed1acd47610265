//! Reading playlists without mercy and without giving up: every fault is noted with its line, and what can be read is read.
//!
//! `tidegate_hls::read` is the reader of players: it stops at the first fault and forgets lines. The values are read by the same
//! functions.

mod attributes;
mod media;
mod multivariant;

use alloc::{format, string::String, vec::Vec};

pub use media::{Control, DateRange, Hint, Key, Map, Media, Part, Report, Segment, Skip};
pub use multivariant::{IFrames, Multivariant, Rendition, Variant};
use tidegate_hls::read::MAX_LINES;

use crate::{rule::Rule, rules};

/// A rule that a text breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The rule.
    pub rule: &'static Rule,
    /// The line, from 1; 0 where it is the whole text.
    pub line: u32,
    /// What was seen.
    pub seen: String,
}

impl Fault {
    pub(crate) fn new(rule: &'static Rule, line: u32, seen: impl Into<String>) -> Self {
        Self { rule, line, seen: seen.into() }
    }
}

/// A playlist as far as it could be read.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and is taken apart where it is made")]
pub enum Playlist {
    /// Lists the variants of a presentation.
    Multivariant(Multivariant),
    /// Lists the segments of one rendition.
    Media(Media),
}

/// Faults of one text are kept up to here: who breaks more breaks the same again.
const MAX_FAULTS: usize = 200;

/// A line that says something.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) number: u32,
    pub(crate) text: &'a str,
}

/// Faults as they are found.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, rule: &'static Rule, line: u32, seen: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault::new(rule, line, seen));
        }
    }
}

/// Reads a playlist of either kind; `None` where the text is none.
#[must_use]
pub fn read(bytes: &[u8]) -> (Option<Playlist>, Vec<Fault>) {
    let mut faults = Faults::default();
    let text = String::from_utf8_lossy(bytes);
    if core::str::from_utf8(bytes).is_err() {
        faults.add(rules::TEXT_UTF8, 0, "bytes that are not UTF-8");
    }
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => {
            faults.add(rules::TEXT_UTF8, 1, "a byte order mark");
            rest
        }
        None => &text,
    };
    let first = text.lines().next().unwrap_or_default();
    match first.trim_end() {
        "#EXTM3U" => {}
        other if other.split([' ', '\t', ',']).next() == Some("#EXTM3U") => {
            faults.add(rules::TEXT_EXTM3U, 1, format!("more than #EXTM3U: {}", shown(other)));
        }
        other => {
            faults.add(rules::TEXT_EXTM3U, 1, if other.is_empty() { "nothing".into() } else { shown(other) });
            return (None, faults.0);
        }
    }
    if text.lines().nth(MAX_LINES as usize).is_some() {
        faults.add(rules::TEXT_LONG, MAX_LINES, "more lines than that, which are not read");
    }
    let kind = kind(text, &mut faults);
    let playlist = kind.map(|kind| match kind {
        Kind::Multivariant => Playlist::Multivariant(multivariant::read(lines(text), &mut faults)),
        Kind::Media => Playlist::Media(media::read(lines(text), &mut faults)),
    });
    (playlist, faults.0)
}

/// What says something behind the first line, which has been looked at, as far as is read ([`rules::TEXT_LONG`]).
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let lines = text.lines().zip(1..).map(|(line, number)| Line { number, text: line.trim_end() });
    lines.take(MAX_LINES as usize).filter(|line| line.number > 1 && !line.text.is_empty())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Multivariant,
    Media,
}

/// Tags that only multivariant playlists have (rfc8216bis 4.4.6).
const MULTIVARIANT_TAGS: [&str; 6] =
    ["EXT-X-MEDIA", "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-SESSION-DATA", "EXT-X-SESSION-KEY", "EXT-X-CONTENT-STEERING"];
/// Tags that only media playlists have (rfc8216bis 4.4.3 to 4.4.5).
pub(crate) const MEDIA_TAGS: [&str; 15] = [
    "EXTINF",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PART",
    "EXT-X-PART-INF",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-ENDLIST",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-MAP",
    "EXT-X-SKIP",
    "EXT-X-BYTERANGE",
    "EXT-X-KEY",
    "EXT-X-GAP",
    "EXT-X-I-FRAMES-ONLY",
];

/// Decides by the first tag that belongs to one kind alone; the first of the other kind is a fault.
fn kind(text: &str, faults: &mut Faults) -> Option<Kind> {
    let mut found = None;
    let (mut mixed, mut controls) = (false, false);
    for line in lines(text) {
        if !controls && line.text.chars().any(|letter| letter.is_control() && letter != '\t') {
            controls = true;
            faults.add(rules::TEXT_CONTROL, line.number, shown(line.text));
        }
        let kind = match tag(line.text).map(|(name, _)| name) {
            Some(name) if MULTIVARIANT_TAGS.contains(&name) => Kind::Multivariant,
            Some(name) if MEDIA_TAGS.contains(&name) => Kind::Media,
            _ => continue,
        };
        match found {
            None => found = Some(kind),
            Some(first) if first != kind && !mixed => {
                mixed = true;
                faults.add(rules::TEXT_KIND, line.number, shown(line.text));
            }
            Some(_) => {}
        }
    }
    if found.is_none() {
        faults.add(rules::TEXT_KIND, 0, "no tag that says which");
    }
    found
}

/// The name of a tag and what stands behind its colon; `None` for addresses and comments.
pub(crate) fn tag(line: &str) -> Option<(&str, &str)> {
    let name = line.strip_prefix('#').filter(|rest| rest.starts_with("EXT"))?;
    Some(name.split_once(':').unwrap_or((name, "")))
}

/// A line for people: one line, not too long.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 100;
    let mut short: String = text.chars().take(MOST).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}
