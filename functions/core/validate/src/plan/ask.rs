use alloc::string::String;

/// What a probe is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// The address that was given.
    Root,
    /// HEAD of it.
    Head,
    /// It again, over HTTP/2.
    Http2,
    /// A media playlist.
    Playlist { rendition: usize, how: How },
    /// An init segment.
    Init { rendition: usize, url: String },
    /// A part that is listed.
    Part { rendition: usize, msn: u64, index: u64 },
    /// A whole segment that is listed.
    Segment { rendition: usize, msn: u64 },
    /// A part that is hinted.
    Hint { rendition: usize, uri: String },
    /// Something that is no longer listed and has to be there yet.
    Kept { rendition: usize, part: bool },
    /// Something that never was.
    Nothing { rendition: usize },
}

/// How a media playlist is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// Without directives.
    Plain,
    /// Blocking for a part; the chain by which a rendition is followed.
    Part { msn: u64, part: u64 },
    /// The same request a second time, at the same time.
    Twin { msn: u64, part: u64 },
    /// Blocking for a segment.
    Segment { msn: u64 },
    /// The part after the last of a whole segment.
    Next { msn: u64, part: u64 },
    /// A segment that is long there.
    Old { msn: u64 },
    /// A segment that is far away.
    FarSegment { msn: u64 },
    /// A part that is far away.
    FarPart { msn: u64, part: u64 },
    /// A part of no segment.
    PartAlone,
    /// A delta, of date ranges too where `ranges`.
    Delta { msn: u64, part: Option<u64>, ranges: bool },
    /// A segment that will never be, of a playlist that has ended.
    Ended { msn: u64 },
}

impl How {
    /// The directives, in the order that caches want (6.2.5).
    pub(super) fn query(self) -> String {
        use alloc::format;
        match self {
            Self::Plain => String::new(),
            Self::Part { msn, part } | Self::Twin { msn, part } | Self::Next { msn, part } | Self::FarPart { msn, part } => {
                format!("_HLS_msn={msn}&_HLS_part={part}")
            }
            Self::Segment { msn } | Self::Old { msn } | Self::FarSegment { msn } => format!("_HLS_msn={msn}"),
            Self::PartAlone => "_HLS_part=0".into(),
            Self::Delta { msn, part, ranges } => {
                let part = part.map_or(String::new(), |part| format!("&_HLS_part={part}"));
                format!("_HLS_msn={msn}{part}&_HLS_skip={}", if ranges { "v2" } else { "YES" })
            }
            Self::Ended { msn } => format!("_HLS_msn={msn}&_HLS_part=0"),
        }
    }
}
