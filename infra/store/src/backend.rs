use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        Bucket, BucketLocationConstraint, CommonPrefix, CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput,
        DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, EncodingType, Error, GetBucketLocationInput,
        GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListBucketsInput, ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output, Object as ListedObject, PutObjectInput,
        PutObjectOutput, StreamingBlob, Timestamp,
    },
    s3_error,
};
use tokio_util::sync::CancellationToken;

use crate::{
    disk::{Disk, DiskError, Precondition},
    list::{Query, list, start_of},
    object::{Draft, Finished, Headers, Object},
    path::encode_url,
    read::{PIECE_BYTES, ReadConditions, body, part_of},
    wait::{Waiter, Waits, applied, preferred_wait},
};

/// The largest object that is taken; the largest of the platform is a segment of every rendition, a few megabytes.
pub const MAX_OBJECT_BYTES: u64 = 64 << 20;
/// The longest time that a request can wait for an object (`Prefer: wait`).
pub const MAX_WAIT: Duration = Duration::from_secs(30);
/// A client that sends nothing of its body for this long is given up.
const BODY_PAUSE: Duration = Duration::from_secs(20);
/// As many as S3 lists and deletes in one request.
const MAX_PAGE: usize = 1000;

/// The operations of S3 on a disk.
pub(crate) struct Backend {
    disk: Arc<Disk>,
    waits: Arc<Waits>,
    closing: CancellationToken,
}

impl Backend {
    /// Parked requests are answered when `closing` is cancelled.
    pub(crate) fn new(disk: Arc<Disk>, closing: CancellationToken) -> Self {
        Self { disk, waits: Arc::default(), closing }
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Disk) -> Result<T, DiskError> + Send + 'static) -> S3Result<T> {
        let disk = Arc::clone(&self.disk);
        let done = tokio::task::spawn_blocking(move || work(&disk)).await;
        done.map_err(S3Error::internal_error)?.map_err(s3_error_of)
    }

    async fn open(&self, bucket: &str, key: &str) -> S3Result<Object> {
        let (bucket, key) = (bucket.to_string(), key.to_string());
        self.blocking(move |disk| disk.get(&bucket, &key)).await
    }

    /// Opens an object, and waits for it where the request prefers that; the headers say whether that was done.
    async fn open_or_wait(&self, bucket: &str, key: &str, wait: Option<Duration>) -> (S3Result<Object>, HeaderMap) {
        match wait.and_then(|wait| Some((wait, self.waits.enrol(bucket, key)?))) {
            Some((wait, waiter)) => (self.wait(bucket, key, wait, &waiter).await, applied(wait)),
            None => (self.open(bucket, key).await, HeaderMap::new()),
        }
    }

    async fn wait(&self, bucket: &str, key: &str, wait: Duration, waiter: &Waiter<'_>) -> S3Result<Object> {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        loop {
            // Listens before it looks, so that no write falls between the two.
            let written = waiter.notify.notified();
            tokio::pin!(written);
            written.as_mut().enable();
            match self.open(bucket, key).await {
                Err(error) if *error.code() == S3ErrorCode::NoSuchKey => {
                    tokio::select! {
                        () = written => {}
                        () = &mut over => return Err(error),
                        () = self.closing.cancelled() => return Err(error),
                    }
                }
                opened => return opened,
            }
        }
    }

    /// Reads a body: what is small stays in memory, so that one visit to the disk does for the whole write.
    async fn receive(&self, mut body: StreamingBlob) -> S3Result<Received> {
        let mut received = Received::default();
        loop {
            let next = tokio::time::timeout(BODY_PAUSE, body.next()).await;
            let next = next.map_err(|_| s3_error!(RequestTimeout, "The body stopped coming."))?;
            let Some(piece) = next else { return Ok(received) };
            // A signature that does not fit the body is found here, at its end.
            let piece = piece.map_err(|error| match error.downcast::<S3Error>() {
                Ok(error) => *error,
                Err(error) => S3Error::with_source(S3ErrorCode::IncompleteBody, error),
            })?;
            received.len += piece.len() as u64;
            received.held += piece.len();
            received.pieces.push(piece);
            if received.len > MAX_OBJECT_BYTES {
                return Err(too_large());
            }
            if received.held >= PIECE_BYTES {
                received = self.blocking(|disk| received.write(disk)).await?;
            }
        }
    }
}

/// A body on its way to the disk.
#[derive(Default)]
struct Received {
    len: u64,
    draft: Option<Draft>,
    pieces: Vec<Bytes>,
    held: usize,
}

impl Received {
    /// Writes what is held in memory.
    fn write(mut self, disk: &Disk) -> Result<Self, DiskError> {
        let draft = match self.draft.take() {
            Some(draft) => draft,
            None => disk.draft()?,
        };
        let draft = self.draft.insert(draft);
        self.pieces.drain(..).try_for_each(|piece| draft.write(&piece))?;
        self.held = 0;
        Ok(self)
    }

    fn finish(self, disk: &Disk, headers: Headers) -> Result<Finished, DiskError> {
        match self.write(disk)?.draft {
            Some(draft) => disk.finish(draft, headers),
            None => disk.finish(disk.draft()?, headers),
        }
    }
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, if_match, if_none_match, if_modified_since, if_unmodified_since, .. } = req.input;
        let wait = preferred_wait(&req.headers, MAX_WAIT);
        let (opened, mut applied) = self.open_or_wait(&bucket, &key, wait).await;
        let mut object = match opened {
            Ok(object) => object,
            Err(mut error) => {
                error.set_headers(applied);
                return Err(error);
            }
        };
        let conditions = ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
        conditions.check(&object)?;
        let (part, content_range) = part_of(&object, range)?;
        let headers = std::mem::take(&mut object.headers);
        let (etag, modified, content_length) = (object.etag.clone(), object.modified, part.end - part.start);
        let body = body(object, part).await?;
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".into()),
            body: Some(body),
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_length: Some(content_length as i64),
            content_range,
            content_type: headers.content_type,
            e_tag: Some(ETag::Strong(etag)),
            last_modified: Some(Timestamp::from(modified)),
            metadata: metadata_of(headers.metadata),
            ..GetObjectOutput::default()
        };
        // Who waited may want to know how long it has been there, to the millisecond: dates are whole seconds.
        if !applied.is_empty()
            && let Ok(age) = modified.elapsed()
        {
            applied
                .insert(HeaderName::from_static("tidegate-age-ms"), HeaderValue::from(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
        }
        Ok(S3Response::with_headers(output, applied))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let HeadObjectInput { bucket, key, range, if_match, if_none_match, if_modified_since, if_unmodified_since, .. } = req.input;
        let object = self.open(&bucket, &key).await?;
        let conditions = ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
        conditions.check(&object)?;
        let (part, content_range) = part_of(&object, range)?;
        let headers = object.headers;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_length: Some((part.end - part.start) as i64),
            content_range,
            content_type: headers.content_type,
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(Timestamp::from(object.modified)),
            metadata: metadata_of(headers.metadata),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        if input.write_offset_bytes.is_some() {
            // To ignore it would overwrite what the client wants to add to.
            return Err(s3_error!(NotImplemented, "This store cannot append."));
        }
        let precondition = match (input.if_match, input.if_none_match) {
            (None, None) => Precondition::None,
            (Some(ETagCondition::Any), None) => Precondition::Present,
            (Some(ETagCondition::ETag(etag)), None) => Precondition::Matches(etag.into_value()),
            (None, Some(ETagCondition::Any)) => Precondition::Absent,
            (None, Some(ETagCondition::ETag(etag))) => Precondition::Differs(etag.into_value()),
            (Some(_), Some(_)) => return Err(s3_error!(InvalidRequest, "If-Match and If-None-Match do not go together.")),
        };
        if input.content_length.is_some_and(|len| len > MAX_OBJECT_BYTES as i64) {
            return Err(too_large());
        }
        let headers = Headers {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_encoding: input.content_encoding,
            content_disposition: input.content_disposition,
            metadata: input.metadata.into_iter().flatten().collect(),
        };
        let received = match input.body {
            Some(body) => self.receive(body).await?,
            None => Received::default(),
        };
        if input.content_length.is_some_and(|len| len != received.len as i64) {
            return Err(s3_error!(IncompleteBody));
        }
        let (bucket, key, md5) = (input.bucket, input.key, input.content_md5);
        let waits = Arc::clone(&self.waits);
        let etag = self.blocking(move |disk| {
            let finished = received.finish(disk, headers)?;
            if md5.is_some_and(|wanted| wanted != finished.content_md5()) {
                return Err(DiskError::Digest);
            }
            let etag = disk.commit(&bucket, &key, finished, &precondition)?;
            // Here and not after the await: a client that leaves must not take the news with it.
            waits.written(&bucket, &key);
            Ok(etag)
        });
        let etag = etag.await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(etag)), ..PutObjectOutput::default() }))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, if_match, .. } = req.input;
        let precondition = match if_match {
            None => Precondition::None,
            Some(ETagCondition::Any) => Precondition::Present,
            Some(ETagCondition::ETag(etag)) => Precondition::Matches(etag.into_value()),
        };
        self.blocking(move |disk| disk.delete(&bucket, &key, &precondition)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        if delete.objects.len() > MAX_PAGE {
            return Err(s3_error!(MalformedXML, "At most 1000 objects can be deleted at once."));
        }
        let quiet = delete.quiet.unwrap_or_default();
        let output = self.blocking(move |disk| {
            disk.bucket(&bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in delete.objects {
                let precondition = object.e_tag.map_or(Precondition::None, |etag| Precondition::Matches(etag.into_value()));
                match disk.delete(&bucket, &object.key, &precondition) {
                    Ok(()) if quiet => {}
                    Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() }),
                    Err(error) => {
                        let error = s3_error_of(error);
                        errors.push(Error {
                            code: Some(error.code().as_str().into()),
                            message: error.message().map(Into::into),
                            key: Some(object.key),
                            ..Error::default()
                        });
                    }
                }
            }
            Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..DeleteObjectsOutput::default() })
        });
        Ok(S3Response::new(output.await?))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let (after, skip) = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => start_of(token).ok_or_else(|| s3_error!(InvalidArgument, "This is no continuation token."))?,
            (None, Some(after)) => (after.clone(), None),
            (None, None) => (String::new(), None),
        };
        let max = usize::try_from(input.max_keys.unwrap_or(MAX_PAGE as i32)).unwrap_or(0).min(MAX_PAGE);
        let prefix = input.prefix.clone().unwrap_or_default();
        let query = Query { prefix, delimiter: input.delimiter.clone(), after, skip, max };
        let bucket = input.bucket.clone();
        let page = self.blocking(move |disk| Ok(list(&disk.bucket(&bucket)?, &query)?)).await?;
        let url = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
        let text = |text: String| if url { encode_url(&text) } else { text };
        let next_continuation_token = page.truncated.then(|| page.token());
        let key_count = page.objects.len() + page.prefixes.len();
        let contents = page.objects.into_iter().map(|object| ListedObject {
            key: Some(text(object.key)),
            size: Some(object.len as i64),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(Timestamp::from(object.modified)),
            ..ListedObject::default()
        });
        let contents = contents.collect();
        let common_prefixes = page.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(text(prefix)) }).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(text(input.prefix.unwrap_or_default())),
            max_keys: Some(max as i32),
            key_count: Some(key_count as i32),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.truncated),
            next_continuation_token,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.map(text),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(text),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = req.input.bucket;
        let location = Some(format!("/{bucket}"));
        if self.blocking(move |disk| disk.create_bucket(&bucket)).await? {
            Ok(S3Response::new(CreateBucketOutput { location }))
        } else {
            Err(s3_error!(BucketAlreadyOwnedByYou))
        }
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.blocking(move |disk| disk.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(&self, req: S3Request<GetBucketLocationInput>) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.blocking(move |disk| disk.bucket(&req.input.bucket)).await?;
        let location_constraint = Some(BucketLocationConstraint::from(String::new()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.blocking(|disk| Ok(disk.buckets()?)).await?;
        let buckets = buckets.into_iter().map(|(name, born)| Bucket {
            name: Some(name),
            creation_date: Some(Timestamp::from(born)),
            ..Bucket::default()
        });
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets.collect()), ..ListBucketsOutput::default() }))
    }
}

fn metadata_of(metadata: BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!metadata.is_empty()).then(|| metadata.into_iter().collect())
}

fn too_large() -> S3Error {
    s3_error!(EntityTooLarge, "This store takes objects of up to {MAX_OBJECT_BYTES} bytes.")
}

fn s3_error_of(error: DiskError) -> S3Error {
    match error {
        DiskError::NoBucket => s3_error!(NoSuchBucket),
        DiskError::NoKey => s3_error!(NoSuchKey),
        DiskError::Precondition => s3_error!(PreconditionFailed),
        DiskError::Digest => s3_error!(BadDigest),
        DiskError::KeyTooLong => s3_error!(KeyTooLongError, "A segment of the key is too long for this store's disk."),
        DiskError::HeadersTooLong => s3_error!(MetadataTooLarge),
        DiskError::Full => {
            let mut error = S3Error::new(S3ErrorCode::Custom("StorageFull".into()));
            error.set_message("The store's disk is full.");
            error.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
            error
        }
        DiskError::Io(source) => S3Error::internal_error(source),
    }
}
