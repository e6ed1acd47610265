mod analytics;
mod meta;

use core::fmt;

pub use analytics::{AnalyticsKey, InstanceId};
pub use meta::{Ledger, MetaKey};

use crate::{ConfigHash, Msn, RecordNumber, RenditionId, SessionId, StreamId};

/// The key of every object in the bucket, with how long it lives. The one place that builds and parses keys.
///
/// Numbers have 10 digits, so that keys sort as they were written. The keys of playlists and init segments are also the
/// paths at which an edge answers, so that a CDN may fall back from the edges to the bucket at the same address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// JSON: the newest session of a stream. Replaced at the start of each session (If-Match).
    Current {
        /// The stream.
        stream: StreamId,
    },
    /// Multivariant playlist of the newest session, playable from the bucket alone. Replaced.
    StaticMultivariant {
        /// The stream.
        stream: StreamId,
    },
    /// Timeline snapshot of a session. Replaced at each segment, last at the end; a follower starts here.
    Head {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
    },
    /// One record of the log: a part of every rendition. Write-once; expires when its segment bundle has long been there.
    Record {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The place in the log.
        number: RecordNumber,
    },
    /// A whole segment of every rendition. Write-once; expires with the DVR window.
    Segment {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The segment.
        msn: Msn,
    },
    /// The timeline entries of 64 closed segments. Write-once; expires with the last of them.
    Chapter {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The chapter: msn divided by the segments of a chapter.
        index: u64,
    },
    /// An init segment. Write-once.
    Init {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
        /// The hash of the init segment.
        config: ConfigHash,
    },
    /// Multivariant playlist of one session, for its VOD. Replaced.
    SessionMultivariant {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
    },
    /// Media playlist of ordinary HLS over the segment bundles. Replaced every few seconds.
    StaticMedia {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
    },
    /// Playlist of the key frames of a recording over the segment bundles. Written at the end.
    StaticIFrames {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
    },
    /// Metadata.
    Meta(MetaKey),
    /// What is known about viewers.
    Analytics(AnalyticsKey),
}

impl Key {
    /// What the keys of all objects of a session begin with.
    #[must_use]
    pub fn session_folder(stream: &StreamId, session: &SessionId) -> alloc::string::String {
        alloc::format!("live/{stream}/{session}/")
    }

    /// Parses a key; anything that this module would not build is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = [""; 6];
        let mut count = 0;
        for word in text.split('/') {
            *words.get_mut(count)? = word;
            count += 1;
        }
        let stream = |text| StreamId::parse(text).ok();
        let session = |text| SessionId::parse(text).ok();
        Some(match *words.get(..count)? {
            ["live", s, "current"] => Self::Current { stream: stream(s)? },
            ["live", s, "index.m3u8"] => Self::StaticMultivariant { stream: stream(s)? },
            ["live", s, e, "head"] => Self::Head { stream: stream(s)?, session: session(e)? },
            ["live", s, e, "index.m3u8"] => Self::SessionMultivariant { stream: stream(s)?, session: session(e)? },
            ["live", s, e, file] => {
                let name = file.strip_suffix(".m3u8")?;
                let (stream, session) = (stream(s)?, session(e)?);
                match name.strip_suffix(".iframes") {
                    Some(name) => Self::StaticIFrames { stream, session, rendition: RenditionId::parse(name).ok()? },
                    None => Self::StaticMedia { stream, session, rendition: RenditionId::parse(name).ok()? },
                }
            }
            ["live", s, e, "log", n] => Self::Record { stream: stream(s)?, session: session(e)?, number: RecordNumber(parse_padded(n)?) },
            // With an extension, since ffmpeg plays no segment without a known one.
            ["live", s, e, "seg", file] => {
                Self::Segment { stream: stream(s)?, session: session(e)?, msn: Msn(parse_padded(file.strip_suffix(".mp4")?)?) }
            }
            ["live", s, e, "chapter", n] => Self::Chapter { stream: stream(s)?, session: session(e)?, index: parse_padded(n)? },
            ["live", s, e, "init", r, file] => {
                let rendition = RenditionId::parse(r).ok()?;
                let config = ConfigHash::parse(file.strip_suffix(".mp4")?)?;
                Self::Init { stream: stream(s)?, session: session(e)?, rendition, config }
            }
            ["meta", ref rest @ ..] => Self::Meta(MetaKey::parse(rest)?),
            ["analytics", ref rest @ ..] => Self::Analytics(AnalyticsKey::parse(rest)?),
            _ => return None,
        })
    }

    /// Whether the object under this key never changes once it is there.
    #[must_use]
    pub fn is_write_once(&self) -> bool {
        match self {
            Self::Record { .. } | Self::Segment { .. } | Self::Chapter { .. } | Self::Init { .. } => true,
            Self::Meta(key) => key.is_write_once(),
            Self::Analytics(key) => key.is_write_once(),
            Self::Current { .. }
            | Self::StaticMultivariant { .. }
            | Self::Head { .. }
            | Self::SessionMultivariant { .. }
            | Self::StaticMedia { .. }
            | Self::StaticIFrames { .. } => false,
        }
    }

    /// The media type that the object is stored with.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::StaticMultivariant { .. } | Self::SessionMultivariant { .. } | Self::StaticMedia { .. } | Self::StaticIFrames { .. } => {
                "application/vnd.apple.mpegurl"
            }
            Self::Init { .. } | Self::Segment { .. } => "video/mp4",
            Self::Current { .. } => "application/json",
            Self::Meta(key) => key.content_type(),
            Self::Analytics(key) => key.content_type(),
            Self::Head { .. } | Self::Record { .. } | Self::Chapter { .. } => "application/octet-stream",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current { stream } => write!(f, "live/{stream}/current"),
            Self::StaticMultivariant { stream } => write!(f, "live/{stream}/index.m3u8"),
            Self::Head { stream, session } => write!(f, "live/{stream}/{session}/head"),
            Self::Record { stream, session, number } => write!(f, "live/{stream}/{session}/log/{:010}", number.0),
            Self::Segment { stream, session, msn } => write!(f, "live/{stream}/{session}/seg/{:010}.mp4", msn.0),
            Self::Chapter { stream, session, index } => write!(f, "live/{stream}/{session}/chapter/{index:010}"),
            Self::Init { stream, session, rendition, config } => write!(f, "live/{stream}/{session}/init/{rendition}/{config}.mp4"),
            Self::SessionMultivariant { stream, session } => write!(f, "live/{stream}/{session}/index.m3u8"),
            Self::StaticMedia { stream, session, rendition } => write!(f, "live/{stream}/{session}/{rendition}.m3u8"),
            Self::StaticIFrames { stream, session, rendition } => write!(f, "live/{stream}/{session}/{rendition}.iframes.m3u8"),
            Self::Meta(key) => key.fmt(f),
            Self::Analytics(key) => key.fmt(f),
        }
    }
}

/// Reads a number exactly as `{:010}` writes it.
fn parse_padded(text: &str) -> Option<u64> {
    let number: u64 = parse_number(text, 20)?;
    let canonical = text.len() == 10 || (text.len() > 10 && !text.starts_with('0'));
    canonical.then_some(number)
}

/// Reads decimal digits and nothing else (`str::parse` would take a sign).
pub(crate) fn parse_number(text: &str, max_len: usize) -> Option<u64> {
    if text.is_empty() || text.len() > max_len || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn any_key() -> impl Strategy<Value = Key> {
        let ids = ("[a-z0-9][a-z0-9_-]{0,20}", any::<(u64, u64)>(), "[a-z][a-z0-9]{0,8}x", any::<u64>(), any::<[u8; 8]>());
        (ids, 0..12u8, meta::tests::any_meta_key(), analytics::tests::any_analytics_key()).prop_map(
            |((s, (ms, random), r, n, config), kind, meta, analytics)| {
                let stream = StreamId::parse(&s).unwrap();
                let session = SessionId::new(ms, random);
                let rendition = RenditionId::parse(&r).unwrap();
                match kind {
                    0 => Key::Current { stream },
                    1 => Key::StaticMultivariant { stream },
                    2 => Key::Head { stream, session },
                    3 => Key::Record { stream, session, number: RecordNumber(n) },
                    4 => Key::Segment { stream, session, msn: Msn(n) },
                    5 => Key::Chapter { stream, session, index: n },
                    6 => Key::Init { stream, session, rendition, config: ConfigHash(config) },
                    7 => Key::SessionMultivariant { stream, session },
                    8 => Key::StaticMedia { stream, session, rendition },
                    9 => Key::StaticIFrames { stream, session, rendition },
                    10 => Key::Meta(meta),
                    _ => Key::Analytics(analytics),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn keys_round_trip(key in any_key()) {
            prop_assert_eq!(Key::parse(&key.to_string()), Some(key));
        }

        #[test]
        fn what_parses_is_what_would_be_built(text in "(live|meta|analytics)/[a-z./0-9_-]{0,60}") {
            if let Some(key) = Key::parse(&text) {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn keys_look_like_this() {
        let stream = StreamId::parse("demo").unwrap();
        let session = SessionId::new(1_790_000_000_000, 0);
        let key = Key::Record { stream, session, number: RecordNumber(12) };
        assert_eq!(key.to_string(), alloc::format!("live/demo/{}/log/0000000012", SessionId::new(1_790_000_000_000, 0)));
    }

    #[test]
    fn tricks_with_paths_are_not_keys() {
        for bad in
            ["", "/", "live//current", "live/../current", "live/a/b/../head", "live/a/current/", "meta/keys/00.json", "live/a/+1/head"]
        {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }
}
