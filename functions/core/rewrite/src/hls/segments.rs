//! What is put between the segments of a media playlist: interstitials and ad markers.
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::Write as _;

use super::line::{Line, Lines};
use crate::{
    Rules,
    attribute::attributes,
    date,
    rules::{Ads, Interstitial},
};

/// Breaks of one playlist: a day of breaks, four minutes apart.
const BREAKS: usize = 360;
/// A break that began so long ago, in ms, and does not say how long it is, is over.
const OPEN_BREAK_MS: i64 = 600_000;

#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Lines that go before the first segment.
    header: Vec<String>,
    breaks: Vec<Break>,
    /// Where the next segment begins, in UTC.
    now_ms: Option<i64>,
    /// Of the last EXTINF, until its address.
    duration_ms: i64,
    /// The break that the last segment was part of.
    open: Option<usize>,
}

#[derive(Debug)]
struct Break {
    start_ms: i64,
    duration_ms: Option<i64>,
}

/// What a playlist says about its time.
#[derive(Default)]
struct Window {
    /// When the first segment begins.
    start_ms: Option<i64>,
    /// EXTINF of the segments before the first date.
    before_date_ms: i64,
    is_recording: bool,
    has_cues: bool,
    breaks: Vec<Break>,
}

impl Segments {
    pub(super) fn new(text: &[u8], rules: &Rules) -> Self {
        if rules.leaves_segments() {
            return Self::default();
        }
        let window = Window::of(text);
        let mut header = Vec::new();
        let mut start_ms = window.start_ms;
        let places_by_time = rules.interstitials.iter().any(|interstitial| interstitial.start_ms.is_some());
        if start_ms.is_none() && window.is_recording && places_by_time {
            // A break has a date; a recording without dates gets them from here.
            header.push(format!("#EXT-X-PROGRAM-DATE-TIME:{}", date::format(0)));
            start_ms = Some(0);
        }
        let interstitials = rules.interstitials.iter().filter_map(|interstitial| daterange(interstitial, start_ms, window.is_recording));
        // Before the date, which belongs to the segment.
        header.splice(0..0, interstitials);
        let breaks = if rules.ads.cues && !window.has_cues { window.breaks } else { Vec::new() };
        Self { header, breaks, now_ms: start_ms, duration_ms: 0, open: None }
    }

    /// The lines that go before this one.
    pub(super) fn before(&mut self, line: &Line<'_>) -> Vec<String> {
        if self.header.is_empty() && self.breaks.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let tag = line.tag();
        if !self.header.is_empty() && (begins_segments(tag) || line.is_address()) {
            lines = core::mem::take(&mut self.header);
        }
        match tag {
            b"EXT-X-PROGRAM-DATE-TIME" => self.now_ms = date_of(line).or(self.now_ms),
            b"EXTINF" => {
                self.duration_ms = extinf_ms(line);
                lines.extend(self.cue());
            }
            b"" if line.is_address() => {
                self.now_ms = self.now_ms.map(|now_ms| now_ms.saturating_add(self.duration_ms));
                self.duration_ms = 0;
            }
            _ => {}
        }
        lines
    }

    /// The ad marker of the segment that begins.
    fn cue(&mut self) -> Option<String> {
        let now_ms = self.now_ms?;
        // A break begins at the segment boundary that is nearest.
        let middle_ms = now_ms.saturating_add(self.duration_ms / 2);
        let inside = self.breaks.iter().rposition(|b| {
            let duration_ms = b.duration_ms.unwrap_or(OPEN_BREAK_MS);
            b.start_ms <= middle_ms && middle_ms < b.start_ms.saturating_add(duration_ms)
        });
        let was = core::mem::replace(&mut self.open, inside);
        let Some(at) = inside else { return was.map(|_| "#EXT-X-CUE-IN".into()) };
        let Break { start_ms, duration_ms } = self.breaks.get(at)?;
        let elapsed_ms = now_ms.saturating_sub(*start_ms).max(0);
        // A live window may begin in the middle of a break.
        if was == inside || (was.is_none() && elapsed_ms > self.duration_ms) {
            let mut text = format!("#EXT-X-CUE-OUT-CONT:ElapsedTime={}", date::seconds(elapsed_ms));
            if let Some(ms) = duration_ms {
                let _ = write!(text, ",Duration={}", date::seconds(*ms));
            }
            return Some(text);
        }
        Some(duration_ms.map_or_else(|| "#EXT-X-CUE-OUT".into(), |ms| format!("#EXT-X-CUE-OUT:DURATION={}", date::seconds(ms))))
    }

    /// The interstitial that goes beside a date range that announces a break.
    pub(super) fn beside(&self, line: &Line<'_>, rules: &Rules) -> Option<String> {
        let Ads { asset_list: Some(list), .. } = &rules.ads else { return None };
        let (mut id, mut start, mut is_break, mut is_ours) = (None, None, false, false);
        for attribute in attributes(line.content, line.list()) {
            match attribute.name {
                b"ID" => id = attribute.text(),
                b"START-DATE" => start = attribute.text().and_then(date::parse),
                b"SCTE35-OUT" => is_break = true,
                b"CLASS" => is_ours = attribute.value == INTERSTITIAL.as_bytes(),
                _ => {}
            }
        }
        if !is_break || is_ours {
            return None;
        }
        let (id, start_ms) = (id?, start?);
        let duration_ms = duration(line);
        let list = list.replace("{id}", &escape(id)).replace("{duration}", &duration_ms.map(date::seconds).unwrap_or_default());
        let mut text = format!("#EXT-X-DATERANGE:ID=\"{id}-break\",CLASS=\"{INTERSTITIAL}\",START-DATE=\"{}\"", date::format(start_ms));
        if let Some(ms) = duration_ms {
            let _ = write!(text, ",DURATION={}", date::seconds(ms));
        }
        let _ = write!(text, ",X-ASSET-LIST=\"{list}\"");
        Some(text)
    }
}

const INTERSTITIAL: &str = "com.apple.hls.interstitial";

/// An interstitial as a tag; `None` where it lies before the window of a live stream, or has no place in time.
fn daterange(interstitial: &Interstitial, window_start_ms: Option<i64>, is_recording: bool) -> Option<String> {
    let start_ms = match (&interstitial.start_date, interstitial.start_ms) {
        (Some(date), _) => date::parse(date)?,
        (None, Some(ms)) if is_recording => window_start_ms?.saturating_add(i64::from(ms)),
        (None, _) => return None,
    };
    let duration_ms = i64::from(interstitial.duration_ms.unwrap_or(0));
    if !is_recording && window_start_ms.is_some_and(|window| start_ms.saturating_add(duration_ms) < window) {
        return None;
    }
    let mut text =
        format!("#EXT-X-DATERANGE:ID=\"{}\",CLASS=\"{INTERSTITIAL}\",START-DATE=\"{}\"", interstitial.id, date::format(start_ms));
    if let Some(ms) = interstitial.duration_ms {
        let _ = write!(text, ",DURATION={}", date::seconds(ms.into()));
    }
    for (name, value) in [("X-ASSET-URI", &interstitial.asset_uri), ("X-ASSET-LIST", &interstitial.asset_list)] {
        if let Some(value) = value {
            let _ = write!(text, ",{name}=\"{value}\"");
        }
    }
    if let Some(ms) = interstitial.resume_offset_ms {
        let _ = write!(text, ",X-RESUME-OFFSET={}", date::seconds(ms.into()));
    }
    for (name, words) in [("X-RESTRICT", &interstitial.restrict), ("X-SNAP", &interstitial.snap), ("CUE", &interstitial.cue)] {
        if !words.is_empty() {
            let _ = write!(text, ",{name}=\"{}\"", words.join(","));
        }
    }
    Some(text)
}

impl Window {
    fn of(text: &[u8]) -> Self {
        let mut window = Self::default();
        for line in Lines::new(text) {
            match line.tag() {
                b"EXTINF" if window.start_ms.is_none() => {
                    window.before_date_ms = window.before_date_ms.saturating_add(extinf_ms(&line));
                }
                b"EXT-X-PROGRAM-DATE-TIME" if window.start_ms.is_none() => {
                    window.start_ms = date_of(&line).map(|ms| ms.saturating_sub(window.before_date_ms));
                }
                b"EXT-X-ENDLIST" => window.is_recording = true,
                b"EXT-X-PLAYLIST-TYPE" => window.is_recording |= line.value().trim_ascii() == b"VOD",
                b"EXT-X-CUE-OUT" | b"EXT-X-CUE-OUT-CONT" | b"EXT-X-CUE-IN" => window.has_cues = true,
                b"EXT-X-DATERANGE" => window.daterange(&line),
                _ => {}
            }
        }
        window
    }

    fn daterange(&mut self, line: &Line<'_>) {
        let (mut start, mut out, mut end) = (None, false, None);
        for attribute in attributes(line.content, line.list()) {
            match attribute.name {
                b"START-DATE" => start = attribute.text().and_then(date::parse),
                b"END-DATE" => end = attribute.text().and_then(date::parse),
                b"SCTE35-OUT" => out = true,
                _ => {}
            }
        }
        if let Some(start_ms) = start.filter(|_| out && self.breaks.len() < BREAKS) {
            let duration_ms = duration(line).or_else(|| end.map(|end| end.saturating_sub(start_ms).max(0)));
            self.breaks.push(Break { start_ms, duration_ms });
        }
    }
}

/// DURATION, or PLANNED-DURATION where the break has not ended.
fn duration(line: &Line<'_>) -> Option<i64> {
    let of = |name: &[u8]| attributes(line.content, line.list()).find(|a| a.name == name).and_then(|a| date::millis(a.text()?));
    of(b"DURATION").or_else(|| of(b"PLANNED-DURATION"))
}

fn date_of(line: &Line<'_>) -> Option<i64> {
    date::parse(core::str::from_utf8(line.value()).ok()?)
}

fn extinf_ms(line: &Line<'_>) -> i64 {
    let value = line.value().split(|b| *b == b',').next().unwrap_or_default();
    core::str::from_utf8(value).ok().and_then(date::millis).unwrap_or(0)
}

/// Tags that belong to a segment, or come after all of them.
fn begins_segments(tag: &[u8]) -> bool {
    let tags: [&[u8]; 12] = [
        b"EXTINF",
        b"EXT-X-BYTERANGE",
        b"EXT-X-BITRATE",
        b"EXT-X-DISCONTINUITY",
        b"EXT-X-GAP",
        b"EXT-X-KEY",
        b"EXT-X-MAP",
        b"EXT-X-PART",
        b"EXT-X-PRELOAD-HINT",
        b"EXT-X-PROGRAM-DATE-TIME",
        b"EXT-X-SKIP",
        b"EXT-X-ENDLIST",
    ];
    tags.contains(&tag)
}

/// Percent-encodes what could end a parameter.
fn escape(text: &str) -> String {
    let mut out = vec![];
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
            out.push(b);
        } else {
            let digit = |n: u8| if n < 10 { b'0' + n } else { b'A' + n - 10 };
            out.extend([b'%', digit(b >> 4), digit(b & 15)]);
        }
    }
    String::from_utf8(out).unwrap_or_default()
}
