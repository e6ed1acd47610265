//! A worker: the real twin machine, in a model of the shell around it.

use std::{collections::VecDeque, sync::Arc};

use tidegate_packager::{
    Condition, Config, Found, Input, Lane, Output, Put, RenditionConfig, Role, Twin, TwinConfig, TwinInput, TwinOutput,
};
use tidegate_stream::{Key, RecordNumber, RenditionId, RenditionKind, SessionId, Snapshot, StreamId, WriterId};

use crate::{
    source::Feed,
    store::{Answer, Ask, Only, Store, Who},
};

/// One worker and what it has on its way.
#[derive(Debug)]
pub struct Worker {
    /// Its place.
    pub place: usize,
    /// Its decisions; `None` while it is dead.
    pub twin: Option<Twin>,
    /// The connections of encoders, the newest last.
    pub feeds: VecDeque<Feed>,
    /// Its clock is wrong by this.
    pub skew_us: i64,
    /// It does not run before this.
    pub paused_until: i64,
    /// When its process was started.
    pub started_us: i64,
    /// The name of its rung; none where there are no pictures.
    pub rung: Option<&'static str>,
    /// The second bucket, if there is one, has what it has written.
    pub mirror: bool,
    /// What it said.
    pub said: Vec<(i64, String)>,
    writer: Writer,
    /// What the first bucket has confirmed and the second lacks.
    copies: VecDeque<(Key, Arc<Vec<u8>>)>,
    copying: Option<u64>,
    read: Option<(u64, Key)>,
    current: Only,
    /// In which state `current` was when it became the owner.
    claim: Only,
    tick_at: i64,
}

#[derive(Debug, Default)]
struct Writer {
    queue: VecDeque<Item>,
    next: u64,
    record_at: i64,
    /// The newest record that has become durable, where the machine is not told yet.
    durable: Option<RecordNumber>,
}

#[derive(Debug)]
struct Item {
    id: u64,
    what: What,
    flies: Option<Flight>,
    again_at: i64,
    tries: u32,
}

#[derive(Debug, Clone)]
enum What {
    Put(Key, Arc<Vec<u8>>, Condition, Lane, bool),
    Delete(Vec<String>),
}

#[derive(Debug, Clone, Copy)]
enum Flight {
    Put(u64),
    /// It was refused: what is there?
    Look(u64),
    /// Before it: has the log gone on?
    Head(u64),
}

/// Parts of 0.5 s in segments of 2 s; the source and one rung, if there are pictures, and sound.
#[must_use]
pub fn config(place: usize, started_us: i64, rung: Option<&str>) -> TwinConfig {
    let rendition = |id: &str, kind| RenditionConfig { id: RenditionId::parse(id).expect("an id"), kind, bandwidth_bps: 500_000 };
    let pictures = rung.map(|rung| [rendition("source", RenditionKind::Video), rendition(rung, RenditionKind::Video)]);
    let renditions = pictures.into_iter().flatten().chain([rendition("audio", RenditionKind::Audio)]).collect();
    let stream = StreamId::parse("demo").expect("an id");
    let session = SessionId::new((started_us / 1000) as u64, place as u64);
    let mut packager = Config::new(stream, session, renditions);
    packager.writer = WriterId((started_us as u64) << 4 | place as u64);
    TwinConfig { packager, reconnect_us: 60_000_000 }
}

/// Between two looks at the time where nothing happens.
const TICK_US: i64 = 20_000;
/// After it a record is written only when the head says that the log has not gone on (as in the real writer).
const FENCE_US: i64 = 20_000_000;
/// How long it waits for another worker when it leaves.
pub const LEAVE_US: i64 = 3_000_000;

impl Worker {
    /// A process that has just started.
    #[must_use]
    pub fn new(place: usize, now: i64, skew_us: i64, rung: Option<&'static str>, feed: Feed) -> Self {
        Self {
            place,
            rung,
            mirror: false,
            copies: VecDeque::new(),
            copying: None,
            twin: Some(Twin::new(config(place, now, rung))),
            feeds: VecDeque::from([feed]),
            skew_us,
            paused_until: 0,
            started_us: now,
            said: Vec::new(),
            writer: Writer::default(),
            read: None,
            current: Only::Absent,
            claim: Only::Absent,
            tick_at: 0,
        }
    }

    /// Dies at once; what it has sent may still arrive.
    pub fn kill(&mut self) {
        self.twin = None;
        self.feeds.clear();
        self.writer = Writer::default();
        self.read = None;
        self.copies.clear();
        self.copying = None;
    }

    /// Starts again.
    pub fn start(&mut self, now: i64, feed: Feed) {
        let (place, skew_us, rung, mirror, said) = (self.place, self.skew_us, self.rung, self.mirror, std::mem::take(&mut self.said));
        *self = Self { mirror, said, ..Self::new(place, now, skew_us, rung, feed) };
    }

    /// The encoder connects again.
    pub fn reconnect(&mut self, feed: Feed) {
        self.feeds.push_back(feed);
    }

    /// Goes in order.
    pub fn leave(&mut self, now: i64, store: &mut Store) {
        self.handle(now, store, TwinInput::Leave { wait_us: LEAVE_US, ends: false });
    }

    /// Whether it writes.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.twin.as_ref().is_some_and(|twin| twin.role() == Role::Owner)
    }

    /// Runs until now.
    pub fn step(&mut self, now: i64, store: &mut Store) {
        if self.twin.is_none() || now < self.paused_until {
            return;
        }
        let mut inputs = Vec::new();
        while let Some(feed) = self.feeds.front_mut() {
            let was_slate = feed.is_slate;
            inputs.extend(feed.until(now).into_iter().map(TwinInput::Source));
            let Some(next) = self.feeds.get(1).filter(|next| now >= next.from_us) else { break };
            let is_slate = next.is_slate;
            self.feeds.pop_front();
            if is_slate {
                // It begins when the connection is lost, …
                inputs.extend([TwinInput::Source(Input::Discontinuity), TwinInput::Slate(true)]);
            } else {
                // … and ends before the one that takes its place.
                inputs.extend(was_slate.then_some(TwinInput::Slate(false)));
                inputs.push(TwinInput::Source(Input::Discontinuity));
                inputs.extend(was_slate.then_some(TwinInput::Source(Input::Forget { rendition: 1 })));
            }
        }
        for input in inputs {
            self.handle(now, store, input);
        }
        if let Some((id, key)) = self.read.clone()
            && let Some(answer) = store.answer(now, id)
        {
            self.read = None;
            let found = match answer {
                Answer::Object(bytes, etag) => {
                    if matches!(key, Key::Current { .. }) {
                        self.current = Only::Match(etag);
                    }
                    Found::Object { bytes: bytes.to_vec(), age_us: store.age_ms(now, &key.to_string()).map(|age_ms| age_ms as i64 * 1000) }
                }
                Answer::Missing => {
                    if matches!(key, Key::Current { .. }) {
                        self.current = Only::Absent;
                    }
                    Found::Missing
                }
                _ => Found::Failed,
            };
            self.handle(now, store, TwinInput::Read { key, found });
        }
        let lost = self.write(now, store);
        self.copy(now, store);
        if let Some(number) = self.writer.durable.take() {
            self.handle(now, store, TwinInput::Durable(number));
        }
        if let Some(lost) = lost {
            self.writer = Writer { record_at: now, ..Writer::default() };
            self.said.push((now, format!("lost {lost}")));
            self.handle(now, store, TwinInput::Lost(lost));
        }
        if now >= self.tick_at {
            self.tick_at = now + TICK_US;
            self.handle(now, store, TwinInput::Source(Input::Tick));
        }
    }

    fn handle(&mut self, now: i64, store: &mut Store, input: TwinInput) {
        let Some(twin) = &mut self.twin else { return };
        twin.handle(now + self.skew_us, input);
        let mut over = false;
        while let Some(output) = twin.poll() {
            match output {
                TwinOutput::Do(Output::Put(put)) => self.writer.push(put),
                TwinOutput::Do(Output::Delete(keys)) => {
                    self.writer.add(What::Delete(keys.iter().map(ToString::to_string).collect()));
                }
                TwinOutput::Do(Output::Event(_)) => {}
                TwinOutput::Read(key) => {
                    let id = store.send(now, Who::Worker(self.place), Ask::Get(key.to_string()));
                    self.read = Some((id, key));
                }
                TwinOutput::Role(role) => {
                    self.said.push((now, format!("{role:?}")));
                    if role != Role::Owner {
                        self.writer = Writer::default();
                    }
                    self.writer.record_at = now;
                    self.claim = self.current;
                }
                TwinOutput::Over => over = true,
                said @ (TwinOutput::Damaged(_) | TwinOutput::Foreign(_)) => self.said.push((now, format!("{said:?}"))),
            }
        }
        if over {
            self.said.push((now, "Over".into()));
            // What it has given out is still written.
            self.feeds.clear();
        }
    }

    /// Whether it has done its part, and all of it is durable.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.feeds.is_empty() && self.writer.queue.is_empty()
    }

    /// Copies one object after another to the second bucket; what it does not take is tried again.
    fn copy(&mut self, now: i64, store: &mut Store) {
        if let Some(id) = self.copying {
            match store.answer(now, id) {
                None => return,
                Some(Answer::Failed) => {}
                Some(_) => drop(self.copies.pop_front()),
            }
            self.copying = None;
        }
        if let Some((key, bytes)) = self.copies.front() {
            self.copying = Some(store.send(now, Who::Worker(self.place), Ask::Copy(key.to_string(), Arc::clone(bytes))));
        }
    }

    /// Moves what is to be written; says what somebody else has written first.
    fn write(&mut self, now: i64, store: &mut Store) -> Option<Key> {
        let who = Who::Worker(self.place);
        let mut done = Vec::new();
        for item in &mut self.writer.queue {
            let Some(flight) = item.flies else { continue };
            let (Flight::Put(id) | Flight::Look(id) | Flight::Head(id)) = flight;
            let Some(answer) = store.answer(now, id) else { continue };
            let What::Put(key, bytes, condition, ..) = &item.what else {
                done.push(item.id);
                continue;
            };
            let again = |item_again: &mut i64, tries: &mut u32| {
                *tries += 1;
                *item_again = now + (25_000i64 << (*tries).min(5));
            };
            item.flies = None;
            match (flight, answer) {
                (_, Answer::Failed) => again(&mut item.again_at, &mut item.tries),
                (Flight::Put(_), Answer::Refused) => {
                    item.flies = Some(Flight::Look(store.send(now, who, Ask::Get(key.to_string()))));
                }
                (Flight::Put(_), _) => {
                    if let Key::Record { number, .. } = key {
                        self.writer.record_at = now;
                        self.writer.durable = Some(*number);
                    }
                    if self.mirror {
                        self.copies.push_back((key.clone(), Arc::clone(bytes)));
                    }
                    done.push(item.id);
                }
                (Flight::Look(_), Answer::Object(there, etag)) => {
                    if there == *bytes {
                        if let Key::Record { number, .. } = key {
                            self.writer.durable = Some(*number);
                        }
                        if self.mirror {
                            self.copies.push_back((key.clone(), Arc::clone(bytes)));
                        }
                        done.push(item.id);
                    } else {
                        match condition {
                            Condition::Absent if matches!(key, Key::Segment { .. } | Key::Chapter { .. }) => done.push(item.id),
                            Condition::Absent | Condition::Claim => return Some(key.clone()),
                            Condition::Replace if is_older(key, bytes, &there) => done.push(item.id),
                            Condition::Replace => {
                                let ask = Ask::Put(key.to_string(), Arc::clone(bytes), Only::Match(etag));
                                item.flies = Some(Flight::Put(store.send(now, who, ask)));
                            }
                        }
                    }
                }
                (Flight::Head(_), Answer::Object(there, _)) => {
                    let next = Snapshot::decode(&there).ok().map(|snapshot| snapshot.next_record());
                    if let Key::Record { number, .. } = key
                        && next.is_some_and(|next| next > *number)
                    {
                        return Some(key.clone());
                    }
                    item.flies = Some(Flight::Put(store.send(now, who, Ask::Put(key.to_string(), Arc::clone(bytes), Only::Absent))));
                }
                (Flight::Look(_) | Flight::Head(_), _) => again(&mut item.again_at, &mut item.tries),
            }
        }
        self.writer.queue.retain(|item| !done.contains(&item.id));
        while let Some(at) = self.writer.startable(now) {
            let record_at = self.writer.record_at;
            let Some(item) = self.writer.queue.get_mut(at) else { break };
            item.flies = Some(match &item.what {
                What::Delete(keys) => Flight::Put(store.send(now, who, Ask::Delete(keys.clone()))),
                What::Put(Key::Record { stream, session, .. }, ..) if now - record_at > FENCE_US => {
                    let head = Key::Head { stream: stream.clone(), session: session.clone() };
                    Flight::Head(store.send(now, who, Ask::Get(head.to_string())))
                }
                What::Put(key, bytes, condition, ..) => {
                    let only = if *condition == Condition::Claim { self.claim } else { Only::Absent };
                    Flight::Put(store.send(now, who, Ask::Put(key.to_string(), Arc::clone(bytes), only)))
                }
            });
        }
        None
    }
}

impl Writer {
    fn push(&mut self, put: Put) {
        self.add(What::Put(put.key, Arc::new(put.bytes), put.condition, put.lane, put.barrier));
    }

    fn add(&mut self, what: What) {
        self.next += 1;
        self.queue.push_back(Item { id: self.next, what, flies: None, again_at: 0, tries: 0 });
    }

    /// One of each lane at a time; a barrier when nothing is before it.
    fn startable(&self, now: i64) -> Option<usize> {
        let lane = |item: &Item| match &item.what {
            What::Put(_, _, _, lane, _) => Some(*lane),
            What::Delete(_) => None,
        };
        let mut begun: Vec<Option<Lane>> = Vec::new();
        for (at, item) in self.queue.iter().enumerate() {
            let of = lane(item);
            if begun.contains(&of) {
                continue;
            }
            begun.push(of);
            let barrier = matches!(item.what, What::Put(_, _, _, _, true) | What::Delete(_));
            if item.flies.is_none() && now >= item.again_at && (!barrier || at == 0) {
                return Some(at);
            }
        }
        None
    }
}

fn is_older(key: &Key, ours: &[u8], theirs: &[u8]) -> bool {
    let reach = |bytes: &[u8]| match key {
        Key::Head { .. } => Snapshot::decode(bytes).ok().map(|snapshot| snapshot.next_record().0),
        _ => None,
    };
    reach(ours).zip(reach(theirs)).is_some_and(|(ours, theirs)| ours < theirs)
}
