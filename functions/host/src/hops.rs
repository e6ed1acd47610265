//! What can be measured here of the way of what viewers wait for: from the store to this host, and from there to the answer. It goes the way
//! of reports, told apart by keys of objects; whose they are is not known here.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::objects::{ObjectKey, lock};

/// Measurements that nobody has taken so far.
pub(crate) struct Hops(Mutex<VecDeque<Measured>>);

struct Measured {
    hop: Hop,
    key: ObjectKey,
    took: Duration,
    at: Instant,
}

/// A stretch of the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hop {
    /// From the object's being in the store, as far as that can be told from here, to its being here.
    Visible,
    /// From there to the answer of those who waited for it.
    Edge,
}

/// Measurements that wait; the oldest go first. While players report they are taken every two seconds: two for each part of 64 streams.
const MOST: usize = 512;
/// Reports count for the minute in which they are told; where no player has reported for longer, nobody is told what was before.
const OLDEST: Duration = Duration::from_secs(30);

impl Hops {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Counts a stretch once for each object, by the first who has gone it.
    pub(crate) fn add(&self, hop: Hop, key: &ObjectKey, took: Duration) {
        let mut known = lock(&self.0);
        if known.iter().any(|before| before.hop == hop && before.key == *key) {
            return;
        }
        if known.len() == MOST {
            known.pop_front();
        }
        known.push_back(Measured { hop, key: key.clone(), took, at: Instant::now() });
    }

    /// What was measured since the last time, a line each.
    pub(crate) fn take(&self) -> String {
        let known = std::mem::take(&mut *lock(&self.0));
        known.iter().filter(|one| one.at.elapsed() < OLDEST).fold(String::new(), |mut lines, Measured { hop, key, took, .. }| {
            let hop = match hop {
                Hop::Visible => "visible",
                Hop::Edge => "edge",
            };
            // Writing to a String does not fail.
            let _ = writeln!(lines, "{hop} {key} {}", took.as_micros());
            lines
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_told_once_and_of_too_much_the_oldest_is_left_out() {
        let (hops, key) = (Hops::new(), ObjectKey::parse("live/demo/s/log/1").unwrap());
        hops.add(Hop::Visible, &key, Duration::from_micros(1500));
        hops.add(Hop::Edge, &key, Duration::from_millis(2));
        assert_eq!(hops.take(), "visible live/demo/s/log/1 1500\nedge live/demo/s/log/1 2000\n");
        assert_eq!(hops.take(), "");
        (0..2).for_each(|_| hops.add(Hop::Edge, &key, Duration::ZERO));
        assert_eq!(hops.take().lines().count(), 1);
        let key = |n: usize| ObjectKey::parse(&format!("live/demo/s/log/{n}")).unwrap();
        (0..=MOST).for_each(|n| hops.add(Hop::Edge, &key(n), Duration::ZERO));
        let told = hops.take();
        assert_eq!((told.lines().count(), told.lines().next()), (MOST, Some("edge live/demo/s/log/1 0")));
    }
}
