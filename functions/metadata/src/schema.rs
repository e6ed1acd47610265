//! What documents have to look like: one table for each serves to check, to complete and to describe it.

use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use tidegate_stream::{Json, Scope, format_utc, parse_utc};

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What it is where it is left out, as JSON; `null` says that it may be `null`; empty: it must not be left out.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Characters for people; no control characters but, where `lines`, ends of lines. In a word of a list no commas.
    Text { min: usize, max: usize, lines: bool },
    /// The name of a stream.
    Name,
    /// A language as in BCP 47.
    Language,
    /// Two capital letters.
    Country,
    /// `https://…`
    Url,
    /// RFC 3339.
    Time,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A scope of API tokens.
    Scope,
    /// A whole number within bounds.
    Whole { min: i64, max: i64 },
    /// True or false.
    Flag,
    /// At most so many of these.
    List { of: &'static Self, max: usize },
    /// An object.
    Object(&'static [Field]),
}

impl Field {
    /// A member that has to be there.
    pub(crate) const fn needed(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, default: "", about }
    }

    /// A member that has a default, written as JSON.
    pub(crate) const fn or(name: &'static str, default: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, default, about }
    }
}

/// What a program can rely on; upper case, addresses of IPv6 and what has no path are taken as well.
const URL_PATTERN: &str =
    "^https://[a-z0-9][a-z0-9.-]*(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?/";
/// Errors that are reported at once.
const ERRORS_MAX: usize = 16;
/// Characters of an address.
const URL_MAX: usize = 2048;

/// Checks an object and fills in defaults, in the order of the table; what is wrong, field by field.
pub(crate) fn check(fields: &'static [Field], object: &mut Json) -> Vec<Json> {
    let mut errors = Vec::new();
    check_object(fields, object, "", &mut errors);
    errors
}

fn check_object(fields: &'static [Field], object: &mut Json, at: &str, errors: &mut Vec<Json>) {
    if !matches!(object, Json::Object(_)) {
        return report(errors, at, "has to be an object");
    }
    for (name, _) in object.members() {
        if !fields.iter().any(|field| field.name == name) {
            // What a client sends is not repeated in full.
            let name: String = name.chars().take(40).collect();
            report(errors, &format!("{at}/{name}"), "is not known");
        }
    }
    let mut complete = Json::object();
    for field in fields {
        let at = format!("{at}/{}", field.name);
        match object.take(field.name) {
            Some(Json::Null) if field.default == "null" => complete.set(field.name, Json::Null),
            Some(mut value) => {
                check_value(&field.kind, &mut value, &at, errors);
                complete.set(field.name, value);
            }
            None if field.default.is_empty() => report(errors, &at, "is missing"),
            None => complete.set(field.name, Json::parse(field.default.as_bytes()).unwrap_or(Json::Null)),
        }
    }
    *object = complete;
}

fn check_value(kind: &'static Kind, value: &mut Json, at: &str, errors: &mut Vec<Json>) {
    let text = value.text().unwrap_or_default();
    let is_text = matches!(value, Json::Text(_));
    let fault: Option<String> = match kind {
        Kind::Text { min, max, lines } => {
            let control = |c: char| c.is_control() && !(*lines && matches!(c, '\n' | '\t'));
            let len = text.chars().count();
            let fits = is_text && (*min..=*max).contains(&len) && !text.chars().any(|c| control(c) || is_bidi(c));
            (!fits).then(|| format!("has to be a string of {min} to {max} characters without control characters"))
        }
        Kind::Name => {
            let fits = is_text && tidegate_stream::StreamId::parse(text).is_ok();
            (!fits).then(|| "has to be 1 to 64 of a-z, 0-9, - and _, a letter or digit first".into())
        }
        Kind::Language => (!is_language(text)).then(|| "has to be a language as in BCP 47, as de-AT".into()),
        Kind::Country => {
            let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
            (!fits).then(|| "has to be a country as two capital letters".into())
        }
        Kind::Url => (!is_url(text)).then(|| format!("has to be an address that begins with https://, of at most {URL_MAX} characters")),
        Kind::Time => match parse_utc(text) {
            Some(utc_ms) => {
                *value = format_utc(utc_ms).into();
                None
            }
            None => Some("has to be a time as in RFC 3339, as 2026-11-25T20:15:00Z".into()),
        },
        Kind::Choice(words) => (!words.contains(&text) || !is_text).then(|| format!("has to be one of {}", words.join(", "))),
        Kind::Scope => Scope::parse(text).is_none().then(|| format!("has to be one of {}", Scope::ALL.map(Scope::as_str).join(", "))),
        Kind::Whole { min, max } => {
            let fits = value.number().is_some_and(|number| (*min..=*max).contains(&number));
            (!fits).then(|| format!("has to be a whole number from {min} to {max}"))
        }
        Kind::Flag => (!matches!(value, Json::Flag(_))).then(|| "has to be true or false".into()),
        Kind::List { of, max } => match value {
            Json::List(items) if items.len() <= *max => {
                for (n, item) in items.iter_mut().enumerate() {
                    if item.text().is_some_and(|text| text.contains(',')) && matches!(of, Kind::Text { .. }) {
                        report(errors, &format!("{at}/{n}"), "has to be without commas");
                    }
                    check_value(of, item, &format!("{at}/{n}"), errors);
                }
                None
            }
            _ => Some(format!("has to be a list of at most {max}")),
        },
        Kind::Object(fields) => {
            check_object(fields, value, at, errors);
            None
        }
    };
    if let Some(fault) = fault {
        report(errors, at, &fault);
    }
}

fn report(errors: &mut Vec<Json>, at: &str, fault: &str) {
    if errors.len() < ERRORS_MAX {
        errors.push(Json::object().with("pointer", at).with("detail", fault));
    }
}

/// Characters that turn the direction of the text around them, which can make a title look like another.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_language(text: &str) -> bool {
    let mut words = text.split('-');
    let first = words.next().unwrap_or_default();
    let letters = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let rest = words.all(|word| (1..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric()));
    letters && rest && text.len() <= 35
}

/// An absolute https address without user, with a host and perhaps a port, in the characters of RFC 3986. Whether the host is one of the
/// open internet is looked at when somebody connects to it: a name says nothing about that.
pub(crate) fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let has_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0));
    plain
        && has_port
        && text.len() <= URL_MAX
        && !host.is_empty()
        && !authority.contains('@')
        && host.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// The table as a schema of JSON Schema 2020-12.
pub(crate) fn describe(fields: &'static [Field]) -> Json {
    let mut properties = Json::object();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = describe_kind(&field.kind);
        if field.default == "null" {
            schema = Json::object().with("anyOf", vec![schema, Json::object().with("type", "null")]);
        }
        schema.set("description", field.about);
        match field.default {
            "" => required.push(field.name.into()),
            default => schema.set("default", Json::parse(default.as_bytes()).unwrap_or(Json::Null)),
        }
        properties.set(field.name, schema);
    }
    let mut schema = Json::object().with("type", "object").with("properties", properties).with("additionalProperties", false);
    if !required.is_empty() {
        schema.set("required", required);
    }
    schema
}

fn describe_kind(kind: &'static Kind) -> Json {
    let of = |name: &str| Json::object().with("type", name);
    let count = |number: &usize| *number as u64;
    match kind {
        Kind::Text { min, max, .. } => of("string").with("minLength", count(min)).with("maxLength", count(max)),
        Kind::Name => of("string").with("pattern", "^[a-z0-9][a-z0-9_-]{0,63}$"),
        Kind::Language => of("string").with("pattern", "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$"),
        Kind::Country => of("string").with("pattern", "^[A-Z]{2}$"),
        Kind::Url => of("string").with("format", "uri").with("pattern", URL_PATTERN).with("maxLength", count(&URL_MAX)),
        Kind::Time => of("string").with("format", "date-time"),
        Kind::Choice(words) => of("string").with("enum", words.iter().map(|word| Json::from(*word)).collect::<Vec<_>>()),
        Kind::Scope => of("string").with("enum", Scope::ALL.map(|scope| Json::from(scope.as_str())).to_vec()),
        Kind::Whole { min, max } => of("integer").with("minimum", Json::Number(*min)).with("maximum", Json::Number(*max)),
        Kind::Flag => of("boolean"),
        Kind::List { of: item, max } => of("array").with("items", describe_kind(item)).with("maxItems", count(max)),
        Kind::Object(fields) => describe(fields),
    }
}

/// Names of the members in which two objects differ.
pub(crate) fn differing(fields: &'static [Field], a: &Json, b: &Json) -> Vec<Json> {
    fields.iter().filter(|field| a.get(field.name) != b.get(field.name)).map(|field| field.name.to_string().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_name_a_port_that_exists_and_no_user() {
        for url in [
            "https://host/",
            "https://host:8443/hook?x=1",
            "https://host:65535",
            "https://1.1.1.1:1/",
            "https://[2606:4700::1111]/",
            "https://[2606:4700::1111]:8443/",
        ] {
            assert!(is_url(url), "{url}");
        }
        for url in [
            "https://host:0/",
            "https://host:65536/",
            "https://host:/",
            "https://host:+1/",
            "https://host:8443:1@x/",
            "https://:8443/",
            "http://host/",
            "https://user@host/",
        ] {
            assert!(!is_url(url), "{url}");
        }
    }
}
