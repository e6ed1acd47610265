//! The embedded store: an S3 server on one disk, for a laptop and for tests.
