#![allow(clippy::disallowed_methods, reason = "a server: it reads files, the clock, and the network")]
//! The embedded store: an S3 server on one disk, for a laptop and for tests.
//!
//! In scope: the operations that the platform and ordinary S3 tools use on small objects (put, get, head, delete, list,
//! buckets), conditional writes, signatures, anonymous reading of one prefix, CORS, expiry by age, and `Prefer: wait`, with
//! which the answer to a request for a missing object comes when the object is there.
//! Out of scope: multipart uploads, versions, access lists, more than one pair of keys, more than one disk.
//!
//! Invariant: an object is one file that is renamed into its place, with its headers inside. Whoever reads sees all of one
//! write or nothing of it; of any number of conditional writes of one key at most one wins; a killed process leaves nothing
//! but files in `tmp`, which the next start removes. With [`Durability::Process`] a power cut can lose or (on file systems
//! that do not order data before a rename) empty the newest objects; such an object answers as missing, never torn. With
//! [`Durability::Disk`] an answered write is on the disk.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod backend;
mod cors;
mod disk;
mod list;
mod object;
mod path;
mod read;
mod server;
mod sweep;
mod wait;

pub use backend::{MAX_OBJECT_BYTES, MAX_WAIT};
pub use disk::Durability;
pub use server::{Config, EmbeddedStore, OpenError};
pub use sweep::Expiry;
