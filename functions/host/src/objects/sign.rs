use std::time::{Duration, SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
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
        let identity = self.credentials().await?.into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| FetchError::Sign(error.to_string()))?
            .into();
        let uri = request.uri().to_string();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(body));
        let signature = signable.and_then(|signable| sign(signable, &params)).map_err(|error| FetchError::Sign(error.to_string()))?;
        signature.into_parts().0.apply_to_request_http1x(request);
        Ok(())
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
