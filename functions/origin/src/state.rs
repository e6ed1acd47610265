use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use tidegate_stream::OriginId;

use crate::document::Document;

/// How long a document is taken as it was read, in ms.
const FRESH_MS: u64 = 5_000;
/// Documents, and playlists, that one instance keeps.
const MOST: usize = 32;
/// Bytes of playlists that one instance keeps.
const BYTES: usize = 2 << 20;

/// What an instance remembers between requests: it only saves reads.
#[derive(Debug, Default)]
pub struct State {
    documents: Vec<(OriginId, u64, Arc<Known>)>,
    playlists: Vec<Playlist>,
}

/// What there is of an origin.
#[derive(Debug)]
pub(crate) enum Known {
    /// No document.
    Missing,
    /// A document that cannot be used; why.
    Bad(String),
    Document(Box<Document>),
}

/// A playlist as the origin sent it.
#[derive(Debug, Clone)]
pub(crate) struct Playlist {
    /// The URL that was asked for.
    pub(crate) asked: String,
    /// The URL that answered.
    pub(crate) url: String,
    pub(crate) body: Arc<Vec<u8>>,
    /// How long caches may keep it, in seconds.
    pub(crate) keep_s: u64,
    pub(crate) until_ms: u64,
}

impl State {
    pub(crate) fn document(&self, name: &OriginId, now_ms: u64) -> Option<Arc<Known>> {
        let is_fresh = |read_ms: u64| now_ms.checked_sub(read_ms).is_some_and(|age| age < FRESH_MS);
        self.documents.iter().find(|(known, read_ms, _)| known == name && is_fresh(*read_ms)).map(|(_, _, known)| known.clone())
    }

    pub(crate) fn put_document(&mut self, name: &OriginId, now_ms: u64, known: Known) {
        self.documents.retain(|(known, ..)| known != name);
        if self.documents.len() >= MOST {
            self.documents.remove(0);
        }
        self.documents.push((name.clone(), now_ms, Arc::new(known)));
    }

    pub(crate) fn playlist(&self, url: &str, now_ms: u64) -> Option<Playlist> {
        self.playlists.iter().find(|playlist| playlist.asked == url && now_ms < playlist.until_ms).cloned()
    }

    /// Keeps a playlist, if it is small beside what fits.
    pub(crate) fn put_playlist(&mut self, playlist: Playlist) {
        self.playlists.retain(|known| known.asked != playlist.asked);
        if playlist.body.len() > BYTES / 4 {
            return;
        }
        let mut bytes: usize = playlist.body.len() + self.playlists.iter().map(|known| known.body.len()).sum::<usize>();
        while self.playlists.len() >= MOST || bytes > BYTES {
            // They stand in the order in which they came.
            bytes -= self.playlists.remove(0).body.len();
        }
        self.playlists.push(playlist);
    }
}
