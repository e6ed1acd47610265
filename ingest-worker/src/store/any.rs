use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tidegate_stream::Key;

use super::{Bucket, Condition, Etag, Listing, Object, PutError, StoreError};

/// A bucket behind a pointer. The worker is made for this one, and so compiled once, and not anew in each program with its store; what it costs
/// is an allocation for a request.
#[derive(Clone)]
pub(crate) struct AnyBucket(Arc<dyn Asked>);

/// The same of a bucket that says what is in it. (Of one generic type for both the compiler cannot show that its futures are `Send`.)
#[derive(Clone)]
pub(crate) struct AnyListing(Arc<dyn Listed>);

trait Asked: Send + Sync {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Object>, StoreError>>;
    fn put<'a>(&'a self, key: &'a Key, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Etag, PutError>>;
    fn delete<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), StoreError>>;
}

trait Listed: Asked {
    fn list<'a>(&'a self, folder: &'a str, max: usize) -> BoxFuture<'a, Result<Vec<(Key, Etag)>, StoreError>>;
}

impl<B: Bucket> Asked for B {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Object>, StoreError>> {
        Box::pin(Bucket::get(self, key))
    }

    fn put<'a>(&'a self, key: &'a Key, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Etag, PutError>> {
        Box::pin(Bucket::put(self, key, bytes, condition))
    }

    fn delete<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(Bucket::delete(self, keys))
    }
}

impl<B: Bucket + Listing> Listed for B {
    fn list<'a>(&'a self, folder: &'a str, max: usize) -> BoxFuture<'a, Result<Vec<(Key, Etag)>, StoreError>> {
        Box::pin(Listing::list(self, folder, max))
    }
}

impl AnyBucket {
    pub(crate) fn new(bucket: impl Bucket) -> Self {
        Self(Arc::new(bucket))
    }
}

impl AnyListing {
    pub(crate) fn new(bucket: impl Bucket + Listing) -> Self {
        Self(Arc::new(bucket))
    }
}

impl Bucket for AnyBucket {
    async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.0.get(key).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        self.0.put(key, bytes, condition).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.0.delete(keys).await
    }
}

impl Bucket for AnyListing {
    async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.0.get(key).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        self.0.put(key, bytes, condition).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.0.delete(keys).await
    }
}

impl Listing for AnyListing {
    async fn list(&self, folder: &str, max: usize) -> Result<Vec<(Key, Etag)>, StoreError> {
        self.0.list(folder, max).await
    }
}
