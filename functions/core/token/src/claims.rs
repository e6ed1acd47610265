use alloc::{string::String, vec::Vec};

use crate::cbor::Value;

/// What a token says. Times are in seconds since 1970, as in the token.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claims {
    /// `iss`: who made it.
    pub issuer: Option<String>,
    /// `sub`: whom it is for.
    pub subject: Option<String>,
    /// `aud`: which services it is for; empty: any.
    pub audience: Vec<String>,
    /// `exp`: from then on it opens nothing.
    pub expires_s: Option<u64>,
    /// `nbf`: before then it opens nothing.
    pub not_before_s: Option<u64>,
    /// `iat`: when it was made.
    pub issued_s: Option<u64>,
    /// `cti`: its name, by which it is revoked.
    pub id: Option<Vec<u8>>,
    /// `catu`: which addresses it opens; all of them have to fit.
    pub uri: Vec<Match>,
    /// `catm`: which methods it opens; empty: any.
    pub methods: Vec<String>,
    /// `catgeoiso3166`: from where it opens, as `DE` or `US-CA`; empty: from anywhere.
    pub countries: Vec<String>,
    /// `catr`: how it is renewed.
    pub renewal: Option<Renewal>,
}

/// One condition on a part of the address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    /// The part.
    pub part: UriPart,
    /// How it has to fit.
    pub kind: MatchKind,
    /// The text; for a hash its lower-case hexadecimal digits.
    pub text: String,
}

/// A part of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UriPart {
    /// `https`.
    Scheme,
    /// `live.example`.
    Host,
    /// `8443`; empty where the address has none.
    Port,
    /// `/live/demo/index.m3u8`.
    Path,
    /// Without the question mark.
    Query,
    /// `/live/demo`.
    ParentPath,
    /// `index.m3u8`.
    Filename,
    /// `index`.
    Stem,
    /// `.m3u8`.
    Extension,
}

/// How a text has to fit. Regular expressions are refused: an engine for them costs more than it opens, and every use of them that
/// streams need can be said with the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MatchKind {
    /// Equal.
    Exact,
    /// Begins with it.
    Prefix,
    /// Ends with it.
    Suffix,
    /// Holds it.
    Contains,
    /// Its SHA-256 is that.
    Sha256,
}

/// `catr`: a token that is used shortly before its end is followed by a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewal {
    /// How the new one comes.
    pub kind: RenewalKind,
    /// Seconds that the new one is good for.
    pub adds_s: u64,
    /// It is renewed in this many seconds before its end; none: half of `adds_s`.
    pub deadline_s: Option<u64>,
    /// The cookie or the header.
    pub name: Option<String>,
    /// What is added to a Set-Cookie, as `Secure`.
    pub parameters: Vec<String>,
    /// 301, 302, 303, 307, 308; none: 302.
    pub status: Option<u16>,
}

/// How a renewed token comes to the viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenewalKind {
    /// As the old one came.
    Automatic,
    /// As a cookie.
    Cookie,
    /// As a header of the answer.
    Header,
    /// By a redirect to the same address with the new token.
    Redirect,
}

/// Why claims cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClaimsError {
    /// The value of this claim is not of its type.
    Value(i64),
    /// This claim is not understood, and may be there to narrow the others.
    Unknown(i64),
    /// Not a map with integers as its keys.
    Shape,
}

const ISS: i64 = 1;
const SUB: i64 = 2;
const AUD: i64 = 3;
const EXP: i64 = 4;
const NBF: i64 = 5;
const IAT: i64 = 6;
const CTI: i64 = 7;
const CATREPLAY: i64 = 308;
const CATV: i64 = 310;
const CATU: i64 = 312;
const CATM: i64 = 313;
const CATGEOISO3166: i64 = 316;
const CATR: i64 = 323;

const VERSION: i64 = 1;

impl Claims {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ClaimsError> {
        let value = Value::decode(bytes).ok_or(ClaimsError::Shape)?;
        let mut claims = Self::default();
        for (key, value) in value.map().ok_or(ClaimsError::Shape)? {
            let key = key.integer().ok_or(ClaimsError::Shape)?;
            let bad = || ClaimsError::Value(key);
            match key {
                ISS => claims.issuer = Some(text(value).ok_or_else(bad)?),
                SUB => claims.subject = Some(text(value).ok_or_else(bad)?),
                AUD => claims.audience = one_or_more(value).ok_or_else(bad)?,
                EXP => claims.expires_s = Some(seconds(value, false).ok_or_else(bad)?),
                NBF => claims.not_before_s = Some(seconds(value, true).ok_or_else(bad)?),
                IAT => claims.issued_s = Some(seconds(value, false).ok_or_else(bad)?),
                CTI => match value {
                    Value::Bytes(bytes) => claims.id = Some(bytes.clone()),
                    _ => return Err(bad()),
                },
                CATV if value.integer() == Some(VERSION) => {}
                // 0: it may be used as often as one likes. Others need a memory that edges do not share.
                CATREPLAY if value.integer() == Some(0) => {}
                CATU => claims.uri = matches(value).ok_or_else(bad)?,
                CATM => claims.methods = texts(value).ok_or_else(bad)?,
                CATGEOISO3166 => claims.countries = texts(value).ok_or_else(bad)?,
                CATR => claims.renewal = Some(renewal(value).ok_or_else(bad)?),
                CATV | CATREPLAY => return Err(bad()),
                key => return Err(ClaimsError::Unknown(key)),
            }
        }
        Ok(claims)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut pairs = Vec::new();
        let mut push = |key: i64, value: Option<Value>| {
            if let Some(value) = value {
                pairs.push((Value::Integer(key), value));
            }
        };
        let time = |time: Option<u64>| time.map(|s| Value::Integer(i64::try_from(s).unwrap_or(i64::MAX)));
        push(ISS, self.issuer.clone().map(Value::Text));
        push(SUB, self.subject.clone().map(Value::Text));
        push(
            AUD,
            match self.audience.as_slice() {
                [] => None,
                [one] => Some(Value::Text(one.clone())),
                more => Some(array(more)),
            },
        );
        push(EXP, time(self.expires_s));
        push(NBF, time(self.not_before_s));
        push(IAT, time(self.issued_s));
        push(CTI, self.id.clone().map(Value::Bytes));
        push(CATV, Some(Value::Integer(VERSION)));
        push(CATU, (!self.uri.is_empty()).then(|| self.uri_map()));
        push(CATM, (!self.methods.is_empty()).then(|| array(&self.methods)));
        push(CATGEOISO3166, (!self.countries.is_empty()).then(|| array(&self.countries)));
        push(CATR, self.renewal.as_ref().map(Renewal::value));
        let mut out = Vec::new();
        Value::Map(pairs).encode(&mut out);
        out
    }

    /// A map of the parts, each with a map of its conditions.
    fn uri_map(&self) -> Value {
        let mut parts: Vec<(Value, Value)> = Vec::new();
        for Match { part, kind, text } in &self.uri {
            let part = Value::Integer(part.label());
            let condition = (Value::Integer(kind.label()), Value::Text(text.clone()));
            match parts.iter_mut().find(|(known, _)| *known == part) {
                Some((_, Value::Map(conditions))) => conditions.push(condition),
                _ => parts.push((part, Value::Map(Vec::from([condition])))),
            }
        }
        Value::Map(parts)
    }
}

impl UriPart {
    const ALL: [Self; 9] =
        [Self::Scheme, Self::Host, Self::Port, Self::Path, Self::Query, Self::ParentPath, Self::Filename, Self::Stem, Self::Extension];

    fn label(self) -> i64 {
        self as i64
    }

    fn of(label: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(label).ok()?).copied()
    }
}

impl MatchKind {
    fn label(self) -> i64 {
        match self {
            Self::Exact => 0,
            Self::Prefix => 1,
            Self::Suffix => 2,
            Self::Contains => 3,
            Self::Sha256 => -1,
        }
    }

    fn of(label: i64) -> Option<Self> {
        [Self::Exact, Self::Prefix, Self::Suffix, Self::Contains, Self::Sha256].into_iter().find(|kind| kind.label() == label)
    }
}

const TYPE: i64 = 0;
const EXPADD: i64 = 1;
const DEADLINE: i64 = 2;
const COOKIE_NAME: i64 = 3;
const HEADER_NAME: i64 = 4;
const COOKIE_PARAMS: i64 = 5;
const HEADER_PARAMS: i64 = 6;
const STATUS: i64 = 7;

impl Renewal {
    fn value(&self) -> Value {
        let name_key = if self.kind == RenewalKind::Header { HEADER_NAME } else { COOKIE_NAME };
        let parameters_key = if self.kind == RenewalKind::Header { HEADER_PARAMS } else { COOKIE_PARAMS };
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let mut pairs = Vec::from([(TYPE, Value::Integer(self.kind as i64)), (EXPADD, number(self.adds_s))]);
        pairs.extend(self.deadline_s.map(|deadline| (DEADLINE, number(deadline))));
        pairs.extend(self.name.clone().map(|name| (name_key, Value::Text(name))));
        pairs.extend((!self.parameters.is_empty()).then(|| (parameters_key, array(&self.parameters))));
        pairs.extend(self.status.map(|status| (STATUS, number(status.into()))));
        Value::Map(pairs.into_iter().map(|(key, value)| (Value::Integer(key), value)).collect())
    }
}

fn renewal(value: &Value) -> Option<Renewal> {
    let of = |label: i64| value.map()?.iter().find(|(key, _)| key.integer() == Some(label)).map(|(_, value)| value);
    let number = |label: i64| of(label).map(|value| u64::try_from(value.integer()?).ok());
    let kind = match of(TYPE)?.integer()? {
        0 => RenewalKind::Automatic,
        1 => RenewalKind::Cookie,
        2 => RenewalKind::Header,
        3 => RenewalKind::Redirect,
        _ => return None,
    };
    let (name, parameters) = if kind == RenewalKind::Header { (HEADER_NAME, HEADER_PARAMS) } else { (COOKIE_NAME, COOKIE_PARAMS) };
    let status = match number(STATUS) {
        Some(status) => Some(u16::try_from(status?).ok().filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308))?),
        None => None,
    };
    let name = of(name).map(text);
    let parameters = of(parameters).map_or(Some(Vec::new()), one_or_more)?;
    // They go into a header as they are.
    let plain = |text: &String| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let is_name = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !parameters.iter().all(plain) || name.as_ref().is_some_and(|name| !name.as_ref().is_some_and(is_name)) {
        return None;
    }
    Some(Renewal {
        kind,
        adds_s: number(EXPADD)??,
        deadline_s: match number(DEADLINE) {
            Some(deadline) => Some(deadline?),
            None => None,
        },
        name: name.flatten(),
        parameters,
        status,
    })
}

fn matches(value: &Value) -> Option<Vec<Match>> {
    let mut found = Vec::new();
    for (part, conditions) in value.map()? {
        let part = UriPart::of(part.integer()?)?;
        for (kind, value) in conditions.map()? {
            let kind = MatchKind::of(kind.integer()?)?;
            let text = match value {
                Value::Text(text) => text.clone(),
                Value::Bytes(bytes) if kind == MatchKind::Sha256 => bytes.iter().map(|b| alloc::format!("{b:02x}")).collect(),
                _ => return None,
            };
            found.push(Match { part, kind, text });
        }
    }
    Some(found)
}

/// A time; fractions end at the second that narrows.
fn seconds(value: &Value, up: bool) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        // RFC 8949 tag 1 may stand around a time.
        Value::Tag(1, inner) if !matches!(**inner, Value::Tag(..)) => seconds(inner, up),
        Value::Float(number) if *number >= 0.0 && *number < 9e15 => Some(*number as u64 + u64::from(up)),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    value.text().map(String::from)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.array()?.iter().map(text).collect()
}

fn one_or_more(value: &Value) -> Option<Vec<String>> {
    text(value).map(|one| Vec::from([one])).or_else(|| texts(value))
}

fn array(texts: &[String]) -> Value {
    Value::Array(texts.iter().cloned().map(Value::Text).collect())
}
