use alloc::{string::String, vec::Vec};

use tidegate_function::{Answer, Condition};
use tidegate_stream::{Json, KeyHash, MetaKey, PublishToken, StreamId, format_utc, parse_utc, symbols};

use crate::{
    answer::{Refusal, empty, json},
    call::{Call, Go, busy, refuse, unreadable},
    ledger,
    resource::{access, streams},
    schema::{Field, Kind},
};

pub(crate) const FIELDS: &[Field] = &[
    Field::or("name", "\"\"", Kind::Text { min: 0, max: 60, lines: false }, "For people"),
    Field::or("expires", "null", Kind::Time, "From when on it opens nothing"),
];

pub(crate) const SIGN: &[Field] =
    &[Field::or("expires_in_s", "3600", Kind::Whole { min: 60, max: 30 * 86_400 }, "How long it opens the stream")];

const LIST: &str = "keys";

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    access::list(call, LIST)
}

pub(crate) fn create(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(FIELDS)?;
    let stream = call.stream()?;
    streams::expect(call, &stream, true)?;
    call.claim()?;
    let id = symbols(call.random("key id").get(..10).unwrap_or_default());
    let (item, stream_key) = open(call, &stream, &id, &body)?;
    access::add(call, &stream, LIST, &item)?;
    ledger::audit(call, "key.create", stream.as_str(), Json::object().with("key", id))?;
    Ok(shown_once(item, "key", stream_key))
}

pub(crate) fn rotate(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    call.claim()?;
    let id = call.second();
    let old = access::expect(call, &stream, LIST, id)?;
    let (item, stream_key) = open(call, &stream, id, &old)?;
    let mut replaced = None;
    access::change(call, &stream, LIST, &mut |items| {
        let known = items.iter_mut().find(|known| known.text_of("id") == id);
        let known = known.ok_or_else(|| refuse(Refusal::NotFound, "the key was revoked"))?;
        replaced = KeyHash::parse(known.text_of("hash"));
        *known = item.clone();
        Ok(true)
    })?;
    if let Some(hash) = replaced.filter(|hash| *hash != KeyHash::of(&stream_key)) {
        call.delete(MetaKey::StreamKey { hash })?;
    }
    ledger::audit(call, "key.rotate", stream.as_str(), Json::object().with("key", id))?;
    Ok(shown_once(item, "key", stream_key))
}

pub(crate) fn revoke(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let id = call.second();
    let item = access::expect(call, &stream, LIST, id)?;
    let hash = KeyHash::parse(item.text_of("hash")).ok_or_else(unreadable)?;
    // First what makes it open the stream: a key that is listed and opens nothing can be revoked again, the opposite not.
    call.delete(MetaKey::StreamKey { hash })?;
    access::remove(call, &stream, LIST, id)?;
    ledger::audit(call, "key.revoke", stream.as_str(), Json::object().with("key", id))?;
    Ok(empty(204))
}

/// Makes a key that opens a stream. It is in nobody's hands before it is listed.
fn open(call: &mut Call<'_>, stream: &StreamId, id: &str, body: &Json) -> Go<(Json, String)> {
    let stream_key = symbols(&call.random("stream key"));
    let hash = KeyHash::of(&stream_key);
    let expires = body.get("expires").and_then(Json::text).and_then(parse_utc);
    let mut document = Json::object().with("stream", stream.as_str());
    if let Some(expires) = expires {
        document.set("expires_utc_ms", expires);
    }
    // Where it is there, a request is repeated.
    call.store(MetaKey::StreamKey { hash }, document.to_bytes(), Condition::Absent)?;
    let item = Json::object().with("id", id).with("name", body.text_of("name")).with("created", format_utc(call.now_utc_ms));
    Ok((item.with("expires", expires.map(format_utc)).with("hash", alloc::format!("{hash}")), stream_key))
}

fn shown_once(mut item: Json, name: &str, secret: String) -> Answer {
    item.take("hash");
    json(201, &item.with(name, secret))
}

pub(crate) fn sign(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(SIGN)?;
    let stream = call.stream()?;
    streams::expect(call, &stream, true)?;
    let secret = publish_secret(call)?;
    let expires = call.now_utc_ms.saturating_add(body.number_of("expires_in_s").saturating_mul(1000));
    let token = PublishToken { stream: stream.clone(), expires_utc_ms: expires }.sign(&secret);
    ledger::audit(call, "publish_token.sign", stream.as_str(), Json::object().with("expires", format_utc(expires)))?;
    Ok(json(201, &Json::object().with("token", token).with("expires", format_utc(expires))))
}

/// What publish tokens are signed with; made by the first request that needs it.
fn publish_secret(call: &mut Call<'_>) -> Go<Vec<u8>> {
    if let Some(object) = call.read(MetaKey::PublishSecret)? {
        return Ok(object.bytes.to_vec());
    }
    let secret = call.random("publish secret").to_vec();
    if call.store(MetaKey::PublishSecret, secret.clone(), Condition::Absent)? {
        return Ok(secret);
    }
    call.read_fresh(MetaKey::PublishSecret)?.map(|object| object.bytes.to_vec()).ok_or_else(busy)
}
