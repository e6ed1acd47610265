//! A media playlist as the engine uses it: numbered segments, their parts, and where each lies in time.

use alloc::{collections::VecDeque, rc::Rc, string::String, vec::Vec};

/// A media playlist with all that delta updates left out.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Playlist {
    pub(crate) target_s: f64,
    pub(crate) part_target_s: Option<f64>,
    pub(crate) hold_back_s: Option<f64>,
    pub(crate) part_hold_back_s: Option<f64>,
    pub(crate) can_block: bool,
    pub(crate) can_skip_until_s: Option<f64>,
    /// EXT-X-START, from the end where negative.
    pub(crate) start: Option<Start>,
    pub(crate) ended: bool,
    /// Segments are only added.
    pub(crate) grows: bool,
    /// Encrypted in a way that is not known here.
    pub(crate) protected: bool,
    pub(crate) first_msn: u64,
    /// The last one may be open: without a URI, with the parts that exist.
    pub(crate) segments: VecDeque<Segment>,
    /// The part that comes next.
    pub(crate) hint: Option<Resource>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Segment {
    /// Discontinuity sequence number.
    pub(crate) period: u64,
    /// Of an open segment: of its parts.
    pub(crate) duration_s: f64,
    pub(crate) utc_ms: Option<f64>,
    /// `None` while the segment is open.
    pub(crate) resource: Option<Resource>,
    pub(crate) map: Option<Rc<Resource>>,
    pub(crate) key: Option<Rc<Key>>,
    pub(crate) gap: bool,
    pub(crate) parts: Vec<Part>,
}

/// Where playback is to begin.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Start {
    /// From the start of the list, from its end where negative.
    pub(crate) offset_s: f64,
    /// There and nowhere before; else at the start of the segment.
    pub(crate) precise: bool,
}

/// What AES-128 needs; the address is relative to the playlist's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    pub(crate) uri: String,
    /// As the playlist gives it; else the media sequence number is taken.
    pub(crate) iv: Option<u128>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Part {
    pub(crate) duration_s: f64,
    pub(crate) resource: Resource,
    pub(crate) independent: bool,
    pub(crate) gap: bool,
}

/// Bytes at an address relative to the playlist's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Resource {
    pub(crate) uri: String,
    /// First and last byte.
    pub(crate) range: Option<(u64, u64)>,
}

/// A place in a playlist: the start of a part; part 0 is the start of its segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) msn: u64,
    pub(crate) part: usize,
}

impl Place {
    pub(crate) fn segment(msn: u64) -> Self {
        Self { msn, part: 0 }
    }

    pub(crate) fn next_part(self) -> Self {
        Self { part: self.part + 1, ..self }
    }

    pub(crate) fn next_segment(self) -> Self {
        Self::segment(self.msn.saturating_add(1))
    }
}

impl Segment {
    pub(crate) fn is_open(&self) -> bool {
        self.resource.is_none()
    }

    /// There is no address for all of it, as in DASH whose segments are sequences of parts: that of its first part stands there.
    pub(crate) fn is_parts_alone(&self) -> bool {
        self.parts.len() > 1 && self.parts.first().map(|part| &part.resource) == self.resource.as_ref()
    }
}

impl Playlist {
    pub(crate) fn segment(&self, msn: u64) -> Option<&Segment> {
        self.segments.get(usize::try_from(msn.checked_sub(self.first_msn)?).ok()?)
    }

    /// Segments with their numbers, oldest first.
    pub(crate) fn numbered(&self) -> impl DoubleEndedIterator<Item = (u64, &Segment)> + ExactSizeIterator {
        let first = self.first_msn;
        self.segments.iter().enumerate().map(move |(at, segment)| (first.saturating_add(at as u64), segment))
    }

    /// The place of what comes after all that is listed.
    pub(crate) fn next_place(&self) -> Place {
        let after = self.first_msn.saturating_add(self.segments.len() as u64);
        match self.segments.back() {
            Some(open) if open.is_open() => Place { msn: after.saturating_sub(1), part: open.parts.len() },
            _ => Place::segment(after),
        }
    }

    /// The newest that is listed is not there: an encoder that was given up goes on like this to the end.
    pub(crate) fn ends_in_gap(&self) -> bool {
        self.segments.back().is_some_and(|last| last.gap || last.parts.last().is_some_and(|part| part.gap))
    }

    /// Time from the start of segment `from` to the start of segment `to`, in s; a segment may be the one to come.
    pub(crate) fn distance_s(&self, from: u64, to: u64) -> Option<f64> {
        let at = |msn: u64| {
            let at = usize::try_from(msn.checked_sub(self.first_msn)?).ok()?;
            (at <= self.segments.len()).then_some(at)
        };
        let (start, end) = (at(from.min(to))?, at(from.max(to))?);
        let sum: f64 = self.segments.range(start..end).map(|segment| segment.duration_s).sum();
        Some(if to >= from { sum } else { -sum })
    }

    /// The last place at which a decoder can start, `back_s` or more before the end of the list, else the oldest.
    pub(crate) fn start_before_end(&self, back_s: f64) -> Option<Place> {
        let mut to_end_s = 0.0;
        let mut oldest = None;
        for (msn, segment) in self.numbered().rev() {
            to_end_s += segment.duration_s;
            let starts = if segment.gap { Vec::new() } else { independent_starts(segment) };
            for (part, start_s) in starts.into_iter().rev() {
                oldest = Some(Place { msn, part });
                if to_end_s - start_s >= back_s - 1e-6 {
                    return oldest;
                }
            }
        }
        oldest
    }

    /// The segment in which a wished start lies and how far into it, bounded by what is listed.
    pub(crate) fn place_of(&self, start: Start) -> Option<(Place, f64)> {
        let length_s: f64 = self.segments.iter().map(|segment| segment.duration_s).sum();
        let wished_s = if start.offset_s < 0.0 { length_s + start.offset_s } else { start.offset_s };
        let mut from_s = 0.0;
        let mut found = None;
        for (msn, segment) in self.numbered() {
            let begins = segment.parts.first().is_none_or(|part| part.independent || !segment.is_open());
            if begins && !segment.gap && (found.is_none() || from_s <= wished_s + 1e-3) {
                let into_s = if start.precise { (wished_s - from_s).clamp(0.0, segment.duration_s) } else { 0.0 };
                found = Some((Place::segment(msn), into_s));
            }
            from_s += segment.duration_s;
        }
        found
    }

    /// The number that segment `msn` of `other` has here. Playlists of one presentation need not count alike, but they
    /// show one clock: the newest two segments that begin at one moment are one.
    pub(crate) fn aligned_msn(&self, other: &Self, msn: u64) -> u64 {
        let mut theirs = other.newest_first().peekable();
        let mut later = None;
        for (here, utc) in self.newest_first() {
            // One list may reach further than the other, at either end.
            while let Some(next) = theirs.next_if(|(_, theirs)| *theirs >= utc) {
                later = Some(next);
            }
            let nearest = later.into_iter().chain(theirs.peek().copied()).map(|(there, theirs)| (there, (theirs - utc).abs()));
            if let Some((there, _)) =
                nearest.min_by(|(_, a), (_, b)| a.total_cmp(b)).filter(|(_, apart_ms)| *apart_ms < self.target_s * 500.0)
            {
                return msn.saturating_add(here).saturating_sub(there);
            }
        }
        msn
    }

    /// The segments with a date: number and date.
    fn newest_first(&self) -> impl Iterator<Item = (u64, f64)> {
        self.numbered().rev().filter_map(|(at, segment)| Some((at, segment.utc_ms?)))
    }

    /// The place here of a place in `other`.
    pub(crate) fn aligned_place(&self, other: &Self, place: Place) -> Place {
        Place { msn: self.aligned_msn(other, place.msn), ..place }
    }
}

/// Parts of a segment at which a decoder can start, with the time since the segment's start. Every segment starts so.
fn independent_starts(segment: &Segment) -> Vec<(usize, f64)> {
    let mut start_s = 0.0;
    let mut starts = Vec::new();
    if !segment.is_open() {
        starts.push((0, 0.0));
    }
    for (index, part) in segment.parts.iter().enumerate() {
        if part.independent && !part.gap && (index > 0 || segment.is_open()) {
            starts.push((index, start_s));
        }
        start_s += part.duration_s;
    }
    starts
}
