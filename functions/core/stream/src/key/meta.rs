use core::fmt;

use super::{Key, parse_padded};
use crate::{KeyHash, OriginId, PlaybackId, SessionId, StreamId};

/// The keys of metadata, below `meta/`: nobody but our own programs reads them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MetaKey {
    /// JSON: what the stream is called and how it is to be treated. Replaced (If-Match); a deleted stream leaves a grave.
    Stream {
        /// The stream.
        stream: StreamId,
    },
    /// JSON: which stream a stream key opens, and until when. Write-once, deleted when the key is revoked.
    StreamKey {
        /// The hash of the stream key.
        hash: KeyHash,
    },
    /// JSON: names and hashes of a stream's keys, and its playback ids. Replaced (If-Match).
    Access {
        /// The stream.
        stream: StreamId,
    },
    /// JSON: which stream a playback id shows. Write-once, deleted when the id is withdrawn.
    Playback {
        /// The id.
        id: PlaybackId,
    },
    /// Text: the sessions of a stream, newest last. Replaced (If-Match).
    Sessions {
        /// The stream.
        stream: StreamId,
    },
    /// JSON: what came in, and what webhooks were told. Replaced (If-Match).
    Session {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
    },
    /// JSON: the keys that playback tokens are made and checked with. Secret. Replaced (If-Match).
    PlaybackKeys,
    /// JSON: playback tokens that were called back. Replaced (If-Match).
    Revocations,
    /// JSON: another origin whose playlists are shown here, and what is changed in them. Replaced.
    Origin {
        /// The origin.
        name: OriginId,
    },
    /// JSON: every API token's hash and scopes. Replaced (If-Match).
    Tokens,
    /// JSON: where events are sent. Replaced (If-Match).
    Webhooks,
    /// JSON: who sends events, how far it is, and what it has to send again. Replaced (If-Match).
    Sender,
    /// 32 random bytes that sign publish tokens. Write-once.
    PublishSecret,
    /// JSON: what a request with an idempotency key was given to work with. Write-once; expires after a day.
    Claim {
        /// The hash of who asked and of the idempotency key.
        hash: KeyHash,
    },
    /// A numbered object of a [`Ledger`].
    Entry {
        /// The ledger.
        ledger: Ledger,
        /// Its place.
        number: u64,
    },
    /// Text: a number that the ledger has surely reached, so that its end is found quickly. Replaced, without condition.
    Reached {
        /// The ledger.
        ledger: Ledger,
    },
    /// JSON: something to be said at a moment of a session. Write-once, numbered from 0 without holes.
    Cue {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// Its place.
        number: u64,
    },
}

/// A sequence of numbered objects without holes: who writes number `n` first owns it, and the next key is always known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ledger {
    /// Pages of the list of all streams. Each is replaced (If-Match); all but the newest are full.
    Index,
    /// Who changed what. Write-once.
    Audit,
    /// What happened, for webhooks. Write-once.
    Events,
    /// Deliveries that were given up. Write-once.
    Undelivered,
}

impl Ledger {
    const ALL: [Self; 4] = [Self::Index, Self::Audit, Self::Events, Self::Undelivered];

    fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Audit => "audit",
            Self::Events => "events",
            Self::Undelivered => "undelivered",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ledger| ledger.as_str() == text)
    }
}

impl MetaKey {
    /// Parses what stands behind `meta/`, in words.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        fn json(file: &str) -> Option<&str> {
            file.strip_suffix(".json")
        }
        let stream = |text| StreamId::parse(text).ok();
        Some(match *words {
            ["streams", file] => Self::Stream { stream: stream(json(file)?)? },
            ["keys", file] => Self::StreamKey { hash: KeyHash::parse(json(file)?)? },
            ["access", file] => Self::Access { stream: stream(json(file)?)? },
            ["playback", file] => Self::Playback { id: PlaybackId::parse(json(file)?).ok()? },
            ["sessions", s] => Self::Sessions { stream: stream(s)? },
            ["session", s, file] => Self::Session { stream: stream(s)?, session: SessionId::parse(json(file)?).ok()? },
            ["playback-keys.json"] => Self::PlaybackKeys,
            ["revocations.json"] => Self::Revocations,
            ["origins", file] => Self::Origin { name: OriginId::parse(json(file)?).ok()? },
            ["tokens.json"] => Self::Tokens,
            ["webhooks.json"] => Self::Webhooks,
            ["sender.json"] => Self::Sender,
            ["publish-secret"] => Self::PublishSecret,
            ["claims", file] => Self::Claim { hash: KeyHash::parse(json(file)?)? },
            ["reached", ledger] => Self::Reached { ledger: Ledger::parse(ledger)? },
            ["cues", s, e, file] => {
                let session = SessionId::parse(e).ok()?;
                Self::Cue { stream: stream(s)?, session, number: parse_padded(json(file)?)? }
            }
            [ledger, n] => Self::Entry { ledger: Ledger::parse(ledger)?, number: parse_padded(n)? },
            _ => return None,
        })
    }

    /// Whether the object under this key never changes once it is there.
    #[must_use]
    pub fn is_write_once(&self) -> bool {
        match self {
            Self::StreamKey { .. } | Self::Playback { .. } | Self::PublishSecret | Self::Claim { .. } | Self::Cue { .. } => true,
            Self::Entry { ledger, .. } => *ledger != Ledger::Index,
            Self::Stream { .. }
            | Self::Access { .. }
            | Self::Sessions { .. }
            | Self::Session { .. }
            | Self::Tokens
            | Self::Webhooks
            | Self::Sender
            | Self::PlaybackKeys
            | Self::Revocations
            | Self::Origin { .. }
            | Self::Reached { .. } => false,
        }
    }

    /// The media type that the object is stored with.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Sessions { .. } | Self::Reached { .. } | Self::Entry { ledger: Ledger::Index, .. } => "text/plain; charset=utf-8",
            Self::PublishSecret => "application/octet-stream",
            Self::Stream { .. }
            | Self::StreamKey { .. }
            | Self::Access { .. }
            | Self::Playback { .. }
            | Self::Session { .. }
            | Self::Tokens
            | Self::Webhooks
            | Self::Sender
            | Self::PlaybackKeys
            | Self::Revocations
            | Self::Origin { .. }
            | Self::Claim { .. }
            | Self::Entry { .. }
            | Self::Cue { .. } => "application/json",
        }
    }
}

impl From<MetaKey> for Key {
    fn from(key: MetaKey) -> Self {
        Self::Meta(key)
    }
}

impl fmt::Display for MetaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream { stream } => write!(f, "meta/streams/{stream}.json"),
            Self::StreamKey { hash } => write!(f, "meta/keys/{hash}.json"),
            Self::Access { stream } => write!(f, "meta/access/{stream}.json"),
            Self::Playback { id } => write!(f, "meta/playback/{id}.json"),
            Self::Sessions { stream } => write!(f, "meta/sessions/{stream}"),
            Self::Session { stream, session } => write!(f, "meta/session/{stream}/{session}.json"),
            Self::PlaybackKeys => f.write_str("meta/playback-keys.json"),
            Self::Revocations => f.write_str("meta/revocations.json"),
            Self::Origin { name } => write!(f, "meta/origins/{name}.json"),
            Self::Tokens => f.write_str("meta/tokens.json"),
            Self::Webhooks => f.write_str("meta/webhooks.json"),
            Self::Sender => f.write_str("meta/sender.json"),
            Self::PublishSecret => f.write_str("meta/publish-secret"),
            Self::Claim { hash } => write!(f, "meta/claims/{hash}.json"),
            Self::Entry { ledger, number } => write!(f, "meta/{}/{number:010}", ledger.as_str()),
            Self::Reached { ledger } => write!(f, "meta/reached/{}", ledger.as_str()),
            Self::Cue { stream, session, number } => write!(f, "meta/cues/{stream}/{session}/{number:010}.json"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use alloc::string::ToString as _;

    use proptest::prelude::*;

    use super::*;

    pub(in crate::key) fn any_meta_key() -> impl Strategy<Value = MetaKey> {
        ("[a-z0-9][a-z0-9_-]{0,20}", any::<(u64, u64)>(), any::<u64>(), 0..20usize, any::<[u8; 32]>()).prop_map(
            |(s, (ms, random), number, kind, hash)| {
                let stream = StreamId::parse(&s).unwrap();
                let hash = KeyHash(hash);
                match kind {
                    0 => MetaKey::Stream { stream },
                    1 => MetaKey::StreamKey { hash },
                    2 => MetaKey::Access { stream },
                    3 => MetaKey::Playback { id: PlaybackId::parse(&s).unwrap() },
                    4 => MetaKey::Sessions { stream },
                    5 => MetaKey::Tokens,
                    6 => MetaKey::Webhooks,
                    7 => MetaKey::Sender,
                    8 => MetaKey::PublishSecret,
                    9 => MetaKey::Claim { hash },
                    10 => MetaKey::Cue { stream, session: SessionId::new(ms, random), number },
                    11 => MetaKey::Reached { ledger: Ledger::Audit },
                    12 => MetaKey::PlaybackKeys,
                    13 => MetaKey::Revocations,
                    14 => MetaKey::Origin { name: OriginId::parse(&s).unwrap() },
                    15 => MetaKey::Session { stream, session: SessionId::new(ms, random) },
                    kind => MetaKey::Entry { ledger: Ledger::ALL[kind % 4], number },
                }
            },
        )
    }

    #[test]
    fn no_meta_key_is_the_folder_of_another() {
        let stream = StreamId::parse("index").unwrap();
        let all = [
            MetaKey::Sessions { stream: stream.clone() }.to_string(),
            MetaKey::Session { stream: stream.clone(), session: SessionId::new(0, 0) }.to_string(),
            MetaKey::Stream { stream }.to_string(),
            MetaKey::Reached { ledger: Ledger::Index }.to_string(),
            MetaKey::Entry { ledger: Ledger::Index, number: 0 }.to_string(),
            MetaKey::PublishSecret.to_string(),
        ];
        for a in &all {
            assert!(all.iter().all(|b| !b.starts_with(&alloc::format!("{a}/"))), "{a}");
        }
    }
}
