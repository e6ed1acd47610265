use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{
    Ask, FetchError, Found, Kept, ObjectKey, Objects,
    habit::{Habit, Looks},
    lock,
    schedule::{first_poll, next_poll},
};
use crate::{hops::Hop, lru::Lru};

/// One held GET; shorter than the idle timeouts of proxies on the way.
const HOLD: Duration = Duration::from_secs(20);
/// A held GET that failed, or came back at once with nothing, is tried again after this.
const HOLD_PAUSE: Duration = Duration::from_millis(100);
/// An upstream holds a GET for whole seconds.
const HOLD_LEAST: Duration = Duration::from_millis(500);

/// Looks for one key under way at once.
const LOOKS: usize = 4;
/// What a look that finds nothing takes, in µs, before there has been one.
const MISS_US: u32 = 5_000;
/// No more than this counts of one, in µs.
const MISS_MAX_US: u32 = 100_000;
/// A new figure counts this much, one in so many.
const MISS_SHARE: u32 = 8;
/// A look that takes this many times as long as looks that find nothing usually take is not waited for …
const PATIENCE: u32 = 2;
/// … but for this long at least.
const PATIENCE_LEAST: Duration = Duration::from_millis(4);
/// What the habits of all folders may weigh; a folder is a session that is watched.
const HABITS_BYTES: usize = 1 << 20;
/// What a habit weighs beside its folder's name.
const HABIT_BYTES: usize = 128;

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
    /// By folder.
    habits: Mutex<Lru<String, Habit>>,
    /// What a look that finds nothing usually takes, in µs.
    miss_us: AtomicU32,
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
        Self { keys: Mutex::default(), habits: Mutex::new(Lru::new(HABITS_BYTES)), miss_us: AtomicU32::new(MISS_US), limit }
    }

    fn habit(&self, key: &ObjectKey) -> Habit {
        lock(&self.habits).get(key.folder()).copied().unwrap_or_default()
    }

    /// After this a look is not waited for any more.
    fn patience(&self) -> Duration {
        Duration::from_micros((PATIENCE * self.miss_us.load(Relaxed)).into()).max(PATIENCE_LEAST)
    }

    fn note_miss(&self, took: Duration) {
        let (known, took) = (self.miss_us.load(Relaxed), u32::try_from(took.as_micros()).unwrap_or(u32::MAX).min(MISS_MAX_US));
        // Two at once may lose one; the figure is the same a moment later.
        self.miss_us.store(known - known / MISS_SHARE + took / MISS_SHARE, Relaxed);
    }

    fn learn(&self, key: &ObjectKey, looks: &Looks) {
        let mut habits = lock(&self.habits);
        let mut habit = habits.get(key.folder()).copied().unwrap_or_default();
        habit.learn(looks);
        habits.insert(key.folder().into(), habit, key.folder().len() + HABIT_BYTES);
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
            let found = match self.upstream.may_wait() {
                true => self.hold(key, watcher, &mut failing).await,
                false => self.poll(key, watcher, start, &mut failing).await,
            };
            if found {
                break;
            }
        }
        // First out of the map, so that who asks from here on reads the object; then wake who waits.
        lock(&self.watchers.keys).remove(key);
        watcher.there.send_replace(true);
    }

    /// One GET that the upstream may hold until the object is there; whether it was.
    async fn hold(&self, key: &ObjectKey, watcher: &Watcher, failing: &mut bool) -> bool {
        let asked = Instant::now();
        let expect = lock(&watcher.expected.at).saturating_duration_since(asked);
        let ask = Ask { wait: Some(HOLD), expect, limit: self.whole, ..Ask::default() };
        self.metrics.watch_polls.add(1);
        // A held GET must not outlive the last who waits.
        let answer = tokio::select! {
            answer = self.upstream.get_once(key, &ask) => answer,
            () = watcher.there.closed() => return false,
        };
        let age = match &answer {
            Ok(Found::Object(object)) => object.aged(),
            Ok(Found::Absent | Found::NotModified) | Err(_) => None,
        };
        // What was there before anybody waited says nothing of the way.
        if let Some(age) = age.filter(|age| *age < asked.elapsed()) {
            self.hops.add(Hop::Visible, key, age);
        }
        let found = self.take(key, answer, failing);
        // One that says that it holds requests, and does not, is not asked in a tight loop.
        if !found && (*failing || self.upstream.waits() && asked.elapsed() < HOLD_LEAST) {
            sleep(HOLD_PAUSE).await;
        }
        found
    }

    /// Looks again and again, around the time at which the object is expected; true once it is there, false when nobody waits any more.
    ///
    /// A look that takes long is not waited for. Where one meets the very write that it looks for, a store may hold it back longer than
    /// the write takes: MinIO tries its lock again after up to 50 ms.
    async fn poll(&self, key: &ObjectKey, watcher: &Watcher, start: Instant, failing: &mut bool) -> bool {
        let habit = self.watchers.habit(key);
        let said = || lock(&watcher.expected.at).saturating_duration_since(start);
        let first_due = first_poll(habit.expect(said()));
        let ask = Ask { limit: self.whole, ..Ask::default() };
        let look = |asked: Instant| {
            let ask = &ask;
            async move { (asked, self.upstream.get_once(key, ask).await) }
        };
        let mut looks = FuturesUnordered::new();
        let (mut missed, mut last) = (None, start);
        loop {
            let next = match looks.is_empty() {
                true => Instant::now() + next_poll(start.elapsed(), habit.expect(said())),
                false => last + self.watchers.patience(),
            };
            tokio::select! {
                biased;
                Some((asked, answer)) = looks.next() => {
                    let asked: Instant = asked;
                    let found = self.take(key, answer, failing);
                    if found {
                        let looks = Looks { said: said(), first_due, missed, found: start.elapsed() };
                        if let Some(missed) = missed {
                            // It came between two looks, and in the middle on average.
                            let unseen = asked.duration_since(start).saturating_sub(missed) / 2;
                            self.hops.add(Hop::Visible, key, unseen + asked.elapsed());
                        }
                        tracing::debug!(%key, ?habit, ?looks, took = ?asked.elapsed(), "a watched key is there");
                        self.watchers.learn(key, &looks);
                        return true;
                    }
                    missed = Some(asked.duration_since(start));
                    self.watchers.note_miss(asked.elapsed());
                }
                () = sleep_until(next), if looks.len() < LOOKS => {
                    last = Instant::now();
                    self.metrics.watch_polls.add(1);
                    looks.push(look(last));
                }
                () = watcher.expected.earlier.notified() => {}
                () = watcher.there.closed() => return false,
            }
        }
    }

    /// Whether an answer says that the object is there; it is kept then.
    fn take(&self, key: &ObjectKey, answer: Result<Found, FetchError>, failing: &mut bool) -> bool {
        let failed = match answer {
            Ok(Found::Object(object)) => {
                self.keep(key, object);
                return true;
            }
            Err(FetchError::TooLarge(len)) => {
                self.keep_note(key, Kept::Large(len));
                return true;
            }
            Ok(Found::Absent | Found::NotModified) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = failed.as_ref().filter(|_| !*failing) {
            tracing::warn!(%key, %error, "the upstream fails while a key is watched");
        }
        *failing = failed.is_some();
        false
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
