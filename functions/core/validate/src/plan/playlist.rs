//! Answers to requests for media playlists.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_hls::uri::{resolve, without_directives};

use super::{
    ask::{Ask, How},
    rendition::{Offset, Role},
    validator::{SOON_US, Times, Validator, words},
};
use crate::{
    check::{self, Look, s},
    probe::{Answer, Failure},
    read::{Faults, Media, Playlist, read},
    rules,
};

/// What the network and this machine may add to a part target before a part counts as late.
const LATE_GRACE_US: u64 = 150_000;
/// A pace is judged after this many steps.
const PACE_STEPS: u64 = 12;
/// How far the live edge may lie behind the clock, beyond three target durations: encoding and transport.
const CLOCK_BEHIND_US: i64 = 10_000_000;
/// The same where parts are listed: then a delay of seconds is no low latency.
const PART_CLOCK_BEHIND_US: i64 = 6_000_000;
/// How far ahead: the clocks of two machines.
const CLOCK_AHEAD_US: i64 = 1_500_000;
/// Renditions that are compared with each other.
const FIRST: usize = 0;

impl Validator {
    /// Takes an answer to a request for a media playlist.
    pub(super) fn playlist(&mut self, times: Times, rendition: usize, how: How, url: &str, result: Result<Answer, Failure>) {
        match how {
            How::Plain | How::Part { .. } => {
                let next = self.followed(times, rendition, how, result);
                self.follow(times.now_us, rendition, next);
            }
            How::Twin { .. }
            | How::Segment { .. }
            | How::Next { .. }
            | How::Old { .. }
            | How::FarSegment { .. }
            | How::FarPart { .. }
            | How::PartAlone
            | How::Delta { .. }
            | How::Ended { .. } => self.directive(times, rendition, how, url, result),
        }
    }

    /// An answer in the chain by which a rendition is followed; whether it was of use.
    fn followed(&mut self, times: Times, rendition: usize, how: How, result: Result<Answer, Failure>) -> bool {
        let url = self.url(rendition);
        let held = s(times.waited_us());
        let list = match result {
            Ok(answer) if answer.status == 200 => self.whole(times, rendition, how, &answer),
            Ok(answer) => {
                self.refused(times, rendition, how, answer.status, &held);
                return false;
            }
            Err(failure) => {
                if matches!(how, How::Part { .. }) && failure == Failure::Timeout {
                    self.found(times.now_us, &url, rules::LL_BLOCK_503, 0, format!("no answer within {held}"));
                } else if !matches!(failure, Failure::Timeout) || self.renditions.get(rendition).is_some_and(|one| one.list.is_none()) {
                    self.found(times.now_us, &url, rules::HTTP_PLAYLIST, 0, words(&failure));
                }
                self.stalled(times.now_us, rendition);
                return false;
            }
        };
        let Some(list) = list else { return false };
        if let How::Part { msn, part } = how
            && list.ended.is_none()
            && !contains(&list, msn, part)
        {
            let last = list.last().map_or_else(|| "nothing".into(), |(msn, part)| position(msn, part));
            self.found(
                times.now_us,
                &url,
                rules::LL_BLOCK,
                0,
                format!("asked for {}, answered after {held} with {last} as the last", position(msn, Some(part))),
            );
            self.take(times, rendition, list);
            return false;
        }
        self.counts.blocking += u64::from(matches!(how, How::Part { .. }));
        self.take(times, rendition, list);
        true
    }

    fn refused(&mut self, times: Times, rendition: usize, how: How, status: u16, held: &str) {
        let url = self.url(rendition);
        match how {
            // A server may give up earlier than it has to; the pace tells whether media is missing.
            How::Part { .. } if status == 503 => {}
            How::Part { msn, part } => {
                let seen = format!("asked for {}, refused after {held} with status {status}", position(msn, Some(part)));
                self.found(times.now_us, &url, rules::LL_BLOCK, 0, seen);
            }
            _ => self.found(times.now_us, &url, rules::HTTP_PLAYLIST, 0, format!("status {status}")),
        }
        self.stalled(times.now_us, rendition);
    }

    /// Reads a playlist and checks all that it tells by itself.
    pub(super) fn whole(&mut self, times: Times, rendition: usize, how: How, answer: &Answer) -> Option<Media> {
        let url = self.url(rendition);
        self.counts.playlists += 1;
        let (playlist, text_faults) = read(&answer.body);
        let mut faults = Faults(text_faults);
        check::of_playlist(answer, self.utc_us(times.now_us), &mut faults);
        self.compressed(times.now_us, &url, answer);
        let list = match playlist {
            Some(Playlist::Media(list)) => Some(list),
            Some(Playlist::Multivariant(_)) => {
                faults.add(rules::TEXT_KIND, 0, "a multivariant playlist where a media playlist is expected");
                None
            }
            None => None,
        };
        if let Some(list) = &list {
            check::media(list, &mut faults);
            check::low_latency(list, &mut faults);
            if list.skip.is_some() && !matches!(how, How::Delta { .. }) {
                faults.add(
                    rules::LL_DELTA_UNASKED,
                    list.skip.as_ref().map_or(0, |skip| skip.line),
                    "EXT-X-SKIP in a playlist without _HLS_skip",
                );
            }
            if let How::Part { .. } = how
                && list.ended.is_none()
                && let Some(why) = check::cacheable(answer)
            {
                faults.add(rules::LL_CACHE, 0, why);
            }
            if self.renditions.get(rendition).is_some_and(|one| one.role == Role::IFrames) && !list.i_frames_only {
                faults.add(rules::MV_I_FRAMES_ONLY, 0, "no EXT-X-I-FRAMES-ONLY");
            }
            if list.has_parts() && url.starts_with("https:") && !answer.http2 {
                faults.add(rules::HTTP_2, 0, "answered over HTTP/1.1");
            }
        }
        self.found_all(times.now_us, &url, faults);
        // A delta nobody asked for cannot be compared with whole playlists.
        list.filter(|list| list.target_us.is_some() && (list.skip.is_none() || matches!(how, How::Delta { .. })))
    }

    /// Makes a whole playlist the newest of its rendition.
    fn take(&mut self, times: Times, rendition: usize, list: Media) {
        let url = self.url(rendition);
        let mut faults = Faults::default();
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        if let Some(before) = &known.list {
            // An older state may overtake: two requests were under way.
            if before.last() > list.last()
                && list.sequence <= before.sequence
                && list.ended.is_none()
                && before.ended.is_none()
                && list.sequence == before.sequence
            {
                check::update(before, &list, &mut faults);
                self.found_all(times.now_us, &url, faults);
                return;
            }
            check::update(before, &list, &mut faults);
        }
        known.was_live |= list.ended.is_none();
        known.updates += 1;
        known.failures = 0;
        let before = known.list.replace(list.clone());
        self.found_all(times.now_us, &url, faults);
        self.count_offsets(rendition, &list);
        self.pace(times, rendition, &list);
        self.clock(times.now_us, rendition, &list);
        self.beside_others(times.now_us, rendition, &list);
        self.reports(times.now_us, rendition, &list);
        self.hint_came_true(times.now_us, rendition, before.as_ref(), &list);
        if let Some(before) = &before {
            self.gone(times.now_us, rendition, before, &list);
        }
        self.load(times.now_us, rendition, before.as_ref(), &list);
        self.question(times.now_us, rendition, &list);
        if let Some(known) = self.renditions.get_mut(rendition) {
            known.forget();
        }
    }

    /// Asks for the next state of a rendition.
    fn follow(&mut self, now_us: u64, rendition: usize, fine: bool) {
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let target = known.target_us();
        if !fine {
            known.failures += 1;
        }
        let failures = known.failures;
        let Some(list) = &known.list else {
            if failures < 5 {
                self.ask_playlist(now_us.saturating_add(1_000_000), rendition, How::Plain);
            }
            return;
        };
        if list.ended.is_some() {
            return;
        }
        let how = match (known.blocks(), &list.open) {
            (true, Some(open)) => How::Part { msn: open.msn, part: open.parts.len() as u64 },
            (true, None) if list.has_parts() => How::Part { msn: list.next_msn(), part: 0 },
            _ => How::Plain,
        };
        let due = match how {
            // Most servers do not answer faster when they are asked in a loop.
            How::Part { .. } if fine => now_us,
            How::Part { .. } => now_us.saturating_add(500_000),
            _ => now_us.saturating_add((target / 2).min(1_000_000)),
        };
        let twin = known.updates % 8 == 3 && fine;
        self.ask_playlist(due, rendition, how);
        if let How::Part { msn, part } = how
            && twin
            && rendition == FIRST
        {
            self.ask_playlist(due, rendition, How::Twin { msn, part });
            self.ask_playlist(due, rendition, How::Twin { msn, part });
        }
    }

    /// Where each segment starts, by the durations in the playlist.
    fn count_offsets(&mut self, rendition: usize, list: &Media) {
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        for segment in &list.segments {
            if known.offsets.contains_key(&segment.msn) {
                continue;
            }
            let before = segment.msn.checked_sub(1).and_then(|msn| known.offsets.get(&msn));
            let us = before.map_or(0, |before| before.us.saturating_add(before.duration_us));
            let offset = Offset { us, duration_us: segment.duration_us, discontinuity: segment.discontinuity_number };
            known.offsets.insert(segment.msn, offset);
        }
    }

    /// When parts and segments come.
    fn pace(&mut self, times: Times, rendition: usize, list: &Media) {
        let url = self.url(rendition);
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let now = times.first_us;
        let parts = list.open.as_ref().map_or(0, |open| open.parts.len() as u64);
        let at = (list.next_msn(), parts);
        let Some(((was, was_parts), since)) = known.pace.newest else {
            known.pace.newest = Some((at, now));
            return;
        };
        if at <= (was, was_parts) || list.ended.is_some() {
            return;
        }
        known.pace.newest = Some((at, now));
        let took = now.saturating_sub(since);
        let Some(part_target) =
            list.part_target.map(|(target, _)| target).filter(|_| list.control.as_ref().is_some_and(|control| control.can_block))
        else {
            self.segment_pace(times.now_us, rendition, list, took);
            return;
        };
        known.pace.steps += 1;
        let late = took > part_target.saturating_add((part_target / 2).max(LATE_GRACE_US));
        let was_late = core::mem::take(&mut known.pace.late_within);
        let mut at_end = false;
        if at.0 > was {
            known.pace.boundaries += 1;
            // The segment that was open has got its last part only together with the first part of the next.
            let closed = list.segments.iter().find(|segment| segment.msn == was);
            let grew = closed.is_some_and(|closed| closed.parts.len() as u64 > was_parts);
            at_end = (late && grew) || (was_late && took < part_target / 2);
            known.pace.late_ends += u64::from(at_end);
        }
        known.pace.late += u64::from(was_late && !at_end);
        if late && at.0 == was {
            known.pace.late_within = true;
        } else {
            known.pace.late += u64::from(late && !at_end);
        }
        known.pace.came.insert(at, now);
        let pace = &known.pace;
        let (steps, missed, ends, boundaries) = (pace.steps, pace.late, pace.late_ends, pace.boundaries);
        if boundaries >= 3 && ends * 2 > boundaries {
            let seen = format!("at the end of {ends} of {boundaries} segments");
            self.found(times.now_us, &url, rules::LL_LAST_PART_LATE, 0, seen);
        }
        if (steps >= PACE_STEPS && missed * 10 > steps) || took > part_target.saturating_mul(3).saturating_add(1_000_000) {
            let seen = format!(
                "{missed} of {steps} parts came late, this one {} after the one before; PART-TARGET is {}",
                s(took),
                s(part_target)
            );
            self.found(times.now_us, &url, rules::LL_PART_LATE, 0, seen);
        }
        self.step(times.now_us, rendition, at, now, part_target);
    }

    fn segment_pace(&mut self, now_us: u64, rendition: usize, list: &Media, took: u64) {
        let target = list.target_us.unwrap_or(0);
        // Polling finds a segment up to one interval late.
        let grace = (target / 2).min(1_000_000) + LATE_GRACE_US;
        if took > (target / 2 * 3).saturating_add(grace) {
            let url = self.url(rendition);
            self.found(
                now_us,
                &url,
                rules::LIVE_LATE,
                0,
                format!("{} after the one before, the target duration is {}", s(took), s(target)),
            );
        }
    }

    /// Nothing has come for long.
    fn stalled(&mut self, now_us: u64, rendition: usize) {
        let url = self.url(rendition);
        let Some(known) = self.renditions.get(rendition) else { return };
        let Some((_, since)) = known.pace.newest else { return };
        let (took, target) = (now_us.saturating_sub(since), known.target_us());
        match known.part_target_us() {
            Some(part_target) if took > part_target.saturating_mul(3).saturating_add(1_000_000) => {
                self.found(now_us, &url, rules::LL_PART_LATE, 0, format!("no part for {}; PART-TARGET is {}", s(took), s(part_target)));
            }
            None if took > target.saturating_mul(2).saturating_add(1_000_000) => {
                self.found(now_us, &url, rules::LIVE_LATE, 0, format!("no segment for {}; the target duration is {}", s(took), s(target)));
            }
            _ => {}
        }
    }

    /// Renditions are updated in step (B.1).
    fn step(&mut self, now_us: u64, rendition: usize, at: (u64, u64), came: u64, part_target: u64) {
        if rendition == FIRST {
            return;
        }
        let Some(first) = self.renditions.first().and_then(|first| first.pace.came.get(&at).copied()) else { return };
        let url = self.url(rendition);
        let name = self.name(FIRST);
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let apart = first.abs_diff(came);
        known.pace.compared += 1;
        known.pace.out_of_step += u64::from(apart > part_target.saturating_add((part_target / 2).max(LATE_GRACE_US)));
        let (out, all) = (known.pace.out_of_step, known.pace.compared);
        if all >= PACE_STEPS && out * 4 > all {
            let seen = format!("{out} of {all} parts came more than a part target before or after {name}, this one {}", s(apart));
            self.found(now_us, &url, rules::ALIGN_STEP, 0, seen);
        }
    }

    /// The date of the live edge beside the time of day.
    fn clock(&mut self, now_us: u64, rendition: usize, list: &Media) {
        if list.ended.is_some() {
            return;
        }
        let mut edge: Option<(i64, u32)> = None;
        for segment in list.all() {
            let start = segment.date_us.or_else(|| edge.map(|(end, _)| end).filter(|_| !segment.discontinuity));
            edge = start.map(|start| (start.saturating_add(i64::try_from(segment.duration_us).unwrap_or(0)), segment.line));
        }
        let Some((edge, line)) = edge else { return };
        let behind = self.utc_us(now_us).saturating_sub(edge);
        let most = if list.has_parts() {
            PART_CLOCK_BEHIND_US
        } else {
            i64::try_from(list.target_us.unwrap_or(0).saturating_mul(3)).unwrap_or(0).saturating_add(CLOCK_BEHIND_US)
        };
        let url = self.url(rendition);
        if behind < -CLOCK_AHEAD_US {
            self.found(now_us, &url, rules::DATE_CLOCK, line, format!("the live edge is dated {} in the future", s(behind.unsigned_abs())));
        } else if behind > most {
            self.found(now_us, &url, rules::DATE_CLOCK, line, format!("the live edge is dated {} ago", s(behind.unsigned_abs())));
        }
    }

    /// What renditions have in common.
    fn beside_others(&mut self, now_us: u64, rendition: usize, list: &Media) {
        if rendition == FIRST {
            return;
        }
        let url = self.url(rendition);
        let name = self.name(rendition);
        let mut faults = Faults::default();
        let (Some(first), Some(own)) = (self.renditions.first(), self.renditions.get(rendition)) else { return };
        if let Some(other) = &first.list {
            check::pair(Look { name: &first.name, list: other }, Look { name: &name, list }, &mut faults);
        }
        // I-frames are numbered for themselves.
        if list.i_frames_only != first.list.as_ref().is_some_and(|list| list.i_frames_only) {
            self.found_all(now_us, &url, faults);
            return;
        }
        // Both number their segments alike: then the sums of their durations stay together.
        let mut both = own.offsets.iter().filter_map(|(msn, own)| Some((*msn, *own, *first.offsets.get(msn)?)));
        // Where both begin, sound and picture may lie a part of a segment apart, once and for all: what counts comes after it.
        both.next();
        let mut both_ends = None;
        if let Some((msn, a, b)) = both.next() {
            for (last, c, d) in both.take_while(|(_, c, d)| (c.discontinuity, d.discontinuity) == (a.discontinuity, b.discontinuity)) {
                let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
                let off = |own: Offset, other: Offset| signed(own.us) - signed(other.us);
                both_ends = Some(((msn, off(a, b)), (last, off(c, d))));
            }
        }
        if let Some((from, to)) = both_ends
            && let Some(grown) = check::drift(from, to)
        {
            let way = if grown > 0 { "longer" } else { "shorter" };
            let seen = format!("segments {} to {} are {} {way} than in {}", from.0, to.0, s(grown.unsigned_abs()), first.name);
            faults.add(rules::ALIGN_DRIFT, 0, seen);
        }
        self.found_all(now_us, &url, faults);
    }

    /// Rendition reports: complete (B.1), and as new as the playlist (4.4.5.4).
    fn reports(&mut self, now_us: u64, rendition: usize, list: &Media) {
        if list.ended.is_some() || !list.has_parts() || list.i_frames_only {
            return;
        }
        let Some((own_msn, own_part)) = list.last() else { return };
        let url = self.url(rendition);
        let mut faults = Faults::default();
        let mut reported: Vec<String> = Vec::new();
        for report in &list.reports {
            if report.uri.contains("://") || report.uri.starts_with("//") {
                faults.add(rules::LL_REPORT_URI, report.line, report.uri.to_string());
            }
            let address = without_directives(&resolve(&url, &report.uri));
            let (msn, part) = (report.msn.unwrap_or(own_msn), report.part.or(own_part));
            let same = self.renditions.iter().any(|other| other.url == address && other.has_parts());
            let old = msn + 1 < own_msn || (msn == own_msn && part.zip(own_part).is_some_and(|(part, own)| part + 2 < own));
            let new = msn > own_msn + 1;
            if same && (old || new) {
                let seen =
                    format!("{} is said to be at {}, this playlist is at {}", report.uri, position(msn, part), position(own_msn, own_part));
                faults.add(rules::LL_REPORT_TRUE, report.line, seen);
            }
            reported.push(address);
        }
        let missing = self.renditions.iter().enumerate().filter(|(at, other)| {
            *at != rendition
                && !matches!(other.role, Role::IFrames)
                && other.list.is_some()
                && !reported.contains(&without_directives(&other.url))
        });
        let missing: Vec<&str> = missing.map(|(_, other)| other.name.as_str()).collect();
        if !missing.is_empty() {
            faults.add(rules::LL_REPORT, 0, format!("no report on {}", missing.join(", ")));
        }
        self.found_all(now_us, &url, faults);
    }

    /// Whether the part that was hinted is the one that came.
    fn hint_came_true(&mut self, now_us: u64, rendition: usize, before: Option<&Media>, list: &Media) {
        let url = self.url(rendition);
        let hint = list.hints.iter().find(|hint| hint.kind == "PART").map(|hint| (resolve(&url, &hint.uri), hint.start));
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let standing = known.hints.standing.clone();
        if let Some((before, (hinted, start))) = before.zip(standing)
            && let Some(part) = first_new_part(before, list)
        {
            known.hints.all += 1;
            let came = resolve(&url, &part.uri);
            let is_it = came == hinted && part.range.is_none_or(|(offset, _)| offset == start.unwrap_or(0));
            if !is_it && !part.gap {
                known.hints.wrong += 1;
            }
            let (wrong, all) = (known.hints.wrong, known.hints.all);
            let refused = known.hints.refused.contains(&came);
            if !is_it && wrong >= 2 && wrong * 20 > all {
                let seen = format!("{wrong} of {all} hints were wrong: {hinted} was hinted, {came} came");
                self.found(now_us, &url, rules::LL_HINT_TRUE, part.line, seen);
            }
            // What turned out to be missing is answered so.
            if refused && !part.gap {
                self.found(now_us, &url, rules::LL_HINT_HELD, part.line, format!("{came} was answered with 404 while it was hinted"));
            }
        }
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let changed = known.hints.standing != hint;
        known.hints.standing.clone_from(&hint);
        // A range of a resource that grows is a request of its own kind; the parts are loaded anyway.
        if let Some((uri, None)) = hint
            && changed
            && (rendition == FIRST || known.role == Role::Media(0))
            && list.ended.is_none()
        {
            self.ask(now_us, Ask::Hint { rendition, uri: uri.clone() }, uri);
        }
    }

    /// What has left the playlist has to be there for some time.
    fn gone(&mut self, now_us: u64, rendition: usize, before: &Media, list: &Media) {
        if list.ended.is_some() {
            return;
        }
        let url = self.url(rendition);
        let target = list.target_us.unwrap_or(0);
        let first = list.all().next().map_or(0, |segment| segment.msn);
        let absolute = |uri: &str| resolve(&url, uri);
        // The end of the time is what tells; a little before it, so that clocks may differ.
        if let Some(segment) = before.segments.iter().take_while(|segment| segment.msn < first).find(|segment| !segment.gap) {
            let due = now_us + segment.duration_us.saturating_add(before.duration_us()).saturating_sub(1_000_000);
            self.ask_media(due, Ask::Kept { rendition, part: false }, absolute(&segment.uri), segment.range);
        }
        let with_parts = before.segments.iter().find(|segment| !segment.parts.is_empty());
        let lost = with_parts.filter(|old| list.all().any(|segment| segment.msn == old.msn && segment.parts.is_empty()));
        if let Some(part) = lost.and_then(|segment| segment.parts.iter().find(|part| !part.gap)) {
            let due = now_us + target.saturating_mul(3).saturating_sub(500_000);
            self.ask_media(due, Ask::Kept { rendition, part: true }, absolute(&part.uri), part.range);
        }
    }
}

/// The first part that a playlist lists and the one before it does not.
fn first_new_part<'a>(before: &Media, list: &'a Media) -> Option<&'a crate::read::Part> {
    let (msn, count) = before.open.as_ref().map_or_else(|| (before.next_msn(), 0), |open| (open.msn, open.parts.len()));
    let of = |msn: u64, skip: usize| list.all().find(|segment| segment.msn == msn).and_then(|segment| segment.parts.get(skip));
    of(msn, count).or_else(|| of(msn + 1, 0).filter(|_| list.next_msn() > msn))
}

/// Whether a playlist has what a blocking request named, or more.
pub(super) fn contains(list: &Media, msn: u64, part: u64) -> bool {
    let open = list.open.as_ref();
    if list.next_msn() > msn {
        // Beyond the last part of a segment that is whole: part 0 of the next (6.2.5.2).
        let whole = list.segments.iter().find(|segment| segment.msn == msn);
        let beyond = whole.is_some_and(|whole| !whole.parts.is_empty() && part >= whole.parts.len() as u64);
        return !beyond || list.next_msn() > msn + 1 || open.is_some();
    }
    open.is_some_and(|open| open.msn > msn || (open.msn == msn && open.parts.len() as u64 > part))
}

/// `12.3`, or `12` for a whole segment.
pub(super) fn position(msn: u64, part: Option<u64>) -> String {
    part.map_or_else(|| msn.to_string(), |part| format!("{msn}.{part}"))
}

/// What has to be there is answered within this, beyond the round trip.
pub(super) const AT_ONCE_US: u64 = SOON_US / 10;
