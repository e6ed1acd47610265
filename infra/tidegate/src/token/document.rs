use std::io::Read as _;

use anyhow::{Context as _, bail};
use serde::{Serialize, de::DeserializeOwned};
use tidegate_ingest_worker::store::{Bucket as _, Condition, Etag, PutError, Store};
use tidegate_stream::Key;

use crate::{cli::BucketOptions, stream::open};

/// A JSON document of the bucket, read to be changed.
pub(super) struct Document<T> {
    store: Store,
    key: Key,
    etag: Option<Etag>,
    pub(super) value: T,
}

impl<T: Default + Serialize + DeserializeOwned> Document<T> {
    /// Reads it; where there is none it is empty.
    pub(super) async fn read(bucket: &BucketOptions, key: Key) -> anyhow::Result<Self> {
        let store = open(bucket).await?;
        let object = store.get(&key).await?;
        let value = match &object {
            Some(object) => serde_json::from_slice(&object.bytes).with_context(|| format!("{key} cannot be read"))?,
            None => T::default(),
        };
        Ok(Self { store, key, etag: object.map(|object| object.etag), value })
    }

    /// Writes it, unless somebody else has in the meantime.
    pub(super) async fn write(&self) -> anyhow::Result<()> {
        let condition = self.etag.clone().map_or(Condition::Absent, Condition::Match);
        match self.store.put(&self.key, serde_json::to_vec(&self.value)?.into(), condition).await {
            Ok(_) => Ok(()),
            Err(PutError::Exists | PutError::Changed) => bail!("somebody else has just changed {}: try again", self.key),
            Err(error) => Err(error.into()),
        }
    }
}

/// Bytes that nobody can guess.
pub(super) fn random<const COUNT: usize>() -> anyhow::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
