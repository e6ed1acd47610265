use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, ImportError, Limits, Metrics, front,
    guest::Guest,
    objects::{FetchError, Objects},
    request::Edge,
    shared::Answers,
};

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {addr}: {source}; choose another address or stop what listens there")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No component there.
    #[error("cannot read the functions component {}: {source}; build it first", path.display())]
    ReadComponent {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else than our component.
    #[error("{} has {len} bytes, too many for a functions component", path.display())]
    LargeComponent {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// Not WebAssembly, or not a component.
    #[error("{} is not a functions component: {source:#}", path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// What the compiler says.
        source: wasmtime::Error,
    },
    /// A component for another host.
    #[error(transparent)]
    Imports(#[from] ImportError),
    /// The machine cannot give what the limits ask for.
    #[error("wasmtime does not start: {0:#}; fewer instances or less memory for each may help")]
    Engine(wasmtime::Error),
    /// The upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] FetchError),
}

/// An edge host that listens.
pub struct Host {
    listener: TcpListener,
    addr: SocketAddr,
    edge: Arc<Edge>,
    limits: Limits,
    stop: CancellationToken,
}

impl Host {
    /// Compiles or loads the component and listens; viewers are answered from [`Self::run`] on.
    pub async fn bind(config: Config) -> Result<Self, HostError> {
        let listen = |source| HostError::Listen { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let metrics = Arc::new(Metrics::default());
        let stop = CancellationToken::new();
        let objects = Objects::new(config.upstream.clone(), &config.limits, metrics.clone(), stop.clone())?;
        let (config, objects_of_guest, metrics_of_guest) = (Arc::new(config), objects.clone(), metrics.clone());
        let of_guest = config.clone();
        // Compiling takes up to a second of both cores.
        let guest = tokio::task::spawn_blocking(move || Guest::new(&of_guest, &objects_of_guest, &metrics_of_guest)).await;
        let guest = guest.map_err(|error| HostError::Engine(wasmtime::Error::msg(error.to_string())))??;
        let limits = config.limits.clone();
        let edge = Edge {
            answers: Answers::new(guest, objects.clone(), &limits, metrics.clone()),
            objects,
            statics: config.statics.clone(),
            metrics,
            requests: limits.requests as u64,
            request_body: limits.request_body,
            stop: stop.clone(),
        };
        Ok(Self { listener, addr, edge: Arc::new(edge), limits, stop })
    }

    /// Where viewers connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers viewers until `shutdown`; parked viewers then get what there is.
    pub async fn run(self, shutdown: CancellationToken) {
        let stop = self.stop.clone();
        let link = tokio::spawn(async move {
            shutdown.cancelled().await;
            stop.cancel();
        });
        front::serve(self.listener, self.edge, &self.limits, &self.stop).await;
        link.abort();
    }
}
