use alloc::{
    boxed::Box,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use tidegate_function::{Answer, Condition, Fetched, Input, Output, Request, Stored, World};
use tidegate_stream::{ApiTokens, Denied, Json, Key, KeyHash, Ledger, MetaKey, Scope, SessionId, StreamId, parse_utc};

use crate::{
    answer::{Refusal, problem, problem_with},
    schema::{self, Field},
};

/// Why a request stops where it is: something has to be read or written first, or there is nothing more to do. One pointer, since every
/// step of every request hands it on.
#[derive(Debug)]
pub(crate) struct Stop(pub(crate) Box<Output>);

/// Says what an object is to become; `None` where nothing is to be done.
pub(crate) type Edit<'a> = dyn FnMut(Option<&[u8]>) -> Go<Option<Vec<u8>>> + 'a;

impl From<Answer> for Stop {
    fn from(answer: Answer) -> Self {
        Self(Box::new(Output::Answer(answer)))
    }
}

/// What a step comes to.
pub(crate) type Go<T> = Result<T, Stop>;

/// One run of a request over what has come of its steps so far.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    /// What stands in the places of the route's path.
    pub(crate) places: Vec<&'a str>,
    /// The wall clock at the start of the request, or of the request that this one repeats.
    pub(crate) now_utc_ms: u64,
    /// How far ledgers are known to go.
    pub(crate) reached: Reached,
    /// The name of who asks, for the audit.
    pub(crate) actor: String,
    pub(crate) trusted: bool,
    seed: [u8; 32],
    past: &'a [Input],
    at: usize,
}

/// For each ledger a number that it has surely reached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached([u64; 4]);

/// An object of the bucket.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    pub(crate) bytes: &'a [u8],
    etag: Option<&'a str>,
    /// How long ago it was written, by the store's clock.
    pub(crate) age_ms: Option<u64>,
}

/// Reads and writes of one request. A page of a search reads 32, a change that others disturb repeats three.
const STEPS_MAX: usize = 256;
/// How often a change is tried that others come before.
const TRIES: usize = 40;
/// Of a body in bytes; the largest document of the API has 20 kB.
const BODY_BYTES: usize = 64 << 10;
const IDEMPOTENCY_KEY_MAX: usize = 255;

impl Reached {
    fn place(ledger: Ledger) -> usize {
        match ledger {
            Ledger::Index => 0,
            Ledger::Audit => 1,
            Ledger::Events => 2,
            Ledger::Undelivered => 3,
        }
    }

    pub(crate) fn of(&self, ledger: Ledger) -> u64 {
        self.0.get(Self::place(ledger)).copied().unwrap_or(0)
    }

    pub(crate) fn set(&mut self, ledger: Ledger, number: u64) {
        if let Some(known) = self.0.get_mut(Self::place(ledger)) {
            *known = number.max(*known);
        }
    }

    pub(crate) fn raise(&mut self, other: &Self) {
        for (known, other) in self.0.iter_mut().zip(other.0) {
            *known = other.max(*known);
        }
    }
}

impl Object<'_> {
    /// What has to hold for a write over this state.
    fn condition(object: Option<&Self>) -> Go<Condition> {
        match object {
            None => Ok(Condition::Absent),
            Some(Self { etag: Some(etag), .. }) => Ok(Condition::Match((*etag).into())),
            // A store without ETags cannot keep two writers apart.
            Some(Self { etag: None, .. }) => Err(store_failed()),
        }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(request: &'a Request, trusted: bool, world: &World, reached: Reached, past: &'a [Input]) -> Self {
        let World { now_utc_ms, random } = *world;
        Self { request, places: Vec::new(), now_utc_ms, reached, actor: "operator".into(), trusted, seed: random, past, at: 0 }
    }

    /// What came of the next step, where it has been taken.
    fn step(&mut self) -> Go<Option<&'a Input>> {
        if self.at >= STEPS_MAX {
            return Err(busy());
        }
        let input = self.past.get(self.at);
        self.at += usize::from(input.is_some());
        Ok(input)
    }

    /// Reads an object as others may have cached it for a second.
    pub(crate) fn read(&mut self, key: impl Into<Key>) -> Go<Option<Object<'a>>> {
        self.fetch(&key.into(), None, false)
    }

    /// Reads an object as others may have cached it, and says which ones of this kind come next.
    pub(crate) fn read_with(&mut self, key: impl Into<Key>, ahead: impl Fn() -> Vec<String>) -> Go<Option<Object<'a>>> {
        self.fetch_with(&key.into(), None, false, ahead)
    }

    /// Reads an object as it is.
    pub(crate) fn read_fresh(&mut self, key: impl Into<Key>) -> Go<Option<Object<'a>>> {
        self.fetch(&key.into(), None, true)
    }

    /// Whether there is an object, which is not empty.
    pub(crate) fn is_there(&mut self, key: impl Into<Key>) -> Go<bool> {
        Ok(self.fetch(&key.into(), Some((0, 0)), true)?.is_some())
    }

    fn fetch(&mut self, key: &Key, range: Option<(u64, u64)>, fresh: bool) -> Go<Option<Object<'a>>> {
        self.fetch_with(key, range, fresh, Vec::new)
    }

    fn fetch_with(&mut self, key: &Key, range: Option<(u64, u64)>, fresh: bool, ahead: impl Fn() -> Vec<String>) -> Go<Option<Object<'a>>> {
        match self.step()? {
            None => Err(Stop(Box::new(Output::Fetch { key: key.to_string(), range, fresh, ahead: ahead() }))),
            Some(Input::Fetched(Fetched::Got { bytes, etag, age_ms })) => {
                Ok(Some(Object { bytes, etag: etag.as_deref(), age_ms: *age_ms }))
            }
            Some(Input::Fetched(Fetched::Missing)) => Ok(None),
            Some(Input::Fetched(Fetched::Failed) | Input::Stored(_) | Input::Loaded(_)) => Err(store_failed()),
        }
    }

    /// Writes an object; false where the condition did not hold.
    pub(crate) fn store(&mut self, key: impl Into<Key>, body: Vec<u8>, condition: Condition) -> Go<bool> {
        self.put(&key.into(), body, condition)
    }

    fn put(&mut self, key: &Key, body: Vec<u8>, condition: Condition) -> Go<bool> {
        match self.step()? {
            None => Err(Stop(Box::new(Output::Store { key: key.to_string(), body, content_type: key.content_type(), condition }))),
            Some(Input::Stored(Stored::Done { .. })) => Ok(true),
            Some(Input::Stored(Stored::Conflict)) => Ok(false),
            Some(Input::Stored(Stored::Failed) | Input::Fetched(_) | Input::Loaded(_)) => Err(store_failed()),
        }
    }

    /// Writes over what was read.
    pub(crate) fn store_over(&mut self, key: impl Into<Key>, body: Vec<u8>, read: Option<&Object<'_>>) -> Go<bool> {
        self.store(key, body, Object::condition(read)?)
    }

    /// Writes an object where it does no harm if it is not written.
    pub(crate) fn store_if_easy(&mut self, key: impl Into<Key>, body: Vec<u8>) -> Go<()> {
        match self.store(key, body, Condition::None) {
            Err(stop) if !matches!(*stop.0, Output::Answer(_)) => Err(stop),
            Err(_) | Ok(_) => Ok(()),
        }
    }

    pub(crate) fn delete(&mut self, key: impl Into<Key>) -> Go<()> {
        let key: Key = key.into();
        match self.step()? {
            None => Err(Stop(Box::new(Output::Delete { key: key.to_string() }))),
            Some(Input::Stored(Stored::Done { .. } | Stored::Conflict)) => Ok(()),
            Some(Input::Stored(Stored::Failed) | Input::Fetched(_) | Input::Loaded(_)) => Err(store_failed()),
        }
    }

    /// Changes an object, over and over until nobody comes in between. `edit` gives the new bytes, or `None` where nothing is to be done.
    pub(crate) fn change(&mut self, key: MetaKey, edit: &mut Edit<'_>) -> Go<()> {
        let key = key.into();
        for _ in 0..TRIES {
            let object = self.fetch(&key, None, true)?;
            let Some(body) = edit(object.map(|object| object.bytes))? else { return Ok(()) };
            if self.put(&key, body, Object::condition(object.as_ref())?)? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Randomness of this request for one purpose. Nobody can tell it from what is in the bucket: it depends on the caller's own token.
    pub(crate) fn random(&self, purpose: &str) -> [u8; 32] {
        let token = self.request.header("authorization").unwrap_or_default();
        KeyHash::signed(&self.seed, &[purpose.as_bytes(), b"\0", token.as_bytes()]).0
    }

    /// A name that sorts by time.
    pub(crate) fn name(&self, purpose: &str) -> SessionId {
        let [a, b, c, d, e, f, g, h, ..] = self.random(purpose);
        SessionId::new(self.now_utc_ms, u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Whether the caller may do this.
    pub(crate) fn authorize(&mut self, scope: Scope) -> Go<()> {
        if self.trusted {
            return Ok(());
        }
        let authorization = self.request.header("authorization");
        if authorization.is_none() {
            return Err(refuse(Refusal::Unauthorized, "send `Authorization: Bearer <API token>`"));
        }
        // A second in a cache is how late a token ends that was revoked.
        let object = self.read(MetaKey::Tokens)?;
        let tokens = match object {
            Some(object) => ApiTokens::parse(object.bytes).ok_or_else(unreadable)?,
            None => ApiTokens::default(),
        };
        match tokens.check(authorization, scope, self.now_utc_ms) {
            Ok(token) => self.actor.clone_from(&token.id),
            Err(Denied::Unknown) => return Err(refuse(Refusal::Unauthorized, "the API token is not known, or has expired")),
            Err(Denied::Scope) => {
                return Err(refuse(Refusal::Forbidden, format_args!("this needs the scope {}", scope.as_str())));
            }
        }
        Ok(())
    }

    /// The body as an object of these fields, complete.
    pub(crate) fn body(&self, fields: &'static [Field]) -> Go<Json> {
        let mut body = self.json(&["application/json"])?;
        check(fields, &mut body)?;
        Ok(body)
    }

    /// The body as JSON of one of these media types.
    pub(crate) fn json(&self, media_types: &[&str]) -> Go<Json> {
        let named = self.request.header("content-type").unwrap_or_default();
        let named = named.split(';').next().unwrap_or_default().trim();
        if !media_types.iter().any(|known| named.eq_ignore_ascii_case(known)) {
            return Err(refuse(Refusal::MediaType, format_args!("send {}", media_types.join(" or "))));
        }
        if self.request.body.len() > BODY_BYTES {
            return Err(refuse(Refusal::TooLarge, format_args!("a body has at most {BODY_BYTES} bytes")));
        }
        Json::parse(&self.request.body).map_err(|error| refuse(Refusal::Malformed, format_args!("the body is no JSON: {error}")))
    }

    /// Where the request has an idempotency key: goes on with the time and randomness of the first request that had it, so that doing
    /// it again makes the same things once.
    pub(crate) fn claim(&mut self) -> Go<()> {
        let Some(key) = self.request.header("idempotency-key") else { return Ok(()) };
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX {
            return Err(refuse(Refusal::Malformed, format_args!("an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_MAX} characters")));
        }
        let Request { method, path, .. } = self.request;
        let hash = KeyHash::of(&[self.actor.as_str(), method, path, key].join("\n"));
        let asked = alloc::format!("{}", KeyHash::signed(b"", &[&self.request.body]));
        let seed = alloc::format!("{}", KeyHash(self.random("claim")));
        let claim =
            Json::object().with("seed", seed).with("asked", asked.as_str()).with("created", tidegate_stream::format_utc(self.now_utc_ms));
        let key = MetaKey::Claim { hash };
        let first;
        let claim = if self.store(key.clone(), claim.to_bytes(), Condition::Absent)? {
            claim
        } else {
            first = self.read_fresh(key)?.ok_or_else(busy)?;
            Json::parse(first.bytes).map_err(|_| unreadable())?
        };
        if claim.text_of("asked") != asked {
            return Err(refuse(Refusal::Invalid, "the Idempotency-Key was used for another request"));
        }
        let seed = KeyHash::parse(claim.text_of("seed")).ok_or_else(unreadable)?;
        self.now_utc_ms = parse_utc(claim.text_of("created")).ok_or_else(unreadable)?;
        self.seed = seed.0;
        Ok(())
    }

    /// The stream that stands in the path.
    pub(crate) fn stream(&self) -> Go<StreamId> {
        let name = self.places.first().copied().unwrap_or_default();
        StreamId::parse(name).map_err(|_| refuse(Refusal::NotFound, "there is no such stream"))
    }

    /// What stands in the second place of the path.
    pub(crate) fn second(&self) -> &'a str {
        self.places.get(1).copied().unwrap_or_default()
    }
}

/// Checks an object against its fields and fills in what is left out.
pub(crate) fn check(fields: &'static [Field], object: &mut Json) -> Go<()> {
    let errors = schema::check(fields, object);
    if errors.is_empty() {
        return Ok(());
    }
    Err(problem_with(Refusal::Invalid, "see errors", errors).into())
}

pub(crate) fn refuse(refusal: Refusal, detail: impl fmt::Display) -> Stop {
    problem(refusal, detail).into()
}

pub(crate) fn busy() -> Stop {
    refuse(Refusal::Busy, "others have changed the same thing again and again: try again")
}

/// A document of ours that does not read is no reason to write over it.
pub(crate) fn unreadable() -> Stop {
    refuse(Refusal::Store, "a document in the bucket does not read")
}

fn store_failed() -> Stop {
    refuse(Refusal::Store, "if this was a change, it may or may not have been made: look, or repeat it with an Idempotency-Key or If-Match")
}
