use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use tidegate_stream::{InstanceId, Json, StreamId, format_utc};

use crate::{
    figures::viewers_by,
    report::{Ending, Report},
    rollup::Lost,
    window::{Dimension, Ingest, Share, Window},
};

/// Adds up what edges have written: viewers at this moment, and the windows of minutes for hours and days. One process at a time does
/// this; which one, and how objects are read and written, is not known here.
#[derive(Debug)]
pub struct Compactor {
    /// Every minute up to this one has been settled.
    settled: u64,
    /// Every hour up to this one is in a table.
    tabled: u64,
    minutes: BTreeMap<u64, Minute>,
    open: BTreeMap<InstanceId, Report>,
    shown: BTreeMap<StreamId, Shown>,
}

#[derive(Debug, Default)]
struct Minute {
    reports: BTreeMap<InstanceId, Report>,
    listed_ms: u64,
    changed: bool,
}

#[derive(Debug, Default)]
struct Shown {
    viewers: u64,
    at_ms: u64,
    peak: u64,
    day: u64,
}

/// A minute as far as it is known, to take the place of what was known of it before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Minutes since 1970.
    pub minute: u64,
    /// All that was reported in it.
    pub windows: BTreeMap<StreamId, Window>,
    /// Edges that stopped in it.
    pub lost: Vec<Lost>,
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MINUTES: u64 = 60;
const DAY_MS: u64 = 86_400_000;
/// Instances write a minute within seconds of its end.
const SETTLE_MS: u64 = 10_000;
/// How many minutes back somebody may still write: what the store did not take at once.
const LATE_MINUTES: u64 = 10;
/// Minutes that are listed every [`YOUNG_MS`]; older ones once a minute.
const YOUNG_MINUTES: u64 = 2;
const YOUNG_MS: u64 = 10_000;
/// A minute is listed at each look for so long after its end: then instances close it, and what it says of this moment would be missed.
const CLOSING_MS: u64 = 15_000;
/// Minutes that one look goes through after a time in which nobody looked.
const BEHIND_MINUTES: usize = 60;
/// An instance that has not closed its minute so long after it is gone.
const ABANDONED_MS: u64 = 60_000;
/// An open report that is older says nothing about this moment.
const OPEN_MS: u64 = 60_000;
/// The minutes whose reports say something about this moment: claims reach 35 s ahead.
const NOW_MINUTES: u64 = 3;
/// How old what is shown of a stream with viewers gets.
const SHOW_MS: u64 = 10_000;

impl Compactor {
    /// Goes on after this minute, and with tables after this hour; the first of all begins with the hour of its first minute.
    #[must_use]
    pub fn new(settled: u64, tabled: Option<u64>) -> Self {
        let tabled = tabled.unwrap_or_else(|| (settled / HOUR_MINUTES).saturating_sub(1));
        Self { settled, tabled, minutes: BTreeMap::new(), open: BTreeMap::new(), shown: BTreeMap::new() }
    }

    /// Every minute up to this one is in its hour.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Every hour up to this one is in a table.
    #[must_use]
    pub fn tabled(&self) -> u64 {
        self.tabled
    }

    /// The next hour to make a table of: nothing is added to it any more. [`Self::table_written`] has to follow.
    #[must_use]
    pub fn table_due(&self) -> Option<u64> {
        let hour = self.tabled + 1;
        (self.settled + 1 >= (hour + 1) * HOUR_MINUTES + LATE_MINUTES).then_some(hour)
    }

    /// The hour of [`Self::table_due`] is in a table.
    pub fn table_written(&mut self) {
        self.tabled += 1;
    }

    /// Whether there are more minutes to go through than one look does.
    #[must_use]
    pub fn is_behind(&self, now_ms: u64) -> bool {
        self.settled + BEHIND_MINUTES as u64 / 2 < now_ms / MINUTE_MS
    }

    /// The minutes whose reports are to be listed at this time, oldest first.
    pub fn to_list(&mut self, now_ms: u64) -> Vec<u64> {
        let now = now_ms / MINUTE_MS;
        let first = (self.settled + 1).saturating_sub(LATE_MINUTES).min(now);
        let mut minutes = Vec::new();
        for minute in first..=now {
            let known = self.minutes.entry(minute).or_default();
            let is_closing = minute + 1 == now && now_ms % MINUTE_MS < CLOSING_MS;
            let is_young = minute + YOUNG_MINUTES >= now;
            let again_ms = if is_closing {
                0
            } else if is_young {
                YOUNG_MS
            } else {
                MINUTE_MS
            };
            if known.listed_ms == 0 || now_ms >= known.listed_ms + again_ms {
                known.listed_ms = now_ms;
                minutes.push(minute);
                if minutes.len() >= BEHIND_MINUTES {
                    break;
                }
            }
        }
        minutes
    }

    /// Whether this report has been read.
    #[must_use]
    pub fn has(&self, minute: u64, instance: InstanceId) -> bool {
        self.minutes.get(&minute).is_some_and(|minute| minute.reports.contains_key(&instance))
    }

    /// Takes what an instance has counted in a minute.
    pub fn take(&mut self, report: Report) {
        if self.open.get(&report.instance).is_some_and(|open| open.minute <= report.minute) {
            self.open.remove(&report.instance);
        }
        let minute = self.minutes.entry(report.minute).or_default();
        minute.changed |= minute.reports.insert(report.instance, report).is_none();
    }

    /// Takes an open minute in place of what was known of the instance.
    pub fn take_open(&mut self, report: Report) {
        if !self.has(report.minute, report.instance) {
            self.open.insert(report.instance, report);
        }
    }

    /// Reports of instances that are gone, to be written in their place; and instances whose open object says nothing any more.
    pub fn abandoned(&mut self, now_ms: u64) -> (Vec<Report>, Vec<InstanceId>) {
        let is_over = |report: &Report| (report.minute + 1) * MINUTE_MS + ABANDONED_MS < now_ms;
        let gone: Vec<InstanceId> = self.open.values().filter(|report| is_over(report)).map(|report| report.instance).collect();
        let mut adopted = Vec::new();
        for instance in &gone {
            if let Some(report) = self.open.remove(instance) {
                adopted.push(Report { ending: Ending::Adopted, ..report });
            }
        }
        (adopted, gone)
    }

    /// What is to be shown of streams at this moment, where it has changed or grows old.
    pub fn latest(&mut self, now_ms: u64) -> Vec<(StreamId, Json)> {
        let now = now_ms / MINUTE_MS;
        let mut windows: BTreeMap<&StreamId, (Window, u64, Vec<Lost>)> = BTreeMap::new();
        let closed = self.minutes.range(now.saturating_sub(NOW_MINUTES)..).flat_map(|(_, minute)| minute.reports.values());
        let open = self.open.values().filter(|report| report.written_utc_ms + OPEN_MS > now_ms);
        let mut ingest: BTreeMap<&StreamId, (u64, Ingest)> = BTreeMap::new();
        for report in closed.chain(open) {
            for (stream, window) in &report.windows {
                let (sum, heard_ms, lost) = windows.entry(stream).or_default();
                merge_now(sum, window);
                *heard_ms = (*heard_ms).max(report.written_utc_ms);
                lost.extend(of_report(report));
                if window.ingest.time_ms > 0 && report.written_utc_ms + OPEN_MS > now_ms {
                    let newest = ingest.entry(stream).or_default();
                    if report.written_utc_ms > newest.0 {
                        *newest = (report.written_utc_ms, window.ingest.clone());
                    }
                }
            }
        }
        let (day, mut changed) = (now_ms / DAY_MS, Vec::new());
        for (stream, (window, heard_ms, lost)) in windows {
            let viewers = (window.all.cells.viewers_milli(now_ms) + 500) / 1000;
            let shown = self.shown.entry(stream.clone()).or_default();
            if shown.day != day {
                (shown.day, shown.peak) = (day, 0);
            }
            let news = viewers != shown.viewers || shown.at_ms == 0 || (heard_ms > shown.at_ms && now_ms >= shown.at_ms + SHOW_MS / 2);
            let old = viewers > 0 && now_ms >= shown.at_ms + SHOW_MS;
            if !(news || old) {
                continue;
            }
            (shown.viewers, shown.at_ms, shown.peak) = (viewers, now_ms, shown.peak.max(viewers));
            let by = Dimension::ALL.into_iter().zip(&window.by);
            let by =
                by.fold(Json::object(), |json, (dimension, shares)| json.with(dimension.as_str(), viewers_by(dimension, shares, now_ms)));
            let (ingest_ms, ingest) = ingest.remove(stream).unwrap_or_default();
            let json = Json::object()
                .with("stream", stream.as_str())
                .with("at", format_utc(now_ms))
                .with("viewers", viewers)
                .with("peak_today", shown.peak)
                .with("by", by)
                .with("ingest", ingest.json(ingest_ms))
                .with("lost", lost.iter().map(Lost::json).collect::<Vec<_>>());
            changed.push((stream.clone(), json));
        }
        changed
    }

    /// Takes what was shown of a stream before this process did, so that the peak of the day stays.
    pub fn recall(&mut self, stream: &StreamId, peak: u64, at_ms: u64) {
        self.shown.insert(stream.clone(), Shown { peak, day: at_ms / DAY_MS, at_ms, viewers: u64::MAX });
    }

    /// Whether something has been shown of the stream.
    #[must_use]
    pub fn has_shown(&self, stream: &StreamId) -> bool {
        self.shown.contains_key(stream)
    }

    /// The streams that are heard of in minutes that are in memory.
    pub fn streams(&self) -> BTreeSet<StreamId> {
        let reports = self.minutes.values().flat_map(|minute| minute.reports.values()).chain(self.open.values());
        reports.flat_map(|report| report.windows.iter().map(|(stream, _)| stream.clone())).collect()
    }

    /// The oldest minute that is over and of which something new is known. Once it is written, [`Self::written`] has to follow.
    #[must_use]
    pub fn settle(&self, now_ms: u64) -> Option<Settled> {
        let (minute, known) =
            self.minutes.iter().find(|(minute, known)| known.changed && (*minute + 1) * MINUTE_MS + SETTLE_MS <= now_ms)?;
        let mut settled = Settled { minute: *minute, windows: BTreeMap::new(), lost: Vec::new() };
        for report in known.reports.values() {
            settled.lost.extend(of_report(report));
            for (stream, window) in &report.windows {
                settled.windows.entry(stream.clone()).or_default().merge(window);
            }
        }
        Some(settled)
    }

    /// A minute of [`Self::settle`] is in its hours.
    pub fn written(&mut self, minute: u64) {
        if let Some(known) = self.minutes.get_mut(&minute) {
            known.changed = false;
        }
    }

    /// Forgets what is over.
    pub fn forget(&mut self, now_ms: u64) {
        let settled = (now_ms.saturating_sub(SETTLE_MS) / MINUTE_MS).saturating_sub(1);
        let unsettled = self.minutes.iter().find(|(_, known)| known.changed || known.listed_ms == 0).map(|(minute, _)| *minute);
        self.settled = self.settled.max(settled.min(unsettled.map_or(u64::MAX, |minute| minute.saturating_sub(1))));
        let first = (self.settled + 1).saturating_sub(LATE_MINUTES);
        self.minutes = self.minutes.split_off(&first);
        self.shown.retain(|_, shown| shown.viewers > 0 || shown.at_ms + DAY_MS > now_ms);
    }
}

/// Only what says something about this moment.
fn merge_now(sum: &mut Window, window: &Window) {
    sum.all.cells.merge(&window.all.cells);
    for (values, others) in sum.by.iter_mut().zip(&window.by) {
        for (value, share) in others {
            let at = match values.binary_search_by(|(known, _)| known.cmp(value)) {
                Ok(at) => at,
                Err(at) => {
                    values.insert(at, (value.clone(), Share::default()));
                    at
                }
            };
            if let Some((_, known)) = values.get_mut(at) {
                known.tally.cells.merge(&share.tally.cells);
            }
        }
    }
}

fn of_report(report: &Report) -> Option<Lost> {
    let to_utc_ms = (report.minute + 1) * MINUTE_MS;
    (report.ending == Ending::Adopted).then(|| Lost { edge: report.edge.clone(), from_utc_ms: report.written_utc_ms, to_utc_ms })
}

impl Lost {
    /// As an object.
    #[must_use]
    pub fn json(&self) -> Json {
        Json::object().with("edge", self.edge.as_str()).with("from", format_utc(self.from_utc_ms)).with("to", format_utc(self.to_utc_ms))
    }
}
