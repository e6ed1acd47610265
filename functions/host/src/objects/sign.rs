use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};

use super::{FetchError, express::Sessions, lock};

/// Credentials that expire are asked for again this long before.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After nobody gave new ones, while the old ones are good.
const RENEW_PAUSE: Duration = Duration::from_secs(5);
/// Sessions are good for no longer than that.
const SESSION_RENEW_BEFORE: Duration = Duration::from_secs(60);

/// Signs requests with SigV4, as S3 wants it and other services of AWS take it.
pub(crate) struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    service: &'static str,
    /// With a directory bucket.
    sessions: Option<Sessions>,
    current: Mutex<Current>,
    /// Whoever has it asks for credentials.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Current {
    credentials: Option<Credentials>,
    /// When nobody gave new ones.
    failed: Option<Instant>,
}

impl Signer {
    pub(crate) fn new(provider: SharedCredentialsProvider, region: String, service: &'static str) -> Self {
        Self { provider, region, service, sessions: None, current: Mutex::default(), renewing: tokio::sync::Mutex::default() }
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

    /// One request asks for new credentials while the others go on with what is good for a while yet; where there is nothing, all wait.
    async fn credentials(&self) -> Result<Credentials, FetchError> {
        let before = if self.sessions.is_some() { SESSION_RENEW_BEFORE } else { RENEW_BEFORE };
        let (Some(known), fresh) = self.known(before) else { return self.renew(before, self.renewing.lock().await).await };
        match self.renewing.try_lock() {
            Ok(turn) if !fresh => self.renew(before, turn).await.or_else(|error| self.known(before).0.ok_or(error)),
            _ => Ok(known),
        }
    }

    /// What has not expired, and whether it is to be used without asking for more.
    fn known(&self, before: Duration) -> (Option<Credentials>, bool) {
        let current = lock(&self.current);
        let lasts = |credentials: &&Credentials, margin| credentials.expiry().is_none_or(|at| at > SystemTime::now() + margin);
        let known = current.credentials.as_ref().filter(|credentials| lasts(credentials, Duration::ZERO));
        let fresh = known.is_some_and(|credentials| lasts(&credentials, before));
        (known.cloned(), fresh || current.failed.is_some_and(|at| at.elapsed() < RENEW_PAUSE))
    }

    async fn renew(&self, before: Duration, _turn: tokio::sync::MutexGuard<'_, ()>) -> Result<Credentials, FetchError> {
        // Another may have done it meanwhile.
        if let (Some(known), true) = self.known(before) {
            return Ok(known);
        }
        let renewed = self.renewed().await;
        let mut current = lock(&self.current);
        match &renewed {
            Ok(credentials) => *current = Current { credentials: Some(credentials.clone()), failed: None },
            Err(_) => current.failed = Some(Instant::now()),
        }
        renewed
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
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        thread,
    };

    use aws_credential_types::provider::{ProvideCredentials, future};
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper_util::{
        client::legacy::{Client, connect::HttpConnector},
        rt::TokioExecutor,
    };

    use super::*;
    use crate::objects::upstream::Connections;

    /// A directory bucket that gives everybody the same session, and remembers the heads of requests for one.
    fn bucket() -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
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
    /// Gives credentials for `0` and is silent when it is asked again; counts how often it is asked.
    #[derive(Clone, Debug)]
    struct GivesOnce(Duration, Arc<AtomicUsize>);

    impl ProvideCredentials for GivesOnce {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                if self.1.fetch_add(1, Relaxed) > 0 {
                    std::future::pending::<()>().await;
                }
                Ok(Credentials::new("K", "k", None, Some(SystemTime::now() + self.0), "test"))
            })
        }
    }

    async fn signed(signer: &Signer) -> bool {
        let mut request = http::Request::get("http://127.0.0.1/live/x").body(Full::<Bytes>::default()).unwrap();
        tokio::time::timeout(Duration::from_millis(200), signer.sign(&mut request, &[])).await.is_ok()
    }

    #[tokio::test]
    async fn one_request_alone_waits_for_whoever_lends_credentials_while_the_old_ones_are_good() {
        let asked = Arc::new(AtomicUsize::new(0));
        let provider = SharedCredentialsProvider::new(GivesOnce(RENEW_BEFORE / 2, asked.clone()));
        let signer = Arc::new(Signer::new(provider, "us-east-1".into(), "s3"));
        assert!(signed(&signer).await);
        let waiting = signer.clone();
        let waiting = tokio::spawn(async move { waiting.credentials().await.map(drop) });
        while asked.load(Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert!(signed(&signer).await, "the others do not wait");
        }
        assert_eq!(asked.load(Relaxed), 2);
        waiting.abort();
        // Expired ones are of no use to anybody.
        let provider = SharedCredentialsProvider::new(GivesOnce(Duration::ZERO, Arc::default()));
        let signer = Signer::new(provider, "us-east-1".into(), "s3");
        assert!(signed(&signer).await, "what was just given is used once");
        assert!(!signed(&signer).await);
    }
}
