use alloc::format;

use tidegate_stream::{FrameRate, Part, Path, Segment, SegmentTrack, Timeline, Track, TrackKind};

use crate::{
    mpd::Listed,
    xml::{Date, Seconds, Xml},
};

/// One adaptation set: the video renditions together, each audio rendition by itself.
pub(crate) struct Set<'a> {
    pub(crate) timeline: &'a Timeline,
    pub(crate) listed: &'a Listed<'a>,
    pub(crate) id: usize,
    pub(crate) renditions: &'a [usize],
    /// Segments are sequences of parts.
    pub(crate) by_parts: bool,
    /// Nothing more comes.
    pub(crate) ended: bool,
}

/// One `S` of a segment timeline.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    start: u64,
    duration: u64,
    parts: usize,
}

impl Set<'_> {
    pub(crate) fn write(&self, xml: &mut Xml) {
        let Some(lead) = self.renditions.first().copied() else { return };
        let Some(track) = self.track(lead) else { return };
        let is_video = matches!(track.kind, TrackKind::Video { .. });
        xml.start("AdaptationSet").attribute("id", self.id);
        xml.attribute("contentType", if is_video { "video" } else { "audio" });
        xml.attribute("mimeType", if is_video { "video/mp4" } else { "audio/mp4" });
        xml.attribute("segmentAlignment", "true").attribute("startWithSAP", 1);
        let parts = self.usual_parts();
        // The elements stand in the order of the schema.
        if let TrackKind::Audio { channels, .. } = track.kind {
            xml.start("AudioChannelConfiguration").attribute("schemeIdUri", "urn:mpeg:dash:23003:3:audio_channel_configuration:2011");
            xml.attribute("value", channels).end();
        }
        if self.by_parts {
            xml.start("EssentialProperty").attribute("schemeIdUri", "urn:mpeg:dash:ssr:2023").end();
            // Video can be joined at the first part of each segment, audio at any.
            xml.start("SegmentSequenceProperties").attribute("sapType", 1).attribute("cadence", if is_video { parts } else { 1 }).end();
        }
        if let Some(newest) = self.listed.segments.last().filter(|_| !self.ended) {
            xml.start("ProducerReferenceTime").attribute("id", 0).attribute("type", "encoder");
            xml.attribute("wallClockTime", Date(newest.utc_us)).attribute("presentationTime", self.share(newest, lead, track).0).end();
        }
        xml.start("Role").attribute("schemeIdUri", "urn:mpeg:dash:role:2011").attribute("value", "main").end();
        xml.start("SegmentTemplate");
        self.template(xml, lead, track, parts);
        xml.end();
        for rendition in self.renditions {
            self.representation(xml, *rendition, lead);
        }
        xml.end();
    }

    fn track(&self, rendition: usize) -> Option<&Track> {
        self.listed.period.tracks.get(rendition)?.as_ref()
    }

    /// The attributes and the timeline of a `SegmentTemplate`.
    fn template(&self, xml: &mut Xml, rendition: usize, track: &Track, parts: usize) {
        let first = self.listed.segments.first().map_or(0, |segment| segment.msn.0);
        let media = if self.by_parts { "$RepresentationID$/$Number$.$SubNumber$.m4s" } else { "$RepresentationID$/$Number$.m4s" };
        xml.attribute("timescale", track.timescale).attribute("media", media).attribute("startNumber", first);
        xml.attribute("presentationTimeOffset", ticks(self.listed.offset_us, track));
        if self.by_parts {
            // A part can be had when it is complete, which is that much before its segment.
            let longest = u64::from(self.timeline.session().part_target_us());
            let usual = self.listed.segments.iter().rev().nth(1).map_or(0, |segment| self.share(segment, rendition, track).1);
            xml.attribute("availabilityTimeOffset", Seconds(track.micros(usual).saturating_sub(longest)));
            xml.attribute("availabilityTimeComplete", "false");
        }
        xml.start("SegmentTimeline");
        let mut run: Option<(Entry, u64)> = None;
        let mut expected = None;
        for segment in &self.listed.segments {
            let entry = self.entry(segment, rendition, track, parts);
            match &mut run {
                Some((first, repeats))
                    if Some(entry.start) == expected && (first.duration, first.parts) == (entry.duration, entry.parts) =>
                {
                    *repeats += 1;
                }
                _ => {
                    if let Some((first, repeats)) = run.replace((entry, 0)) {
                        write_run(xml, first, repeats);
                    }
                }
            }
            expected = Some(entry.start.saturating_add(entry.duration));
        }
        if let Some((first, repeats)) = run {
            write_run(xml, first, repeats);
        }
        xml.end();
    }

    fn entry(&self, segment: &Segment, rendition: usize, track: &Track, usual_parts: usize) -> Entry {
        let (start, duration) = self.share(segment, rendition, track);
        if !self.by_parts {
            return Entry { start, duration, parts: 0 };
        }
        if self.timeline.is_closed(segment.msn) {
            return Entry { start, duration, parts: segment.parts.len() };
        }
        // The open segment is announced as long as those before it: its parts can then be asked for one after the other.
        let usual = self.listed.segments.iter().rev().nth(1).map_or(0, |before| self.share(before, rendition, track).1);
        let parts = segment.parts.len().max(usual_parts);
        Entry { start, duration: duration.max(usual), parts }
    }

    /// As many parts as the newest complete segment has.
    fn usual_parts(&self) -> usize {
        let closed = self.listed.segments.iter().rev().find(|segment| self.timeline.is_closed(segment.msn));
        closed.or_else(|| self.listed.segments.last()).map_or(1, |segment| segment.parts.len().max(1))
    }

    fn share(&self, segment: &Segment, rendition: usize, track: &Track) -> (u64, u64) {
        place(&self.listed.period.tracks, rendition, track, segment.tracks.iter().map(|share| (share.start, share.duration)))
    }

    fn representation(&self, xml: &mut Xml, rendition: usize, lead: usize) {
        let (Some(own), Some(track)) = (self.timeline.session().renditions.get(rendition), self.track(rendition)) else { return };
        xml.start("Representation").attribute("id", &own.id).attribute("bandwidth", track.bandwidth_bps);
        xml.attribute("codecs", &track.codec);
        match track.kind {
            TrackKind::Video { width, height, frame_rate } => {
                xml.attribute("width", width).attribute("height", height).attribute("sar", "1:1");
                match frame_rate {
                    Some(FrameRate { numerator, denominator: 1 }) => {
                        xml.attribute("frameRate", numerator);
                    }
                    Some(FrameRate { numerator, denominator }) => {
                        xml.attribute("frameRate", format!("{numerator}/{denominator}"));
                    }
                    None => {}
                }
            }
            TrackKind::Audio { sample_rate, .. } => {
                xml.attribute("audioSamplingRate", sample_rate);
            }
        }
        // The rest of the template is inherited, unless this rendition counts time otherwise.
        let same_clock = self.track(lead).is_some_and(|lead| lead.timescale == track.timescale);
        xml.start("SegmentTemplate").attribute("initialization", Path::init_uri(&own.id, track.init));
        if !same_clock {
            self.template(xml, rendition, track, self.usual_parts());
        }
        xml.end().end();
    }
}

fn write_run(xml: &mut Xml, entry: Entry, repeats: u64) {
    xml.start("S").attribute("t", entry.start).attribute("d", entry.duration);
    if repeats > 0 {
        xml.attribute("r", repeats);
    }
    if entry.parts > 0 {
        xml.attribute("k", entry.parts);
    }
    xml.end();
}

/// Start and duration of a rendition's share of a segment, in its ticks; those of another rendition where it has none.
#[must_use]
pub fn segment_place(timeline: &Timeline, segment: &Segment, rendition: usize) -> (u64, u64) {
    let shares = segment.tracks.iter().map(|share| (share.start, share.duration));
    place_in(timeline, segment, rendition, shares)
}

/// The same of a part of that segment.
#[must_use]
pub fn part_place(timeline: &Timeline, segment: &Segment, part: &Part, rendition: usize) -> (u64, u64) {
    let shares = part.tracks.iter().map(|share| (share.start, share.duration.into()));
    place_in(timeline, segment, rendition, shares)
}

fn place_in(timeline: &Timeline, segment: &Segment, rendition: usize, shares: impl Iterator<Item = (u64, u64)> + Clone) -> (u64, u64) {
    let (Some(period), Some(track)) = (timeline.period(segment.period), timeline.track(segment, rendition)) else { return (0, 0) };
    place(&period.tracks, rendition, track, shares)
}

fn place(tracks: &[Option<Track>], rendition: usize, track: &Track, mut shares: impl Iterator<Item = (u64, u64)> + Clone) -> (u64, u64) {
    if let Some(own) = shares.clone().nth(rendition).filter(|(_, duration)| *duration > 0) {
        return own;
    }
    let mut all = tracks.iter();
    let other = |(start, duration)| {
        let other = all.next()?.as_ref().filter(|_| duration > 0)?;
        Some((ticks(other.micros(start), track), ticks(other.micros(duration), track)))
    };
    shares.find_map(other).unwrap_or((0, 0))
}

/// us in ticks of a track, rounded to the nearest.
fn ticks(us: u64, track: &Track) -> u64 {
    let ticks = (u128::from(us) * u128::from(track.timescale) + 500_000) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// Media time at which a segment starts, in us.
pub(crate) fn start_us(timeline: &Timeline, segment: &Segment) -> u64 {
    let of = |(index, share): (usize, &SegmentTrack)| {
        let track = timeline.track(segment, index).filter(|_| share.duration > 0)?;
        Some(track.micros(share.start))
    };
    segment.tracks.iter().enumerate().find_map(of).unwrap_or(0)
}
