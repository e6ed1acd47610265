use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tidegate_stream::StreamId;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    announce::Announcer,
    config::Config,
    health,
    metrics::Metrics,
    rules::Rules,
    session::{self, Shared},
    slate::Slates,
    source::{Passphrase, Pull, PullError, PullSource, RtmpServer, SrtError, SrtPort, SrtSource, StreamKeys, knows_srt},
    store::{AnyBucket, Bucket},
    transcode::{Ffmpeg, FfmpegError},
    twin::Access,
};

/// A worker: an RTMP server, the inputs that it pulls, and a session for each stream that is live.
pub struct Worker {
    shared: Arc<Shared>,
    rtmp: RtmpServer,
    rtmp_addr: SocketAddr,
    metrics_listener: Option<TcpListener>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why a worker does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A port cannot be had.
    #[error("cannot listen on {addr} for {what}: {reason}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What for.
        what: &'static str,
        /// What to do.
        reason: String,
    },
    /// The slate is not there.
    #[error("there is no file {} for the slate: correct `file` in `[slate]`", .0.display())]
    Slate(PathBuf),
    /// No ffmpeg for the ladder.
    #[error("{0}, or encode nothing with `ladder = []`")]
    Ffmpeg(#[from] FfmpegError),
    /// The stream has a publisher.
    #[error("stream {0} is live already")]
    Live(StreamId),
    /// The stream's document says so.
    #[error("stream {0} is switched off: set `enabled` in its document")]
    Off(StreamId),
    /// A pulled input.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// SRT.
    #[error(transparent)]
    Srt(#[from] SrtError),
}

/// Between two looks at a place that somebody else has.
const TAKEN: Duration = Duration::from_secs(2);

/// How long a shutdown waits for the last objects of every session.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(10);

impl Worker {
    /// Takes the ports and looks for ffmpeg; accepts nobody before [`Self::run`].
    pub async fn bind(config: Config, store: impl Bucket) -> Result<Self, WorkerError> {
        Self::bind_any(config, AnyBucket::new(store), None).await
    }

    /// As [`Self::bind`]; what is durable in the store is copied to a second bucket.
    pub async fn bind_mirrored<B: Bucket>(config: Config, store: B, mirror: Option<B>) -> Result<Self, WorkerError> {
        Self::bind_any(config, AnyBucket::new(store), mirror.map(AnyBucket::new)).await
    }

    // What is polled through a pointer is compiled in this crate; what is awaited is compiled again in each that awaits it.
    fn bind_any(config: Config, store: AnyBucket, mirror: Option<AnyBucket>) -> BoxFuture<'static, Result<Self, WorkerError>> {
        Box::pin(Self::take_ports(config, store, mirror))
    }

    async fn take_ports(config: Config, store: AnyBucket, mirror: Option<AnyBucket>) -> Result<Self, WorkerError> {
        let configured = Some(config.ffmpeg.as_path()).filter(|path| *path != Path::new(""));
        let ffmpeg = match Ffmpeg::find(configured).await {
            Ok(ffmpeg) => Some(ffmpeg),
            // Without a ladder only pulling needs it, and says so then.
            Err(FfmpegError::Missing) if config.ladder.is_empty() && config.slate.file == Path::new("") => None,
            Err(error) => return Err(error.into()),
        };
        let slates = match (&ffmpeg, config.slate.file.clone()) {
            (_, file) if file == Path::new("") => None,
            // ffmpeg runs in a folder of its own.
            (Some(ffmpeg), file) => match file.canonicalize() {
                Ok(file) if file.is_file() => Some(Slates::new(ffmpeg.clone(), file)),
                Ok(_) | Err(_) => return Err(WorkerError::Slate(file)),
            },
            (None, _) => None,
        };
        let metrics_listener = match config.metrics.listen {
            Some(addr) => Some(health::bind(addr).await.map_err(|error| cannot_listen(addr, "metrics", &error))?),
            None => None,
        };
        let addr = config.rtmp.listen;
        let rules = Rules::new(store.clone());
        let listening = async {
            let rtmp = RtmpServer::bind(config.rtmp.clone(), StreamKeys::new(store.clone()), rules.clone()).await?;
            let rtmp_addr = rtmp.addr()?;
            Ok((rtmp, rtmp_addr))
        };
        let (rtmp, rtmp_addr) = listening.await.map_err(|error| cannot_listen(addr, "RTMP", &error))?;
        let announcer = Announcer::new(store.clone());
        let access = Arc::new(Access::new(store, mirror, (config.store.hold_mb as usize) << 20, u64::from(config.store.spool_mb) << 20));
        let shared = Arc::new(Shared { config, ffmpeg, slates, metrics: Arc::default(), access, announcer, rules });
        Ok(Self { shared, rtmp, rtmp_addr, metrics_listener, stop: CancellationToken::new(), tasks: TaskTracker::new() })
    }

    /// Where it listens for RTMP.
    #[must_use]
    pub fn rtmp_addr(&self) -> SocketAddr {
        self.rtmp_addr
    }

    /// What it does, in numbers.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Publishes an input that is fetched rather than pushed; returns as soon as it is known that it can be.
    pub fn pull(&self, stream: StreamId, pull: Pull) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(self.begin_pull(stream, pull))
    }

    async fn begin_pull(&self, stream: StreamId, pull: Pull) -> Result<(), WorkerError> {
        if !self.shared.rules.of(&stream).await.allows() {
            return Err(WorkerError::Off(stream));
        }
        let ffmpeg = self.shared.ffmpeg.clone().ok_or(FfmpegError::Missing)?;
        let name = pull.name();
        let source = PullSource::open(ffmpeg, pull).await?;
        let place = self.rtmp.reserve(&stream).ok_or_else(|| WorkerError::Live(stream.clone()))?;
        info!(%stream, input = name, "an input is pulled");
        let session = session::publish(Arc::clone(&self.shared), stream, source, self.stop.clone());
        self.tasks.spawn(async move {
            session.await;
            drop(place);
        });
        Ok(())
    }

    /// Listens for the encoder of a stream that calls over SRT, at a port of its own; each call is a publish, until the worker ends.
    pub fn srt(&self, port: SrtPort, passphrase: Passphrase) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(self.listen_for_srt(port, passphrase))
    }

    async fn listen_for_srt(&self, port: SrtPort, passphrase: Passphrase) -> Result<(), WorkerError> {
        let ffmpeg = self.shared.ffmpeg.clone().ok_or(FfmpegError::Missing)?;
        knows_srt(&ffmpeg).await?;
        port.check().await.map_err(|error| cannot_listen(port.listen, "SRT", &error))?;
        let (shared, stop, reserve) = (Arc::clone(&self.shared), self.stop.clone(), self.rtmp.reserver());
        let rtmp = &self.shared.config.rtmp;
        let (silence, window) = (Duration::from_secs(rtmp.silence_s), Duration::from_secs(rtmp.reconnect_window_s));
        info!(stream = %port.stream, addr = %port.listen, "listening for SRT");
        self.tasks.spawn(async move {
            let stream = port.stream.clone();
            loop {
                let source = tokio::select! {
                    () = stop.cancelled() => return,
                    source = SrtSource::accept(ffmpeg.clone(), port.clone(), passphrase.clone(), silence, window) => source,
                };
                let place = if shared.rules.of(&stream).await.allows() { reserve(&stream) } else { None };
                let Some(place) = place else {
                    warn!(%stream, "a call over SRT is refused: the stream is switched off, or somebody else publishes it");
                    drop(source);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(TAKEN) => continue,
                    }
                };
                info!(%stream, "an encoder has called over SRT");
                session::publish(Arc::clone(&shared), stream.clone(), source, stop.clone()).await;
                drop(place);
            }
        });
        Ok(())
    }

    /// Accepts publishers until `shutdown`; then ends every session, so that its last segment and its end are durable.
    #[must_use = "nothing happens before it is awaited"]
    pub fn run(self, shutdown: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(self.serve(shutdown))
    }

    async fn serve(self, shutdown: CancellationToken) {
        let Self { shared, rtmp, rtmp_addr, metrics_listener, stop, tasks } = self;
        info!(addr = %rtmp_addr, "listening for RTMP");
        let metrics = Arc::clone(&shared.metrics);
        let monitoring = metrics_listener.map(|listener| tokio::spawn(health::serve(listener, Arc::clone(&metrics), stop.clone())));
        metrics.set_ready(true);
        let sessions = stop.clone();
        let serving = rtmp.serve(stop.clone(), tasks.clone(), move |stream, source| {
            session::publish(Arc::clone(&shared), stream, source, sessions.clone())
        });
        let serving = tokio::spawn(serving);
        shutdown.cancelled().await;
        metrics.set_ready(false);
        stop.cancel();
        tasks.close();
        if timeout(SHUTDOWN_TIME_MAX, tasks.wait()).await.is_err() {
            warn!(left = tasks.len(), "some sessions could not be ended within {} s", SHUTDOWN_TIME_MAX.as_secs());
        }
        let _ = serving.await;
        if let Some(monitoring) = monitoring {
            let _ = monitoring.await;
        }
    }
}

fn cannot_listen(addr: SocketAddr, what: &'static str, error: &io::Error) -> WorkerError {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "another program has this port; stop it, or choose another port".into(),
        io::ErrorKind::PermissionDenied => "not allowed; choose a port above 1023".into(),
        _ => error.to_string(),
    };
    WorkerError::Listen { addr, what, reason }
}
