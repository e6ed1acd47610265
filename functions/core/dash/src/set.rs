use alloc::{format, vec::Vec};

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
        let template = self.template(lead, track, parts);
        for rendition in self.renditions {
            self.representation(xml, *rendition, &template);
        }
        xml.end();
    }

    fn track(&self, rendition: usize) -> Option<&Track> {
        self.listed.period.tracks.get(rendition)?.as_ref()
    }

    fn template(&self, rendition: usize, track: &Track, parts: usize) -> Template {
        let available_before = self.by_parts.then(|| {
            // A part can be had when it is complete, which is that much before its segment.
            let longest = u64::from(self.timeline.session().part_target_us());
            let usual = self.listed.segments.iter().rev().nth(1).map_or(0, |segment| self.share(segment, rendition, track).1);
            track.micros(usual).saturating_sub(longest)
        });
        let mut runs: Vec<(Entry, u64)> = Vec::new();
        let mut expected = None;
        for segment in &self.listed.segments {
            let entry = self.entry(segment, rendition, track, parts);
            match runs.last_mut() {
                Some((first, repeats))
                    if Some(entry.start) == expected && (first.duration, first.parts) == (entry.duration, entry.parts) =>
                {
                    *repeats += 1;
                }
                _ => runs.push((entry, 0)),
            }
            expected = Some(entry.start.saturating_add(entry.duration));
        }
        Template {
            timescale: track.timescale,
            first: self.listed.segments.first().map_or(0, |segment| segment.msn.0),
            offset: ticks(self.listed.offset_us, track),
            available_before,
            runs,
        }
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

    fn representation(&self, xml: &mut Xml, rendition: usize, of_lead: &Template) {
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
        // The whole template, though all but the address of the init segment could stand in the set: VLC 3 inherits nothing of it.
        let init = Path::init_uri(&own.id, track.init);
        if track.timescale == of_lead.timescale {
            of_lead.write(xml, &init);
        } else {
            self.template(rendition, track, self.usual_parts()).write(xml, &init);
        }
        xml.end();
    }
}

/// A `SegmentTemplate`, for all renditions of a set that count time alike.
struct Template {
    timescale: u32,
    /// Number of the first segment.
    first: u64,
    /// Ticks at the start of the period.
    offset: u64,
    /// Where segments are sequences of parts: how many us before its segment a part can be had.
    available_before: Option<u64>,
    /// Entries of the timeline, and how often each is repeated.
    runs: Vec<(Entry, u64)>,
}

impl Template {
    fn write(&self, xml: &mut Xml, init: &str) {
        let media = match self.available_before {
            Some(_) => "$RepresentationID$/$Number$.$SubNumber$.m4s",
            None => "$RepresentationID$/$Number$.m4s",
        };
        xml.start("SegmentTemplate").attribute("timescale", self.timescale).attribute("initialization", init);
        xml.attribute("media", media).attribute("startNumber", self.first).attribute("presentationTimeOffset", self.offset);
        if let Some(before) = self.available_before {
            xml.attribute("availabilityTimeOffset", Seconds(before)).attribute("availabilityTimeComplete", "false");
        }
        xml.start("SegmentTimeline");
        for (entry, repeats) in &self.runs {
            xml.start("S").attribute("t", entry.start).attribute("d", entry.duration);
            if *repeats > 0 {
                xml.attribute("r", repeats);
            }
            if entry.parts > 0 {
                xml.attribute("k", entry.parts);
            }
            xml.end();
        }
        xml.end().end();
    }
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
