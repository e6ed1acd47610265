use tidegate_function::{Answer, Condition};
use tidegate_stream::{Json, MetaKey, PlaybackId, format_utc, symbols};

use crate::{
    answer::{Refusal, empty, json},
    call::{Call, Go, refuse, unreadable},
    ledger,
    resource::{access, streams},
    schema::{Field, Kind},
};

pub(crate) const FIELDS: &[Field] =
    &[Field::or("access", "\"public\"", Kind::Choice(&["public", "token"]), "Whether a playback token is needed")];

const LIST: &str = "playback";

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    access::list(call, LIST)
}

pub(crate) fn create(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(FIELDS)?;
    let stream = call.stream()?;
    streams::expect(call, &stream, true)?;
    call.claim()?;
    let id = symbols(call.random("playback id").get(..20).unwrap_or_default());
    let item = Json::object().with("id", id.as_str()).with("access", body.text_of("access")).with("created", format_utc(call.now_utc_ms));
    let id = PlaybackId::parse(&id).map_err(|_| unreadable())?;
    let document = item.clone().with("stream", stream.as_str());
    call.store(MetaKey::Playback { id: id.clone() }, document.to_bytes(), Condition::Absent)?;
    access::add(call, &stream, LIST, &item)?;
    ledger::audit(call, "playback_id.create", stream.as_str(), Json::object().with("id", id.as_str()))?;
    Ok(json(201, &item))
}

pub(crate) fn withdraw(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let id = call.second();
    access::expect(call, &stream, LIST, id)?;
    let id = PlaybackId::parse(id).map_err(|_| none())?;
    call.delete(MetaKey::Playback { id: id.clone() })?;
    access::remove(call, &stream, LIST, id.as_str())?;
    ledger::audit(call, "playback_id.withdraw", stream.as_str(), Json::object().with("id", id.as_str()))?;
    Ok(empty(204))
}

pub(crate) fn get(call: &mut Call<'_>) -> Go<Answer> {
    let id = call.places.first().and_then(|id| PlaybackId::parse(id).ok()).ok_or_else(none)?;
    let object = call.read(MetaKey::Playback { id })?.ok_or_else(none)?;
    let document = Json::parse(object.bytes).map_err(|_| unreadable())?;
    Ok(json(200, &document))
}

fn none() -> crate::call::Stop {
    refuse(Refusal::NotFound, "there is no such playback id")
}
