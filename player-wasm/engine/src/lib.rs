//! The player's decisions: what to load, append, seek, and at which speed to play.
