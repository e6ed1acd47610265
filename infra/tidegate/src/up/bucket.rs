//! The bucket of `tidegate up`: our own server, a MinIO, or one that is already there.

use std::{fs, io::Write as _, net::SocketAddr, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use aws_config::BehaviorVersion;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use tidegate_host::{PreferWait, Upstream};
use tidegate_ingest_worker::store::{self, Bucket as _, Keys, StoreConfig};
use tidegate_store::{Config, Durability, EmbeddedStore};
use tidegate_stream::MetaKey;
use tokio::{
    net::{TcpListener, TcpStream},
    process::Child,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{child, cli::Store, place};

/// A bucket that answers, and what is needed to speak to it.
pub(crate) struct Bucket {
    /// As the worker sees it.
    pub(crate) store: store::Store,
    /// As the edge sees it.
    pub(crate) upstream: Upstream,
    /// Where anybody can read its objects, if that is so.
    pub(crate) public: Option<String>,
    server: Server,
}

enum Server {
    Embedded { task: JoinHandle<()>, stop: CancellationToken },
    Minio { child: Child },
    Remote,
}

const BUCKET: &str = "tidegate";
const ACCESS_KEY: &str = "tidegate";
const REGION: &str = "us-east-1";
/// MinIO needs about a second; a slow disk gets more.
const MINIO_READY: Duration = Duration::from_secs(30);
/// Whether anything listens yet.
const PROBE: Duration = Duration::from_secs(1);

impl Bucket {
    /// Opens or starts what `store` names; it answers when this returns.
    pub(crate) async fn open(store: &Store, listen: SocketAddr, data: &Path) -> anyhow::Result<Self> {
        match store {
            Store::Embedded => Self::embedded(listen, data).await,
            Store::Minio => Self::minio(listen, data).await,
            Store::S3 { bucket } => Self::remote(bucket).await,
        }
    }

    async fn embedded(listen: SocketAddr, data: &Path) -> anyhow::Result<Self> {
        let secret = secret(data)?;
        let config = Config {
            dir: data.join("store"),
            bucket: BUCKET.into(),
            access_key: ACCESS_KEY.into(),
            secret_key: secret.clone(),
            // Stream keys are hashed and still nobody's business.
            public_prefixes: vec!["live/".into()],
            cors: true,
            durability: Durability::Process,
            expiry: Vec::new(),
        };
        let store = tokio::task::spawn_blocking(|| EmbeddedStore::open(config)).await??;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("the embedded store cannot listen on {listen}"))?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let task = tokio::spawn(store.serve(listener, stop.clone()));
        Self::local(endpoint, secret, Server::Embedded { task, stop }).await
    }

    async fn minio(listen: SocketAddr, data: &Path) -> anyhow::Result<Self> {
        let program =
            place::tool("minio", "TIDEGATE_MINIO").context("there is no MinIO: run infra/tools minio, or name one in TIDEGATE_MINIO")?;
        let folder = data.join("minio");
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let secret = secret(data)?;
        let listen = free(listen)?;
        let mut command = child::command(&program);
        command.args(["server", "--quiet", "--address", &listen.to_string()]).arg(&folder);
        command
            .env("MINIO_ROOT_USER", ACCESS_KEY)
            .env("MINIO_ROOT_PASSWORD", &secret)
            .env("MINIO_BROWSER", "off")
            .env("MINIO_UPDATE", "off");
        let (mut child, complaints) = child::start(command, "MinIO")?;
        let endpoint = format!("http://{listen}");
        let deadline = Instant::now() + MINIO_READY;
        while !answers(listen).await {
            if let Some(status) = child.try_wait()? {
                bail!("MinIO ended with {status}: {}", complaints.await.unwrap_or_default().join("; "));
            }
            if Instant::now() > deadline {
                child::stop(&mut child, "MinIO").await;
                bail!("MinIO did not answer within {} s: {}", MINIO_READY.as_secs(), complaints.await.unwrap_or_default().join("; "));
            }
            sleep(Duration::from_millis(50)).await;
        }
        let bucket = Self::local(endpoint, secret, Server::Minio { child }).await?;
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": ["*"] }, "Action": ["s3:GetObject"], "Resource": [format!("arn:aws:s3:::{BUCKET}/live/*")],
        }] });
        bucket
            .store
            .client()
            .put_bucket_policy()
            .bucket(BUCKET)
            .policy(policy.to_string())
            .send()
            .await
            .context("MinIO refuses the policy")?;
        Ok(bucket)
    }

    async fn local(endpoint: String, secret: String, server: Server) -> anyhow::Result<Self> {
        let credentials = Credentials::new(ACCESS_KEY, &secret, None, None, "tidegate");
        let config = StoreConfig {
            bucket: BUCKET.into(),
            endpoint: Some(endpoint.clone()),
            region: Some(REGION.into()),
            keys: Some(Keys { access_key: ACCESS_KEY.into(), secret_key: secret }),
        };
        let store = store::Store::connect(config).await?;
        let deadline = Instant::now() + MINIO_READY;
        // MinIO listens before it takes requests, and says 503 until then.
        while let Err(error) = store.ensure_bucket().await {
            if !matches!(error, store::StoreError::Unavailable(_)) || Instant::now() > deadline {
                return Err(error.into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        let public = Some(format!("{endpoint}/{BUCKET}"));
        let credentials = Some(SharedCredentialsProvider::new(credentials));
        let prefer_wait = PreferWait::Auto;
        let upstream = Upstream { endpoint, bucket: BUCKET.into(), region: REGION.into(), credentials, shield_secret: None, prefer_wait };
        Ok(Self { store, upstream, public, server })
    }

    /// A bucket that somebody else runs; it has to be there.
    pub(crate) async fn remote(name: &str) -> anyhow::Result<Self> {
        let config = StoreConfig { bucket: name.into(), ..StoreConfig::default() };
        let store = store::Store::connect(config).await?;
        // Any object would do: what counts is whether the bucket is there and the keys are accepted.
        let any = MetaKey::Tokens.into();
        store.get(&any).await.context("the bucket cannot be used")?;
        let shared = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let region = shared.region().map_or_else(|| REGION.into(), ToString::to_string);
        let aws = || format!("https://s3.{region}.amazonaws.com");
        let endpoint = shared.endpoint_url().map_or_else(aws, |url| url.trim_end_matches('/').into());
        let credentials = shared.credentials_provider();
        let upstream = Upstream { endpoint, bucket: name.into(), region, credentials, shield_secret: None, prefer_wait: PreferWait::Auto };
        Ok(Self { store, upstream, public: None, server: Server::Remote })
    }

    /// Stops what was started here.
    pub(crate) async fn close(self) {
        match self.server {
            Server::Embedded { task, stop } => {
                stop.cancel();
                if let Err(error) = task.await {
                    tracing::error!(%error, "the embedded store did not end well");
                }
            }
            Server::Minio { mut child } => child::stop(&mut child, "MinIO").await,
            Server::Remote => {}
        }
    }
}

async fn answers(listen: SocketAddr) -> bool {
    matches!(timeout(PROBE, TcpStream::connect(listen)).await, Ok(Ok(_)))
}

/// The secret of a local store: made once, kept beside it.
fn secret(data: &Path) -> anyhow::Result<String> {
    keep(&data.join("secret"), || Ok(random_hex(16)?))
}

/// Reads a small file, or makes it so that only its owner reads it.
pub(crate) fn keep(file: &Path, make: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().into()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
    let text = make()?;
    write_private(file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(text)
}

/// Writes a small file that only its owner reads.
pub(crate) fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

/// Random bytes of the system, as hex.
pub(crate) fn random_hex(bytes: usize) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut random = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// MinIO does not say which port it took: port 0 is made a number here.
fn free(listen: SocketAddr) -> std::io::Result<SocketAddr> {
    if listen.port() == 0 { std::net::TcpListener::bind(listen)?.local_addr() } else { Ok(listen) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = secret(folder.path()).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(secret(folder.path()).unwrap(), first);
    }
}
