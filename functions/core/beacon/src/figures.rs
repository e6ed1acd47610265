//! Windows as people and programs read them: names and whole numbers, as JSON and as CSV.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_stream::{Json, format_utc};

use crate::{
    cells::Cells,
    quantiles::Quantiles,
    window::{Dimension, Ingest, OTHER, Share, Tally, Window},
};

/// What was reported of a stretch of time.
#[derive(Clone, Debug)]
pub struct Figures<'a> {
    /// When it begins, in ms since 1970.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
    /// What was reported in it.
    pub window: &'a Window,
    /// When all was watched: reports of other stretches tell of this one too.
    pub cells: &'a Cells,
}

/// Places with fewer viewers are not told of by name.
const FEW: u64 = 5;
const QUANTILES: [(&str, u64); 4] = [("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990)];

impl Figures<'_> {
    fn numbers(&self) -> Vec<(&'static str, u64)> {
        let Window { all, uniques, dropped_frames, events, dropped_events, .. } = self.window;
        let (watched_ms, most_ms) = self.cells.watched(self.from_ms, self.to_ms);
        let length_ms = self.to_ms.saturating_sub(self.from_ms).max(1);
        let mut numbers = Vec::from([
            ("viewers", (watched_ms + length_ms / 2) / length_ms),
            ("viewers_peak", (most_ms + crate::CELL_MS / 2) / crate::CELL_MS),
            ("uniques", uniques.estimate()),
            ("watched_s", watched_ms / 1000),
        ]);
        numbers.extend(counts(all));
        numbers.extend([("dropped_frames", *dropped_frames), ("events", *events), ("dropped_events", *dropped_events)]);
        numbers
    }

    fn sketches(&self) -> [(&'static str, &Quantiles); 5] {
        let Window { startup_ms, latency_ms, stall_ms, visible_us, edge_us, .. } = self.window;
        [("startup_ms", startup_ms), ("latency_ms", latency_ms), ("stall_ms", stall_ms), ("visible_us", visible_us), ("edge_us", edge_us)]
    }

    /// How start-up times and stalls are spread, for a picture of it: objects of a lower bound and a count.
    #[must_use]
    pub fn spread(&self) -> Json {
        let Window { startup_ms, stall_ms, .. } = self.window;
        Json::object().with("startup_ms", histogram(startup_ms)).with("stall_ms", histogram(stall_ms))
    }

    /// As an object.
    #[must_use]
    pub fn json(&self) -> Json {
        let mut json = self.numbers().into_iter().fold(Json::object(), |json, (name, number)| json.with(name, number));
        for (name, sketch) in self.sketches() {
            json.set(name, quantiles(sketch));
        }
        let error = |(code, count): &(String, u64)| Json::object().with("code", code.as_str()).with("count", *count);
        json.with("errors", self.window.errors.iter().map(error).collect::<Vec<_>>())
    }

    /// The line over [`Self::csv`].
    #[must_use]
    pub fn csv_head(&self) -> String {
        let mut head = String::from("at");
        self.numbers().iter().for_each(|(name, _)| head.push_str(&format!(",{name}")));
        self.sketches().iter().for_each(|(name, _)| head_of(&mut head, name));
        head + ",error_count\n"
    }

    /// As a line.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut line = format_utc(self.from_ms);
        self.numbers().iter().for_each(|(_, number)| line.push_str(&format!(",{number}")));
        self.sketches().iter().for_each(|(_, sketch)| csv_of(&mut line, sketch));
        line + &format!(",{}\n", self.window.all.errors)
    }

    /// The values of a dimension as objects, those with most viewers first.
    #[must_use]
    pub fn by(&self, dimension: Dimension) -> Vec<Json> {
        let object = |(value, share): (String, Share)| {
            let json = Json::object().with("value", value);
            let mut json = self.share(&share).into_iter().fold(json, |json, (name, number)| json.with(name, number));
            share.sketches().iter().for_each(|(name, sketch)| json.set(name, quantiles(sketch)));
            json
        };
        self.most_first(dimension).into_iter().map(object).collect()
    }

    /// The values of a dimension as lines under a line of names.
    #[must_use]
    pub fn csv_by(&self, dimension: Dimension) -> String {
        let nobody = Share::default();
        let mut text = String::from(dimension.as_str());
        self.share(&nobody).iter().for_each(|(name, _)| text.push_str(&format!(",{name}")));
        nobody.sketches().iter().for_each(|(name, _)| head_of(&mut text, name));
        for (value, share) in self.most_first(dimension) {
            // A sheet takes a value that begins like a formula for one.
            let mark = if value.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
            text.push_str(&format!("\n{mark}{value}"));
            self.share(&share).iter().for_each(|(_, number)| text.push_str(&format!(",{number}")));
            share.sketches().iter().for_each(|(_, sketch)| csv_of(&mut text, sketch));
        }
        text + "\n"
    }

    fn share(&self, share: &Share) -> Vec<(&'static str, u64)> {
        let Share { tally, uniques, .. } = share;
        let length_ms = self.to_ms.saturating_sub(self.from_ms).max(1);
        let viewers = (tally.played_ms + length_ms / 2) / length_ms;
        let mut row = Vec::from([("viewers", viewers), ("uniques", uniques.estimate()), ("watched_s", tally.played_ms / 1000)]);
        row.extend(counts(tally));
        row.push(("error_count", tally.errors));
        row
    }

    fn most_first(&self, dimension: Dimension) -> Vec<(String, Share)> {
        by_most(self.shares(dimension), |share| share.tally.played_ms)
    }

    /// The values of a dimension in order, with places of a few people added up.
    pub(crate) fn shares(&self, dimension: Dimension) -> Vec<(String, Share)> {
        let length_ms = self.to_ms.saturating_sub(self.from_ms).max(1);
        let shares = self.window.by.get(dimension as usize).map_or(&[][..], Vec::as_slice);
        let many = |Share { tally, .. }: &Share| tally.attempts.max(tally.plays).max(tally.played_ms / length_ms) >= FEW;
        add_up_few(dimension, shares, many)
    }
}

impl Share {
    fn sketches(&self) -> [(&'static str, &Quantiles); 2] {
        [("startup_ms", &self.startup_ms), ("latency_ms", &self.latency_ms)]
    }
}

/// The names of a sketch's columns, behind others.
fn head_of(head: &mut String, name: &str) {
    head.push_str(&format!(",{name}_count"));
    QUANTILES.iter().for_each(|(quantile, _)| head.push_str(&format!(",{name}_{quantile}")));
}

/// And what stands in them.
fn csv_of(line: &mut String, sketch: &Quantiles) {
    line.push_str(&format!(",{}", sketch.count()));
    for (_, per_mille) in QUANTILES {
        line.push_str(&format!(",{}", sketch.at(per_mille).map_or_else(String::new, |value| value.to_string())));
    }
}

fn counts(tally: &Tally) -> [(&'static str, u64); 7] {
    [
        ("attempts", tally.attempts),
        ("plays", tally.plays),
        ("start_failures", tally.start_failures),
        ("exits_before_start", tally.exits_before_start),
        ("rebuffers", tally.stalls),
        ("rebuffer_ppm", (tally.stalled_ms * 1_000_000).checked_div(tally.stalled_ms + tally.played_ms).unwrap_or(0)),
        ("bitrate_bps", (tally.kilobits * 1_000_000).checked_div(tally.played_ms).unwrap_or(0)),
    ]
}

/// Where the bars of a histogram begin.
const STEPS_MS: [u32; 12] = [0, 50, 100, 200, 300, 500, 750, 1000, 2000, 5000, 10_000, 30_000];

/// How many values lie between two steps; a class of a sketch is counted where it begins.
fn histogram(sketch: &Quantiles) -> Vec<Json> {
    let mut counts = [0u64; STEPS_MS.len()];
    for (low, _, count) in sketch.classes() {
        let at = STEPS_MS.partition_point(|step| *step <= low).saturating_sub(1);
        if let Some(known) = counts.get_mut(at) {
            *known += u64::from(count);
        }
    }
    let bar = |(from_ms, count): (&u32, &u64)| Json::object().with("from_ms", *from_ms).with("count", *count);
    STEPS_MS.iter().zip(&counts).map(bar).collect()
}

fn quantiles(sketch: &Quantiles) -> Json {
    let count = sketch.count();
    if count == 0 {
        return Json::Null;
    }
    let at = |json: Json, (name, per_mille): (&str, u64)| json.with(name, sketch.at(per_mille));
    QUANTILES.into_iter().fold(Json::object().with("count", count), at)
}

/// Adds up what are places of a few people.
fn add_up_few(dimension: Dimension, shares: &[(String, Share)], many: impl Fn(&Share) -> bool) -> Vec<(String, Share)> {
    let mut kept: Vec<(String, Share)> = Vec::new();
    let mut other = Share::default();
    let is_place = matches!(dimension, Dimension::Country | Dimension::Region | Dimension::Network);
    for (value, share) in shares {
        if value == OTHER || (is_place && !many(share)) {
            other.merge(share);
        } else {
            kept.push((value.clone(), share.clone()));
        }
    }
    if other != Share::default() {
        kept.push((OTHER.into(), other));
    }
    kept
}

/// Those with most first, and the rest at the end. By insertion, of some hundred: the library's sorting is 5 kB in the component.
fn by_most(shares: Vec<(String, Share)>, most: impl Fn(&Share) -> u64) -> Vec<(String, Share)> {
    let mut sorted: Vec<(String, Share)> = Vec::with_capacity(shares.len());
    for (value, share) in shares {
        let before = |(other, known): &(String, Share)| other != OTHER && (value == OTHER || most(known) >= most(&share));
        let at = sorted.iter().position(|known| !before(known)).unwrap_or(sorted.len());
        sorted.insert(at, (value, share));
    }
    sorted
}

/// Viewers at this moment by the values of a dimension, most first.
pub(crate) fn viewers_by(dimension: Dimension, shares: &[(String, Share)], at_ms: u64) -> Vec<Json> {
    let viewers = |share: &Share| (share.tally.cells.viewers_milli(at_ms) + 500) / 1000;
    by_most(add_up_few(dimension, shares, |share| viewers(share) >= FEW), viewers)
        .into_iter()
        .filter(|(_, share)| viewers(share) > 0)
        .map(|(value, share)| Json::object().with("value", value).with("viewers", viewers(&share)))
        .collect()
}

impl Ingest {
    /// As an object; null where nothing was measured.
    #[must_use]
    pub fn json(&self, at_ms: u64) -> Json {
        if self.time_ms == 0 {
            return Json::Null;
        }
        Json::object()
            .with("at", format_utc(at_ms))
            .with("bitrate_bps", self.bytes * 8000 / self.time_ms)
            .with("frames_per_s_milli", self.frames * 1_000_000 / self.time_ms)
            .with("drift_ms", self.drift_ms)
            .with("late_parts", self.late_parts)
            .with("part_ms", Json::object().with("p50", self.part_p50_ms).with("p99", self.part_p99_ms))
            .with("put_ms", Json::object().with("p50", self.put_p50_ms).with("p99", self.put_p99_ms))
    }
}
