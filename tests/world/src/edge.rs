//! An edge: the real manifest function, in a model of the host around it.

use std::{collections::HashMap, sync::Arc};

use tidegate_function::{Answer as Said, Fetched, Input, Job as _, Output, Piece, Request, Waited, World};
use tidegate_manifest::{Job, State};
use tidegate_stream::Key;

use crate::store::{Answer, Ask, Store, Who};

/// One edge.
#[derive(Debug)]
pub struct Edge {
    place: usize,
    /// It answers nobody before this.
    pub down_until: i64,
    state: State,
    kept: HashMap<String, Arc<Vec<u8>>>,
    running: Vec<Running>,
    next: u64,
    /// There is a second bucket.
    pub mirror: bool,
}

/// What a viewer gets.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status; 0 where no connection came about.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// `cache-control`.
    pub keep: String,
}

/// Edges as a viewer knows them; a test of real parts has real ones.
pub trait Edges {
    /// How many there are.
    fn count(&self) -> usize;
    /// A viewer asks one of them.
    fn ask(&mut self, place: usize, now: i64, address: &str) -> u64;
    /// The reply, once it is there.
    fn reply(&mut self, place: usize, id: u64) -> Option<Reply>;
}

impl Edges for [Edge] {
    fn count(&self) -> usize {
        self.len()
    }

    fn ask(&mut self, place: usize, now: i64, address: &str) -> u64 {
        self[place].ask(now, address)
    }

    fn reply(&mut self, place: usize, id: u64) -> Option<Reply> {
        self[place].reply(id)
    }
}

#[derive(Debug)]
struct Running {
    id: u64,
    request: Request,
    stage: Stage,
    reply: Option<Reply>,
}

#[derive(Debug)]
enum Stage {
    Job(Job),
    /// With whether the second bucket was asked.
    Fetch {
        job: Job,
        key: String,
        range: Option<(u64, u64)>,
        op: u64,
        second: bool,
    },
    Wait {
        key: String,
        until: i64,
        poll_at: i64,
        op: Option<u64>,
    },
    /// With whether the second bucket was asked.
    Send {
        pieces: Vec<Piece>,
        keep: String,
        op: Option<(u64, String, bool)>,
    },
    Done,
}

const POLL_US: i64 = 40_000;
/// Objects an edge keeps.
const KEPT: usize = 512;

impl Edge {
    /// A fresh one.
    #[must_use]
    pub fn new(place: usize) -> Self {
        Self { place, down_until: 0, state: State::new(), kept: HashMap::new(), running: Vec::new(), next: 0, mirror: false }
    }

    /// The process is started anew.
    pub fn restart(&mut self, up_at: i64) {
        self.state = State::new();
        self.kept.clear();
        self.down_until = up_at;
        for running in &mut self.running {
            running.reply = Some(Reply { status: 0, body: Vec::new(), keep: String::new() });
            running.stage = Stage::Done;
        }
    }

    /// A viewer asks.
    pub fn ask(&mut self, now: i64, address: &str) -> u64 {
        self.next += 1;
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let request = Request { method: "GET".into(), path: path.into(), query: query.into(), ..Request::default() };
        let (stage, reply) = if now < self.down_until {
            (Stage::Done, Some(Reply { status: 0, body: Vec::new(), keep: String::new() }))
        } else {
            (Stage::Job(Job::new(request.clone())), None)
        };
        self.running.push(Running { id: self.next, request, stage, reply });
        self.next
    }

    /// The reply, once it is there.
    pub fn reply(&mut self, id: u64) -> Option<Reply> {
        let at = self.running.iter().position(|running| running.id == id && running.reply.is_some())?;
        self.running.swap_remove(at).reply
    }

    /// The viewer has gone.
    pub fn forget(&mut self, id: u64) {
        self.running.retain(|running| running.id != id);
    }

    /// Runs until now. `utc` is its clock.
    pub fn step(&mut self, now: i64, store: &mut Store) {
        let mut running = std::mem::take(&mut self.running);
        for one in &mut running {
            while self.advance(now, store, one) {}
        }
        self.running.extend(running);
    }

    fn get(&self, now: i64, store: &mut Store, key: &str) -> u64 {
        store.send(now, Who::Edge(self.place), Ask::Get(key.to_owned()))
    }

    /// What never changes may come from the second bucket where the first does not answer.
    fn takes_copy(&self, key: &str) -> bool {
        self.mirror && Key::parse(key).is_some_and(|key| key.is_write_once())
    }

    fn get_copy(&self, now: i64, store: &mut Store, key: &str) -> u64 {
        store.send(now, Who::Edge(self.place), Ask::GetCopy(key.to_owned()))
    }

    /// The second edge is on a host that does not know how old things are.
    fn age_ms(&self, now: i64, store: &Store, key: &str) -> Option<u64> {
        store.age_ms(now, key).filter(|_| self.place == 0)
    }

    fn keep(&mut self, key: &str, bytes: &Arc<Vec<u8>>) {
        if Key::parse(key).is_some_and(|key| key.is_write_once()) {
            if self.kept.len() >= KEPT {
                self.kept.clear();
            }
            self.kept.insert(key.to_owned(), Arc::clone(bytes));
        }
    }

    fn advance(&mut self, now: i64, store: &mut Store, one: &mut Running) -> bool {
        let world = World { now_utc_ms: (now / 1000) as u64, random: [0; 32] };
        match std::mem::replace(&mut one.stage, Stage::Done) {
            Stage::Job(mut job) => match job.poll(&mut self.state, &world) {
                Output::Fetch { key, range, .. } => {
                    if let Some(bytes) = self.kept.get(&key) {
                        let got = Fetched::Got { bytes: cut(bytes, range), etag: None, age_ms: self.age_ms(now, store, &key) };
                        job.handle(&mut self.state, &world, Input::Fetched(got));
                        one.stage = Stage::Job(job);
                        return true;
                    }
                    let op = self.get(now, store, &key);
                    one.stage = Stage::Fetch { job, key, range, op, second: false };
                    false
                }
                Output::Store { .. } | Output::Delete { .. } | Output::Load { .. } => {
                    // The manifest function only reads.
                    one.reply = Some(Reply { status: 500, body: Vec::new(), keep: String::new() });
                    false
                }
                Output::Answer(Said::Respond { status, headers, body }) => {
                    let keep =
                        headers.iter().find(|(name, _)| *name == "cache-control").map_or(String::new(), |(_, value)| value.to_string());
                    one.reply = Some(Reply { status, body, keep });
                    false
                }
                Output::Answer(Said::Wait { key, expect_ms, timeout_ms }) => {
                    let until = now + timeout_ms as i64 * 1000;
                    let poll_at = now + (expect_ms as i64 * 1000).min(timeout_ms as i64 * 1000);
                    one.stage = Stage::Wait { key, until, poll_at, op: None };
                    true
                }
                Output::Answer(Said::Send { pieces, headers }) => {
                    let keep =
                        headers.iter().find(|(name, _)| *name == "cache-control").map_or(String::new(), |(_, value)| value.to_string());
                    one.stage = Stage::Send { pieces, keep, op: None };
                    true
                }
            },
            Stage::Fetch { mut job, key, range, op, second } => {
                let Some(answer) = store.answer(now, op) else {
                    one.stage = Stage::Fetch { job, key, range, op, second };
                    return false;
                };
                if matches!(answer, Answer::Failed) && self.takes_copy(&key) && !second {
                    let op = self.get_copy(now, store, &key);
                    one.stage = Stage::Fetch { job, key, range, op, second: true };
                    return false;
                }
                // What the second lacks may be in the first.
                let answer = if second && matches!(answer, Answer::Missing) { Answer::Failed } else { answer };
                let fetched = match answer {
                    Answer::Object(bytes, _) => {
                        self.keep(&key, &bytes);
                        Fetched::Got { bytes: cut(&bytes, range), etag: None, age_ms: self.age_ms(now, store, &key) }
                    }
                    Answer::Missing => Fetched::Missing,
                    _ => Fetched::Failed,
                };
                job.handle(&mut self.state, &world, Input::Fetched(fetched));
                one.stage = Stage::Job(job);
                true
            }
            Stage::Wait { key, until, mut poll_at, mut op } => {
                let mut there = self.kept.contains_key(&key);
                if let Some(id) = op {
                    match store.answer(now, id) {
                        None => {}
                        Some(answer) => {
                            op = None;
                            poll_at = now + POLL_US;
                            if let Answer::Object(bytes, _) = answer {
                                self.keep(&key, &bytes);
                                there = true;
                            }
                        }
                    }
                } else if now >= poll_at && !there {
                    op = Some(self.get(now, store, &key));
                }
                if there || now >= until {
                    one.request.waited = Some(if there { Waited::There } else { Waited::Timeout });
                    one.stage = Stage::Job(Job::new(one.request.clone()));
                    return true;
                }
                one.stage = Stage::Wait { key, until, poll_at, op };
                false
            }
            Stage::Send { pieces, keep, op } => {
                if let Some((id, key, second)) = op {
                    match store.answer(now, id) {
                        None => {
                            one.stage = Stage::Send { pieces, keep, op: Some((id, key, second)) };
                            return false;
                        }
                        Some(Answer::Object(bytes, _)) => self.keep(&key, &bytes),
                        Some(Answer::Failed) if self.takes_copy(&key) && !second => {
                            let id = self.get_copy(now, store, &key);
                            one.stage = Stage::Send { pieces, keep, op: Some((id, key, true)) };
                            return false;
                        }
                        Some(Answer::Missing) if !second => {
                            one.reply = Some(Reply { status: 404, body: Vec::new(), keep: String::new() });
                            return false;
                        }
                        Some(_) => {
                            one.reply = Some(Reply { status: 503, body: Vec::new(), keep: String::new() });
                            return false;
                        }
                    }
                }
                if let Some(missing) = pieces.iter().find(|piece| !self.kept.contains_key(&piece.key)) {
                    let key = missing.key.clone();
                    let id = self.get(now, store, &key);
                    one.stage = Stage::Send { pieces, keep, op: Some((id, key, false)) };
                    return true;
                }
                let body: Vec<u8> = pieces
                    .iter()
                    .flat_map(|piece| self.kept.get(&piece.key).map(|bytes| cut(bytes, piece.range)).unwrap_or_default())
                    .collect();
                // An object that somebody has cut off has no such range.
                let expected: Option<u64> = pieces.iter().map(|piece| piece.range.map(|(first, last)| last - first + 1)).sum();
                let whole = expected.is_none_or(|expected| expected == body.len() as u64);
                one.reply = Some(if whole { Reply { status: 200, body, keep } } else { Reply { status: 502, body: Vec::new(), keep } });
                false
            }
            Stage::Done => false,
        }
    }
}

fn cut(bytes: &[u8], range: Option<(u64, u64)>) -> Vec<u8> {
    let (first, last) = range.unwrap_or((0, u64::MAX));
    let end = (last.saturating_add(1)).min(bytes.len() as u64) as usize;
    bytes[(first as usize).min(end)..end].to_vec()
}
