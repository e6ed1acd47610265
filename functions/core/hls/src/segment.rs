use alloc::string::String;

use tidegate_stream::{ConfigHash, Part, RenditionId, Segment, Timeline};

use crate::{
    clock::{Calendar, Share, Tracks},
    line::Text,
};

/// Writes the segments of one rendition, one after the other.
pub(crate) struct Writer<'a> {
    pub(crate) text: Text,
    timeline: &'a Timeline,
    rendition: usize,
    id: &'a str,
    /// The name of the rendition with a slash.
    folder: String,
    tracks: Tracks<'a>,
    map: Option<ConfigHash>,
    calendar: Calendar,
    /// The last EXTINF line, and its length in units of 10 us.
    extinf: (u64, String),
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
            folder: [id, "/"].concat(),
            tracks: Tracks::NONE,
            map: None,
            calendar: Calendar::new(),
            extinf: (u64::MAX, String::new()),
        }
    }

    /// The number of discontinuities before the first segment of a playlist.
    pub(crate) fn discontinuity_sequence(&self, first: &Segment) -> u64 {
        u64::from(first.period) - u64::from(self.is_discontinuity(first))
    }

    fn is_discontinuity(&self, segment: &Segment) -> bool {
        segment.period > 0 && self.timeline.period(segment.period).is_some_and(|period| period.first_msn == segment.msn)
    }

    /// A segment that a delta leaves out: what it says about the ones after it holds without being written.
    pub(crate) fn pass(&mut self, segment: &Segment) {
        self.tracks.turn_to(self.timeline, segment);
        if let Some(track) = self.tracks.track(self.rendition) {
            self.map = Some(track.init);
        }
    }

    /// The tags before a segment and before its first part. `shares` are those of the segment or, while it is open, of its first part.
    pub(crate) fn begin(&mut self, segment: &Segment, shares: impl Iterator<Item = Share> + Clone) {
        self.tracks.turn_to(self.timeline, segment);
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
            self.text.str(".mp4\"\n");
        }
        let lag_us = if self.rendition == 0 { 0 } else { self.tracks.lag_us(self.rendition, shares) };
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

    /// EXTINF of a complete segment, and EXT-X-GAP where this rendition has no bytes in it.
    pub(crate) fn extinf(&mut self, segment: &Segment) {
        let units = self.segment_units(segment);
        if segment.tracks.get(self.rendition).is_none_or(|track| track.len == 0) {
            self.text.str("#EXT-X-GAP\n");
        }
        // Most segments are as long as the one before.
        if self.extinf.0 != units {
            let mut line = Text::with_capacity(32);
            line.str("#EXTINF:").seconds(units).str(",\n");
            self.extinf = (units, line.finish());
        }
        self.text.str(&self.extinf.1);
    }

    /// The address of a segment.
    pub(crate) fn uri(&mut self, segment: &Segment) {
        self.text.str(&self.folder).number(segment.msn.0).ascii(b".m4s\n");
    }

    pub(crate) fn segment_units(&mut self, segment: &Segment) -> u64 {
        self.tracks.turn_to(self.timeline, segment);
        self.tracks.length(self.rendition, segment.tracks.iter().map(Share::from))
    }

    pub(crate) fn part_units(&mut self, segment: &Segment, part: &Part) -> u64 {
        self.tracks.turn_to(self.timeline, segment);
        self.tracks.length(self.rendition, part.tracks.iter().map(Share::from))
    }

    /// EXT-X-RENDITION-REPORT and the like name the others.
    pub(crate) fn others(&self) -> impl Iterator<Item = &'a RenditionId> + use<'a> {
        let own = self.rendition;
        self.timeline.session().renditions.iter().enumerate().filter(move |(index, _)| *index != own).map(|(_, rendition)| &rendition.id)
    }

    pub(crate) fn id(&self) -> &'a str {
        self.id
    }
}

fn hex(digit: u8) -> &'static str {
    "0123456789abcdef".get(usize::from(digit)..=usize::from(digit)).unwrap_or_default()
}
