//! What the owner of a stream says in its document about how it is published.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tidegate_stream::{MetaKey, PublishRules, StreamId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::Config,
    ladder::Rung,
    store::{Bucket, StoreError},
};

/// Reads the documents of streams.
#[derive(Clone)]
pub(crate) struct Rules(Arc<Fetch>);

type Fetch = dyn Fn(StreamId) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> + Send + Sync;

/// How often a publish looks whether its stream has been switched off: 360 reads an hour.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Reads of a document before a publish begins without it.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

impl Rules {
    pub(crate) fn new(bucket: impl Bucket) -> Self {
        let bucket = Arc::new(bucket);
        Self(Arc::new(move |stream| {
            let bucket = Arc::clone(&bucket);
            Box::pin(async move { Ok(bucket.get(&MetaKey::Stream { stream }.into()).await?.map(|object| object.bytes)) })
        }))
    }

    /// What is said of a stream. A stream without a document is published as the worker does by itself, and so is one whose document
    /// cannot be read: a store that stumbles stops nobody.
    pub(crate) async fn of(&self, stream: &StreamId) -> PublishRules {
        for _ in 0..TRIES {
            match (self.0)(stream.clone()).await {
                Ok(document) => {
                    let read = document.map_or_else(|| Ok(PublishRules::default()), |document| PublishRules::read(&document));
                    return read.unwrap_or_else(|error| {
                        warn!(%stream, error, "the document of a stream does not read: its publish goes by the worker's configuration");
                        PublishRules::default()
                    });
                }
                Err(error) => warn!(%stream, %error, "the document of a stream cannot be read"),
            }
            sleep(PAUSE).await;
        }
        PublishRules::default()
    }

    /// A token that is cancelled with `stop`, and when the stream is switched off.
    pub(crate) fn watch(&self, stream: &StreamId, stop: &CancellationToken) -> CancellationToken {
        let (rules, stream, stop) = (self.clone(), stream.clone(), stop.child_token());
        let watched = stop.clone();
        tokio::spawn(async move {
            // Ends with the publish, which cancels its token.
            while stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_some() {
                if !rules.of(&stream).await.allows() {
                    info!(%stream, "the stream has been switched off");
                    stop.cancel();
                }
            }
        });
        watched
    }
}

/// The configuration of a publish with these rules.
pub(crate) fn configured(config: &Config, rules: &PublishRules) -> Config {
    let mut config = config.clone();
    let package = &mut config.package;
    package.part_ms = rules.part_ms(package.part_ms, package.segment_ms);
    package.dvr_window_s = rules.dvr_window_s.map_or(package.dvr_window_s, |asked_s| asked_s.clamp(10, 86_400));
    if let Some(ladder) = &rules.ladder {
        let rung =
            |rung: &tidegate_stream::RungRule| Rung { name: rung.name.clone(), height: rung.height, bitrate_kbps: rung.bitrate_bps / 1000 };
        let asked = Config { ladder: ladder.iter().map(rung).collect(), ..config.clone() };
        match asked.check() {
            Ok(()) => config = asked,
            Err(error) => warn!(%error, "the ladder of a stream's document is not followed"),
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(document: &str) -> Config {
        configured(&Config::default(), &PublishRules::read(document.as_bytes()).unwrap())
    }

    #[test]
    fn what_a_document_says_stands_over_the_configuration() {
        assert_eq!(with("{}"), Config::default());
        let config = with(r#"{"latency_mode":"ultra","dvr_window_s":120,"ladder":[{"name":"small","height":180,"bitrate_bps":300000}]}"#);
        assert_eq!((config.package.part_ms, config.package.dvr_window_s), (200, 120));
        assert_eq!(
            config.ladder.iter().map(|rung| (rung.name.as_str(), rung.height, rung.bitrate_kbps)).collect::<Vec<_>>(),
            [("small", 180, 300)]
        );
        assert!(with(r#"{"ladder":[]}"#).ladder.is_empty(), "the source alone");
    }

    #[test]
    fn a_ladder_that_cannot_be_is_not_followed() {
        for ladder in [r#"[{"name":"source","height":180,"bitrate_bps":300000}]"#, r#"[{"name":"a","height":8,"bitrate_bps":300000}]"#] {
            assert_eq!(with(&format!(r#"{{"ladder":{ladder}}}"#)).ladder, Config::default().ladder, "{ladder}");
        }
    }
}
