//! Single questions about delivery directives, and their answers.

use alloc::{
    format,
    string::{String, ToString as _},
};

use super::{
    ask::{Ask, How},
    playlist::{AT_ONCE_US, contains, position},
    rendition::{Role, Twin},
    validator::{Times, Validator, words},
};
use crate::{
    check::{self, s},
    probe::{Answer, Failure},
    read::{Faults, Media, Playlist, read},
    rules,
};

/// Renditions that the questions are put to: the first video and the first sound.
fn is_asked(rendition: usize, role: Role) -> bool {
    rendition == 0 || role == Role::Media(0)
}

/// How many parts ahead a request may be (6.2.5.2), and far more than that.
const FAR_PARTS: u64 = 1_000;
/// More than two.
const FAR_SEGMENTS: u64 = 100;
/// A delta is asked for at every so many updates.
const DELTA_EVERY: u64 = 6;
/// Answers that wait for their twin.
const MAX_TWINS: usize = 4;

impl Validator {
    /// Puts the next question to a rendition that has just been updated.
    pub(super) fn question(&mut self, now_us: u64, rendition: usize, list: &Media) {
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        if !is_asked(rendition, known.role) {
            return;
        }
        if list.ended.is_some() {
            if (known.was_live || list.control.is_some()) && known.questions < 100 {
                known.questions = 100;
                let msn = list.next_msn().saturating_add(FAR_SEGMENTS);
                self.ask_playlist(now_us, rendition, How::Ended { msn });
            }
            return;
        }
        if !known.blocks() || known.updates < 2 {
            return;
        }
        let Some((msn, part)) = list.last() else { return };
        let updates = known.updates;
        if let Some(control) = list.control.as_ref().filter(|control| control.skip_until_us.is_some() && updates % DELTA_EVERY == 2) {
            let ranges = control.skip_ranges && updates % (2 * DELTA_EVERY) == 2;
            self.ask_playlist(now_us, rendition, How::Delta { msn, part, ranges });
        }
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let whole = list.segments.iter().rev().find(|segment| !segment.parts.is_empty());
        let how = match known.questions {
            0 => How::PartAlone,
            1 => How::FarSegment { msn: list.next_msn().saturating_add(FAR_SEGMENTS) },
            2 if list.has_parts() => How::FarPart { msn, part: part.unwrap_or(0).saturating_add(FAR_PARTS) },
            3 => How::Old { msn: list.sequence },
            4 => How::Segment { msn: list.next_msn() },
            5 => match whole {
                Some(whole) => How::Next { msn: whole.msn, part: whole.parts.len() as u64 },
                // No segment with parts is whole yet: ask later.
                None => return,
            },
            6 => {
                known.questions += 1;
                let uri = list.all().next_back().and_then(|segment| segment.parts.last().map(|part| &part.uri).or(Some(&segment.uri)));
                if let Some(url) = uri.map(|uri| not_there(&known.absolute(uri))) {
                    self.ask(now_us, Ask::Nothing { rendition }, url);
                }
                return;
            }
            _ => return,
        };
        known.questions += 1;
        self.ask_playlist(now_us, rendition, how);
    }

    /// Takes the answer to a question.
    pub(super) fn directive(&mut self, times: Times, rendition: usize, how: How, url: &str, result: Result<Answer, Failure>) {
        let own = self.url(rendition);
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => {
                let rule = match how {
                    How::FarSegment { .. } => rules::LL_BLOCK_FAR,
                    How::FarPart { .. } => rules::LL_BLOCK_FAR_PART,
                    How::PartAlone => rules::LL_BLOCK_PART_ALONE,
                    How::Segment { .. } => rules::LL_BLOCK_SEGMENT,
                    How::Next { .. } => rules::LL_BLOCK_NEXT,
                    How::Old { .. } => rules::LL_BLOCK_OLD,
                    How::Ended { .. } => rules::LL_BLOCK_ENDED,
                    How::Delta { .. } => rules::LL_DELTA,
                    // The chain asks the same, and says so.
                    How::Twin { .. } | How::Plain | How::Part { .. } => return,
                };
                self.found(times.now_us, &own, rule, 0, format!("{}: {}", query(url), words(&failure)));
                return;
            }
        };
        match how {
            How::FarSegment { .. } => self.refusal(times, &own, url, &answer, rules::LL_BLOCK_FAR),
            How::FarPart { .. } => self.refusal(times, &own, url, &answer, rules::LL_BLOCK_FAR_PART),
            How::PartAlone => self.refusal(times, &own, url, &answer, rules::LL_BLOCK_PART_ALONE),
            How::Twin { msn, part } => self.twin(times, rendition, (msn, part), answer),
            How::Delta { msn, part, ranges } => self.delta(times, rendition, (msn, part, ranges), url, &answer),
            How::Segment { .. } | How::Next { .. } | How::Old { .. } | How::Ended { .. } => {
                self.whole_answer(times, rendition, how, url, &answer)
            }
            How::Plain | How::Part { .. } => {}
        }
    }

    /// What cannot be answered is refused, and at once.
    fn refusal(&mut self, times: Times, own: &str, url: &str, answer: &Answer, rule: &'static crate::rule::Rule) {
        let waited = times.waited_us();
        if !(400..500).contains(&answer.status) {
            let seen = format!("{}: status {} after {}", query(url), answer.status, s(waited));
            self.found(times.now_us, own, rule, 0, seen);
        } else if waited > AT_ONCE_US.saturating_add(self.round_trip_us.unwrap_or(0)) {
            self.found(times.now_us, own, rule, 0, format!("{}: refused only after {}", query(url), s(waited)));
        }
    }

    /// Questions that are answered with a whole playlist.
    fn whole_answer(&mut self, times: Times, rendition: usize, how: How, url: &str, answer: &Answer) {
        let own = self.url(rendition);
        let rule = match how {
            How::Segment { .. } => rules::LL_BLOCK_SEGMENT,
            How::Next { .. } => rules::LL_BLOCK_NEXT,
            How::Ended { .. } => rules::LL_BLOCK_ENDED,
            _ => rules::LL_BLOCK_OLD,
        };
        let waited = times.waited_us();
        let at_once = AT_ONCE_US.saturating_add(self.round_trip_us.unwrap_or(0));
        // A stall is found by the pace.
        if answer.status == 503 && matches!(how, How::Segment { .. } | How::Next { .. }) {
            return;
        }
        if answer.status != 200 {
            self.found(times.now_us, &own, rule, 0, format!("{}: status {}", query(url), answer.status));
            return;
        }
        let Some(list) = self.whole(times, rendition, how, answer) else { return };
        let last = list.last().map_or_else(|| "nothing".into(), |(msn, part)| position(msn, part));
        let seen = match how {
            How::Segment { msn } if list.next_msn() <= msn && list.ended.is_none() => {
                Some(format!("segment {msn} is not whole; the last is {last}"))
            }
            How::Next { msn, part } if !contains(&list, msn, part) && list.ended.is_none() => {
                Some(format!("part 0 of segment {} is not there; the last is {last}", msn + 1))
            }
            How::Old { .. } | How::Ended { .. } if waited > at_once => Some(format!("answered only after {}", s(waited))),
            _ => None,
        };
        if let Some(seen) = seen {
            self.found(times.now_us, &own, rule, 0, format!("{}: {seen}", query(url)));
        }
        if matches!(how, How::Ended { .. })
            && let Some(before) = self.renditions.get(rendition).and_then(|known| known.list.as_ref())
        {
            let mut faults = Faults::default();
            check::update(before, &list, &mut faults);
            self.found_all(times.now_us, &own, faults);
        }
        if matches!(how, How::Old { .. }) && waited <= at_once {
            let trip = self.round_trip_us.map_or(waited, |least| least.min(waited));
            self.round_trip_us = Some(trip);
        }
    }

    /// Two answers to one request.
    fn twin(&mut self, times: Times, rendition: usize, at: (u64, u64), answer: Answer) {
        if answer.status != 200 {
            return;
        }
        let (playlist, _) = read(&answer.body);
        let Some(Playlist::Media(list)) = playlist else { return };
        let url = self.url(rendition);
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let last = list.last();
        let Some(place) = known.twins.iter().position(|twin| twin.at == at) else {
            if known.twins.len() >= MAX_TWINS {
                known.twins.remove(0);
            }
            known.twins.push(Twin { at, last, body: answer.body });
            return;
        };
        let twin = known.twins.swap_remove(place);
        // A later state is another state.
        if twin.last == last && twin.body != answer.body {
            let seen = first_difference(&twin.body, &answer.body);
            self.found(times.now_us, &url, rules::LL_SAME_BYTES, seen.0, format!("{}: {}", position(at.0, Some(at.1)), seen.1));
        }
    }

    fn delta(&mut self, times: Times, rendition: usize, (msn, part, ranges): (u64, Option<u64>, bool), url: &str, answer: &Answer) {
        let own = self.url(rendition);
        if answer.status != 200 {
            self.found(times.now_us, &own, rules::LL_DELTA, 0, format!("{}: status {}", query(url), answer.status));
            return;
        }
        let how = How::Delta { msn, part, ranges };
        let Some(list) = self.whole(times, rendition, how, answer) else { return };
        self.counts.deltas += u64::from(list.skip.is_some());
        let mut faults = Faults::default();
        // An answer as of what was asked for may be older than a playlist that came meanwhile.
        let asked = Some((msn, part.or(Some(u64::MAX))));
        if let Some(before) = self.renditions.get(rendition).and_then(|known| known.list.as_ref()).filter(|before| before.last() <= asked) {
            check::delta(before, &list, ranges, &mut faults);
        }
        for fault in &mut faults.0 {
            fault.seen = format!("{}: {}", query(url), fault.seen);
        }
        self.found_all(times.now_us, &own, faults);
    }

    /// An address that never was.
    pub(super) fn nothing(&mut self, times: Times, url: &str, result: Result<Answer, Failure>) {
        match result {
            Ok(answer) if matches!(answer.status, 403 | 404 | 410) => {}
            Ok(answer) => self.found(times.now_us, url, rules::LL_NOT_FOUND, 0, format!("status {}", answer.status)),
            Err(failure) => self.found(times.now_us, url, rules::LL_NOT_FOUND, 0, words(&failure)),
        }
    }
}

/// The directives of an address.
fn query(url: &str) -> String {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let own: alloc::vec::Vec<&str> = query.split('&').filter(|pair| pair.starts_with("_HLS_")).collect();
    own.join("&")
}

/// An address beside another where nothing is.
fn not_there(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let (folder, _) = path.rsplit_once('/').unwrap_or((path, ""));
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    format!("{folder}/this-was-never-there.m4s{query}")
}

fn first_difference(a: &[u8], b: &[u8]) -> (u32, String) {
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let pair = a.lines().zip(b.lines()).zip(1..).find(|((a, b), _)| a != b);
    match pair {
        Some(((a, b), line)) => (line, format!("`{}` and `{}`", crate::read::shown(a), crate::read::shown(b))),
        None => (0, "one is longer than the other".to_string()),
    }
}
