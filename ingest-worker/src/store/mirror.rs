//! A second bucket, in another region say. The first alone decides: what it has confirmed is copied, in the same order, and nothing waits
//! for the copy. What the second does not take within a bound is left out of it, and counted.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tidegate_stream::Key;
use tracing::{info, warn};

use super::{
    bucket::Bucket,
    submission::{Put, PutCondition, Submission},
    writer::{Writer, WriterConfig, WriterError},
};

/// The copy of one stream's sessions.
#[derive(Clone)]
pub struct Mirror(Arc<Inner>);

struct Inner {
    begin: Box<dyn Fn() -> Writer + Send + Sync>,
    /// None where the last one has failed; the next snapshot begins another.
    writer: Mutex<Option<Writer>>,
    lost: AtomicU64,
}

impl Mirror {
    /// In this bucket. So many bytes may wait for it.
    #[must_use]
    pub fn new<B: Bucket + Clone>(bucket: B, max_waiting_bytes: usize) -> Self {
        let begin = move || {
            let config = WriterConfig { max_waiting_bytes, ..WriterConfig::default() };
            Writer::new(bucket.clone(), config)
        };
        let writer = Mutex::new(Some(begin()));
        Self(Arc::new(Inner { begin: Box::new(begin), writer, lost: AtomicU64::new(0) }))
    }

    /// What the first bucket has confirmed.
    pub(super) fn copy(&self, submission: Submission) {
        let is_head = matches!(&submission, Submission::Put(Put { key: Key::Head { .. }, .. }));
        let submission = match submission {
            // The first bucket has decided who may write it.
            Submission::Put(put) if put.condition == PutCondition::Claim => {
                Submission::Put(Put { condition: PutCondition::Replace, ..put })
            }
            other => other,
        };
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() && is_head {
            info!("the second bucket is tried again");
            *writer = Some((self.0.begin)());
        }
        let Some(copying) = writer.as_ref() else {
            self.0.lost.fetch_add(1, Relaxed);
            return;
        };
        match copying.try_submit(submission) {
            Ok(None) => {}
            Ok(Some(_)) => {
                if self.0.lost.fetch_add(1, Relaxed) == 0 {
                    warn!("the second bucket does not take what memory has room for: what is beyond it is left out of it");
                }
            }
            Err(error) => {
                self.0.lost.fetch_add(1, Relaxed);
                warn!(%error, "the second bucket has failed: it is tried again with the next segment, and lacks what was written until then");
                *writer = None;
            }
        }
    }

    /// How many objects it lacks.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Relaxed)
    }

    /// How many bytes wait for it.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        writer.map_or(0, |writer| writer.stats().waiting_bytes)
    }

    /// Waits until all of it is durable there too, but not longer than this.
    pub(crate) async fn finish(&self, within: Duration) -> Result<(), WriterError> {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match writer {
            Some(writer) => writer.finish(within).await.map(drop),
            None => Ok(()),
        }
    }
}
