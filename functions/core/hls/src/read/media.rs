use alloc::{string::String, sync::Arc, vec::Vec};
use core::mem::take;

use tidegate_stream::Msn;

use super::{Attributes, Error, Line, MAX_ENTRIES, attributes::List, multivariant::start, owned, value};

/// A media playlist. Times are in us.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Media {
    /// EXT-X-VERSION; 1 where the tag is not there.
    pub version: u32,
    /// EXT-X-TARGETDURATION.
    pub target_duration_s: u32,
    /// The number of the first segment, skipped ones included.
    pub media_sequence: Msn,
    /// The discontinuity sequence number before the first segment.
    pub discontinuity_sequence: u64,
    /// EXT-X-PLAYLIST-TYPE.
    pub playlist_type: Option<PlaylistType>,
    /// Every segment can be decoded without another.
    pub independent_segments: bool,
    /// Only I-frames are listed.
    pub i_frames_only: bool,
    /// EXT-X-ENDLIST: nothing more will come.
    pub ended: bool,
    /// EXT-X-START: offset in us (from the end where negative) and whether it is precise.
    pub start: Option<(i64, bool)>,
    /// EXT-X-SERVER-CONTROL.
    pub server_control: Option<ServerControl>,
    /// PART-TARGET.
    pub part_target_us: Option<u64>,
    /// EXT-X-SKIP: the playlist is a delta; see [`Media::merge_delta`].
    pub skip: Option<Skip>,
    /// The complete segments.
    pub segments: Vec<Segment>,
    /// The segment of which only parts are listed; its URI is empty, its duration that of its parts.
    pub open: Option<Segment>,
    /// EXT-X-PRELOAD-HINT.
    pub preload_hints: Vec<PreloadHint>,
    /// EXT-X-RENDITION-REPORT.
    pub rendition_reports: Vec<RenditionReport>,
    /// EXT-X-DATERANGE.
    pub date_ranges: Vec<DateRange>,
    /// Segments of a delta before this index of `segments` have no EXT-X-MAP (EXT-X-KEY) before them in the text; else 0.
    pub(super) first_map: usize,
    pub(super) first_key: usize,
}

/// EXT-X-PLAYLIST-TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlaylistType {
    /// Segments are only added.
    Event,
    /// Nothing changes.
    Vod,
}

/// EXT-X-SERVER-CONTROL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerControl {
    /// `_HLS_msn` and `_HLS_part` work.
    pub can_block_reload: bool,
    /// `_HLS_skip` works, beyond this distance from the end.
    pub can_skip_until_us: Option<u64>,
    /// `_HLS_skip=v2` works.
    pub can_skip_dateranges: bool,
    /// Distance from the end to play at, without parts.
    pub hold_back_us: Option<u64>,
    /// Distance from the end to play at, with parts.
    pub part_hold_back_us: Option<u64>,
}

/// EXT-X-SKIP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip {
    /// How many segments are left out.
    pub segments: u64,
    /// Date ranges that were removed; `None` where the delta leaves no date range out.
    pub recently_removed_dateranges: Option<Vec<String>>,
}

/// One segment. Its addresses are as in the text, relative to the playlist.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Segment {
    /// Its media sequence number.
    pub msn: Msn,
    /// Where it is.
    pub uri: String,
    /// EXTINF.
    pub duration_us: u64,
    /// EXTINF's words for people.
    pub title: Option<String>,
    /// The part of the resource that it is.
    pub byte_range: Option<ByteRange>,
    /// Its init segment.
    pub map: Option<Arc<Map>>,
    /// Its EXT-X-KEY tags; empty where it is not encrypted.
    pub keys: Vec<Arc<KeyTag>>,
    /// EXT-X-PROGRAM-DATE-TIME in us since 1970, where it stands at this segment.
    pub program_date_time_us: Option<i64>,
    /// EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// Its discontinuity sequence number.
    pub discontinuity_sequence: u64,
    /// EXT-X-GAP: not to be loaded.
    pub gap: bool,
    /// EXT-X-BITRATE in kbit/s.
    pub bitrate_kbps: Option<u64>,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// EXT-X-PART.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Where it is.
    pub uri: String,
    /// DURATION.
    pub duration_us: u64,
    /// Starts with an independent frame.
    pub independent: bool,
    /// Not there.
    pub gap: bool,
    /// The part of the resource that it is.
    pub byte_range: Option<ByteRange>,
}

/// A range of bytes of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// Its first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// EXT-X-MAP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Map {
    /// Where it is.
    pub uri: String,
    /// The part of the resource that it is.
    pub byte_range: Option<ByteRange>,
}

/// EXT-X-KEY.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyTag {
    /// METHOD.
    pub method: String,
    /// Where the key is.
    pub uri: Option<String>,
    /// All attributes, the ones above too.
    pub attributes: Attributes,
}

/// EXT-X-PRELOAD-HINT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreloadHint {
    /// What will come.
    pub kind: PreloadKind,
    /// Where it will be.
    pub uri: String,
    /// BYTERANGE-START.
    pub start: u64,
    /// BYTERANGE-LENGTH.
    pub length: Option<u64>,
}

/// TYPE of EXT-X-PRELOAD-HINT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PreloadKind {
    /// A part.
    Part,
    /// An init segment.
    Map,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenditionReport {
    /// The media playlist of the other rendition.
    pub uri: String,
    /// Its last segment, an open one included.
    pub last_msn: Option<u64>,
    /// Its last part in that segment.
    pub last_part: Option<u64>,
}

/// EXT-X-DATERANGE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DateRange {
    /// Its name.
    pub id: String,
    /// All attributes, the ID too.
    pub attributes: Attributes,
}

impl Media {
    /// The number after the last complete segment: that of the open segment, whether or not it has parts yet.
    #[must_use]
    pub fn open_msn(&self) -> Msn {
        let skipped = self.skip.as_ref().map_or(0, |skip| skip.segments);
        Msn(self.media_sequence.0.saturating_add(skipped).saturating_add(self.segments.len() as u64))
    }

    /// The length of all that is listed, parts of the open segment included.
    #[must_use]
    pub fn duration_us(&self) -> u64 {
        self.segments.iter().chain(&self.open).fold(0, |sum, segment| sum.saturating_add(segment.duration_us))
    }
}

/// EXT-X-KEY tags that hold for a segment at a time: one for each key system.
const MAX_KEYS: usize = 16;

pub(super) fn read<'a>(lines: impl Iterator<Item = Line<'a>>) -> Result<Media, Error> {
    let mut reader = Reader::default();
    for line in lines {
        reader.line(line)?;
        let list = &reader.list;
        let entries = [list.segments.len(), reader.parts, list.preload_hints.len(), list.rendition_reports.len(), list.date_ranges.len()];
        if entries.into_iter().any(|entries| entries > MAX_ENTRIES) {
            return Err(Error::TooLong { max: MAX_ENTRIES, what: "segments, parts, hints, reports or date ranges" });
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    list: Media,
    /// The segment whose tags are being read, and whether any tag was its own.
    next: Segment,
    begun: bool,
    extinf: bool,
    target: bool,
    map: Option<Arc<Map>>,
    map_seen: bool,
    keys: Vec<Arc<KeyTag>>,
    key_seen: bool,
    key_line: bool,
    bitrate_kbps: Option<u64>,
    discontinuities: u64,
    sequence_seen: bool,
    byte_range: Option<(u64, Option<u64>)>,
    last_range: Option<(String, u64)>,
    last_part_range: Option<(String, u64)>,
    parts: usize,
}

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), Error> {
        let text = line.text;
        if !text.starts_with('#') {
            return self.uri(line);
        }
        if let Some(rest) = text.strip_prefix("#EXTINF:") {
            let (duration, title) = rest.split_once(',').unwrap_or((rest, ""));
            let read = value::millionths(duration.trim());
            self.next.duration_us = read.ok_or_else(|| line.value("EXTINF", "a duration"))?;
            self.next.title = Some(title.trim()).filter(|title| !title.is_empty()).map(owned);
            self.extinf = true;
            self.begun = true;
            self.key_line = false;
        } else if let Some(tag) = text.strip_prefix("#EXT-X-") {
            let (name, rest) = tag.split_once(':').unwrap_or((tag, ""));
            let is_key = name == "KEY";
            self.tag(line, name, rest.trim())?;
            self.key_line = is_key;
        }
        Ok(())
    }

    fn tag(&mut self, line: Line<'_>, name: &str, rest: &str) -> Result<(), Error> {
        let list = |tag| List::new(line, tag, rest);
        let integer = |tag| value::integer(rest).ok_or_else(|| line.value(tag, "a decimal integer"));
        let small = |tag| u32::try_from(integer(tag)?).map_err(|_| line.value(tag, "a number below 2^32"));
        let media = &mut self.list;
        match name {
            "VERSION" => media.version = small("EXT-X-VERSION")?,
            "TARGETDURATION" => {
                media.target_duration_s = small("EXT-X-TARGETDURATION")?;
                self.target = true;
            }
            "MEDIA-SEQUENCE" => {
                if self.begun || !media.segments.is_empty() || media.skip.is_some() || self.sequence_seen {
                    return Err(line.order("EXT-X-MEDIA-SEQUENCE must stand once and before the first segment"));
                }
                self.sequence_seen = true;
                media.media_sequence = Msn(integer("EXT-X-MEDIA-SEQUENCE")?);
            }
            "DISCONTINUITY-SEQUENCE" => {
                if !media.segments.is_empty() || self.discontinuities > 0 {
                    return Err(line.order("EXT-X-DISCONTINUITY-SEQUENCE must stand before the first segment"));
                }
                media.discontinuity_sequence = integer("EXT-X-DISCONTINUITY-SEQUENCE")?;
            }
            "PLAYLIST-TYPE" => {
                media.playlist_type = match rest {
                    "EVENT" => Some(PlaylistType::Event),
                    "VOD" => Some(PlaylistType::Vod),
                    _ => return Err(line.value("EXT-X-PLAYLIST-TYPE", "EVENT or VOD")),
                }
            }
            "INDEPENDENT-SEGMENTS" => media.independent_segments = true,
            "I-FRAMES-ONLY" => media.i_frames_only = true,
            "ENDLIST" => media.ended = true,
            "START" => media.start = Some(start(list("EXT-X-START"))?),
            "SERVER-CONTROL" => {
                let list = list("EXT-X-SERVER-CONTROL");
                media.server_control = Some(ServerControl {
                    can_block_reload: list.yes("CAN-BLOCK-RELOAD"),
                    can_skip_until_us: list.micros("CAN-SKIP-UNTIL")?,
                    can_skip_dateranges: list.yes("CAN-SKIP-DATERANGES"),
                    hold_back_us: list.micros("HOLD-BACK")?,
                    part_hold_back_us: list.micros("PART-HOLD-BACK")?,
                });
            }
            "PART-INF" => {
                let list = list("EXT-X-PART-INF");
                media.part_target_us = Some(list.micros("PART-TARGET")?.ok_or_else(|| list.bad("PART-TARGET"))?);
            }
            "SKIP" => self.skip(line, list("EXT-X-SKIP"))?,
            "PRELOAD-HINT" => media.preload_hints.extend(preload_hint(list("EXT-X-PRELOAD-HINT"))?),
            "RENDITION-REPORT" => {
                let list = list("EXT-X-RENDITION-REPORT");
                let (uri, last_msn, last_part) = (owned(list.required("URI")?), list.integer("LAST-MSN")?, list.integer("LAST-PART")?);
                media.rendition_reports.push(RenditionReport { uri, last_msn, last_part });
            }
            "DATERANGE" => {
                let list = list("EXT-X-DATERANGE");
                media.date_ranges.push(DateRange { id: owned(list.required("ID")?), attributes: list.owned() });
            }
            _ => return self.segment_tag(line, name, rest),
        }
        Ok(())
    }

    fn segment_tag(&mut self, line: Line<'_>, name: &str, rest: &str) -> Result<(), Error> {
        let list = |tag| List::new(line, tag, rest);
        match name {
            "DISCONTINUITY" => {
                self.discontinuities = self.discontinuities.saturating_add(1);
                self.next.discontinuity = true;
                self.begun = true;
            }
            "PROGRAM-DATE-TIME" => {
                let date = value::date(rest).ok_or_else(|| line.value("EXT-X-PROGRAM-DATE-TIME", "a date"))?;
                self.next.program_date_time_us = Some(date);
                self.begun = true;
            }
            "GAP" => {
                self.next.gap = true;
                self.begun = true;
            }
            "BITRATE" => {
                let bitrate = value::integer(rest).ok_or_else(|| line.value("EXT-X-BITRATE", "a decimal integer"))?;
                self.bitrate_kbps = Some(bitrate);
            }
            "BYTERANGE" => {
                let range =
                    value::byte_range(rest.trim_matches('"')).ok_or_else(|| line.value("EXT-X-BYTERANGE", "<length>[@<offset>]"))?;
                self.byte_range = Some(range);
                self.begun = true;
            }
            "MAP" => {
                let list = list("EXT-X-MAP");
                let range = list.read("BYTERANGE", value::byte_range)?;
                let byte_range = range.map(|(length, offset)| ByteRange { offset: offset.unwrap_or(0), length });
                self.map = Some(Arc::new(Map { uri: owned(list.required("URI")?), byte_range }));
                if !self.map_seen {
                    self.map_seen = true;
                    self.list.first_map = self.list.segments.len();
                }
            }
            "KEY" => {
                let list = list("EXT-X-KEY");
                let method = list.required("METHOD")?;
                if !self.key_line || method == "NONE" {
                    self.keys.clear();
                }
                if method != "NONE" {
                    let (method, uri) = (owned(method), list.owned_text("URI"));
                    if self.keys.len() >= MAX_KEYS {
                        return Err(Error::TooLong { max: MAX_KEYS, what: "keys for one segment" });
                    }
                    self.keys.push(Arc::new(KeyTag { method, uri, attributes: list.owned() }));
                }
                if !self.key_seen {
                    self.key_seen = true;
                    self.list.first_key = self.list.segments.len();
                }
            }
            "PART" => self.part(list("EXT-X-PART"))?,
            _ => {}
        }
        Ok(())
    }

    fn skip(&mut self, line: Line<'_>, list: List<'_>) -> Result<(), Error> {
        if self.begun || !self.list.segments.is_empty() || self.list.skip.is_some() {
            return Err(line.order("EXT-X-SKIP must stand once and before the first segment"));
        }
        let segments = list.integer("SKIPPED-SEGMENTS")?.ok_or_else(|| list.bad("SKIPPED-SEGMENTS"))?;
        let removed = list.text("RECENTLY-REMOVED-DATERANGES");
        let removed = removed.map(|ids| ids.split('\t').filter(|id| !id.is_empty()).map(owned).collect());
        self.list.skip = Some(Skip { segments, recently_removed_dateranges: removed });
        Ok(())
    }

    fn part(&mut self, list: List<'_>) -> Result<(), Error> {
        let uri = owned(list.required("URI")?);
        let duration_us = list.micros("DURATION")?.ok_or_else(|| list.bad("DURATION"))?;
        let range = list.read("BYTERANGE", value::byte_range)?;
        let byte_range = range.map(|range| resolve(range, &uri, &mut self.last_part_range));
        self.next.parts.push(Part { uri, duration_us, independent: list.yes("INDEPENDENT"), gap: list.yes("GAP"), byte_range });
        self.parts += 1;
        self.begun = true;
        Ok(())
    }

    fn uri(&mut self, line: Line<'_>) -> Result<(), Error> {
        if !self.extinf {
            return Err(line.order("a URI without EXTINF"));
        }
        self.extinf = false;
        let mut segment = self.take_next();
        segment.uri = owned(line.text.trim());
        segment.byte_range = self.byte_range.take().map(|range| resolve(range, &segment.uri, &mut self.last_range));
        self.list.segments.push(segment);
        Ok(())
    }

    fn take_next(&mut self) -> Segment {
        self.begun = false;
        let mut segment = take(&mut self.next);
        segment.msn = self.list.open_msn();
        segment.map.clone_from(&self.map);
        segment.keys.clone_from(&self.keys);
        segment.bitrate_kbps = self.bitrate_kbps;
        segment.discontinuity_sequence = self.list.discontinuity_sequence.saturating_add(self.discontinuities);
        segment
    }

    fn finish(mut self) -> Result<Media, Error> {
        if !self.target {
            return Err(Error::Missing { tag: "EXT-X-TARGETDURATION" });
        }
        if !self.next.parts.is_empty() {
            let mut open = self.take_next();
            open.duration_us = open.parts.iter().fold(0, |sum, part| sum.saturating_add(part.duration_us));
            self.list.open = Some(open);
        }
        self.list.version = self.list.version.max(1);
        let all = self.list.segments.len() + 1;
        let first = |seen: bool, first: usize| if seen { first } else { all };
        let delta = self.list.skip.is_some();
        self.list.first_map = if delta { first(self.map_seen, self.list.first_map) } else { 0 };
        self.list.first_key = if delta { first(self.key_seen, self.list.first_key) } else { 0 };
        Ok(self.list)
    }
}

fn preload_hint(list: List<'_>) -> Result<Option<PreloadHint>, Error> {
    let kind = match list.required("TYPE")? {
        "PART" => PreloadKind::Part,
        "MAP" => PreloadKind::Map,
        // Hints of types that are not known here are to be passed over.
        _ => return Ok(None),
    };
    let (uri, start) = (owned(list.required("URI")?), list.integer("BYTERANGE-START")?.unwrap_or(0));
    Ok(Some(PreloadHint { kind, uri, start, length: list.integer("BYTERANGE-LENGTH")? }))
}

/// A range without an offset follows the range before it of the same resource.
fn resolve((length, offset): (u64, Option<u64>), uri: &str, last: &mut Option<(String, u64)>) -> ByteRange {
    let follows = last.as_ref().filter(|(same, _)| same == uri).map_or(0, |(_, end)| *end);
    let offset = offset.unwrap_or(follows);
    *last = Some((owned(uri), offset.saturating_add(length)));
    ByteRange { offset, length }
}
