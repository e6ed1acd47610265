//! A media playlist beside the one before it from the same address.

use alloc::format;

use super::s;
use crate::{
    read::{Faults, Media, Segment, shown},
    rules,
};

/// Checks a whole playlist against the whole playlist before it.
pub(crate) fn update(before: &Media, after: &Media, faults: &mut Faults) {
    fixed(before, after, faults);
    if before.ended.is_some() {
        let same = after.ended.is_some() && before.next_msn() == after.next_msn();
        if !same {
            let seen = if after.ended.is_some() { "segments were added after the end" } else { "EXT-X-ENDLIST is gone" };
            faults.add(rules::LIVE_ENDED, after.ended.unwrap_or(0), seen);
        }
        return;
    }
    if after.sequence < before.sequence {
        faults.add(rules::LIVE_SEQUENCE, 0, format!("EXT-X-MEDIA-SEQUENCE went from {} to {}", before.sequence, after.sequence));
        return;
    }
    if let Some(kind) = &before.kind {
        if after.kind.as_ref() != Some(kind) {
            faults.add(rules::LIVE_TYPE, 0, format!("the type was {}", shown(kind)));
        } else if after.sequence > before.sequence {
            faults.add(rules::LIVE_TYPE, 0, format!("segment {} has left a playlist of type {}", before.sequence, shown(kind)));
        }
    }
    numbering(before, after, faults);
    listed(before, after, rules::LIVE_CHANGED, faults);
}

fn fixed(before: &Media, after: &Media, faults: &mut Faults) {
    if let Some((was, is)) = before.target_us.zip(after.target_us).filter(|(was, is)| was != is) {
        faults.add(rules::LIVE_TARGET_FIXED, 0, format!("it went from {} to {}", s(was), s(is)));
    }
    if after.ended.is_some() {
        // A recording need not offer what a live playlist does.
        return;
    }
    if let Some((was, is)) = before.part_target.zip(after.part_target).filter(|(was, is)| was.0 != is.0) {
        faults.add(rules::LL_PART_TARGET_FIXED, is.1, format!("it went from {} to {}", s(was.0), s(is.0)));
    }
    if let Some((was, is)) = before.control.as_ref().zip(after.control.as_ref()) {
        let of =
            |control: &crate::read::Control| (control.part_hold_back_us, control.hold_back_us, control.skip_until_us, control.can_block);
        if of(was) != of(is) {
            let name = match () {
                () if was.part_hold_back_us != is.part_hold_back_us => "PART-HOLD-BACK",
                () if was.hold_back_us != is.hold_back_us => "HOLD-BACK",
                () if was.skip_until_us != is.skip_until_us => "CAN-SKIP-UNTIL",
                () => "CAN-BLOCK-RELOAD",
            };
            faults.add(rules::LL_CONTROL_FIXED, is.line, format!("{name} has changed"));
        }
    }
}

/// The discontinuities that have left are counted (6.2.2).
fn numbering(before: &Media, after: &Media, faults: &mut Faults) {
    let (was, is) = (before.discontinuity_sequence.unwrap_or(0), after.discontinuity_sequence.unwrap_or(0));
    let gone = before.all().take_while(|segment| segment.msn < after.sequence).filter(|segment| segment.discontinuity).count() as u64;
    let all_gone = before.next_msn() < after.sequence;
    if is < was || (!all_gone && is != was.saturating_add(gone)) {
        faults.add(rules::LIVE_DISCONTINUITY, 0, format!("it went from {was} to {is}, and {gone} discontinuities have left"));
    }
}

/// What both list is equal.
fn listed(before: &Media, after: &Media, rule: &'static crate::rule::Rule, faults: &mut Faults) {
    let first = after.all().next().map_or(0, |segment| segment.msn);
    let mut old = before.all().skip_while(|segment| segment.msn < first).peekable();
    for new in after.all() {
        let Some(was) = old.next_if(|segment| segment.msn == new.msn) else { break };
        if let Some(what) = difference(was, new) {
            faults.add(rule, new.line, format!("segment {}: {what}", new.msn));
            return;
        }
    }
    let gone = before.next_msn().checked_sub(after.next_msn()).filter(|gone| *gone > 0);
    if let Some(gone) = gone {
        faults.add(rule, 0, format!("{gone} segments at the end are gone"));
    }
}

/// What differs between two listings of a segment; growing is no difference.
fn difference(was: &Segment, is: &Segment) -> Option<alloc::string::String> {
    let whole = !was.uri.is_empty();
    if whole && is.uri.is_empty() {
        return Some("it is open again".into());
    }
    if whole && was.uri != is.uri {
        return Some(format!("its address was {}, and is {}", shown(&was.uri), shown(&is.uri)));
    }
    if whole && was.duration_us != is.duration_us {
        return Some(format!("EXTINF was {}, and is {}", s(was.duration_us), s(is.duration_us)));
    }
    if whole && was.gap != is.gap {
        return Some("EXT-X-GAP has come or gone".into());
    }
    if was.discontinuity != is.discontinuity {
        return Some("EXT-X-DISCONTINUITY has come or gone".into());
    }
    if was.date_us.zip(is.date_us).is_some_and(|(was, is)| was != is) {
        return Some("its date has changed".into());
    }
    let pairs = was.parts.iter().zip(&is.parts);
    for (index, (was, is)) in pairs.enumerate() {
        if (&was.uri, was.range) != (&is.uri, is.range) {
            return Some(format!("part {index} was {}, and is {}", shown(&was.uri), shown(&is.uri)));
        }
        if was.duration_us != is.duration_us || was.independent != is.independent {
            return Some(format!("part {index} has changed its attributes"));
        }
    }
    // Parts leave all at once, with the segment's place near the end.
    (was.parts.len() > is.parts.len() && !is.parts.is_empty())
        .then(|| format!("it had {} parts, and has {}", was.parts.len(), is.parts.len()))
}

/// Checks a delta, asked for with `_HLS_skip`, against the whole playlist before it.
pub(crate) fn delta(before: &Media, after: &Media, ranges: bool, faults: &mut Faults) {
    let Some(skip) = &after.skip else {
        let until = after.control.as_ref().and_then(|control| control.skip_until_us);
        let skippable = until.is_some_and(|until| skippable(after, until) > 0);
        if skippable && after.ended.is_none() {
            faults.add(rules::LL_DELTA, 0, "the whole playlist in answer to _HLS_skip");
        }
        return;
    };
    let Some(until) = before.control.as_ref().and_then(|control| control.skip_until_us) else { return };
    if ranges && !skip.ranges {
        faults.add(rules::LL_DELTA_RANGES, skip.line, "no RECENTLY-REMOVED-DATERANGES");
    }
    // Measured from the end of the last segment; an open one may or may not count.
    let kept = after.duration_us();
    if kept < until {
        faults.add(rules::LL_DELTA_BOUNDARY, skip.line, format!("{} are left, CAN-SKIP-UNTIL is {}", s(kept), s(until)));
    }
    if after.sequence < before.sequence || after.sequence.saturating_add(skip.segments) > before.next_msn() {
        let seen =
            format!("segments {} to {} are left out, and {} is the last one known", after.sequence, after.next_msn(), before.next_msn());
        // A delta that is much newer than what is known proves nothing.
        if after.sequence < before.sequence {
            faults.add(rules::LL_DELTA_EQUAL, skip.line, seen);
        }
        return;
    }
    if before.target_us != after.target_us || before.part_target.map(|(target, _)| target) != after.part_target.map(|(target, _)| target) {
        faults.add(rules::LL_DELTA_EQUAL, skip.line, "the head differs from that of the whole playlist");
    }
    listed(before, after, rules::LL_DELTA_EQUAL, faults);
}

/// How many segments a delta may leave out.
fn skippable(list: &Media, until: u64) -> usize {
    let whole: u64 = list.segments.iter().map(|segment| segment.duration_us).sum();
    let mut left = whole;
    list.segments
        .iter()
        .take_while(|segment| {
            left = left.saturating_sub(segment.duration_us);
            left >= until
        })
        .count()
}
