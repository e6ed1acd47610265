use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;

/// Who waits for which object.
#[derive(Default, Debug)]
pub(crate) struct Waits {
    keys: Mutex<HashMap<Place, (Arc<Notify>, usize)>>,
}

type Place = (String, String);

/// One request that waits; it hears of every write of its key from its start on.
pub(crate) struct Waiter<'a> {
    waits: &'a Waits,
    place: Place,
    pub(crate) notify: Arc<Notify>,
}

/// Keys that are waited for at most; a request beyond this is answered at once. Connections are bounded by themselves.
const MAX_KEYS: usize = 4096;

impl Waits {
    /// Enrols a waiter; `None` where too many keys are waited for.
    pub(crate) fn enrol(&self, bucket: &str, key: &str) -> Option<Waiter<'_>> {
        let place = (bucket.to_string(), key.to_string());
        let mut keys = self.lock();
        if keys.len() >= MAX_KEYS && !keys.contains_key(&place) {
            return None;
        }
        let (notify, waiters) = keys.entry(place.clone()).or_default();
        *waiters += 1;
        Some(Waiter { waits: self, place, notify: Arc::clone(notify) })
    }

    /// Wakes who waits for this object.
    pub(crate) fn written(&self, bucket: &str, key: &str) {
        let place = (bucket.to_string(), key.to_string());
        if let Some((notify, _)) = self.lock().get(&place) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, (Arc<Notify>, usize)>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut keys = self.waits.lock();
        if let Some((_, waiters)) = keys.get_mut(&self.place) {
            *waiters -= 1;
            if *waiters == 0 {
                keys.remove(&self.place);
            }
        }
    }
}

/// The longest wait that a request prefers (RFC 7240: `Prefer: wait=<seconds>`), at most `max`; a broken header is no wish.
pub(crate) fn preferred_wait(headers: &HeaderMap, max: Duration) -> Option<Duration> {
    let values = headers.get_all(HeaderName::from_static("prefer")).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(',')).map(|one| one.split(';').next().unwrap_or_default().trim());
    let seconds = preferences.find_map(|one| {
        let (name, value) = one.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("wait") && value.bytes().all(|b| b.is_ascii_digit())).then(|| value.parse::<u32>().ok())?
    })?;
    Some(Duration::from_secs(seconds.into()).min(max)).filter(|wait| !wait.is_zero())
}

/// Tells a reader that its wish to wait so long is granted, so that it need not poll (RFC 7240, 3).
pub(crate) fn applied(wait: Duration) -> HeaderMap {
    let value = HeaderValue::try_from(format!("wait={}", wait.as_secs()));
    value.into_iter().map(|value| (HeaderName::from_static("preference-applied"), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefer_header_is_read_in_all_its_forms() {
        let max = Duration::from_secs(30);
        let cases = [
            ("wait=5", Some(5)),
            ("respond-async, Wait = 5; foo", Some(5)),
            ("wait=\"7\"", Some(7)),
            ("wait=9999", Some(30)),
            ("wait=0", None),
            ("wait=-1", None),
            ("wait=99999999999", None),
            ("wait", None),
            ("respond-async", None),
        ];
        for (text, seconds) in cases {
            let headers = HeaderMap::from_iter([(HeaderName::from_static("prefer"), text.parse().unwrap())]);
            assert_eq!(preferred_wait(&headers, max), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn nothing_is_kept_for_waiters_that_have_left() {
        let waits = Waits::default();
        let (first, second) = (waits.enrol("b", "k"), waits.enrol("b", "k"));
        drop(first);
        assert_eq!(waits.lock().len(), 1);
        drop(second);
        assert_eq!(waits.lock().len(), 0);
    }
}
