//! The ingest and transcode worker: a live source in, a log of objects in the bucket out.
