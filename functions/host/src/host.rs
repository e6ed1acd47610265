use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use http::HeaderName;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, ImportError, Metrics, Reload, TlsError,
    addresses::Addresses,
    front,
    geo::{Geo, GeoError},
    guest::Guest,
    heard::Heard,
    objects::{FetchError, Objects},
    raw::{Forward, Raw},
    reports::{Handover, Reports},
    request::Edge,
    shared::Answers,
    shield::Shield,
    tls::Certificates,
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
    /// A component that does not answer.
    #[error("the functions component does not answer: {0}")]
    Silent(String),
    /// No certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A name that no header has.
    #[error("`{0}` is no name of a header: write it in lower case, as cloudfront-viewer-country")]
    HeaderName(String),
    /// No database of addresses.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// Lines of reports cannot be sent there.
    #[error("`{0}` is no address that lines of reports can be posted to: write http://host[:port]/… or https://host[:port]/…")]
    Raw(String),
    /// The upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] FetchError),
}

/// An edge host that listens.
pub struct Host {
    listener: TcpListener,
    addr: SocketAddr,
    edge: Arc<Edge>,
    handover: Handover,
    forward: Option<Forward>,
    config: Arc<Config>,
    certificates: Option<Arc<Certificates>>,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
}

impl Host {
    /// Compiles or loads the component and listens; viewers are answered from [`Self::run`] on.
    pub fn bind(config: Config) -> BoxFuture<'static, Result<Self, HostError>> {
        // Here and below: what is polled through a pointer is compiled in this crate, and not again in each that awaits it.
        Box::pin(Self::take_port(config))
    }

    async fn take_port(config: Config) -> Result<Self, HostError> {
        let listen = |source| HostError::Listen { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let certificates = config.tls.clone().map(|tls| Certificates::new(tls, addr.ip())).transpose()?;
        let tls = certificates.as_ref().map(Certificates::acceptor).transpose()?;
        let header = |name: &Option<String>| {
            // Header names are compared as they are written here.
            let parse = |name: String| HeaderName::from_lowercase(name.as_bytes()).map_err(|_| HostError::HeaderName(name));
            name.clone().map(parse).transpose()
        };
        let [country_header, network_header, address_header] =
            [header(&config.country_header)?, header(&config.network_header)?, header(&config.address_header)?];
        let geo = Geo::open(&config.geo)?;
        let metrics = Arc::new(Metrics::default());
        let stop = CancellationToken::new();
        let objects = Objects::new(config.upstream.clone(), config.mirror.clone(), &config.limits, metrics.clone(), stop.clone())?;
        let config = Arc::new(config);
        let start = Instant::now();
        let (of_guest, objects_of_guest, metrics_of_guest) = (config.clone(), objects.clone(), metrics.clone());
        // Compiling takes up to a second of both cores.
        let guest = tokio::task::spawn_blocking(move || Guest::new(&of_guest, &objects_of_guest, &metrics_of_guest)).await;
        let guest = guest.map_err(|error| HostError::Engine(wasmtime::Error::msg(error.to_string())))??;
        guest.greet().await?;
        tracing::info!(took_us = start.elapsed().as_micros(), "the functions answer");
        let limits = &config.limits;
        let answers = Answers::new(guest, objects.clone(), limits, metrics.clone());
        let (reports, handover) = Reports::new(config.name.clone(), answers.clone());
        let (raw, forward) = config.raw.clone().map(|to| Raw::new(to, metrics.clone())).transpose()?.unzip();
        let edge = Edge {
            answers,
            reports,
            raw,
            heard: Heard::new(),
            geo,
            objects,
            statics: config.statics.clone(),
            shield: config.shield_secret.as_deref().map(Shield::new),
            metrics,
            requests: limits.requests as u64,
            addresses: Addresses::new(limits.requests_per_address),
            request_body: limits.request_body,
            country_header,
            network_header,
            address_header,
            stop: stop.clone(),
        };
        Ok(Self { listener, addr, edge: Arc::new(edge), handover, forward, config, certificates, tls, stop })
    }

    /// Where viewers connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What takes another component or certificate while the host runs.
    #[must_use]
    pub fn reload(&self) -> Reload {
        Reload::new(self.edge.answers.clone(), self.config.clone(), self.certificates.clone())
    }

    /// Answers viewers until `shutdown`; parked viewers then get what there is.
    #[must_use = "nothing happens before it is awaited"]
    pub fn run(self, shutdown: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(self.serve(shutdown))
    }

    async fn serve(self, shutdown: CancellationToken) {
        let stop = self.stop.clone();
        let link = tokio::spawn(async move {
            shutdown.cancelled().await;
            stop.cancel();
        });
        let (handed_over, end) = (CancellationToken::new(), self.config.limits.guest_time);
        let handover = tokio::spawn(self.handover.run(handed_over.clone()));
        let forward = self.forward.map(|forward| tokio::spawn(forward.run(handed_over.clone())));
        front::serve(self.listener, self.edge, self.tls, &self.config.limits, &self.stop).await;
        // The last reports have come: what was counted is written down.
        handed_over.cancel();
        if tokio::time::timeout(end, handover).await.is_err() {
            tracing::warn!("the store did not take the last figures of viewers in time");
        }
        if let Some(forward) = forward
            && tokio::time::timeout(end, forward).await.is_err()
        {
            tracing::warn!("the last lines of players' reports were not taken in time");
        }
        link.abort();
    }
}
