//! RTMP: `rtmp-runtime` knows the wire, this knows who may publish and how long anything may take.

mod connection;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tidegate_stream::StreamId;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use super::{
    Item, Registry, Source, StreamKeys,
    registry::{Claim, Slot},
};
use crate::rules::Rules;
use connection::{Connection, Ended, HandshakeError};

/// What the RTMP server allows.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RtmpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long a session waits for its encoder to come back after the connection was lost, in seconds.
    pub reconnect_window_s: u64,
    /// How long a publisher may send nothing before its connection counts as lost, in seconds.
    pub silence_s: u64,
    /// Open connections at most.
    pub connections: usize,
}

impl Default for RtmpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 1935)), reconnect_window_s: 10, silence_s: 10, connections: 256 }
    }
}

/// A listening RTMP server.
pub(crate) struct RtmpServer {
    listener: TcpListener,
    config: RtmpConfig,
    keys: StreamKeys,
    rules: Rules,
    registry: Registry<Connection>,
}

/// An accepted publisher: the first connection, and those that take its place.
pub(crate) struct RtmpSource {
    connection: Option<Connection>,
    slot: Slot<Connection>,
    successor: Option<(mpsc::Receiver<Connection>, Instant)>,
    window: Duration,
}

/// From the TCP connection to an accepted publish; a person with a working encoder needs a few round trips.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);
/// A wrong key is answered this late, so that guessing over one connection after the other is slow.
const REFUSAL_DELAY: Duration = Duration::from_millis(500);

impl RtmpServer {
    /// Begins to listen.
    pub(crate) async fn bind(config: RtmpConfig, keys: StreamKeys, rules: Rules) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        Ok(Self { listener, config, keys, rules, registry: Registry::default() })
    }

    /// Where it listens; the port is the real one where the configuration says 0.
    pub(crate) fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Keeps publishers away from a stream that is live by other means, until the place is dropped; `None` where it has one.
    pub(crate) fn reserve(&self, stream: &StreamId) -> Option<impl Send + use<>> {
        match self.registry.claim(stream) {
            Claim::New(slot) => Some(slot),
            Claim::Continue(_) | Claim::Busy => None,
        }
    }

    /// As [`Self::reserve`], for who takes the place again and again while this serves.
    pub(crate) fn reserver(&self) -> impl Fn(&StreamId) -> Option<Box<dyn Send>> + Send + Sync + use<> {
        let registry = self.registry.clone();
        move |stream| match registry.claim(stream) {
            Claim::New(slot) => Some(Box::new(slot) as Box<dyn Send>),
            Claim::Continue(_) | Claim::Busy => None,
        }
    }

    /// Accepts publishers until `stop`, and runs `session` for each one that opens a stream.
    pub(crate) async fn serve<F>(
        self,
        stop: CancellationToken,
        tasks: TaskTracker,
        session: impl Fn(StreamId, RtmpSource) -> F + Clone + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.config.connections));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors: the connection stays in the queue, and this loop must not spin.
                    warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&slots).try_acquire_owned() else {
                warn!(limit = self.config.connections, "too many RTMP connections: one more is closed");
                continue;
            };
            let (keys, rules, registry, config) = (self.keys.clone(), self.rules.clone(), self.registry.clone(), self.config.clone());
            let (session, stop) = (session.clone(), stop.clone());
            tasks.spawn(async move {
                let opened = tokio::select! {
                    () = stop.cancelled() => return,
                    opened = open(stream, peer.ip(), &keys, &rules, &registry, &config) => opened,
                };
                if let Some(source) = opened {
                    session(source.slot.stream().clone(), source).await;
                }
                drop(permit);
            });
        }
    }
}

/// From a connection to a publisher with a place; `None` where it is refused, or where a waiting session took it over.
async fn open(
    stream: TcpStream,
    peer: IpAddr,
    keys: &StreamKeys,
    rules: &Rules,
    registry: &Registry<Connection>,
    config: &RtmpConfig,
) -> Option<RtmpSource> {
    let mut connection = Connection::new(stream, Duration::from_secs(config.silence_s)).ok()?;
    let publish = match timeout(HANDSHAKE_TIME_MAX, connection.handshake()).await {
        Ok(Ok(publish)) => publish,
        Ok(Err(error)) => {
            debug!(%peer, %error, "an RTMP connection ended before it published");
            if matches!(error, HandshakeError::App(_)) {
                connection.refuse_app().await;
            }
            return None;
        }
        Err(_) => {
            debug!(%peer, "an RTMP connection did not publish within {} s", HANDSHAKE_TIME_MAX.as_secs());
            return None;
        }
    };
    let stream = match keys.check(&publish.stream_key).await {
        Ok(Some(stream)) => stream,
        Ok(None) => {
            warn!(%peer, "a publisher came with an unknown stream key");
            sleep(REFUSAL_DELAY).await;
            connection.refuse(&publish, "This stream key is not known.").await;
            return None;
        }
        Err(error) => {
            warn!(%peer, %error, "a stream key could not be checked");
            connection.refuse(&publish, "The stream key could not be checked. Try again.").await;
            return None;
        }
    };
    if !rules.of(&stream).await.allows() {
        warn!(%peer, %stream, "a publisher of a stream that is switched off is refused");
        sleep(REFUSAL_DELAY).await;
        connection.refuse(&publish, "This stream is switched off.").await;
        return None;
    }
    match registry.claim(&stream) {
        Claim::Busy => {
            warn!(%peer, %stream, "a second publisher of a stream is refused");
            connection.refuse(&publish, "Somebody else publishes this stream.").await;
            None
        }
        Claim::New(slot) => {
            connection.accept(publish).await.ok()?;
            info!(%peer, %stream, "a publisher is accepted");
            let window = Duration::from_secs(config.reconnect_window_s);
            Some(RtmpSource { connection: Some(connection), slot, successor: None, window })
        }
        Claim::Continue(session) => {
            connection.accept(publish).await.ok()?;
            info!(%peer, %stream, "a publisher is back");
            let _ = session.send(connection).await;
            None
        }
    }
}

impl Source for RtmpSource {
    async fn next(&mut self) -> Item {
        loop {
            if let Some(connection) = &mut self.connection {
                let reason = match connection.next().await {
                    Ok(tag) => return Item::Tag(tag),
                    Err(Ended::Said) => {
                        if let Some(connection) = self.connection.take() {
                            tokio::spawn(connection.linger());
                        }
                        return Item::End;
                    }
                    Err(Ended::Lost(reason)) => reason,
                };
                self.connection = None;
                self.successor = Some((self.slot.wait(), Instant::now() + self.window));
                return Item::Break { reason };
            }
            let Some((successor, until)) = &mut self.successor else { return Item::End };
            match timeout_at(*until, successor.recv()).await {
                Ok(Some(connection)) => {
                    self.connection = Some(connection);
                    self.successor = None;
                }
                // The connection that wanted to take over broke before it could.
                Ok(None) => *successor = self.slot.wait(),
                Err(_) => {
                    self.slot.close();
                    self.connection = successor.try_recv().ok();
                    self.successor = None;
                }
            }
        }
    }
}
