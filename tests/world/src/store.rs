//! A bucket behind a network: requests take their time, get lost, and are answered or not.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tidegate_stream::{Key, Record, RecordBody, RecordNumber, SessionId, StreamId};

use crate::random::Random;

/// Who asks: what a fault of the network strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// A worker by its place.
    Worker(usize),
    /// An edge by its place.
    Edge(usize),
}

/// A request.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Read.
    Get(String),
    /// Write.
    Put(String, Arc<Vec<u8>>, Only),
    /// Remove.
    Delete(Vec<String>),
    /// Write into the second bucket.
    Copy(String, Arc<Vec<u8>>),
    /// Read from the second bucket.
    GetCopy(String),
}

/// The condition of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Only {
    /// Nothing is there.
    Absent,
    /// This state is there.
    Match(u64),
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What was read, with its state.
    Object(Arc<Vec<u8>>, u64),
    /// Nothing there.
    Missing,
    /// It was done.
    Done(u64),
    /// The condition does not hold.
    Refused,
    /// Nothing came back.
    Failed,
}

/// What can go wrong in a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The store answers nobody.
    Away,
    /// The second bucket answers nobody.
    MirrorAway,
    /// The store answers this one not.
    Cut(Who),
    /// So many requests of a hundred get 503.
    Busy(i64),
    /// So many of a hundred are done and not answered.
    Deaf(i64),
    /// Every way takes this much longer, in us.
    Slow(i64),
    /// A write takes about half as much longer as this, and at the most this, in us.
    SlowPuts(i64),
}

/// A record that was written.
#[derive(Debug)]
pub struct Written {
    /// When.
    pub at: i64,
    /// Of which session.
    pub session: String,
    /// Its number.
    pub number: RecordNumber,
    /// By whom.
    pub who: Who,
    /// All of it.
    pub bytes: Arc<Vec<u8>>,
}

/// The bucket and the network before it.
#[derive(Debug)]
pub struct Store {
    /// The second bucket.
    copies: BTreeMap<String, Arc<Vec<u8>>>,
    objects: BTreeMap<String, (Arc<Vec<u8>>, u64)>,
    /// When each was written.
    times: HashMap<String, i64>,
    faults: Vec<(i64, i64, Fault)>,
    random: Random,
    ops: Vec<(i64, u64, Who, Ask, Option<i64>)>,
    answers: HashMap<u64, (i64, Answer)>,
    next: u64,
    /// Every record that was ever written, in the order of writing.
    pub written: Vec<Written>,
    /// Requests of workers: reads and writes.
    pub gets: u64,
    /// …
    pub puts: u64,
    /// What broke a rule.
    pub broken: Option<String>,
    /// Keys that somebody has altered or removed by hand.
    pub tampered: Vec<String>,
    /// Somebody has altered or removed a record: from its segment on who had read it knows another log than who comes later, and where it
    /// was the newest another worker may write it once more, with other bytes.
    pub rewritten: Option<u64>,
}

/// The second bucket is further away.
const COPY_US: i64 = 20_000;
/// After this a request that is not answered counts as failed.
const TIMEOUT_US: i64 = 1_000_000;

impl Store {
    /// Empty, with this chance.
    #[must_use]
    pub fn new(seed: u64, faults: Vec<(i64, i64, Fault)>) -> Self {
        Self {
            copies: BTreeMap::new(),
            objects: BTreeMap::new(),
            times: HashMap::new(),
            faults,
            random: Random::new(seed),
            ops: Vec::new(),
            answers: HashMap::new(),
            next: 0,
            written: Vec::new(),
            gets: 0,
            puts: 0,
            broken: None,
            tampered: Vec::new(),
            rewritten: None,
        }
    }

    /// Sends a request; the answer is at [`Self::answer`].
    pub fn send(&mut self, now: i64, who: Who, ask: Ask) -> u64 {
        self.next += 1;
        let id = self.next;
        if matches!(who, Who::Worker(_)) {
            match ask {
                Ask::Get(_) => self.gets += 1,
                Ask::Put(..) => self.puts += 1,
                Ask::Delete(_) | Ask::Copy(..) | Ask::GetCopy(_) => {}
            }
        }
        // What is wrong with the first bucket is not wrong with the second.
        let is_copy = matches!(ask, Ask::Copy(..) | Ask::GetCopy(_));
        let mut way_us = if is_copy { COPY_US } else { self.random.within(1_000, 6_000) };
        let mut answered = true;
        for index in 0..self.faults.len() {
            let (from, to, fault) = self.faults[index];
            if !(from..to).contains(&now) || is_copy != (fault == Fault::MirrorAway) {
                continue;
            }
            match fault {
                Fault::Away | Fault::MirrorAway => {
                    self.answers.insert(id, (now + TIMEOUT_US, Answer::Failed));
                    return id;
                }
                Fault::Cut(whom) if whom == who => {
                    self.answers.insert(id, (now + TIMEOUT_US, Answer::Failed));
                    return id;
                }
                Fault::Busy(percent) if self.random.percent(percent) => {
                    self.answers.insert(id, (now + 2 * way_us, Answer::Failed));
                    return id;
                }
                Fault::Deaf(percent) => answered &= !self.random.percent(percent),
                Fault::Slow(us) => way_us += self.random.within(us / 2, us),
                Fault::SlowPuts(us) if matches!(ask, Ask::Put(..)) => way_us += self.random.within(us / 4, us / 2),
                Fault::Cut(_) | Fault::Busy(_) | Fault::SlowPuts(_) => {}
            }
        }
        let back = answered.then_some(way_us);
        self.ops.push((now + way_us, id, who, ask, back));
        id
    }

    /// Does what has arrived.
    pub fn step(&mut self, now: i64) {
        self.ops.sort_by_key(|(at, id, ..)| (*at, *id));
        while self.ops.first().is_some_and(|(at, ..)| *at <= now) {
            let (at, id, who, ask, back) = self.ops.remove(0);
            let answer = self.apply(at, who, ask);
            let answer = match back {
                Some(way_us) => (at + way_us, answer),
                None => (at + TIMEOUT_US, Answer::Failed),
            };
            self.answers.insert(id, answer);
        }
    }

    /// The answer, once it is back.
    pub fn answer(&mut self, now: i64, id: u64) -> Option<Answer> {
        if self.answers.get(&id)?.0 > now {
            return None;
        }
        self.answers.remove(&id).map(|(_, answer)| answer)
    }

    fn apply(&mut self, at: i64, who: Who, ask: Ask) -> Answer {
        match ask {
            Ask::Get(key) => match self.objects.get(&key) {
                Some((bytes, etag)) => Answer::Object(Arc::clone(bytes), *etag),
                None => Answer::Missing,
            },
            Ask::Put(key, bytes, only) => {
                let there = self.objects.get(&key).map(|(_, etag)| *etag);
                let holds = match only {
                    Only::Absent => there.is_none(),
                    Only::Match(etag) => there == Some(etag),
                };
                if !holds {
                    self.not_for_two(who, &key, &bytes);
                    return Answer::Refused;
                }
                match Key::parse(&key) {
                    Some(Key::Record { session, number, .. }) => {
                        let again = self.written.iter().any(|known| known.session == session.to_string() && known.number == number);
                        if again && !self.tampered.contains(&key) {
                            self.broken = Some(format!("record {number} has two owners"));
                        }
                        self.written.push(Written { at, session: session.to_string(), number, who, bytes: Arc::clone(&bytes) });
                    }
                    Some(_) => {}
                    None => self.broken = Some(format!("{key} is no key")),
                }
                self.next += 1;
                self.times.insert(key.clone(), at);
                self.objects.insert(key, (bytes, self.next));
                Answer::Done(self.next)
            }
            Ask::Delete(keys) => {
                for key in keys {
                    self.objects.remove(&key);
                }
                Answer::Done(0)
            }
            Ask::Copy(key, bytes) => {
                let is_write_once = Key::parse(&key).is_some_and(|key| key.is_write_once());
                let differs = is_write_once && self.copies.get(&key).is_some_and(|known| *known != bytes);
                // What somebody has removed by hand may be written once more in the first; the second keeps what it has.
                if differs && !self.tampered.contains(&key) {
                    self.broken = Some(format!("{key} has changed in the second bucket"));
                }
                if differs {
                    return Answer::Refused;
                }
                self.copies.insert(key, bytes);
                Answer::Done(0)
            }
            Ask::GetCopy(key) => self.copies.get(&key).map_or(Answer::Missing, |bytes| Answer::Object(Arc::clone(bytes), 0)),
        }
    }

    /// A refused record counts as written where it is there to the byte: only for the one who has written it.
    fn not_for_two(&mut self, who: Who, key: &str, bytes: &Arc<Vec<u8>>) {
        let Some(Key::Record { session, number, .. }) = Key::parse(key) else { return };
        let first = self.written.iter().rev().find(|known| known.number == number && known.session == session.to_string());
        if first.is_some_and(|first| first.who != who && first.bytes == *bytes) {
            self.broken = Some(format!("two workers take record {number} for theirs"));
        }
    }

    /// How long ago an object was written, in ms, as the headers of an answer say it.
    #[must_use]
    pub fn age_ms(&self, now: i64, key: &str) -> Option<u64> {
        self.times.get(key).map(|at| now.saturating_sub(*at).unsigned_abs() / 1000)
    }

    /// Looks past the network.
    #[must_use]
    pub fn look(&self, key: &str) -> Option<&Arc<Vec<u8>>> {
        self.objects.get(key).map(|(bytes, _)| bytes)
    }

    /// The media playlists that play from the bucket alone, with the folders that their addresses are relative to.
    pub fn playlists(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.objects.iter().filter_map(|(key, (bytes, _))| match Key::parse(key)? {
            Key::StaticMedia { .. } => Some((key.rsplit_once('/')?.0, bytes.as_slice())),
            _ => None,
        })
    }

    /// Somebody alters the newest record of a log, or removes it.
    pub fn tamper(&mut self, remove: bool) {
        let Some(Written { session, number, .. }) = self.written.last() else { return };
        let (Ok(stream), Ok(session)) = (StreamId::parse("demo"), SessionId::parse(session)) else { return };
        let key = Key::Record { stream, session, number: *number }.to_string();
        let newest = self.written.iter().rev().find_map(|written| match Record::decode(&written.bytes).ok()?.0.body {
            RecordBody::Part(part) => Some(part.msn.0),
            RecordBody::Leave | RecordBody::End => None,
        });
        // Where it was the first of its segment, it has said where the one before ends.
        let from = newest.unwrap_or(0u64).saturating_sub(1);
        self.rewritten = Some(self.rewritten.map_or(from, |before| before.min(from)));
        if remove {
            self.objects.remove(&key);
        } else if let Some((bytes, etag)) = self.objects.get(&key).cloned() {
            let mut other = bytes.to_vec();
            other.truncate(other.len() / 2);
            self.objects.insert(key.clone(), (Arc::new(other), etag + 1_000_000));
        }
        self.tampered.push(key);
    }

    /// Whether something is wrong at this time.
    #[must_use]
    pub fn is_troubled(&self, now: i64) -> bool {
        self.faults.iter().any(|(from, to, _)| (*from..*to).contains(&now))
    }
}
