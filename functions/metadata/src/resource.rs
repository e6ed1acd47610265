//! One module for each thing of the API.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod cues;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod live;
pub(crate) mod playback;
pub(crate) mod sessions;
pub(crate) mod streams;
pub(crate) mod tokens;
pub(crate) mod viewers;
pub(crate) mod webhooks;
