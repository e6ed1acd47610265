//! The validator against texts and against a server in memory, each of which breaks one rule.

mod origin;
mod playlists;
mod servers;
mod texts;
