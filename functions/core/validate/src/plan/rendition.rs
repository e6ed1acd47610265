use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_hls::uri::resolve;

use crate::{
    check::{Fragment, Init},
    read::{Media, Segment},
};

/// What a media playlist is in the presentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Of the variant at this place of the multivariant playlist; the first, where variants share one.
    Variant(usize),
    /// Of the EXT-X-MEDIA at this place.
    Media(usize),
    /// Of an EXT-X-I-FRAME-STREAM-INF.
    IFrames,
    /// The address that was given is a media playlist.
    Alone,
}

/// One media playlist as it was seen so far.
pub(super) struct Rendition {
    pub(super) url: String,
    /// For people: the end of the address.
    pub(super) name: String,
    pub(super) role: Role,
    /// The newest whole playlist.
    pub(super) list: Option<Media>,
    /// When it was asked for the last time without an answer since.
    pub(super) failures: u32,
    /// Whole playlists that were read.
    pub(super) updates: u64,
    /// How many of the single questions have been asked.
    pub(super) questions: usize,
    /// It was seen without EXT-X-ENDLIST.
    pub(super) was_live: bool,
    /// The samples of recordings have been chosen.
    pub(super) sampled: bool,
    pub(super) pace: Pace,
    pub(super) hints: Hints,
    pub(super) twins: Vec<Twin>,
    pub(super) inits: BTreeMap<String, Option<Init>>,
    /// Init segments that have been asked for.
    pub(super) asked_inits: BTreeSet<String>,
    pub(super) track: Track,
    /// Where each segment starts, by EXTINF: number, offset, discontinuity number.
    pub(super) offsets: BTreeMap<u64, Offset>,
    pub(super) rates: Rates,
}

/// When parts and segments came.
#[derive(Default)]
pub(super) struct Pace {
    /// Number of whole segments and parts of the open one, and when that came.
    pub(super) newest: Option<((u64, u64), u64)>,
    pub(super) steps: u64,
    pub(super) late: u64,
    /// The last step was late, within a segment: what comes next tells whether that was its end.
    pub(super) late_within: bool,
    pub(super) boundaries: u64,
    pub(super) late_ends: u64,
    /// When each of the last positions came.
    pub(super) came: BTreeMap<(u64, u64), u64>,
    pub(super) compared: u64,
    pub(super) out_of_step: u64,
}

/// Whether hints came true.
#[derive(Default)]
pub(super) struct Hints {
    /// The one that stands, as an absolute address, with BYTERANGE-START.
    pub(super) standing: Option<(String, Option<u64>)>,
    pub(super) all: u64,
    pub(super) wrong: u64,
    /// Hinted addresses that were answered with 404 before they came.
    pub(super) refused: Vec<String>,
}

/// An answer that waits for its twin.
pub(super) struct Twin {
    pub(super) at: (u64, u64),
    pub(super) last: Option<(u64, Option<u64>)>,
    pub(super) body: Vec<u8>,
}

/// Media times as they were read.
#[derive(Default)]
pub(super) struct Track {
    pub(super) parts: BTreeMap<(u64, u64), Fragment>,
    pub(super) segments: BTreeMap<u64, Fragment>,
    /// Start of segments in us, with their discontinuity number.
    pub(super) starts: BTreeMap<u64, (u64, u64)>,
    /// The first start and offset of a discontinuity number, to compare durations with.
    pub(super) base: Option<(u64, u64, u64)>,
}

/// Where a segment starts in the playlist.
#[derive(Clone, Copy)]
pub(super) struct Offset {
    pub(super) us: u64,
    pub(super) duration_us: u64,
    pub(super) discontinuity: u64,
}

/// What segments cost.
#[derive(Default)]
pub(super) struct Rates {
    pub(super) peak_bps: u64,
    pub(super) peak_msn: u64,
    pub(super) bytes: u64,
    pub(super) us: u64,
    pub(super) segments: u64,
}

/// Fragments and offsets are kept for this many segments.
const KEPT_SEGMENTS: usize = 64;
/// Positions whose time is kept.
const KEPT_POSITIONS: usize = 64;
/// Offsets are kept longer: drifts are slow.
const KEPT_OFFSETS: usize = 2_048;

impl Rendition {
    pub(super) fn new(url: String, role: Role) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default().to_string();
        Self {
            url,
            name,
            role,
            list: None,
            failures: 0,
            updates: 0,
            questions: 0,
            was_live: false,
            sampled: false,
            pace: Pace::default(),
            hints: Hints::default(),
            twins: Vec::new(),
            inits: BTreeMap::new(),
            asked_inits: BTreeSet::new(),
            track: Track::default(),
            offsets: BTreeMap::new(),
            rates: Rates::default(),
        }
    }

    /// Whether it is followed part by part.
    pub(super) fn blocks(&self) -> bool {
        let list = self.list.as_ref();
        list.is_some_and(|list| list.ended.is_none() && list.control.as_ref().is_some_and(|control| control.can_block))
    }

    pub(super) fn has_parts(&self) -> bool {
        self.list.as_ref().is_some_and(Media::has_parts)
    }

    pub(super) fn ended(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.ended.is_some())
    }

    pub(super) fn target_us(&self) -> u64 {
        self.list.as_ref().and_then(|list| list.target_us).unwrap_or(DEFAULT_TARGET_US).max(1)
    }

    pub(super) fn part_target_us(&self) -> Option<u64> {
        self.list.as_ref().and_then(|list| list.part_target).map(|(target, _)| target)
    }

    pub(super) fn segment(&self, msn: u64) -> Option<&Segment> {
        let list = self.list.as_ref()?;
        let first = list.all().next()?.msn;
        list.all().nth(usize::try_from(msn.checked_sub(first)?).ok()?)
    }

    pub(super) fn absolute(&self, uri: &str) -> String {
        resolve(&self.url, uri)
    }

    /// Forgets what is too old to be compared with anything.
    pub(super) fn forget(&mut self) {
        while self.track.segments.len() > KEPT_SEGMENTS {
            self.track.segments.pop_first();
        }
        while self.track.starts.len() > KEPT_SEGMENTS {
            self.track.starts.pop_first();
        }
        while self.track.parts.len() > KEPT_SEGMENTS * 8 {
            self.track.parts.pop_first();
        }
        while self.offsets.len() > KEPT_OFFSETS {
            self.offsets.pop_first();
        }
        while self.pace.came.len() > KEPT_POSITIONS {
            self.pace.came.pop_first();
        }
    }
}

/// Where a playlist does not say it.
const DEFAULT_TARGET_US: u64 = 6_000_000;
