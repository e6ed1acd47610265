//! What is said at the end.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{
    rendition::{Rendition, Role},
    validator::{Counts, Validator},
};
use crate::{check::s, finding::Finding, read::Variant, rule::Severity, rules};

/// What was tested, and what was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// The address, after redirects.
    pub url: String,
    /// What the stream is.
    pub mode: Mode,
    /// Why nothing could be tested.
    pub fatal: Option<String>,
    /// The media playlists.
    pub renditions: Vec<RenditionSummary>,
    /// How much was looked at.
    pub counts: Counts,
    /// Errors, then warnings, then notes.
    pub findings: Vec<Finding>,
}

/// What a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Live with parts.
    LowLatency,
    /// Live without parts.
    Live,
    /// It was live, and has ended while it was watched.
    LiveEnded,
    /// A recording.
    Recording,
    /// Nothing was read.
    Unknown,
}

/// One media playlist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenditionSummary {
    /// Its address.
    pub url: String,
    /// The end of the address.
    pub name: String,
    /// Its codec, as far as known.
    pub codec: Option<String>,
    /// Target duration.
    pub target_us: Option<u64>,
    /// Part target.
    pub part_target_us: Option<u64>,
    /// How long the playlist is.
    pub window_us: u64,
    /// The highest bit rate of a segment that was loaded.
    pub peak_bps: u64,
}

impl Report {
    /// How many findings are errors, warnings or notes.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.rule.level.severity() == severity).count()
    }
}

impl Mode {
    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::LowLatency => "live, low latency",
            Self::Live => "live",
            Self::LiveEnded => "live, ended while it was watched",
            Self::Recording => "recording",
            Self::Unknown => "unknown",
        }
    }
}

/// Averages are judged from this much media on (Apple 1.28 says about an hour; less is a hint of it).
const AVERAGE_US: u64 = 300_000_000;

impl Validator {
    /// What is known by now.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            url: self.config.url.clone(),
            mode: self.mode(),
            fatal: self.fatal.clone(),
            renditions: self.renditions.iter().map(summary).collect(),
            counts: self.counts,
            findings: self.findings.sorted(),
        }
    }

    /// How many findings of a severity there are by now.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.count(severity)
    }

    fn mode(&self) -> Mode {
        let read = |known: &&Rendition| known.list.is_some();
        if !self.renditions.iter().any(|known| read(&known)) {
            return Mode::Unknown;
        }
        let live = self.renditions.iter().any(|known| known.was_live);
        let ended = self.renditions.iter().filter(read).all(Rendition::ended);
        let parts = self.renditions.iter().any(Rendition::has_parts);
        match (live, ended, parts) {
            (true, true, _) => Mode::LiveEnded,
            (true, false, true) => Mode::LowLatency,
            (true, false, false) => Mode::Live,
            (false, ..) => Mode::Recording,
        }
    }

    /// What only the whole run tells.
    pub(super) fn conclude(&mut self, now_us: u64) {
        if self.fatal.is_some() {
            return;
        }
        if self.mode() == Mode::Unknown {
            self.fatal = Some(format!("no media playlist of {} could be read", self.config.url));
            return;
        }
        let url = self.config.url.clone();
        let low_latency = self.mode() == Mode::LowLatency;
        if low_latency && self.http2 == Some(false) {
            let how = if url.starts_with("https:") { "HTTP/2 is not agreed on" } else { "HTTP/2 with prior knowledge is not answered" };
            self.found(now_us, &url, rules::HTTP_2, 0, how);
        }
        let part_target = self.renditions.iter().filter_map(Rendition::part_target_us).min();
        if let Some((trip, target)) =
            self.round_trip_us.zip(part_target).filter(|(trip, target)| low_latency && trip.saturating_mul(3) > *target)
        {
            self.found(now_us, &url, rules::LL_RTT, 0, format!("an answer takes {}, PART-TARGET is {}", s(trip), s(target)));
        }
        self.independent(now_us, &url);
        self.bandwidths(now_us, &url);
    }

    /// Segments that start with key frames are worth saying (Apple 9.11).
    fn independent(&mut self, now_us: u64, url: &str) {
        let Some(list) = &self.multivariant else { return };
        let video = |known: &&Rendition| known.inits.values().flatten().any(|init| init.video);
        let said = |known: &Rendition| known.list.as_ref().is_some_and(|list| list.independent);
        let unsaid = self.renditions.iter().filter(video).find(|known| !said(known) && !known.track.segments.is_empty());
        if let Some(known) = unsaid.filter(|_| !list.independent) {
            let starts_sync = known.track.segments.values().all(|segment| segment.starts_sync);
            let seen = format!("segments of {} start with key frames, and no playlist says so", known.name);
            if starts_sync {
                self.found(now_us, url, rules::MV_INDEPENDENT, 0, seen);
            }
        }
    }

    /// What variants cost beside what they say.
    fn bandwidths(&mut self, now_us: u64, url: &str) {
        let Some(list) = &self.multivariant else { return };
        let recording = self.mode() == Mode::Recording;
        let mut faults = crate::read::Faults::default();
        for variant in &list.variants {
            let Some(own) = self.renditions.iter().find(|known| self.is_of(known, variant)) else { continue };
            let beside = self.renditions.iter().filter(|known| match known.role {
                Role::Media(at) => list
                    .renditions
                    .get(at)
                    .is_some_and(|one| variant.groups.iter().any(|(kind, group)| *kind == one.kind && *group == one.group)),
                Role::Variant(_) | Role::IFrames | Role::Alone => false,
            });
            let beside: Vec<&Rendition> = beside.collect();
            let dearest = |rate: fn(&Rendition) -> u64| rate(own).saturating_add(beside.iter().map(|known| rate(known)).max().unwrap_or(0));
            let peak = dearest(|known| known.rates.peak_bps);
            let percent = if recording { 110 } else { 125 };
            if let Some(said) = variant.bandwidth_bps.filter(|said| peak > said.saturating_mul(percent) / 100) {
                let seen = format!("{} peaks at {peak} bit/s in segment {}, BANDWIDTH is {said}", own.name, own.rates.peak_msn);
                faults.add(rules::PEAK, variant.line, seen);
            }
            let average =
                dearest(|known| u64::try_from(u128::from(known.rates.bytes) * 8_000_000 / u128::from(known.rates.us.max(1))).unwrap_or(0));
            if let Some(said) = variant.average_bps.filter(|said| own.rates.us >= AVERAGE_US && average > said.saturating_mul(110) / 100) {
                let seen = format!("{} costs {average} bit/s over {}, AVERAGE-BANDWIDTH is {said}", own.name, s(own.rates.us));
                faults.add(rules::AVERAGE, variant.line, seen);
            }
        }
        self.found_all(now_us, url, faults);
    }

    fn is_of(&self, known: &Rendition, variant: &Variant) -> bool {
        tidegate_hls::uri::resolve(&self.config.url, &variant.uri) == known.url
    }
}

fn summary(known: &Rendition) -> RenditionSummary {
    RenditionSummary {
        url: known.url.to_string(),
        name: known.name.clone(),
        codec: known.inits.values().flatten().next_back().map(|init| init.codec.clone()),
        target_us: known.list.as_ref().and_then(|list| list.target_us),
        part_target_us: known.part_target_us(),
        window_us: known.list.as_ref().map_or(0, crate::read::Media::duration_us),
        peak_bps: known.rates.peak_bps,
    }
}
