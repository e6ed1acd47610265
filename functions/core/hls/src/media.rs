use alloc::string::String;

use tidegate_stream::{Msn, Part, Position, Segment, Timeline};

use crate::{Reach, View, clock::Share, line::UNITS_PER_S, listing::Listing, segment::Writer};

/// Renders a media playlist.
#[must_use]
pub fn media(timeline: &Timeline, view: &View) -> String {
    let (listing, mut writer) = Listing::new(timeline, view);
    listing.header(&mut writer, false);
    let mut ranges = listing.ranges();
    let mut last_skipped = None;
    for (index, segment) in listing.closed().enumerate() {
        if index < listing.skipped {
            last_skipped = Some(segment);
            continue;
        }
        if let Some(segment) = last_skipped.take() {
            writer.pass(segment);
        }
        ranges.until(&mut writer, segment);
        writer.begin(segment);
        if listing.live.is_some() && index >= listing.first_with_parts {
            for (index, part) in segment.parts.iter().enumerate() {
                writer.part(segment, index, part);
            }
        }
        writer.end(segment);
    }
    if let (Some((segment, parts)), Some(position)) = (listing.open, listing.live) {
        let shares = parts.first().map_or(&[] as &[_], |part| &part.tracks);
        ranges.until(&mut writer, segment);
        writer.begin_open(segment, shares.iter().map(Share::from));
        for (index, part) in parts.iter().enumerate() {
            writer.part(segment, index, part);
        }
        if listing.reach == Reach::Blocking {
            hint(&mut writer, timeline, segment, parts);
        }
        reports(&mut writer, position, view.clip.map(|clip| clip.stretch.query(timeline)));
    }
    listing.end(&mut writer);
    writer.text.finish()
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
    let before = open.msn.0.checked_sub(1).and_then(|msn| timeline.segment(Msn(msn)));
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

/// EXT-X-RENDITION-REPORT: a record has a part of every rendition, so all of them stand at the same place. The addresses are those of
/// the multivariant playlist, with its query where that shows a stretch.
fn reports(writer: &mut Writer<'_>, position: Position, query: Option<String>) {
    for id in writer.others() {
        writer.text.str("#EXT-X-RENDITION-REPORT:URI=\"").str(id.as_str()).str(".m3u8");
        if let Some(query) = &query {
            writer.text.str("?").str(query);
        }
        writer.text.str("\",LAST-MSN=").number(position.msn.0);
        writer.text.str(",LAST-PART=").number(position.part.0.into()).str("\n");
    }
}
