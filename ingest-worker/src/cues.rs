//! Reads what owners want to be said of a live session: numbered objects, so that the next key is always known and nothing is listed.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tidegate_stream::{Cue, MetaKey, SessionId, StreamId};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use crate::twin::Access;

/// The cues of one session, as they are made.
pub(crate) struct Cues {
    heard: mpsc::Receiver<Cue>,
    _task: AbortOnDropHandle<()>,
}

/// How often the next one is looked for: 3,600 GETs per live hour, and how late a cue for the next picture may be.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A pause where the store does not answer.
const PAUSE: Duration = Duration::from_secs(2);
/// Cues that wait for the session to take them.
const WAITING_MAX: usize = 16;
/// Cues before the newest that another worker may not have announced before it went, …
const AGAIN: u64 = 16;
/// … and how old they may be.
const AGAIN_MS: u64 = 60_000;

impl Cues {
    /// Starts to read; what is older than a minute has been announced by whoever wrote the session then.
    pub(crate) fn start(access: Arc<Access>, stream: StreamId, session: SessionId) -> Self {
        let (tell, heard) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(async move {
            let key = |number| MetaKey::Cue { stream: stream.clone(), session: session.clone(), number };
            let mut number = first(&access, &key).await;
            loop {
                match (access.read)(key(number).into()).await {
                    Ok(None) => sleep(LOOK_EVERY).await,
                    Ok(Some(object)) => {
                        number += 1;
                        let cue = Cue::parse(&object.bytes).filter(|cue| cue.created_utc_ms.saturating_add(AGAIN_MS) > now_utc_ms());
                        if let Some(cue) = cue
                            && tell.send(cue).await.is_err()
                        {
                            return;
                        }
                    }
                    Err(error) => {
                        debug!(%stream, %error, "the cues of a session cannot be read");
                        sleep(PAUSE).await;
                    }
                }
            }
        });
        Self { heard, _task: AbortOnDropHandle::new(task) }
    }

    /// The next one; for ever where there is none. Loses nothing when it is dropped.
    pub(crate) async fn next(&mut self) -> Cue {
        match self.heard.recv().await {
            Some(cue) => cue,
            None => std::future::pending().await,
        }
    }
}

/// Some numbers before the first that is not there: in steps that double, then by halves.
async fn first(access: &Access, key: &(impl Fn(u64) -> MetaKey + Sync)) -> u64 {
    let (mut low, mut step) = (0u64, 1u64);
    let mut high = loop {
        let at = low + step - 1;
        if !is_there(access, key(at)).await {
            break at;
        }
        (low, step) = (at + 1, step.saturating_mul(2));
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if is_there(access, key(middle)).await { low = middle + 1 } else { high = middle }
    }
    low.saturating_sub(AGAIN)
}

async fn is_there(access: &Access, key: MetaKey) -> bool {
    loop {
        match (access.read)(key.clone().into()).await {
            Ok(object) => return object.is_some(),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

fn now_utc_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
