use std::{net::SocketAddr, path::PathBuf, time::Duration};

use aws_credential_types::provider::SharedCredentialsProvider;

use tidegate_foreign::Loads;

use crate::{RawLines, Statics, Tls};

/// What a host needs to know before it starts.
pub struct Config {
    /// Where viewers connect; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where objects come from.
    pub upstream: Upstream,
    /// A second bucket that has what the first has confirmed: read where the first fails, for what never changes.
    pub mirror: Option<Upstream>,
    /// The functions component.
    pub component: PathBuf,
    /// Where compiled components are kept; `None` compiles at each start.
    pub cache_dir: Option<PathBuf>,
    /// TLS before viewers; `None` speaks in the clear, behind something that does TLS.
    pub tls: Option<Tls>,
    /// Lets other edges that know this secret read objects as they are, below `/objects/`.
    pub shield_secret: Option<String>,
    /// The header, in lower case, in which a CDN or proxy before this host says where a viewer is, as `cloudfront-viewer-country`.
    /// Only where viewers cannot write it themselves.
    pub country_header: Option<String>,
    /// The header, in lower case, in which it says what network (autonomous system) a viewer is in, as `cloudfront-viewer-asn`.
    pub network_header: Option<String>,
    /// The header, in lower case, in which it says a viewer's address, as `cloudfront-viewer-address`; the first of several counts.
    pub address_header: Option<String>,
    /// Databases (MMDB) that say where addresses are and in which network, for viewers of whom no header says it.
    pub geo: Vec<PathBuf>,
    /// Where the lines of players' reports go beside being counted.
    pub raw: Option<RawLines>,
    /// What this host is called where figures tell hosts apart.
    pub name: String,
    /// What the functions find in their environment, beside `TIDEGATE_UPSTREAM`.
    pub environment: Vec<(String, String)>,
    /// Foreign origins (`host:port`) that functions may read though their addresses are not public.
    pub private_origins: Vec<String>,
    /// Files of the watch page and the player.
    pub statics: Statics,
    /// Every bound of the host.
    pub limits: Limits,
}

impl Config {
    /// A host of this component for viewers at `listen`, with everything else as it is by default.
    #[must_use]
    pub fn new(listen: SocketAddr, upstream: Upstream, component: PathBuf) -> Self {
        Self {
            listen,
            upstream,
            mirror: None,
            component,
            cache_dir: None,
            tls: None,
            shield_secret: None,
            country_header: None,
            network_header: None,
            address_header: None,
            geo: Vec::new(),
            raw: None,
            name: "edge".into(),
            environment: Vec::new(),
            private_origins: Vec::new(),
            statics: Statics::default(),
            limits: Limits::default(),
        }
    }
}

/// Where objects come from: a bucket, the embedded store, or another edge.
#[derive(Clone)]
pub struct Upstream {
    /// `http://…` or `https://…`, without a bucket.
    pub endpoint: String,
    /// The bucket (path style), or what stands between the endpoint and a key; may be empty.
    pub bucket: String,
    /// The region that signatures name.
    pub region: String,
    /// `None` sends unsigned requests.
    pub credentials: Option<SharedCredentialsProvider>,
    /// The secret of an edge that is the upstream (its [`Config::shield_secret`]); then the bucket is `objects`.
    pub shield_secret: Option<String>,
    /// Whether the upstream can hold a request until the object exists.
    pub prefer_wait: PreferWait,
}

/// Whether the upstream understands `Prefer: wait` (RFC 7240).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PreferWait {
    /// Ask once, and believe `Preference-Applied`.
    #[default]
    Auto,
    /// The upstream is known to hold requests.
    Always,
    /// The upstream is known not to; keys are polled.
    Never,
}

/// The bounds of the host; the defaults suit a machine with 2 cores and 1 GiB.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the listen backlog.
    pub connections: usize,
    /// Connections at once of one address (of IPv6: one /64). Behind a proxy or CDN, whose addresses are few, as many as `connections`.
    pub connections_per_address: usize,
    /// Viewers' requests at once, parked ones included; more get a 503.
    pub requests: usize,
    /// Requests at once of one address, parked ones included; more get a 429.
    pub requests_per_address: usize,
    /// Requests inside the component at once; more queue for `guest_queue`.
    pub guest_calls: usize,
    /// How long a request queues for the component before it gets a 503.
    pub guest_queue: Duration,
    /// How long the component may take for one answer.
    pub guest_time: Duration,
    /// Linear memory of one instance, in bytes.
    pub guest_memory: usize,
    /// Instances at once.
    pub instances: u32,
    /// How long a viewer waits for an answer, parked time included.
    pub request_time: Duration,
    /// Body of a viewer's request, in bytes.
    pub request_body: usize,
    /// Body of an answer that the component writes itself, in bytes.
    pub answer_body: usize,
    /// Answers kept, in bytes.
    pub answers: usize,
    /// Objects kept, in bytes.
    pub objects: usize,
    /// The largest object that is read whole and kept; larger ones are read by range.
    pub object: usize,
    /// Keys watched at once.
    pub watchers: usize,
    /// Foreign addresses read at once; more queue.
    pub loads: usize,
    /// How long a foreign origin may take. One that holds a blocking request does so for three target durations.
    pub load_time: Duration,
    /// Body of a foreign origin's answer, decoded, in bytes.
    pub load_body: usize,
    /// Object that the functions write, in bytes.
    pub store_body: usize,
    /// How long requests in flight may go on when the host stops.
    pub drain: Duration,
}

impl Limits {
    pub(crate) fn loads(&self) -> Loads {
        Loads { at_once: self.loads, time: self.load_time, bytes: self.load_body }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 4_000,
            requests: 100_000,
            requests_per_address: 20_000,
            guest_calls: 512,
            guest_queue: Duration::from_secs(2),
            guest_time: Duration::from_secs(5),
            guest_memory: 64 << 20,
            instances: 64,
            request_time: Duration::from_secs(40),
            request_body: 64 << 10,
            answer_body: 8 << 20,
            answers: 64 << 20,
            objects: 256 << 20,
            object: 32 << 20,
            watchers: 4096,
            loads: 256,
            load_time: Duration::from_secs(20),
            load_body: 4 << 20,
            store_body: 8 << 20,
            drain: Duration::from_secs(3),
        }
    }
}
