//! RFC 9218: which of the answers on one connection is sent first.
use std::{
    future::Future as _,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{HeaderMap, HeaderValue};
use tokio::time::Sleep;

use crate::objects::lock;

/// The longest that a body waits for more urgent ones: a viewer that does not read one of its streams must not stop the others.
const HOLD: Duration = Duration::from_millis(200);
/// What is sent of a body at one time where others may want to go first.
pub(crate) const SLICE: usize = 64 << 10;

/// From 0, the most urgent, to 7 (RFC 9218, 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Urgency(u8);

impl Urgency {
    /// Of an answer for which nobody says anything.
    const DEFAULT: Self = Self(3);

    /// What the answer says, else what the viewer says: the server knows which of its resources are needed first (section 8).
    pub(crate) fn of(answer: &HeaderMap, viewer: Option<&HeaderValue>) -> Self {
        let read = |value: &HeaderValue| Self::parse(value.to_str().ok()?);
        answer.get("priority").and_then(read).or_else(|| viewer.and_then(read)).unwrap_or(Self::DEFAULT)
    }

    /// Reads `u=N` out of a structured field dictionary; the last one counts, and what does not read is left out.
    fn parse(text: &str) -> Option<Self> {
        let urgencies = text.split(',').filter_map(|word| word.split(';').next()?.trim().strip_prefix("u="));
        urgencies.filter_map(|value| value.parse().ok().filter(|urgency| *urgency <= 7)).next_back().map(Self)
    }
}

/// The bodies that are under way on one connection.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<Sending>);

#[derive(Debug, Default)]
struct Sending {
    /// How many there are of each urgency.
    counts: [u32; 8],
    waiting: Vec<Waker>,
}

/// The place of one body among those of its connection.
#[derive(Debug)]
pub(crate) struct Turn {
    lanes: Arc<Lanes>,
    urgency: Urgency,
    hold: Option<Pin<Box<Sleep>>>,
    held: bool,
}

impl Lanes {
    pub(crate) fn turn(self: &Arc<Self>, urgency: Urgency) -> Turn {
        if let Some(count) = lock(&self.0).counts.get_mut(usize::from(urgency.0)) {
            *count += 1;
        }
        Turn { lanes: self.clone(), urgency, hold: None, held: false }
    }
}

impl Turn {
    /// Ready as long as nothing more urgent is under way, and in any case after `HOLD`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.held {
            return Poll::Ready(());
        }
        {
            let mut sending = lock(&self.lanes.0);
            let urgent = sending.counts.iter().take(usize::from(self.urgency.0)).any(|count| *count > 0);
            if !urgent {
                return Poll::Ready(());
            }
            if !sending.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                sending.waiting.push(cx.waker().clone());
            }
        }
        let hold = self.hold.get_or_insert_with(|| Box::pin(tokio::time::sleep(HOLD)));
        hold.as_mut().poll(cx).map(|()| self.held = true)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut sending = lock(&self.lanes.0);
        if let Some(count) = sending.counts.get_mut(usize::from(self.urgency.0)) {
            *count = count.saturating_sub(1);
        }
        for waker in sending.waiting.drain(..) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urgency(text: &str) -> Option<u8> {
        Urgency::parse(text).map(|urgency| urgency.0)
    }

    #[test]
    fn the_urgency_is_read_out_of_what_else_may_be_said() {
        assert_eq!((urgency("u=1"), urgency("u=5, i"), urgency("i, u=0;x"), urgency("u=2, u=6")), (Some(1), Some(5), Some(0), Some(6)));
        for bad in ["", "i", "u", "u=8", "u=-1", "u=x", "U=1"] {
            assert_eq!(urgency(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_answer_knows_better_than_the_viewer() {
        let mut answer = HeaderMap::new();
        let viewer = HeaderValue::from_static("u=6");
        assert_eq!(Urgency::of(&answer, None), Urgency::DEFAULT);
        assert_eq!(Urgency::of(&answer, Some(&viewer)), Urgency(6));
        answer.insert("priority", HeaderValue::from_static("u=1"));
        assert_eq!(Urgency::of(&answer, Some(&viewer)), Urgency(1));
    }

    #[tokio::test]
    async fn the_less_urgent_waits_until_the_other_is_sent_but_not_for_ever() {
        let lanes = Arc::new(Lanes::default());
        let (playlist, mut media, mut other) = (lanes.turn(Urgency(1)), lanes.turn(Urgency(3)), lanes.turn(Urgency(1)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(media.poll(&mut cx).is_pending() && other.poll(&mut cx).is_ready());
        drop(other);
        assert!(media.poll(&mut cx).is_pending());
        drop(playlist);
        assert!(media.poll(&mut cx).is_ready());
        let stuck = lanes.turn(Urgency(0));
        let start = tokio::time::Instant::now();
        std::future::poll_fn(|cx| media.poll(cx)).await;
        assert!(start.elapsed() >= HOLD - Duration::from_millis(5));
        assert!(media.poll(&mut cx).is_ready(), "who has waited once goes on");
        drop(stuck);
    }
}
