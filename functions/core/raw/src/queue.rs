use alloc::{collections::VecDeque, string::String};

/// Rows on their way: gathered to batches, sent one batch after another, and sent again while nobody takes them.
#[derive(Debug, Default)]
pub struct Queue {
    rows: VecDeque<String>,
    bytes: usize,
    /// When the oldest of `rows` came.
    since_ms: u64,
    /// What is under way, or will be again.
    batch: Option<Under>,
    /// Nothing comes any more: nothing is waited for.
    ends: bool,
}

/// Rows that are sent together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// The rows, one a line.
    pub text: String,
    /// How many.
    pub rows: u64,
}

#[derive(Debug)]
struct Under {
    batch: Batch,
    tries: u32,
    due_ms: u64,
}

/// What happens to a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A row to be sent.
    Row(String),
    /// The batch that was sent is taken.
    Taken,
    /// It is not, or nobody says so.
    Refused,
    /// No rows come any more.
    End,
}

/// What a queue wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this, and say what came of it.
    Send(Batch),
    /// Nothing before this moment, unless a row comes.
    Wait(u64),
}

impl Queue {
    /// Takes what happens; returns how many rows are lost by it.
    pub fn handle(&mut self, now_ms: u64, input: Input) -> u64 {
        match input {
            Input::Row(row) => return self.take(now_ms, row),
            Input::Taken => self.batch = None,
            Input::Refused => {
                if let Some(under) = &mut self.batch {
                    under.tries += 1;
                    if under.tries >= TRIES || self.ends {
                        return self.batch.take().map_or(0, |under| under.batch.rows);
                    }
                    under.due_ms = now_ms + (PAUSE_MS << (under.tries - 1)).min(PAUSE_MS_MAX);
                }
            }
            Input::End => {
                self.ends = true;
                if let Some(under) = &mut self.batch {
                    under.due_ms = 0;
                }
            }
        }
        0
    }

    /// What comes next; `None`: nothing before something happens.
    pub fn poll(&mut self, now_ms: u64) -> Option<Output> {
        if self.batch.is_none() {
            let due_ms = if self.ends || self.bytes >= BATCH_BYTES { 0 } else { self.since_ms + GATHER_MS };
            if self.rows.is_empty() {
                return None;
            }
            if due_ms > now_ms {
                return Some(Output::Wait(due_ms));
            }
            self.batch = Some(Under { batch: self.gather(now_ms), tries: 0, due_ms: 0 });
        }
        let under = self.batch.as_ref()?;
        Some(if under.due_ms > now_ms { Output::Wait(under.due_ms) } else { Output::Send(under.batch.clone()) })
    }

    /// How many rows wait, what is under way included.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.rows.len() as u64 + self.batch.as_ref().map_or(0, |under| under.batch.rows)
    }

    /// What does not fit is lost, the newest first: who takes rows has not taken any for long.
    fn take(&mut self, now_ms: u64, row: String) -> u64 {
        if self.bytes + row.len() > WAITING_BYTES {
            return 1;
        }
        if self.rows.is_empty() {
            self.since_ms = now_ms;
        }
        self.bytes += row.len();
        self.rows.push_back(row);
        0
    }

    fn gather(&mut self, now_ms: u64) -> Batch {
        let mut batch = Batch::default();
        while let Some(row) = self.rows.pop_front_if(|row| batch.rows == 0 || batch.text.len() + row.len() <= BATCH_BYTES) {
            self.bytes -= row.len();
            batch.text.push_str(&row);
            batch.rows += 1;
        }
        // What is left came later than what was taken.
        self.since_ms = now_ms;
        batch
    }
}

/// Rows that wait, in bytes: a minute of 500 events a second.
const WAITING_BYTES: usize = 16 << 20;
/// A batch, in bytes: a record of Firehose has at most 1,000 KiB, and ClickHouse likes few and large inserts.
const BATCH_BYTES: usize = 900 << 10;
/// How long rows are gathered.
const GATHER_MS: u64 = 1_000;
/// How often a batch is sent, within a minute and a half. One that is never taken must not stand in the way of all others.
const TRIES: u32 = 8;
/// After the first try; it doubles.
const PAUSE_MS: u64 = 500;
const PAUSE_MS_MAX: u64 = 30_000;

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    fn sent(queue: &mut Queue, now_ms: u64) -> Batch {
        match queue.poll(now_ms) {
            Some(Output::Send(batch)) => batch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_gathered_for_a_second_and_sent_together() {
        let mut queue = Queue::default();
        assert_eq!(queue.poll(0), None);
        queue.handle(10, Input::Row("a\n".into()));
        queue.handle(500, Input::Row("b\n".into()));
        assert_eq!(queue.poll(500), Some(Output::Wait(1_010)));
        assert_eq!(sent(&mut queue, 1_010), Batch { text: "a\nb\n".into(), rows: 2 });
        queue.handle(1_020, Input::Row("c\n".into()));
        assert_eq!(sent(&mut queue, 1_020).rows, 2, "one batch at a time");
        assert_eq!(queue.handle(1_030, Input::Taken), 0);
        assert_eq!(queue.poll(1_030), Some(Output::Wait(2_020)));
        queue.handle(1_040, Input::End);
        assert_eq!(sent(&mut queue, 1_040).text, "c\n", "at the end nothing is gathered");
        queue.handle(1_050, Input::Taken);
        assert_eq!((queue.poll(1_050), queue.waiting()), (None, 0));
    }

    #[test]
    fn who_does_not_take_rows_is_asked_again_later_and_later_and_not_for_ever() {
        let mut queue = Queue::default();
        queue.handle(0, Input::Row("a\n".into()));
        queue.handle(0, Input::Row("b\n".into()));
        let mut now_ms = 1_000;
        let (mut pauses, mut lost) = (Vec::new(), 0);
        while queue.waiting() > 0 {
            assert_eq!(sent(&mut queue, now_ms).rows, 2);
            lost += queue.handle(now_ms, Input::Refused);
            let Some(Output::Wait(until_ms)) = queue.poll(now_ms) else { break };
            pauses.push(until_ms - now_ms);
            now_ms = until_ms;
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
        assert_eq!((lost, queue.poll(now_ms)), (2, None));
    }

    #[test]
    fn at_the_end_a_batch_has_one_more_try() {
        let mut queue = Queue::default();
        queue.handle(0, Input::Row("a\n".into()));
        sent(&mut queue, 1_000);
        queue.handle(1_000, Input::Refused);
        assert_eq!(queue.poll(1_001), Some(Output::Wait(1_500)));
        queue.handle(1_001, Input::End);
        sent(&mut queue, 1_001);
        assert_eq!(queue.handle(1_002, Input::Refused), 1);
        assert_eq!(queue.poll(1_002), None);
    }

    #[test]
    fn what_waits_has_a_bound_and_what_is_beyond_is_counted() {
        let mut queue = Queue::default();
        let row = "x".repeat(4_000);
        let lost: u64 = (0..10_000).map(|_| queue.handle(0, Input::Row(row.clone()))).sum();
        assert!(queue.bytes <= WAITING_BYTES);
        assert_eq!(lost, 10_000 - WAITING_BYTES as u64 / 4_000);
        assert_eq!(sent(&mut queue, 0).rows, BATCH_BYTES as u64 / 4_000, "a full batch does not wait for the second");
    }

    proptest! {
        #[test]
        fn every_row_is_taken_in_order_or_lost(steps in proptest::collection::vec((0u64..3_000, 0u8..4), 0..200)) {
            let (mut queue, mut now_ms, mut came, mut lost, mut next) = (Queue::default(), 0, 0u64, 0u64, 0u64);
            for (later_ms, step) in steps {
                now_ms += later_ms;
                if step < 2 {
                    queue.handle(now_ms, Input::Row(format!("{came}\n")));
                    came += 1;
                }
                if let Some(Output::Send(batch)) = queue.poll(now_ms) {
                    if step == 3 {
                        let gone = queue.handle(now_ms, Input::Refused);
                        (lost, next) = (lost + gone, next + gone);
                    } else {
                        for row in batch.text.lines() {
                            prop_assert_eq!(row.parse::<u64>().unwrap(), next);
                            next += 1;
                        }
                        queue.handle(now_ms, Input::Taken);
                    }
                }
            }
            prop_assert_eq!(next + queue.waiting(), came);
        }
    }
}
