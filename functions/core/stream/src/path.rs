use alloc::{format, string::String};

use crate::{ConfigHash, Msn, PartIndex, RenditionId, SessionId, StreamId, key::parse_number};

/// A path at which an edge answers viewers, without the leading slash. The one place that builds and parses them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Path {
    /// `live/<stream>/index.m3u8`: the multivariant playlist of the newest session.
    Multivariant {
        /// The stream.
        stream: StreamId,
    },
    /// `live/<stream>/<session>/index.m3u8`: the multivariant playlist of one session.
    SessionMultivariant {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
    },
    /// `live/<stream>/<session>/<rendition>.m3u8`: a media playlist.
    Media {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
    },
    /// `live/<stream>/<session>/<rendition>.iframes.m3u8`: the playlist of the key frames alone.
    IFrames {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
    },
    /// `live/<stream>/manifest.mpd`: DASH, of the newest session.
    Mpd {
        /// The stream.
        stream: StreamId,
        /// Which one.
        kind: MpdKind,
    },
    /// `live/<stream>/<session>/manifest.mpd`: DASH, of one session.
    SessionMpd {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// Which one.
        kind: MpdKind,
    },
    /// `time`: the wall clock, for DASH players.
    Time,
    /// `live/<stream>/<session>/init/<rendition>/<config>.mp4`: an init segment.
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
    /// `live/<stream>/<session>/<rendition>/<msn>.m4s`: a segment.
    Segment {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
        /// The segment.
        msn: Msn,
    },
    /// `live/<stream>/<session>/<rendition>/<msn>.<part>.m4s`: a part.
    Part {
        /// The stream.
        stream: StreamId,
        /// The session.
        session: SessionId,
        /// The rendition.
        rendition: RenditionId,
        /// The segment.
        msn: Msn,
        /// The part.
        part: PartIndex,
    },
}

/// What a DASH player is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MpdKind {
    /// `manifest.mpd`: whole segments, the whole window.
    Whole,
    /// `low-latency.mpd`: the newest segments by their parts.
    LowLatency,
}

impl MpdKind {
    fn parse(file: &str) -> Option<Self> {
        match file {
            "manifest.mpd" => Some(Self::Whole),
            "low-latency.mpd" => Some(Self::LowLatency),
            _ => None,
        }
    }
}

impl Path {
    /// Parses the path of a request (no query, no leading slash); what is not an address of ours is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "time" {
            return Some(Self::Time);
        }
        let rest = text.strip_prefix("live/")?;
        let mut words = rest.splitn(6, '/');
        let stream = StreamId::parse(words.next()?).ok()?;
        let second = words.next()?;
        let Some(third) = words.next() else {
            return match MpdKind::parse(second) {
                Some(kind) => Some(Self::Mpd { stream, kind }),
                None => (second == "index.m3u8").then_some(Self::Multivariant { stream }),
            };
        };
        let session = SessionId::parse(second).ok()?;
        Some(match (third, words.next(), words.next(), words.next()) {
            ("index.m3u8", None, None, None) => Self::SessionMultivariant { stream, session },
            (file, None, None, None) => {
                if let Some(kind) = MpdKind::parse(file) {
                    return Some(Self::SessionMpd { stream, session, kind });
                }
                let name = file.strip_suffix(".m3u8")?;
                match name.strip_suffix(".iframes") {
                    Some(name) => Self::IFrames { stream, session, rendition: RenditionId::parse(name).ok()? },
                    None => Self::Media { stream, session, rendition: RenditionId::parse(name).ok()? },
                }
            }
            ("init", Some(rendition), Some(file), None) => {
                let rendition = RenditionId::parse(rendition).ok()?;
                let config = ConfigHash::parse(file.strip_suffix(".mp4")?)?;
                Self::Init { stream, session, rendition, config }
            }
            (rendition, Some(file), None, None) => {
                let rendition = RenditionId::parse(rendition).ok()?;
                let name = file.strip_suffix(".m4s")?;
                match name.split_once('.') {
                    None => Self::Segment { stream, session, rendition, msn: Msn(parse_plain(name)?) },
                    Some((msn, part)) => {
                        let part = PartIndex(u32::try_from(parse_plain(part)?).ok()?);
                        Self::Part { stream, session, rendition, msn: Msn(parse_plain(msn)?), part }
                    }
                }
            }
            _ => return None,
        })
    }

    /// The URI of a media playlist, relative to the session's multivariant playlist (or to another media playlist).
    #[must_use]
    pub fn media_uri(rendition: &RenditionId) -> String {
        format!("{rendition}.m3u8")
    }

    /// The URI of the playlist of a rendition's key frames, relative to the session's multivariant playlist.
    #[must_use]
    pub fn i_frames_uri(rendition: &RenditionId) -> String {
        format!("{rendition}.iframes.m3u8")
    }

    /// The URI of an init segment, relative to a media playlist of the session.
    #[must_use]
    pub fn init_uri(rendition: &RenditionId, config: ConfigHash) -> String {
        format!("init/{rendition}/{config}.mp4")
    }

    /// The URI of a segment, relative to a media playlist of the session.
    #[must_use]
    pub fn segment_uri(rendition: &RenditionId, msn: Msn) -> String {
        format!("{rendition}/{msn}.m4s")
    }

    /// The URI of a part, relative to a media playlist of the session.
    #[must_use]
    pub fn part_uri(rendition: &RenditionId, msn: Msn, part: PartIndex) -> String {
        format!("{rendition}/{msn}.{part}.m4s")
    }
}

/// Reads a number exactly as `{}` writes it, so that one thing has one address.
fn parse_plain(text: &str) -> Option<u64> {
    let number = parse_number(text, 19)?;
    (text == "0" || !text.starts_with('0')).then_some(number)
}

/// The stream that a report is about, by the path (with its leading slash, without a token) that it is posted to: `/live/<stream>/beacon`,
/// or `/beacon/<stream>` for short.
#[must_use]
pub fn report_stream(path: &str) -> Option<StreamId> {
    let stream = match path.strip_prefix("/beacon/") {
        Some(stream) => stream,
        None => path.strip_prefix("/live/")?.strip_suffix("/beacon")?,
    };
    StreamId::parse(stream).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_a_playlist_resolve_to_paths() {
        let stream = StreamId::parse("demo").unwrap();
        let session = SessionId::new(1, 2);
        let rendition = RenditionId::parse("high").unwrap();
        let base = format!("live/{stream}/{session}/");
        let (msn, part, config) = (Msn(7), PartIndex(3), ConfigHash([9; 8]));
        let cases = [
            (Path::media_uri(&rendition), Path::Media { stream: stream.clone(), session: session.clone(), rendition: rendition.clone() }),
            (
                Path::i_frames_uri(&rendition),
                Path::IFrames { stream: stream.clone(), session: session.clone(), rendition: rendition.clone() },
            ),
            ("low-latency.mpd".into(), Path::SessionMpd { stream: stream.clone(), session: session.clone(), kind: MpdKind::LowLatency }),
            (
                Path::init_uri(&rendition, config),
                Path::Init { stream: stream.clone(), session: session.clone(), rendition: rendition.clone(), config },
            ),
            (
                Path::segment_uri(&rendition, msn),
                Path::Segment { stream: stream.clone(), session: session.clone(), rendition: rendition.clone(), msn },
            ),
            (
                Path::part_uri(&rendition, msn, part),
                Path::Part { stream: stream.clone(), session: session.clone(), rendition: rendition.clone(), msn, part },
            ),
        ];
        for (uri, path) in cases {
            assert_eq!(Path::parse(&format!("{base}{uri}")), Some(path));
        }
        assert_eq!(Path::parse("live/demo/index.m3u8"), Some(Path::Multivariant { stream: stream.clone() }));
        assert_eq!(Path::parse("live/demo/manifest.mpd"), Some(Path::Mpd { stream, kind: MpdKind::Whole }));
        assert_eq!(Path::parse("time"), Some(Path::Time));
    }

    #[test]
    fn odd_paths_are_nobodys() {
        let session = SessionId::new(1, 2);
        for bad in ["", "live/", "live/demo", "live/demo/x.m3u8", "live/demo/../index.m3u8", "live//index.m3u8"] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
        for bad in [
            "index.iframes.m3u8",
            "high.iframes.iframes.m3u8",
            "x.mpd",
            "high/07.m4s",
            "high/-1.m4s",
            "high/7.m4s/",
            "high/7.3.1.m4s",
            "high/99999999999999999999.m4s",
            "init/high/xyz.mp4",
        ] {
            assert_eq!(Path::parse(&format!("live/demo/{session}/{bad}")), None, "{bad}");
        }
    }
}
