use alloc::vec::Vec;

use tidegate_function::Answer;
use tidegate_stream::{ApiToken, ApiTokens, Json, MetaKey, Scope, parse_utc};

use crate::{
    answer::{Refusal, empty, json},
    call::{Call, Go, refuse, unreadable},
    ledger,
    schema::{Field, Kind},
};

pub(crate) const FIELDS: &[Field] = &[
    Field::needed("name", Kind::Text { min: 1, max: 60, lines: false }, "For people"),
    Field::needed("scopes", Kind::List { of: &Kind::Scope, max: Scope::ALL.len() }, "What it allows"),
    Field::or("expires", "null", Kind::Time, "From when on it allows nothing"),
];

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    let object = call.read_fresh(MetaKey::Tokens)?;
    let tokens = parse(object.map(|object| object.bytes))?;
    let items: Vec<Json> = tokens.all().iter().map(ApiToken::public).collect();
    Ok(json(200, &Json::object().with("items", items)))
}

pub(crate) fn create(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(FIELDS)?;
    call.claim()?;
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| body.texts_of("scopes").any(|word| word == scope.as_str())).collect();
    let expires = body.get("expires").and_then(Json::text).and_then(parse_utc);
    let (kept, token) = ApiToken::new(&call.random("api token"), body.text_of("name"), scopes, call.now_utc_ms, expires);
    call.change(MetaKey::Tokens, &mut |bytes| {
        let mut tokens = parse(bytes)?;
        if tokens.all().iter().any(|known| known.id == kept.id) {
            return Ok(None);
        }
        if !tokens.add(kept.clone()) {
            return Err(refuse(Refusal::Conflict, "there are too many API tokens: revoke some first"));
        }
        Ok(Some(tokens.to_bytes()))
    })?;
    let mut what = kept.public();
    what.take("created");
    ledger::audit(call, "token.create", &kept.id, what)?;
    Ok(json(201, &kept.public().with("token", token)))
}

pub(crate) fn revoke(call: &mut Call<'_>) -> Go<Answer> {
    let id = call.places.first().copied().unwrap_or_default();
    let mut was_there = false;
    call.change(MetaKey::Tokens, &mut |bytes| {
        let mut tokens = parse(bytes)?;
        was_there = tokens.remove(id);
        Ok(was_there.then(|| tokens.to_bytes()))
    })?;
    if !was_there {
        return Err(refuse(Refusal::NotFound, "there is no such API token"));
    }
    ledger::audit(call, "token.revoke", id, Json::object())?;
    Ok(empty(204))
}

fn parse(bytes: Option<&[u8]>) -> Go<ApiTokens> {
    bytes.map_or_else(|| Ok(ApiTokens::default()), |bytes| ApiTokens::parse(bytes).ok_or_else(unreadable))
}
