use alloc::vec::Vec;

use tidegate_function::Answer;
use tidegate_stream::{Json, MetaKey, SessionId, Sessions};

use crate::{
    answer::{Refusal, json},
    call::{Call, Go, refuse},
    query::Query,
    resource::{live, streams},
    route::PAGE,
};

/// Sessions of a page: each costs a read.
const LIMIT: usize = 20;

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    let query = Query::parse(&call.request.query, PAGE)?;
    let limit = query.limit(LIMIT)?;
    let before = match query.get("cursor") {
        Some(text) => Some(SessionId::parse(text).map_err(|_| refuse(Refusal::Malformed, "`cursor` is the id of a session"))?),
        None => None,
    };
    let stream = call.stream()?;
    streams::expect(call, &stream, false)?;
    let object = call.read(MetaKey::Sessions { stream: stream.clone() })?;
    let sessions = object.map(|object| Sessions::parse(object.bytes)).unwrap_or_default();
    let older: Vec<&SessionId> = sessions.all().iter().rev().filter(|id| before.as_ref().is_none_or(|before| *id < before)).collect();
    let mut items = Vec::new();
    for session in older.iter().take(limit) {
        if let Some(head) = live::head_of(call, &stream, session)? {
            items.push(live::facts(call, &stream, &head)?);
        }
    }
    let next = older.get(limit).and_then(|_| older.get(limit - 1)).map(|last| last.as_str());
    Ok(json(200, &Json::object().with("items", items).with("next", next)))
}

pub(crate) fn get(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    streams::expect(call, &stream, false)?;
    let none = || refuse(Refusal::NotFound, format_args!("the stream {stream} has no such session"));
    let session = SessionId::parse(call.second()).map_err(|_| none())?;
    let head = live::head_of(call, &stream, &session)?.ok_or_else(none)?;
    Ok(json(200, &live::facts(call, &stream, &head)?))
}
