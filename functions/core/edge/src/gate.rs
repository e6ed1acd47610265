use tidegate_stream::{AS_OF_LAG_SEGMENTS, AsOf, Key, Msn, PartIndex, Position, Timeline};

/// What has to be there before a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Whatever is the newest.
    Newest,
    /// The whole of this segment.
    Segment(Msn),
    /// This part.
    Part(Position),
}

/// Whether a request can be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Yes, with this state. The same request gets the same state on every edge, unless the session ends in between.
    Ready {
        /// The state to show.
        as_of: AsOf,
        /// The request named this state, so the answer is good for as long as caches like.
        named: bool,
    },
    /// Not yet.
    Wait(Wait),
    /// Never (400).
    Refuse(Refusal),
}

/// What a request waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wait {
    /// The next record of the log; the request may have to wait for more than one.
    pub key: Key,
    /// In how many ms it is expected, by the clock of the worker and the lengths of the parts before.
    pub expect_ms: u32,
    /// When to give up, in ms (503).
    pub timeout_ms: u32,
}

/// Why a request is refused at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// More than two segments ahead (rfc8216bis, 6.2.5.2).
    #[error("segment {asked} is too far ahead: the last one is {last}")]
    Segment {
        /// The segment asked for.
        asked: Msn,
        /// The last segment there is.
        last: Msn,
    },
    /// More parts ahead than the Advance Part Limit (rfc8216bis, 6.2.5.2).
    #[error("part {asked} of segment {msn} is too far ahead: the limit is {limit} parts")]
    Part {
        /// The segment asked for.
        msn: Msn,
        /// The part asked for.
        asked: PartIndex,
        /// How many parts a request may be ahead.
        limit: u32,
    },
}

/// Decides about a playlist request against what is known now.
///
/// A timeline without parts has nothing to show: the request waits for record 0.
#[must_use]
pub fn gate(timeline: &Timeline, wanted: Wanted, now_utc_us: i64) -> Verdict {
    let Some(last) = timeline.last() else {
        // A session that ended before its first part has nothing to show either.
        return if timeline.ended() {
            Verdict::Ready { as_of: AsOf::End, named: false }
        } else {
            Verdict::Wait(wait(timeline, now_utc_us))
        };
    };
    // Once the playlist has ended, directives have no effect (rfc8216bis, 6.2.5.2).
    if timeline.ended() {
        return Verdict::Ready { as_of: AsOf::End, named: false };
    }
    let newest = Verdict::Ready { as_of: AsOf::Part(last), named: false };
    let (msn, part) = match wanted {
        Wanted::Newest => return newest,
        Wanted::Segment(msn) => (msn, None),
        Wanted::Part(Position { msn, part }) => (msn, Some(part)),
    };
    // An old msn gets the current playlist (rfc8216bis, 6.2.5.2).
    if msn.0.saturating_add(AS_OF_LAG_SEGMENTS) < last.msn.0 {
        return newest;
    }
    if msn.0 > last.msn.0 + MSN_AHEAD_MAX {
        return Verdict::Refuse(Refusal::Segment { asked: msn, last: last.msn });
    }
    let wanted = match part {
        // A segment is complete as of the first part of the next one.
        None => Position { msn: msn.next(), part: PartIndex(0) },
        Some(part) => match timeline.segment(msn).filter(|_| timeline.is_closed(msn)) {
            // A part after the last one of a closed segment means part 0 of the next (rfc8216bis, 6.2.5.2).
            Some(closed) if part.0 as usize >= closed.parts.len() => Position { msn: msn.next(), part: PartIndex(0) },
            _ => Position { msn, part },
        },
    };
    if let (Some(asked), true) = (part, wanted > last) {
        let limit = advance_part_limit(timeline);
        let first_free = if msn == last.msn { last.part.0.saturating_add(1) } else { 0 };
        if asked.0 > first_free.saturating_add(limit) {
            return Verdict::Refuse(Refusal::Part { msn, asked, limit });
        }
    }
    if wanted > last {
        return Verdict::Wait(wait(timeline, now_utc_us));
    }
    Verdict::Ready { as_of: AsOf::Part(wanted), named: true }
}

/// `_HLS_msn` may be at most this far ahead of the last segment (rfc8216bis, 6.2.5.2).
const MSN_AHEAD_MAX: u64 = 2;

/// The Advance Part Limit: 3 parts for part targets of 1 s and above, else 3 s worth of parts (rfc8216bis, 6.2.5.2).
fn advance_part_limit(timeline: &Timeline) -> u32 {
    match timeline.session().part_target_us() {
        0 | 1_000_000.. => 3,
        target => 3_000_000_u32.div_ceil(target),
    }
}

/// What to wait for, now that the request waits: the next record.
#[must_use]
pub(crate) fn wait(timeline: &Timeline, now_utc_us: i64) -> Wait {
    let session = timeline.session();
    let key = Key::Record { stream: session.stream.clone(), session: session.id.clone(), number: timeline.next_record() };
    let part_us = i64::from(session.part_target_us());
    // The last record became whole one part after its first frame; the next one follows a part later.
    let last_utc_us = timeline.segments().back().and_then(|segment| segment.parts.last()).map_or(now_utc_us - part_us, |part| part.utc_us);
    let expect_us = last_utc_us.saturating_add(2 * part_us).saturating_sub(now_utc_us).clamp(0, 2 * part_us);
    // hls.js gives up a blocking request after max(3 part targets, 0.8 target durations); an answer before that is worth more
    // than the 3 target durations that the draft allows.
    let target_us = i64::from(session.target_duration_s) * 1_000_000;
    let timeout_us = (3 * part_us).max(target_us * 4 / 5) - 100_000;
    Wait { key, expect_ms: (expect_us / 1000) as u32, timeout_ms: (timeout_us.max(part_us) / 1000) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follower::tests::{apply, log, session};

    /// Two closed segments of 4 parts, then 2 parts of segment 2; a part lasts 500 ms, record n begins at n x 500 ms.
    fn timeline(end: bool) -> Timeline {
        let mut timeline = Timeline::new(session());
        for object in log(&[4, 4, 2], end) {
            apply(&mut timeline, &object);
        }
        timeline
    }

    fn ask(timeline: &Timeline, wanted: Wanted) -> Verdict {
        gate(timeline, wanted, 5_100_000)
    }

    fn segment(msn: u64) -> Wanted {
        Wanted::Segment(Msn(msn))
    }

    fn part(msn: u64, part: u32) -> Wanted {
        Wanted::Part(Position { msn: Msn(msn), part: PartIndex(part) })
    }

    fn ready(msn: u64, part: u32, named: bool) -> Verdict {
        Verdict::Ready { as_of: AsOf::Part(Position { msn: Msn(msn), part: PartIndex(part) }), named }
    }

    #[test]
    fn what_is_there_is_answered_as_it_was_then() {
        let timeline = timeline(false);
        assert_eq!(ask(&timeline, Wanted::Newest), ready(2, 1, false));
        assert_eq!(ask(&timeline, part(2, 0)), ready(2, 0, true));
        assert_eq!(ask(&timeline, segment(1)), ready(2, 0, true));
        assert_eq!(ask(&timeline, part(1, 3)), ready(1, 3, true));
    }

    #[test]
    fn a_part_beyond_the_last_is_the_first_of_the_next_segment() {
        assert_eq!(ask(&timeline(false), part(1, 4)), ready(2, 0, true));
        assert_eq!(ask(&timeline(false), part(1, 9)), ready(2, 0, true));
    }

    #[test]
    fn what_is_not_there_waits_for_the_next_record() {
        let timeline = timeline(false);
        for wanted in [part(2, 2), segment(2), part(3, 0), segment(4)] {
            let Verdict::Wait(wait) = ask(&timeline, wanted) else { panic!("{wanted:?}") };
            assert!(matches!(&wait.key, Key::Record { number, .. } if number.0 == 10), "{wanted:?}");
            // Record 9 began at 4.5 s; record 10 is whole at 5.5 s; it is 5.1 s.
            assert_eq!((wait.expect_ms, wait.timeout_ms), (400, 1500), "{wanted:?}");
        }
    }

    #[test]
    fn too_far_ahead_is_refused_at_once() {
        let timeline = timeline(false);
        assert_eq!(ask(&timeline, segment(5)), Verdict::Refuse(Refusal::Segment { asked: Msn(5), last: Msn(2) }));
        let refusal = Refusal::Part { msn: Msn(2), asked: PartIndex(9), limit: 6 };
        assert_eq!(ask(&timeline, part(2, 9)), Verdict::Refuse(refusal));
        assert!(matches!(ask(&timeline, part(2, 8)), Verdict::Wait(_)));
        assert!(matches!(ask(&timeline, part(3, 7)), Verdict::Refuse(_)));
    }

    #[test]
    fn after_the_end_directives_are_ignored() {
        for wanted in [Wanted::Newest, segment(99), part(2, 77)] {
            assert_eq!(ask(&timeline(true), wanted), Verdict::Ready { as_of: AsOf::End, named: false }, "{wanted:?}");
        }
    }

    #[test]
    fn an_empty_session_waits_for_its_first_record() {
        let Verdict::Wait(wait) = ask(&Timeline::new(session()), Wanted::Newest) else { panic!() };
        assert!(matches!(&wait.key, Key::Record { number, .. } if number.0 == 0));
    }
}
