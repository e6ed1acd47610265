use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::urgency::{SLICE, Turn};

/// The body of an answer: bytes that lie in memory already, sent without copying.
#[derive(Debug, Default)]
pub(crate) struct Body {
    chunks: VecDeque<Bytes>,
    len: u64,
    /// Where others on the same connection may have to go first.
    turn: Option<Turn>,
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn one(bytes: Bytes) -> Self {
        Self::chunks([bytes])
    }

    pub(crate) fn chunks(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        let chunks: VecDeque<_> = chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect();
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { chunks, len, turn: None }
    }

    /// Sends the body when it is its turn among those of the connection.
    pub(crate) fn in_turn(self, turn: Turn) -> Self {
        Self { turn: Some(turn), ..self }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes `first..=last` of the body.
    pub(crate) fn cut(self, first: u64, last: u64) -> Self {
        let mut start = 0;
        let mut cut = Vec::new();
        for chunk in self.chunks {
            let len = chunk.len() as u64;
            let from = first.clamp(start, start + len) - start;
            let to = last.saturating_add(1).clamp(start, start + len) - start;
            if from < to {
                cut.push(chunk.slice(from as usize..to as usize));
            }
            start += len;
        }
        Self::chunks(cut)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = &mut *self;
        let Some(first) = body.chunks.front_mut() else { return Poll::Ready(None) };
        let chunk = match &mut body.turn {
            Some(turn) => {
                ready!(turn.poll(cx));
                first.split_to(first.len().min(SLICE))
            }
            None => std::mem::take(first),
        };
        if first.is_empty() {
            body.chunks.pop_front();
        }
        if body.chunks.is_empty() {
            body.turn = None;
        }
        body.len -= chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: Body) -> String {
        body.chunks.iter().flat_map(|chunk| chunk.to_vec()).map(char::from).collect()
    }

    #[test]
    fn cuts_cross_chunks() {
        let all = "abcdefghij";
        for first in 0..10_u64 {
            for last in first..12 {
                let body = Body::chunks(["abc", "", "defg", "hij"].map(Bytes::from)).cut(first, last);
                let expected = &all[first as usize..(last as usize + 1).min(10)];
                assert_eq!(body.len(), expected.len() as u64);
                assert_eq!(text(body), expected);
            }
        }
    }
}
