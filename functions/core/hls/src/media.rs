use tidegate_stream::{AS_OF_LAG_SEGMENTS, AsOf, PARTS_KEPT_SEGMENTS, Part, Position, Segment, Timeline};

use crate::{
    Skip,
    clock::Share,
    line::{Text, UNITS_PER_S},
    segment::Writer,
};
use alloc::string::String;

/// Complete segments whose parts are listed at most, however short they are.
const PARTS_LISTED_SEGMENTS: usize = PARTS_KEPT_SEGMENTS - 1 - AS_OF_LAG_SEGMENTS as usize;

/// Bytes that a segment without parts takes: date, length and address.
const SEGMENT_TEXT: usize = 50 + 17 + 32;

/// Parts leave the playlist when they are this many target durations from its end (rfc8216bis 4.4.4.9).
const PARTS_LISTED_TARGETS: u64 = 3;
/// CAN-SKIP-UNTIL in target durations (rfc8216bis 4.4.3.8: at least six).
const SKIP_TARGETS: u64 = 6;
/// HOLD-BACK in target durations (rfc8216bis 4.4.3.8: at least three).
const HOLD_BACK_TARGETS: u64 = 3;
/// PART-HOLD-BACK in part targets (HLS authoring specification 14.3: at least three).
const PART_HOLD_BACK_TARGETS: u64 = 3;

/// Renders the media playlist of a rendition (by its place in the session), as of a part or at the end.
///
/// `as_of` may lie up to [`AS_OF_LAG_SEGMENTS`] behind the newest segment that the timeline knows.
#[must_use]
pub fn media(timeline: &Timeline, rendition: usize, as_of: AsOf, skip: Option<Skip>) -> String {
    let as_of = match as_of {
        AsOf::Part(position) => Some(position),
        AsOf::End if timeline.ended() => None,
        AsOf::End => timeline.last(),
    };
    let newest = timeline.last().map(|last| last.msn).unwrap_or_default();
    let window = timeline.window(as_of.map_or(newest, |position| position.msn));
    let open = as_of.and_then(|position| timeline.segment(position.msn).map(|segment| (segment, parts_up_to(segment, position))));
    let closed = window.clone().filter(|segment| open.is_none_or(|(open, _)| segment.msn < open.msn));
    let first = window.clone().next();
    let end = open.map_or_else(|| newest.next(), |(open, _)| open.msn);
    // Segments are numbered without holes.
    let count = first.map_or(0, |first| end.0.saturating_sub(first.msn.0)) as usize;
    let mut writer = Writer::new(timeline, rendition, 4096 + count.min(timeline.segments().len()) * SEGMENT_TEXT);

    let span = Span::measure(&mut writer, closed.clone(), count, open, timeline.session().target_duration_s);
    let skipped = if skip.is_some() && as_of.is_some() { span.skippable } else { 0 };

    header(&mut writer.text, timeline, if skipped > 0 { 9 } else { 6 });
    if as_of.is_some() {
        control(&mut writer.text, timeline, rendition);
    }
    writer.text.str("#EXT-X-MEDIA-SEQUENCE:").number(first.map_or(0, |first| first.msn.0));
    let discontinuities = first.map_or(0, |first| writer.discontinuity_sequence(first));
    writer.text.str("\n#EXT-X-DISCONTINUITY-SEQUENCE:").number(discontinuities).str("\n");
    if skipped > 0 {
        writer.text.str("#EXT-X-SKIP:SKIPPED-SEGMENTS=").number(skipped as u64).str("\n");
    }
    let mut last_skipped = None;
    for (index, segment) in closed.enumerate() {
        if index < skipped {
            last_skipped = Some(segment);
            continue;
        }
        if let Some(segment) = last_skipped.take() {
            writer.pass(segment);
        }
        writer.begin(segment, segment.tracks.iter().map(Share::from));
        if as_of.is_some() && index >= span.first_with_parts {
            for (index, part) in segment.parts.iter().enumerate() {
                writer.part(segment, index, part);
            }
        }
        writer.end(segment);
    }
    match (open, as_of) {
        (Some((segment, parts)), Some(position)) => {
            let shares = parts.first().map_or(&[] as &[_], |part| &part.tracks);
            writer.begin(segment, shares.iter().map(Share::from));
            for (index, part) in parts.iter().enumerate() {
                writer.part(segment, index, part);
            }
            hint(&mut writer, timeline, segment, parts);
            reports(&mut writer, position);
        }
        _ if timeline.ended() && as_of.is_none() => {
            writer.text.str("#EXT-X-ENDLIST\n");
        }
        _ => {}
    }
    writer.text.finish()
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

/// What the server can do; equal in all renditions, and never changed during a session.
fn control(text: &mut Text, timeline: &Timeline, rendition: usize) {
    let session = timeline.session();
    let target = u64::from(session.target_duration_s);
    let part_target = |us: u32| u64::from(us).div_ceil(1_000_000 / UNITS_PER_S);
    text.str("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=").number(SKIP_TARGETS * target);
    text.str(".0,PART-HOLD-BACK=").seconds(PART_HOLD_BACK_TARGETS * part_target(session.part_target_us()));
    text.str(",HOLD-BACK=").number(HOLD_BACK_TARGETS * target);
    let own = session.renditions.get(rendition).map_or(0, |rendition| rendition.part_target_us);
    text.str(".0\n#EXT-X-PART-INF:PART-TARGET=").seconds(part_target(own)).str("\n");
}

/// What follows from the distance to the end of the playlist.
struct Span {
    /// How many of the complete segments a delta leaves out.
    skippable: usize,
    /// The first of the complete segments whose parts are listed.
    first_with_parts: usize,
}

impl Span {
    fn measure<'a>(
        writer: &mut Writer<'_>,
        closed: impl DoubleEndedIterator<Item = &'a Segment>,
        count: usize,
        open: Option<(&Segment, &[Part])>,
        target_duration_s: u32,
    ) -> Self {
        let target = u64::from(target_duration_s) * UNITS_PER_S;
        // The distance of the end of a segment from the end of the playlist.
        let mut distance = open.map_or(0, |(segment, parts)| parts.iter().map(|part| writer.part_units(segment, part)).sum::<u64>());
        let mut span = Self { skippable: 0, first_with_parts: count };
        for (index, segment) in closed.rev().enumerate() {
            if distance >= SKIP_TARGETS * target {
                span.skippable = count - index;
                break;
            }
            distance += writer.segment_units(segment);
            if index < PARTS_LISTED_SEGMENTS && distance <= PARTS_LISTED_TARGETS * target {
                span.first_with_parts = count - index - 1;
            }
        }
        span
    }
}

/// EXT-X-PRELOAD-HINT for the part that is expected next.
fn hint(writer: &mut Writer<'_>, timeline: &Timeline, open: &Segment, parts: &[Part]) {
    let (msn, part) = if is_full(writer, timeline, open, parts) { (open.msn.next().0, 0) } else { (open.msn.0, parts.len() as u64) };
    let id = writer.id();
    writer.text.str("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"").str(id).str("/").number(msn).str(".").number(part).str(".m4s\"\n");
}

/// Whether the open segment is expected to get no more parts: it has as many as the one before it, or another would make it
/// longer than segments may be.
fn is_full(writer: &mut Writer<'_>, timeline: &Timeline, open: &Segment, parts: &[Part]) -> bool {
    let before = open.msn.0.checked_sub(1).and_then(|msn| timeline.segment(tidegate_stream::Msn(msn)));
    let usual = before.filter(|before| before.period == open.period && !before.parts.is_empty());
    if let Some(before) = usual {
        return parts.len() >= before.parts.len();
    }
    let target = u64::from(timeline.session().target_duration_s) * UNITS_PER_S;
    let length: u64 = parts.iter().map(|part| writer.part_units(open, part)).sum();
    let shortest = parts.iter().map(|part| writer.part_units(open, part)).min().unwrap_or(0);
    // A segment may be longer than the target by less than a half: what counts is the rounded length.
    length >= target || length + shortest >= target + UNITS_PER_S / 2
}

/// EXT-X-RENDITION-REPORT: a record has a part of every rendition, so all of them stand at the same place.
fn reports(writer: &mut Writer<'_>, position: Position) {
    for id in writer.others() {
        writer.text.str("#EXT-X-RENDITION-REPORT:URI=\"").str(id.as_str()).str(".m3u8\",LAST-MSN=").number(position.msn.0);
        writer.text.str(",LAST-PART=").number(position.part.0.into()).str("\n");
    }
}
