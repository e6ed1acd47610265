use std::time::{Duration, SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use tokio::sync::Mutex;

use super::FetchError;

/// Credentials that expire are asked for again this long before.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Signs requests with SigV4, as S3 wants it and other services of AWS take it.
pub(crate) struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    service: &'static str,
    current: Mutex<Option<Credentials>>,
}

impl Signer {
    pub(crate) fn new(provider: SharedCredentialsProvider, region: String, service: &'static str) -> Self {
        Self { provider, region, service, current: Mutex::new(None) }
    }

    /// Adds the signature to `request`; every header that it has at this point is signed.
    pub(crate) async fn sign<B>(&self, request: &mut http::Request<B>, body: &[u8]) -> Result<(), FetchError> {
        let credentials = self.credentials().await?;
        let signer = tidegate_sign::Signer { credentials: &credentials, region: &self.region, service: self.service };
        signer.sign(request, body, SystemTime::now()).map_err(FetchError::Sign)
    }

    async fn credentials(&self) -> Result<Credentials, FetchError> {
        let mut current = self.current.lock().await;
        let fresh = |credentials: &Credentials| credentials.expiry().is_none_or(|at| at > SystemTime::now() + RENEW_BEFORE);
        if let Some(credentials) = current.as_ref().filter(|credentials| fresh(credentials)) {
            return Ok(credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await.map_err(|error| FetchError::Sign(error.to_string()))?;
        *current = Some(credentials.clone());
        Ok(credentials)
    }
}
