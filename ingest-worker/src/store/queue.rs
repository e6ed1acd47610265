use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use tidegate_stream::Key;

use super::{
    spool::Spooled,
    submission::{Lane, Put, PutCondition, Submission},
};

/// What is submitted and not durable, and what of it may be started. Knows no clock and no store.
///
/// Log: up to [`LOG_AT_ONCE`] records fly at once, started in order. Index: one after another. A barrier starts when nothing
/// that was submitted before it is left, and holds up its own lane only. Deletes are barriers that hold up nobody.
#[derive(Debug)]
pub(super) struct Queue {
    // In the order of submission; what flies stays until it is durable.
    items: VecDeque<Item>,
    next: u64,
    bytes: usize,
    superseded: u64,
    log_at_once: usize,
}

#[derive(Debug)]
struct Item {
    ticket: Ticket,
    submission: Submission,
    /// Where its bytes are, if they are not in memory.
    spooled: Option<Spooled>,
    submitted: Duration,
    flies: bool,
}

/// The name of a submission in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ticket(u64);

/// A submission that may be started.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) submission: Submission,
    /// Where its bytes are, if they are not in memory.
    pub(super) spooled: Option<Spooled>,
}

/// Enough to cover a store that takes two part intervals for a record, and few enough that a restart loses little.
const LOG_AT_ONCE: usize = 4;
/// What a submission costs beside its bytes, so that small ones are bounded too.
const OVERHEAD_BYTES: usize = 512;

impl Default for Queue {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Queue {
    /// `one_by_one`: a record is started when the one before it is durable.
    pub(super) fn new(one_by_one: bool) -> Self {
        let log_at_once = if one_by_one { 1 } else { LOG_AT_ONCE };
        Self { items: VecDeque::new(), next: 0, bytes: 0, superseded: 0, log_at_once }
    }

    /// Whether a submission fits into so many bytes. One that alone is larger than the limit fits into an empty queue.
    pub(super) fn fits(&self, submission: &Submission, limit: usize) -> bool {
        self.items.is_empty() || self.bytes + cost(submission) <= limit
    }

    /// Adds a submission; `now` comes back when it is durable. An older state of the same document that has not been started
    /// is dropped, unless a barrier was submitted since: then something relies on it.
    pub(super) fn push(&mut self, now: Duration, submission: Submission) {
        self.push_spooled(now, submission, None);
    }

    /// Adds one whose bytes are elsewhere, if they are.
    pub(super) fn push_spooled(&mut self, now: Duration, submission: Submission, spooled: Option<Spooled>) {
        self.bytes += cost(&submission);
        let replaces = matches!(&submission, Submission::Put(Put { condition: PutCondition::Replace, .. }));
        self.items.push_back(Item { ticket: Ticket(self.next), submission, spooled, submitted: now, flies: false });
        self.next += 1;
        if replaces {
            self.supersede();
        }
    }

    fn supersede(&mut self) {
        let mut newer: HashSet<&Key> = HashSet::new();
        let mut dropped: HashSet<u64> = HashSet::new();
        for item in self.items.iter().rev() {
            let Submission::Put(put) = &item.submission else {
                newer.clear();
                continue;
            };
            if put.condition == PutCondition::Replace && !item.flies && newer.contains(&put.key) {
                dropped.insert(item.ticket.0);
                continue;
            }
            if put.barrier {
                newer.clear();
            }
            if put.condition == PutCondition::Replace {
                newer.insert(&put.key);
            }
        }
        for item in self.items.iter().filter(|item| dropped.contains(&item.ticket.0)) {
            self.bytes -= cost(&item.submission);
        }
        self.superseded += dropped.len() as u64;
        self.items.retain(|item| !dropped.contains(&item.ticket.0));
    }

    /// The next submission that may be started.
    pub(super) fn start(&mut self) -> Option<Job> {
        let flying = |way: Way| self.items.iter().filter(|item| item.flies && way_of(&item.submission) == way).count();
        let room = [
            (Way::Log, flying(Way::Log) < self.log_at_once),
            (Way::Index, flying(Way::Index) == 0),
            (Way::Delete, flying(Way::Delete) == 0),
        ];
        let first = |way: Way| self.items.iter().position(|item| !item.flies && way_of(&item.submission) == way);
        let free = |at: &usize| *at == 0 || !self.items.get(*at).is_some_and(|item| is_barrier(&item.submission));
        let at = room.into_iter().filter(|(_, room)| *room).filter_map(|(way, _)| first(way).filter(free)).min()?;
        let item = self.items.get_mut(at)?;
        item.flies = true;
        Some(Job { ticket: item.ticket, submission: item.submission.clone(), spooled: item.spooled.take() })
    }

    /// Removes what is durable; returns when it was submitted.
    pub(super) fn done(&mut self, ticket: Ticket) -> Option<Duration> {
        let at = self.items.iter().position(|item| item.ticket == ticket)?;
        let item = self.items.remove(at)?;
        self.bytes -= cost(&item.submission);
        Some(item.submitted)
    }

    /// How many submissions are not durable.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many have been dropped for a newer state of the same document.
    pub(super) fn superseded(&self) -> u64 {
        self.superseded
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Log,
    Index,
    Delete,
}

fn way_of(submission: &Submission) -> Way {
    match submission {
        Submission::Put(Put { lane: Lane::Log, .. }) => Way::Log,
        Submission::Put(Put { lane: Lane::Index, .. }) => Way::Index,
        Submission::Delete(_) => Way::Delete,
    }
}

fn is_barrier(submission: &Submission) -> bool {
    match submission {
        Submission::Put(put) => put.barrier,
        Submission::Delete(_) => true,
    }
}

fn cost(submission: &Submission) -> usize {
    match submission {
        Submission::Put(put) => OVERHEAD_BYTES + put.bytes.len(),
        Submission::Delete(keys) => OVERHEAD_BYTES * (1 + keys.len()),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_stream::{MetaKey, RecordNumber, SessionId, StreamId};

    use super::*;

    fn stream() -> StreamId {
        StreamId::parse("demo").unwrap()
    }

    fn record(number: u64) -> Submission {
        let key = Key::Record { stream: stream(), session: SessionId::new(0, 0), number: RecordNumber(number) };
        Submission::Put(Put { key, bytes: b"record".as_slice().into(), condition: PutCondition::Absent, lane: Lane::Log, barrier: false })
    }

    fn document(name: &str, bytes: &'static str, barrier: bool) -> Submission {
        let key = Key::Meta(MetaKey::Stream { stream: StreamId::parse(name).unwrap() });
        Submission::Put(Put { key, bytes: bytes.into(), condition: PutCondition::Replace, lane: Lane::Index, barrier })
    }

    fn push_all(queue: &mut Queue, submissions: impl IntoIterator<Item = Submission>) {
        submissions.into_iter().for_each(|submission| queue.push(Duration::ZERO, submission));
    }

    /// Starts what may be started and says what it is: the number of a record, the body of a document.
    fn started(queue: &mut Queue) -> Vec<(String, Ticket)> {
        let name = |submission: &Submission| match submission {
            Submission::Put(Put { key: Key::Record { number, .. }, .. }) => number.to_string(),
            Submission::Put(put) => String::from_utf8(put.bytes.to_vec()).unwrap(),
            Submission::Delete(_) => "delete".into(),
        };
        std::iter::from_fn(|| queue.start()).map(|job| (name(&job.submission), job.ticket)).collect()
    }

    fn names(started: &[(String, Ticket)]) -> Vec<&str> {
        started.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn records_fly_four_at_once_in_order() {
        let mut queue = Queue::default();
        push_all(&mut queue, (0..6).map(record));
        let first = started(&mut queue);
        assert_eq!(names(&first), ["0", "1", "2", "3"]);
        queue.done(first[2].1);
        assert_eq!(names(&started(&mut queue)), ["4"]);
    }

    #[test]
    fn records_that_another_worker_may_write_go_one_by_one() {
        let mut queue = Queue::new(true);
        push_all(&mut queue, (0..3).map(record));
        let first = started(&mut queue);
        assert_eq!(names(&first), ["0"]);
        queue.done(first[0].1);
        assert_eq!(names(&started(&mut queue)), ["1"]);
    }

    #[test]
    fn index_goes_one_after_another_beside_the_log() {
        let mut queue = Queue::default();
        push_all(&mut queue, [document("a", "a", false), document("b", "b", false), record(0)]);
        let first = started(&mut queue);
        assert_eq!(names(&first), ["a", "0"]);
        queue.done(first[0].1);
        assert_eq!(names(&started(&mut queue)), ["b"]);
    }

    #[test]
    fn barrier_waits_for_both_lanes_and_holds_up_only_its_own() {
        let mut queue = Queue::default();
        push_all(&mut queue, [document("a", "a", false), record(0), document("b", "b", true), record(1), document("c", "c", false)]);
        let first = started(&mut queue);
        assert_eq!(names(&first), ["a", "0", "1"]);
        queue.done(first[0].1);
        assert_eq!(names(&started(&mut queue)), [""; 0]);
        queue.done(first[1].1);
        let barrier = started(&mut queue);
        assert_eq!(names(&barrier), ["b"], "record 1 was submitted after it");
        queue.done(barrier[0].1);
        assert_eq!(names(&started(&mut queue)), ["c"]);
    }

    #[test]
    fn deletes_wait_for_everything_before_and_hold_up_nothing_after() {
        let mut queue = Queue::default();
        push_all(&mut queue, [record(0), Submission::Delete(vec![]), record(1), document("a", "a", false)]);
        let first = started(&mut queue);
        assert_eq!(names(&first), ["0", "1", "a"]);
        queue.done(first[0].1);
        assert_eq!(names(&started(&mut queue)), ["delete"]);
    }

    #[test]
    fn older_state_is_dropped_only_while_it_waits() {
        let mut queue = Queue::default();
        push_all(&mut queue, [document("a", "a1", false)]);
        let first = started(&mut queue);
        push_all(&mut queue, [document("a", "a2", false), document("b", "b1", false), document("a", "a3", false)]);
        assert_eq!(queue.superseded(), 1);
        queue.done(first[0].1);
        let second = started(&mut queue);
        assert_eq!(names(&second), ["b1"], "a2 was dropped and a3 keeps its own place");
        queue.done(second[0].1);
        assert_eq!(names(&started(&mut queue)), ["a3"]);
    }

    #[test]
    fn state_that_a_barrier_relies_on_is_kept() {
        let mut queue = Queue::default();
        push_all(&mut queue, [record(0), document("head", "h1", true), document("current", "c", true), document("head", "h2", true)]);
        assert_eq!(queue.superseded(), 0);
        // A newer barrier of the same document may take the place of an older one, and of what only that relied on.
        push_all(
            &mut queue,
            [document("list", "l1", false), document("head", "h3", true), document("list", "l2", false), document("head", "h4", true)],
        );
        assert_eq!(queue.superseded(), 3, "h2 and h3, then l1");
        assert_eq!(queue.len(), 5);
    }

    #[test]
    fn bytes_are_counted_and_given_back() {
        let mut queue = Queue::default();
        let limit = 2 * OVERHEAD_BYTES;
        assert!(queue.fits(&document("a", "larger than all", false), 1), "an empty queue takes anything");
        push_all(&mut queue, [record(0)]);
        assert!(!queue.fits(&record(1), limit));
        let first = started(&mut queue);
        assert_eq!(queue.done(first[0].1), Some(Duration::ZERO));
        assert_eq!((queue.bytes(), queue.len()), (0, 0));
    }
}
