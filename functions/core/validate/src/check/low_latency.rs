//! What a media playlist says about low latency.

use alloc::format;

use super::s;
use crate::{
    read::{Faults, Hint, Media, Segment, shown},
    rules,
};

/// Durations are written to five or six digits: this is rounding, not a fault.
const ROUNDING_US: u64 = 20;
/// Of each part when they are added up.
const SUM_ROUNDING_US: u64 = 1_000;
/// Windows from here on want deltas (Apple 14.4).
const LONG_WINDOW_US: u64 = 120_000_000;

/// Checks the low-latency tags of a playlist, if it has any.
pub(crate) fn low_latency(list: &Media, faults: &mut Faults) {
    let target = list.target_us.unwrap_or(0);
    if list.ended.is_some()
        && let Some(hint) = list.hints.first()
    {
        faults.add(rules::LL_HINT_ENDED, hint.line, format!("hints {}", shown(&hint.uri)));
    }
    control(list, target, faults);
    if !list.has_parts() {
        return;
    }
    let first = list.all().find_map(|segment| segment.parts.first()).map_or(0, |part| part.line);
    let Some((part_target, _)) = list.part_target else {
        faults.add(rules::LL_PART_INF, first, "parts, and no EXT-X-PART-INF");
        return;
    };
    let count = list.all().count();
    let mut left: u64 = list.duration_us();
    for (index, segment) in list.all().enumerate() {
        parts(segment, part_target, index + 1 == count, faults);
        left = left.saturating_sub(segment.duration_us);
        // One target duration of grace: who counts in segments drops parts at the ends of segments.
        if left > target.saturating_mul(4)
            && let Some(part) = segment.parts.last()
        {
            faults.add(rules::LL_PART_OLD, part.line, format!("a part of segment {} that ends {} before the end", segment.msn, s(left)));
        }
    }
    if let Some(part) = list.all().flat_map(|segment| &segment.parts).find(|part| part.range.is_some()) {
        faults.add(rules::LL_PART_RANGE, part.line, format!("BYTERANGE of {}", shown(&part.uri)));
    }
    hints(list, faults);
}

fn control(list: &Media, target: u64, faults: &mut Faults) {
    let live = list.ended.is_none();
    let Some(control) = &list.control else {
        if let Some((_, line)) = list.part_target {
            faults.add(rules::LL_PART_HOLD_BACK, line, "no EXT-X-SERVER-CONTROL");
            if live {
                faults.add(rules::LL_CAN_BLOCK, 0, "no EXT-X-SERVER-CONTROL");
            }
        }
        return;
    };
    let less = |value: u64, least: u64| value.saturating_add(ROUNDING_US) < least;
    if let Some((part_target, _)) = list.part_target {
        let seen = |hold_back| format!("PART-HOLD-BACK {}, PART-TARGET {}", s(hold_back), s(part_target));
        match control.part_hold_back_us {
            None => faults.add(rules::LL_PART_HOLD_BACK, control.line, "no PART-HOLD-BACK"),
            Some(hold_back) if less(hold_back, part_target * 2) => faults.add(rules::LL_PART_HOLD_BACK, control.line, seen(hold_back)),
            Some(hold_back) if less(hold_back, part_target * 3) => faults.add(rules::LL_PART_HOLD_BACK_3, control.line, seen(hold_back)),
            Some(_) => {}
        }
        if live && !control.can_block && !list.i_frames_only {
            faults.add(rules::LL_CAN_BLOCK, control.line, "no CAN-BLOCK-RELOAD=YES");
        }
        let window = list.duration_us();
        if live && control.skip_until_us.is_none() && window > LONG_WINDOW_US {
            faults.add(rules::LL_DELTA_OFFER, control.line, format!("a window of {}, and no CAN-SKIP-UNTIL", s(window)));
        }
    }
    if let Some(hold_back) = control.hold_back_us.filter(|hold_back| less(*hold_back, target.saturating_mul(3))) {
        faults.add(rules::LL_HOLD_BACK, control.line, format!("HOLD-BACK {}, target duration {}", s(hold_back), s(target)));
    }
    if let Some(until) = control.skip_until_us.filter(|until| less(*until, target.saturating_mul(6))) {
        faults.add(rules::LL_SKIP_UNTIL, control.line, format!("CAN-SKIP-UNTIL {}, target duration {}", s(until), s(target)));
    }
    if control.skip_ranges && control.skip_until_us.is_none() {
        faults.add(rules::LL_SKIP_RANGES, control.line, "no CAN-SKIP-UNTIL");
    }
    if control.skip_until_us.is_some() && !control.skip_ranges && !list.date_ranges.is_empty() && live {
        faults.add(rules::LL_DELTA_RANGES_OFFER, control.line, "date ranges, and no CAN-SKIP-DATERANGES");
    }
}

fn parts(segment: &Segment, target: u64, last_of_list: bool, faults: &mut Faults) {
    let open = segment.uri.is_empty() && last_of_list;
    for (index, part) in segment.parts.iter().enumerate() {
        let next = segment.parts.get(index + 1);
        let seen = || format!("part {index} of segment {} lasts {}, PART-TARGET is {}", segment.msn, s(part.duration_us), s(target));
        if part.duration_us > target.saturating_add(ROUNDING_US) {
            faults.add(rules::LL_PART_LONG, part.line, seen());
        }
        let excused = part.independent || part.gap || next.is_some_and(|next| next.gap) || next.is_none();
        if !excused && part.duration_us.saturating_add(ROUNDING_US) < target / 100 * 85 {
            faults.add(rules::LL_PART_SHORT, part.line, seen());
        }
    }
    let sum: u64 = segment.parts.iter().map(|part| part.duration_us).sum();
    let tolerance = SUM_ROUNDING_US.saturating_mul(segment.parts.len() as u64 + 1);
    if !open && !segment.parts.is_empty() && sum.abs_diff(segment.duration_us) > tolerance {
        let seen =
            format!("the {} parts of segment {} last {}, EXTINF is {}", segment.parts.len(), segment.msn, s(sum), s(segment.duration_us));
        faults.add(rules::LL_PART_SUM, segment.line, seen);
    }
}

fn hints(list: &Media, faults: &mut Faults) {
    let of = |kind: &'static str| list.hints.iter().filter(move |hint| hint.kind == kind);
    for kind in ["PART", "MAP"] {
        if let Some(second) = of(kind).nth(1) {
            faults.add(rules::LL_HINT_ONE, second.line, format!("a second hint of type {kind}"));
        }
    }
    if list.ended.is_none() && !list.i_frames_only && of("PART").next().is_none() {
        faults.add(rules::LL_HINT, 0, "no EXT-X-PRELOAD-HINT:TYPE=PART");
    }
    let listed = |hint: &Hint| {
        let start = hint.start.unwrap_or(0);
        let same = |uri: &str, range: Option<(u64, u64)>| uri == hint.uri && range.is_none_or(|(offset, _)| offset == start);
        list.all().flat_map(|segment| &segment.parts).any(|part| same(&part.uri, part.range))
    };
    if let Some(hint) = of("PART").find(|hint| listed(hint)) {
        faults.add(rules::LL_HINT_LISTED, hint.line, format!("{} is a part above", shown(&hint.uri)));
    }
}
