//! Where live media comes from. Whatever the protocol, a session sees FLV tags, breaks and an end.

mod key;
mod pull;
mod registry;
mod rtmp;
mod srt;

use std::future::Future;

pub(crate) use key::StreamKeys;
pub use key::{KeyError, create_stream_key};
pub(crate) use pull::PullSource;
pub use pull::{Pull, PullError};
pub(crate) use registry::Registry;
pub use rtmp::RtmpConfig;
pub(crate) use rtmp::RtmpServer;
pub use srt::{Passphrase, SrtError, SrtPort};
pub(crate) use srt::{SrtSource, knows_srt};

use crate::flv::Tag;

/// A live source of one stream.
pub(crate) trait Source: Send {
    /// The next thing that comes. Dropping the future loses nothing; after [`Item::End`] it is not called again.
    fn next(&mut self) -> impl Future<Output = Item> + Send;
}

/// What comes from a source.
#[derive(Debug)]
pub(crate) enum Item {
    /// Media or metadata.
    Tag(Tag),
    /// The source has gone without a word and may come back; its clock and its codecs may then be others.
    Break {
        /// What happened, for the log.
        reason: String,
    },
    /// The source has said that it is over, or has not come back in time.
    End,
}
