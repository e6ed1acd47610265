use alloc::vec::Vec;

use super::{Reader, Writer};
use crate::{Answer, Condition, Output};

/// An [`Output`] as the host reads it: what it says lies in the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said<'a> {
    /// [`Output::Fetch`].
    Fetch {
        /// The object.
        key: &'a str,
        /// First and last byte.
        range: Option<(u64, u64)>,
        /// Past every cache.
        fresh: bool,
        /// What is asked for next.
        ahead: Vec<&'a str>,
    },
    /// [`Output::Store`].
    Store {
        /// The object.
        key: &'a str,
        /// The media type.
        content_type: &'a str,
        /// What has to hold.
        condition: Condition,
        /// All of its bytes.
        body: &'a [u8],
    },
    /// [`Output::Delete`].
    Delete {
        /// The object.
        key: &'a str,
    },
    /// [`Output::Load`].
    Load {
        /// An absolute URL.
        url: &'a str,
        /// Headers to send.
        headers: Vec<(&'a str, &'a str)>,
        /// The most bytes.
        max_bytes: usize,
        /// The most ms.
        timeout_ms: u32,
    },
    /// [`Answer::Respond`].
    Respond {
        /// The status code.
        status: u16,
        /// The headers.
        headers: Vec<(&'a str, &'a str)>,
        /// The body.
        body: &'a [u8],
    },
    /// [`Answer::Wait`].
    Wait {
        /// The object.
        key: &'a str,
        /// Expected in this many ms.
        expect_ms: u64,
        /// No longer than this many ms.
        timeout_ms: u64,
    },
    /// [`Answer::Send`].
    Send {
        /// Keys and ranges.
        pieces: Vec<(&'a str, Option<(u64, u64)>)>,
        /// The headers.
        headers: Vec<(&'a str, &'a str)>,
    },
}

const FETCH: u8 = 1;
const STORE: u8 = 2;
const DELETE: u8 = 3;
const LOAD: u8 = 4;
const RESPOND: u8 = 5;
const WAIT: u8 = 6;
const SEND: u8 = 7;

impl Output {
    /// Writes what a component says to its host; [`Said`] reads it.
    #[must_use]
    pub fn say(&self) -> Vec<u8> {
        let mut to = Writer::default();
        match self {
            Self::Fetch { key, range, fresh, ahead } => {
                to.byte(FETCH);
                to.text(key);
                write_range(&mut to, *range);
                to.byte(u8::from(*fresh));
                ahead.iter().for_each(|key| to.text(key));
            }
            Self::Store { key, body, content_type, condition } => {
                to.byte(STORE);
                to.text(key);
                to.text(content_type);
                match condition {
                    Condition::None => to.byte(0),
                    Condition::Absent => to.byte(1),
                    Condition::Match(etag) => {
                        to.byte(2);
                        to.text(etag);
                    }
                }
                to.rest(body);
            }
            Self::Delete { key } => {
                to.byte(DELETE);
                to.text(key);
            }
            Self::Load { url, headers, max_bytes, timeout_ms } => {
                to.byte(LOAD);
                to.text(url);
                to.pairs(headers);
                to.long(*max_bytes as u64);
                to.number(*timeout_ms);
            }
            Self::Answer(Answer::Respond { status, headers, body }) => {
                to.byte(RESPOND);
                to.number(u32::from(*status));
                to.pairs(headers);
                to.rest(body);
            }
            Self::Answer(Answer::Wait { key, expect_ms, timeout_ms }) => {
                to.byte(WAIT);
                to.text(key);
                to.long(*expect_ms);
                to.long(*timeout_ms);
            }
            Self::Answer(Answer::Send { pieces, headers }) => {
                to.byte(SEND);
                to.pairs(headers);
                for piece in pieces {
                    to.text(&piece.key);
                    write_range(&mut to, piece.range);
                }
            }
        }
        to.finish()
    }
}

impl<'a> Said<'a> {
    /// Reads what a component said.
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let from = &mut Reader::new(message);
        let said = match from.byte()? {
            FETCH => {
                let (key, range, fresh) = (from.text()?, read_range(from)?, from.byte()? != 0);
                let mut ahead = Vec::new();
                while !from.end() {
                    ahead.push(from.text()?);
                }
                Self::Fetch { key, range, fresh, ahead }
            }
            STORE => {
                let [key, content_type] = [from.text()?, from.text()?];
                let condition = match from.byte()? {
                    0 => Condition::None,
                    1 => Condition::Absent,
                    2 => Condition::Match(from.owned()?),
                    _ => return None,
                };
                Self::Store { key, content_type, condition, body: from.rest() }
            }
            DELETE => Self::Delete { key: from.text()? },
            LOAD => {
                let (url, headers) = (from.text()?, from.pairs()?);
                Self::Load { url, headers, max_bytes: usize::try_from(from.long()?).unwrap_or(usize::MAX), timeout_ms: from.number()? }
            }
            RESPOND => {
                let status = u16::try_from(from.number()?).ok()?;
                Self::Respond { status, headers: from.pairs()?, body: from.rest() }
            }
            WAIT => Self::Wait { key: from.text()?, expect_ms: from.long()?, timeout_ms: from.long()? },
            SEND => {
                let headers = from.pairs()?;
                let mut pieces = Vec::new();
                while !from.end() {
                    pieces.push((from.text()?, read_range(from)?));
                }
                Self::Send { pieces, headers }
            }
            _ => return None,
        };
        from.end().then_some(said)
    }
}

fn write_range(to: &mut Writer, range: Option<(u64, u64)>) {
    match range {
        None => to.byte(0),
        Some((first, last)) => {
            to.byte(1);
            to.long(first);
            to.long(last);
        }
    }
}

/// A range that ends before it begins is no range.
fn read_range(from: &mut Reader<'_>) -> Option<Option<(u64, u64)>> {
    if from.byte()? == 0 {
        return Some(None);
    }
    let range = (from.long()?, from.long()?);
    (range.0 <= range.1).then_some(Some(range))
}
