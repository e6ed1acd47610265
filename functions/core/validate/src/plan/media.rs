//! Init segments, parts and segments.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{
    ask::Ask,
    playlist::position,
    rendition::Role,
    validator::{Times, Validator, words},
};
use crate::{
    check::{self, Fragment, Init, micros, s},
    probe::{Answer, Failure},
    read::{Media, Segment},
    rules,
};

/// Durations are written with rounding; a media time is exact.
const TICK_US: u64 = 2_000;
/// Sounds have frames of this length at least, where no sample tells.
const FRAME_US: u64 = 10_000;
/// Segments that are looked at in a recording: from its start, its middle and its end.
const SAMPLED: usize = 12;
/// A part whose bytes take this share of its length to come is trickling.
const DRIBBLE_SHARE: u64 = 2;
/// Shorter than this says nothing.
const DRIBBLE_US: u64 = 150_000;
/// The newest segments of a live playlist without parts that are loaded at the first look.
const LIVE_SAMPLED: u64 = 3;

/// One init segment, part or segment with its bytes.
struct Body {
    bytes: Vec<u8>,
}

impl Validator {
    /// Asks for the media of what is new in a playlist.
    pub(super) fn load(&mut self, now_us: u64, rendition: usize, before: Option<&Media>, list: &Media) {
        let url = self.url(rendition);
        if list.i_frames_only {
            // I-frames are byte ranges of segments that are looked at elsewhere; one of them has to be there.
            if before.is_none()
                && let Some(segment) = list.segments.iter().find(|segment| !segment.gap)
            {
                self.load_segment(now_us, rendition, &url, segment);
            }
            return;
        }
        if list.ended.is_some() {
            let first = self.renditions.get_mut(rendition).is_some_and(|known| !core::mem::replace(&mut known.sampled, true));
            let was_live = self.renditions.get(rendition).is_some_and(|known| known.was_live);
            if first && !was_live {
                for segment in samples(&list.segments) {
                    self.load_segment(now_us, rendition, &url, segment);
                }
                return;
            }
        }
        let (known, parts) = before.map_or((0, 0), |before| (before.next_msn(), before.open.as_ref().map_or(0, |open| open.parts.len())));
        let newest = list.next_msn();
        for segment in list.all() {
            let is_new = before.is_some() && segment.msn >= known || before.is_none() && segment.msn + LIVE_SAMPLED >= newest;
            if !is_new || !self.wants(now_us, segment.msn) {
                continue;
            }
            self.load_init(now_us, rendition, &url, segment);
            let skip = if segment.msn == known { parts } else { 0 };
            for (index, part) in segment.parts.iter().enumerate().skip(skip).filter(|(_, part)| !part.gap) {
                let ask = Ask::Part { rendition, msn: segment.msn, index: index as u64 };
                self.ask_media(now_us, ask, tidegate_hls::uri::resolve(&url, &part.uri), part.range);
            }
            if !segment.uri.is_empty() {
                self.load_segment(now_us, rendition, &url, segment);
            }
        }
    }

    fn load_segment(&mut self, now_us: u64, rendition: usize, url: &str, segment: &Segment) {
        if segment.gap {
            return;
        }
        self.load_init(now_us, rendition, url, segment);
        let ask = Ask::Segment { rendition, msn: segment.msn };
        self.ask_media(now_us, ask, tidegate_hls::uri::resolve(url, &segment.uri), segment.range);
    }

    fn load_init(&mut self, now_us: u64, rendition: usize, url: &str, segment: &Segment) {
        let Some(map) = &segment.map else { return };
        let address = tidegate_hls::uri::resolve(url, &map.uri);
        let range = map.range;
        let asked =
            self.renditions.get(rendition).is_none_or(|known| known.inits.contains_key(&address) || known.asked_inits.contains(&address));
        if !asked {
            if let Some(known) = self.renditions.get_mut(rendition) {
                known.asked_inits.insert(address.clone());
            }
            self.ask_media(now_us, Ask::Init { rendition, url: address.clone() }, address, range);
        }
    }

    /// What every piece of media has to keep; its bytes.
    fn body(
        &mut self,
        times: Times,
        rendition: usize,
        url: &str,
        what: &str,
        range: Option<(u64, u64)>,
        result: Result<Answer, Failure>,
    ) -> Option<Body> {
        let is_part = what.starts_with("part");
        let there = if is_part { rules::LL_PART_THERE } else { rules::SEGMENT_THERE };
        let own = self.url(rendition);
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => {
                self.found(times.now_us, &own, there, 0, format!("{what} cannot be loaded: {}", words(&failure)));
                return None;
            }
        };
        if answer.redirected.is_some() {
            self.found(times.now_us, &own, rules::HTTP_REDIRECT, 0, format!("{what} is redirected"));
        }
        if !matches!(answer.status, 200 | 206) {
            self.found(times.now_us, &own, there, 0, format!("{what} ({}) is answered with status {}", short(url), answer.status));
            return None;
        }
        let mut bytes = answer.body.clone();
        if let Some((offset, length)) = range {
            if answer.status != 206 || bytes.len() as u64 != length {
                let seen = format!("{what}: status {} and {} bytes in answer to a range of {length}", answer.status, bytes.len());
                self.found(times.now_us, &own, rules::HTTP_RANGE, 0, seen);
            }
            if answer.status == 200 {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                bytes.drain(..start);
                bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            }
        }
        if let Some(why) = check::cacheable(&answer) {
            self.found(times.now_us, &own, rules::HTTP_MEDIA_CACHE, 0, format!("{what}: {why}"));
        }
        let https = own.starts_with("https:");
        if https && !answer.http2 && self.renditions.get(rendition).is_some_and(super::rendition::Rendition::has_parts) {
            self.found(times.now_us, &own, rules::HTTP_2, 0, format!("{what} is answered over HTTP/1.1"));
        }
        self.counts.media_bytes += bytes.len() as u64;
        Some(Body { bytes })
    }

    pub(super) fn init(&mut self, times: Times, rendition: usize, url: &str, result: Result<Answer, Failure>) {
        let range = self.renditions.get(rendition).and_then(|known| {
            let maps = known.list.iter().flat_map(Media::all).filter_map(|segment| segment.map.as_ref());
            maps.into_iter().find(|map| known.absolute(&map.uri) == url).and_then(|map| map.range)
        });
        let body = self.body(times, rendition, url, "the init segment", range, result);
        let own = self.url(rendition);
        let init = match body.map(|body| check::read_init(&body.bytes)) {
            Some(Ok(init)) => Some(init),
            Some(Err(error)) => {
                self.found(times.now_us, &own, rules::FMP4, 0, format!("the init segment {} does not read: {error}", short(url)));
                None
            }
            None => None,
        };
        if let Some(init) = &init {
            self.declared(times.now_us, rendition, init);
        }
        if let Some(known) = self.renditions.get_mut(rendition) {
            known.inits.insert(url.to_string(), init);
        }
    }

    /// What the multivariant playlist says about an init segment.
    fn declared(&mut self, now_us: u64, rendition: usize, init: &Init) {
        let (Some(list), Some(known)) = (&self.multivariant, self.renditions.get(rendition)) else { return };
        let variants: Vec<_> = match known.role {
            Role::Variant(_) => {
                list.variants.iter().filter(|variant| tidegate_hls::uri::resolve(&self.config.url, &variant.uri) == known.url).collect()
            }
            Role::Media(at) => {
                let Some(own) = list.renditions.get(at) else { return };
                let uses =
                    |variant: &&crate::read::Variant| variant.groups.iter().any(|(kind, group)| *kind == own.kind && *group == own.group);
                list.variants.iter().filter(uses).collect()
            }
            Role::IFrames | Role::Alone => return,
        };
        let root = self.config.url.clone();
        let mut faults = crate::read::Faults::default();
        for variant in &variants {
            if let Some(codecs) = variant.codecs.as_ref().filter(|codecs| !init.is_one_of(codecs)) {
                let seen = format!("{} is {}, CODECS=\"{}\"", known.name, init.codec, codecs.join(","));
                faults.add(rules::CODECS, variant.line, seen);
            }
            if let Some(((width, height), (w, h))) = variant.resolution.zip(init.size).filter(|(said, is)| said != is)
                && matches!(known.role, Role::Variant(_))
            {
                faults.add(rules::RESOLUTION, variant.line, format!("{} is {w}x{h}, RESOLUTION={width}x{height}", known.name));
            }
        }
        self.found_all(now_us, &root, faults);
    }

    /// The init segment that holds for a segment, unless it is encrypted.
    fn init_of(&self, rendition: usize, msn: u64) -> Option<Init> {
        let known = self.renditions.get(rendition)?;
        let segment = known.segment(msn).filter(|segment| segment.key.is_none())?;
        known.inits.get(&known.absolute(&segment.map.as_ref()?.uri)).cloned().flatten()
    }

    pub(super) fn part(&mut self, times: Times, (rendition, msn, index): (usize, u64, u64), url: &str, result: Result<Answer, Failure>) {
        let what = format!("part {}", position(msn, Some(index)));
        let listed = self.renditions.get(rendition).and_then(|known| {
            let segment = known.segment(msn)?;
            let part = segment.parts.get(usize::try_from(index).ok()?)?;
            Some((part.clone(), segment.discontinuity_number, index == 0 && segment.discontinuity))
        });
        let range = listed.as_ref().and_then(|(part, ..)| part.range);
        let Some(body) = self.body(times, rendition, url, &what, range, result) else { return };
        self.counts.parts += 1;
        let Some((part, ..)) = listed else { return };
        self.dribble(times, rendition, &what, part.duration_us);
        let Some(init) = self.init_of(rendition, msn) else { return };
        let own = self.url(rendition);
        let fragment = match check::read_fragment(&body.bytes, &init) {
            Ok(fragment) => fragment,
            Err(error) => {
                if !check::is_other(&body.bytes) {
                    self.found(times.now_us, &own, rules::FMP4, part.line, format!("{what} does not read: {error}"));
                }
                return;
            }
        };
        let mut faults = crate::read::Faults::default();
        if part.independent && !fragment.has_sync {
            faults.add(rules::INDEPENDENT, part.line, what.clone());
        }
        if !part.independent && fragment.has_sync {
            faults.add(rules::INDEPENDENT_UNSAID, part.line, what.clone());
        }
        length(&what, part.line, part.duration_us, &fragment, &init, &mut faults);
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        known.track.parts.insert((msn, index), fragment);
        let neighbours = [index.checked_sub(1), Some(index + 1)].map(|at| at.and_then(|at| known.track.parts.get(&(msn, at)).copied()));
        if let Some(before) = neighbours[0] {
            follows(&what, part.line, &before, &fragment, &init, &mut faults);
        }
        if let Some(after) = neighbours[1] {
            follows(&format!("part {}", position(msn, Some(index + 1))), part.line, &fragment, &after, &init, &mut faults);
        }
        self.found_all(times.now_us, &own, faults);
        self.parts_equal(times.now_us, rendition, msn);
    }

    pub(super) fn segment(&mut self, times: Times, (rendition, msn): (usize, u64), url: &str, result: Result<Answer, Failure>) {
        let what = format!("segment {msn}");
        let listed = self.renditions.get(rendition).and_then(|known| known.segment(msn)).cloned();
        let range = listed.as_ref().and_then(|segment| segment.range);
        let Some(body) = self.body(times, rendition, url, &what, range, result) else { return };
        self.counts.segments += 1;
        let Some(listed) = listed else { return };
        let i_frames = self.renditions.get(rendition).and_then(|known| known.list.as_ref()).is_some_and(|list| list.i_frames_only);
        if i_frames {
            return;
        }
        self.rate(rendition, &listed, body.bytes.len() as u64);
        let Some(init) = self.init_of(rendition, msn) else { return };
        let own = self.url(rendition);
        let fragment = match check::read_fragment(&body.bytes, &init) {
            Ok(fragment) => fragment,
            Err(error) => {
                if !check::is_other(&body.bytes) {
                    self.found(times.now_us, &own, rules::FMP4, listed.line, format!("{what} does not read: {error}"));
                }
                return;
            }
        };
        let mut faults = crate::read::Faults::default();
        if let Some((expected, found)) =
            fragment.hole.filter(|(expected, found)| micros(expected.abs_diff(*found), init.timescale) > TICK_US)
        {
            let by = s(micros(expected.abs_diff(found), init.timescale));
            faults.add(rules::DECODE_TIME, listed.line, format!("{what}: a chunk inside starts {by} off the end of the one before"));
        }
        if init.video && !fragment.starts_sync {
            faults.add(rules::KEY_FRAME, listed.line, what.clone());
        }
        // Where parts are known to be missing, the segment is as much shorter.
        if !listed.parts.iter().any(|part| part.gap) {
            length(&what, listed.line, listed.duration_us, &fragment, &init, &mut faults);
        }
        self.timeline(rendition, &listed, fragment, &init, &mut faults);
        self.found_all(times.now_us, &own, faults);
        self.starts(times.now_us, rendition, msn, listed.discontinuity_number);
        self.parts_equal(times.now_us, rendition, msn);
    }

    /// Media time from segment to segment: without holes, and in step with the durations of the playlist.
    fn timeline(&mut self, rendition: usize, listed: &Segment, fragment: Fragment, init: &Init, faults: &mut crate::read::Faults) {
        let msn = listed.msn;
        let after_it = self.renditions.get(rendition).and_then(|known| known.segment(msn + 1)).is_some_and(|next| !next.discontinuity);
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let before = msn.checked_sub(1).and_then(|msn| known.track.segments.get(&msn)).copied().filter(|_| !listed.discontinuity);
        let after = known.track.segments.get(&(msn + 1)).copied().filter(|_| after_it);
        let frame = micros(fragment.frame, init.timescale).max(FRAME_US);
        let start_us = micros(fragment.start, init.timescale);
        if let Some(before) = before {
            follows(&format!("segment {msn}"), listed.line, &before, &fragment, init, faults);
        }
        if let Some(after) = after {
            follows(&format!("segment {}", msn + 1), listed.line, &fragment, &after, init, faults);
        }
        known.track.segments.insert(msn, fragment);
        known.track.starts.insert(msn, (listed.discontinuity_number, start_us));
        let Some(offset) = known.offsets.get(&msn).copied() else { return };
        match known.track.base {
            Some((number, start, at)) if number == offset.discontinuity && start_us >= start && offset.us >= at => {
                let (media, said) = (start_us - start, offset.us - at);
                if media.abs_diff(said) > frame.saturating_add(TICK_US) {
                    let seen = format!("up to segment {msn} the playlist says {}, the media lasts {}", s(said), s(media));
                    faults.add(rules::DURATION, listed.line, seen);
                    known.track.base = Some((number, start_us, offset.us));
                }
            }
            Some((number, _, at)) if number == offset.discontinuity && offset.us < at => {}
            _ => known.track.base = Some((offset.discontinuity, start_us, offset.us)),
        }
    }

    /// Where segments of one number start in two renditions.
    fn starts(&mut self, now_us: u64, rendition: usize, msn: u64, discontinuity: u64) {
        let start = |at: usize| self.renditions.get(at).and_then(|known| known.track.starts.get(&msn).copied());
        let others = if rendition == 0 { 1..self.renditions.len() } else { 0..1 };
        let mut apart = Vec::new();
        for other in others {
            let Some(((own_number, own), (number, start))) = start(rendition).zip(start(other)) else { continue };
            let off = signed(own) - signed(start);
            if number == own_number && number == discontinuity && check::apart(off) {
                // The fault is that of the later rendition, whichever was read last.
                let (of, beside) = if rendition == 0 { (other, rendition) } else { (rendition, other) };
                apart.push((
                    self.url(of),
                    format!("segment {msn} starts {} apart from that of {}", s(off.unsigned_abs()), self.name(beside)),
                ));
            }
        }
        for (url, seen) in apart {
            if !self.findings.has(rules::ALIGN_DRIFT, &url) {
                self.found(now_us, &url, rules::ALIGN_START, 0, seen);
            }
        }
    }

    /// A segment has the samples of its parts (3.2).
    fn parts_equal(&mut self, now_us: u64, rendition: usize, msn: u64) {
        let own = self.url(rendition);
        let Some(known) = self.renditions.get(rendition) else { return };
        let (Some(listed), Some(whole)) = (known.segment(msn), known.track.segments.get(&msn)) else { return };
        let count = listed.parts.len();
        if listed.uri.is_empty() || count == 0 {
            return;
        }
        let parts: Vec<Fragment> = (0..count as u64).filter_map(|index| known.track.parts.get(&(msn, index)).copied()).collect();
        if parts.len() != count {
            return;
        }
        let Some(joined) = Fragment::joined(&parts) else { return };
        let of = |fragment: &Fragment| (fragment.start, fragment.duration, fragment.samples, fragment.content);
        if of(&joined) != of(whole) {
            let what = match () {
                () if joined.start != whole.start => format!("starts at {} and its parts at {}", whole.start, joined.start),
                () if joined.samples != whole.samples => format!("has {} samples and its parts {}", whole.samples, joined.samples),
                () if joined.duration != whole.duration => format!("lasts {} ticks and its parts {}", whole.duration, joined.duration),
                () => "has other samples than its parts".into(),
            };
            let line = listed.line;
            self.found(now_us, &own, rules::PARTS_EQUAL, line, format!("segment {msn} {what}"));
        }
    }

    /// What a segment costs.
    fn rate(&mut self, rendition: usize, listed: &Segment, bytes: u64) {
        let Some(known) = self.renditions.get_mut(rendition) else { return };
        let target = known.target_us();
        let us = listed.duration_us.max(1);
        let rates = &mut known.rates;
        rates.bytes += bytes;
        rates.us += us;
        rates.segments += 1;
        // The peak is that of stretches of half to one and a half target durations (4.1 of the draft: peak segment bit rate).
        if us >= target / 2 {
            let bps = u64::try_from(u128::from(bytes) * 8_000_000 / u128::from(us)).unwrap_or(u64::MAX);
            if bps > rates.peak_bps {
                (rates.peak_bps, rates.peak_msn) = (bps, listed.msn);
            }
        }
    }

    /// Bytes of a part come at the speed of the link, not of the encoder (6.2.6).
    fn dribble(&mut self, times: Times, rendition: usize, what: &str, duration_us: u64) {
        let sending = times.sending_us();
        if sending > DRIBBLE_US.max(duration_us / DRIBBLE_SHARE) {
            let url = self.url(rendition);
            self.found(
                times.now_us,
                &url,
                rules::LL_DRIBBLE,
                0,
                format!("{what} of {} took {} from its first byte to its last", s(duration_us), s(sending)),
            );
        }
    }

    /// A part that was asked for when it was hinted.
    pub(super) fn hinted(&mut self, times: Times, rendition: usize, uri: &str, result: Result<Answer, Failure>) {
        match result {
            Ok(answer) if answer.status == 200 => {
                let part_target = self.renditions.get(rendition).and_then(super::rendition::Rendition::part_target_us).unwrap_or(0);
                self.dribble(times, rendition, "a hinted part", part_target);
            }
            Ok(answer) if (400..500).contains(&answer.status) => {
                let Some(known) = self.renditions.get_mut(rendition) else { return };
                let listed = known.list.iter().flat_map(Media::all).flat_map(|segment| &segment.parts);
                let there = listed.into_iter().any(|part| !part.gap && tidegate_hls::uri::resolve(&known.url, &part.uri) == uri);
                known.hints.refused.push(uri.to_string());
                if known.hints.refused.len() > 16 {
                    known.hints.refused.remove(0);
                }
                if there {
                    let url = self.url(rendition);
                    self.found(
                        times.now_us,
                        &url,
                        rules::LL_HINT_HELD,
                        0,
                        format!("{} was answered with {} while it was hinted", short(uri), answer.status),
                    );
                }
            }
            // Whether it came at all is seen in the playlist.
            Ok(_) | Err(_) => {}
        }
    }

    /// Something that has left the playlist.
    pub(super) fn kept(&mut self, times: Times, rendition: usize, part: bool, url: &str, result: Result<Answer, Failure>) {
        let status = match result {
            Ok(answer) if matches!(answer.status, 200 | 206) => return,
            Ok(answer) => format!("status {}", answer.status),
            Err(failure) => words(&failure),
        };
        let own = self.url(rendition);
        let rule = if part { rules::LL_PART_KEPT } else { rules::SEGMENT_KEPT };
        self.found(times.now_us, &own, rule, 0, format!("{} has left the playlist, and is answered with {status}", short(url)));
    }
}

/// The declared length of a part or segment beside that of its samples.
fn length(what: &str, line: u32, said_us: u64, fragment: &Fragment, init: &Init, faults: &mut crate::read::Faults) {
    let is = micros(fragment.duration, init.timescale);
    let frame = micros(fragment.frame, init.timescale).max(FRAME_US);
    if is.abs_diff(said_us) > frame.saturating_add(TICK_US) {
        faults.add(rules::DURATION, line, format!("{what} says {}, its samples last {}", s(said_us), s(is)));
    }
}

/// One fragment starts where the one before it ends.
fn follows(what: &str, line: u32, before: &Fragment, after: &Fragment, init: &Init, faults: &mut crate::read::Faults) {
    let off = micros(before.end().abs_diff(after.start), init.timescale);
    if off > TICK_US {
        let way = if after.start > before.end() { "after" } else { "before" };
        faults.add(rules::DECODE_TIME, line, format!("{what} starts {} {way} the end of what is before it", s(off)));
    }
}

/// Segments from the start, the middle and the end.
fn samples(segments: &[Segment]) -> impl Iterator<Item = &Segment> {
    let (count, third) = (segments.len(), SAMPLED / 3);
    let middle = (count / 2).saturating_sub(third / 2);
    segments
        .iter()
        .enumerate()
        .filter(move |(at, _)| count <= SAMPLED || *at < third || at.wrapping_sub(middle) < third || at + third >= count)
        .map(|(_, one)| one)
}

/// For differences, which fit then.
fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

/// The end of an address.
fn short(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut words = path.rsplitn(3, '/');
    let (last, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    format!("{before}/{last}")
}
