//! What so many streams and viewers ask for: requests, bytes, machines and dollars. Pure arithmetic.

/// What is planned.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Wanted {
    /// Streams at one time.
    pub(crate) streams: f64,
    /// Viewers of all streams at one time.
    pub(crate) viewers: f64,
    /// Bit rates of the rungs, in kbit/s; the first is the source.
    pub(crate) ladder_kbps: Vec<f64>,
    /// What an average viewer watches, in kbit/s, sound included.
    pub(crate) watched_kbps: f64,
    pub(crate) part_s: f64,
    pub(crate) segment_s: f64,
    /// Two workers for each stream.
    pub(crate) twins: bool,
    pub(crate) edge: Edge,
    /// Viewers come through a CDN that collapses equal requests.
    pub(crate) cdn: bool,
    /// Days that recordings are kept.
    pub(crate) kept_days: f64,
    pub(crate) machine: Machine,
}

/// What answers playlists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// Our host: parts, blocking requests.
    Host,
    /// AWS Lambda: whole segments, nothing is held.
    Lambda,
    /// Nothing: the ordinary playlists in the bucket.
    Bucket,
}

/// The machine that workers and hosts run on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Machine {
    pub(crate) cores: f64,
    pub(crate) memory_gib: f64,
    pub(crate) gbps: f64,
    pub(crate) usd_per_hour: f64,
    /// Cores that one ladder takes.
    pub(crate) ladder_cores: f64,
}

/// How well a figure is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Basis {
    /// Seen in this repository; ARCHITECTURE.md says by which command.
    Measured,
    /// It follows from the layout of the log and the playlists.
    Computed,
    /// A guess that the options can replace.
    Assumed,
    /// A list price.
    Price,
}

/// One line of the plan.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Line {
    pub(crate) group: &'static str,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) basis: Basis,
}

/// What it comes to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    pub(crate) lines: Vec<Line>,
    pub(crate) usd_per_hour: f64,
    /// Of one stream that nobody watches.
    pub(crate) usd_per_stream_hour: f64,
    /// Of 1,000 viewers more.
    pub(crate) usd_per_thousand_viewer_hours: f64,
    /// Limits that are met, and what to do.
    pub(crate) notes: Vec<String>,
}

/// Sound, in kbit/s.
const AUDIO_KBPS: f64 = 128.0;
/// Requests of a session that do not grow with it, in an hour: its start and its end. What is left of the 13,548 PUTs that the packager's
/// test counts when everything that grows is taken off.
const PUTS_AROUND: f64 = 20.0;
/// Segments between two static playlists of a rendition, and of a chapter.
const STATIC_SEGMENTS: f64 = 4.0;
const CHAPTER_SEGMENTS: f64 = 64.0;
/// CPU seconds of a worker for a minute of a pass-through stream, with its edge (Figures).
const PASS_THROUGH_S: f64 = 0.96;
/// Memory of a further stream, and of a process beyond ffmpeg, in MiB (Figures).
const STREAM_MIB: f64 = 1.9;
const WORKER_MIB: f64 = 30.0;
/// Reads of a standby for each record (Figures).
const STANDBY_GETS: f64 = 1.5;
/// Parked requests that a host was seen to hold, and what each takes over HTTP/1.1, in KiB (Figures).
const PARKED: f64 = 50_000.0;
const PARKED_KIB: f64 = 21.0;
/// CPU of a host for a request over HTTP/2, in seconds (Figures).
const REQUEST_S: f64 = 17e-6;
/// Share of a machine that is planned for: the rest is for bursts and for the loss of a neighbour.
const FILL: f64 = 0.6;
/// CPU time and read of the bucket in a call of the function, in seconds, and its memory in GB.
const CALL_S: f64 = 0.03;
const CALL_GB: f64 = 0.25;

// List prices of AWS in us-east-1, in dollars.
const PUT_USD: f64 = 0.005 / 1000.0;
const GET_USD: f64 = 0.0004 / 1000.0;
const KEEP_USD_PER_GB_HOUR: f64 = 0.023 / 730.0;
const CDN_REQUEST_USD: f64 = 0.01 / 10_000.0;
const CALL_USD: f64 = 0.2 / 1e6;
const GB_S_USD: f64 = 0.000_013_333_4;
/// Up to so many GB a month, and above.
const CDN_GB: [(f64, f64); 7] = [
    (10_000.0, 0.085),
    (50_000.0, 0.08),
    (150_000.0, 0.06),
    (500_000.0, 0.04),
    (1_024_000.0, 0.03),
    (5_120_000.0, 0.025),
    (f64::INFINITY, 0.02),
];
const MONTH_H: f64 = 730.0;
/// Writes and reads that S3 takes under one prefix before it splits it.
const PREFIX_PUTS_PER_S: f64 = 3500.0;

/// Works it out.
pub(crate) fn plan(wanted: &Wanted) -> Plan {
    let mut sum = Sum::default();
    let store = store(wanted, &mut sum);
    viewers(wanted, &mut sum);
    machines(wanted, &mut sum);
    let mut notes = notes(wanted, store.puts_per_s);
    if wanted.edge == Edge::Lambda {
        notes.push(
            "the time of a call of the function is assumed (30 ms with its reads): look at `Duration` in CloudWatch and plan again".into(),
        );
    }
    let usd_per_hour = sum.usd;
    let without = |viewers: f64, streams: f64| {
        let mut sum = Sum::default();
        let wanted = Wanted { viewers, streams, ..wanted.clone() };
        self::store(&wanted, &mut sum);
        self::viewers(&wanted, &mut sum);
        machines(&wanted, &mut sum);
        sum.usd
    };
    let usd_per_stream_hour = if wanted.streams > 0.0 { without(0.0, wanted.streams) / wanted.streams } else { 0.0 };
    let usd_per_thousand_viewer_hours = without(wanted.viewers + 1000.0, wanted.streams) - usd_per_hour;
    Plan { lines: sum.lines, usd_per_hour, usd_per_stream_hour, usd_per_thousand_viewer_hours, notes }
}

#[derive(Default)]
struct Sum {
    lines: Vec<Line>,
    usd: f64,
}

impl Sum {
    fn add(&mut self, group: &'static str, what: impl Into<String>, value: f64, unit: &'static str, basis: Basis) {
        self.lines.push(Line { group, what: what.into(), value, unit, basis });
    }

    fn pay(&mut self, group: &'static str, what: impl Into<String>, usd: f64, basis: Basis) {
        self.usd += usd;
        self.add(group, what, usd, "$/h", basis);
    }
}

struct Store {
    puts_per_s: f64,
}

/// PUTs of one live hour of one stream.
pub(crate) fn puts_per_stream_hour(renditions: f64, part_s: f64, segment_s: f64) -> f64 {
    let segments = 3600.0 / segment_s;
    let (records, bundles, heads, chapters) = (3600.0 / part_s, segments, segments, (segments / CHAPTER_SEGMENTS).floor());
    records + bundles + heads + chapters + renditions * segments / STATIC_SEGMENTS + PUTS_AROUND
}

/// A worker looks for the next cue of a session once a second.
const CUE_LOOKS_PER_HOUR: f64 = 3600.0;

/// Reads of everything that follows a stream, for each record of its log.
fn followers(wanted: &Wanted) -> f64 {
    let nodes = if wanted.edge == Edge::Host { hosts(wanted).max(2.0) } else { 0.0 };
    // Hosts beyond the second ask another host (a shield), so that the bucket has two readers for each stream.
    nodes.min(2.0) + if wanted.twins { STANDBY_GETS } else { 0.0 }
}

fn store(wanted: &Wanted, sum: &mut Sum) -> Store {
    let renditions = wanted.ladder_kbps.len() as f64 + 1.0;
    let puts = wanted.streams * puts_per_stream_hour(renditions, wanted.part_s, wanted.segment_s);
    let mut gets = wanted.streams * (followers(wanted) * 3600.0 / wanted.part_s + CUE_LOOKS_PER_HOUR);
    if wanted.edge != Edge::Host {
        gets += fills_per_hour(wanted);
    }
    let kbps: f64 = wanted.ladder_kbps.iter().sum::<f64>() + AUDIO_KBPS;
    // Each byte is written twice: in a record and in the bundle of its segment; records live for a minute.
    let written_gb = wanted.streams * kbps * 3600.0 / 8e6;
    let kept_gb = written_gb * 24.0 * wanted.kept_days;
    sum.add("bucket", "PUT", puts, "/h", Basis::Measured);
    sum.add("bucket", "GET", gets, "/h", Basis::Computed);
    sum.add("bucket", "media that stays", written_gb, "GB/h", Basis::Computed);
    sum.add("bucket", format!("kept for {} days, if streams never end", wanted.kept_days), kept_gb, "GB", Basis::Computed);
    sum.pay("bucket", "requests", puts * PUT_USD + gets * GET_USD, Basis::Price);
    sum.pay("bucket", "storage", kept_gb * KEEP_USD_PER_GB_HOUR, Basis::Price);
    Store { puts_per_s: puts / 3600.0 }
}

/// Requests of one viewer in a second: for sound and for picture, a playlist and what it lists.
fn requests_per_viewer_s(wanted: &Wanted) -> f64 {
    4.0 / if wanted.edge == Edge::Host { wanted.part_s } else { wanted.segment_s }
}

/// What goes past the CDN's caches in an hour: each thing once, playlists as often as they change. Without a CDN all of it.
fn fills_per_hour(wanted: &Wanted) -> f64 {
    let asked = wanted.viewers * requests_per_viewer_s(wanted) * 3600.0;
    if !wanted.cdn {
        return asked;
    }
    let renditions = wanted.ladder_kbps.len() as f64 + 1.0;
    let each = match wanted.edge {
        Edge::Host => 2.0 * 3600.0 / wanted.part_s,
        // Such a playlist is kept for half a target duration.
        Edge::Lambda | Edge::Bucket => 3.0 * 3600.0 / wanted.segment_s,
    };
    (wanted.streams * renditions * each).min(asked)
}

fn viewers(wanted: &Wanted, sum: &mut Sum) {
    let requests = wanted.viewers * requests_per_viewer_s(wanted);
    let gbps = wanted.viewers * wanted.watched_kbps / 1e6;
    let gb_per_hour = gbps * 3600.0 / 8.0;
    sum.add("viewers", "requests", requests, "/s", Basis::Computed);
    sum.add("viewers", "media", gbps, "Gbit/s", Basis::Computed);
    if wanted.cdn {
        sum.add("viewers", "past the CDN's caches", fills_per_hour(wanted) / 3600.0, "/s", Basis::Computed);
        sum.pay("CDN", "requests", requests * 3600.0 * CDN_REQUEST_USD, Basis::Price);
        sum.pay(
            "CDN",
            "bytes, as if every hour of the month were like this",
            cdn_usd_per_month(gb_per_hour * MONTH_H) / MONTH_H,
            Basis::Price,
        );
    } else if gb_per_hour > 0.0 {
        sum.add("viewers", "bytes that your network pays for", gb_per_hour, "GB/h", Basis::Computed);
    }
    if wanted.edge == Edge::Lambda {
        let calls = fills_per_hour(wanted);
        sum.add("function", "calls", calls, "/h", Basis::Computed);
        sum.add("function", "at one time", calls / 3600.0 * CALL_S, "", Basis::Assumed);
        sum.pay("function", "calls and time", calls * (CALL_USD + CALL_S * CALL_GB * GB_S_USD), Basis::Price);
    }
}

fn cdn_usd_per_month(gb: f64) -> f64 {
    let mut below = 0.0;
    let mut usd = 0.0;
    for (until, price) in CDN_GB {
        usd += (gb.min(until) - below).max(0.0) * price;
        below = until;
    }
    usd
}

/// Hosts for what reaches them: by held requests, by CPU and by bytes.
fn hosts(wanted: &Wanted) -> f64 {
    if wanted.edge != Edge::Host {
        return 0.0;
    }
    let Machine { cores, memory_gib, gbps, .. } = wanted.machine;
    let per_s = fills_per_hour(wanted) / 3600.0;
    // A viewer who waits holds two requests, one for each playlist.
    let held = if wanted.cdn { per_s * wanted.part_s } else { 2.0 * wanted.viewers };
    let media_gbps =
        if wanted.cdn { wanted.streams * wanted.ladder_kbps.iter().sum::<f64>() / 1e6 } else { wanted.viewers * wanted.watched_kbps / 1e6 };
    let by_held = (held / PARKED).max(held * PARKED_KIB / (memory_gib * 1024.0 * 1024.0 * FILL));
    let by_cpu = per_s * REQUEST_S / (cores * FILL);
    (by_held.max(by_cpu).max(media_gbps / (gbps * FILL))).ceil()
}

fn machines(wanted: &Wanted, sum: &mut Sum) {
    let Machine { cores, memory_gib, usd_per_hour, ladder_cores, .. } = wanted.machine;
    let workers = if wanted.twins { 2.0 } else { 1.0 };
    let encodes = wanted.ladder_kbps.len() > 1;
    let stream_cores = PASS_THROUGH_S / 60.0 + if encodes { ladder_cores } else { 0.0 };
    let by_cpu = wanted.streams * stream_cores / (cores * FILL);
    let by_memory = wanted.streams * STREAM_MIB / ((memory_gib * 1024.0 - WORKER_MIB) * FILL);
    let machines = if wanted.streams > 0.0 { workers * by_cpu.max(by_memory).ceil() } else { 0.0 };
    let basis = if encodes { Basis::Assumed } else { Basis::Measured };
    sum.add("workers", "cores", workers * wanted.streams * stream_cores, "", basis);
    sum.pay("workers", format!("{machines:.0} machines"), machines * usd_per_hour, basis);
    if wanted.edge == Edge::Host {
        // Two in any case: one may be lost.
        let machines = hosts(wanted).max(if wanted.streams > 0.0 { 2.0 } else { 0.0 });
        sum.pay("edges", format!("{machines:.0} machines"), machines * usd_per_hour, Basis::Measured);
    }
}

fn notes(wanted: &Wanted, puts_per_s: f64) -> Vec<String> {
    let mut notes = Vec::new();
    if puts_per_s > PREFIX_PUTS_PER_S * FILL {
        let buckets = (puts_per_s / (PREFIX_PUTS_PER_S * FILL)).ceil();
        notes.push(format!(
            "{puts_per_s:.0} PUT/s are more than S3 takes before it splits `live/`: use {buckets:.0} buckets, or ask for the split first"
        ));
    }
    if !wanted.cdn && wanted.viewers > 5_000.0 {
        notes.push("without a CDN every viewer's bytes leave your machines: name one with --cdn".into());
    }
    if wanted.edge == Edge::Host && !wanted.cdn && wanted.viewers > 15_000.0 {
        notes.push("15,000 viewers that wait at one host were woken within 0.53 s (p99) over HTTP/1.1 and 0.63 s over HTTP/2: more hosts wake sooner".into());
    }
    if wanted.viewers > 1_000_000.0 {
        notes.push("above a million viewers, two CDNs: content steering (`/steer/…`) shares viewers between them, and list prices are not what you pay".into());
    }
    if wanted.edge != Edge::Host {
        notes.push("viewers are about 3 segments behind; parts with blocking requests need hosts (--edge host)".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(streams: f64, viewers: f64) -> Wanted {
        Wanted {
            streams,
            viewers,
            ladder_kbps: vec![5000.0, 3000.0, 1600.0, 800.0, 400.0],
            watched_kbps: 3000.0,
            part_s: 0.5,
            segment_s: 2.0,
            twins: false,
            edge: Edge::Host,
            cdn: true,
            kept_days: 0.0,
            machine: Machine { cores: 8.0, memory_gib: 16.0, gbps: 5.0, usd_per_hour: 0.29, ladder_cores: 4.0 },
        }
    }

    fn value(plan: &Plan, group: &str, what: &str) -> f64 {
        plan.lines.iter().find(|line| line.group == group && line.what == what).map_or(f64::NAN, |line| line.value)
    }

    #[test]
    fn puts_are_those_that_the_packager_was_seen_to_make() {
        // `cargo test -p tidegate-packager` counts them; the row is in ARCHITECTURE.md.
        assert_eq!(puts_per_stream_hour(6.0, 0.5, 2.0), 13_548.0);
    }

    #[test]
    fn what_is_called_measured_stands_in_the_figures() {
        let figures = include_str!("../../../../ARCHITECTURE.md");
        for (row, seen) in [
            ("| PUTs per live hour, 5 rungs and audio, 0.5 s parts |", "| 13,548 |".to_owned()),
            ("| worker and edge, pass-through stream of 4.7 Mbit/s, one viewer,", format!("{PASS_THROUGH_S} s")),
            ("| memory of worker and edge beyond ffmpeg,", format!("| {WORKER_MIB} MiB |")),
            ("| each further pass-through stream", format!("| {STREAM_MIB} MiB |")),
            ("| writes with a standby, and its reads |", format!("{STANDBY_GETS} GETs for each record")),
            ("| 15,000 viewers parked over HTTP/1.1, and 50,000 requests", format!("{PARKED_KIB:.1} and ")),
            ("| 15,000 viewers parked over HTTP/1.1, and 50,000 requests", format!("{:.0} us of CPU for a request", REQUEST_S * 1e6)),
        ] {
            let found = figures.lines().find(|line| line.starts_with(row));
            let found = found.unwrap_or_else(|| panic!("there is no row `{row}` any more: change the model"));
            assert!(found.contains(&seen), "the figure is another than `{seen}`: change the model, and OPERATIONS.md\n{found}");
        }
    }

    #[test]
    fn readers_of_the_bucket_do_not_grow_with_viewers() {
        let gets = |viewers| value(&plan(&wanted(1.0, viewers)), "bucket", "GET");
        assert_eq!(gets(10.0), gets(10_000_000.0));
        assert_eq!(gets(10.0), 2.0 * 7200.0 + 3600.0, "two hosts, one GET in each part interval, and the worker's looks for cues");
    }

    #[test]
    fn nothing_costs_nothing_and_more_never_costs_less() {
        let nothing = plan(&Wanted { edge: Edge::Bucket, ..wanted(0.0, 0.0) });
        assert_eq!((nothing.usd_per_hour, nothing.usd_per_stream_hour), (0.0, 0.0));
        for edge in [Edge::Host, Edge::Lambda, Edge::Bucket] {
            for cdn in [true, false] {
                let mut before = 0.0;
                for (streams, viewers) in [(1.0, 0.0), (1.0, 10.0), (1.0, 1e4), (10.0, 1e4), (10.0, 1e6), (1000.0, 1e6), (1000.0, 1e8)] {
                    let plan = plan(&Wanted { edge, cdn, ..wanted(streams, viewers) });
                    assert!(plan.usd_per_hour >= before, "{edge:?} {cdn} {streams} {viewers}: {} < {before}", plan.usd_per_hour);
                    assert!(plan.lines.iter().all(|line| line.value.is_finite() && line.value >= 0.0), "{:?}", plan.lines);
                    before = plan.usd_per_hour;
                }
            }
        }
    }

    #[test]
    fn the_sum_is_the_sum_of_what_is_paid() {
        let plan = plan(&wanted(3.0, 5000.0));
        let paid: f64 = plan.lines.iter().filter(|line| line.unit == "$/h").map(|line| line.value).sum();
        assert!((paid - plan.usd_per_hour).abs() < 1e-9);
    }

    #[test]
    fn bytes_get_cheaper_by_the_tier() {
        assert!((cdn_usd_per_month(10_000.0) - 850.0).abs() < 1e-6);
        assert!((cdn_usd_per_month(60_000.0) - (850.0 + 3200.0 + 600.0)).abs() < 1e-6);
        let per_gb = |gb: f64| cdn_usd_per_month(gb) / gb;
        assert!(per_gb(1e8) < per_gb(1e6) && per_gb(1e6) < per_gb(1e4));
    }

    #[test]
    fn limits_are_said() {
        let said = |wanted: &Wanted, word: &str| plan(wanted).notes.iter().any(|note| note.contains(word));
        assert!(said(&wanted(2000.0, 0.0), "buckets"));
        assert!(!said(&wanted(100.0, 0.0), "buckets"));
        assert!(said(&Wanted { cdn: false, ..wanted(1.0, 20_000.0) }, "CDN"));
        assert!(said(&Wanted { edge: Edge::Lambda, ..wanted(1.0, 20.0) }, "segments behind"));
    }
}
