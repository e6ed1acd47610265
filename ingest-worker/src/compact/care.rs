//! Sessions whose workers are gone, peaks and thresholds, recordings that are too old: when they are looked at. What is said of them is in
//! `announce`.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_stream::{SessionId, StreamId};
use tracing::{info, warn};

use crate::{
    announce::Desk,
    store::{Bucket, Listing},
};

pub(super) struct Care<B> {
    desk: Desk<B>,
    /// The most viewers since peaks were written.
    most: BTreeMap<StreamId, u64>,
    /// What is written.
    peaks: BTreeMap<StreamId, (SessionId, u64)>,
    watched_ms: u64,
    /// Sessions that need not be looked at again.
    over: BTreeMap<StreamId, SessionId>,
    looked_ms: u64,
    forgot_ms: u64,
}

/// How often peaks and thresholds are written, where they have risen.
const WATCHED_EVERY_MS: u64 = 15_000;
/// How often sessions are looked at whose workers may be gone: two GETs for each that is live.
const LOOK_EVERY_MS: u64 = 30_000;
/// How often recordings are looked at that may be too old: one GET for each stream, and one for each recording that is old enough.
const FORGET_EVERY_MS: u64 = 3_600_000;

impl<B: Bucket + Listing> Care<B> {
    pub(super) fn new(store: B) -> Self {
        let (most, peaks, over) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { desk: Desk::new(store), most, peaks, watched_ms: 0, over, looked_ms: 0, forgot_ms: 0 }
    }

    /// So many watch.
    pub(super) fn hear(&mut self, stream: &StreamId, viewers: u64) {
        if viewers > 0 {
            let most = self.most.entry(stream.clone()).or_default();
            *most = viewers.max(*most);
        }
    }

    /// Does what is due; `heard` are streams of which workers or viewers have reported something.
    pub(super) async fn look(&mut self, heard: BTreeSet<StreamId>, now_ms: u64) {
        if now_ms >= self.watched_ms + WATCHED_EVERY_MS {
            self.watched_ms = now_ms;
            self.write_peaks(now_ms).await;
        }
        if now_ms >= self.looked_ms + LOOK_EVERY_MS {
            self.looked_ms = now_ms;
            self.close_silent(heard, now_ms).await;
        }
        if now_ms >= self.forgot_ms + FORGET_EVERY_MS {
            self.forgot_ms = now_ms;
            self.forget_old(now_ms).await;
        }
    }

    async fn forget_old(&self, now_ms: u64) {
        let streams = self.desk.listed(|line| !line.deleted).await.unwrap_or_else(|error| {
            warn!(%error, "the list of streams cannot be read");
            Vec::new()
        });
        for stream in streams {
            match self.desk.forget_old(&stream, now_ms).await {
                Ok(0) => {}
                Ok(recordings) => info!(%stream, recordings, "recordings were removed: they are older than the stream's document wants"),
                Err(error) => warn!(%stream, %error, "recordings that are too old stay for now"),
            }
        }
    }

    async fn write_peaks(&mut self, now_ms: u64) {
        let most = std::mem::take(&mut self.most);
        self.peaks.retain(|stream, _| most.contains_key(stream));
        for (stream, viewers) in most {
            let session = match self.desk.current(&stream).await {
                // Who watches a recording is no viewer of its session.
                Ok(session) => session.filter(|session| self.over.get(&stream) != Some(session)),
                Err(error) => {
                    warn!(%stream, %error, "how many have watched is not written");
                    continue;
                }
            };
            let Some(session) = session else { continue };
            if self.peaks.get(&stream).is_some_and(|(of, peak)| *of == session && *peak >= viewers) {
                continue;
            }
            match self.desk.watched(&stream, &session, viewers, now_ms).await {
                Ok(()) => drop(self.peaks.insert(stream, (session, viewers))),
                Err(error) => warn!(%stream, %error, "how many have watched is not written"),
            }
        }
    }

    async fn close_silent(&mut self, mut streams: BTreeSet<StreamId>, now_ms: u64) {
        match self.desk.listed(|line| line.session.is_some()).await {
            Ok(live) => streams.extend(live),
            Err(error) => warn!(%error, "the list of streams cannot be read"),
        }
        self.over.retain(|stream, _| streams.contains(stream));
        for stream in streams {
            let closed = async {
                let Some(session) = self.desk.current(&stream).await? else { return Ok(None) };
                if self.over.get(&stream) == Some(&session) {
                    return Ok(None);
                }
                Ok(self.desk.close_silent(&stream, &session, now_ms).await?.then_some(session))
            };
            match closed.await {
                Ok(Some(session)) => {
                    info!(%stream, %session, "a session is over, and webhooks are told so if they were not");
                    self.over.insert(stream, session);
                }
                Ok(None) => {}
                Err::<_, crate::announce::Failed>(error) => warn!(%stream, %error, "whether a session is over is not known"),
            }
        }
    }
}
