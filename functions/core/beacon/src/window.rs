use alloc::{string::String, vec::Vec};

use crate::{
    bytes::{Broken, Reader, Version, put, put_text},
    cells::Cells,
    event::{Event, EventKind},
    quantiles::Quantiles,
    sessions::{CLAIM_MS, Step},
    uniques::Uniques,
};

/// What was reported about one stream in one stretch of time. Windows merge in any order and grouping.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Of all viewers.
    pub all: Tally,
    /// From the wish to play to the first picture, in ms.
    pub startup_ms: Quantiles,
    /// Distance from the live edge, in ms.
    pub latency_ms: Quantiles,
    /// How long stalls were, in ms: each as far as one line tells of it.
    pub stall_ms: Quantiles,
    /// From a record's being durable, as far as an edge can tell, to its being at the edge, in µs.
    pub visible_us: Quantiles,
    /// From there to the answer of those who waited for it, in µs.
    pub edge_us: Quantiles,
    /// Who watched.
    pub uniques: Uniques,
    /// Frames that were not shown.
    pub dropped_frames: u64,
    /// Lines that were counted.
    pub events: u64,
    /// Lines that were not: repeated, forged, beyond a bound.
    pub dropped_events: u64,
    /// How often which error was told.
    pub errors: Vec<(String, u64)>,
    /// By dimension: values in order.
    pub by: [Vec<(String, Share)>; Dimension::ALL.len()],
    /// What comes in from the publisher.
    pub ingest: Ingest,
}

/// What is counted for everybody and for each value of a dimension.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Time watched, by when.
    pub cells: Cells,
    /// Time watched, in ms.
    pub played_ms: u64,
    /// Time stalled, in ms.
    pub stalled_ms: u64,
    /// Stalls.
    pub stalls: u64,
    /// Sessions that began.
    pub attempts: u64,
    /// Sessions that showed a picture.
    pub plays: u64,
    /// Sessions that failed before.
    pub start_failures: u64,
    /// Sessions that were left before.
    pub exits_before_start: u64,
    /// Errors told.
    pub errors: u64,
    /// Bits played, in thousands.
    pub kilobits: u64,
}

/// What is counted for one value of a dimension. There are some hundred of them in a window, so its sketches are small.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// What is counted for everybody too.
    pub tally: Tally,
    /// From the wish to play to the first picture, in ms.
    pub startup_ms: Quantiles,
    /// Distance from the live edge, in ms.
    pub latency_ms: Quantiles,
    /// Who watched.
    pub uniques: Uniques,
}

/// What viewers are told apart by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Dimension {
    /// As `DE`.
    Country,
    /// As `DE-BE`.
    Region,
    /// Desktop, phone, tablet, tv.
    Device,
    /// What is played, by its bitrate.
    Rendition,
    /// An autonomous system.
    Network,
    /// The host that took the report.
    Edge,
}

/// Who a report is from, as far as it is counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Viewer {
    /// Told apart from others for a day, see [`Uniques`]; `None` while there is no salt.
    pub unique: Option<u64>,
    /// As `DE`.
    pub country: Option<String>,
    /// As `DE-BE`.
    pub region: Option<String>,
    /// Desktop, phone, tablet, tv.
    pub device: &'static str,
    /// As `AS3320`.
    pub network: Option<String>,
    /// The host.
    pub edge: String,
}

/// What comes in from the publisher, as its worker measures it. Merging adds; quantiles are those of the slowest report.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ingest {
    /// Time measured, in ms.
    pub time_ms: u64,
    /// Bytes that came in.
    pub bytes: u64,
    /// Pictures that came in.
    pub frames: u64,
    /// Parts in which a rendition was missing.
    pub late_parts: u64,
    /// The largest difference between the source's clock and ours, in ms.
    pub drift_ms: u64,
    /// From a part's last frame to the part: half of them took no longer, in ms.
    pub part_p50_ms: u64,
    /// 99 of 100 took no longer.
    pub part_p99_ms: u64,
    /// From the submission of a record to its being durable: half of them took no longer, in ms.
    pub put_p50_ms: u64,
    /// 99 of 100 took no longer.
    pub put_p99_ms: u64,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 6] = [Self::Country, Self::Region, Self::Device, Self::Rendition, Self::Network, Self::Edge];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Region => "region",
            Self::Device => "device",
            Self::Rendition => "rendition",
            Self::Network => "network",
            Self::Edge => "edge",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.as_str() == text)
    }

    /// Values of one window; what comes beyond is [`OTHER`]. There are 250 countries.
    fn values_max(self) -> usize {
        match self {
            Self::Country => 256,
            Self::Region | Self::Network | Self::Edge => 128,
            Self::Device | Self::Rendition => 32,
        }
    }
}

/// What values are added up as that have no place of their own.
pub const OTHER: &str = "other";
/// Longer values are cut: regions and the names of edges have 40.
const VALUE_BYTES_MAX: usize = 48;
/// Different errors of a window.
const ERRORS_MAX: usize = 32;

impl Window {
    /// Adds an event.
    pub fn count(&mut self, step: &Step, event: &Event<'_>, viewer: &Viewer) {
        self.events += 1;
        let (startup_ms, latency_ms) = measured(step, event);
        viewer.unique.into_iter().for_each(|unique| self.uniques.add(unique));
        startup_ms.into_iter().for_each(|ms| self.startup_ms.add(ms));
        latency_ms.into_iter().for_each(|ms| self.latency_ms.add(ms));
        if step.stalled_ms > 0 {
            self.stall_ms.add(step.stalled_ms);
        }
        self.dropped_frames += u64::from(step.dropped_frames);
        let failed = event.kind == EventKind::Error;
        if failed {
            let code = word(event.error.unwrap_or("unknown"));
            *self.error(&code) += 1;
        }
        self.all.count(step, failed);
        let rendition = |kbps: Option<u32>| kbps.map(|kbps| alloc::format!("{kbps}"));
        let (now, before) = (rendition(step.kbps), rendition(step.played_kbps));
        for (dimension, values) in Dimension::ALL.into_iter().zip(&mut self.by) {
            let value = match dimension {
                Dimension::Country => viewer.country.as_deref(),
                Dimension::Region => viewer.region.as_deref(),
                Dimension::Device => Some(viewer.device),
                Dimension::Network => viewer.network.as_deref(),
                Dimension::Edge => Some(viewer.edge.as_str()),
                // What was played belongs to the one before, and what is claimed to the one from here on.
                Dimension::Rendition if now != before => {
                    let (past, future) = step.split();
                    if let Some(before) = &before {
                        share(values, dimension, before).count(&past, event, viewer, false);
                    }
                    if let Some(now) = &now {
                        share(values, dimension, now).count(&future, event, viewer, failed);
                    }
                    None
                }
                Dimension::Rendition => now.as_deref(),
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                share(values, dimension, value).count(step, event, viewer, failed);
            }
        }
    }

    fn error(&mut self, code: &str) -> &mut u64 {
        entry(&mut self.errors, code, ERRORS_MAX)
    }

    /// Adds another window.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        self.startup_ms.merge(&other.startup_ms);
        self.latency_ms.merge(&other.latency_ms);
        self.stall_ms.merge(&other.stall_ms);
        self.visible_us.merge(&other.visible_us);
        self.edge_us.merge(&other.edge_us);
        self.uniques.merge(&other.uniques);
        self.dropped_frames += other.dropped_frames;
        self.events += other.events;
        self.dropped_events += other.dropped_events;
        for (code, count) in &other.errors {
            // Bounds are for what comes from outside: what was counted once keeps its name.
            *entry(&mut self.errors, code, usize::MAX) += count;
        }
        for (values, others) in self.by.iter_mut().zip(&other.by) {
            for (value, share) in others {
                entry(values, value, usize::MAX).merge(share);
            }
        }
        self.ingest.merge(&other.ingest);
    }

    /// Forgets when within its time the values of dimensions were watched: for windows that are kept for long.
    pub fn coarsen(&mut self) {
        for (_, share) in self.by.iter_mut().flatten() {
            share.tally.cells = Cells::default();
        }
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.all.write(out);
        self.startup_ms.write(out);
        self.latency_ms.write(out);
        self.uniques.write(out);
        [self.dropped_frames, self.events, self.dropped_events].iter().for_each(|number| put(out, *number));
        put(out, self.errors.len() as u64);
        for (code, count) in &self.errors {
            put_text(out, code);
            put(out, *count);
        }
        for values in &self.by {
            put(out, values.len() as u64);
            for (value, share) in values {
                put_text(out, value);
                share.write(out);
            }
        }
        self.ingest.numbers().iter().for_each(|number| put(out, *number));
        [&self.stall_ms, &self.visible_us, &self.edge_us].iter().for_each(|sketch| sketch.write(out));
    }

    pub(crate) fn read(reader: &mut Reader<'_>, version: Version) -> Result<Self, Broken> {
        let mut window = Self {
            all: Tally::read(reader)?,
            startup_ms: Quantiles::default().read(reader)?,
            latency_ms: Quantiles::default().read(reader)?,
            uniques: Uniques::default().read(reader)?,
            dropped_frames: reader.number()?,
            events: reader.number()?,
            dropped_events: reader.number()?,
            ..Self::default()
        };
        for _ in 0..reader.count()? {
            let code = next_name(reader, &window.errors)?;
            window.errors.push((code, reader.number()?.min(COUNT_MAX)));
        }
        for values in &mut window.by {
            for _ in 0..reader.count()? {
                let value = next_name(reader, values)?;
                values.push((value, Share::read(reader, version)?));
            }
        }
        let mut numbers = [0; Ingest::NUMBERS];
        let written = if version < Version::Hops { Ingest::NUMBERS_BEFORE_HOPS } else { Ingest::NUMBERS };
        for number in numbers.iter_mut().take(written) {
            *number = reader.number()?.min(COUNT_MAX);
        }
        window.ingest = Ingest::of(numbers);
        if version >= Version::Hops {
            for sketch in [&mut window.stall_ms, &mut window.visible_us, &mut window.edge_us] {
                *sketch = Quantiles::default().read(reader)?;
            }
        }
        window.clamp();
        Ok(window)
    }

    /// Bounds what foreign bytes may claim, so that adding never overflows.
    fn clamp(&mut self) {
        for number in [&mut self.dropped_frames, &mut self.events, &mut self.dropped_events] {
            *number = (*number).min(COUNT_MAX);
        }
    }
}

/// Names are written in order and once: added up under one name, believable counts would pass their bound.
fn next_name<T>(reader: &mut Reader<'_>, before: &[(String, T)]) -> Result<String, Broken> {
    let name = reader.word(VALUE_BYTES_MAX)?;
    if before.last().is_some_and(|(last, _)| *last >= name) { Err(Broken) } else { Ok(name) }
}

/// Beyond, a count is not believed. A million of them fit into 64 bits.
const COUNT_MAX: u64 = 1 << 44;

/// The counter under a name, in order.
fn entry<'a, T: Default>(values: &'a mut Vec<(String, T)>, name: &str, max: usize) -> &'a mut T {
    let find = |values: &Vec<(String, T)>, name: &str| values.binary_search_by(|(known, _)| known.as_str().cmp(name));
    let at = match find(values, name) {
        Ok(at) => at,
        Err(at) if values.len() < max => {
            values.insert(at, (name.into(), T::default()));
            at
        }
        Err(_) => match find(values, OTHER) {
            Ok(at) => at,
            Err(at) => {
                values.insert(at, (OTHER.into(), T::default()));
                at
            }
        },
    };
    // The place was found or made above.
    &mut values[at].1
}

fn share<'a>(values: &'a mut Vec<(String, Share)>, dimension: Dimension, value: &str) -> &'a mut Share {
    entry(values, &word(value), dimension.values_max())
}

/// A value from outside: printable ASCII, of bounded length.
fn word(text: &str) -> String {
    text.chars().filter(|letter| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | ',')).take(VALUE_BYTES_MAX).collect()
}

impl Step {
    /// What concerns the time before the event, and the rest.
    fn split(&self) -> (Self, Self) {
        let past = Self {
            at_ms: self.at_ms,
            before_ms: self.before_ms,
            takes_back: self.takes_back,
            played_ms: self.played_ms,
            stalled_ms: self.stalled_ms,
            stalls: self.stalls,
            played_kbps: self.played_kbps,
            ..Self::default()
        };
        let future = Self { before_ms: None, takes_back: false, played_ms: 0, stalled_ms: 0, stalls: 0, ..*self };
        (past, future)
    }
}

/// What an event says of how long the first picture took, and of how far behind it is; of the latter only while something is played.
fn measured(step: &Step, event: &Event<'_>) -> (Option<u32>, Option<u32>) {
    (event.startup_ms.filter(|_| step.play), event.latency_ms.filter(|_| step.played_ms > 0))
}

impl Default for Share {
    fn default() -> Self {
        Self { tally: Tally::default(), startup_ms: Quantiles::small(), latency_ms: Quantiles::small(), uniques: Uniques::small() }
    }
}

impl Share {
    fn count(&mut self, step: &Step, event: &Event<'_>, viewer: &Viewer, failed: bool) {
        let (startup_ms, latency_ms) = measured(step, event);
        self.tally.count(step, failed);
        viewer.unique.into_iter().for_each(|unique| self.uniques.add(unique));
        startup_ms.into_iter().for_each(|ms| self.startup_ms.add(ms));
        latency_ms.into_iter().for_each(|ms| self.latency_ms.add(ms));
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.startup_ms.merge(&other.startup_ms);
        self.latency_ms.merge(&other.latency_ms);
        self.uniques.merge(&other.uniques);
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.tally.write(out);
        self.startup_ms.write(out);
        self.latency_ms.write(out);
        self.uniques.write(out);
    }

    fn read(reader: &mut Reader<'_>, version: Version) -> Result<Self, Broken> {
        let share = Self { tally: Tally::read(reader)?, ..Self::default() };
        Ok(match version {
            Version::Tallies => share,
            Version::Shares | Version::Hops => Self {
                startup_ms: share.startup_ms.read(reader)?,
                latency_ms: share.latency_ms.read(reader)?,
                uniques: share.uniques.read(reader)?,
                ..share
            },
        })
    }
}

impl Tally {
    fn count(&mut self, step: &Step, failed: bool) {
        if let Some(before_ms) = step.before_ms {
            // What was played takes the place of what the event before claimed.
            if step.takes_back {
                self.cells.spread(before_ms, before_ms + CLAIM_MS, -(CLAIM_MS as i64));
            }
            self.cells.spread(before_ms, step.at_ms, step.played_ms.into());
        }
        if step.claims {
            self.cells.spread(step.at_ms, step.at_ms + CLAIM_MS, CLAIM_MS as i64);
        }
        self.played_ms += u64::from(step.played_ms);
        self.stalled_ms += u64::from(step.stalled_ms);
        self.stalls += u64::from(step.stalls);
        self.attempts += u64::from(step.attempt);
        self.plays += u64::from(step.play);
        self.start_failures += u64::from(step.start_failure);
        self.exits_before_start += u64::from(step.exit_before_start);
        self.errors += u64::from(failed);
        self.kilobits += u64::from(step.played_kbps.unwrap_or(0)) * u64::from(step.played_ms) / 1000;
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        self.cells.merge(&other.cells);
        let mut numbers = self.numbers();
        numbers.iter_mut().zip(other.numbers()).for_each(|(mine, other)| *mine += other);
        self.set(numbers);
    }

    fn numbers(&self) -> [u64; 9] {
        [
            self.played_ms,
            self.stalled_ms,
            self.stalls,
            self.attempts,
            self.plays,
            self.start_failures,
            self.exits_before_start,
            self.errors,
            self.kilobits,
        ]
    }

    fn set(&mut self, numbers: [u64; 9]) {
        let [played_ms, stalled_ms, stalls, attempts, plays, start_failures, exits_before_start, errors, kilobits] = numbers;
        let cells = core::mem::take(&mut self.cells);
        *self = Self { cells, played_ms, stalled_ms, stalls, attempts, plays, start_failures, exits_before_start, errors, kilobits };
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.cells.write(out);
        self.numbers().iter().for_each(|number| put(out, *number));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Broken> {
        let mut tally = Self { cells: Cells::read(reader)?, ..Self::default() };
        let mut numbers = [0; 9];
        for number in &mut numbers {
            *number = reader.number()?.min(COUNT_MAX);
        }
        tally.set(numbers);
        Ok(tally)
    }
}

impl Ingest {
    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        let worst = |mine: u64, other: u64| mine.max(other);
        *self = Self {
            time_ms: self.time_ms + other.time_ms,
            bytes: self.bytes + other.bytes,
            frames: self.frames + other.frames,
            late_parts: self.late_parts + other.late_parts,
            drift_ms: worst(self.drift_ms, other.drift_ms),
            part_p50_ms: worst(self.part_p50_ms, other.part_p50_ms),
            part_p99_ms: worst(self.part_p99_ms, other.part_p99_ms),
            put_p50_ms: worst(self.put_p50_ms, other.put_p50_ms),
            put_p99_ms: worst(self.put_p99_ms, other.put_p99_ms),
        };
    }

    const NUMBERS: usize = 9;
    const NUMBERS_BEFORE_HOPS: usize = 7;

    /// As they are written: what is newer stands behind.
    fn numbers(&self) -> [u64; Self::NUMBERS] {
        [
            self.time_ms,
            self.bytes,
            self.frames,
            self.late_parts,
            self.drift_ms,
            self.put_p50_ms,
            self.put_p99_ms,
            self.part_p50_ms,
            self.part_p99_ms,
        ]
    }

    fn of(numbers: [u64; Self::NUMBERS]) -> Self {
        let [time_ms, bytes, frames, late_parts, drift_ms, put_p50_ms, put_p99_ms, part_p50_ms, part_p99_ms] = numbers;
        Self { time_ms, bytes, frames, late_parts, drift_ms, part_p50_ms, part_p99_ms, put_p50_ms, put_p99_ms }
    }
}
