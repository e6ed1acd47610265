//! Adds up what edges have counted: one process at a time, by a lease in the bucket. What is done is decided in `tidegate-beacon`;
//! here objects are listed, read and written.

mod care;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tidegate_beacon::{Cells, Compactor, Report, Rollup, Settled};
use tidegate_stream::{AnalyticsKey, InstanceId, Json, Key, StreamId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::{care::Care, table::Table};
use crate::{
    metrics::Metrics,
    store::{AnyListing, Bucket, Condition, Etag, Listing, PutError, StoreError},
};

/// How often open minutes are listed: edges write them every 5 s, and what is listed is paid for.
const LOOK: Duration = Duration::from_secs(3);
/// The pause between looks of one who is behind.
const CATCH_UP: Duration = Duration::from_millis(50);
/// How often somebody who does not hold the lease asks for it, and how often its holder says that it is there.
const LEASE_EVERY_MS: u64 = 8_000;
/// A holder that has not said so for this long is gone.
const LEASE_MS: u64 = 20_000;
/// How often the hours of a day are written. A successor looks 10 minutes back, so it is less.
const DAY_EVERY_MS: u64 = 300_000;
/// Objects of one folder that are read at one look.
const LISTED_MAX: usize = 2_000;
/// Hours of streams that are kept in memory between two minutes.
const HOURS_KEPT: usize = 4_000;
/// Streams of one table.
const TABLE_STREAMS_MAX: usize = 20_000;
/// A table is made in memory.
const TABLE_BYTES_MAX: usize = 128 << 20;
/// Minutes that are this far back are added up no more, and their values of dimensions are put together.
const FOLD_MINUTES: u64 = 15;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// Where a first compactor begins: what lay there before is not added up.
const FIRST_MINUTES: u64 = 60;

/// Adds up until `stop`, whenever no other process does. What viewers report is among `metrics` as long.
#[must_use = "nothing happens before it is awaited"]
pub fn compact(store: impl Bucket + Listing, metrics: Arc<Metrics>, stop: CancellationToken) -> BoxFuture<'static, ()> {
    go_on(AnyListing::new(store), metrics, stop)
}

// Polled through a pointer, so that it is compiled in this crate.
fn go_on(store: AnyListing, metrics: Arc<Metrics>, stop: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(add_up(store, metrics, stop))
}

async fn add_up(store: AnyListing, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut random = [0; 8];
    random.copy_from_slice(&tidegate_stream::Hash::of(format!("{:?} {}", SystemTime::now(), std::process::id()).as_bytes()).0[..8]);
    let holder = InstanceId(u64::from_le_bytes(random)).to_string();
    let mut lease: Option<(Etag, u64)> = None;
    let mut work: Option<Work> = None;
    let mut care = Care::new(store.clone());
    loop {
        let now_ms = now_ms();
        let due = lease.as_ref().is_none_or(|(_, at_ms)| now_ms >= at_ms + LEASE_EVERY_MS);
        if due {
            match hold(&store, &holder, work.as_ref().map(|work| &work.compactor), now_ms).await {
                Ok(Some((etag, begin, tabled))) => {
                    if work.is_none() {
                        info!(minute = begin, "adding up what viewers report");
                    }
                    work.get_or_insert_with(|| Work::new(begin, tabled, now_ms));
                    lease = Some((etag, now_ms));
                }
                Ok(None) => {
                    lease = None;
                    work = None;
                    metrics.audience().clear();
                }
                Err(error) => warn!(%error, "the lease for figures of viewers cannot be had"),
            }
        }
        let mut failed = false;
        if let (Some(work), Some((_, held_ms))) = (&mut work, &lease)
            && now_ms < held_ms + LEASE_MS / 2
        {
            if let Err(error) = work.look(&store, &metrics, now_ms).await {
                warn!(%error, "figures of viewers are late");
                failed = true;
            }
            std::mem::take(&mut work.viewers).iter().for_each(|(stream, viewers)| care.hear(stream, *viewers));
            care.look(work.compactor.streams(), now_ms).await;
        }
        let pause = match &work {
            // After a time in which nobody looked.
            Some(work) if !failed && work.compactor.is_behind(now_ms) => CATCH_UP,
            Some(_) => LOOK,
            None => Duration::from_millis(LEASE_EVERY_MS),
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    // The next one need not wait until the lease is over.
    if let (Some(work), Some((etag, _))) = (work, lease) {
        let document = lease_document("", work.compactor.settled(), work.compactor.tabled(), 0);
        let _ = store.put(&AnalyticsKey::Lease.into(), document, Condition::Match(etag)).await;
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn lease_document(holder: &str, settled: u64, tabled: u64, until_ms: u64) -> Bytes {
    let document = Json::object().with("holder", holder).with("minute", settled).with("table_hour", tabled);
    document.with("until_ms", until_ms).to_bytes().into()
}

/// Takes or keeps the lease; the minute and the hour after which to go on, or `None` where somebody else has it.
async fn hold(store: &AnyListing, holder: &str, mine: Option<&Compactor>, now_ms: u64) -> Result<Option<(Etag, u64, u64)>, StoreError> {
    let key: Key = AnalyticsKey::Lease.into();
    let there = store.get(&key).await?;
    let (condition, known) = match &there {
        None => (Condition::Absent, None),
        Some(object) => (Condition::Match(object.etag.clone()), Json::parse(&object.bytes).ok()),
    };
    let is_ours = known.as_ref().is_some_and(|known| known.text_of("holder") == holder);
    if known.as_ref().is_some_and(|known| !is_ours && known.number_of("until_ms") > now_ms) {
        return Ok(None);
    }
    let begin = known.as_ref().map_or_else(|| (now_ms / MINUTE_MS).saturating_sub(FIRST_MINUTES), |known| known.number_of("minute"));
    let begin = mine.map_or(begin, |mine| mine.settled().max(begin));
    let tabled = known.filter(|known| known.get("table_hour").is_some()).map(|known| known.number_of("table_hour"));
    let tabled = mine.map_or_else(|| Compactor::new(begin, tabled).tabled(), Compactor::tabled);
    match store.put(&key, lease_document(holder, begin, tabled, now_ms + LEASE_MS), condition).await {
        Ok(etag) => Ok(Some((etag, begin, tabled))),
        Err(PutError::Exists | PutError::Changed) => Ok(None),
        Err(PutError::Unavailable(why)) => Err(StoreError::Unavailable(why)),
        Err(PutError::Refused(why)) => Err(StoreError::Refused(why)),
    }
}

struct Work {
    compactor: Compactor,
    /// The state in which each open minute was read, and of which minute it is.
    open: BTreeMap<InstanceId, (Etag, u64)>,
    hours: BTreeMap<(u64, StreamId), Rollup>,
    /// Hours that have changed since the days were written.
    changed: BTreeSet<(u64, StreamId)>,
    days_ms: u64,
    salted_day: u64,
    /// What was shown in this look.
    viewers: Vec<(StreamId, u64)>,
}

impl Work {
    fn new(settled: u64, tabled: u64, now_ms: u64) -> Self {
        let compactor = Compactor::new(settled, Some(tabled));
        Self {
            compactor,
            open: BTreeMap::new(),
            hours: BTreeMap::new(),
            changed: BTreeSet::new(),
            days_ms: now_ms,
            salted_day: 0,
            viewers: Vec::new(),
        }
    }

    async fn look(&mut self, store: &AnyListing, metrics: &Metrics, now_ms: u64) -> Result<(), StoreError> {
        self.read_minutes(store, now_ms).await?;
        self.read_open(store, now_ms).await?;
        self.show(store, now_ms).await?;
        self.viewers.iter().for_each(|(stream, viewers)| metrics.audience().show(stream, *viewers, now_ms));
        while let Some(settled) = self.compactor.settle(now_ms) {
            let minute = settled.minute;
            metrics.audience().settle(&settled);
            self.write_hours(store, settled).await?;
            self.compactor.written(minute);
        }
        self.compactor.forget(now_ms);
        if now_ms >= self.days_ms + DAY_EVERY_MS {
            self.write_days(store).await?;
            self.days_ms = now_ms;
        }
        if let Some(hour) = self.compactor.table_due() {
            self.write_tables(store, hour).await?;
            self.compactor.table_written();
        }
        self.delete_salts(store, now_ms).await
    }

    async fn read_minutes(&mut self, store: &AnyListing, now_ms: u64) -> Result<(), StoreError> {
        for minute in self.compactor.to_list(now_ms) {
            for (key, _) in store.list(&AnalyticsKey::minute_folder(minute), LISTED_MAX).await? {
                let Key::Analytics(AnalyticsKey::Minute { instance, .. }) = key else { continue };
                if self.compactor.has(minute, instance) {
                    continue;
                }
                if let Some(report) = read(store, &key).await?.filter(|report| report.minute == minute && report.instance == instance) {
                    self.compactor.take(report);
                }
            }
        }
        Ok(())
    }

    async fn read_open(&mut self, store: &AnyListing, now_ms: u64) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for (key, etag) in store.list(AnalyticsKey::OPEN_FOLDER, LISTED_MAX).await? {
            let Key::Analytics(AnalyticsKey::Open { instance }) = key else { continue };
            match self.open.get(&instance) {
                Some((known, minute)) if *known == etag => {
                    // It was closed long ago, and its instance has nothing more to say.
                    if (minute + 30) * MINUTE_MS < now_ms {
                        gone.push(instance);
                    }
                }
                _ => {
                    if let Some(report) = read(store, &key).await?.filter(|report| report.instance == instance) {
                        self.open.insert(instance, (etag, report.minute));
                        self.compactor.take_open(report);
                    }
                }
            }
        }
        let (adopted, over) = self.compactor.abandoned(now_ms);
        for report in adopted {
            warn!(edge = report.edge, minute = report.minute, "an edge has stopped without closing its minute; its last seconds are lost");
            let key: Key = AnalyticsKey::Minute { minute: report.minute, instance: report.instance }.into();
            match store.put(&key, report.encode().into(), Condition::Absent).await {
                Ok(_) => self.compactor.take(report),
                // It was there all the time; the minute is read from there.
                Err(PutError::Exists | PutError::Changed) => {}
                Err(PutError::Unavailable(why) | PutError::Refused(why)) => return Err(StoreError::Unavailable(why)),
            }
        }
        gone.extend(over);
        if !gone.is_empty() {
            gone.iter().for_each(|instance| drop(self.open.remove(instance)));
            let keys: Vec<Key> = gone.into_iter().map(|instance| AnalyticsKey::Open { instance }.into()).collect();
            store.delete(&keys).await?;
        }
        Ok(())
    }

    async fn show(&mut self, store: &AnyListing, now_ms: u64) -> Result<(), StoreError> {
        for stream in self.compactor.streams() {
            if self.compactor.has_shown(&stream) {
                continue;
            }
            // The peak of the day stays when another process takes over.
            let key = AnalyticsKey::Latest { stream: stream.clone() }.into();
            if let Some(shown) = store.get(&key).await?.and_then(|object| Json::parse(&object.bytes).ok()) {
                let at_ms = tidegate_stream::parse_utc(shown.text_of("at")).unwrap_or(0);
                self.compactor.recall(&stream, shown.number_of("peak_today"), at_ms);
            }
        }
        for (stream, json) in self.compactor.latest(now_ms) {
            debug!(%stream, viewers = json.number_of("viewers"), "viewers");
            self.viewers.push((stream.clone(), json.number_of("viewers")));
            overwrite(store, AnalyticsKey::Latest { stream }, json.to_bytes()).await?;
        }
        Ok(())
    }

    async fn write_hours(&mut self, store: &AnyListing, settled: Settled) -> Result<(), StoreError> {
        let hour = settled.minute * MINUTE_MS / HOUR_MS;
        if self.hours.len() > HOURS_KEPT {
            self.hours.clear();
        }
        for (stream, window) in settled.windows {
            let rollup = hour_of(&mut self.hours, store, hour, &stream).await?;
            rollup.windows.insert(settled.minute, window);
            rollup.fold(settled.minute.saturating_sub(FOLD_MINUTES));
            settled.lost.iter().for_each(|lost| rollup.add_lost(lost));
            let bytes = rollup.encode();
            overwrite(store, AnalyticsKey::Hour { stream: stream.clone(), hour }, bytes).await?;
            self.changed.insert((hour, stream));
        }
        self.hours.retain(|(known, _), _| *known + 1 >= hour);
        Ok(())
    }

    async fn write_days(&mut self, store: &AnyListing) -> Result<(), StoreError> {
        while let Some((hour, stream)) = self.changed.first().cloned() {
            let rollup = hour_of(&mut self.hours, store, hour, &stream).await?;
            let (mut sum, lost) = (tidegate_beacon::Window::default(), rollup.lost.clone());
            rollup.windows.values().for_each(|window| sum.merge(window));
            sum.coarsen();
            let day = hour * HOUR_MS / DAY_MS;
            let key = AnalyticsKey::Day { stream: stream.clone(), day };
            let mut rollup = read_rollup(store, &key.clone().into()).await?;
            rollup.windows.insert(hour, sum);
            lost.iter().for_each(|lost| rollup.add_lost(lost));
            overwrite(store, key, rollup.encode()).await?;
            self.changed.remove(&(hour, stream));
        }
        Ok(())
    }

    /// The table of an hour that is over, and of a day that is over with it.
    async fn write_tables(&mut self, store: &AnyListing, hour: u64) -> Result<(), StoreError> {
        let key = |stream, hour| AnalyticsKey::Hour { stream, hour };
        write_table(store, AnalyticsKey::HourTable { hour }, &AnalyticsKey::hour_folder(hour), (hour, key), MINUTE_MS).await?;
        let day = hour * HOUR_MS / DAY_MS;
        if ((hour + 1) * HOUR_MS).is_multiple_of(DAY_MS) {
            self.write_days(store).await?;
            let key = |stream, day| AnalyticsKey::Day { stream, day };
            write_table(store, AnalyticsKey::DayTable { day }, &AnalyticsKey::day_folder(day), (day, key), HOUR_MS).await?;
        }
        Ok(())
    }

    /// From then on nobody can tell who watched two days ago.
    async fn delete_salts(&mut self, store: &AnyListing, now_ms: u64) -> Result<(), StoreError> {
        let day = now_ms / DAY_MS;
        if self.salted_day != day {
            let keys: Vec<Key> = (2..9).map(|ago| AnalyticsKey::Salt { day: day.saturating_sub(ago) }.into()).collect();
            store.delete(&keys).await?;
            self.salted_day = day;
        }
        Ok(())
    }
}

/// Puts the rollups of all streams of a stretch of time into one file; none where there are none.
async fn write_table(
    store: &AnyListing,
    table_key: AnalyticsKey,
    folder: &str,
    (number, key_of): (u64, impl Fn(StreamId, u64) -> AnalyticsKey),
    row_ms: u64,
) -> Result<(), StoreError> {
    let refused = |error: parquet::errors::ParquetError| StoreError::Refused(format!("figures do not fit into a table: {error}"));
    let mut table = Table::new().map_err(refused)?;
    let mut streams = 0;
    for (key, _) in store.list(folder, TABLE_STREAMS_MAX).await? {
        let Key::Analytics(AnalyticsKey::Hour { stream, .. } | AnalyticsKey::Day { stream, .. }) = key else { continue };
        if table.len() > TABLE_BYTES_MAX {
            warn!(%table_key, streams, "a table of figures is full; the other streams are left out");
            break;
        }
        let key = key_of(stream.clone(), number);
        let mut rollup = read_rollup(store, &key.clone().into()).await?;
        // What was watched at the edges of this time is told before and after it too.
        let mut cells = Cells::default();
        for number in [number.saturating_sub(1), number + 1] {
            let beside = read_rollup(store, &key_of(stream.clone(), number).into()).await?;
            beside.windows.values().for_each(|window| cells.merge(&window.all.cells));
        }
        rollup.windows.values().for_each(|window| cells.merge(&window.all.cells));
        table.add(&stream, tidegate_beacon::rows(&rollup.windows, row_ms, &cells)).map_err(refused)?;
        streams += 1;
        // Nothing is added to an hour any more.
        if row_ms == MINUTE_MS && rollup.fold(u64::MAX) {
            overwrite(store, key, rollup.encode()).await?;
        }
    }
    if streams > 0 {
        overwrite(store, table_key, table.finish().map_err(refused)?).await?;
    }
    Ok(())
}

async fn hour_of<'a>(
    hours: &'a mut BTreeMap<(u64, StreamId), Rollup>,
    store: &AnyListing,
    hour: u64,
    stream: &StreamId,
) -> Result<&'a mut Rollup, StoreError> {
    use std::collections::btree_map::Entry;
    match hours.entry((hour, stream.clone())) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(place) => {
            let rollup = read_rollup(store, &AnalyticsKey::Hour { stream: stream.clone(), hour }.into()).await?;
            Ok(place.insert(rollup))
        }
    }
}

async fn read_rollup(store: &AnyListing, key: &Key) -> Result<Rollup, StoreError> {
    let Some(object) = store.get(key).await? else { return Ok(Rollup::default()) };
    // What cannot be read is written anew from what can: its minutes are still there for a day.
    Ok(Rollup::decode(&object.bytes).unwrap_or_else(|_| {
        warn!(%key, "an object with figures of viewers does not read and is written anew");
        Rollup::default()
    }))
}

async fn read(store: &AnyListing, key: &Key) -> Result<Option<Report>, StoreError> {
    let Some(object) = store.get(key).await? else { return Ok(None) };
    let report = Report::decode(&object.bytes).ok();
    if report.is_none() {
        warn!(%key, "a report of an edge does not read");
    }
    Ok(report)
}

async fn overwrite(store: &AnyListing, key: AnalyticsKey, bytes: Vec<u8>) -> Result<(), StoreError> {
    match store.put(&key.into(), bytes.into(), Condition::Any).await {
        Ok(_) => Ok(()),
        Err(PutError::Refused(why)) => Err(StoreError::Refused(why)),
        Err(PutError::Unavailable(why)) => Err(StoreError::Unavailable(why)),
        Err(PutError::Exists | PutError::Changed) => Err(StoreError::Unavailable("a condition that nobody asked for does not hold".into())),
    }
}
