//! Viewers' connections: HTTP/1.1 and HTTP/2, in the clear (prior knowledge) or with TLS (ALPN).
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    Limits,
    addresses::Addresses,
    gathered::Gathered,
    request::{Edge, Peer},
    urgency::Lanes,
};

/// From the first byte that is awaited to the last of the head: a slow client, or a connection without use.
const HEAD: Duration = Duration::from_secs(30);
/// From the first byte to the end of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The head of a request, in bytes, and hyper's read buffer.
const HEAD_BYTES: usize = 16 << 10;
/// Fields in the head of a request.
const HEAD_FIELDS: usize = 64;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// After a failed accept, most often because no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
struct Front {
    edge: Arc<Edge>,
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
}

/// Accepts viewers until `stop`, then lets requests in flight end within the limit for that.
pub(crate) async fn serve(listener: TcpListener, edge: Arc<Edge>, tls: Option<TlsAcceptor>, limits: &Limits, stop: &CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(HEAD_FIELDS).max_buf_size(HEAD_BYTES.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(HEAD);
    let front = Arc::new(Front { edge, builder, tls });
    let permits = Arc::new(Semaphore::new(limits.connections));
    let addresses = Addresses::new(limits.connections_per_address);
    let graceful = GracefulShutdown::new();
    loop {
        // More connections wait in the backlog of the system.
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let permit = permits.clone().acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        let ((stream, peer), permit) = match accepted {
            (Ok(accepted), Ok(permit)) => (accepted, permit),
            (Err(error), _) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
            (Ok(_), Err(_)) => break,
        };
        let Some(entered) = addresses.enter(peer.ip()) else {
            front.edge.metrics().connections_refused.add(1);
            continue;
        };
        let (front, watcher) = (front.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _held = (permit, entered);
            if let Err(error) = front.connection(stream, peer, watcher).await {
                tracing::debug!(%peer, error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not end in time");
    }
}

type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

impl Front {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) -> Result<(), ConnectionError> {
        let metrics = self.edge.metrics();
        let _open = metrics.connections.hold();
        // The last, small packet of an answer must not wait for an acknowledgement.
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.requests(stream, peer, false, watcher).await,
            Some(tls) => {
                let late = |_| io::Error::from(io::ErrorKind::TimedOut);
                let stream = timeout(HANDSHAKE, tls.accept(stream)).await.map_err(late)??;
                self.requests(stream, peer, true, watcher).await
            }
        }
    }

    async fn requests<S>(&self, stream: S, peer: SocketAddr, secure: bool, watcher: Watcher) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (edge, lanes) = (self.edge.clone(), Arc::new(Lanes::default()));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (edge, peer) = (edge.clone(), Peer { address: peer.ip(), secure, lanes: lanes.clone() });
            async move { Ok::<_, Infallible>(edge.answer(request, peer).await) }
        });
        let connection = self.builder.serve_connection(TokioIo::new(Gathered::new(stream)), service);
        watcher.watch(connection.into_owned()).await
    }
}
