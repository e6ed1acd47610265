use tidegate_ingest_worker::store::{Keys, StoreConfig};

/// An S3 server and the keys to it.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `http://127.0.0.1:<port>`
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: String,
    /// A bucket that is there, with `live/` readable by anybody.
    pub bucket: String,
}

impl S3 {
    /// The address of the bucket, to which a key is added.
    pub fn bucket_url(&self) -> String {
        format!("{}/{}", self.endpoint, self.bucket)
    }

    /// What the client of the worker needs.
    pub fn store_config(&self) -> StoreConfig {
        let keys = Keys { access_key: self.access_key.clone(), secret_key: self.secret_key.clone() };
        StoreConfig { bucket: self.bucket.clone(), endpoint: Some(self.endpoint.clone()), region: None, keys: Some(keys) }
    }

    /// The server that the tests start, on this port.
    pub fn at(port: u16) -> Self {
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            access_key: "tidegate-test".into(),
            secret_key: "tidegate-test-secret".into(),
            bucket: "tidegate".into(),
        }
    }
}
