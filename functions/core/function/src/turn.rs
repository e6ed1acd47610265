//! One function between host and component, bytes in and bytes out: the host says what happened, the component what it wants next.
//!
//! Numbers are little-endian; texts, bodies and lists have their length in 32 bits in front. Neither side trusts the other: what does
//! not read to its last byte is `None`, and nothing is allocated by a length that is only claimed.
mod read;
mod said;
mod write;

use alloc::vec::Vec;

pub use self::said::Said;
use self::{read::Reader, write::Writer};
use crate::{Fetched, Input, Loaded, Reach, Request, Stored, Waited, World};

/// The address at which a component takes what players have reported, many reports in one body. No viewer's request has it.
pub const REPORTS: &str = "/tidegate-reports";
/// Among reports the address of what a host has measured of the way of records: a line for each, `visible` or `edge`, the key of the record
/// and µs. No viewer's request has it.
pub const HOPS: &str = "/tidegate-hops";
/// What a component exports to be driven by turns; its version is that of these words.
pub const TURNS: &str = "tidegate:functions/turns@2.0.0";

/// What a host says to a component. A call is over with its first answer; one that a host gives up has to be forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// A request, under a number that no other call of the instance has.
    Begin {
        /// The number.
        call: u32,
        /// The world at this moment.
        world: World,
        /// The request.
        request: Request,
    },
    /// What came of what the call wanted.
    Go {
        /// The number of the call.
        call: u32,
        /// The world at this moment.
        world: World,
        /// What came of it.
        input: Input,
    },
    /// Nobody waits for this call any more.
    Forget {
        /// The number of the call.
        call: u32,
    },
}

const BEGIN: u8 = 1;
const GO: u8 = 2;
const FORGET: u8 = 3;

impl Turn {
    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut to = Writer::default();
        match self {
            Self::Begin { call, world, request } => {
                to.head(BEGIN, *call, world);
                to.text(&request.method);
                to.text(&request.path);
                to.text(&request.query);
                to.pairs(&request.headers);
                to.byte(match request.waited {
                    None => 0,
                    Some(Waited::There) => 1,
                    Some(Waited::Timeout) => 2,
                });
                to.byte(match request.reach {
                    Reach::Blocking => 0,
                    Reach::Parts => 1,
                    Reach::Segments => 2,
                });
                to.rest(&request.body);
            }
            Self::Go { call, world, input } => {
                to.head(GO, *call, world);
                write_input(&mut to, input);
            }
            Self::Forget { call } => {
                to.byte(FORGET);
                to.number(*call);
            }
        }
        to.finish()
    }

    /// Reads a message.
    #[must_use]
    pub fn read(message: Vec<u8>) -> Option<Self> {
        let mut from = Reader::new(&message);
        let (kind, call) = (from.byte()?, from.number()?);
        if kind == FORGET {
            return from.end().then_some(Self::Forget { call });
        }
        let world = World { now_utc_ms: from.long()?, random: from.random()? };
        match kind {
            BEGIN => {
                let [method, path, query] = [from.owned()?, from.owned()?, from.owned()?];
                let headers = from.owned_pairs()?;
                let waited = match from.byte()? {
                    0 => None,
                    1 => Some(Waited::There),
                    2 => Some(Waited::Timeout),
                    _ => return None,
                };
                let reach = match from.byte()? {
                    0 => Reach::Blocking,
                    1 => Reach::Parts,
                    2 => Reach::Segments,
                    _ => return None,
                };
                let at = from.at();
                Some(Self::Begin { call, world, request: Request { method, path, query, headers, waited, reach, body: tail(message, at) } })
            }
            GO => {
                let (input, at) = read_input(&mut from)?;
                let input = match input {
                    // The body is the end of the message, and takes its place in memory.
                    Input::Fetched(Fetched::Got { etag, age_ms, .. }) => {
                        Input::Fetched(Fetched::Got { bytes: tail(message, at), etag, age_ms })
                    }
                    Input::Loaded(Loaded::Got { status, headers, .. }) => {
                        Input::Loaded(Loaded::Got { status, headers, body: tail(message, at) })
                    }
                    other if at == message.len() => other,
                    _ => return None,
                };
                Some(Self::Go { call, world, input })
            }
            _ => None,
        }
    }
}

const MISSING: u8 = 1;
const FAILED: u8 = 2;
const GOT: u8 = 3;
const GOT_NAMED: u8 = 4;
const DONE: u8 = 5;
const DONE_NAMED: u8 = 6;
const CONFLICT: u8 = 7;
const NOT_STORED: u8 = 8;
const LOADED: u8 = 9;
const TOO_LARGE: u8 = 10;
const DENIED: u8 = 11;
const NOT_LOADED: u8 = 12;

fn write_input(to: &mut Writer, input: &Input) {
    match input {
        Input::Fetched(Fetched::Missing) => to.byte(MISSING),
        Input::Fetched(Fetched::Failed) => to.byte(FAILED),
        Input::Fetched(Fetched::Got { bytes, etag, age_ms }) => {
            to.maybe(GOT, GOT_NAMED, etag.as_deref());
            // No object is as old as this.
            to.long(age_ms.unwrap_or(u64::MAX));
            to.rest(bytes);
        }
        Input::Stored(Stored::Done { etag }) => to.maybe(DONE, DONE_NAMED, etag.as_deref()),
        Input::Stored(Stored::Conflict) => to.byte(CONFLICT),
        Input::Stored(Stored::Failed) => to.byte(NOT_STORED),
        Input::Loaded(Loaded::Got { status, headers, body }) => {
            to.byte(LOADED);
            to.number(u32::from(*status));
            to.pairs(headers);
            to.rest(body);
        }
        Input::Loaded(Loaded::TooLarge) => to.byte(TOO_LARGE),
        Input::Loaded(Loaded::Denied) => to.byte(DENIED),
        Input::Loaded(Loaded::Failed) => to.byte(NOT_LOADED),
    }
}

/// What came of something, without its body, and where that begins.
fn read_input(from: &mut Reader<'_>) -> Option<(Input, usize)> {
    let input = match from.byte()? {
        MISSING => Input::Fetched(Fetched::Missing),
        FAILED => Input::Fetched(Fetched::Failed),
        kind @ (GOT | GOT_NAMED) => {
            let etag = if kind == GOT { None } else { Some(from.owned()?) };
            let age_ms = Some(from.long()?).filter(|age_ms| *age_ms != u64::MAX);
            Input::Fetched(Fetched::Got { bytes: Vec::new(), etag, age_ms })
        }
        DONE => Input::Stored(Stored::Done { etag: None }),
        DONE_NAMED => Input::Stored(Stored::Done { etag: Some(from.owned()?) }),
        CONFLICT => Input::Stored(Stored::Conflict),
        NOT_STORED => Input::Stored(Stored::Failed),
        LOADED => {
            let status = u16::try_from(from.number()?).ok()?;
            Input::Loaded(Loaded::Got { status, headers: from.owned_pairs()?, body: Vec::new() })
        }
        TOO_LARGE => Input::Loaded(Loaded::TooLarge),
        DENIED => Input::Loaded(Loaded::Denied),
        NOT_LOADED => Input::Loaded(Loaded::Failed),
        _ => return None,
    };
    Some((input, from.at()))
}

/// What follows the head of a message, in the memory of the message.
fn tail(mut message: Vec<u8>, at: usize) -> Vec<u8> {
    message.drain(..at.min(message.len()));
    message
}

#[cfg(test)]
mod tests;
