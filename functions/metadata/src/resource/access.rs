//! `meta/access/<stream>.json`: names and hashes of a stream's keys, and its playback ids, so that they can be listed and revoked.

use alloc::{string::String, vec::Vec};

use tidegate_function::Answer;
use tidegate_stream::{Json, KeyHash, MetaKey, PlaybackId, StreamId};

use crate::{
    answer::{Refusal, json},
    call::{Call, Go, refuse, unreadable},
    resource::streams,
};

/// Keys, and playback ids, of one stream.
pub(crate) const EACH_MAX: usize = 32;

/// Reads the document.
pub(crate) fn read(call: &mut Call<'_>, stream: &StreamId) -> Go<Json> {
    let object = call.read_fresh(MetaKey::Access { stream: stream.clone() })?;
    object.map_or_else(|| Ok(Json::object()), |object| Json::parse(object.bytes).map_err(|_| unreadable()))
}

/// Changes one list of the document; `edit` says whether there is anything to write.
pub(crate) fn change(call: &mut Call<'_>, stream: &StreamId, list: &str, edit: &mut dyn FnMut(&mut Vec<Json>) -> Go<bool>) -> Go<()> {
    call.change(MetaKey::Access { stream: stream.clone() }, &mut |bytes| {
        let mut document = bytes.map_or_else(|| Ok(Json::object()), Json::parse).map_err(|_| unreadable())?;
        let mut items = document.get(list).map_or(&[][..], Json::items).to_vec();
        if !edit(&mut items)? {
            return Ok(None);
        }
        document.set(list, items);
        Ok(Some(document.to_bytes()))
    })
}

/// Adds an item with an `id`, unless it is there.
pub(crate) fn add(call: &mut Call<'_>, stream: &StreamId, list: &str, item: &Json) -> Go<()> {
    change(call, stream, list, &mut |items| {
        if items.iter().any(|known| known.get("id") == item.get("id")) {
            return Ok(false);
        }
        if items.len() >= EACH_MAX {
            return Err(refuse(Refusal::Conflict, format_args!("there are {EACH_MAX} already: take one away first")));
        }
        items.push(item.clone());
        Ok(true)
    })
}

/// Takes an item away.
pub(crate) fn remove(call: &mut Call<'_>, stream: &StreamId, list: &str, id: &str) -> Go<()> {
    change(call, stream, list, &mut |items| {
        let before = items.len();
        items.retain(|item| item.text_of("id") != id);
        Ok(items.len() < before)
    })
}

/// The item of this id.
pub(crate) fn expect(call: &mut Call<'_>, stream: &StreamId, list: &str, id: &str) -> Go<Json> {
    let document = read(call, stream)?;
    let item = document.get(list).map_or(&[][..], Json::items).iter().find(|item| item.text_of("id") == id);
    item.cloned().ok_or_else(|| refuse(Refusal::NotFound, format_args!("the stream {stream} has no such thing")))
}

/// Answers with a list of the document, without hashes of secrets.
pub(crate) fn list(call: &mut Call<'_>, list: &str) -> Go<Answer> {
    let stream = call.stream()?;
    streams::expect(call, &stream, false)?;
    let document = read(call, &stream)?;
    let shown = |item: &Json| {
        let mut item = item.clone();
        item.take("hash");
        item
    };
    let items: Vec<Json> = document.get(list).map_or(&[][..], Json::items).iter().map(shown).collect();
    Ok(json(200, &Json::object().with("items", items)))
}

/// Takes away all keys and playback ids of a stream that is no more.
pub(crate) fn withdraw_all(call: &mut Call<'_>, stream: &StreamId) -> Go<()> {
    let document = read(call, stream)?;
    let texts = |list: &str, name: &str| -> Vec<String> {
        document.get(list).map_or(&[][..], Json::items).iter().map(|item| item.text_of(name).into()).collect()
    };
    for hash in texts("keys", "hash").iter().filter_map(|hash| KeyHash::parse(hash)) {
        call.delete(MetaKey::StreamKey { hash })?;
    }
    for id in texts("playback", "id").iter().filter_map(|id| PlaybackId::parse(id).ok()) {
        call.delete(MetaKey::Playback { id })?;
    }
    for list in ["keys", "playback"] {
        change(call, stream, list, &mut |items| {
            let any = !items.is_empty();
            items.clear();
            Ok(any)
        })?;
    }
    Ok(())
}
