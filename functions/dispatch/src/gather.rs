use std::vec;

use tidegate_function::{Fetched, Header, Piece, Ranged};

use crate::dispatch::Settled;

/// An answer that is put together from pieces of objects, where the host does not send them itself. All of them before the first byte is
/// sent: a status cannot be taken back, and they are a few seconds of media.
#[derive(Debug)]
pub(crate) struct Gather {
    rest: vec::IntoIter<Piece>,
    headers: Vec<Header>,
    body: Vec<u8>,
    range: Option<String>,
    /// The range that the pieces were cut to: first and last byte, and the length of the whole.
    cut: Option<(u64, u64, u64)>,
}

impl Gather {
    /// Starts with what a `Range` header asks for; where the length is known, only that is read.
    pub(crate) fn new(mut pieces: Vec<Piece>, mut headers: Vec<Header>, range: Option<String>) -> Result<Self, Settled> {
        headers.push(("accept-ranges", "bytes".into()));
        let mut cut = None;
        if let (Some(len), Some(range)) = (len(&pieces), range.as_deref()) {
            match Ranged::of(Some(range), len) {
                Ranged::Whole => {}
                Ranged::Unsatisfiable => return Err(unsatisfiable(headers, len)),
                Ranged::Bytes { first, last } => {
                    pieces = within(pieces, first, last);
                    cut = Some((first, last, len));
                }
            }
        }
        Ok(Self { rest: pieces.into_iter(), headers, body: Vec::new(), range, cut })
    }

    /// The piece to read next.
    pub(crate) fn next(&self) -> Option<&Piece> {
        self.rest.as_slice().first()
    }

    /// Takes a piece; the answer where it is not there.
    pub(crate) fn take(&mut self, fetched: Fetched) -> Result<(), Settled> {
        let wanted = self.rest.next().and_then(|piece| piece.range);
        match fetched {
            Fetched::Got { bytes, .. } if wanted.is_some_and(|(first, last)| bytes.len() as u64 != last - first + 1) => {
                Err(refuse(502, "the object is shorter than its index says\n"))
            }
            Fetched::Got { bytes, .. } if self.body.is_empty() => {
                self.body = bytes;
                Ok(())
            }
            Fetched::Got { bytes, .. } => {
                self.body.extend_from_slice(&bytes);
                Ok(())
            }
            Fetched::Missing => Err(refuse(404, "the media is no longer there\n")),
            Fetched::Failed => Err(refuse(503, "the store does not answer\n")),
        }
    }

    /// The answer, with every piece read.
    pub(crate) fn finish(mut self) -> Settled {
        if self.cut.is_none() {
            let len = self.body.len() as u64;
            match Ranged::of(self.range.as_deref(), len) {
                Ranged::Whole => return Settled { status: 200, headers: self.headers, body: self.body },
                Ranged::Unsatisfiable => return unsatisfiable(self.headers, len),
                Ranged::Bytes { first, last } => {
                    self.body.truncate(usize::try_from(last + 1).unwrap_or(usize::MAX));
                    self.body.drain(..usize::try_from(first).unwrap_or(usize::MAX).min(self.body.len()));
                    self.cut = Some((first, last, len));
                }
            }
        }
        if let Some((first, last, len)) = self.cut {
            self.headers.push(("content-range", format!("bytes {first}-{last}/{len}").into()));
        }
        Settled { status: 206, headers: self.headers, body: self.body }
    }
}

pub(crate) fn refuse(status: u16, line: &str) -> Settled {
    let mut headers: Vec<Header> = vec![
        ("content-type", "text/plain; charset=utf-8".into()),
        ("cache-control", "no-store".into()),
        ("access-control-allow-origin", "*".into()),
    ];
    if status == 503 {
        headers.push(("retry-after", "1".into()));
    }
    Settled { status, headers, body: line.into() }
}

/// The answer to who has all of it already.
pub(crate) fn unchanged(mut headers: Vec<Header>) -> Settled {
    headers.retain(|(name, _)| *name != "content-type");
    Settled { status: 304, headers, body: Vec::new() }
}

fn unsatisfiable(mut headers: Vec<Header>, len: u64) -> Settled {
    headers.retain(|(name, _)| !matches!(*name, "content-type" | "cache-control"));
    headers.push(("cache-control", "no-store".into()));
    headers.push(("content-range", format!("bytes */{len}").into()));
    Settled { status: 416, headers, body: Vec::new() }
}

/// The length of all pieces, where each says its own.
fn len(pieces: &[Piece]) -> Option<u64> {
    pieces.iter().map(|piece| piece.range.and_then(|(first, last)| last.checked_sub(first)?.checked_add(1))).sum()
}

/// The bytes `first..=last` of what the pieces are one after the other.
fn within(pieces: Vec<Piece>, first: u64, last: u64) -> Vec<Piece> {
    let mut at = 0;
    let mut cut = Vec::new();
    for Piece { key, range } in pieces {
        let Some((own_first, own_last)) = range else { continue };
        let len = own_last - own_first + 1;
        let (from, until) = (first.max(at), last.min(at + len - 1));
        if from <= until {
            cut.push(Piece { key, range: Some((own_first + from - at, own_first + until - at)) });
        }
        at += len;
    }
    cut
}
