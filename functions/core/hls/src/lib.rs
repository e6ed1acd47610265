//! HLS playlists: rendered from the timeline, and read.
