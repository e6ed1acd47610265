use std::time::{Duration, SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use tokio::sync::Mutex;

use super::{FetchError, express::Sessions};

/// Credentials that expire are asked for again this long before.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Sessions are good for no longer than that.
const SESSION_RENEW_BEFORE: Duration = Duration::from_secs(60);

/// Signs requests with SigV4, as S3 wants it and other services of AWS take it.
pub(crate) struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    service: &'static str,
    /// With a directory bucket.
    sessions: Option<Sessions>,
    current: Mutex<Option<Credentials>>,
}

impl Signer {
    pub(crate) fn new(provider: SharedCredentialsProvider, region: String, service: &'static str) -> Self {
        Self { provider, region, service, sessions: None, current: Mutex::new(None) }
    }

    /// Signs with sessions, where there are any to ask for.
    pub(super) fn with(mut self, sessions: Option<Sessions>) -> Self {
        self.sessions = sessions;
        self
    }

    /// Adds the signature to `request`; every header that it has at this point is signed.
    pub(crate) async fn sign<B>(&self, request: &mut http::Request<B>, body: &[u8]) -> Result<(), FetchError> {
        let credentials = self.credentials().await?;
        let in_session = self.sessions.is_some();
        let signer = tidegate_sign::Signer { credentials: &credentials, region: &self.region, service: self.service, in_session };
        signer.sign(request, body, SystemTime::now()).map_err(FetchError::Sign)
    }

    async fn credentials(&self) -> Result<Credentials, FetchError> {
        let mut current = self.current.lock().await;
        let before = if self.sessions.is_some() { SESSION_RENEW_BEFORE } else { RENEW_BEFORE };
        let fresh = |credentials: &Credentials| credentials.expiry().is_none_or(|at| at > SystemTime::now() + before);
        if let Some(credentials) = current.as_ref().filter(|credentials| fresh(credentials)) {
            return Ok(credentials.clone());
        }
        match (self.renewed().await, &*current) {
            (Ok(credentials), _) => {
                *current = Some(credentials.clone());
                Ok(credentials)
            }
            // What is there is good for a while yet.
            (Err(_), Some(before)) if before.expiry().is_none_or(|at| at > SystemTime::now()) => Ok(before.clone()),
            (Err(error), _) => Err(error),
        }
    }

    async fn renewed(&self) -> Result<Credentials, FetchError> {
        let keys = self.provider.provide_credentials().await.map_err(|error| FetchError::Sign(error.to_string()))?;
        match &self.sessions {
            Some(sessions) => sessions.begin(&keys, &self.region).await,
            None => Ok(keys),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        sync::{Arc, Mutex as StdMutex},
        thread,
    };

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper_util::{
        client::legacy::{Client, connect::HttpConnector},
        rt::TokioExecutor,
    };

    use super::*;
    use crate::objects::upstream::Connections;

    /// A directory bucket that gives everybody the same session, and remembers the heads of requests for one.
    fn bucket() -> (String, Arc<StdMutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(StdMutex::new(Vec::new()));
        let heads = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                heads.lock().unwrap().push(head);
                let body = "<R><SessionToken>session</SessionToken><SecretAccessKey>s</SecretAccessKey><AccessKeyId>A</AccessKeyId></R>";
                write!(reader.get_mut(), "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        (address, seen)
    }

    #[tokio::test]
    async fn requests_to_a_directory_bucket_share_one_session() {
        let (address, seen) = bucket();
        let client = Connections::Plain(Client::builder(TokioExecutor::new()).build(HttpConnector::new()));
        let provider = SharedCredentialsProvider::new(Credentials::new("K", "k", Some("lent".into()), None, "test"));
        let signer = Signer::new(provider, "us-east-1".into(), "s3express").with(Some(Sessions::new(client, &address)));
        for _ in 0..3 {
            let mut request = http::Request::get(format!("{address}/live/x")).body(Full::<Bytes>::default()).unwrap();
            signer.sign(&mut request, &[]).await.unwrap();
            assert_eq!(request.headers()["x-amz-s3session-token"], "session");
            assert!(request.headers()["authorization"].to_str().unwrap().contains("Credential=A/"));
        }
        let seen = seen.lock().unwrap();
        let [head] = seen.as_slice() else { panic!("{seen:?}") };
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("get /?session ") && head.contains("x-amz-create-session-mode: readwrite"), "{head}");
        assert!(head.contains("x-amz-security-token: lent") && head.contains("/s3express/aws4_request"), "{head}");
    }
}
