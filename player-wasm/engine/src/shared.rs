use alloc::{collections::VecDeque, string::String};

use crate::{Config, Key, MediaKind, Output, Playhead, Track, lane::Address, presentation::Presentation};

/// What the lanes of one presentation share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) now_ms: f64,
    pub(crate) presentation: Presentation,
    pub(crate) playhead: Playhead,
    /// A seek that has been asked for and not yet been seen.
    pub(crate) seeking_to_s: Option<f64>,
    /// The source buffers are there.
    pub(crate) open: bool,
    outbox: VecDeque<Output>,
    last_id: u32,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            now_ms: 0.0,
            presentation: Presentation::default(),
            playhead: Playhead::default(),
            seeking_to_s: None,
            open: false,
            outbox: VecDeque::new(),
            last_id: 0,
        }
    }

    pub(crate) fn send(&mut self, output: Output) {
        self.outbox.push_back(output);
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Where the playhead is, or is about to be.
    pub(crate) fn position_s(&self) -> f64 {
        self.seeking_to_s.unwrap_or(self.playhead.time_s)
    }

    pub(crate) fn seek(&mut self, to_s: f64) {
        self.seeking_to_s = Some(to_s);
        self.send(Output::Seek { to_s });
    }

    pub(crate) fn fetch_playlist(&mut self, url: String) -> u32 {
        let id = self.next_id();
        self.send(Output::FetchPlaylist { id, url });
        id
    }

    pub(crate) fn fetch_media(&mut self, track: Track, kind: MediaKind, at: &Address, key: Option<&Key>) -> u32 {
        let id = self.next_id();
        self.send(Output::FetchMedia { id, url: at.url.clone(), range: at.range, track, kind, key: key.cloned() });
        id
    }

    pub(crate) fn drop_request(&mut self, id: Option<u32>) {
        if let Some(id) = id {
            self.send(Output::Drop { id });
        }
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }
}
