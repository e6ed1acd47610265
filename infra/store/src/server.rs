use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use s3s::{Body, auth::SecretKey, service::S3Service, service::S3ServiceBuilder, validation::NameValidation};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, instrument::WithSubscriber as _, subscriber::NoSubscriber, warn};

use crate::{
    access::{Access, Keys},
    backend::{Backend, MAX_WAIT},
    cors,
    disk::{Disk, DiskError, Durability},
    sweep::{Expiry, sweep},
};

/// How an embedded store is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds everything; made where it is missing. One store at a time can have it open.
    pub dir: PathBuf,
    /// The bucket that is made at the start. Others can be made by request.
    pub bucket: String,
    /// The access key that requests are signed with.
    pub access_key: String,
    /// The secret key that requests are signed with.
    pub secret_key: String,
    /// Objects below these prefixes can be read without a signature, in every bucket.
    pub public_prefixes: Vec<String>,
    /// Whether pages of any origin may read (CORS).
    pub cors: bool,
    /// What an answered write has survived.
    pub durability: Durability,
    /// Objects that are removed by their age, in [`Self::bucket`].
    pub expiry: Vec<Expiry>,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves the same folder.
    #[error("{} is in use by another process: stop that one, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be used.
    #[error("the store's folder {} cannot be used", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The disk is full.
    #[error("the disk with {} is full: free some space", .0.display())]
    Full(PathBuf),
    /// The bucket's name is not one that S3 allows.
    #[error("`{0}` is not a bucket name: use 3 to 63 of a-z, 0-9, `-` and `.`")]
    BucketName(String),
}

/// An S3 server on one disk.
#[derive(Clone)]
pub struct EmbeddedStore {
    disk: Arc<Disk>,
    service: S3Service,
    config: Arc<Config>,
    closing: CancellationToken,
}

/// Connections at once; one that comes beyond this waits in the system's own queue.
const MAX_CONNECTIONS: usize = 1024;
/// Idle connections are closed after this, and so are clients that never finish their headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// A request has had its answer's headers after this: the longest wait, and a slow upload of the largest object.
const REQUEST_TIMEOUT: Duration = MAX_WAIT.saturating_add(Duration::from_secs(60));
/// Requests that are being answered at the end get this long.
const DRAIN: Duration = Duration::from_secs(5);
/// How often old objects are looked for; ages are minutes at least.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl EmbeddedStore {
    /// Opens a store, or makes a new one, with its bucket. Blocks for a few file operations.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        if !s3s::validation::AwsNameValidation::new().validate_bucket_name(&config.bucket) {
            return Err(OpenError::BucketName(config.bucket));
        }
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::ResourceBusy => OpenError::InUse(config.dir.clone()),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full(config.dir.clone()),
            _ => OpenError::Folder { dir: config.dir.clone(), source: error },
        };
        let disk = Arc::new(Disk::open(&config.dir, config.durability).map_err(failed)?);
        disk.create_bucket(&config.bucket).map_err(|error| match error {
            DiskError::Io(error) => failed(error),
            other => failed(io::Error::other(other)),
        })?;
        let closing = CancellationToken::new();
        let mut builder = S3ServiceBuilder::new(Backend::new(Arc::clone(&disk), closing.clone()));
        builder.set_auth(Keys { access_key: config.access_key.clone(), secret_key: SecretKey::from(config.secret_key.clone()) });
        builder.set_access(Access { public_prefixes: config.public_prefixes.clone() });
        Ok(Self { disk, service: builder.build(), config: Arc::new(config), closing })
    }

    /// Answers requests until `shutdown`, then finishes those that are being answered.
    #[must_use = "nothing happens before it is awaited"]
    pub fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> BoxFuture<'static, ()> {
        // Polled through a pointer, so that it is compiled in this crate.
        Box::pin(self.answer_all(listener, shutdown))
    }

    async fn answer_all(self, listener: TcpListener, shutdown: CancellationToken) {
        let sweeper = tokio::spawn(self.clone().sweep_old(shutdown.clone()));
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        loop {
            let accept = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "the store cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Without it a small answer waits 40 ms for the acknowledgement of its headers.
            let _ = stream.set_nodelay(true);
            let store = self.clone();
            let service = service_fn(move |request| store.clone().answer(request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            let serve = async move {
                if let Err(error) = connection.await {
                    debug!(%error, "a connection to the store ended early");
                }
                drop(permit);
            };
            tokio::spawn(serve.instrument(tracing::debug_span!("store", %peer)));
        }
        drop(listener);
        self.closing.cancel();
        let _ = timeout(DRAIN, graceful.shutdown()).await;
        sweeper.abort();
    }

    async fn answer(self, request: http::Request<Incoming>) -> Result<Response<Body>, s3s::HttpError> {
        if self.config.cors && cors::is_preflight(request.method(), request.headers()) {
            return Ok(empty(StatusCode::NO_CONTENT, cors::preflight_headers()));
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_string());
        // The package logs each 304, 404 and 412 as an error; what matters is logged below.
        let call = hyper::service::Service::call(&self.service, request).with_subscriber(NoSubscriber::default());
        let mut response = match timeout(REQUEST_TIMEOUT, call).await {
            Ok(response) => response?,
            Err(_) => empty(StatusCode::REQUEST_TIMEOUT, http::HeaderMap::new()),
        };
        if response.status().is_server_error() {
            let status = response.status().as_u16();
            warn!(%method, path, status, "the store could not answer");
        }
        if self.config.cors {
            cors::expose(response.headers_mut());
        }
        Ok(response)
    }

    async fn sweep_old(self, shutdown: CancellationToken) {
        if self.config.expiry.is_empty() {
            return;
        }
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = every.tick() => {}
            }
            for rule in self.config.expiry.clone() {
                let (disk, bucket, prefix) = (Arc::clone(&self.disk), self.config.bucket.clone(), rule.prefix.clone());
                let swept = tokio::task::spawn_blocking(move || sweep(&disk, &bucket, &rule, SystemTime::now())).await;
                match swept {
                    Ok(Ok(0)) => {}
                    Ok(Ok(removed)) => info!(removed, prefix, "old objects removed"),
                    Ok(Err(error)) => warn!(%error, prefix, "old objects cannot be removed"),
                    Err(error) => warn!(%error, prefix, "the search for old objects broke off"),
                }
            }
        }
    }
}

fn empty(status: StatusCode, headers: http::HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
