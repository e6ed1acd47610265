//! S3 Express One Zone: requests for objects of a directory bucket are signed with a session, which is asked for with the keys themselves and ends
//! after five minutes.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::time::timeout;

use super::{
    FetchError,
    upstream::{Connections, ERROR_BODY, HEAD, collect},
};

/// What the service is called in signatures.
pub(super) const SERVICE: &str = "s3express";
/// How long a session is good.
const SESSION: Duration = Duration::from_secs(300);

/// Asks for sessions with one bucket.
pub(super) struct Sessions {
    client: Connections,
    /// The address of the bucket, without a slash at its end.
    endpoint: String,
}

/// Whether this is the host of a directory bucket.
pub(super) fn is_directory(host: &str) -> bool {
    host.contains(".s3express-")
}

impl Sessions {
    pub(super) fn new(client: Connections, endpoint: &str) -> Self {
        Self { client, endpoint: endpoint.to_owned() }
    }

    /// A new session, as credentials that end with it.
    pub(super) async fn begin(&self, keys: &Credentials, region: &str) -> Result<Credentials, FetchError> {
        let request = Request::get(format!("{}/?session", self.endpoint)).header("x-amz-create-session-mode", "ReadWrite");
        let mut request = request.body(Full::<Bytes>::default()).map_err(|error| FetchError::Address(error.to_string()))?;
        let signer = tidegate_sign::Signer { credentials: keys, region, service: SERVICE, in_session: false };
        signer.sign(&mut request, &[], SystemTime::now()).map_err(FetchError::Sign)?;
        let response = timeout(HEAD, self.client.request(request)).await.map_err(|_| FetchError::Slow(HEAD))?;
        let (head, body) = response.map_err(|error| FetchError::Unreachable(error.to_string()))?.into_parts();
        let text = timeout(HEAD, collect(body, ERROR_BODY)).await.map_err(|_| FetchError::Slow(HEAD))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if head.status != StatusCode::OK {
            return Err(FetchError::Status(head.status, text.chars().take(200).collect()));
        }
        read(&text, SystemTime::now() + SESSION).ok_or_else(|| FetchError::Sign("the bucket's session does not read".into()))
    }
}

fn read(text: &str, until: SystemTime) -> Option<Credentials> {
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
    };
    let (id, secret, token) = (field("AccessKeyId")?, field("SecretAccessKey")?, field("SessionToken")?);
    Some(Credentials::new(id, secret, Some(token), Some(until), "session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_and_ends() {
        let until = SystemTime::UNIX_EPOCH + SESSION;
        let text = "<?xml version=\"1.0\"?><CreateSessionResult><Credentials><SessionToken>t</SessionToken>\
                    <SecretAccessKey>s/+=</SecretAccessKey><AccessKeyId>A</AccessKeyId></Credentials></CreateSessionResult>";
        let session = read(text, until).unwrap();
        assert_eq!((session.access_key_id(), session.secret_access_key(), session.session_token()), ("A", "s/+=", Some("t")));
        assert_eq!(session.expiry(), Some(until));
        assert!(read("<Error/>", until).is_none() && read("<AccessKeyId>A", until).is_none());
        assert!(
            is_directory("live--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com") && !is_directory("s3.us-east-1.amazonaws.com")
        );
    }
}
