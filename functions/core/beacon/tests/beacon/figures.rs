//! The bar: 1,000 viewers over 10 edges with losses and duplicates, in virtual time.

use std::collections::BTreeMap;

use tidegate_beacon::{Collector, Ending, Report, Viewer, Window};
use tidegate_stream::{AnalyticsKey, InstanceId};

use crate::{
    player::{Player, Random},
    sessions::{START_MS, demo},
};

const VIEWERS: usize = 1000;
const EDGES: usize = 10;
const SECONDS: u64 = 20 * 60;

/// What really happened.
#[derive(Default)]
struct Truth {
    watched_ms: Vec<u64>,
    played_ms: u64,
    stalled_ms: u64,
    startups: Vec<u32>,
    latencies: Vec<u32>,
}

struct Watcher {
    player: Player,
    arrives: u64,
    begins: u64,
    leaves: u64,
    stalled_until: Option<u64>,
    edge: usize,
    next_tell: u64,
}

/// The windows of all minutes, from the objects in a bucket: the open ones of instances that were killed too.
fn add_up(objects: &BTreeMap<String, Vec<u8>>) -> (Window, Vec<Report>) {
    let mut all = Window::default();
    let reports: Vec<Report> = objects.values().map(|bytes| Report::decode(bytes).unwrap()).collect();
    let closed: Vec<(InstanceId, u64)> =
        reports.iter().filter(|report| report.ending == Ending::Closed).map(|report| (report.instance, report.minute)).collect();
    let mut lost = Vec::new();
    for report in reports {
        let open = report.ending == Ending::Open;
        if open && closed.contains(&(report.instance, report.minute)) {
            continue;
        }
        report.windows.iter().for_each(|(_, window)| all.merge(window));
        if open {
            lost.push(report);
        }
    }
    (all, lost)
}

/// Plays `SECONDS` of an audience; `kill` takes edge 0 away after so many seconds, and its viewers go to the others.
fn play(seed: u64, kill: Option<u64>) -> (Truth, Window, Vec<Report>) {
    let mut random = Random(seed);
    let mut truth = Truth { watched_ms: vec![0; SECONDS as usize / 60 + 2], ..Truth::default() };
    let mut collectors: Vec<Option<Collector>> =
        (0..EDGES).map(|n| Some(Collector::new(InstanceId(n as u64), format!("edge-{n}")))).collect();
    let mut objects = BTreeMap::new();
    let mut late: Vec<(u64, usize, usize, String)> = Vec::new();
    let mut watchers: Vec<Watcher> = (0..VIEWERS)
        .map(|n| {
            let arrives = random.below(SECONDS * 300);
            let begins = arrives + 300 + random.below(2500);
            let leaves = (begins + 60_000 + random.below(SECONDS * 1000)).min(SECONDS * 1000 - 1000);
            let player = Player::new(format!("viewer-{n}"), [800, 1500, 3000, 4700][random.below(4) as usize]);
            Watcher { player, arrives, begins, leaves, stalled_until: None, edge: random.below(EDGES as u64) as usize, next_tell: u64::MAX }
        })
        .collect();
    const STEP_MS: u64 = 100;
    for tick in 0..SECONDS * 1000 / STEP_MS {
        let at = tick * STEP_MS;
        let now = START_MS + at;
        if kill.is_some_and(|second| at == second * 1000) {
            collectors[0] = None;
        }
        for (n, watcher) in watchers.iter_mut().enumerate() {
            let due = |moment: u64| moment / STEP_MS == tick;
            let mut post = false;
            if due(watcher.arrives) {
                watcher.player.become_('s', now, "");
                post = true;
            } else if due(watcher.begins) {
                let startup = (watcher.begins / STEP_MS - watcher.arrives / STEP_MS) * STEP_MS;
                truth.startups.push(startup as u32);
                watcher.player.become_('p', now, &format!(",msd={startup}"));
                watcher.next_tell = at + 30_000;
                post = true;
            } else if due(watcher.leaves) {
                watcher.player.become_('e', now, "");
                post = true;
            } else if at > watcher.begins && at < watcher.leaves {
                if watcher.stalled_until.is_some_and(|end| at >= end) {
                    watcher.stalled_until = None;
                    watcher.player.become_('p', now, "");
                    post = true;
                } else if watcher.stalled_until.is_none() && random.below(6000) == 0 {
                    watcher.stalled_until = Some(at + 200 + random.below(3000));
                    watcher.player.become_('r', now, "");
                    post = true;
                } else if at >= watcher.next_tell {
                    watcher.next_tell = at + 30_000;
                    let latency = 1000 + random.below(2000) as u32;
                    truth.latencies.push(latency);
                    watcher.player.tell("t", now, &format!(",ltc={latency}"));
                    post = true;
                }
            }
            let retry = !watcher.player.lines.is_empty() && at % 5000 == (n as u64 % 50) * STEP_MS;
            if post || retry {
                if random.of_thousand(50) || collectors[watcher.edge].is_none() {
                    watcher.edge = 1 + random.below(EDGES as u64 - 1) as usize;
                }
                let body = watcher.player.lines.join("\n");
                // 3 % of the requests are lost, and 3 % of the answers; 3 % come again later.
                if !random.of_thousand(30) {
                    count(&mut collectors, watcher.edge, n, &body, now);
                    if !random.of_thousand(30) {
                        watcher.player.lines.clear();
                    }
                    if random.of_thousand(30) {
                        late.push((at + random.below(8000), watcher.edge, n, body));
                    }
                }
            }
            if at >= watcher.begins && at < watcher.leaves {
                watcher.player.spend(STEP_MS);
                if watcher.stalled_until.is_some() {
                    truth.stalled_ms += STEP_MS;
                } else {
                    truth.played_ms += STEP_MS;
                    truth.watched_ms[at as usize / 60_000] += STEP_MS;
                }
            }
        }
        late.retain(|(due, edge, n, body)| {
            let now_due = *due <= at;
            if now_due {
                count(&mut collectors, *edge, *n, body, now);
            }
            !now_due
        });
        for collector in collectors.iter_mut().flatten().filter(|_| tick % 10 == 0) {
            while let Some(put) = collector.next(now, false) {
                objects.insert(put.key.to_string(), put.bytes);
                collector.done(true, now);
            }
        }
    }
    let now = START_MS + SECONDS * 1000;
    for collector in collectors.iter_mut().flatten() {
        while let Some(put) = collector.next(now, true) {
            objects.insert(put.key.to_string(), put.bytes);
            collector.done(true, now);
        }
        objects.remove(&AnalyticsKey::Open { instance: collector.instance() }.to_string());
    }
    let (all, lost) = add_up(&objects);
    (truth, all, lost)
}

fn count(collectors: &mut [Option<Collector>], edge: usize, n: usize, body: &str, now: u64) {
    let viewer = Viewer {
        unique: Some((n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        country: Some("DE".into()),
        device: "tv",
        ..Viewer::default()
    };
    let viewer = Viewer { edge: format!("edge-{edge}"), ..viewer };
    if let Some(collector) = &mut collectors[edge] {
        collector.count(&demo(), body, &viewer, n as u64, now);
    }
}

fn off(told: f64, truth: f64) -> f64 {
    (told - truth).abs() / truth
}

#[test]
fn a_thousand_viewers_over_ten_edges_with_losses_and_duplicates() {
    let (mut truth, all, lost) = play(7, None);
    assert!(lost.is_empty());
    let mut worst: f64 = 0.0;
    for (minute, watched_ms) in truth.watched_ms.iter().enumerate().filter(|(_, ms)| **ms > 50 * 60_000) {
        let from = START_MS + minute as u64 * 60_000;
        let (told_ms, _) = all.all.cells.watched(from, from + 60_000);
        worst = worst.max(off(told_ms as f64, *watched_ms as f64));
    }
    let uniques = off(all.uniques.estimate() as f64, VIEWERS as f64);
    let ratio = |stalled: u64, played: u64| stalled as f64 / (stalled + played) as f64;
    let rebuffer = off(ratio(all.all.stalled_ms, all.all.played_ms), ratio(truth.stalled_ms, truth.played_ms));
    let mut quantiles: f64 = 0.0;
    for (sketch, values) in [(&all.startup_ms, &mut truth.startups), (&all.latency_ms, &mut truth.latencies)] {
        values.sort_unstable();
        for per_mille in [500, 900, 950, 990] {
            let exact = values[(values.len() as u64 * per_mille).div_ceil(1000) as usize - 1];
            quantiles = quantiles.max(off(sketch.at(per_mille).unwrap().into(), exact.into()));
        }
    }
    println!(
        "concurrency of the worst minute off by {:.2} %, uniques {:.2} %, rebuffer ratio {:.2} %, quantiles {:.2} %",
        worst * 100.0,
        uniques * 100.0,
        rebuffer * 100.0,
        quantiles * 100.0
    );
    assert_eq!(all.all.plays, VIEWERS as u64);
    assert!(worst < 0.02 && uniques < 0.02 && rebuffer < 0.01 && quantiles < 0.01);
}

#[test]
fn an_edge_that_is_killed_takes_no_more_than_its_open_minute_with_it() {
    let (truth, all, lost) = play(11, Some(637));
    let [report] = lost.as_slice() else { panic!("one edge was killed: {}", lost.len()) };
    assert_eq!(report.edge, "edge-0");
    let killed = START_MS + 637_000;
    assert!(killed - report.written_utc_ms <= 7000, "what it wrote last is seconds old");
    let missing_ms = truth.played_ms.abs_diff(all.all.played_ms);
    println!(
        "the edge wrote last {} ms before it was killed; {} of {} s watched are missing",
        killed - report.written_utc_ms,
        missing_ms / 1000,
        truth.played_ms / 1000
    );
    // A tenth of the viewers, for the seconds since it wrote; lines without an answer were sent to another edge.
    assert!(missing_ms < VIEWERS as u64 / 10 * 30_000, "{missing_ms}");
    assert!(off(all.all.played_ms as f64, truth.played_ms as f64) < 0.005);
}
