//! Packaging: frames in, log records, segment bundles and playlists out.
