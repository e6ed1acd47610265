use alloc::{
    boxed::Box,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_function::{Condition, Fetched, Stored, World};
use tidegate_stream::{Json, Key, KeyHash, Ledger, MetaKey, format_utc};

/// Sends what happened to webhooks: each event at least once to each, over and over until it is taken or given up.
///
/// It works in rounds. A round takes or keeps the lease, hands new events out, writes down what has to be sent *before* it is sent, sends
/// what is due, and writes down what came of it. All it knows lies in one object, so that another sender goes on wherever this one was
/// killed; at worst it sends again what was taken just before. While its lease holds nobody else writes that object, and it need not be
/// read again: a round in which nothing has happened is one GET.
#[derive(Debug)]
pub struct Sender {
    name: String,
    schedule: Schedule,
    start: Option<World>,
    past: Vec<Came>,
    next: Option<Act>,
    held: Option<Held>,
}

/// What a sender that has the lease knows without reading it again.
#[derive(Clone, Debug)]
struct Held {
    progress: Progress,
    condition: Condition,
}

/// When a delivery that failed is tried again.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The pause after each try, in ms; after the last try the delivery is given up.
    pub pauses_ms: Vec<u64>,
}

impl Default for Schedule {
    /// Eight tries in 10 hours.
    fn default() -> Self {
        Self { pauses_ms: [5, 30, 120, 600, 3600, 10_800, 21_600].map(|seconds| seconds * 1000).to_vec() }
    }
}

/// What the sender wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Read this object, past every cache.
    Fetch {
        /// The object.
        key: Key,
    },
    /// Write this object.
    Store {
        /// The object.
        key: Key,
        /// Its bytes.
        body: Vec<u8>,
        /// What has to hold.
        condition: Condition,
    },
    /// POST all of these, at the same time, each within [`POST_TIME_MS`].
    Post(Vec<Delivery>),
    /// Nothing, for so long.
    Rest {
        /// In ms.
        ms: u64,
    },
}

/// One request to a webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Where to.
    pub url: String,
    /// The event's id, for logs.
    pub event: String,
    /// With what.
    pub headers: Vec<(&'static str, String)>,
    /// The event.
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Came {
    /// Of [`Act::Fetch`].
    Fetched(Fetched),
    /// Of [`Act::Store`].
    Stored(Stored),
    /// Of [`Act::Post`].
    Posted {
        /// The clock after it.
        now_utc_ms: u64,
        /// For each delivery the status, where there was an answer.
        statuses: Vec<Option<u16>>,
    },
    /// Of [`Act::Rest`].
    Rested,
}

/// How long a webhook may take to answer, in ms.
pub const POST_TIME_MS: u64 = 10_000;
/// A lease lasts this long, in ms, from its last renewal: longer than a round with slow webhooks.
const LEASE_MS: u64 = 30_000;
/// How often the next event is looked for, in ms: 1,800 GETs an hour, however many streams there are.
const LOOK_MS: u64 = 2000;
/// A pause where the store does not answer, in ms.
const STORE_PAUSE_MS: u64 = 2000;
/// Events that one round hands out.
const EVENTS_A_ROUND: usize = 32;
/// Deliveries that one round sends.
const DELIVERIES_A_ROUND: usize = 16;
/// Deliveries to one webhook that have failed and wait; one that is gone must not hold up others.
const WAITING_EACH: usize = 64;
/// Tries to find the end of what was given up.
const UNDELIVERED_TRIES: usize = 64;

/// A delivery that has to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Waiting {
    event: u64,
    webhook: String,
    tries: usize,
    due_utc_ms: u64,
}

/// `meta/sender.json`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Progress {
    holder: String,
    until_utc_ms: u64,
    /// The first event that has not been handed out.
    next: u64,
    waiting: Vec<Waiting>,
    /// Where the ledger of what was given up ends, at least.
    undelivered: u64,
}

enum Stop {
    Need(Box<Act>),
    /// The round is over.
    Rest(u64),
}

type Go<T> = Result<T, Stop>;

impl Sender {
    /// Makes a sender with a name that no other has.
    #[must_use]
    pub fn new(name: String, schedule: Schedule) -> Self {
        Self { name, schedule, start: None, past: Vec::new(), next: None, held: None }
    }

    /// Says what comes next; until [`Self::handle`] is called it says the same.
    pub fn poll(&mut self, world: &World) -> Act {
        if let Some(next) = &self.next {
            return next.clone();
        }
        let world = self.start.get_or_insert_with(|| world.clone());
        let mut round = Round { name: &self.name, schedule: &self.schedule, world, past: &self.past, at: 0 };
        let next = match round.run(self.held.as_ref()) {
            Ok((ms, held)) => {
                self.held = held;
                Act::Rest { ms }
            }
            Err(Stop::Rest(ms)) => {
                self.held = None;
                Act::Rest { ms }
            }
            Err(Stop::Need(act)) => *act,
        };
        self.next = Some(next.clone());
        next
    }

    /// Takes what came of the act of [`Self::poll`].
    pub fn handle(&mut self, came: Came) {
        match self.next.take() {
            Some(Act::Rest { .. }) => {
                self.past.clear();
                self.start = None;
            }
            Some(_) => self.past.push(came),
            None => {}
        }
    }
}

/// One run of a round over what has come of its acts so far, as requests are run.
struct Round<'a> {
    name: &'a str,
    schedule: &'a Schedule,
    world: &'a World,
    past: &'a [Came],
    at: usize,
}

impl<'a> Round<'a> {
    fn step(&mut self, act: impl FnOnce() -> Act) -> Go<&'a Came> {
        let Some(came) = self.past.get(self.at) else { return Err(Stop::Need(Box::new(act()))) };
        self.at += 1;
        Ok(came)
    }

    fn fetch(&mut self, key: impl Into<Key>) -> Go<Option<(&'a [u8], Condition)>> {
        match self.step(|| Act::Fetch { key: key.into() })? {
            Came::Fetched(Fetched::Got { bytes, etag: Some(etag), .. }) => Ok(Some((bytes, Condition::Match(etag.clone())))),
            Came::Fetched(Fetched::Missing) => Ok(None),
            _ => Err(Stop::Rest(STORE_PAUSE_MS)),
        }
    }

    /// Writes; the condition for the next write over it, or `None` where somebody else wrote.
    fn store(&mut self, key: impl Into<Key>, body: Vec<u8>, condition: Condition) -> Go<Option<Condition>> {
        match self.step(|| Act::Store { key: key.into(), body, condition })? {
            Came::Stored(Stored::Done { etag }) => Ok(Some(etag.clone().map_or(Condition::None, Condition::Match))),
            Came::Stored(Stored::Conflict) => Ok(None),
            _ => Err(Stop::Rest(STORE_PAUSE_MS)),
        }
    }

    fn keep(&mut self, progress: &Progress, condition: Condition) -> Go<Condition> {
        // Without its ETag an object could not be kept from another sender.
        match self.store(MetaKey::Sender, progress.to_bytes(), condition)? {
            Some(Condition::None) | None => Err(Stop::Rest(LOOK_MS)),
            Some(condition) => Ok(condition),
        }
    }

    /// How long to rest, and what is known from here on.
    fn run(&mut self, held: Option<&Held>) -> Go<(u64, Option<Held>)> {
        let now = self.world.now_utc_ms;
        let held = held.filter(|held| held.progress.until_utc_ms >= now + LEASE_MS / 2);
        let (mut progress, mut condition) = match held {
            Some(held) => (held.progress.clone(), held.condition.clone()),
            None => match self.lease()? {
                Ok(Held { progress, condition }) => (progress, condition),
                Err(rest_ms) => return Ok((rest_ms, None)),
            },
        };
        let next_event = |progress: &Progress| MetaKey::Entry { ledger: Ledger::Events, number: progress.next };
        if progress.waiting.is_empty() && self.fetch(next_event(&progress))?.is_none() {
            return Ok((LOOK_MS, Some(Held { progress, condition })));
        }
        let webhooks = match self.fetch(MetaKey::Webhooks)? {
            Some((bytes, _)) => Json::parse(bytes).map_err(|_| Stop::Rest(STORE_PAUSE_MS))?,
            None => Json::object(),
        };
        let webhooks = webhooks.get("webhooks").map_or(&[][..], Json::items);
        let before = progress.clone();
        progress.waiting.retain(|waiting| webhooks.iter().any(|webhook| webhook.text_of("id") == waiting.webhook));
        let mut given_up = Vec::new();
        for _ in 0..EVENTS_A_ROUND {
            // What is new is sent before more is taken up, so that only a webhook that does not answer has many that wait.
            if progress.waiting.iter().filter(|waiting| waiting.tries == 0).count() >= DELIVERIES_A_ROUND {
                break;
            }
            let Some((bytes, _)) = self.fetch(next_event(&progress))? else { break };
            let event = Json::parse(bytes).unwrap_or(Json::Null);
            for webhook in webhooks.iter().filter(|webhook| wants(webhook, &event)) {
                let waiting = Waiting { event: progress.next, webhook: webhook.text_of("id").into(), tries: 0, due_utc_ms: now };
                let failed = progress.waiting.iter().filter(|known| known.webhook == waiting.webhook && known.tries > 0);
                if failed.count() < WAITING_EACH {
                    progress.waiting.push(waiting);
                } else {
                    given_up.push((waiting, "too many wait already"));
                }
            }
            progress.next += 1;
        }
        if progress != before {
            self.give_up(&mut progress, &given_up)?;
            condition = self.keep(&progress, condition)?;
        }
        let due: Vec<Waiting> =
            progress.waiting.iter().filter(|waiting| waiting.due_utc_ms <= now).take(DELIVERIES_A_ROUND).cloned().collect();
        if !due.is_empty() {
            self.send(&mut progress, &due, webhooks)?;
            // Time has passed, but less than the lease lasts.
            condition = self.keep(&progress, condition)?;
            return Ok((0, Some(Held { progress, condition })));
        }
        let next_due = progress.waiting.iter().map(|waiting| waiting.due_utc_ms.saturating_sub(now)).min();
        Ok((next_due.unwrap_or(LOOK_MS).min(LOOK_MS), Some(Held { progress, condition })))
    }

    /// Takes the lease or makes it longer; or how long to rest where somebody else has it.
    fn lease(&mut self) -> Go<Result<Held, u64>> {
        let now = self.world.now_utc_ms;
        let there = self.fetch(MetaKey::Sender)?;
        let mut progress = match &there {
            Some((bytes, _)) => Progress::parse(bytes).ok_or(Stop::Rest(STORE_PAUSE_MS))?,
            None => Progress::default(),
        };
        if progress.holder != self.name && progress.until_utc_ms > now {
            return Ok(Err(progress.until_utc_ms.saturating_sub(now).min(LEASE_MS) + self.jitter(LOOK_MS, 0)));
        }
        let condition = there.map_or(Condition::Absent, |(_, condition)| condition);
        progress.holder = self.name.into();
        progress.until_utc_ms = now + LEASE_MS;
        let condition = self.keep(&progress, condition)?;
        Ok(Ok(Held { progress, condition }))
    }

    fn send(&mut self, progress: &mut Progress, due: &[Waiting], webhooks: &[Json]) -> Go<()> {
        let mut deliveries = Vec::new();
        for waiting in due {
            let event = self.fetch(MetaKey::Entry { ledger: Ledger::Events, number: waiting.event })?;
            let webhook = webhooks.iter().find(|webhook| webhook.text_of("id") == waiting.webhook);
            let (body, webhook) = (event.map(|(bytes, _)| bytes).unwrap_or_default(), webhook.unwrap_or(&Json::Null));
            deliveries.push(delivery(webhook, body, self.world.now_utc_ms));
        }
        let Came::Posted { now_utc_ms, statuses } = self.step(|| Act::Post(deliveries))? else { return Err(Stop::Rest(LOOK_MS)) };
        let mut given_up = Vec::new();
        for (n, sent) in due.iter().enumerate() {
            let status = statuses.get(n).copied().flatten();
            let pause = self.schedule.pauses_ms.get(sent.tries).copied();
            let is_sent = |waiting: &Waiting| (waiting.event, &waiting.webhook) == (sent.event, &sent.webhook);
            match (status, pause) {
                (Some(200..=299), _) => progress.waiting.retain(|waiting| !is_sent(waiting)),
                // The other side says that there will never be anybody.
                (Some(410), _) | (_, None) => {
                    progress.waiting.retain(|waiting| !is_sent(waiting));
                    given_up.push((Waiting { tries: sent.tries + 1, ..sent.clone() }, "it was not taken"));
                }
                (_, Some(pause)) => {
                    let due_utc_ms = now_utc_ms.saturating_add(pause).saturating_add(self.jitter(pause / 4, n));
                    let known = progress.waiting.iter_mut().filter(|waiting| is_sent(waiting));
                    known.for_each(|waiting| (waiting.tries, waiting.due_utc_ms) = (sent.tries + 1, due_utc_ms));
                }
            }
        }
        self.give_up(progress, &given_up)
    }

    /// Writes down what will not be sent, before it is forgotten.
    fn give_up(&mut self, progress: &mut Progress, given_up: &[(Waiting, &str)]) -> Go<()> {
        for (waiting, why) in given_up {
            let letter = Json::object()
                .with("event", waiting.event)
                .with("webhook", waiting.webhook.as_str())
                .with("tries", waiting.tries as u64)
                .with("why", *why)
                .with("at", format_utc(self.world.now_utc_ms));
            for _ in 0..UNDELIVERED_TRIES {
                let key = MetaKey::Entry { ledger: Ledger::Undelivered, number: progress.undelivered };
                progress.undelivered += 1;
                if self.store(key, letter.to_bytes(), Condition::Absent)?.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Up to `most`, so that many do not come back at once.
    fn jitter(&self, most: u64, n: usize) -> u64 {
        let random = &self.world.random;
        let byte = |at: usize| u64::from(random.get((at + 2 * n) % random.len()).copied().unwrap_or(0));
        most * (byte(0) * 256 + byte(1)) / 65_536
    }
}

fn wants(webhook: &Json, event: &Json) -> bool {
    let kind = event.text_of("type");
    if kind == tidegate_stream::EventKind::WebhookTest.as_str() {
        return event.get("data").is_some_and(|data| data.text_of("webhook") == webhook.text_of("id"));
    }
    let mut kinds = webhook.texts_of("events").peekable();
    kinds.peek().is_none() || kinds.any(|wanted| wanted == kind)
}

fn delivery(webhook: &Json, body: &[u8], now_utc_ms: u64) -> Delivery {
    let event = Json::parse(body).unwrap_or(Json::Null);
    let headers = [
        ("content-type", "application/json".to_string()),
        ("user-agent", "tidegate-webhooks/1".to_string()),
        ("tidegate-event", event.text_of("id").to_string()),
        ("tidegate-signature", signature(webhook.text_of("secret"), now_utc_ms / 1000, body)),
    ];
    Delivery { url: webhook.text_of("url").into(), event: event.text_of("id").into(), headers: headers.into(), body: body.into() }
}

/// The header that proves where an event comes from and that it is no old one sent again: HMAC-SHA256 over the time in s, a full stop,
/// and the body.
#[must_use]
pub fn signature(secret: &str, time_s: u64, body: &[u8]) -> String {
    let time = time_s.to_string();
    format!("t={time},v1={}", KeyHash::signed(secret.as_bytes(), &[time.as_bytes(), b".", body]))
}

impl Progress {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let json = Json::parse(bytes).ok()?;
        let waiting = |json: &Json| Waiting {
            event: json.number_of("event"),
            webhook: json.text_of("webhook").into(),
            tries: usize::try_from(json.number_of("tries")).unwrap_or(usize::MAX),
            due_utc_ms: json.number_of("due_utc_ms"),
        };
        Some(Self {
            holder: json.text_of("holder").into(),
            until_utc_ms: json.number_of("until_utc_ms"),
            next: json.number_of("next"),
            waiting: json.get("waiting")?.items().iter().map(waiting).collect(),
            undelivered: json.number_of("undelivered"),
        })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let waiting = self.waiting.iter().map(|waiting| {
            let json = Json::object().with("event", waiting.event).with("webhook", waiting.webhook.as_str());
            json.with("tries", waiting.tries as u64).with("due_utc_ms", waiting.due_utc_ms)
        });
        Json::object()
            .with("holder", self.holder.as_str())
            .with("until_utc_ms", self.until_utc_ms)
            .with("next", self.next)
            .with("undelivered", self.undelivered)
            .with("waiting", waiting.collect::<Vec<_>>())
            .to_bytes()
    }
}
