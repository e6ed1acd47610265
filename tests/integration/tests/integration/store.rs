//! The bucket: what every store has to do, on the embedded one and on a real MinIO, and what only the embedded one does.

mod conformance;
mod crash;
mod embedded;
mod writer;
