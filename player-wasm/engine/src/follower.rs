//! Follows one media playlist: when to ask for it again, and with which directives.

use alloc::string::String;

use crate::{
    playlist::{Place, Playlist},
    read, text,
    uri::{with_query, without_directives},
};

/// First pause after a failure, doubled each time up to [`MAX_RETRY_MS`].
const RETRY_MS: f64 = 250.0;
const MAX_RETRY_MS: f64 = 4_000.0;
/// A server that answers a blocking request at once, without news, is not asked more often than this.
const MIN_UNCHANGED_MS: f64 = 100.0;

/// One media playlist and the request for its next state.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    url: String,
    base: String,
    playlist: Option<Playlist>,
    request: Option<u32>,
    asked_blocking: bool,
    due_ms: f64,
    failures: u32,
    /// The next request is a plain one: the last answer did not fit.
    plain: bool,
    changed_ms: f64,
}

/// What came of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The playlist lists something new.
    Changed,
    /// Nothing new.
    Same,
    /// It could not be read.
    Unreadable,
}

impl Follower {
    pub(crate) fn new(url: String, now_ms: f64) -> Self {
        Self {
            base: url.clone(),
            url,
            playlist: None,
            request: None,
            asked_blocking: false,
            due_ms: now_ms,
            failures: 0,
            plain: true,
            changed_ms: now_ms,
        }
    }

    /// The address that is asked.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address against which its URIs are resolved.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn playlist(&self) -> Option<&Playlist> {
        self.playlist.as_ref()
    }

    pub(crate) fn request(&self) -> Option<u32> {
        self.request
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// When it last listed something new.
    pub(crate) fn changed_ms(&self) -> f64 {
        self.changed_ms
    }

    /// For how long it has listed nothing new.
    pub(crate) fn stale_ms(&self, now_ms: f64) -> f64 {
        now_ms - self.changed_ms
    }

    /// The address to ask now, if it is time. `known` is what another rendition is known to list, so that a playlist that
    /// was left for a while is brought up to date in one step. A `relaxed` follower does not ask for each part.
    pub(crate) fn wants(&mut self, now_ms: f64, known: Option<Place>, relaxed: bool) -> Option<String> {
        if self.request.is_some() || now_ms < self.due_ms || self.playlist.as_ref().is_some_and(|playlist| playlist.ended) {
            return None;
        }
        let Some(playlist) = self.playlist.as_ref().filter(|_| !self.plain) else {
            self.asked_blocking = false;
            return Some(self.url.clone());
        };
        if relaxed && now_ms < self.changed_ms + playlist.target_s * 1000.0 {
            return None;
        }
        let mut query = String::new();
        if playlist.can_block && !relaxed {
            let next = playlist.next_place().max(known.unwrap_or_else(|| Place::segment(0)));
            query.push_str("_HLS_msn=");
            text::push_number(&mut query, next.msn);
            if playlist.part_target_s.is_some() {
                query.push_str("&_HLS_part=");
                text::push_number(&mut query, next.part as u64);
            }
        }
        // A delta is only of use while what it leaves out is still known (rfc8216bis 6.2.5.1: half the skip boundary).
        if playlist.can_skip_until_s.is_some_and(|until_s| self.stale_ms(now_ms) < until_s * 500.0) {
            query += if query.is_empty() { "_HLS_skip=YES" } else { "&_HLS_skip=YES" };
        }
        self.asked_blocking = playlist.can_block && !relaxed;
        Some(with_query(&self.url, &query))
    }

    pub(crate) fn asked(&mut self, id: u32) {
        self.request = Some(id);
    }

    pub(crate) fn loaded(&mut self, now_ms: f64, url: &str, text: &str) -> Answer {
        self.request = None;
        let Some(media) = read::media(text) else {
            self.fail(now_ms);
            return Answer::Unreadable;
        };
        // A playlist that goes back was served by a cache that lags; what is known stays.
        let next = read::next_place(&media);
        if self.playlist.as_ref().is_some_and(|old| next < old.next_place() && !media.ended) {
            self.fail(now_ms);
            return Answer::Same;
        }
        let before = self.playlist.as_ref().map(|old| (old.next_place(), old.ended));
        let Some(playlist) = read::complete(media, &mut self.playlist) else {
            self.fail(now_ms);
            return Answer::Unreadable;
        };
        self.failures = 0;
        self.plain = false;
        self.base = without_directives(url);
        let changed = before != Some((playlist.next_place(), playlist.ended));
        let pause_ms = match (changed, playlist.can_block, playlist.part_target_s) {
            (true, true, _) => 0.0,
            (false, true, _) => MIN_UNCHANGED_MS,
            (true, false, Some(part_s)) => part_s * 1000.0,
            (false, false, Some(part_s)) => part_s * 500.0,
            (true, false, None) => playlist.target_s * 1000.0,
            (false, false, None) => playlist.target_s * 500.0,
        };
        self.due_ms = now_ms + pause_ms;
        if changed {
            self.changed_ms = now_ms;
        }
        self.playlist = Some(playlist);
        if changed { Answer::Changed } else { Answer::Same }
    }

    pub(crate) fn failed(&mut self, now_ms: f64, status: u16) {
        self.request = None;
        // 503 says that a blocking request waited as long as it may: the question was right, only early.
        let waited = status == 503 && self.asked_blocking;
        self.fail(now_ms);
        self.plain = !waited;
    }

    /// Forgets the request that runs and returns it.
    pub(crate) fn abandon(&mut self) -> Option<u32> {
        self.request.take()
    }

    /// Asks at once, whatever pause was meant.
    pub(crate) fn hurry(&mut self, now_ms: f64) {
        self.due_ms = self.due_ms.min(now_ms);
    }

    fn fail(&mut self, now_ms: f64) {
        self.plain = true;
        self.due_ms = now_ms + back_off_ms(self.failures);
        self.failures = self.failures.saturating_add(1);
    }
}

/// The pause after so many failures in a row.
pub(crate) fn back_off_ms(failures: u32) -> f64 {
    (RETRY_MS * f64::from(1u32 << failures.min(8))).min(MAX_RETRY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=3\n#EXTINF:2,\n5\n\
        #EXT-X-PART:DURATION=1,URI=\"6.0\"\n";
    const PLAIN: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:5\n#EXTINF:4,\n5\n";

    fn asks(follower: &mut Follower, now_ms: f64) -> Option<String> {
        let url = follower.wants(now_ms, None, false)?;
        follower.asked(1);
        Some(url)
    }

    #[test]
    fn a_live_playlist_is_asked_for_its_next_part_as_a_delta() {
        let mut follower = Follower::new("http://a/x.m3u8?token=1".into(), 0.0);
        assert_eq!(asks(&mut follower, 0.0).as_deref(), Some("http://a/x.m3u8?token=1"));
        assert_eq!(asks(&mut follower, 9.0), None, "one request at a time");
        assert_eq!(follower.loaded(50.0, "http://b/y.m3u8?_HLS_msn=1", LIVE), Answer::Changed);
        assert_eq!(follower.base(), "http://b/y.m3u8");
        assert_eq!(asks(&mut follower, 50.0).as_deref(), Some("http://a/x.m3u8?token=1&_HLS_msn=6&_HLS_part=1&_HLS_skip=YES"));
    }

    #[test]
    fn a_playlist_without_blocking_is_asked_for_once_per_segment_and_sooner_if_it_is_late() {
        let mut follower = Follower::new("http://a/x.m3u8".into(), 0.0);
        asks(&mut follower, 0.0);
        follower.loaded(10.0, "http://a/x.m3u8", PLAIN);
        assert_eq!(asks(&mut follower, 3_900.0), None);
        assert_eq!(asks(&mut follower, 4_010.0).as_deref(), Some("http://a/x.m3u8"));
        assert_eq!(follower.loaded(4_020.0, "http://a/x.m3u8", PLAIN), Answer::Same);
        assert!(asks(&mut follower, 6_020.0).is_some());
    }

    #[test]
    fn after_a_failure_the_whole_playlist_is_asked_for_with_growing_pauses() {
        let mut follower = Follower::new("http://a/x.m3u8".into(), 0.0);
        asks(&mut follower, 0.0);
        follower.loaded(0.0, "http://a/x.m3u8", LIVE);
        let mut now_ms = 0.0;
        for pause_ms in [250.0, 500.0, 1000.0, 2000.0, 4000.0, 4000.0] {
            assert!(asks(&mut follower, now_ms).is_some());
            follower.failed(now_ms, 404);
            assert_eq!(asks(&mut follower, now_ms + pause_ms - 1.0), None);
            now_ms += pause_ms;
        }
        assert_eq!(asks(&mut follower, now_ms).as_deref(), Some("http://a/x.m3u8"));
    }

    #[test]
    fn a_wait_that_was_too_long_for_the_server_is_asked_again() {
        let mut follower = Follower::new("http://a/x.m3u8".into(), 0.0);
        asks(&mut follower, 0.0);
        follower.loaded(0.0, "http://a/x.m3u8", LIVE);
        let question = asks(&mut follower, 0.0);
        follower.failed(6_000.0, 503);
        assert_eq!(
            asks(&mut follower, 6_250.0).map(|url| url.replace("&_HLS_skip=YES", "")),
            question.map(|url| url.replace("&_HLS_skip=YES", ""))
        );
    }

    #[test]
    fn a_state_of_the_past_does_not_replace_what_is_known() {
        let mut follower = Follower::new("http://a/x.m3u8".into(), 0.0);
        asks(&mut follower, 0.0);
        follower.loaded(0.0, "http://a/x.m3u8", LIVE);
        asks(&mut follower, 0.0);
        let older = LIVE.replace("#EXT-X-PART:DURATION=1,URI=\"6.0\"\n", "");
        assert_eq!(follower.loaded(10.0, "http://a/x.m3u8", &older), Answer::Same);
        assert_eq!(follower.playlist().map(Playlist::next_place), Some(Place { msn: 6, part: 1 }));
    }
}
