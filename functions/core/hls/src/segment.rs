use alloc::collections::BTreeMap;

use tidegate_stream::{ConfigHash, Msn, Part, RenditionId, Segment, Timeline};

use crate::{
    calendar::Calendar,
    clock::{Ruler, Share, Tracks, bounded_lag_us},
    line::Text,
};

/// How many bytes init segments have, as far as that is known.
pub type InitSizes = BTreeMap<ConfigHash, usize>;

/// Writes the segments of one rendition, one after the other.
pub(crate) struct Writer<'a> {
    pub(crate) text: Text,
    timeline: &'a Timeline,
    rendition: usize,
    id: &'a str,
    tracks: Tracks<'a>,
    map: Option<ConfigHash>,
    init_sizes: Option<&'a InitSizes>,
    calendar: Calendar,
    ruler: Ruler,
    /// That of the first rendition, whose dates the others follow.
    first_ruler: Ruler,
    tail: Tail,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(timeline: &'a Timeline, rendition: usize, capacity: usize) -> Self {
        let id = timeline.session().renditions.get(rendition).map_or("", |rendition| rendition.id.as_str());
        let text = Text::with_capacity(capacity);
        Self {
            text,
            timeline,
            rendition,
            id,
            tracks: Tracks::NONE,
            map: None,
            init_sizes: None,
            calendar: Calendar::new(),
            ruler: Ruler::default(),
            first_ruler: Ruler::default(),
            tail: Tail::new(),
        }
    }

    /// Init segments are listed with their size where it is known: by byte range, as the segments of the playlist are.
    pub(crate) fn with_init_sizes(self, sizes: &'a InitSizes) -> Self {
        Self { init_sizes: Some(sizes), ..self }
    }

    /// The number of discontinuities before the first segment of a playlist.
    pub(crate) fn discontinuity_sequence(&self, first: &Segment) -> u64 {
        u64::from(first.period) - u64::from(self.is_discontinuity(first))
    }

    fn is_discontinuity(&self, segment: &Segment) -> bool {
        segment.period > 0 && self.timeline.period(segment.period).is_some_and(|period| period.first_msn == segment.msn)
    }

    fn turn_to(&mut self, segment: &Segment) {
        if self.tracks.turn_to(self.timeline, segment) {
            (self.ruler, self.first_ruler) = (Ruler::of(self.tracks.track(self.rendition)), Ruler::of(self.tracks.track(0)));
        }
    }

    /// A segment that a delta leaves out: what it says about the ones after it holds without being written.
    pub(crate) fn pass(&mut self, segment: &Segment) {
        self.turn_to(segment);
        if let Some(track) = self.tracks.track(self.rendition) {
            self.map = Some(track.init);
        }
    }

    /// The tags before a complete segment.
    pub(crate) fn begin(&mut self, segment: &Segment) {
        self.turn_to(segment);
        let lag_us = if self.rendition == 0 { 0 } else { self.lag_us(segment) };
        self.before(segment, lag_us);
    }

    /// The tags before a segment of which only parts are listed; `shares` are those of its first part.
    pub(crate) fn begin_open(&mut self, segment: &Segment, shares: impl Iterator<Item = Share> + Clone) {
        self.turn_to(segment);
        let lag_us = if self.rendition == 0 { 0 } else { self.tracks.lag_us(self.rendition, shares) };
        self.before(segment, lag_us);
    }

    /// As [`Tracks::lag_us`]; each end is worked out once where both renditions go on without a hole.
    fn lag_us(&mut self, segment: &Segment) -> i64 {
        let shares = (self.ruler.fits(segment.tracks.get(self.rendition)), self.first_ruler.fits(segment.tracks.first()));
        let (Some(own), Some(first)) = shares else {
            return self.tracks.lag_us(self.rendition, segment.tracks.iter().map(Share::from));
        };
        let starts = (self.ruler.start(own), self.first_ruler.start(first));
        self.first_ruler.length(first);
        match (i64::try_from(starts.0), i64::try_from(starts.1)) {
            (Ok(own), Ok(first)) => bounded_lag_us(own, first),
            _ => 0,
        }
    }

    fn before(&mut self, segment: &Segment, lag_us: i64) {
        let discontinuity = self.is_discontinuity(segment);
        if discontinuity {
            self.text.str("#EXT-X-DISCONTINUITY\n");
        }
        if let Some(init) = self.tracks.track(self.rendition).map(|track| track.init)
            && (discontinuity || self.map != Some(init))
        {
            self.map = Some(init);
            self.text.str("#EXT-X-MAP:URI=\"init/").str(self.id).str("/");
            for byte in init.0 {
                self.text.str(hex(byte >> 4)).str(hex(byte & 15));
            }
            self.text.str(".mp4\"");
            if let Some(size) = self.init_sizes.and_then(|sizes| sizes.get(&init)) {
                self.text.str(",BYTERANGE=\"").number(*size as u64).str("@0\"");
            }
            self.text.str("\n");
        }
        self.calendar.write(&mut self.text, segment.utc_us.saturating_add(lag_us));
    }

    /// EXT-X-PART.
    pub(crate) fn part(&mut self, segment: &Segment, index: usize, part: &Part) {
        let units = self.part_units(segment, part);
        self.text.str("#EXT-X-PART:DURATION=").seconds(units).str(",URI=\"").str(self.id).str("/");
        self.text.number(segment.msn.0).str(".").number(index as u64).str(".m4s\"");
        let track = part.tracks.get(self.rendition);
        if track.is_none_or(|track| track.len == 0) {
            self.text.str(",GAP=YES\n");
        } else if track.is_some_and(|track| track.independent) {
            self.text.str(",INDEPENDENT=YES\n");
        } else {
            self.text.str("\n");
        }
    }

    /// EXT-X-GAP where this rendition has no bytes in a complete segment, and EXTINF.
    pub(crate) fn extinf(&mut self, segment: &Segment) {
        let units = self.segment_units(segment);
        self.gap(segment);
        self.text.str("#EXTINF:").seconds(units).str(",\n");
    }

    /// The same, and the address of the segment.
    pub(crate) fn end(&mut self, segment: &Segment) {
        let units = self.segment_units(segment);
        self.gap(segment);
        self.tail.write(&mut self.text, self.id, segment.msn, units);
    }

    fn gap(&mut self, segment: &Segment) {
        if segment.tracks.get(self.rendition).is_none_or(|track| track.len == 0) {
            self.text.str("#EXT-X-GAP\n");
        }
    }

    pub(crate) fn segment_units(&mut self, segment: &Segment) -> u64 {
        self.turn_to(segment);
        match self.ruler.fits(segment.tracks.get(self.rendition)) {
            Some(own) => self.ruler.length(own),
            None => self.tracks.length(self.rendition, segment.tracks.iter().map(Share::from)),
        }
    }

    pub(crate) fn part_units(&mut self, segment: &Segment, part: &Part) -> u64 {
        self.turn_to(segment);
        // Sound that came too late for its part is in the next one, and all of them together are the segment.
        let is_empty = part.tracks.get(self.rendition).is_some_and(|own| own.duration == 0);
        if is_empty && segment.tracks.get(self.rendition).is_some_and(|own| own.duration > 0) && self.tracks.track(self.rendition).is_some()
        {
            return 0;
        }
        self.tracks.length(self.rendition, part.tracks.iter().map(Share::from))
    }

    /// EXT-X-RENDITION-REPORT and the like name the others.
    pub(crate) fn others(&self) -> impl Iterator<Item = &'a RenditionId> + use<'a> {
        let own = self.rendition;
        self.timeline.session().renditions.iter().enumerate().filter(move |(index, _)| *index != own).map(|(_, rendition)| &rendition.id)
    }

    pub(crate) fn rendition(&self) -> usize {
        self.rendition
    }

    /// The address of a segment.
    pub(crate) fn uri(&mut self, segment: &Segment) {
        self.text.str(self.id).str("/").number(segment.msn.0).ascii(SUFFIX);
    }

    pub(crate) fn id(&self) -> &'a str {
        self.id
    }
}

/// The last lines of a complete segment. Most are as long as the one before and numbered one higher, so only digits change.
struct Tail {
    /// What the lines are ready for.
    next: Option<(Msn, u64)>,
    /// EXTINF and the address; ASCII. Room of a fixed size is copied without a call.
    lines: [u8; ROOM],
    len: usize,
}

const SUFFIX: &[u8; 5] = b".m4s\n";
/// Longer lines, of which a rendition with a long name has some, are written digit by digit.
const ROOM: usize = 64;

impl Tail {
    fn new() -> Self {
        Self { next: None, lines: [0; ROOM], len: 0 }
    }

    fn write(&mut self, text: &mut Text, id: &str, msn: Msn, units: u64) {
        if self.next != Some((msn, units)) {
            let before = text.len();
            text.str("#EXTINF:").seconds(units).str(",\n").str(id).str("/").number(msn.0).ascii(SUFFIX);
            let written = text.since(before);
            self.len = written.len();
            let Some(room) = self.lines.get_mut(..self.len) else {
                self.next = None;
                return;
            };
            room.copy_from_slice(written);
        } else {
            text.start_of(&self.lines, self.len);
        }
        // At once, so that the processor is done with it when the lines are copied again.
        self.next = self.count_up().then(|| (msn.next(), units));
    }

    /// Adds one to the number in the address; `false` where it has too few digits for it.
    fn count_up(&mut self) -> bool {
        let digits = self.lines.iter_mut().rev().skip(ROOM - self.len + SUFFIX.len());
        for digit in digits {
            match digit {
                b'9' => *digit = b'0',
                b'0'..=b'8' => {
                    *digit += 1;
                    return true;
                }
                _ => return false,
            }
        }
        false
    }
}

fn hex(digit: u8) -> &'static str {
    "0123456789abcdef".get(usize::from(digit)..=usize::from(digit)).unwrap_or_default()
}
