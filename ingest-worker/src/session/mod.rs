//! One publish: look at the source, choose the renditions, then tag after tag into the packager, and what it says into the
//! store.

mod clock;
mod gop;
mod known;
mod plan;
mod run;
mod standin;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tidegate_stream::StreamId;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    announce::{Announcer, News},
    config::Config,
    metrics::Metrics,
    rules::{Rules, configured},
    slate::Slates,
    source::Source,
    transcode::Ffmpeg,
    twin::Access,
};
use known::Known;
use plan::Gops;
use run::{Outcome, Session};

/// What sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) ffmpeg: Option<Ffmpeg>,
    pub(crate) slates: Option<Slates>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) access: Arc<Access>,
    pub(crate) announcer: Announcer,
    pub(crate) rules: Rules,
}

/// Sessions in a row that are shorter than [`SESSION_TIME_MIN`]; a source that changes its mind more often is broken.
const SHORT_SESSIONS_MAX: u32 = 5;
const SESSION_TIME_MIN: Duration = Duration::from_secs(60);

/// Publishes a source until it ends: normally one session, a new one where its pictures or key frames turn out otherwise.
pub(crate) async fn publish<S: Source>(shared: Arc<Shared>, stream: StreamId, mut source: S, stop: CancellationToken) {
    let metrics = shared.metrics.stream(&stream);
    metrics.set_live(true);
    let herald = shared.announcer.herald(&stream);
    let config = configured(&shared.config, &shared.rules.of(&stream).await);
    let stop = shared.rules.watch(&stream, &stop);
    let errored = |why: String| herald.say(News::Errored { id: run::name(), why });
    let mut known = Known::default();
    let mut gops = Gops::default();
    let mut pending = None;
    let mut short_sessions = 0;
    while short_sessions < SHORT_SESSIONS_MAX {
        let probed = tokio::select! {
            () = stop.cancelled() => break,
            probed = known.probe(&mut source) => probed,
        };
        let mut backlog = match probed {
            Ok(Some(backlog)) => backlog,
            Ok(None) => break,
            Err(error) => {
                warn!(%stream, "{error}");
                errored(error.to_string());
                break;
            }
        };
        if let Some(first) = pending.take() {
            backlog.push_front(first);
        }
        let began = Instant::now();
        let session = Session::open(&shared, &config, &stream, &herald, known.clone(), gops);
        match session.run(&mut source, backlog, &stop).await {
            Outcome::Ended => break,
            Outcome::Reopen { known: now, gops: found, first } => {
                info!(%stream, "a new session begins, since the source is not what it was");
                (known, gops, pending) = (*now, found, Some(first));
                short_sessions = if began.elapsed() < SESSION_TIME_MIN { short_sessions + 1 } else { 0 };
            }
            Outcome::Failed(reason) => {
                warn!(%stream, "the session is given up: {reason}");
                errored(reason);
                break;
            }
        }
    }
    // Nobody looks at its document any more.
    stop.cancel();
    metrics.set_live(false);
    herald.say(News::Idle);
    herald.end().await;
    info!(%stream, "the publish is over");
}
