use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    s3_error,
};

/// The one pair of keys.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        // With a reason of its own, so that a client can say which of the two keys is wrong.
        if access_key == self.access_key { Ok(self.secret_key.clone()) } else { Err(s3_error!(InvalidAccessKeyId)) }
    }
}

/// Who may do what: whoever has the keys may do all, anybody may read objects below the public prefixes.
pub(crate) struct Access {
    pub(crate) public_prefixes: Vec<String>,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_some() {
            return Ok(());
        }
        let reads = matches!(cx.s3_op().name(), "GetObject" | "HeadObject");
        let public = |key: &str| self.public_prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()));
        match cx.s3_path().as_object() {
            Some((_, key)) if reads && public(key) => Ok(()),
            _ => Err(s3_error!(AccessDenied, "This request has to be signed.")),
        }
    }
}
