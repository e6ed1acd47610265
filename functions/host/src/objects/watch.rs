use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

use super::{Ask, FetchError, Found, Kept, ObjectKey, Objects, lock, schedule::next_poll};

/// One held GET; shorter than the idle timeouts of proxies on the way.
const HOLD: Duration = Duration::from_secs(20);
/// A held GET that failed, or came back at once with nothing, is tried again after this.
const HOLD_PAUSE: Duration = Duration::from_millis(100);
/// An upstream holds a GET for whole seconds.
const HOLD_LEAST: Duration = Duration::from_millis(500);

/// How a watch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watched {
    /// The object exists, and is kept.
    There,
    /// It does not exist so far, or the host stops.
    TimedOut,
    /// Too many keys are watched.
    Refused,
}

/// The keys that somebody waits for; one watcher for each, however many wait.
pub(super) struct Watchers {
    keys: Mutex<HashMap<ObjectKey, Watcher>>,
    limit: usize,
}

#[derive(Clone)]
struct Watcher {
    /// Becomes true when the object is there. Who waits, subscribes; without subscribers the watcher ends.
    there: Arc<watch::Sender<bool>>,
    expected: Arc<Expected>,
}

/// When the key is expected; whoever expects it earliest counts.
struct Expected {
    at: Mutex<Instant>,
    earlier: Notify,
}

impl Watchers {
    pub(super) fn new(limit: usize) -> Self {
        Self { keys: Mutex::default(), limit }
    }

    /// Whether a watcher looks after this key and has not found it.
    pub(super) fn says_not_yet(&self, key: &ObjectKey) -> bool {
        lock(&self.keys).contains_key(key)
    }
}

impl Expected {
    fn advance(&self, at: Instant) {
        let mut current = lock(&self.at);
        if at < *current {
            *current = at;
            self.earlier.notify_one();
        }
    }
}

impl Objects {
    /// Waits until the object exists, at most for `timeout`. `expect` says in how long it probably will.
    pub async fn watch(self: &Arc<Self>, key: &ObjectKey, expect: Duration, timeout: Duration) -> Watched {
        if matches!(self.kept(key), Some(Kept::Object { .. } | Kept::Large(_))) {
            return Watched::There;
        }
        let now = Instant::now();
        let Some(mut there) = self.subscribe(key, now + expect) else {
            return Watched::Refused;
        };
        let found = timeout_at(now + timeout, there.wait_for(|there| *there));
        tokio::select! {
            found = found => match found {
                Ok(Ok(_)) => Watched::There,
                // The watcher ends without finding the key only when the host stops.
                Ok(Err(_)) | Err(_) => Watched::TimedOut,
            },
            () = self.stop.cancelled() => Watched::TimedOut,
        }
    }

    fn subscribe(self: &Arc<Self>, key: &ObjectKey, expected: Instant) -> Option<watch::Receiver<bool>> {
        let mut keys = lock(&self.watchers.keys);
        if let Some(watcher) = keys.get(key) {
            watcher.expected.advance(expected);
            return Some(watcher.there.subscribe());
        }
        if keys.len() >= self.watchers.limit {
            return None;
        }
        let (there, receiver) = watch::channel(false);
        let expected = Arc::new(Expected { at: Mutex::new(expected), earlier: Notify::new() });
        let watcher = Watcher { there: Arc::new(there), expected };
        keys.insert(key.clone(), watcher.clone());
        let (objects, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            let _held = objects.metrics.watchers.hold();
            tokio::select! {
                () = objects.look_for(&key, &watcher) => {}
                () = objects.stop.cancelled() => {}
            }
        });
        Some(receiver)
    }

    /// Ends when the object is found or nobody waits for it any more.
    async fn look_for(&self, key: &ObjectKey, watcher: &Watcher) {
        let start = Instant::now();
        let mut failing = false;
        loop {
            if self.nobody_waits(key, watcher) {
                return;
            }
            let hold = self.upstream.may_wait().then_some(HOLD);
            if hold.is_none() && !self.sleep_until_poll(start, watcher).await {
                continue;
            }
            self.metrics.watch_polls.add(1);
            let expect = lock(&watcher.expected.at).saturating_duration_since(Instant::now());
            let ask = Ask { wait: hold, expect, limit: self.whole, ..Ask::default() };
            // A held GET must not outlive the last who waits.
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.upstream.get_once(key, &ask) => answer,
                () = watcher.there.closed() => continue,
            };
            match answer {
                Ok(Found::Object(object)) => {
                    self.keep(key, object);
                    break;
                }
                Err(FetchError::TooLarge(len)) => {
                    self.keep_note(key, Kept::Large(len));
                    break;
                }
                Ok(Found::Absent | Found::NotModified) => {
                    failing = false;
                    // One that says that it holds requests, and does not, is not asked in a tight loop.
                    if hold.is_some() && self.upstream.waits() && asked.elapsed() < HOLD_LEAST {
                        tokio::time::sleep(HOLD_PAUSE).await;
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%key, %error, "the upstream fails while a key is watched");
                    }
                    failing = true;
                    if hold.is_some() {
                        tokio::time::sleep(HOLD_PAUSE).await;
                    }
                }
            }
        }
        // First out of the map, so that who asks from here on reads the object; then wake who waits.
        lock(&self.watchers.keys).remove(key);
        watcher.there.send_replace(true);
    }

    /// Sleeps until the next poll is due; false when the key is expected earlier than it was.
    async fn sleep_until_poll(&self, start: Instant, watcher: &Watcher) -> bool {
        let now = start.elapsed();
        let expected = lock(&watcher.expected.at).saturating_duration_since(start);
        tokio::select! {
            () = tokio::time::sleep(next_poll(now, expected)) => true,
            () = watcher.expected.earlier.notified() => false,
        }
    }

    /// Ends the watcher under the lock, so that nobody subscribes to one that has ended.
    fn nobody_waits(&self, key: &ObjectKey, watcher: &Watcher) -> bool {
        let mut keys = lock(&self.watchers.keys);
        let nobody = watcher.there.receiver_count() == 0;
        if nobody {
            keys.remove(key);
        }
        nobody
    }
}
