#![allow(clippy::disallowed_methods, reason = "a program: it reads its environment")]
//! The edge host as a program of its own.
use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use clap::Parser;
use tidegate_host::{Config, Host, PreferWait, Statics, Upstream};
use tokio_util::sync::CancellationToken;

/// Serves live streams from a bucket to viewers.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Where viewers connect.
    #[arg(long, env = "TIDEGATE_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where objects come from: the address of an S3 store or of another edge.
    #[arg(long, env = "TIDEGATE_ENDPOINT")]
    endpoint: String,
    /// The bucket; empty where the upstream is another edge.
    #[arg(long, env = "TIDEGATE_BUCKET", default_value = "")]
    bucket: String,
    /// The region of the bucket.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// With the secret, signs requests to the bucket.
    #[arg(long, env = "AWS_ACCESS_KEY_ID", requires = "secret_access_key")]
    access_key_id: Option<String>,
    /// Belongs to the access key.
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret_access_key: Option<String>,
    /// Belongs to an access key that expires.
    #[arg(long, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    session_token: Option<String>,
    /// The functions component.
    #[arg(long, env = "TIDEGATE_COMPONENT")]
    component: PathBuf,
    /// Where compiled components are kept; without it each start compiles.
    #[arg(long, env = "TIDEGATE_CACHE")]
    cache: Option<PathBuf>,
    /// A setting that the functions find in their environment, as NAME=VALUE.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    environment: Vec<(String, String)>,
    /// A foreign origin, as HOST:PORT, that functions may read though its address is not public.
    #[arg(long = "private-origin", value_name = "HOST:PORT")]
    private_origins: Vec<String>,
    /// A folder of files that are served as they are.
    #[arg(long)]
    files: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let flags = Flags::parse();
    let shutdown = CancellationToken::new();
    let host = Host::bind(config(flags)?).await?;
    tracing::info!(addr = %host.addr(), "serving");
    let stop = shutdown.clone();
    tokio::spawn(async move {
        terminated().await;
        stop.cancel();
    });
    host.run(shutdown).await;
    Ok(())
}

fn config(flags: Flags) -> anyhow::Result<Config> {
    let credentials = flags.access_key_id.zip(flags.secret_access_key).map(|(id, secret)| {
        let credentials = Credentials::new(id, secret, flags.session_token, None, "flags");
        SharedCredentialsProvider::new(credentials)
    });
    let upstream =
        Upstream { endpoint: flags.endpoint, bucket: flags.bucket, region: flags.region, credentials, prefer_wait: PreferWait::Auto };
    let statics = match &flags.files {
        Some(folder) => Statics::default().folder("/", folder).with_context(|| format!("cannot read {}", folder.display()))?,
        None => Statics::default(),
    };
    Ok(Config {
        cache_dir: flags.cache,
        environment: flags.environment,
        private_origins: flags.private_origins,
        statics,
        ..Config::new(flags.listen, upstream, flags.component)
    })
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
