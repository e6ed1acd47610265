//! What the measurements of the edge share: a bucket with a live session in it, and figures of other processes.
pub mod bucket;
pub mod http2;
pub mod peer;
pub mod process;
