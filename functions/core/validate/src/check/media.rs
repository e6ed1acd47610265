//! A media playlist by itself.

use alloc::format;

use super::s;
use crate::{
    read::{Faults, Media, Segment, shown},
    rules,
};

/// Dates are written to the millisecond, durations to less; beyond this two dates contradict the durations between them.
const DATE_TOLERANCE_US: i64 = 100_000;
/// Segments of a live playlist (Apple 8.11).
const LIVE_SEGMENTS: usize = 6;

/// Checks what every media playlist has to keep. `delta` says that a part of it is left out.
pub(crate) fn media(list: &Media, faults: &mut Faults) {
    let delta = list.skip.is_some();
    let live = list.ended.is_none();
    let Some(target) = list.target_us else {
        faults.add(rules::MEDIA_TARGET, 0, "no EXT-X-TARGETDURATION");
        return;
    };
    for segment in &list.segments {
        if segment.duration_us.saturating_add(500_000) / 1_000_000 * 1_000_000 > target {
            let seen = format!("segment {} lasts {}, the target duration is {}", segment.msn, s(segment.duration_us), s(target));
            faults.add(rules::MEDIA_LENGTH, segment.line, seen);
        }
        if !segment.gap && !segment.parts.is_empty() && segment.parts.iter().all(|part| part.gap) {
            faults.add(rules::MEDIA_GAP, segment.line, format!("segment {}", segment.msn));
        }
    }
    maps(list, delta, faults);
    if list.segments.is_empty() && !delta {
        faults.add(rules::MEDIA_EMPTY, 0, "no whole segment");
    }
    if list.i_frames_only
        && let Some(part) = list.all().find_map(|segment| segment.parts.first())
    {
        faults.add(rules::MEDIA_I_FRAME_PARTS, part.line, "a part among I-frames");
    }
    let dated = list.all().any(|segment| segment.date_us.is_some());
    if live && !dated && list.all().next().is_some() {
        faults.add(rules::DATE_MISSING, 0, "no EXT-X-PROGRAM-DATE-TIME");
    }
    if let Some(range) = list.date_ranges.first().filter(|_| !dated && !delta) {
        faults.add(rules::DATE_RANGE_ANCHOR, range.line, format!("{} has no date to start from", shown(&range.id)));
    }
    dates(list, faults);
    if !live && list.kind.is_none() {
        faults.add(rules::MEDIA_TYPE, 0, "no EXT-X-PLAYLIST-TYPE");
    }
    let discontinuity = list.all().find(|segment| segment.discontinuity);
    if let Some(segment) = discontinuity.filter(|_| live && list.discontinuity_sequence.is_none()) {
        faults.add(rules::DISCONTINUITY_COUNT, segment.line, "a discontinuity, and no EXT-X-DISCONTINUITY-SEQUENCE");
    }
    if live && list.kind.is_none() && list.sequence > 0 && !delta {
        window(list, target, faults);
    }
}

/// Segments of fMP4 need an init segment; by the ends of their names, which is all that the text tells.
fn maps(list: &Media, delta: bool, faults: &mut Faults) {
    let fmp4 = |uri: &str| {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        [".m4s", ".mp4", ".m4v", ".m4a", ".cmfv", ".cmfa"].iter().any(|end| path.ends_with(end))
    };
    let address =
        |segment: &Segment| segment.parts.first().filter(|_| segment.uri.is_empty()).map_or(&segment.uri, |part| &part.uri).clone();
    // A delta leaves out the EXT-X-MAP of what it skips.
    let first = list.all().find(|segment| segment.map.is_none() && !segment.gap && fmp4(&address(segment)));
    if let Some(segment) = first.filter(|_| !delta) {
        faults.add(rules::MEDIA_MAP, segment.line, format!("no EXT-X-MAP before {}", shown(&address(segment))));
    }
}

fn dates(list: &Media, faults: &mut Faults) {
    let mut expected: Option<i64> = None;
    for segment in list.all() {
        if segment.discontinuity {
            expected = None;
        }
        if let Some((expected, date)) = expected.zip(segment.date_us)
            && (date - expected).abs() > DATE_TOLERANCE_US
        {
            let by = s((date - expected).unsigned_abs());
            let which = if date > expected { "later" } else { "earlier" };
            let seen = format!("segment {} is dated {by} {which} than the durations before it say", segment.msn);
            faults.add(rules::DATE_JUMP, segment.line, seen);
        }
        let duration = i64::try_from(segment.duration_us).unwrap_or(0);
        expected = segment.date_us.or(expected).and_then(|date| date.checked_add(duration));
    }
}

fn window(list: &Media, target: u64, faults: &mut Faults) {
    let whole: u64 = list.segments.iter().map(|segment| segment.duration_us).sum();
    if whole < target.saturating_mul(3) {
        faults.add(rules::LIVE_SHORT, 0, format!("{} in {} segments, the target duration is {}", s(whole), list.segments.len(), s(target)));
    } else if list.segments.len() < LIVE_SEGMENTS {
        faults.add(rules::LIVE_SIX, 0, format!("{} segments", list.segments.len()));
    }
}
