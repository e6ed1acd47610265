use tidegate_function::{Answer, Condition};
use tidegate_stream::{Cue, Json, MetaKey, parse_utc, symbols};

use crate::{
    answer::{Refusal, json},
    call::{Call, Go, busy, refuse},
    ledger::{self, first_missing},
    resource::{live, streams},
    schema::{Field, Kind},
};

pub(crate) const FIELDS: &[Field] = &[
    Field::needed("text", Kind::Text { min: 1, max: 1000, lines: true }, "What is said; programs may put JSON here"),
    Field::or("class", "\"com.tidegate.cue\"", Kind::Text { min: 1, max: 100, lines: false }, "What kind of thing is said, for programs"),
    Field::or("at", "null", Kind::Time, "When, by the clock of the worker; null: with the next picture"),
    Field::or("duration_ms", "0", Kind::Whole { min: 0, max: 86_400_000 }, "How long it is true"),
];

/// Others that may come first.
const TRIES: u64 = 64;

pub(crate) fn create(call: &mut Call<'_>) -> Go<Answer> {
    let body = call.body(FIELDS)?;
    let stream = call.stream()?;
    streams::expect(call, &stream, false)?;
    call.claim()?;
    let session = live::newest(call, &stream)?;
    let is_live = match &session {
        Some(session) => live::of_session(call, &stream, session)?.is_live(),
        None => false,
    };
    let session = session.filter(|_| is_live);
    let session = session.ok_or_else(|| refuse(Refusal::Conflict, format_args!("the stream {stream} is not live")))?;
    let cue = Cue {
        id: symbols(call.random("cue").get(..16).unwrap_or_default()),
        class: body.text_of("class").into(),
        text: body.text_of("text").into(),
        created_utc_ms: call.now_utc_ms,
        at_utc_ms: body.get("at").and_then(Json::text).and_then(parse_utc),
        duration_ms: body.number_of("duration_ms"),
    };
    if !cue.event(call.now_utc_ms).is_writable() {
        return Err(refuse(
            Refusal::Invalid,
            "the text is too long for a playlist: quotation marks, percent signs and line ends take three characters each, and all of it has 1,000",
        ));
    }
    let key = |number| MetaKey::Cue { stream: stream.clone(), session: session.clone(), number };
    let first = first_missing(call, 0, &key)?;
    for number in first..first.saturating_add(TRIES) {
        if call.store(key(number), cue.to_bytes(), Condition::Absent)? {
            ledger::audit(call, "cue.create", stream.as_str(), Json::object().with("session", session.as_str()).with("number", number))?;
            let cue = Json::object().with("id", cue.id).with("session", session.as_str()).with("number", number);
            return Ok(json(201, &cue));
        }
    }
    Err(busy())
}
