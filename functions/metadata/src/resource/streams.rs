use alloc::{format, string::ToString, vec::Vec};

use tidegate_function::{Answer, Output};
use tidegate_stream::{Entry, EventKind, IndexPage, Json, Ledger, MetaKey, SessionId, StreamId, Summary, format_utc, parse_utc, symbols};

use crate::{
    answer::{Refusal, empty, json, with_header},
    call::{Call, Go, Object, busy, check, refuse, unreadable},
    ledger,
    resource::access,
    schema::{Field, Kind, differing},
};

const LABEL: Kind = Kind::Text { min: 1, max: 40, lines: false };
const COUNTRIES: Kind = Kind::List { of: &Kind::Country, max: 250 };

/// What an owner says about a stream.
pub(crate) const FIELDS: &[Field] = &[
    Field::or("title", "\"\"", Kind::Text { min: 0, max: 200, lines: false }, "One line for people"),
    Field::or("description", "\"\"", Kind::Text { min: 0, max: 5000, lines: true }, "More for people; plain text"),
    Field::or("tags", "[]", Kind::List { of: &LABEL, max: 20 }, "Words to find it by"),
    Field::or("language", "null", Kind::Language, "Of what is spoken"),
    Field::or("category", "\"\"", Kind::Text { min: 0, max: 60, lines: false }, "What kind of thing it is"),
    Field::or("visibility", "\"public\"", Kind::Choice(&["public", "unlisted", "private"]), "Who may know of it"),
    Field::or("poster", "null", Kind::Url, "A picture for before it plays"),
    Field::or("thumbnails", "[]", Kind::List { of: &Kind::Object(THUMBNAIL), max: 8 }, "Small pictures"),
    Field::or(
        "latency_mode",
        "\"low\"",
        Kind::Choice(&["ultra", "low", "normal"]),
        "Parts of 0.2 s, the worker's own, or 1 s, from the next publish on: short ones cost requests",
    ),
    Field::or("dvr_window_s", "7200", Kind::Whole { min: 60, max: 86_400 }, "How much of the past can be played, from the next publish on"),
    Field::or(
        "retention_days",
        "null",
        Kind::Whole { min: 0, max: 3650 },
        "Recordings are removed so many days after their end; null: never",
    ),
    Field::or(
        "ladder",
        "null",
        Kind::List { of: &Kind::Object(RUNG), max: 8 },
        "Rungs below the source, from the next publish on; null: the worker's own",
    ),
    Field::or("playback", "{\"access\":\"public\",\"countries\":[],\"blocked_countries\":[]}", Kind::Object(PLAYBACK), "Who may watch"),
    Field::or("viewer_count", "\"public\"", Kind::Choice(&["public", "hidden"]), "Whether everybody sees how many watch"),
    Field::or(
        "viewer_thresholds",
        "[]",
        Kind::List { of: &Kind::Whole { min: 1, max: 1_000_000_000 }, max: 16 },
        "Numbers of viewers of which `viewer.threshold` tells, once in a session each",
    ),
    Field::or("scheduled_start", "null", Kind::Time, "When it is to begin"),
    Field::or("enabled", "true", Kind::Flag, "Whether it may be published and watched"),
];

const THUMBNAIL: &[Field] = &[
    Field::needed("url", Kind::Url, "Where it is"),
    Field::or("width", "null", Kind::Whole { min: 1, max: 8192 }, "In pixels"),
    Field::or("height", "null", Kind::Whole { min: 1, max: 8192 }, "In pixels"),
];

const RUNG: &[Field] = &[
    Field::needed("name", Kind::Name, "As viewers' addresses have it"),
    Field::needed("height", Kind::Whole { min: 90, max: 4320 }, "In pixels"),
    Field::needed("bitrate_bps", Kind::Whole { min: 50_000, max: 80_000_000 }, "Of the pictures"),
];

const PLAYBACK: &[Field] = &[
    Field::or(
        "access",
        "\"public\"",
        Kind::Choice(&["public", "token", "private"]),
        "Whether a playback token is needed; private: one for this stream alone",
    ),
    Field::or("countries", "[]", COUNTRIES, "Where it may be watched; none: everywhere"),
    Field::or("blocked_countries", "[]", COUNTRIES, "Where it may not be watched"),
];

/// The body that makes a stream: its name, and all of [`FIELDS`].
pub(crate) const NEW: &[Field] = &{
    let mut all = [Field::or("id", "null", Kind::Name, "In addresses; null: one is made up"); FIELDS.len() + 1];
    let mut n = 0;
    while n < FIELDS.len() {
        all[n + 1] = FIELDS[n];
        n += 1;
    }
    all
};

/// A stream's document as it lies in the bucket.
pub(crate) struct Stored<'a> {
    object: Object<'a>,
    pub(crate) json: Json,
}

impl Stored<'_> {
    pub(crate) fn is_deleted(&self) -> bool {
        self.json.get("deleted") == Some(&Json::Flag(true))
    }

    fn revision(&self) -> u64 {
        self.json.number_of("revision")
    }

    /// As the API shows it: without what only we need.
    pub(crate) fn public(&self) -> Json {
        let mut json = self.json.clone();
        for name in ["page", "origin"] {
            json.take(name);
        }
        json
    }
}

/// Reads the document of a stream, whatever it says.
pub(crate) fn read<'a>(call: &mut Call<'a>, stream: &StreamId, fresh: bool) -> Go<Option<Stored<'a>>> {
    let key = MetaKey::Stream { stream: stream.clone() };
    let object = if fresh { call.read_fresh(key)? } else { call.read(key)? };
    let Some(object) = object else { return Ok(None) };
    let json = Json::parse(object.bytes).map_err(|_| unreadable())?;
    Ok(Some(Stored { object, json }))
}

/// Reads the document of a stream that is there.
pub(crate) fn expect<'a>(call: &mut Call<'a>, stream: &StreamId, fresh: bool) -> Go<Stored<'a>> {
    let stored = read(call, stream, fresh)?.filter(|stored| !stored.is_deleted());
    stored.ok_or_else(|| refuse(Refusal::NotFound, format_args!("there is no stream {stream}")))
}

/// What the index says of a document, if it names this page.
pub(crate) fn entry(stream: &StreamId, json: &Json, page: u64) -> Option<Entry> {
    let text = |name| json.text_of(name).into();
    let summary = Summary {
        visibility: text("visibility"),
        language: text("language"),
        category: text("category"),
        tags: json.texts_of("tags").map(Into::into).collect(),
        title: text("title"),
    };
    let entry = Entry {
        stream: stream.clone(),
        created_utc_ms: parse_utc(json.text_of("created"))?,
        revision: json.number_of("revision"),
        deleted: json.get("deleted") == Some(&Json::Flag(true)),
        session: None,
        marks: Vec::new(),
        summary,
    };
    (json.number_of("page") == page).then_some(entry)
}

pub(crate) fn get(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let stored = expect(call, &stream, true)?;
    let tag = etag(stored.revision());
    let known = call.request.header("if-none-match").unwrap_or_default();
    if known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag) {
        return Ok(with_header(empty(304), "etag", tag));
    }
    Ok(with_header(json(200, &stored.public()), "etag", tag))
}

pub(crate) fn create(call: &mut Call<'_>) -> Go<Answer> {
    let mut body = call.body(NEW)?;
    call.claim()?;
    let id = body.take("id").and_then(|id| id.text().map(ToString::to_string));
    let id = id.unwrap_or_else(|| symbols(call.random("stream id").get(..10).unwrap_or_default()));
    let stream = StreamId::parse(&id).map_err(|_| refuse(Refusal::Invalid, "the id is no name of a stream"))?;
    // Says whose work a document is, so that a request that is repeated knows its own.
    let origin = symbols(call.random("origin").get(..16).unwrap_or_default());
    let there = read(call, &stream, true)?;
    if let Some(there) = there.as_ref().filter(|there| !there.is_deleted()) {
        return created(call, there, &origin);
    }
    let mark = call.name("mark");
    let (page, revision) = match &there {
        Some(grave) => {
            let page = grave.json.number_of("page");
            put_mark(call, &stream, page, &mark)?;
            (page, grave.revision() + 1)
        }
        None => (open_page(call, &stream, &mark)?, 1),
    };
    let now = format_utc(call.now_utc_ms);
    let mut document = Json::object().with("id", id).with("revision", revision).with("created", now.as_str()).with("updated", now);
    document.set("page", page);
    document.set("origin", origin.as_str());
    for (name, value) in body.members() {
        document.set(name, value.clone());
    }
    let key = MetaKey::Stream { stream: stream.clone() };
    let written = call.store_over(key, document.to_bytes(), there.as_ref().map(|there| &there.object))?;
    if !written {
        // Somebody else made it, or an earlier try of this very request did.
        let there = read(call, &stream, true)?;
        settle(call, &stream, page, there.as_ref().map(|there| &there.json), Some(&mark))?;
        return match there.filter(|there| !there.is_deleted()) {
            Some(there) => created(call, &there, &origin),
            None => Err(busy()),
        };
    }
    settle(call, &stream, page, Some(&document), Some(&mark))?;
    let facts = Json::object().with("title", document.text_of("title"));
    ledger::event(call, EventKind::StreamCreated, Some(&stream), facts)?;
    ledger::audit(call, "stream.create", stream.as_str(), Json::object())?;
    for name in ["page", "origin"] {
        document.take(name);
    }
    Ok(new(&stream, &document))
}

/// The answer to a request whose stream is there: its own work, or a conflict.
fn created(call: &mut Call<'_>, there: &Stored<'_>, origin: &str) -> Go<Answer> {
    let stream = StreamId::parse(there.json.text_of("id")).map_err(|_| unreadable())?;
    if there.json.text_of("origin") != origin || call.request.header("idempotency-key").is_none() {
        return Err(refuse(Refusal::Conflict, format_args!("there is a stream {stream} already")));
    }
    // The first try may have ended anywhere behind the document.
    settle(call, &stream, there.json.number_of("page"), Some(&there.json), Some(&call.name("mark")))?;
    Ok(new(&stream, &there.public()))
}

fn new(stream: &StreamId, document: &Json) -> Answer {
    let answer = with_header(json(201, document), "etag", etag(document.number_of("revision")));
    with_header(answer, "location", format!("/api/v1/streams/{stream}"))
}

pub(crate) fn put(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(FIELDS)?;
    replace(call, "stream.replace", |_| Ok(body.clone()))
}

pub(crate) fn patch(call: &mut Call<'_>) -> Go<Answer> {
    let patch = call.json(&["application/merge-patch+json", "application/json"])?;
    replace(call, "stream.change", |stored| {
        let mut fields = Json::object();
        for field in FIELDS {
            if let Some(value) = stored.get(field.name) {
                fields.set(field.name, value.clone());
            }
        }
        merge(&mut fields, &patch);
        check(FIELDS, &mut fields)?;
        Ok(fields)
    })
}

/// A JSON merge patch (RFC 7396).
fn merge(target: &mut Json, patch: &Json) {
    let Json::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !matches!(target, Json::Object(_)) {
        *target = Json::object();
    }
    for (name, value) in members {
        if *value == Json::Null {
            target.take(name);
        } else {
            let mut merged = target.take(name).unwrap_or(Json::Null);
            merge(&mut merged, value);
            target.set(name, merged);
        }
    }
}

/// Reads a stream whose state the client names, makes new fields of it, and writes it.
fn replace(call: &mut Call<'_>, action: &'static str, fields: impl FnOnce(&Json) -> Go<Json>) -> Go<Answer> {
    let stream = call.stream()?;
    let stored = guarded(call, &stream)?;
    let fields = fields(&stored.json)?;
    let changed = differing(FIELDS, &stored.json, &fields);
    if changed.is_empty() {
        let answer = json(200, &stored.public());
        return Ok(with_header(answer, "etag", etag(stored.revision())));
    }
    let mut document = stored.json.clone();
    for (name, value) in fields.members() {
        document.set(name, value.clone());
    }
    document.set("revision", stored.revision() + 1);
    document.set("updated", format_utc(call.now_utc_ms));
    write(call, &stream, &stored, &document)?;
    ledger::audit(call, action, stream.as_str(), Json::object().with("fields", changed))?;
    let answer = Stored { object: stored.object, json: document };
    Ok(with_header(json(200, &answer.public()), "etag", etag(answer.revision())))
}

pub(crate) fn delete(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let stored = guarded(call, &stream)?;
    let mut grave = Json::object();
    for name in ["id", "created", "page"] {
        if let Some(value) = stored.json.get(name) {
            grave.set(name, value.clone());
        }
    }
    let revision = stored.revision() + 1;
    let grave = grave.with("revision", revision).with("deleted", true).with("updated", format_utc(call.now_utc_ms));
    write(call, &stream, &stored, &grave)?;
    access::withdraw_all(call, &stream)?;
    ledger::audit(call, "stream.delete", stream.as_str(), Json::object())?;
    Ok(empty(204))
}

/// Reads a stream and checks that it is as the client believes.
fn guarded<'a>(call: &mut Call<'a>, stream: &StreamId) -> Go<Stored<'a>> {
    let stored = expect(call, stream, true)?;
    let Some(named) = call.request.header("if-match") else {
        return Err(refuse(Refusal::PreconditionRequired, "send If-Match with the ETag that you have read"));
    };
    let tag = etag(stored.revision());
    if !named.split(',').map(str::trim).any(|named| named == "*" || named == tag) {
        return Err(changed(stream));
    }
    Ok(stored)
}

fn changed(stream: &StreamId) -> crate::call::Stop {
    refuse(Refusal::Precondition, format_args!("the stream {stream} is not as it was: read it again"))
}

/// Writes a document over the state that was read, with the index, where the index says something of what has changed.
fn write(call: &mut Call<'_>, stream: &StreamId, stored: &Stored<'_>, document: &Json) -> Go<()> {
    let page = stored.json.number_of("page");
    let line = |json| entry(stream, json, page).map(|entry| (entry.summary, entry.deleted));
    let is_listed = line(&stored.json) != line(document);
    let mark = call.name("mark");
    if is_listed {
        put_mark(call, stream, page, &mark)?;
    }
    let key = MetaKey::Stream { stream: stream.clone() };
    let written = call.store_over(key, document.to_bytes(), Some(&stored.object))?;
    if is_listed {
        let there = if written { None } else { read(call, stream, true)? };
        let says = if written { Some(document) } else { there.as_ref().map(|there| &there.json) };
        match settle(call, stream, page, says, Some(&mark)) {
            // The document is written, and as the mark stays in the line, lists read the document: the change is made.
            Err(stop) if !written || !matches!(*stop.0, Output::Answer(_)) => return Err(stop),
            Err(_) | Ok(()) => {}
        }
    }
    if written { Ok(()) } else { Err(changed(stream)) }
}

/// Puts a mark for a new stream on the newest page that has room; the number of that page.
fn open_page(call: &mut Call<'_>, stream: &StreamId, mark: &SessionId) -> Go<u64> {
    let mut page = ledger::end(call, Ledger::Index)?.saturating_sub(1);
    // Each round is a conflict, which others' successes bound, or the next page.
    for _ in 0..PAGE_TRIES {
        let key = MetaKey::Entry { ledger: Ledger::Index, number: page };
        let object = call.read_fresh(key.clone())?;
        let mut lines = object.map(|object| IndexPage::parse(object.bytes)).unwrap_or_default();
        if lines.is_full() {
            page += 1;
            continue;
        }
        if !lines.mark(stream, call.now_utc_ms, mark) {
            return Err(busy());
        }
        if call.store_over(key, lines.to_bytes(), object.as_ref())? {
            if object.is_none() {
                call.reached.set(Ledger::Index, page + 1);
                call.store_if_easy(MetaKey::Reached { ledger: Ledger::Index }, format!("{}", page + 1).into_bytes())?;
            }
            return Ok(page);
        }
    }
    Err(busy())
}

/// As often as other changes are tried.
const PAGE_TRIES: usize = 40;

fn put_mark(call: &mut Call<'_>, stream: &StreamId, page: u64, mark: &SessionId) -> Go<()> {
    let now_utc_ms = call.now_utc_ms;
    call.change(MetaKey::Entry { ledger: Ledger::Index, number: page }, &mut |bytes| {
        let mut lines = bytes.map(IndexPage::parse).unwrap_or_default();
        if !lines.mark(stream, now_utc_ms, mark) {
            return Err(busy());
        }
        Ok(Some(lines.to_bytes()))
    })
}

/// Brings the line of a stream up to its document, and takes out the mark.
pub(crate) fn settle(call: &mut Call<'_>, stream: &StreamId, page: u64, document: Option<&Json>, mark: Option<&SessionId>) -> Go<()> {
    let document = document.and_then(|json| entry(stream, json, page));
    let now_utc_ms = call.now_utc_ms;
    call.change(MetaKey::Entry { ledger: Ledger::Index, number: page }, &mut |bytes| {
        let before = bytes.map(IndexPage::parse).unwrap_or_default();
        let mut lines = before.clone();
        // The document that is at hand is newer than any change that began so long ago.
        lines.forget_old_marks(stream, now_utc_ms);
        lines.settle(stream, document.as_ref(), mark);
        Ok((lines != before).then(|| lines.to_bytes()))
    })
}

/// The name of a state: the same for everybody, and no other state has it.
fn etag(revision: u64) -> alloc::string::String {
    format!("\"r{revision}\"")
}
