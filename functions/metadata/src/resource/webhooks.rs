use alloc::{vec, vec::Vec};

use tidegate_function::Answer;
use tidegate_stream::{EventKind, Json, Ledger, MetaKey, format_utc, symbols};

use crate::{
    answer::{Refusal, empty, json},
    call::{Call, Go, refuse, unreadable},
    ledger,
    query::Query,
    route::PAGE,
    schema::{Field, Kind},
};

/// What can be asked for: every kind of event but the one that tests.
const EVENTS: &[&str] = &{
    let mut names = [""; EventKind::ALL.len() - 1];
    let mut n = 0;
    while n < names.len() {
        names[n] = EventKind::ALL[n].as_str();
        n += 1;
    }
    names
};

pub(crate) const FIELDS: &[Field] = &[
    Field::needed("url", Kind::Url, "Where events are sent, by POST"),
    Field::or("events", "[]", Kind::List { of: &Kind::Choice(EVENTS), max: EVENTS.len() }, "Which; none: all"),
    Field::or("description", "\"\"", Kind::Text { min: 0, max: 200, lines: false }, "For people"),
];

/// Addresses that events are sent to.
const WEBHOOKS_MAX: usize = 16;
const LIST: &str = "webhooks";

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    let object = call.read_fresh(MetaKey::Webhooks)?;
    let items: Vec<Json> = parse(object.map(|object| object.bytes))?.into_iter().map(without_secret).collect();
    Ok(json(200, &Json::object().with("items", items)))
}

pub(crate) fn create(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(FIELDS)?;
    call.claim()?;
    let id = symbols(call.random("webhook id").get(..10).unwrap_or_default());
    // The sender has to sign with it, so that it is kept as it is.
    let secret = alloc::format!("whsec_{}", symbols(&call.random("webhook secret")));
    let mut webhook = Json::object().with("id", id.as_str()).with("created", format_utc(call.now_utc_ms));
    for (name, value) in body.members() {
        webhook.set(name, value.clone());
    }
    webhook.set("secret", secret);
    change(call, &mut |webhooks| {
        if webhooks.iter().any(|known| known.text_of("id") == id) {
            return Ok(false);
        }
        if webhooks.len() >= WEBHOOKS_MAX {
            return Err(refuse(Refusal::Conflict, format_args!("there are {WEBHOOKS_MAX} already: remove one first")));
        }
        webhooks.push(webhook.clone());
        Ok(true)
    })?;
    ledger::audit(call, "webhook.create", &id, Json::object().with("url", body.text_of("url")))?;
    Ok(json(201, &webhook))
}

pub(crate) fn remove(call: &mut Call<'_>) -> Go<Answer> {
    let id = call.places.first().copied().unwrap_or_default();
    let mut was_there = false;
    change(call, &mut |webhooks| {
        let before = webhooks.len();
        webhooks.retain(|webhook| webhook.text_of("id") != id);
        was_there = webhooks.len() < before;
        Ok(was_there)
    })?;
    if !was_there {
        return Err(none());
    }
    ledger::audit(call, "webhook.remove", id, Json::object())?;
    Ok(empty(204))
}

pub(crate) fn test(call: &mut Call<'_>) -> Go<Answer> {
    let id = call.places.first().copied().unwrap_or_default();
    let object = call.read_fresh(MetaKey::Webhooks)?;
    let webhooks = parse(object.map(|object| object.bytes))?;
    if !webhooks.iter().any(|webhook| webhook.text_of("id") == id) {
        return Err(none());
    }
    call.claim()?;
    let number = ledger::event(call, EventKind::WebhookTest, None, Json::object().with("webhook", id))?;
    Ok(json(202, &Json::object().with("event", number)))
}

pub(crate) fn undelivered(call: &mut Call<'_>) -> Go<Answer> {
    let query = Query::parse(&call.request.query, PAGE)?;
    let (limit, before) = (query.limit(usize::MAX)?, query.number("cursor")?);
    let (items, next) = ledger::page(call, Ledger::Undelivered, before, limit)?;
    Ok(json(200, &Json::object().with("items", items).with("next", next.map(|next| alloc::format!("{next}")))))
}

fn change(call: &mut Call<'_>, edit: &mut dyn FnMut(&mut Vec<Json>) -> Go<bool>) -> Go<()> {
    call.change(MetaKey::Webhooks, &mut |bytes| {
        let mut webhooks = parse(bytes)?;
        Ok(edit(&mut webhooks)?.then(|| Json::Object(vec![(LIST.into(), webhooks.into())]).to_bytes()))
    })
}

fn parse(bytes: Option<&[u8]>) -> Go<Vec<Json>> {
    let document = bytes.map_or_else(|| Ok(Json::object()), Json::parse).map_err(|_| unreadable())?;
    Ok(document.get(LIST).map_or(&[][..], Json::items).to_vec())
}

fn without_secret(mut webhook: Json) -> Json {
    webhook.take("secret");
    webhook
}

fn none() -> crate::call::Stop {
    refuse(Refusal::NotFound, "there is no such webhook")
}
