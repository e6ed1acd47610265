//! One rendition beside another.

use alloc::{format, string::String};

use super::s;
use crate::{
    read::{Control, Faults, Media},
    rules,
};

/// Segments of two renditions start at the frames next to one point: no frame of sound or picture is longer.
const START_TOLERANCE_US: i64 = 150_000;
/// From here on a difference that grew is no rounding to frames.
const DRIFT_US: u64 = 60_000;
/// A drift is believed after this many segments.
const DRIFT_SEGMENTS: u64 = 5;
/// Recordings may differ by the last frames.
const LENGTH_TOLERANCE_US: u64 = 500_000;

/// A playlist with its name.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) name: &'a str,
    pub(crate) list: &'a Media,
}

/// Checks what two renditions of a presentation have in common. Faults are about `b`.
pub(crate) fn pair(a: Look<'_>, b: Look<'_>, faults: &mut Faults) {
    let live = a.list.ended.is_none() && b.list.ended.is_none();
    if let Some((first, second)) = a.list.target_us.zip(b.list.target_us).filter(|(first, second)| first != second) {
        faults.add(rules::ALIGN_TARGET, 0, format!("{} here, {} in {}", s(second), s(first), a.name));
    }
    if a.list.kind != b.list.kind {
        let word = |list: &Media| list.kind.clone().unwrap_or_else(|| String::from("no type"));
        faults.add(rules::ALIGN_TYPE, 0, format!("{} here, {} in {}", word(b.list), word(a.list), a.name));
    }
    if live && let Some((first, second)) = a.list.control.as_ref().zip(b.list.control.as_ref()) {
        let of = |control: &Control| Control { line: 0, ..control.clone() };
        if of(first) != of(second) {
            faults.add(rules::LL_CONTROL_SAME, second.line, format!("other attributes than in {}", a.name));
        }
    }
    if a.list.i_frames_only != b.list.i_frames_only {
        return;
    }
    same_number(a, b, faults);
    if !live && a.list.ended.is_some() && b.list.ended.is_some() {
        let (first, second) = (a.list.duration_us(), b.list.duration_us());
        if first.abs_diff(second) > LENGTH_TOLERANCE_US {
            faults.add(rules::ALIGN_LENGTH, 0, format!("{} here, {} in {}", s(second), s(first), a.name));
        }
    }
}

/// Segments of one number have one discontinuity number, and their dates are those of one clock.
fn same_number(a: Look<'_>, b: Look<'_>, faults: &mut Faults) {
    let mut others = a.list.all().peekable();
    for segment in b.list.all() {
        while others.next_if(|other| other.msn < segment.msn).is_some() {}
        let Some(other) = others.next_if(|other| other.msn == segment.msn) else { continue };
        if (other.discontinuity, other.discontinuity_number) != (segment.discontinuity, segment.discontinuity_number) {
            let seen = format!(
                "segment {} has discontinuity number {}, and {} in {}",
                segment.msn, segment.discontinuity_number, other.discontinuity_number, a.name
            );
            faults.add(rules::ALIGN_DISCONTINUITY, segment.line, seen);
            return;
        }
        if let Some((first, second)) = other.date_us.zip(segment.date_us)
            && (first - second).abs() > START_TOLERANCE_US
        {
            let by = s((second - first).unsigned_abs());
            let seen =
                format!("segment {} is dated {by} {} than in {}", segment.msn, if second > first { "later" } else { "earlier" }, a.name);
            faults.add(rules::ALIGN_DATE, segment.line, seen);
            return;
        }
    }
}

/// Where a segment of both renditions starts, `b` after `a`, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Offset {
    pub(crate) msn: u64,
    pub(crate) us: i64,
}

/// Whether two renditions drift apart between two segments; the difference.
pub(crate) fn drift(first: (u64, i64), last: (u64, i64)) -> Option<i64> {
    let (first, last) = (Offset { msn: first.0, us: first.1 }, Offset { msn: last.0, us: last.1 });
    let grown = last.us.saturating_sub(first.us);
    (last.msn.saturating_sub(first.msn) >= DRIFT_SEGMENTS && grown.unsigned_abs() > DRIFT_US).then_some(grown)
}

/// Segments that start further apart than frames are long.
pub(crate) fn apart(us: i64) -> bool {
    us.unsigned_abs() > START_TOLERANCE_US.unsigned_abs()
}
