use alloc::{borrow::Cow, string::String, vec::Vec};

/// What is read of one request; with every key of the standard it has 1 kB.
const BYTES_MAX: usize = 2048;
/// The standard's headers, for players that do not write into addresses.
const HEADERS: [&str; 4] = ["cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"];
/// Our player's word for: this session tells events.
const EVENTS_KEY: &str = "com.tidegate-events";

/// What a player says of itself in a request for something else (CMCD, request mode), as one line: in the query or in headers. `None` where
/// it says nothing of a session, or tells events as well.
#[must_use]
pub fn cmcd<'a>(query: &'a str, header: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let said = query.split('&').find_map(|pair| pair.strip_prefix("CMCD="));
    let line = match said {
        Some(said) => decode(said)?,
        None => HEADERS.iter().filter_map(|name| header(name)).collect::<Vec<_>>().join(","),
    };
    let mut keys = line.split(',');
    let sound = line.len() <= BYTES_MAX && !line.contains('\n') && !keys.clone().any(|key| key == EVENTS_KEY);
    (sound && keys.any(|key| key.starts_with("sid="))).then_some(line)
}

/// A query without that: what is the same for all stays the same address.
#[must_use]
pub fn without_cmcd(query: &str) -> Cow<'_, str> {
    let is_said = |pair: &&str| pair.starts_with("CMCD=");
    if !query.split('&').any(|pair| is_said(&pair)) {
        return Cow::Borrowed(query);
    }
    Cow::Owned(query.split('&').filter(|pair| !is_said(pair)).collect::<Vec<_>>().join("&"))
}

/// Percent signs and two digits; `None` where the outcome is no text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(if byte == b'%' { digit(rest.next())? * 16 + digit(rest.next())? } else { byte });
    }
    String::from_utf8(bytes).ok()
}
