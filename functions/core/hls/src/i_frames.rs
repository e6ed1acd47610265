use alloc::string::String;

use tidegate_stream::{Segment, Timeline};

use crate::{View, listing::Listing, segment::Writer};

/// Renders the playlist of the key frames alone: the first picture of each complete segment, as the first bytes of the segment. Their
/// numbers are those of the segments.
#[must_use]
pub fn i_frames(timeline: &Timeline, view: &View) -> String {
    let (listing, mut writer) = Listing::new(timeline, view);
    listing.header(&mut writer, true);
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
        i_frame(&mut writer, segment, 0);
        writer.uri(segment);
    }
    listing.end(&mut writer);
    writer.text.finish()
}

/// The tags of one key frame, whose bytes start at `offset` of what its address names.
pub(crate) fn i_frame(writer: &mut Writer<'_>, segment: &Segment, offset: u64) {
    writer.begin(segment);
    let units = writer.segment_units(segment);
    let key_len = segment.tracks.get(writer.rendition()).map_or(0, |track| track.key_len);
    // A segment that does not start with a key frame, or is a gap, has no picture to show by itself.
    writer.text.str(if key_len == 0 { "#EXT-X-GAP\n" } else { "" }).str("#EXTINF:").seconds(units).str(",\n");
    if key_len > 0 {
        writer.text.str("#EXT-X-BYTERANGE:").number(key_len.into()).str("@").number(offset).str("\n");
    }
}

/// Whether a rendition has key frames that can be shown by themselves.
pub(crate) fn has_i_frames(timeline: &Timeline, rendition: usize) -> bool {
    let newest = timeline.segments().iter().rev();
    newest.filter_map(|segment| segment.tracks.get(rendition)).any(|track| track.key_len > 0)
}
