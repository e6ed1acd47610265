#![allow(clippy::disallowed_methods, reason = "a program: it reads its environment")]
//! The edge host as a program of its own.
use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError},
};
use clap::Parser;
use tidegate_host::{Config, Host, Limits, PreferWait, RawLines, Reload, Statics, Tls, Upstream, ask_health};
use tokio_util::sync::CancellationToken;

/// Serves live streams from a bucket to viewers.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Where viewers connect.
    #[arg(long, env = "TIDEGATE_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The certificate chain in a PEM file; with it, viewers connect with TLS.
    #[arg(long, env = "TIDEGATE_TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The key of the certificate in a PEM file.
    #[arg(long, env = "TIDEGATE_TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Where objects come from: the address of an S3 store or of another edge.
    #[arg(long, env = "TIDEGATE_ENDPOINT")]
    endpoint: String,
    /// The bucket; `objects` where the upstream is another edge.
    #[arg(long, env = "TIDEGATE_BUCKET", default_value = "")]
    bucket: String,
    /// The region of the bucket.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// With the secret, signs requests to the bucket. Without both, and where the endpoint is AWS, the role of the machine does.
    #[arg(long, env = "AWS_ACCESS_KEY_ID", requires = "secret_access_key")]
    access_key_id: Option<String>,
    /// Belongs to the access key.
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret_access_key: Option<String>,
    /// Belongs to an access key that expires.
    #[arg(long, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    session_token: Option<String>,
    /// The secret of the edge that is the upstream.
    #[arg(long, env = "TIDEGATE_UPSTREAM_SECRET", hide_env_values = true)]
    upstream_secret: Option<String>,
    /// A second bucket to which workers copy (their `[mirror]`): the address of its store. Read where the first fails, for what never changes.
    #[arg(long, env = "TIDEGATE_MIRROR_ENDPOINT")]
    mirror_endpoint: Option<String>,
    /// Its name; without it that of the first.
    #[arg(long, env = "TIDEGATE_MIRROR_BUCKET", requires = "mirror_endpoint")]
    mirror_bucket: Option<String>,
    /// Its region; without it that of the first. The same keys sign.
    #[arg(long, env = "TIDEGATE_MIRROR_REGION", requires = "mirror_endpoint")]
    mirror_region: Option<String>,
    /// Lets other edges that know this secret read objects here.
    #[arg(long, env = "TIDEGATE_SHIELD_SECRET", hide_env_values = true)]
    shield_secret: Option<String>,
    /// The functions component. It is taken anew when the file changes, and at SIGHUP.
    #[arg(long, env = "TIDEGATE_COMPONENT")]
    component: PathBuf,
    /// Where compiled components are kept; without it each start compiles.
    #[arg(long, env = "TIDEGATE_CACHE")]
    cache: Option<PathBuf>,
    /// The header in which a CDN or proxy before this host says where a viewer is, in lower case.
    #[arg(long, env = "TIDEGATE_COUNTRY_HEADER")]
    country_header: Option<String>,
    /// The header in which it says what network (autonomous system) a viewer is in, in lower case.
    #[arg(long, env = "TIDEGATE_NETWORK_HEADER")]
    network_header: Option<String>,
    /// The header in which it says a viewer's address, in lower case; without one the connection's counts.
    #[arg(long, env = "TIDEGATE_ADDRESS_HEADER")]
    address_header: Option<String>,
    /// A database (MMDB) of countries or networks of addresses, for viewers of whom no header says where they are; may be given again.
    /// `infra/geo` gets one.
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    /// Where the lines of players' reports go beside being counted: an address that takes JSON lines by POST, as ClickHouse does with
    /// `?query=INSERT%20INTO%20tidegate.beacons%20FORMAT%20JSONEachRow`.
    #[arg(long, env = "TIDEGATE_RAW_URL", conflicts_with = "raw_firehose")]
    raw_url: Option<http::Uri>,
    /// What `Authorization` says there, as `Basic …`.
    #[arg(long, env = "TIDEGATE_RAW_AUTHORIZATION", hide_env_values = true, requires = "raw_url")]
    raw_authorization: Option<http::HeaderValue>,
    /// The same to a delivery stream of Amazon Data Firehose, with the region and the credentials of the bucket.
    #[arg(long, env = "TIDEGATE_RAW_FIREHOSE", value_name = "STREAM", requires = "access_key_id")]
    raw_firehose: Option<String>,
    /// Where Firehose is, where that is not AWS.
    #[arg(long, env = "TIDEGATE_RAW_FIREHOSE_ENDPOINT", requires = "raw_firehose")]
    raw_firehose_endpoint: Option<http::Uri>,
    /// What this host is called where figures about viewers tell hosts apart.
    #[arg(long, env = "TIDEGATE_EDGE", default_value = "edge")]
    name: String,
    /// A setting that the functions find in their environment, as NAME=VALUE.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    environment: Vec<(String, String)>,
    /// A foreign origin, as HOST:PORT, that functions may read though its address is not public.
    #[arg(long = "private-origin", value_name = "HOST:PORT")]
    private_origins: Vec<String>,
    /// Connections and requests at once of one address; raise it where a proxy stands before this host.
    #[arg(long)]
    per_address: Option<usize>,
    /// Requests at once, parked ones included.
    #[arg(long)]
    requests: Option<usize>,
    /// Connections at once.
    #[arg(long)]
    connections: Option<usize>,
    /// What is logged: a level, or a filter such as `tidegate_host=debug` (a line for each request).
    #[arg(long, env = "TIDEGATE_LOG", default_value = "info")]
    log: String,
    /// A folder of files that are served as they are.
    #[arg(long)]
    files: Option<PathBuf>,
    /// Ask the host that runs here whether it lives, and end: for health checks of containers.
    #[arg(long)]
    check: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if flags.check {
        return ask_health(flags.listen, flags.tls_certificate.is_some()).context("the host does not answer");
    }
    let filter = tracing_subscriber::EnvFilter::try_new(&flags.log).with_context(|| format!("`{}` is no log filter", flags.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let shutdown = CancellationToken::new();
    let lent = if flags.access_key_id.is_none() { lent(&flags.endpoint, &flags.region).await } else { None };
    let host = Host::bind(config(flags, lent)?).await?;
    tracing::info!(addr = %host.addr(), "serving");
    tokio::spawn(host.reload().watch(shutdown.clone()));
    tokio::spawn(reload_at_hangup(host.reload()));
    let stop = shutdown.clone();
    tokio::spawn(async move {
        terminated().await;
        stop.cancel();
    });
    host.run(shutdown).await;
    Ok(())
}

/// What a pod, a task or an instance has a role for. Nobody is asked where the store is not AWS, and a bucket of AWS that anybody may read needs none.
async fn lent(endpoint: &str, region: &str) -> Option<SharedCredentialsProvider> {
    if !is_aws(endpoint) {
        return None;
    }
    let config = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned())).load().await;
    let provider = config.credentials_provider()?;
    match provider.provide_credentials().await {
        Ok(_) => Some(provider),
        Err(error @ CredentialsError::CredentialsNotLoaded(_)) => {
            tracing::warn!(%error, "nobody lends this host credentials: the bucket is read without a signature");
            None
        }
        // Who lends them stumbles: each request asks again.
        Err(error) => {
            tracing::warn!(%error, "this host's credentials are not there yet");
            Some(provider)
        }
    }
}

fn is_aws(endpoint: &str) -> bool {
    let host = endpoint.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase));
    host.is_some_and(|host| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

fn config(flags: Flags, lent: Option<SharedCredentialsProvider>) -> anyhow::Result<Config> {
    let given = flags.access_key_id.zip(flags.secret_access_key).map(|(id, secret)| {
        let credentials = Credentials::new(id, secret, flags.session_token, None, "flags");
        SharedCredentialsProvider::new(credentials)
    });
    let credentials = given.or(lent);
    let raw = match (flags.raw_url, flags.raw_firehose.zip(credentials.clone())) {
        (Some(url), _) => {
            let authorization = flags.raw_authorization.map(|mut value| {
                value.set_sensitive(true);
                value
            });
            Some(RawLines::Post { url, authorization })
        }
        (None, Some((stream, credentials))) => {
            let region = flags.region.clone();
            let endpoint = match flags.raw_firehose_endpoint {
                Some(endpoint) => endpoint,
                None => format!("https://firehose.{region}.amazonaws.com/").parse()?,
            };
            Some(RawLines::Firehose { endpoint, region, stream, credentials })
        }
        (None, None) => None,
    };
    let upstream = Upstream {
        endpoint: flags.endpoint,
        bucket: flags.bucket,
        region: flags.region,
        credentials,
        shield_secret: flags.upstream_secret,
        prefer_wait: PreferWait::Auto,
    };
    let mirror = flags.mirror_endpoint.map(|endpoint| Upstream {
        endpoint,
        bucket: flags.mirror_bucket.unwrap_or_else(|| upstream.bucket.clone()),
        region: flags.mirror_region.unwrap_or_else(|| upstream.region.clone()),
        shield_secret: None,
        ..upstream.clone()
    });
    let statics = match &flags.files {
        Some(folder) => Statics::default().folder("/", folder).with_context(|| format!("cannot read {}", folder.display()))?,
        None => Statics::default(),
    };
    let usual = Limits::default();
    let limits = Limits {
        connections: flags.connections.unwrap_or(usual.connections),
        connections_per_address: flags.per_address.unwrap_or(usual.connections_per_address),
        requests: flags.requests.unwrap_or(usual.requests),
        requests_per_address: flags.per_address.unwrap_or(usual.requests_per_address),
        ..usual
    };
    Ok(Config {
        mirror,
        cache_dir: flags.cache,
        tls: flags.tls_certificate.zip(flags.tls_key).map(|(certificate, key)| Tls::Files { certificate, key }),
        shield_secret: flags.shield_secret,
        country_header: flags.country_header,
        network_header: flags.network_header,
        address_header: flags.address_header,
        geo: flags.geo,
        raw,
        name: flags.name,
        environment: flags.environment,
        private_origins: flags.private_origins,
        statics,
        limits,
        ..Config::new(flags.listen, upstream, flags.component)
    })
}

/// Takes the component and the certificate anew at each SIGHUP.
async fn reload_at_hangup(reload: Reload) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        if let Err(error) = reload.now().await {
            tracing::error!(%error, "the host goes on with what it has");
        }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Ends at Ctrl-C or SIGTERM.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate => {}
    }
}

#[cfg(test)]
mod tests {
    use super::is_aws;

    #[test]
    fn only_aws_is_asked_for_what_it_lends() {
        assert!(is_aws("https://s3.eu-west-1.amazonaws.com") && is_aws("https://S3.cn-north-1.amazonaws.com.cn/"));
        for other in ["http://127.0.0.1:9000", "https://s3.example.com", "https://amazonaws.com.example", "nonsense"] {
            assert!(!is_aws(other), "{other}");
        }
    }
}
