use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{Limits, request::Edge};

/// From the first byte that is awaited to the last of the head: a slow client, or a connection without use.
const HEAD: Duration = Duration::from_secs(30);
/// The head of a request, in bytes, and hyper's read buffer.
const HEAD_BYTES: usize = 16 << 10;
/// Fields in the head of a request.
const HEAD_FIELDS: usize = 64;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// After a failed accept, most often because no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts viewers until `stop`, then lets requests in flight end within the limit for that.
pub(crate) async fn serve(listener: TcpListener, edge: Arc<Edge>, limits: &Limits, stop: &CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(HEAD_FIELDS).max_buf_size(HEAD_BYTES.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(HEAD);
    let builder = Arc::new(builder);
    let permits = Arc::new(Semaphore::new(limits.connections));
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
        let (stream, permit) = match accepted {
            (Ok((stream, _)), Ok(permit)) => (stream, permit),
            (Err(error), _) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
            (Ok(_), Err(_)) => break,
        };
        // The last, small packet of an answer must not wait for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (edge, builder, watcher) = (edge.clone(), builder.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _permit = permit;
            let metrics = edge.metrics();
            let _open = metrics.connections.hold();
            let service = service_fn(|request: hyper::Request<Incoming>| {
                let edge = edge.clone();
                async move { Ok::<_, Infallible>(edge.answer(request).await) }
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not end in time");
    }
}
