//! What nobody else says of a session: that its worker is gone, and how many watch. One process does this at a time, the one that adds
//! up what viewers report; whoever goes on after it finds what was begun, and an event that is written twice has the same id.

use tidegate_stream::{
    Entry, EventKind, IndexPage, Json, Key, KeyHash, Ledger, MetaKey, Passed, SessionFacts, SessionId, Sessions, StreamId, event_document,
};

use super::{Desk, Failed};
use crate::store::{Bucket, Listing};

/// A session that has not ended and has written nothing for so long, in ms, is over: its state says so after 90 s, and a twin, an
/// encoder that is waited for, or a clock that is late has come by then.
pub(crate) const SILENT_MS: u64 = 150_000;
/// Pages of the list of streams that are read: 32,768 streams.
const PAGES_MAX: u64 = 64;
const DAY_MS: u64 = 86_400_000;
/// Recordings that are removed in one go of a stream; the others wait for the next.
const FORGOTTEN_MAX: usize = 50;
/// Objects that one request removes, and requests for one session: a week of segments of 2 s.
const REMOVED_MAX: usize = 1000;
const REMOVALS_MAX: usize = 400;

impl<B: Bucket> Desk<B> {
    /// The streams that the index lists with what is wanted.
    pub(crate) async fn listed(&self, wanted: impl Fn(&Entry) -> bool + Send) -> Result<Vec<StreamId>, Failed> {
        let mut streams = Vec::new();
        for number in 0..PAGES_MAX {
            let Some(object) = self.bucket.get(&MetaKey::Entry { ledger: Ledger::Index, number }.into()).await? else { break };
            let page = IndexPage::parse(&object.bytes);
            streams.extend(page.entries().iter().filter(|line| wanted(line)).map(|line| line.stream.clone()));
        }
        Ok(streams)
    }

    /// The newest session of a stream.
    pub(crate) async fn current(&self, stream: &StreamId) -> Result<Option<SessionId>, Failed> {
        let object = self.bucket.get(&Key::Current { stream: stream.clone() }).await?;
        let current = object.and_then(|object| Json::parse(&object.bytes).ok());
        Ok(current.and_then(|current| SessionId::parse(current.text_of("session")).ok()))
    }

    /// Says that a session is over, and its stream idle, once it has been silent for [`SILENT_MS`]; whether it is. One that has ended
    /// and whose worker died before it said so is over as well.
    pub(crate) async fn close_silent(&self, stream: &StreamId, session: &SessionId, now_utc_ms: u64) -> Result<bool, Failed> {
        // Without a head it was never watched; its worker, or the next one, takes its place.
        let Some(timeline) = self.timeline(stream, session).await? else { return Ok(false) };
        let newest_utc_ms = timeline.newest_utc_ms();
        if newest_utc_ms.saturating_add(SILENT_MS) > now_utc_ms || !self.end(stream, session, true).await? {
            return Ok(false);
        }
        let idle = [(EventKind::StreamIdle, Json::object().with("session", session.as_str()))];
        self.tell(stream, session, &idle, Some(newest_utc_ms)).await?;
        Ok(true)
    }

    /// Removes the recordings of a stream that are older than its document says (`retention_days`): how many. A process that dies in the
    /// middle leaves the session in the list of sessions, so that the next one goes on.
    pub(crate) async fn forget_old(&self, stream: &StreamId, now_utc_ms: u64) -> Result<usize, Failed>
    where
        B: Listing,
    {
        let document = self.bucket.get(&MetaKey::Stream { stream: stream.clone() }.into()).await?;
        let document = document.and_then(|object| Json::parse(&object.bytes).ok()).unwrap_or(Json::Null);
        let days = document.get("retention_days").and_then(Json::number).and_then(|days| u64::try_from(days).ok());
        let Some(days) = days else { return Ok(0) };
        let before_ms = now_utc_ms.saturating_sub(days.saturating_mul(DAY_MS));
        let list = MetaKey::Sessions { stream: stream.clone() };
        let sessions = self.bucket.get(&list.clone().into()).await?;
        let sessions = sessions.map(|object| Sessions::parse(&object.bytes)).unwrap_or_default();
        let mut forgotten = 0;
        // Whatever began later has not ended before.
        for session in sessions.all().iter().take_while(|session| session.utc_ms() < before_ms) {
            let facts = self.bucket.get(&MetaKey::Session { stream: stream.clone(), session: session.clone() }.into()).await?;
            let ended_ms = facts.and_then(|object| SessionFacts::parse(&object.bytes)?.ended_utc_ms());
            // One that nobody has called over may still grow, and so may one whose worker has come back after that.
            let grows = match self.timeline(stream, session).await? {
                Some(timeline) => !timeline.ended() && timeline.newest_utc_ms().saturating_add(SILENT_MS) > now_utc_ms,
                None => false,
            };
            if grows || ended_ms.is_none_or(|ended_ms| ended_ms > before_ms) {
                continue;
            }
            self.remove_media(stream, session).await?;
            self.change(list.clone(), |bytes| {
                let mut sessions = Sessions::parse(bytes?);
                sessions.remove(session).then(|| sessions.to_bytes())
            })
            .await?;
            forgotten += 1;
            if forgotten == FORGOTTEN_MAX {
                break;
            }
        }
        Ok(forgotten)
    }

    /// Removes all objects of a session. What tells viewers of the others goes first.
    async fn remove_media(&self, stream: &StreamId, session: &SessionId) -> Result<(), Failed>
    where
        B: Listing,
    {
        let (stream, session) = (stream.clone(), session.clone());
        let folder = Key::session_folder(&stream, &session);
        let first = [Key::SessionMultivariant { stream: stream.clone(), session: session.clone() }, Key::Head { stream, session }];
        self.bucket.delete(&first).await?;
        for _ in 0..REMOVALS_MAX {
            let keys: Vec<Key> = self.bucket.list(&folder, REMOVED_MAX).await?.into_iter().map(|(key, _)| key).collect();
            if keys.is_empty() {
                return Ok(());
            }
            self.bucket.delete(&keys).await?;
        }
        Err(Failed::Unavailable(format!("{folder} has more objects than are removed at once; the next look goes on")))
    }

    /// Says how many watch a session: the most that there were, and each threshold of its stream that was reached for the first time.
    /// What was reached is written down before its event is, so that another process makes the same event of it.
    pub(crate) async fn watched(&self, stream: &StreamId, session: &SessionId, viewers: u64, now_utc_ms: u64) -> Result<(), Failed> {
        let key = MetaKey::Session { stream: stream.clone(), session: session.clone() };
        let document = self.bucket.get(&MetaKey::Stream { stream: stream.clone() }.into()).await?;
        let document = document.and_then(|object| Json::parse(&object.bytes).ok()).unwrap_or(Json::Null);
        let thresholds = document.get("viewer_thresholds").map_or(&[][..], Json::items);
        let mut reached: Vec<u64> = thresholds.iter().filter_map(Json::number).filter_map(|number| u64::try_from(number).ok()).collect();
        reached.retain(|threshold| (1..=viewers).contains(threshold));
        reached.sort_unstable();
        let mut passed: Vec<Passed> = Vec::new();
        self.change(key.clone(), |bytes| {
            // A session whose worker has not said that it is there.
            let mut facts = bytes.and_then(SessionFacts::parse)?;
            let before = facts.clone();
            facts.raise_peak(viewers);
            reached.iter().for_each(|threshold| facts.pass(*threshold, now_utc_ms));
            passed = facts.passed().filter(|passed| !passed.is_told).collect();
            (facts != before).then(|| facts.to_bytes())
        })
        .await?;
        if passed.is_empty() {
            return Ok(());
        }
        for passed in &passed {
            let id = threshold_id(stream, session, passed.viewers, passed.at_utc_ms);
            let what = Json::object().with("session", session.as_str()).with("viewers", passed.viewers);
            self.happened(&event_document(EventKind::ViewerThreshold, &id, Some(stream), what)).await?;
        }
        self.change(key, |bytes| {
            let mut facts = bytes.and_then(SessionFacts::parse)?;
            passed.iter().for_each(|passed| facts.tell_passed(passed.viewers));
            Some(facts.to_bytes())
        })
        .await
    }
}

fn threshold_id(stream: &StreamId, session: &SessionId, viewers: u64, utc_ms: u64) -> SessionId {
    let [a, b, c, d, e, f, g, h, ..] = KeyHash::of(&format!("viewer.threshold {stream} {session} {viewers}")).0;
    SessionId::new(utc_ms, u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}

#[cfg(test)]
mod tests;
