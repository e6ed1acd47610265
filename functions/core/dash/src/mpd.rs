use alloc::{string::String, vec::Vec};

use tidegate_stream::{AsOf, MpdKind, Msn, Period, RenditionKind, Segment, Timeline};

use crate::{
    events::event_streams,
    set::{Set, start_us},
    xml::{Date, Duration, Xml},
};

/// What the timeline does not know about its MPD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options<'a> {
    /// Whole segments, or the newest by their parts. A recording is whole segments whatever is asked for.
    pub kind: MpdKind,
    /// What stands before every address: empty in the folder of the session, `<session>/` in that of the stream.
    pub prefix: &'a str,
    /// Where the wall clock is to be had.
    pub time_uri: &'a str,
    /// This stretch alone, by whole segments.
    pub clip: Option<Clip>,
}

/// A stretch of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clip {
    /// Its first segment.
    pub first: Msn,
    /// Its last segment, once nothing more will be added to it.
    pub last: Option<Msn>,
}

impl Clip {
    fn shows(&self, msn: Msn) -> bool {
        msn >= self.first && self.last.is_none_or(|last| msn <= last)
    }
}

/// How far from the live edge to play, in target durations (as HOLD-BACK) …
const DELAY_TARGETS: u64 = 3;
/// … and in part targets (as PART-HOLD-BACK).
const DELAY_PARTS: u64 = 3;
/// Parts of the delay beyond that at most and at least, in percent, before a player has to do something about it.
const DELAY_PERCENT: (u64, u64) = (60, 250);
/// How fast and slow a player may play to get there, in percent: what people do not hear.
const RATES: (&str, &str) = ("0.96", "1.04");

/// A period as far as it is listed.
pub(crate) struct Listed<'a> {
    pub(crate) period: &'a Period,
    pub(crate) segments: Vec<&'a Segment>,
    /// Where it starts in the presentation, in us.
    pub(crate) start_us: u64,
    /// The media time that this is, in us.
    pub(crate) offset_us: u64,
}

/// Renders the MPD of a session as far as it is known.
#[must_use]
pub fn mpd(timeline: &Timeline, options: &Options<'_>) -> String {
    let session = timeline.session();
    let ended = timeline.ended() || options.clip.is_some_and(|clip| clip.last.is_some());
    let by_parts = options.kind == MpdKind::LowLatency && !ended && options.clip.is_none();
    let target_us = u64::from(session.target_duration_s) * 1_000_000;
    let part_us = u64::from(session.part_target_us());
    let periods = listed(timeline, options.clip, by_parts, ended);
    let depth_us: u64 = periods.iter().map(|listed| length_us(timeline, listed)).sum();
    let mut xml = Xml::new();
    xml.start("MPD").attribute("xmlns", "urn:mpeg:dash:schema:mpd:2011");
    let profiles = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";
    xml.attribute("profiles", profiles)
        .attribute("minBufferTime", Duration(target_us))
        .attribute("maxSegmentDuration", Duration(target_us));
    let delay_us = if by_parts { DELAY_PARTS * part_us } else { DELAY_TARGETS * target_us };
    if ended {
        xml.attribute("type", "static").attribute("mediaPresentationDuration", Duration(depth_us));
    } else {
        let newest = timeline.segments().back().and_then(|segment| segment.parts.last());
        let published_us = newest.map_or(0, |part| part.utc_us.saturating_add_unsigned(part_us));
        xml.attribute("type", "dynamic").attribute("availabilityStartTime", Date(timeline.start_utc_us().unwrap_or(0)));
        xml.attribute("publishTime", Date(published_us)).attribute("minimumUpdatePeriod", Duration(target_us));
        xml.attribute("timeShiftBufferDepth", Duration(depth_us)).attribute("suggestedPresentationDelay", Duration(delay_us));
    }
    if !options.prefix.is_empty() {
        xml.start("BaseURL").text(options.prefix).end();
    }
    if !ended {
        xml.start("ServiceDescription").attribute("id", 0);
        let ms = |us: u64| us / 1000;
        let (least, most) = (delay_us * DELAY_PERCENT.0 / 100, delay_us * DELAY_PERCENT.1 / 100);
        xml.start("Latency").attribute("referenceId", 0).attribute("target", ms(delay_us));
        xml.attribute("min", ms(least)).attribute("max", ms(most)).end();
        xml.start("PlaybackRate").attribute("min", RATES.0).attribute("max", RATES.1).end().end();
    }
    for listed in &periods {
        period(&mut xml, timeline, listed, (by_parts, ended), &periods);
    }
    if !ended {
        // The clock of the edge, which is what the dates of the worker are compared with.
        xml.start("UTCTiming").attribute("schemeIdUri", "urn:mpeg:dash:utc:http-iso:2014").attribute("value", options.time_uri).end();
    }
    xml.finish()
}

fn period(xml: &mut Xml, timeline: &Timeline, listed: &Listed<'_>, (by_parts, ended): (bool, bool), all: &[Listed<'_>]) {
    xml.start("Period").attribute("id", listed.period.index).attribute("start", Duration(listed.start_us));
    event_streams(xml, timeline, listed, all);
    let renditions = || timeline.session().renditions.iter().enumerate();
    let of = |kind| renditions().filter(move |(_, rendition)| rendition.kind == kind).map(|(index, _)| index);
    let has_track = |index: &usize| listed.period.tracks.get(*index).is_some_and(Option::is_some);
    let video: Vec<usize> = of(RenditionKind::Video).filter(has_track).collect();
    let audio = of(RenditionKind::Audio).filter(has_track).map(|index| Vec::from([index]));
    let sets = (!video.is_empty()).then_some(video).into_iter().chain(audio);
    for (id, renditions) in sets.enumerate() {
        Set { timeline, listed, id, renditions: &renditions, by_parts, ended }.write(xml);
    }
    xml.end();
}

/// The segments of the window by their periods.
fn listed(timeline: &Timeline, clip: Option<Clip>, by_parts: bool, ended: bool) -> Vec<Listed<'_>> {
    let newest = timeline.last().map(|last| last.msn).unwrap_or_default();
    let is_there = |segment: &Segment| if by_parts { !segment.parts.is_empty() } else { timeline.is_closed(segment.msn) };
    let shown = timeline.window(newest).filter(|segment| is_there(segment) && clip.is_none_or(|clip| clip.shows(segment.msn)));
    let mut periods: Vec<Listed<'_>> = Vec::new();
    for segment in shown {
        match periods.last_mut().filter(|listed| listed.period.index == segment.period) {
            Some(listed) => listed.segments.push(segment),
            None => {
                let Some(period) = timeline.period(segment.period) else { continue };
                let wall_us = period.utc_us.saturating_sub(timeline.start_utc_us().unwrap_or(0));
                // While a session lives, its periods stand where the wall clock had them; a recording has no holes.
                let (start_us, offset_us) = if ended {
                    let first = periods.first().map_or_else(|| start_us(timeline, segment), |first| first.offset_us);
                    let offset_us = if periods.is_empty() { first } else { period.start_us };
                    (offset_us.saturating_sub(first), offset_us)
                } else {
                    (u64::try_from(wall_us).unwrap_or(0), period.start_us)
                };
                periods.push(Listed { period, segments: Vec::from([segment]), start_us, offset_us });
            }
        }
    }
    periods
}

/// How long the listed part of a period is.
fn length_us(timeline: &Timeline, listed: &Listed<'_>) -> u64 {
    let first = listed.segments.first().map_or(0, |segment| start_us(timeline, segment));
    let last = listed.segments.last().map_or(0, |segment| start_us(timeline, segment).saturating_add(duration_us(timeline, segment)));
    last.saturating_sub(first)
}

fn duration_us(timeline: &Timeline, segment: &Segment) -> u64 {
    let of = |(index, share): (usize, &tidegate_stream::SegmentTrack)| {
        let track = timeline.track(segment, index).filter(|_| share.duration > 0)?;
        Some(track.micros(share.duration))
    };
    segment.tracks.iter().enumerate().find_map(of).unwrap_or(0)
}

/// The events that are listed.
pub(crate) const LISTED: AsOf = AsOf::End;
