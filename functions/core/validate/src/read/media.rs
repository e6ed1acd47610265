use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use core::mem::take;

use tidegate_hls::read::{MAX_ENTRIES, value};

use super::{
    Faults, Line,
    attributes::{Attributes, MAX_NUMBER, MAX_US},
    shown, tag,
};
use crate::rules;

/// A media playlist. Times are in us, lines from 1.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Media {
    /// EXT-X-VERSION.
    pub version: Option<u64>,
    /// EXT-X-TARGETDURATION.
    pub target_us: Option<u64>,
    /// EXT-X-MEDIA-SEQUENCE.
    pub sequence: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    pub discontinuity_sequence: Option<u64>,
    /// EXT-X-PLAYLIST-TYPE.
    pub kind: Option<String>,
    /// EXT-X-I-FRAMES-ONLY.
    pub i_frames_only: bool,
    /// EXT-X-INDEPENDENT-SEGMENTS.
    pub independent: bool,
    /// The line of EXT-X-ENDLIST.
    pub ended: Option<u32>,
    /// PART-TARGET, with its line.
    pub part_target: Option<(u64, u32)>,
    /// EXT-X-SERVER-CONTROL.
    pub control: Option<Control>,
    /// EXT-X-SKIP.
    pub skip: Option<Skip>,
    /// The whole segments.
    pub segments: Vec<Segment>,
    /// The segment of which only parts are listed.
    pub open: Option<Segment>,
    /// EXT-X-PRELOAD-HINT.
    pub hints: Vec<Hint>,
    /// EXT-X-RENDITION-REPORT.
    pub reports: Vec<Report>,
    /// EXT-X-DATERANGE.
    pub date_ranges: Vec<DateRange>,
    /// How many lines were read.
    pub lines: u32,
}

/// EXT-X-SERVER-CONTROL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Control {
    /// Where it stands.
    pub line: u32,
    /// `_HLS_msn` works.
    pub can_block: bool,
    /// `_HLS_skip` works beyond this distance from the end.
    pub skip_until_us: Option<u64>,
    /// `_HLS_skip=v2` works.
    pub skip_ranges: bool,
    /// Distance to play at, without parts.
    pub hold_back_us: Option<u64>,
    /// Distance to play at, with parts.
    pub part_hold_back_us: Option<u64>,
}

/// EXT-X-SKIP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip {
    /// Where it stands.
    pub line: u32,
    /// SKIPPED-SEGMENTS.
    pub segments: u64,
    /// RECENTLY-REMOVED-DATERANGES is there.
    pub ranges: bool,
}

/// One segment, or the beginning of one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Segment {
    /// Where its address stands, or its last part.
    pub line: u32,
    /// Its media sequence number.
    pub msn: u64,
    /// Its address as written; empty where only parts are listed.
    pub uri: String,
    /// EXTINF; of an open segment, its parts.
    pub duration_us: u64,
    /// EXT-X-BYTERANGE, as first byte and length.
    pub range: Option<(u64, u64)>,
    /// EXT-X-GAP.
    pub gap: bool,
    /// EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// Its discontinuity sequence number.
    pub discontinuity_number: u64,
    /// The EXT-X-MAP that holds for it.
    pub map: Option<Arc<Map>>,
    /// The EXT-X-KEY that holds for it.
    pub key: Option<Arc<Key>>,
    /// EXT-X-PROGRAM-DATE-TIME at it.
    pub date_us: Option<i64>,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// EXT-X-PART.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Where it stands.
    pub line: u32,
    /// Its address as written.
    pub uri: String,
    /// DURATION.
    pub duration_us: u64,
    /// INDEPENDENT=YES.
    pub independent: bool,
    /// GAP=YES.
    pub gap: bool,
    /// BYTERANGE, as first byte and length.
    pub range: Option<(u64, u64)>,
}

/// EXT-X-MAP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Map {
    /// Its address as written.
    pub uri: String,
    /// BYTERANGE, as first byte and length.
    pub range: Option<(u64, u64)>,
}

/// EXT-X-KEY with a method other than NONE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// METHOD.
    pub method: String,
}

/// EXT-X-PRELOAD-HINT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// Where it stands.
    pub line: u32,
    /// TYPE.
    pub kind: String,
    /// Its address as written.
    pub uri: String,
    /// BYTERANGE-START, where there is one.
    pub start: Option<u64>,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Where it stands.
    pub line: u32,
    /// Its address as written.
    pub uri: String,
    /// LAST-MSN; where it is left out, that of the playlist.
    pub msn: Option<u64>,
    /// LAST-PART; where it is left out, that of the playlist.
    pub part: Option<u64>,
}

/// EXT-X-DATERANGE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DateRange {
    /// Where it stands.
    pub line: u32,
    /// ID.
    pub id: String,
    /// All attributes.
    pub attributes: Vec<(String, String)>,
}

impl Media {
    /// The number of the segment after the last whole one.
    #[must_use]
    pub fn next_msn(&self) -> u64 {
        let skipped = self.skip.as_ref().map_or(0, |skip| skip.segments);
        self.sequence.saturating_add(skipped).saturating_add(self.segments.len() as u64)
    }

    /// The last part, or the last whole segment where there are no parts.
    #[must_use]
    pub fn last(&self) -> Option<(u64, Option<u64>)> {
        let last = self.open.as_ref().or_else(|| self.segments.last())?;
        Some((last.msn, last.parts.len().checked_sub(1).map(|part| part as u64)))
    }

    /// Segments, the open one too.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Segment> + Clone {
        self.segments.iter().chain(&self.open)
    }

    /// Whether any part is listed or announced.
    #[must_use]
    pub fn has_parts(&self) -> bool {
        self.part_target.is_some() || self.all().any(|segment| !segment.parts.is_empty())
    }

    /// The length of what is listed.
    #[must_use]
    pub fn duration_us(&self) -> u64 {
        self.all().fold(0, |sum, segment| sum.saturating_add(segment.duration_us))
    }
}

/// Reads a media playlist.
pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>, faults: &mut Faults) -> Media {
    let mut reader = Reader::default();
    for line in lines {
        reader.list.lines = line.number;
        if reader.list.segments.len() + reader.parts >= MAX_ENTRIES {
            break;
        }
        match tag(line.text) {
            Some((name, value)) => reader.tag(line, name, value, faults),
            None if line.text.starts_with('#') => {}
            None => reader.address(line, faults),
        }
    }
    reader.finish(faults)
}

#[derive(Default)]
struct Reader {
    list: Media,
    /// What has been said of the segment whose address has not come yet.
    next: Segment,
    extinf: Option<u32>,
    map: Option<Arc<Map>>,
    key: Option<Arc<Key>>,
    discontinuities: u64,
    range: Option<(u64, Option<u64>)>,
    last_range: Option<(String, u64)>,
    last_part_range: Option<(String, u64)>,
    /// Tags that may stand once, and did.
    once: Vec<&'static str>,
    parts: usize,
    /// The highest version that something asks for, and what.
    needs: (u64, &'static str),
}

impl Reader {
    fn tag<'a>(&mut self, line: Line<'a>, name: &'a str, value: &'a str, faults: &mut Faults) {
        let integer = |faults: &mut Faults| {
            let number = value::integer(value.trim());
            if number.is_none() {
                faults.add(rules::ATTR_VALUE, line.number, format!("{name}: `{}` is not a decimal integer", shown(value)));
            }
            number.map(|number| number.min(MAX_NUMBER))
        };
        match name {
            "EXTM3U" => self.once("EXTM3U", line, faults),
            "EXT-X-VERSION" => {
                self.once("EXT-X-VERSION", line, faults);
                self.list.version = integer(faults);
            }
            "EXT-X-TARGETDURATION" => {
                self.once("EXT-X-TARGETDURATION", line, faults);
                // A value that is no integer is a fault, and good enough to go on with.
                self.list.target_us = integer(faults)
                    .map(|s| s.saturating_mul(1_000_000))
                    .or_else(|| value::millionths(value.trim()))
                    .map(|us| us.min(MAX_US));
            }
            "EXT-X-MEDIA-SEQUENCE" => {
                self.once("EXT-X-MEDIA-SEQUENCE", line, faults);
                self.at_head(line, faults);
                self.list.sequence = integer(faults).unwrap_or(0);
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.once("EXT-X-DISCONTINUITY-SEQUENCE", line, faults);
                self.at_head(line, faults);
                self.list.discontinuity_sequence = integer(faults);
            }
            "EXT-X-ENDLIST" => {
                self.once("EXT-X-ENDLIST", line, faults);
                self.list.ended = Some(line.number);
            }
            "EXT-X-PLAYLIST-TYPE" => {
                self.once("EXT-X-PLAYLIST-TYPE", line, faults);
                if !matches!(value, "EVENT" | "VOD") {
                    faults.add(rules::ATTR_VALUE, line.number, format!("{name}: `{}` is neither EVENT nor VOD", shown(value)));
                }
                self.list.kind = Some(value.to_string());
            }
            "EXT-X-I-FRAMES-ONLY" => {
                self.once("EXT-X-I-FRAMES-ONLY", line, faults);
                self.list.i_frames_only = true;
                self.need(4, "EXT-X-I-FRAMES-ONLY");
            }
            "EXT-X-INDEPENDENT-SEGMENTS" => self.list.independent = true,
            "EXTINF" => self.extinf(line, value, faults),
            "EXT-X-BYTERANGE" => {
                self.need(4, "EXT-X-BYTERANGE");
                let range = value::byte_range(value.trim());
                self.range = range.map(|(length, offset)| (length.min(MAX_NUMBER), offset.map(|offset| offset.min(MAX_NUMBER))));
                if self.range.is_none() {
                    faults.add(rules::ATTR_VALUE, line.number, format!("{name}: `{}` is not <n>[@<o>]", shown(value)));
                }
            }
            "EXT-X-DISCONTINUITY" => {
                self.before_parts(line, faults);
                self.next.discontinuity = true;
            }
            "EXT-X-GAP" => {
                self.need(8, "EXT-X-GAP");
                self.next.gap = true;
            }
            "EXT-X-PROGRAM-DATE-TIME" => {
                self.before_parts(line, faults);
                self.next.date_us = value::date(value.trim());
                if self.next.date_us.is_none() {
                    faults.add(rules::ATTR_VALUE, line.number, format!("{name}: `{}` is not a date of ISO 8601", shown(value)));
                }
            }
            "EXT-X-BITRATE" => {
                integer(faults);
            }
            "EXT-X-KEY"
            | "EXT-X-MAP"
            | "EXT-X-PART"
            | "EXT-X-PART-INF"
            | "EXT-X-SERVER-CONTROL"
            | "EXT-X-SKIP"
            | "EXT-X-PRELOAD-HINT"
            | "EXT-X-RENDITION-REPORT"
            | "EXT-X-DATERANGE"
            | "EXT-X-START"
            | "EXT-X-DEFINE" => {
                let list = Attributes::read(line, name, value, faults);
                self.list_tag(line, name, &list, faults);
            }
            // Tags of the other kind of playlist are a fault of kind, and old ones are harmless.
            "EXT-X-MEDIA"
            | "EXT-X-STREAM-INF"
            | "EXT-X-I-FRAME-STREAM-INF"
            | "EXT-X-SESSION-DATA"
            | "EXT-X-SESSION-KEY"
            | "EXT-X-CONTENT-STEERING"
            | "EXT-X-ALLOW-CACHE" => {}
            _ => faults.add(rules::TAG_UNKNOWN, line.number, shown(line.text)),
        }
    }

    fn list_tag(&mut self, line: Line<'_>, name: &str, list: &Attributes<'_>, faults: &mut Faults) {
        match name {
            "EXT-X-KEY" => {
                self.before_parts(line, faults);
                list.require(&["METHOD"], faults);
                let method = list.word("METHOD", &["NONE", "AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR"], faults).unwrap_or("NONE");
                if method != "NONE" {
                    list.require(&["URI"], faults);
                }
                if list.has("IV") {
                    self.need(2, "IV of EXT-X-KEY");
                }
                if list.has("KEYFORMAT") {
                    self.need(5, "KEYFORMAT of EXT-X-KEY");
                }
                self.key = (method != "NONE").then(|| Arc::new(Key { method: method.into() }));
            }
            "EXT-X-MAP" => {
                self.before_parts(line, faults);
                list.require(&["URI"], faults);
                let uri = list.text("URI", faults).unwrap_or_default().to_string();
                let range = list.range("BYTERANGE", faults).map(|(length, offset)| (offset.unwrap_or(0), length));
                self.need(if self.list.i_frames_only { 5 } else { 6 }, "EXT-X-MAP");
                self.map = Some(Arc::new(Map { uri, range }));
            }
            "EXT-X-PART" => self.part(line, list, faults),
            "EXT-X-PART-INF" => {
                self.once("EXT-X-PART-INF", line, faults);
                list.require(&["PART-TARGET"], faults);
                self.list.part_target = list.seconds("PART-TARGET", faults).map(|target| (target, line.number));
            }
            "EXT-X-SERVER-CONTROL" => {
                self.once("EXT-X-SERVER-CONTROL", line, faults);
                self.list.control = Some(Control {
                    line: line.number,
                    can_block: list.yes("CAN-BLOCK-RELOAD", faults),
                    skip_until_us: list.seconds("CAN-SKIP-UNTIL", faults),
                    skip_ranges: list.yes("CAN-SKIP-DATERANGES", faults),
                    hold_back_us: list.seconds("HOLD-BACK", faults),
                    part_hold_back_us: list.seconds("PART-HOLD-BACK", faults),
                });
            }
            "EXT-X-SKIP" => {
                self.once("EXT-X-SKIP", line, faults);
                list.require(&["SKIPPED-SEGMENTS"], faults);
                let segments = list.integer("SKIPPED-SEGMENTS", faults).unwrap_or(0);
                let ranges = list.has("RECENTLY-REMOVED-DATERANGES");
                self.need(if ranges { 10 } else { 9 }, "EXT-X-SKIP");
                self.list.skip = Some(Skip { line: line.number, segments, ranges });
            }
            "EXT-X-PRELOAD-HINT" => {
                list.require(&["TYPE", "URI"], faults);
                self.list.hints.push(Hint {
                    line: line.number,
                    kind: list.word("TYPE", &["PART", "MAP"], faults).unwrap_or_default().into(),
                    uri: list.text("URI", faults).unwrap_or_default().into(),
                    start: list.integer("BYTERANGE-START", faults),
                });
                list.integer("BYTERANGE-LENGTH", faults);
            }
            "EXT-X-RENDITION-REPORT" => {
                list.require(&["URI"], faults);
                self.list.reports.push(Report {
                    line: line.number,
                    uri: list.text("URI", faults).unwrap_or_default().into(),
                    msn: list.integer("LAST-MSN", faults),
                    part: list.integer("LAST-PART", faults),
                });
            }
            "EXT-X-DATERANGE" => self.date_range(line, list, faults),
            "EXT-X-START" => {
                self.once("EXT-X-START", line, faults);
                list.require(&["TIME-OFFSET"], faults);
                list.number("TIME-OFFSET", "a decimal number", value::signed_millionths, faults);
                list.yes("PRECISE", faults);
            }
            "EXT-X-DEFINE" => self.need(if list.has("QUERYPARAM") { 11 } else { 8 }, "EXT-X-DEFINE"),
            _ => {}
        }
    }

    fn part(&mut self, line: Line<'_>, list: &Attributes<'_>, faults: &mut Faults) {
        list.require(&["URI", "DURATION"], faults);
        let uri = list.text("URI", faults).unwrap_or_default();
        let range = list.range("BYTERANGE", faults).map(|(length, offset)| {
            let follows = self.last_part_range.as_ref().filter(|(same, _)| same == uri).map(|(_, end)| *end);
            // The first part of a resource may leave the offset out: it is its first byte (4.4.4.9).
            let offset = offset.or(follows).unwrap_or(0);
            self.last_part_range = Some((uri.into(), offset.saturating_add(length)));
            (offset, length)
        });
        self.parts += 1;
        self.next.line = line.number;
        self.next.parts.push(Part {
            line: line.number,
            uri: uri.into(),
            duration_us: list.seconds("DURATION", faults).unwrap_or(0),
            independent: list.yes("INDEPENDENT", faults),
            gap: list.yes("GAP", faults),
            range,
        });
    }

    fn extinf(&mut self, line: Line<'_>, value: &str, faults: &mut Faults) {
        if self.extinf.replace(line.number).is_some() {
            faults.add(rules::MEDIA_EXTINF, line.number, "a second EXTINF before the address of the segment");
        }
        let number = value.split(',').next().unwrap_or_default();
        if number.contains('.') {
            self.need(3, "EXTINF with a decimal point");
        }
        match value::millionths(number) {
            Some(duration) => self.next.duration_us = duration.min(MAX_US),
            None => {
                // What stands beside the number is a fault, and the number still tells how long the segment is.
                self.next.duration_us = value::millionths(number.trim()).unwrap_or(0).min(MAX_US);
                faults.add(rules::ATTR_VALUE, line.number, format!("EXTINF: `{}` is not a decimal number", shown(number)));
            }
        }
    }

    fn date_range(&mut self, line: Line<'_>, list: &Attributes<'_>, faults: &mut Faults) {
        list.require(&["ID"], faults);
        let fault = |faults: &mut Faults, seen: &str| faults.add(rules::DATE_RANGE, line.number, seen);
        let id = list.text("ID", faults).unwrap_or_default();
        let (start, end) = (list.date("START-DATE", faults), list.date("END-DATE", faults));
        let duration = list.seconds("DURATION", faults);
        list.seconds("PLANNED-DURATION", faults);
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            fault(faults, "it ends before it starts");
        }
        if let Some(((start, end), duration)) = start.zip(end).zip(duration)
            && (end - start).abs_diff(i64::try_from(duration).unwrap_or(i64::MAX)) > 1000
        {
            fault(faults, "DURATION is not the time from START-DATE to END-DATE");
        }
        if list.has("END-ON-NEXT") {
            list.word("END-ON-NEXT", &["YES"], faults);
            if !list.has("CLASS") || list.has("DURATION") || list.has("END-DATE") {
                fault(faults, "END-ON-NEXT needs CLASS, and neither DURATION nor END-DATE");
            }
        }
        let known = self.list.date_ranges.iter().find(|known| known.id == id && !id.is_empty());
        let attributes = list.pairs();
        if let Some(known) = known {
            let differs = attributes.iter().find(|(name, value)| known.attributes.iter().any(|(n, v)| n == name && v != value));
            if let Some((name, _)) = differs {
                fault(faults, &format!("{name} of {} differs from line {}", shown(id), known.line));
            }
        } else if !list.has("START-DATE") {
            fault(faults, "no START-DATE");
        }
        self.list.date_ranges.push(DateRange { line: line.number, id: id.into(), attributes });
    }

    fn address(&mut self, line: Line<'_>, faults: &mut Faults) {
        if self.extinf.take().is_none() {
            faults.add(rules::MEDIA_EXTINF, line.number, format!("no EXTINF before {}", shown(line.text)));
        }
        let mut segment = self.take_next();
        segment.line = line.number;
        segment.uri = line.text.to_string();
        segment.range = self.range.take().map(|(length, offset)| {
            let follows = self.last_range.as_ref().filter(|(same, _)| *same == segment.uri).map(|(_, end)| *end);
            if offset.is_none() && follows.is_none() {
                faults.add(rules::MEDIA_RANGE, line.number, "a byte range without an offset, and none of this resource before it");
            }
            let offset = offset.or(follows).unwrap_or(0);
            self.last_range = Some((segment.uri.clone(), offset.saturating_add(length)));
            (offset, length)
        });
        self.list.segments.push(segment);
    }

    fn take_next(&mut self) -> Segment {
        let mut segment = take(&mut self.next);
        segment.msn = self.list.next_msn();
        self.discontinuities += u64::from(segment.discontinuity);
        segment.discontinuity_number = self.list.discontinuity_sequence.unwrap_or(0).saturating_add(self.discontinuities);
        segment.map.clone_from(&self.map);
        segment.key.clone_from(&self.key);
        segment
    }

    /// Tags about a segment stand before its first part (4.4.4.9).
    fn before_parts(&self, line: Line<'_>, faults: &mut Faults) {
        if !self.next.parts.is_empty() {
            faults.add(rules::LL_PART_TAGS, line.number, format!("{} behind a part of its segment", shown(line.text)));
        }
    }

    /// Numbers stand before what they number (4.4.3.2, 4.4.3.3).
    fn at_head(&self, line: Line<'_>, faults: &mut Faults) {
        if !self.list.segments.is_empty() || !self.next.parts.is_empty() || self.discontinuities > 0 || self.next.discontinuity {
            faults.add(rules::MEDIA_ORDER, line.number, shown(line.text));
        }
    }

    fn once(&mut self, tag: &'static str, line: Line<'_>, faults: &mut Faults) {
        if self.once.contains(&tag) {
            faults.add(rules::TAG_ONCE, line.number, format!("{tag} stands twice"));
        }
        self.once.push(tag);
    }

    fn need(&mut self, version: u64, why: &'static str) {
        if version > self.needs.0 {
            self.needs = (version, why);
        }
    }

    fn finish(mut self, faults: &mut Faults) -> Media {
        if let Some(line) = self.extinf {
            faults.add(rules::MEDIA_EXTINF, line, "no address behind it");
        }
        if !self.next.parts.is_empty() {
            let mut open = self.take_next();
            open.duration_us = open.parts.iter().fold(0, |sum, part| sum.saturating_add(part.duration_us));
            self.list.open = Some(open);
        }
        let (needs, why) = self.needs;
        let version = self.list.version.unwrap_or(1);
        if version < needs {
            faults.add(rules::VERSION, 0, format!("version {version}, and {why} asks for {needs}"));
        }
        self.list
    }
}
