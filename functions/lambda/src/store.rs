use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::SdkError,
    primitives::ByteStream,
};
use tidegate_function::{Condition, Fetched, Stored};

use crate::Config;

/// The largest object that is read: a segment bundle of 2 s at 60 Mbit/s.
const OBJECT_BYTES: usize = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Until the head of an answer. S3 answers within 0.3 s but for one request in a hundred; asked again it answers from elsewhere.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1500);
/// A read may be sent again once: nobody else does it here. A write says what it saw, and its function decides.
const ATTEMPTS: u32 = 2;

/// The bucket.
#[derive(Clone)]
pub(crate) struct Store {
    client: Client,
    bucket: String,
}

impl Store {
    /// Sends nothing yet.
    pub(crate) fn new(config: &Config) -> Self {
        let (access, secret, session) = config.keys.clone();
        let mut builder = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .credentials_provider(Credentials::new(access, secret, session, None, "lambda"))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ANSWER_TIMEOUT).build());
        if let Some(endpoint) = &config.endpoint {
            // Other stores differ in which checksums they know; on AWS they stay on.
            builder = builder
                .endpoint_url(endpoint)
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Self { client: Client::from_conf(builder.build()), bucket: config.bucket.clone() }
    }

    pub(crate) async fn fetch(&self, key: &str, range: Option<(u64, u64)>) -> Fetched {
        let range = range.map(|(first, last)| format!("bytes={first}-{last}"));
        let answer = match self.client.get_object().bucket(&self.bucket).key(key).set_range(range).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match status(&error) {
                    Some(404 | 416) => Fetched::Missing,
                    _ => failed(key, &error, Fetched::Failed),
                };
            }
        };
        if answer.content_length.is_some_and(|len| len > OBJECT_BYTES as i64) {
            return Fetched::Failed;
        }
        let etag = answer.e_tag;
        // Both clocks are Amazon's, or those of one installation.
        let age_ms = answer.last_modified.and_then(|at| {
            let written = UNIX_EPOCH + Duration::from_millis(u64::try_from(at.to_millis().ok()?).ok()?);
            u64::try_from(SystemTime::now().duration_since(written).unwrap_or_default().as_millis()).ok()
        });
        match tokio::time::timeout(ANSWER_TIMEOUT * 2, answer.body.collect()).await {
            Ok(Ok(bytes)) => Fetched::Got { bytes: bytes.to_vec(), etag, age_ms },
            Ok(Err(_)) | Err(_) => Fetched::Failed,
        }
    }

    pub(crate) async fn store(&self, key: &str, body: Vec<u8>, content_type: &str, condition: &Condition) -> Stored {
        let request = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(ByteStream::from(body));
        let request = match condition {
            Condition::None => request,
            Condition::Absent => request.if_none_match("*"),
            Condition::Match(etag) => request.if_match(etag),
        };
        match request.send().await {
            Ok(answer) => Stored::Done { etag: answer.e_tag },
            Err(error) => match status(&error) {
                Some(409 | 412) => Stored::Conflict,
                // S3 says this of `If-Match` where there is no object.
                Some(404) if matches!(condition, Condition::Match(_)) => Stored::Conflict,
                _ => failed(key, &error, Stored::Failed),
            },
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Stored {
        match self.client.delete_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Stored::Done { etag: None },
            Err(error) if status(&error) == Some(404) => Stored::Done { etag: None },
            Err(error) => failed(key, &error, Stored::Failed),
        }
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// One line for the log of the function: what failed and how, without what was sent.
#[allow(clippy::print_stderr, reason = "standard error is the log of a function")]
fn failed<E, T>(key: &str, error: &SdkError<E>, outcome: T) -> T {
    match status(error) {
        Some(403) => eprintln!(
            "tidegate: the bucket refuses {key} (403): give the role of the function the rights on live/ and meta/, and on listing"
        ),
        Some(301 | 307) => eprintln!("tidegate: the bucket is in another region than the function (asked for {key})"),
        Some(status) => eprintln!("tidegate: the bucket answers {status} for {key}"),
        None => eprintln!("tidegate: the bucket does not answer for {key}: {error}"),
    }
    outcome
}
