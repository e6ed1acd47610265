//! Streams and their keys, as documents in the bucket.

use anyhow::{Context as _, bail};
use tidegate_ingest_worker::store::{Bucket as _, Condition, PutError, Store};
use tidegate_stream::{Json, KeyDocument, KeyHash, MetaKey, StreamId};

use crate::{
    cli::{self, BucketOptions, StreamCommand},
    metadata,
    up::bucket::{Bucket, random_hex},
};

pub(crate) async fn run(command: StreamCommand) -> anyhow::Result<()> {
    match command {
        StreamCommand::Create { stream, title, bucket } => {
            let store = open(&bucket).await?;
            let document = Json::object().with("id", stream.as_str()).with("title", title);
            match metadata::ask(&store, "POST", "/api/v1/streams", &document).await? {
                (201, _) => println(&format!("stream {stream} is there")),
                (409, _) => bail!("the stream {stream} is there already"),
                (_, problem) => bail!("{}", metadata::sentence(&problem)),
            }
        }
        StreamCommand::Key { stream, bucket } => {
            let store = open(&bucket).await?;
            ensure(&store, &stream, "").await?;
            match metadata::ask(&store, "POST", &format!("/api/v1/streams/{stream}/keys"), &Json::object()).await? {
                (201, key) => println(key.text_of("key")),
                (_, problem) => bail!("{}", metadata::sentence(&problem)),
            }
        }
    }
    Ok(())
}

/// Makes the document of a stream, unless it is there.
pub(crate) async fn ensure(store: &Store, stream: &StreamId, title: &str) -> anyhow::Result<()> {
    let document = Json::object().with("id", stream.as_str()).with("title", title);
    match metadata::ask(store, "POST", "/api/v1/streams", &document).await? {
        (201 | 409, _) => Ok(()),
        (_, problem) => bail!("{}", metadata::sentence(&problem)),
    }
}

/// Lets whoever has the key publish the stream. The bucket gets the hash of the key, never the key.
pub(crate) async fn admit(store: &Store, stream: &StreamId, stream_key: &str) -> anyhow::Result<()> {
    let key = MetaKey::StreamKey { hash: KeyHash::of(stream_key) }.into();
    let document = serde_json::to_vec(&KeyDocument { stream: stream.clone(), expires_utc_ms: None })?;
    match store.put(&key, document.into(), Condition::Absent).await {
        Ok(_) | Err(PutError::Exists) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the key of the stream {stream} cannot be stored")),
    }
}

/// 128 bits, so that nobody guesses it.
pub(crate) fn new_key() -> anyhow::Result<String> {
    Ok(random_hex(16)?)
}

/// The bucket of a command.
pub(crate) async fn open(options: &BucketOptions) -> anyhow::Result<Store> {
    match &options.store {
        cli::Store::S3 { bucket } => Ok(Bucket::remote(bucket).await?.store),
        cli::Store::Embedded | cli::Store::Minio => {
            bail!("streams of a store that `tidegate up` runs are made by it: name the bucket with --store s3://NAME and AWS_ENDPOINT_URL")
        }
    }
}

#[allow(clippy::print_stdout, reason = "the answer to the command")]
pub(crate) fn println(text: &str) {
    println!("{text}");
}
