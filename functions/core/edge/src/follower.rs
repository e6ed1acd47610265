use alloc::{boxed::Box, vec::Vec};

use tidegate_stream::{ApplyError, CHAPTER_SEGMENTS, Chapter, Key, Record, SessionId, Snapshot, StreamId, Timeline};

/// Reads one session's log, one object at a time: the head, its chapters, then record after record.
#[derive(Clone, Debug)]
pub struct Follower {
    stream: StreamId,
    session: SessionId,
    phase: Phase,
    timeline: Option<Timeline>,
    /// When the next record was last seen to be missing.
    tip_ms: Option<u64>,
    /// When the head was last read.
    head_ms: u64,
    /// When the log was last seen to go on, by the clock here.
    progress_ms: u64,
    /// By how much the dates of the log are ahead of the clock here, as far as is known, in ms.
    ahead_ms: u64,
    /// When the newest object that was read was written: the store's word for how long ago, on the clock here.
    written_ms: Option<u64>,
    /// The head has said once more what is known. If the next record is missing still, the log has stood still.
    same: bool,
    /// The end of the log has been reached once, …
    reached: bool,
    /// … and it went on from there: somebody writes it, or did a moment ago.
    moved: bool,
    /// When the store last answered.
    answered_ms: u64,
    /// It has not answered since: what the log did meanwhile was not seen.
    blind: bool,
    /// The store answers again: whether the log has moved past a record that is missing, only its head can tell.
    unsure: bool,
    /// The next record is there, and is not what it should be.
    damaged: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The head is to be read.
    Head,
    /// Chapters are to be read, this one first.
    Chapters { snapshot: Box<Snapshot>, outline: Box<Timeline>, next: u64, read: Vec<Chapter> },
    /// Records are to be read.
    Log,
    /// There is no such session.
    Absent,
    /// Everything is known.
    Ended,
    /// The log has stood still for so long that its writer is taken for dead: shown as ended, until the head says otherwise.
    Abandoned,
}

/// The object that a follower wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    /// The object.
    pub key: Key,
    /// The first this many bytes are enough; `None` for the whole object.
    pub first_bytes: Option<usize>,
}

/// What came of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fetched<'a> {
    /// The object.
    Got {
        /// Its bytes.
        bytes: &'a [u8],
        /// How long ago it was written, by the store's own clock.
        age_ms: Option<u64>,
    },
    /// There is no such object.
    Missing,
    /// The store did not answer, or not properly.
    Failed,
}

/// Chapters that are read at most: a window of 24 h in 2 s segments. What is older than these is not listed.
const CHAPTERS_MAX: u64 = 24 * 3600 / 2 / CHAPTER_SEGMENTS + 1;
/// How long the knowledge that a record is not there yet is good, in ms: a burst of requests costs one read.
const TIP_FRESH_MS: u64 = 20;
/// How long a session may be known to be absent, in ms.
const ABSENT_FRESH_MS: u64 = 1000;
/// A log that stands still for this many target durations is checked against the head: its records may have expired.
const STALE_TARGETS: u64 = 2;
/// A session whose log has stood still for this many target durations, and said nothing of its end, is shown as ended: its worker
/// and whoever could have taken over are gone. Seconds for a takeover, half a minute for this, at segments of 2 s …
const ABANDONED_TARGETS: u64 = 15;
/// … of which this many before our own eyes, where the store says how long ago it was written, …
const SEEN_STILL_TARGETS: u64 = 3;
/// … or where its dates are older by so much more, in ms, that no clock explains it: a store takes no signature of a worker whose clock
/// is off by more than a quarter of an hour.
const CLOCKS_APART_MS: u64 = 15 * 60 * 1000;
/// How often the head of such a session is looked at, in ms: its worker may have been cut off and come back.
const ABANDONED_FRESH_MS: u64 = 5000;
/// How far a clock was ahead is forgotten over about so many records.
const AHEAD_RECORDS: u64 = 16;
/// Where one is ahead, the next record is looked for this share of a part before it is due.
const EARLY_PARTS: u64 = 8;
/// A follower left alone this long, in ms, starts from the head again in place of reading record after record.
const ASLEEP_MS: u64 = 10_000;

impl Follower {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(stream: StreamId, session: SessionId) -> Self {
        Self {
            stream,
            session,
            phase: Phase::Head,
            timeline: None,
            tip_ms: None,
            head_ms: 0,
            progress_ms: 0,
            ahead_ms: 0,
            written_ms: None,
            same: false,
            reached: false,
            moved: false,
            answered_ms: 0,
            blind: false,
            unsure: false,
            damaged: false,
        }
    }

    /// The object to read next; `None` while all that can be known is known.
    #[must_use]
    pub fn need(&self, now_ms: u64) -> Option<Need> {
        let (stream, session) = (self.stream.clone(), self.session.clone());
        let whole = |key| Some(Need { key, first_bytes: None });
        let age_ms = |since: u64| now_ms.saturating_sub(since);
        let tip_age_ms = self.tip_ms.map(age_ms);
        match &self.phase {
            Phase::Ended => None,
            Phase::Absent if age_ms(self.head_ms) < ABSENT_FRESH_MS => None,
            Phase::Abandoned if age_ms(self.head_ms) < ABANDONED_FRESH_MS => None,
            Phase::Absent | Phase::Head | Phase::Abandoned => whole(Key::Head { stream, session }),
            Phase::Chapters { next, .. } => whole(Key::Chapter { stream, session, index: *next }),
            Phase::Log if self.unsure && self.tip_ms.is_some() => whole(Key::Head { stream, session }),
            Phase::Log if tip_age_ms.is_some_and(|age| age < TIP_FRESH_MS) => None,
            Phase::Log if tip_age_ms.is_some_and(|age| age > ASLEEP_MS) || self.head_is_due(now_ms) => whole(Key::Head { stream, session }),
            Phase::Log => {
                let number = self.timeline.as_ref()?.next_record();
                Some(Need { key: Key::Record { stream, session, number }, first_bytes: Some(Record::HEAD_MAX) })
            }
        }
    }

    /// A record that does not come may have come and gone: the head says how far the log is.
    fn head_is_due(&self, now_ms: u64) -> bool {
        let Some(timeline) = &self.timeline else { return true };
        let stale_ms = u64::from(timeline.session().target_duration_s) * 1000 * STALE_TARGETS;
        let last_ms = timeline.segments().back().and_then(|segment| segment.parts.last()).map_or(0, |part| part.utc_us / 1000);
        // The owner's clock may be ahead of ours: then its dates are never old, but the log stands still before our eyes.
        let since_ms = self.progress_ms.min(u64::try_from(last_ms).unwrap_or(0));
        let still = now_ms.saturating_sub(since_ms) > stale_ms;
        still && self.tip_ms.is_some() && now_ms.saturating_sub(self.head_ms) > stale_ms
    }

    /// Takes what [`Self::need`] asked for. An object that is not what it should be is treated as absent: nothing of it is shown.
    pub fn handle(&mut self, now_ms: u64, key: &Key, fetched: Fetched<'_>) {
        if fetched == Fetched::Failed {
            self.blind = true;
        } else {
            self.answered_ms = now_ms;
            if core::mem::take(&mut self.blind) {
                // Who cannot read cannot say that a log stood still, and its writer may be as blind.
                self.progress_ms = now_ms;
                self.unsure = true;
            }
        }
        if matches!(key, Key::Head { .. }) {
            self.unsure = false;
        }
        if let (Key::Head { .. } | Key::Record { .. }, Fetched::Got { age_ms: Some(age_ms), .. }) = (key, fetched) {
            self.written_ms = self.written_ms.max(Some(now_ms.saturating_sub(age_ms)));
        }
        match (key, fetched) {
            (Key::Head { .. }, Fetched::Got { bytes, .. }) => self.read_head(now_ms, bytes),
            (Key::Head { .. }, Fetched::Missing) if self.timeline.is_none() => {
                self.phase = Phase::Absent;
                self.head_ms = now_ms;
            }
            // What is known stays known while the store is silent.
            (Key::Head { .. }, Fetched::Missing | Fetched::Failed) => {
                self.head_ms = now_ms;
                self.tip_ms = self.tip_ms.map(|_| now_ms);
            }
            (Key::Chapter { index, .. }, fetched) => self.read_chapter(*index, fetched),
            (Key::Record { .. }, Fetched::Got { bytes, .. }) => self.read_record(now_ms, bytes),
            (Key::Record { number, .. }, Fetched::Missing | Fetched::Failed)
                if self.timeline.as_ref().is_some_and(|timeline| timeline.next_record() == *number) =>
            {
                self.tip_ms = Some(now_ms);
                self.reached = true;
                if core::mem::take(&mut self.same) && fetched == Fetched::Missing {
                    self.abandon(now_ms);
                }
            }
            _ => {}
        }
    }

    /// The watcher of the next record says that it is there: the knowledge that it is missing is void.
    pub fn wake(&mut self) {
        self.tip_ms = None;
    }

    fn read_head(&mut self, now_ms: u64, bytes: &[u8]) {
        self.head_ms = now_ms;
        let ours = |snapshot: &Snapshot| snapshot.session().id == self.session && snapshot.session().stream == self.stream;
        let Some(snapshot) = Snapshot::decode(bytes).ok().filter(ours) else {
            if self.timeline.is_none() {
                self.phase = Phase::Absent;
            }
            return;
        };
        let known = self.timeline.as_ref().is_some_and(|timeline| timeline.next_record() >= snapshot.next_record());
        if known {
            if matches!(self.phase, Phase::Abandoned) {
                return;
            }
            self.phase = Phase::Log;
            self.tip_ms = None;
            self.same = true;
            return;
        }
        let chapters = snapshot.chapters();
        let (known, from) = self.known_chapters(&snapshot);
        let next = from.max(chapters.start).max(chapters.end.saturating_sub(CHAPTERS_MAX));
        if next >= chapters.end {
            self.start(snapshot, known);
        } else {
            let outline = Box::new(snapshot.clone().into_timeline(Vec::new()));
            self.phase = Phase::Chapters { next, snapshot: Box::new(snapshot), outline, read: known };
        }
    }

    /// Closes a log that nobody writes any more, though nobody said so: a viewer who is told of an end never asks again. Its dates are
    /// those of its worker's clock, which may be minutes off. What counts is how long it stood still before our eyes, and for who has
    /// only just come how long ago the store has written it.
    fn abandon(&mut self, now_ms: u64) {
        let still_ms = now_ms.saturating_sub(self.progress_ms);
        let Some(timeline) = &mut self.timeline else { return };
        let target_ms = u64::from(timeline.session().target_duration_s) * 1000;
        let limit_ms = target_ms * ABANDONED_TARGETS;
        let date_ms = timeline.segments().back().and_then(|segment| segment.parts.last()).map_or(0, |part| part.utc_us / 1000);
        let of_old = match self.written_ms {
            Some(written_ms) => now_ms.saturating_sub(written_ms) > limit_ms,
            None => now_ms.saturating_sub(u64::try_from(date_ms).unwrap_or(0)) > limit_ms + CLOCKS_APART_MS,
        };
        if still_ms > limit_ms || (of_old && !self.moved && still_ms > target_ms * SEEN_STILL_TARGETS) {
            timeline.abandon();
            self.phase = Phase::Abandoned;
        }
    }

    /// What a new head need not have read again: the closed segments that are known, as a chapter, and the first chapter after them.
    fn known_chapters(&self, snapshot: &Snapshot) -> (Vec<Chapter>, u64) {
        let Some(timeline) = &self.timeline else { return (Vec::new(), 0) };
        let Some((first, open)) = timeline.segments().front().zip(timeline.segments().back()) else { return (Vec::new(), 0) };
        // Where a chapter was missing, it may be there now.
        if first.msn.0 / CHAPTER_SEGMENTS > snapshot.chapters().start {
            return (Vec::new(), 0);
        }
        let next = open.msn.0 / CHAPTER_SEGMENTS;
        (Vec::from([timeline.chapters_before(next)]), next)
    }

    fn read_chapter(&mut self, index: u64, fetched: Fetched<'_>) {
        let Phase::Chapters { snapshot, next, read, .. } = &mut self.phase else { return };
        // A store that does not answer must not cost the past: the chapter is asked for again.
        if *next != index || fetched == Fetched::Failed {
            return;
        }
        let renditions = snapshot.session().renditions.len();
        if let Fetched::Got { bytes, .. } = fetched
            && let Ok(chapter) = Chapter::decode(bytes, renditions)
        {
            read.push(chapter);
        }
        *next += 1;
        if *next >= snapshot.chapters().end {
            let (snapshot, read) = (Snapshot::clone(snapshot), core::mem::take(read));
            self.start(snapshot, read);
        }
    }

    fn start(&mut self, snapshot: Snapshot, chapters: Vec<Chapter>) {
        let timeline = snapshot.into_timeline(chapters);
        self.phase = if timeline.ended() { Phase::Ended } else { Phase::Log };
        self.timeline = Some(timeline);
        self.tip_ms = None;
        self.damaged = false;
        self.progress_ms = self.head_ms;
    }

    fn read_record(&mut self, now_ms: u64, bytes: &[u8]) {
        let Some(timeline) = &mut self.timeline else { return };
        let applied = Record::decode(bytes).ok().map(|(record, media_offset)| timeline.apply(&record, media_offset, None));
        match applied {
            Some(Ok(())) => {
                self.tip_ms = None;
                self.damaged = false;
                self.progress_ms = now_ms;
                self.moved |= self.reached;
                self.ahead_ms = ahead_ms(timeline, now_ms).max(self.ahead_ms - self.ahead_ms.div_ceil(AHEAD_RECORDS));
                if timeline.ended() {
                    self.phase = Phase::Ended;
                }
            }
            // Two requests of one instance read the same record: the second finds it known.
            Some(Err(ApplyError::Number { expected, found })) if found < expected => {}
            // Somebody damaged the log; the head is the only way past it, once it is far enough.
            Some(Err(_)) | None => {
                self.tip_ms = Some(now_ms);
                self.damaged = true;
                if now_ms.saturating_sub(self.head_ms) >= ABSENT_FRESH_MS {
                    self.phase = Phase::Head;
                }
            }
        }
    }

    /// Now by the clock that dates the log, as far as it is known to be ahead of the one here: a record is not waited for until after
    /// it is due.
    #[must_use]
    pub fn date_ms(&self, now_ms: u64) -> u64 {
        let Some(timeline) = self.timeline.as_ref().filter(|_| self.ahead_ms > 0) else { return now_ms };
        // Who looks a little early learns more; who looks late stays late.
        now_ms.saturating_add(self.ahead_ms).saturating_add(early_ms(timeline))
    }

    /// What is known; `None` until the head has been read.
    #[must_use]
    pub fn timeline(&self) -> Option<&Timeline> {
        match self.phase {
            Phase::Head | Phase::Chapters { .. } | Phase::Log | Phase::Ended | Phase::Abandoned => self.timeline.as_ref(),
            Phase::Absent => None,
        }
    }

    /// What is known of the newest segments, even while the chapters of the older ones are being read.
    #[must_use]
    pub fn outline(&self) -> Option<&Timeline> {
        match &self.phase {
            Phase::Chapters { outline, .. } => Some(outline),
            Phase::Head | Phase::Log | Phase::Absent | Phase::Ended | Phase::Abandoned => self.timeline(),
        }
    }

    /// Whether what is known may be old: the session goes on, and the store has not answered for longer than a segment.
    #[must_use]
    pub fn is_cut_off(&self, now_ms: u64) -> bool {
        let target_ms = |timeline: &Timeline| u64::from(timeline.session().target_duration_s) * 1000;
        let live = self.timeline.as_ref().filter(|timeline| !timeline.ended());
        live.is_some_and(|timeline| now_ms.saturating_sub(self.answered_ms) > target_ms(timeline))
    }

    /// Whether somebody has changed the next record: to wait for it is of no use, and a later head leads past it.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Whether it is known that there is no such session.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.phase, Phase::Absent)
    }
}

/// A record is whole when its share of a part is over. Where it is read before that, its writer's clock is ahead by at least so much; but
/// for the last frame, which comes before it is over, and for what dates are worth.
fn ahead_ms(timeline: &Timeline, now_ms: u64) -> u64 {
    let Some((segment, part)) = timeline.segments().back().and_then(|segment| Some((segment, segment.parts.last()?))) else { return 0 };
    let shares = part.tracks.iter().enumerate().filter(|(_, share)| share.duration > 0);
    let shortest_us = shares.filter_map(|(index, share)| Some(timeline.track(segment, index)?.micros(share.duration.into()))).min();
    let whole_us = part.utc_us.saturating_add_unsigned(shortest_us.unwrap_or(0));
    let lead_ms = u64::try_from(whole_us / 1000).map_or(0, |whole_ms| whole_ms.saturating_sub(now_ms));
    if lead_ms > early_ms(timeline) { lead_ms } else { 0 }
}

fn early_ms(timeline: &Timeline) -> u64 {
    u64::from(timeline.session().part_target_us()) / 1000 / EARLY_PARTS
}

#[cfg(test)]
pub(crate) mod tests;
