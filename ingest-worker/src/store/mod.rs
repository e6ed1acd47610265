//! The bucket as the worker sees it: a client of any S3, and the writer that owns order and retries.

mod any;
mod bucket;
mod clock;
mod drive;
mod durable;
mod failure;
mod latency;
mod mirror;
mod queue;
mod s3;
mod spool;
mod submission;
mod writer;

pub(crate) use any::{AnyBucket, AnyListing};
pub use bucket::{Bucket, Condition, Etag, Listing, MAX_OBJECT_BYTES, Object, PutError, StoreError};
pub use drive::drive;
pub use latency::Quantiles;
pub(crate) use latency::Window;
pub use mirror::Mirror;
pub use s3::{Keys, Store, StoreConfig};
pub use submission::{Lane, Put, PutCondition, Submission};
pub use writer::{Stats, Writer, WriterConfig, WriterError};
