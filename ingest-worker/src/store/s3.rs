use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, ConfigBag, Intercept, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
        StalledStreamProtectionConfig, interceptors::BeforeDeserializationInterceptorContextRef, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
    primitives::{ByteStream, DateTime, DateTimeFormat},
    types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier},
};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tidegate_stream::Key;
use tokio::time::timeout;

use super::{
    bucket::{Bucket, Condition, Etag, Listing, MAX_OBJECT_BYTES, Object, PutError, StoreError},
    failure::{Failure, Place},
};

/// Where the bucket is and who asks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreConfig {
    /// The bucket.
    pub bucket: String,
    /// The address of an S3 that is not AWS; without it AWS_ENDPOINT_URL, then AWS.
    pub endpoint: Option<String>,
    /// The region; without it AWS_REGION and the profile, then `us-east-1` where the S3 is not AWS.
    pub region: Option<String>,
    /// The keys; without them what AWS tools use: environment, profile, the role of the machine.
    pub keys: Option<Keys>,
}

/// A pair of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A bucket on any S3. One call is one request; nothing is tried again here.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    place: Place,
    region: Option<String>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Until the answer's headers; the writer has its own, shorter or equal.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the end of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// As many as S3 deletes in one request.
const DELETE_BATCH: usize = 1000;

impl Store {
    /// Reads the configuration that AWS tools use where something is not given. Sends nothing to the bucket.
    pub fn connect(config: StoreConfig) -> BoxFuture<'static, Result<Self, StoreError>> {
        // Here and below: what is polled through a pointer is compiled in this crate, with what of the SDK is in it.
        Box::pin(Self::of_aws(config))
    }

    async fn of_aws(config: StoreConfig) -> Result<Self, StoreError> {
        let shared = load(&config).await;
        let endpoint = config.endpoint.clone().or_else(|| shared.endpoint_url().map(Into::into));
        let endpoint = endpoint.filter(|endpoint| !is_aws(endpoint));
        if shared.region().is_none() && endpoint.is_none() {
            return Err(StoreError::Refused("no region for AWS S3: set AWS_REGION".into()));
        }
        if let Some(provider) = shared.credentials_provider() {
            provider.provide_credentials().await.map_err(|_| {
                StoreError::Refused("no keys for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile".into())
            })?;
        }
        let region = shared.region().map(ToString::to_string);
        let mut builder = Builder::from(&shared)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ANSWER_TIMEOUT).build());
        if endpoint.is_some() {
            // Other stores differ in which checksums they know; on AWS they stay on.
            builder = builder
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        let place = Place { bucket: config.bucket, endpoint };
        Ok(Self { client: Client::from_conf(builder.build()), place, region })
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.place.bucket
    }

    /// The client below, for what only a command line does.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Makes the bucket where it is missing, and checks that the keys are accepted.
    pub fn ensure_bucket(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.check_bucket())
    }

    async fn check_bucket(&self) -> Result<(), StoreError> {
        let head = self.client.head_bucket().bucket(self.bucket()).send().await;
        match head.map_err(|error| self.place.explain(&error)) {
            Ok(_) => Ok(()),
            Err(Failure::NoKey | Failure::NoBucket(_)) => self.create_bucket().await,
            // The answer to HEAD has no body and so no reason; that to GET has one. Keys that may only use the objects pass.
            Err(Failure::Refused(_)) => self.read("meta/".into(), None).await.map(drop),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn create_bucket(&self) -> Result<(), StoreError> {
        let constraint = self.region.as_deref().filter(|region| *region != "us-east-1" && self.place.endpoint.is_none());
        let configuration = constraint
            .map(|region| CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build());
        let created = self.client.create_bucket().bucket(self.bucket()).set_create_bucket_configuration(configuration).send().await;
        match created.map_err(|error| self.place.explain(&error)) {
            Ok(_) | Err(Failure::BucketIsThere) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Reads bytes `first` to `last` (inclusive) of an object; `None` where there is no object.
    pub async fn get_range(&self, key: &Key, first: u64, last: u64) -> Result<Option<Object>, StoreError> {
        self.read(key.to_string(), Some(format!("bytes={first}-{last}"))).await
    }

    fn read(&self, key: String, range: Option<String>) -> BoxFuture<'_, Result<Option<Object>, StoreError>> {
        Box::pin(self.read_all(key, range))
    }

    async fn read_all(&self, key: String, range: Option<String>) -> Result<Option<Object>, StoreError> {
        let date = Date::default();
        let request = self.client.get_object().bucket(self.bucket()).key(&key).set_range(range);
        let answer = request.customize().interceptor(date.clone()).send().await;
        let answer = match answer.map_err(|error| self.place.explain(&error)) {
            Ok(answer) => answer,
            Err(Failure::NoKey) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let etag = Etag(answer.e_tag.unwrap_or_default());
        let age = answer.last_modified.and_then(|written| date.since(&written));
        let bytes = timeout(BODY_TIMEOUT, collect(answer.body)).await;
        let bytes = bytes.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("the body of {key} does not end"))))?;
        Ok(Some(Object { bytes, etag, age }))
    }

    fn write<'a>(&'a self, key: &'a Key, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Etag, PutError>> {
        Box::pin(self.put_object(key, bytes, condition))
    }

    async fn put_object(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        let request = self.client.put_object().bucket(self.bucket()).key(key.to_string());
        let request = request.content_type(key.content_type()).cache_control(cache_control(key)).body(ByteStream::from(bytes));
        let request = match &condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Match(Etag(etag)) => request.if_match(etag),
            Condition::Any => request,
        };
        match request.send().await.map_err(|error| self.place.explain(&error)) {
            Ok(answer) => Ok(Etag(answer.e_tag.unwrap_or_default())),
            Err(failure) => Err(match (failure, condition) {
                (Failure::Condition, Condition::Absent) => PutError::Exists,
                // AWS answers 404 where the object of If-Match is gone.
                (Failure::Condition | Failure::NoKey, Condition::Match(_)) => PutError::Changed,
                (failure, _) => failure.into(),
            }),
        }
    }

    fn remove<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.delete_objects(keys))
    }

    async fn delete_objects(&self, keys: &[Key]) -> Result<(), StoreError> {
        for batch in keys.chunks(DELETE_BATCH) {
            let objects = batch.iter().map(|key| ObjectIdentifier::builder().key(key.to_string()).build()).collect();
            let objects: Vec<ObjectIdentifier> = Result::unwrap_or_default(objects);
            let Ok(delete) = Delete::builder().set_objects(Some(objects)).quiet(true).build() else { continue };
            let answer = self.client.delete_objects().bucket(self.bucket()).delete(delete).send().await;
            let answer = answer.map_err(|error| self.place.explain(&error))?;
            if let Some(error) = answer.errors().first() {
                let (key, why) = (error.key().unwrap_or_default(), error.code().unwrap_or_default());
                return Err(StoreError::Unavailable(format!("{key} is not deleted: {why}")));
            }
        }
        Ok(())
    }

    fn look_into<'a>(&'a self, folder: &'a str, max: usize) -> BoxFuture<'a, Result<Vec<(Key, Etag)>, StoreError>> {
        Box::pin(self.list_objects(folder, max))
    }

    async fn list_objects(&self, folder: &str, max: usize) -> Result<Vec<(Key, Etag)>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < max {
            let page = self.client.list_objects_v2().bucket(self.bucket()).prefix(folder).set_continuation_token(after.take());
            let page = page.send().await.map_err(|error| self.place.explain(&error))?;
            let objects = page.contents().iter();
            found.extend(objects.filter_map(|object| Some((Key::parse(object.key()?)?, Etag(object.e_tag().unwrap_or_default().into())))));
            match page.next_continuation_token() {
                Some(token) => after = Some(token.to_owned()),
                None => break,
            }
        }
        found.truncate(max);
        Ok(found)
    }
}

/// What time it was for the store when it answered.
#[derive(Clone, Debug, Default)]
struct Date(Arc<OnceLock<DateTime>>);

impl Date {
    fn since(&self, written: &DateTime) -> Option<Duration> {
        let age_s = self.0.get()?.secs().saturating_sub(written.secs());
        Some(Duration::from_secs(u64::try_from(age_s).unwrap_or(0)))
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok()) {
            self.0.get_or_init(|| date);
        }
        Ok(())
    }
}

impl Bucket for Store {
    async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.read(key.to_string(), None).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        self.write(key, bytes, condition).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.remove(keys).await
    }
}

impl Listing for Store {
    async fn list(&self, folder: &str, max: usize) -> Result<Vec<(Key, Etag)>, StoreError> {
        self.look_into(folder, max).await
    }
}

async fn load(config: &StoreConfig) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(Keys { access_key, secret_key }) = &config.keys {
        loader = loader.credentials_provider(Credentials::new(access_key, secret_key, None, None, "tidegate"));
    }
    if let Some(endpoint) = &config.endpoint {
        loader = loader.endpoint_url(endpoint);
        // Stores that are not AWS know no regions, but a signature has one.
        let region = config.region.clone().unwrap_or_else(|| "us-east-1".into());
        loader = loader.region(Region::new(region));
    } else if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    loader.load().await
}

fn is_aws(endpoint: &str) -> bool {
    let host = endpoint.split("://").last().unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

async fn collect(mut body: ByteStream) -> Result<Bytes, StoreError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| StoreError::Unavailable(format!("the body of an object broke off: {error}")))?;
        if bytes.len() + piece.len() > MAX_OBJECT_BYTES {
            return Err(StoreError::Refused(format!("an object is larger than {MAX_OBJECT_BYTES} bytes, which nothing of ours is")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// How long caches in front of the bucket may keep an object.
fn cache_control(key: &Key) -> &'static str {
    match key {
        Key::Record { .. } | Key::Segment { .. } | Key::Chapter { .. } | Key::Init { .. } => "public, max-age=31536000, immutable",
        Key::StaticMultivariant { .. } | Key::SessionMultivariant { .. } | Key::StaticMedia { .. } | Key::StaticIFrames { .. } => {
            "public, max-age=1"
        }
        // A key can be revoked; the others are read to learn what is newest.
        Key::Current { .. } | Key::Head { .. } | Key::Meta(_) | Key::Analytics(_) => "no-cache",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_aws_are_told_from_others() {
        for aws in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com/",
            "https://s3.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_aws(aws), "{aws}");
        }
        for other in ["http://127.0.0.1:9000", "https://amazonaws.com.example.org", "http://minio"] {
            assert!(!is_aws(other), "{other}");
        }
    }

    #[test]
    fn secret_is_not_shown() {
        let keys = Keys { access_key: "access".into(), secret_key: "hidden".into() };
        assert!(!format!("{keys:?}").contains("hidden"));
    }
}
