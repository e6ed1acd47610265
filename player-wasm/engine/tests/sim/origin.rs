use std::fmt::Write as _;

use super::UTC_AT_ZERO_MS;

/// A live stream that began at 0 of the clock: parts of equal length, segments of [`PARTS`] parts.
pub(crate) struct Origin {
    pub(crate) part_s: f64,
    /// Name and BANDWIDTH of each video rendition.
    pub(crate) video: Vec<(&'static str, u64)>,
    /// The playlist has parts and blocks.
    pub(crate) low_latency: bool,
    /// Segments are byte ranges of one file.
    pub(crate) byte_ranges: bool,
    pub(crate) session: &'static str,
    /// Nothing follows after this segment.
    pub(crate) last_msn: Option<u64>,
    /// A discontinuity starts at these segments: media time begins anew there.
    pub(crate) discontinuities: Vec<u64>,
    /// Segments that are listed as gaps.
    pub(crate) gaps: Vec<u64>,
    /// From this segment on a rendition has nothing but gaps.
    pub(crate) given_up: Option<(&'static str, u64)>,
    /// While the clock (in s) is in here nothing is published; what was made then comes at the end of it.
    pub(crate) silence: Option<(f64, f64)>,
    /// While the clock is in here every request fails with this status.
    pub(crate) broken: Option<(f64, f64, u16)>,
    /// The hint names the part after the last of a segment, which never comes.
    pub(crate) wrong_hints: bool,
    /// The segments of the list.
    pub(crate) window: u64,
    /// How far ahead of the others the numbers of a rendition are.
    pub(crate) numbers: Vec<(&'static str, u64)>,
    /// Attributes of EXT-X-START.
    pub(crate) start: Option<&'static str>,
    pub(crate) deltas: u32,
}

/// What a request gets.
pub(crate) enum Answer {
    Status(u16),
    Text(String),
    Media { head: Vec<u8>, size: u64 },
}

impl Answer {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Status(_) => 100,
            // Playlists are sent compressed.
            Self::Text(text) => text.len() as u64 / 5,
            Self::Media { size, .. } => *size,
        }
    }
}

/// Parts of a segment.
const PARTS: u64 = 4;
/// From the last frame of a part to the part in the list.
const PUBLISH_S: f64 = 0.1;
const TIMESCALE: u64 = 90_000;

impl Default for Origin {
    fn default() -> Self {
        Self {
            part_s: 0.5,
            video: vec![("low", 400_000), ("medium", 1_200_000), ("high", 3_000_000), ("source", 6_000_000)],
            low_latency: true,
            byte_ranges: false,
            session: "a",
            last_msn: None,
            discontinuities: Vec::new(),
            gaps: Vec::new(),
            given_up: None,
            silence: None,
            broken: None,
            wrong_hints: false,
            window: 30,
            numbers: Vec::new(),
            start: None,
            deltas: 0,
        }
    }
}

impl Origin {
    /// `None`: the request is held.
    pub(crate) fn answer(&mut self, now_s: f64, url: &str, range: Option<(u64, u64)>, patience_is_over: bool) -> Option<Answer> {
        if let Some((_, _, status)) = self.broken.filter(|(from, to, _)| (*from..*to).contains(&now_s)) {
            return Some(Answer::Status(status));
        }
        let path = url.strip_prefix("http://origin/live/demo/").expect("an address of the origin");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path == "index.m3u8" {
            return Some(Answer::Text(self.multivariant()));
        }
        let Some(path) = path.strip_prefix(self.session).and_then(|path| path.strip_prefix('/')) else { return Some(Answer::Status(404)) };
        if let Some(rendition) = path.strip_suffix(".m3u8") {
            return self.media(now_s, rendition, query).or_else(|| patience_is_over.then_some(Answer::Status(503)));
        }
        let (rendition, file) = path.split_once('/').unwrap();
        if file == "init.mp4" {
            return Some(Answer::Media { head: init(), size: 800 });
        }
        let name = file.strip_suffix(".m4s").unwrap();
        let made = self.made(now_s);
        let (first, count) = match (name.split_once('.'), range) {
            (Some((msn, part)), _) => {
                let (msn, part): (u64, u64) = (msn.parse().unwrap(), part.parse().unwrap());
                if part >= PARTS {
                    return (made > (msn + 1) * PARTS).then_some(Answer::Status(404));
                }
                (msn * PARTS + part, 1)
            }
            (None, Some((start, _))) => (start / 1_000_000 * PARTS, PARTS),
            (None, None) => (name.parse::<u64>().unwrap() * PARTS, PARTS),
        };
        if self.last_msn.is_some_and(|last| first / PARTS > last) || self.gaps.contains(&(first / PARTS)) {
            return Some(Answer::Status(404));
        }
        let given_up = self.given_up.is_some_and(|(name, from)| name == rendition && first / PARTS >= from);
        if given_up && first + count <= made {
            return Some(Answer::Status(404));
        }
        if first + count > made {
            return patience_is_over.then_some(Answer::Status(404));
        }
        Some(self.fragment(rendition, first, count))
    }

    /// Parts that are published.
    fn made(&self, now_s: f64) -> u64 {
        let now_s = match self.silence {
            Some((from, to)) if now_s >= from && now_s < to => from,
            _ => now_s,
        };
        let made = ((now_s - PUBLISH_S) / self.part_s + 1e-6) as u64;
        let made = if self.low_latency { made } else { made / PARTS * PARTS };
        self.last_msn.map_or(made, |last| made.min((last + 1) * PARTS))
    }

    fn fragment(&self, rendition: &str, first: u64, count: u64) -> Answer {
        let bps = self.video.iter().find(|(name, _)| *name == rendition).map_or(128_000, |(_, bps)| *bps);
        // The first part of a segment has its key frame.
        let weight = if count == PARTS {
            4.0
        } else if first.is_multiple_of(PARTS) {
            1.6
        } else {
            0.8
        };
        let size = bps as f64 * 0.9 * self.part_s * weight / 8.0;
        let period_start = self.discontinuities.iter().rev().find(|msn| **msn * PARTS <= first).map_or(0, |msn| *msn * PARTS);
        let ticks = |parts: u64| (parts as f64 * self.part_s * TIMESCALE as f64) as u64;
        Answer::Media { head: fragment(ticks(first - period_start), ticks(count)), size: size as u64 }
    }

    fn multivariant(&self) -> String {
        let session = self.session;
        if self.video.is_empty() {
            return format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS=\"mp4a.40.2\"\n{session}/audio.m3u8\n");
        }
        let mut text = format!("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",DEFAULT=YES,URI=\"{session}/audio.m3u8\"\n");
        for (name, bps) in &self.video {
            let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bps},CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\n{session}/{name}.m3u8\n");
        }
        text
    }

    fn media(&mut self, now_s: f64, rendition: &str, query: &str) -> Option<Answer> {
        let directive = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok());
        let made = self.made(now_s);
        let ended = self.last_msn.is_some_and(|last| made == (last + 1) * PARTS);
        let wanted = directive("_HLS_msn")
            .map(|msn| msn.saturating_sub(self.ahead(rendition)) * PARTS + directive("_HLS_part").unwrap_or(PARTS - 1));
        if wanted.is_some_and(|wanted| made <= wanted && !ended) {
            return None;
        }
        let skips = query.contains("_HLS_skip=YES");
        self.deltas += u32::from(skips);
        Some(Answer::Text(self.list(rendition, made, ended, skips)))
    }

    fn ahead(&self, rendition: &str) -> u64 {
        self.numbers.iter().find(|(name, _)| *name == rendition).map_or(0, |(_, ahead)| *ahead)
    }

    fn list(&self, rendition: &str, made: u64, ended: bool, skips: bool) -> String {
        // The last segment counts as complete only when a part follows it, as with records of a log.
        let complete = if ended || !self.low_latency { made / PARTS } else { made.saturating_sub(1) / PARTS };
        let first = complete.saturating_sub(self.window);
        let period = |msn: u64| self.discontinuities.iter().filter(|at| **at <= msn).count();
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n",
            (self.part_s * PARTS as f64).ceil(),
            first + self.ahead(rendition)
        );
        if let Some(start) = self.start {
            let _ = writeln!(text, "#EXT-X-START:{start}");
        }
        let _ = writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", period(first) - usize::from(self.discontinuities.contains(&first)));
        if self.low_latency {
            let part = self.part_s;
            let _ =
                writeln!(text, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={},PART-HOLD-BACK={}", part * 24.0, part * 3.0);
            let _ = writeln!(text, "#EXT-X-PART-INF:PART-TARGET={part}");
        }
        let from = if skips { complete.saturating_sub(7).max(first) } else { first };
        if from > first {
            let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", from - first);
        } else {
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{rendition}/init.mp4\"");
        }
        for msn in from..=complete {
            let parts = made.saturating_sub(msn * PARTS).min(PARTS);
            if parts == 0 {
                break;
            }
            if self.discontinuities.contains(&msn) {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", utc(msn as f64 * PARTS as f64 * self.part_s));
            let given_up = self.given_up.is_some_and(|(name, from)| name == rendition && msn >= from);
            if self.gaps.contains(&msn) || (given_up && msn < complete) {
                text += "#EXT-X-GAP\n";
            }
            if self.low_latency && msn + 4 > complete {
                for part in 0..parts {
                    let independent = if part == 0 || rendition == "audio" { ",INDEPENDENT=YES" } else { "" };
                    let gap = if given_up { ",GAP=YES" } else { "" };
                    let _ = writeln!(text, "#EXT-X-PART:DURATION={},URI=\"{rendition}/{msn}.{part}.m4s\"{independent}{gap}", self.part_s);
                }
            }
            if msn < complete {
                let _ = writeln!(text, "#EXTINF:{},", self.part_s * PARTS as f64);
                if self.byte_ranges {
                    let _ = writeln!(text, "#EXT-X-BYTERANGE:1000000@{}\n{rendition}/all.m4s", msn * 1_000_000);
                } else {
                    let _ = writeln!(text, "{rendition}/{msn}.m4s");
                }
            }
        }
        if ended {
            text += "#EXT-X-ENDLIST\n";
        } else if self.low_latency {
            let (msn, part) =
                if self.wrong_hints && made.is_multiple_of(PARTS) { (made / PARTS - 1, PARTS) } else { (made / PARTS, made % PARTS) };
            let _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{rendition}/{msn}.{part}.m4s\"");
        }
        text
    }
}

/// The simulated day begins at midnight and is over before the next.
fn utc(s: f64) -> String {
    assert_eq!(UTC_AT_ZERO_MS, 1_767_225_600_000.0);
    format!("2026-01-01T{:02}:{:02}:{:06.3}Z", (s / 3600.0) as u32, (s / 60.0) as u32 % 60, s % 60.0)
}

fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes(), name.as_slice(), body].concat()
}

fn init() -> Vec<u8> {
    let tkhd = boxed(b"tkhd", &[&[0; 12][..], &1u32.to_be_bytes(), &[0; 60]].concat());
    let mdhd = boxed(b"mdhd", &[&[0; 12][..], &(TIMESCALE as u32).to_be_bytes(), &[0; 8]].concat());
    boxed(b"moov", &boxed(b"trak", &[tkhd, boxed(b"mdia", &mdhd)].concat()))
}

fn fragment(ticks: u64, duration: u64) -> Vec<u8> {
    let tfhd = boxed(b"tfhd", &[&[0; 4][..], &1u32.to_be_bytes()].concat());
    let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0][..], &ticks.to_be_bytes()].concat());
    [boxed(b"moof", &boxed(b"traf", &[tfhd, tfdt].concat())), boxed(b"test", &duration.to_be_bytes())].concat()
}
