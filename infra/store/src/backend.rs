use std::{
    collections::{BTreeMap, HashMap},
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        Bucket, BucketLocationConstraint, CommonPrefix, CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput,
        DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, EncodingType, Error, GetBucketLocationInput,
        GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListBucketsInput, ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output, Object as ListedObject, PutObjectInput,
        PutObjectOutput, StreamingBlob, Timestamp, TimestampFormat,
    },
    s3_error,
};
use tokio_util::sync::CancellationToken;

use crate::{
    disk::{Disk, DiskError, Precondition},
    list::{Page, Query, list},
    object::{Draft, Headers, Object},
    path::encode_url,
    wait::{Waits, preferred_wait},
};

/// The largest object that is taken; the largest of the platform is a segment of every rendition, a few megabytes.
pub const MAX_OBJECT_BYTES: u64 = 64 << 20;
/// The longest time that a request can wait for an object (`Prefer: wait`).
pub const MAX_WAIT: Duration = Duration::from_secs(30);
/// Bodies are read and written in pieces of about this size, which bounds the memory of a request.
const PIECE_BYTES: usize = 1 << 20;
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

    /// Opens an object, and waits for it where the request prefers that.
    async fn open_or_wait(&self, bucket: &str, key: &str, wait: Option<Duration>) -> S3Result<Object> {
        let Some((wait, waiter)) = wait.and_then(|wait| Some((wait, self.waits.enrol(bucket, key)?))) else {
            return self.open(bucket, key).await;
        };
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

    async fn receive(&self, mut body: StreamingBlob) -> S3Result<Draft> {
        let mut draft = self.blocking(Disk::draft).await?;
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut held = 0;
        loop {
            let next = tokio::time::timeout(BODY_PAUSE, body.next()).await;
            let next = next.map_err(|_| s3_error!(RequestTimeout, "The body stopped coming."))?;
            let ends = next.is_none();
            if let Some(piece) = next {
                // A signature that does not fit the body is found here, at its end.
                let piece = piece.map_err(|error| match error.downcast::<S3Error>() {
                    Ok(error) => *error,
                    Err(error) => S3Error::with_source(S3ErrorCode::IncompleteBody, error),
                })?;
                held += piece.len();
                pieces.push(piece);
            }
            if draft.len() + held as u64 > MAX_OBJECT_BYTES {
                return Err(too_large());
            }
            if ends || held >= PIECE_BYTES {
                let write = std::mem::take(&mut pieces);
                held = 0;
                let write = move |_: &Disk| -> Result<Draft, DiskError> {
                    write.iter().try_for_each(|piece| draft.write(piece))?;
                    Ok(draft)
                };
                draft = self.blocking(write).await?;
            }
            if ends {
                return Ok(draft);
            }
        }
    }
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, if_match, if_none_match, if_modified_since, if_unmodified_since, .. } = req.input;
        let wait = preferred_wait(&req.headers, MAX_WAIT);
        let mut object = self.open_or_wait(&bucket, &key, wait).await?;
        let conditions = ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
        conditions.check(&object)?;
        let whole = 0..object.len;
        let part = match &range {
            Some(range) => range.check(object.len).map_err(|_| not_satisfiable(object.len))?,
            None => whole,
        };
        let content_range = range.map(|_| format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), object.len));
        let headers = std::mem::take(&mut object.headers);
        let (etag, modified, content_length) = (object.etag.clone(), object.modified, part.end - part.start);
        let body = self.body(object, part).await?;
        Ok(S3Response::new(GetObjectOutput {
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
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let HeadObjectInput { bucket, key, range, if_match, if_none_match, if_modified_since, if_unmodified_since, .. } = req.input;
        let object = self.open(&bucket, &key).await?;
        let conditions = ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
        conditions.check(&object)?;
        let part = match &range {
            Some(range) => range.check(object.len).map_err(|_| not_satisfiable(object.len))?,
            None => 0..object.len,
        };
        let content_range = range.map(|_| format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), object.len));
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
        let draft = match input.body {
            Some(body) => self.receive(body).await?,
            None => self.blocking(Disk::draft).await?,
        };
        if input.content_length.is_some_and(|len| len != draft.len() as i64) {
            return Err(s3_error!(IncompleteBody));
        }
        let (bucket, key, md5) = (input.bucket, input.key, input.content_md5);
        let waits = Arc::clone(&self.waits);
        let etag = self.blocking(move |disk| {
            let finished = disk.finish(draft, headers)?;
            if md5.is_some_and(|wanted| wanted != base64(&finished.digest)) {
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
            (Some(token), _) => parse_token(token).ok_or_else(|| s3_error!(InvalidArgument, "This is no continuation token."))?,
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
        let next_continuation_token = page.truncated.then(|| make_token(&page));
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
            Ok(S3Response::new(CreateBucketOutput { location, ..CreateBucketOutput::default() }))
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
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint, ..GetBucketLocationOutput::default() }))
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

impl Backend {
    /// The body of an answer: in one piece where it is small, else piece by piece as fast as the client takes it.
    async fn body(&self, object: Object, part: Range<u64>) -> S3Result<StreamingBlob> {
        if part.end - part.start <= PIECE_BYTES as u64 {
            let (bytes, _) = self.blocking(move |_| Ok(read_piece(object, part)?)).await?;
            return Ok(StreamingBlob::from(s3s::Body::from(bytes)));
        }
        let pieces = stream::unfold(Some((object, part)), |rest| async move {
            let (object, part) = rest.filter(|(_, part)| !part.is_empty())?;
            let read = tokio::task::spawn_blocking(move || read_piece(object, part)).await;
            Some(match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok((bytes, rest)) => (Ok(bytes), Some(rest)),
                Err(error) => (Err(error), None),
            })
        });
        Ok(StreamingBlob::wrap(pieces))
    }
}

/// Reads the next piece of a part of an object; returns what is left of it.
fn read_piece(mut object: Object, part: Range<u64>) -> io::Result<(Bytes, (Object, Range<u64>))> {
    let len = usize::try_from(part.end - part.start).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    let bytes = object.read(part.start, len)?;
    let rest = part.start + bytes.len() as u64..part.end;
    Ok((bytes.into(), (object, rest)))
}

/// The conditions of a read, in the order of RFC 9110 section 13.2.2.
struct ReadConditions {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    fn check(&self, object: &Object) -> S3Result<()> {
        let is_it = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == object.etag);
        // HTTP dates have whole seconds.
        let modified = seconds(object.modified);
        let newer_than = |date: &Timestamp| modified > seconds_of(date);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !is_it(condition) => return Err(s3_error!(PreconditionFailed)),
            (None, Some(date)) if newer_than(date) => return Err(s3_error!(PreconditionFailed)),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if is_it(condition) => Err(not_modified(object)),
            (None, Some(date)) if !newer_than(date) => Err(not_modified(object)),
            _ => Ok(()),
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn seconds_of(date: &Timestamp) -> u64 {
    let mut text = Vec::new();
    let written = date.format(TimestampFormat::EpochSeconds, &mut text);
    let text = String::from_utf8(text).unwrap_or_default();
    written.ok().and_then(|()| text.split('.').next()?.parse().ok()).unwrap_or(0)
}

fn metadata_of(metadata: BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!metadata.is_empty()).then(|| metadata.into_iter().collect())
}

/// RFC 9110 section 15.4.5: the headers that a cache goes on with.
fn not_modified(object: &Object) -> S3Error {
    let mut headers = HeaderMap::new();
    let cache_control = object.headers.cache_control.as_deref();
    for (name, value) in [(header::ETAG, Some(format!("\"{}\"", object.etag).as_str())), (header::CACHE_CONTROL, cache_control)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_headers(headers);
    error
}

fn not_satisfiable(len: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{len}")) {
        error.set_headers(HeaderMap::from_iter([(header::CONTENT_RANGE, value)]));
    }
    error
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

/// What the next page starts after; the first letter says whether it is a key or a whole common prefix.
fn make_token(page: &Page) -> String {
    let key = page.objects.last().map(|object| object.key.as_str());
    let prefix = page.prefixes.last().map(String::as_str);
    let (kind, text) = if prefix > key { ('p', prefix) } else { ('k', key) };
    let hex: String = text.unwrap_or_default().bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}{hex}")
}

fn parse_token(token: &str) -> Option<(String, Option<String>)> {
    let hex = token.get(1..)?.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = hex.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
    let text = String::from_utf8(bytes?).ok()?;
    match token.get(..1)? {
        "k" => Some((text, None)),
        "p" => Some((text.clone(), Some(text))),
        _ => None,
    }
}

/// The form of `Content-MD5`.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = (0..3).fold(0u32, |bits, at| (bits << 8) | u32::from(chunk.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| if at > chunk.len() { '=' } else { char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]) };
        [0, 1, 2, 3].map(digit)
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        assert_eq!([b"f".as_slice(), b"fo", b"foo", b"foob"].map(base64), ["Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn tokens_come_back_and_nonsense_is_none() {
        let page = Page { prefixes: vec!["a/é/".into()], truncated: true, ..Page::default() };
        assert_eq!(parse_token(&make_token(&page)), Some(("a/é/".into(), Some("a/é/".into()))));
        for bad in ["", "x61", "kzz", "kff", "é"] {
            assert_eq!(parse_token(bad), None, "{bad}");
        }
    }
}
