use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use tidegate_function::{Condition, Fetched, Stored};
use tidegate_sign::Signer;

use crate::{
    Config,
    outside::{Answer, Outside, Silence},
};

/// The largest object that is read: a segment bundle of 2 s at 60 Mbit/s.
const OBJECT_BYTES: usize = 16 << 20;
/// Until the head of an answer. S3 answers within 0.3 s but for one request in a hundred; asked again it answers from elsewhere.
const ANSWER_TIME: Duration = Duration::from_millis(1500);
const NO_BUCKET: &str = "NoSuchBucket";

/// The bucket, over HTTP: three verbs do not want the 4 MB of the AWS SDK, nor the time to load them.
#[derive(Clone)]
pub(crate) struct Store {
    outside: Outside,
    /// Before a key.
    base: String,
    region: String,
    credentials: Credentials,
}

impl Store {
    /// Sends nothing yet.
    pub(crate) fn new(config: &Config) -> Self {
        let base = base(config.endpoint.as_deref(), &config.bucket, &config.region);
        Self { outside: Outside::new(&base), base, region: config.region.clone(), credentials: config.credentials() }
    }

    pub(crate) async fn fetch(&self, key: &str, range: Option<(u64, u64)>) -> Fetched {
        let range = range.and_then(|(first, last)| HeaderValue::try_from(format!("bytes={first}-{last}")).ok());
        let headers = range.map(|range| (header::RANGE, range));
        // A read is asked again once: nobody else does it here.
        let answer = match self.send(Method::GET, key, headers.as_slice(), Bytes::new()).await {
            Err(_) => self.send(Method::GET, key, headers.as_slice(), Bytes::new()).await,
            Ok(answer) if answer.status.is_server_error() => self.send(Method::GET, key, headers.as_slice(), Bytes::new()).await,
            answer => answer,
        };
        match answer {
            Ok(answer) if answer.status.is_success() => {
                Fetched::Got { etag: etag(&answer), age_ms: age_ms(&answer), bytes: answer.body.to_vec() }
            }
            Ok(answer) if is_missing(&answer) || answer.status == StatusCode::RANGE_NOT_SATISFIABLE => Fetched::Missing,
            answer => failed(key, &answer, Fetched::Failed),
        }
    }

    /// Tried once: a write says what it saw, and its function decides.
    pub(crate) async fn store(&self, key: &str, body: Vec<u8>, content_type: &str, condition: &Condition) -> Stored {
        let condition_header = match condition {
            Condition::None => None,
            Condition::Absent => Some((header::IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Condition::Match(etag) => match HeaderValue::try_from(etag) {
                Ok(etag) => Some((header::IF_MATCH, etag)),
                Err(_) => return Stored::Conflict,
            },
        };
        let Ok(kind) = HeaderValue::try_from(content_type) else { return Stored::Failed };
        let headers: Vec<_> = [(header::CONTENT_TYPE, kind)].into_iter().chain(condition_header).collect();
        match self.send(Method::PUT, key, &headers, body.into()).await {
            Ok(answer) if answer.status.is_success() => Stored::Done { etag: etag(&answer) },
            Ok(answer) if matches!(answer.status, StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) => Stored::Conflict,
            // S3 says this of `If-Match` where there is no object.
            Ok(answer) if is_missing(&answer) && matches!(condition, Condition::Match(_)) => Stored::Conflict,
            answer => failed(key, &answer, Stored::Failed),
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Stored {
        match self.send(Method::DELETE, key, &[], Bytes::new()).await {
            Ok(answer) if answer.status.is_success() || is_missing(&answer) => Stored::Done { etag: None },
            answer => failed(key, &answer, Stored::Failed),
        }
    }

    async fn send(&self, method: Method, key: &str, headers: &[(HeaderName, HeaderValue)], body: Bytes) -> Result<Answer, Silence> {
        let request = Request::builder().method(method).uri(format!("{}{key}", self.base)).body(Full::new(body.clone()));
        let mut request = request.map_err(|error| Silence::Failed(error.to_string()))?;
        request.headers_mut().extend(headers.iter().cloned());
        let signer = Signer { credentials: &self.credentials, region: &self.region, service: "s3", in_session: false };
        signer.sign(&mut request, &body, SystemTime::now()).map_err(Silence::Failed)?;
        self.outside.ask(request, ANSWER_TIME, OBJECT_BYTES).await
    }
}

/// What stands before a key. On AWS the bucket is in the name of the host, unless that would have no certificate.
fn base(endpoint: Option<&str>, bucket: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    match endpoint {
        Some(endpoint) => format!("{}/{bucket}/", endpoint.trim_end_matches('/')),
        None if bucket.contains('.') => format!("https://s3.{region}.{domain}/{bucket}/"),
        None => format!("https://{bucket}.s3.{region}.{domain}/"),
    }
}

fn etag(answer: &Answer) -> Option<String> {
    answer.headers.get(header::ETAG)?.to_str().ok().map(str::to_owned)
}

/// How long ago an object was written, by the store's own clock.
fn age_ms(answer: &Answer) -> Option<u64> {
    let date = |name: HeaderName| httpdate::parse_http_date(answer.headers.get(name)?.to_str().ok()?).ok();
    let age = date(header::DATE)?.duration_since(date(header::LAST_MODIFIED)?).unwrap_or_default();
    u64::try_from(age.as_millis()).ok()
}

#[allow(clippy::print_stderr, reason = "standard error is the log of a function")]
fn failed<T>(key: &str, answer: &Result<Answer, Silence>, outcome: T) -> T {
    match answer {
        Ok(answer) => eprintln!("tidegate: {}", refusal(key, answer.status, &answer.body)),
        Err(error) => eprintln!("tidegate: the bucket does not answer for {key}: {error}"),
    }
    outcome
}

/// An object that is not there, in a bucket that is.
fn is_missing(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && code(&answer.body) != NO_BUCKET
}

/// What S3 calls an error.
fn code(body: &[u8]) -> &str {
    let said = std::str::from_utf8(body).unwrap_or_default();
    said.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code)
}

/// One line for the log of the function: what failed and what to do, without what was sent.
fn refusal(key: &str, status: StatusCode, body: &[u8]) -> String {
    match (status.as_u16(), code(body)) {
        (_, code @ ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken")) => {
            format!(
                "the bucket does not know the keys ({code}): leave AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to Lambda, or check them"
            )
        }
        (301 | 307, _) | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") => {
            format!("the bucket is in another region than the function (asked for {key}): put both in one")
        }
        (_, NO_BUCKET) => "there is no such bucket: correct TIDEGATE_STORE_BUCKET".to_owned(),
        (403, _) => format!(
            "the bucket refuses {key} (403): if it is yours, give the role of the function the rights on live/, meta/ and analytics/, and on listing; \
             if it is somebody else's, name another in TIDEGATE_STORE_BUCKET"
        ),
        (status, _) => format!("the bucket answers {status} for {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_found_where_they_are() {
        assert_eq!(base(None, "live", "eu-west-1"), "https://live.s3.eu-west-1.amazonaws.com/");
        assert_eq!(base(None, "live.example", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/live.example/");
        assert_eq!(base(None, "live", "cn-north-1"), "https://live.s3.cn-north-1.amazonaws.com.cn/");
        assert_eq!(base(Some("http://127.0.0.1:9000/"), "live", "us-east-1"), "http://127.0.0.1:9000/live/");
    }

    #[test]
    fn an_object_is_missing_only_where_its_bucket_is_not() {
        let answer = |body: &'static str| Answer { status: StatusCode::NOT_FOUND, headers: http::HeaderMap::new(), body: body.into() };
        assert!(is_missing(&answer("<Error><Code>NoSuchKey</Code></Error>")) && is_missing(&answer("")));
        assert!(!is_missing(&answer("<Error><Code>NoSuchBucket</Code></Error>")));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let said = |status, code: &str| {
            let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
            refusal("meta/tokens.json", StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        assert!(said(403, "InvalidAccessKeyId").contains("check them"));
        assert!(said(400, "AuthorizationHeaderMalformed").contains("another region"));
        assert!(said(301, "PermanentRedirect").contains("another region"));
        assert!(said(404, "NoSuchBucket").contains("correct TIDEGATE_STORE_BUCKET"));
        assert!(said(403, "AccessDenied").contains("somebody else's"));
        assert_eq!(refusal("k", StatusCode::BAD_GATEWAY, b""), "the bucket answers 502 for k");
    }
}
