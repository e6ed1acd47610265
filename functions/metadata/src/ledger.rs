//! Numbered objects without holes: finding the end, adding to it.

use alloc::{format, vec::Vec};

use tidegate_function::Condition;
use tidegate_stream::{EventKind, Json, Ledger, MetaKey, StreamId, event_document, format_utc};

use crate::call::{Call, Go, busy};

/// How often the number that a ledger has reached is written down: who knows nothing reads on from there.
const REACHED_EVERY: u64 = 16;
/// Others that may come first.
const TRIES: u64 = 64;

/// The first number of a ledger that is not there.
pub(crate) fn end(call: &mut Call<'_>, ledger: Ledger) -> Go<u64> {
    if call.reached.of(ledger) == 0
        && let Some(object) = call.read(MetaKey::Reached { ledger })?
    {
        let number = core::str::from_utf8(object.bytes).ok().and_then(|text| text.trim().parse().ok());
        call.reached.set(ledger, number.unwrap_or(0));
    }
    let from = call.reached.of(ledger);
    let end = first_missing(call, from, &|number| MetaKey::Entry { ledger, number })?;
    call.reached.set(ledger, end);
    Ok(end)
}

/// The first number from `low` on whose object is not there: in steps that double, then by halves.
pub(crate) fn first_missing(call: &mut Call<'_>, mut low: u64, key: &dyn Fn(u64) -> MetaKey) -> Go<u64> {
    let mut step = 1;
    let mut high = loop {
        let at = low.saturating_add(step - 1);
        if !call.is_there(key(at))? {
            break at;
        }
        low = at.saturating_add(1);
        step = step.saturating_mul(2);
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if call.is_there(key(middle))? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Adds an entry; its number.
pub(crate) fn append(call: &mut Call<'_>, ledger: Ledger, body: &[u8]) -> Go<u64> {
    // All before this number are there, so that no hole comes to be.
    let mut number = call.reached.of(ledger);
    for tried in 0..TRIES {
        if tried == 1 || (tried == 0 && number == 0) {
            number = end(call, ledger)?;
        }
        let written = call.store(MetaKey::Entry { ledger, number }, body.to_vec(), Condition::Absent)?;
        call.reached.set(ledger, number + 1);
        if written {
            if (number + 1).is_multiple_of(REACHED_EVERY) {
                call.store_if_easy(MetaKey::Reached { ledger }, format!("{}", number + 1).into_bytes())?;
            }
            return Ok(number);
        }
        number += 1;
    }
    Err(busy())
}

/// Writes down who changed what. `what` has no secrets.
pub(crate) fn audit(call: &mut Call<'_>, action: &str, target: &str, what: Json) -> Go<()> {
    let entry = Json::object()
        .with("id", call.name(action).as_str())
        .with("at", format_utc(call.now_utc_ms))
        .with("actor", call.actor.as_str())
        .with("action", action)
        .with("target", target)
        .with("data", what);
    append(call, Ledger::Audit, &entry.to_bytes()).map(drop)
}

/// Says what happened, for webhooks.
pub(crate) fn event(call: &mut Call<'_>, kind: EventKind, stream: Option<&StreamId>, facts: Json) -> Go<u64> {
    let event = event_document(kind, &call.name(kind.as_str()), stream, facts);
    append(call, Ledger::Events, &event.to_bytes())
}

/// The entries before `before` (or all), newest first, and where the next page goes on.
pub(crate) fn page(call: &mut Call<'_>, ledger: Ledger, before: Option<u64>, limit: usize) -> Go<(Vec<Json>, Option<u64>)> {
    let end = end(call, ledger)?;
    let mut number = before.unwrap_or(end).min(end);
    let mut entries = Vec::new();
    while number > 0 && entries.len() < limit {
        number -= 1;
        if let Some(object) = call.read(MetaKey::Entry { ledger, number })?
            && let Ok(entry) = Json::parse(object.bytes)
        {
            entries.push(entry);
        }
    }
    Ok((entries, (number > 0).then_some(number)))
}
