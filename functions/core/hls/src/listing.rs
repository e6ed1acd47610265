use tidegate_stream::{AS_OF_LAG_SEGMENTS, Announced, AsOf, PARTS_KEPT_SEGMENTS, Part, Position, Segment, Timeline};

use crate::{
    Clip, Skip,
    daterange::date_range,
    line::{Text, UNITS_PER_S},
    segment::Writer,
};

/// What of a timeline a media playlist shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Which rendition, by its place in the session.
    pub rendition: usize,
    /// Up to where; a part may lie up to [`AS_OF_LAG_SEGMENTS`] behind the newest segment that the timeline knows.
    pub as_of: AsOf,
    /// What may be left out.
    pub skip: Option<Skip>,
    /// Only this stretch of it.
    pub clip: Option<Clip>,
    /// What the server promises.
    pub reach: Reach,
}

/// How close to the live edge a playlist goes: it lists what its server keeps, and says what its server can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// Parts, and requests are held until what they name is there.
    #[default]
    Blocking,
    /// Parts, and nothing is held: no hint either, since who follows one is held.
    Parts,
    /// Whole segments alone.
    Segments,
}

/// Parts leave the playlist when they are this many target durations from its end (rfc8216bis 4.4.4.9).
const PARTS_LISTED_TARGETS: u64 = 3;
/// CAN-SKIP-UNTIL in target durations (rfc8216bis 4.4.3.8: at least six).
const SKIP_TARGETS: u64 = 6;
/// HOLD-BACK in target durations (rfc8216bis 4.4.3.8: at least three).
const HOLD_BACK_TARGETS: u64 = 3;
/// PART-HOLD-BACK in part targets (HLS authoring specification 14.3: at least three).
const PART_HOLD_BACK_TARGETS: u64 = 3;

/// Complete segments whose parts are listed at most, however short they are.
const PARTS_LISTED_SEGMENTS: usize = PARTS_KEPT_SEGMENTS - 1 - AS_OF_LAG_SEGMENTS as usize;

/// EXT-X-VERSION of every media playlist, deltas apart: EXT-X-GAP asks for 8, and a version that changes when a rung is left out would be
/// a reason to read everything anew.
pub(crate) const VERSION: u64 = 8;

/// Bytes that a segment without parts takes: date, length and address.
const SEGMENT_TEXT: usize = 50 + 17 + 32;

/// What a playlist lists, worked out before its first line.
pub(crate) struct Listing<'a> {
    timeline: &'a Timeline,
    /// Up to and with this part; `None` where nothing follows.
    pub(crate) live: Option<Position>,
    as_of: AsOf,
    clip: Option<Clip>,
    pub(crate) first: Option<&'a Segment>,
    /// How many complete segments there are from the first on.
    count: usize,
    /// The segment of which only parts are listed.
    pub(crate) open: Option<(&'a Segment, &'a [Part])>,
    /// How many of the complete segments are left out.
    pub(crate) skipped: usize,
    /// Date ranges of the segments that are left out are left out too.
    skips_ranges: bool,
    /// The first of the complete segments whose parts are listed.
    pub(crate) first_with_parts: usize,
    pub(crate) reach: Reach,
}

impl<'a> Listing<'a> {
    pub(crate) fn new(timeline: &'a Timeline, view: &View) -> (Self, Writer<'a>) {
        let as_of = match view.as_of {
            AsOf::Part(position) => Some(position),
            AsOf::End if timeline.ended() => None,
            AsOf::End => timeline.last(),
        };
        let over = view.clip.and_then(|clip| clip.last).filter(|last| as_of.is_none_or(|as_of| as_of.msn > *last));
        let live = as_of.filter(|_| over.is_none());
        let newest = timeline.last().map(|last| last.msn).unwrap_or_default();
        let window = timeline.window(as_of.map_or(newest, |position| position.msn));
        let open = live.and_then(|position| timeline.segment(position.msn).map(|segment| (segment, parts_up_to(segment, position))));
        let from = view.clip.map(|clip| clip.first);
        let first = window.clone().find(|segment| from.is_none_or(|from| segment.msn >= from));
        let end = over.map(|last| last.next()).or_else(|| open.map(|(open, _)| open.msn)).unwrap_or_else(|| newest.next());
        // Segments are numbered without holes.
        let count = first.map_or(0, |first| end.0.saturating_sub(first.msn.0)) as usize;
        let count = count.min(timeline.segments().len());
        let mut listing = Self {
            timeline,
            live,
            as_of: as_of.map_or(AsOf::End, AsOf::Part),
            clip: view.clip,
            first,
            count,
            open: open.filter(|_| view.reach != Reach::Segments),
            skipped: 0,
            skips_ranges: view.skip == Some(Skip::DateRanges),
            first_with_parts: count,
            reach: view.reach,
        };
        let mut writer = Writer::new(timeline, view.rendition, 4096 + count * SEGMENT_TEXT);
        if live.is_some() {
            listing.measure(&mut writer, view.skip.is_some());
        }
        (listing, writer)
    }

    /// The complete segments, skipped ones included.
    pub(crate) fn closed(&self) -> impl DoubleEndedIterator<Item = &'a Segment> + Clone + use<'a> {
        let known = self.timeline.segments();
        let oldest = known.front().map_or(0, |oldest| oldest.msn.0);
        let from = self.first.map_or(0, |first| first.msn.0.saturating_sub(oldest)) as usize;
        let from = from.min(known.len());
        known.range(from..from.saturating_add(self.count).min(known.len()))
    }

    /// Distances from the end of the playlist decide what a delta leaves out and whose parts are listed.
    fn measure(&mut self, writer: &mut Writer<'_>, skips: bool) {
        let target = u64::from(self.timeline.session().target_duration_s) * UNITS_PER_S;
        let open = self.open.map_or(0, |(segment, parts)| parts.iter().map(|part| writer.part_units(segment, part)).sum::<u64>());
        // The distance of the end of a segment.
        let mut distance = open;
        for (index, segment) in self.closed().rev().enumerate() {
            if distance >= SKIP_TARGETS * target {
                self.skipped = if skips { self.count - index } else { 0 };
                break;
            }
            distance += writer.segment_units(segment);
            if self.reach != Reach::Segments && index < PARTS_LISTED_SEGMENTS && distance <= PARTS_LISTED_TARGETS * target {
                self.first_with_parts = self.count - index - 1;
            }
        }
    }

    /// The tags before the first segment.
    pub(crate) fn header(&self, writer: &mut Writer<'_>, is_i_frames: bool) {
        let gone = || self.timeline.events_gone(self.as_of).map(|event| event.event.id.as_str());
        // rfc8216bis 4.4.5.2: who asks for a delta without date ranges gets the list of those that are gone, were it empty.
        let removes = self.skipped > 0 && self.skips_ranges;
        // rfc8216bis 8: 9 for EXT-X-SKIP, 10 where it stands for date ranges too.
        let version = if removes { 10 } else { VERSION + u64::from(self.skipped > 0) };
        header(&mut writer.text, self.timeline, version);
        if let Some(clip) = self.clip {
            let whole = self.first.is_some_and(|first| first.msn == clip.first);
            match self.live {
                None => writer.text.str("#EXT-X-PLAYLIST-TYPE:VOD\n"),
                // Nothing may leave an EVENT; a clip from before the window is an ordinary live playlist.
                Some(_) if whole => writer.text.str("#EXT-X-PLAYLIST-TYPE:EVENT\n"),
                Some(_) => &mut writer.text,
            };
            let offset_us = clip.offset_us(self.first);
            writer.text.str("#EXT-X-START:TIME-OFFSET=").seconds(offset_us / 10).str(",PRECISE=YES\n");
        }
        if is_i_frames {
            writer.text.str("#EXT-X-I-FRAMES-ONLY\n");
        }
        if self.live.is_some() {
            control(&mut writer.text, self.timeline, self.reach);
            if !is_i_frames && self.reach != Reach::Segments {
                let rendition = writer.rendition();
                part_target(&mut writer.text, self.timeline, rendition);
            }
        }
        writer.text.str("#EXT-X-MEDIA-SEQUENCE:").number(self.first.map_or(0, |first| first.msn.0));
        let discontinuities = self.first.map_or(0, |first| writer.discontinuity_sequence(first));
        writer.text.str("\n#EXT-X-DISCONTINUITY-SEQUENCE:").number(discontinuities).str("\n");
        if self.skipped > 0 {
            writer.text.str("#EXT-X-SKIP:SKIPPED-SEGMENTS=").number(self.skipped as u64);
            if removes {
                writer.text.str(",RECENTLY-REMOVED-DATERANGES=\"");
                for (index, id) in gone().enumerate() {
                    writer.text.str(if index > 0 { "\t" } else { "" }).str(id);
                }
                writer.text.str("\"");
            }
            writer.text.str("\n");
        }
    }

    /// The date ranges, to be written as the segments are.
    pub(crate) fn ranges(&self) -> Ranges<'a, impl Iterator<Item = &'a Announced> + use<'a>> {
        let first_kept = self.first.map_or(0, |first| first.msn.0) + self.skipped as u64;
        let skips = self.skipped > 0 && self.skips_ranges;
        let (from, until) = match (self.clip, self.first, self.closed().next_back()) {
            // What is announced later changes nothing of a clip that is complete.
            (Some(_), Some(first), Some(last)) if self.live.is_none() => (first.utc_us, Some(last.msn)),
            (Some(_), Some(first), _) => (first.utc_us, None),
            _ => (i64::MIN, None),
        };
        let listed = self.timeline.events(self.as_of).filter(move |event| {
            let within = event.event.end_utc_us() >= from;
            within && until.is_none_or(|until| event.at.msn <= until) && !(skips && event.at.msn.0 < first_kept)
        });
        Ranges { next: None, rest: listed }
    }

    /// EXT-X-ENDLIST where nothing follows.
    pub(crate) fn end(&self, writer: &mut Writer<'_>) {
        if self.live.is_none() && (self.timeline.ended() || self.clip.is_some_and(|clip| clip.last.is_some())) {
            writer.text.str("#EXT-X-ENDLIST\n");
        }
    }
}

/// Date ranges stand before the segment with which they were announced, those from before the playlist at its start.
pub(crate) struct Ranges<'a, I> {
    next: Option<&'a Announced>,
    rest: I,
}

impl<'a, I: Iterator<Item = &'a Announced>> Ranges<'a, I> {
    pub(crate) fn until(&mut self, writer: &mut Writer<'_>, segment: &Segment) {
        while let Some(event) = self.next.take().or_else(|| self.rest.next()) {
            if event.at.msn > segment.msn {
                self.next = Some(event);
                break;
            }
            date_range(&mut writer.text, &event.event);
        }
    }
}

fn parts_up_to(segment: &Segment, position: Position) -> &[Part] {
    let count = (position.part.0 as usize).saturating_add(1).min(segment.parts.len());
    segment.parts.get(..count).unwrap_or_default()
}

/// The first tags of every media playlist.
pub(crate) fn header(text: &mut Text, timeline: &Timeline, version: u64) {
    text.str("#EXTM3U\n#EXT-X-VERSION:").number(version);
    text.str("\n#EXT-X-TARGETDURATION:").number(timeline.session().target_duration_s.into()).str("\n");
}

/// What the server can do; equal in all playlists of a session, and never changed.
fn control(text: &mut Text, timeline: &Timeline, reach: Reach) {
    let session = timeline.session();
    let target = u64::from(session.target_duration_s);
    text.str("#EXT-X-SERVER-CONTROL:").str(if reach == Reach::Blocking { "CAN-BLOCK-RELOAD=YES," } else { "" });
    text.str("CAN-SKIP-UNTIL=").number(SKIP_TARGETS * target).str(".0,CAN-SKIP-DATERANGES=YES");
    if reach != Reach::Segments {
        text.str(",PART-HOLD-BACK=").seconds(PART_HOLD_BACK_TARGETS * target_units(session.part_target_us()));
    }
    text.str(",HOLD-BACK=").number(HOLD_BACK_TARGETS * target).str(".0\n");
}

fn part_target(text: &mut Text, timeline: &Timeline, rendition: usize) {
    let own = timeline.session().renditions.get(rendition).map_or(0, |rendition| rendition.part_target_us);
    text.str("#EXT-X-PART-INF:PART-TARGET=").seconds(target_units(own)).str("\n");
}

fn target_units(us: u32) -> u64 {
    u64::from(us).div_ceil(1_000_000 / UNITS_PER_S)
}
