//! Signatures of AWS (SigV4) on requests of `http`, as S3 wants them and other services take them.
//!
//! In scope: the signature of one request. Out of scope: where credentials come from, clocks, connections.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
        sign as signature,
    },
    sign::v4,
};

/// Who signs, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// Whose signature it is.
    pub credentials: &'a Credentials,
    /// The region of the service.
    pub region: &'a str,
    /// The service, as `s3`.
    pub service: &'a str,
    /// The credentials are those of a session with a directory bucket (S3 Express One Zone): its token has a header of its own.
    pub in_session: bool,
}

impl Signer<'_> {
    /// Adds the signature to `request`; every header that it has at this point is signed.
    ///
    /// # Errors
    /// Says what cannot be signed: a header that is no text, an address without a host.
    pub fn sign<B>(&self, request: &mut http::Request<B>, body: &[u8], now: SystemTime) -> Result<(), String> {
        let identity = self.credentials.clone().into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        if self.in_session {
            settings.session_token_name_override = Some("x-amz-s3session-token");
        }
        let params = v4::SigningParams::builder().identity(&identity).region(self.region).name(self.service).time(now).settings(settings);
        let params = params.build().map_err(|error| error.to_string())?.into();
        let uri = request.uri().to_string();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(body));
        let signed = signable.and_then(|signable| signature(signable, &params)).map_err(|error| error.to_string())?;
        signed.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// The GET of an object in AWS's documentation of SigV4 for S3, with its range.
    #[test]
    fn signature_is_the_documented_one() {
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None, "test");
        let mut request =
            http::Request::get("https://examplebucket.s3.amazonaws.com/test.txt").header("range", "bytes=0-9").body(()).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_369_353_600);
        Signer { credentials: &credentials, region: "us-east-1", service: "s3", in_session: false }.sign(&mut request, b"", now).unwrap();
        let said = request.headers()["authorization"].to_str().unwrap();
        assert!(said.ends_with("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"), "{said}");
    }

    #[test]
    fn a_session_with_a_directory_bucket_has_its_token_in_its_own_header() {
        let credentials = Credentials::new("A", "s", Some("token".into()), None, "test");
        let signed = |in_session| {
            let mut request = http::Request::get("https://b.s3express-use1-az4.us-east-1.amazonaws.com/live/x").body(()).unwrap();
            let signer = Signer { credentials: &credentials, region: "us-east-1", service: "s3express", in_session };
            signer.sign(&mut request, b"", UNIX_EPOCH + Duration::from_secs(1_369_353_600)).unwrap();
            request
        };
        let (session, plain) = (signed(true), signed(false));
        assert_eq!(session.headers()["x-amz-s3session-token"], "token");
        assert!(!session.headers().contains_key("x-amz-security-token") && plain.headers()["x-amz-security-token"] == "token");
        let said = session.headers()["authorization"].to_str().unwrap();
        assert!(said.contains("/us-east-1/s3express/aws4_request") && said.contains("x-amz-s3session-token"), "{said}");
    }
}
