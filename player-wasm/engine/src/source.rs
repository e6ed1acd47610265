//! The address that is played: what lies there at first, and whether another session has begun since.

use alloc::string::String;

use crate::{
    Engine, Event, Output, Reason,
    engine::Phase,
    follower::back_off_ms,
    read::{self, Read},
};

/// Pause between looks for a new session.
const WATCH_MS: f64 = 3_000.0;
/// A live playlist without news for this many target durations may belong to a session that nobody ended.
const STALE_TARGETS: f64 = 3.0;

/// The address that is played.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) url: String,
    pub(crate) request: Option<u32>,
    due_ms: f64,
    failures: u32,
    said_offline: bool,
    /// After the end: the next look is at the media playlist, whose session may go on after all.
    beside: bool,
}

impl Source {
    pub(crate) fn new(url: String, due_ms: f64) -> Self {
        Self { url, request: None, due_ms, failures: 0, said_offline: false, beside: false }
    }
}

impl Engine {
    pub(crate) fn source_loaded(&mut self, url: &str, text: &str) {
        let Some(source) = &mut self.source else { return };
        source.request = None;
        source.failures = 0;
        let mut goes_on = false;
        let ladder = match read::any(url, text) {
            Some(Read::Multivariant(ladder)) => ladder,
            Some(Read::Media) => {
                goes_on = self.phase == Phase::Over && !text.contains("#EXT-X-ENDLIST");
                read::only(url)
            }
            None if self.phase == Phase::Finding => return self.fail(Reason::Playlist),
            None => return,
        };
        if self.phase == Phase::Finding {
            self.ladder = ladder;
            self.start(None);
        } else {
            source.due_ms = self.shared.now_ms + WATCH_MS;
            let same = ladder.variants.iter().any(|variant| self.ladder.variants.iter().any(|known| known.url == variant.url));
            source.beside = self.phase == Phase::Over && !source.beside;
            if goes_on || !same && !ladder.variants.is_empty() {
                self.close();
                self.phase = Phase::Over;
                self.shared.send(Output::Event(Event::NewSession));
            }
        }
    }

    /// A request failed; whether it was this one's.
    pub(crate) fn source_failed(&mut self, id: u32) -> bool {
        let Some(source) = self.source.as_mut().filter(|source| source.request == Some(id)) else { return false };
        let least_ms = if self.phase == Phase::Finding { 0.0 } else { WATCH_MS };
        source.request = None;
        source.due_ms = self.shared.now_ms + back_off_ms(source.failures).max(least_ms);
        source.failures = source.failures.saturating_add(1);
        source.beside = false;
        if self.phase == Phase::Finding && !source.said_offline {
            source.said_offline = true;
            self.shared.send(Output::Event(Event::Offline));
        }
        true
    }

    /// Asks for the multivariant playlist: until there is one, and later when another session may have begun. After the end also for the
    /// media playlist.
    pub(crate) fn watch_source(&mut self) {
        let now_ms = self.shared.now_ms;
        let stale = self.is_live()
            && self.lanes.first().is_some_and(|main| {
                let target_ms = main.playlist().map_or(0.0, |playlist| playlist.target_s * 1000.0);
                main.follower.stale_ms(now_ms) > STALE_TARGETS * target_ms.max(WATCH_MS) && self.shared.playhead.waiting
            });
        let wanted = match self.phase {
            Phase::Finding => true,
            Phase::Following => stale,
            Phase::Over => self.playback.was_live && !self.lanes.is_empty(),
            Phase::Idle | Phase::Broken => false,
        };
        let Some(source) = self.source.as_mut().filter(|source| wanted && source.request.is_none() && now_ms >= source.due_ms) else {
            return;
        };
        // An edge closes the list of a session that nobody ended; its worker may come back and go on with it.
        let beside = self.lanes.first().filter(|_| source.beside).map(|main| main.follower.url().into());
        let id = self.shared.fetch_playlist(beside.unwrap_or_else(|| source.url.clone()));
        source.request = Some(id);
    }
}
