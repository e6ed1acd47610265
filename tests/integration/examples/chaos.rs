#![allow(clippy::disallowed_methods, reason = "a program: it starts processes and reads the clock")]
#![allow(clippy::print_stdout, reason = "its figures are for a person")]
//! Kills workers and says what it cost: `cargo run -p tidegate-integration --example chaos -- [kills] [drains] [pauses] [ladder] [srt | both]`; or takes the
//! store away for a minute and is rough with it for another: `… --example chaos -- store [times]`; or lets everything go wrong by a seed, with
//! edges and viewers as processes too: `… --example chaos -- parts [seed] [rounds] [ladder]`.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tidegate_integration::{
    Child, Flaky, Minio, Trouble,
    edges::EdgeProcesses,
    twins::{STREAM, Twins},
    watch::{Watched, watch},
};
use tidegate_world::random::Random;

const KILL: i32 = 9;
const TERMINATE: i32 = 15;
const STOP: i32 = 19;
/// Five part intervals.
const SLOW_PUT: Duration = Duration::from_millis(2500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count = |at: usize, otherwise: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    match arguments.get(1).map(String::as_str) {
        Some("store") => return store(count(2, 5)),
        Some("parts") => return parts(count(2, 1) as u64, count(3, 8), arguments.iter().any(|argument| argument == "ladder")),
        Some("viewer") => {
            let edges = arguments.iter().skip(4).filter_map(|address| address.parse().ok()).collect();
            return println!("{}", watch(STREAM, edges, Duration::from_secs(count(2, 60) as u64), count(3, 1) as u64).line());
        }
        _ => {}
    }
    let (kills, drains, pauses) = (count(1, 50), count(2, 50), count(3, 5));
    let said = |word: &str| arguments.iter().any(|argument| argument == word);
    let Some(minio) = Minio::start("chaos") else { return };
    let start = match (said("srt"), said("both")) {
        (_, true) => Twins::both_ways,
        (true, false) => Twins::over_srt,
        (false, false) => Twins::start,
    };
    let mut twins = start(minio.s3.clone(), said("ladder"));
    twins.settle(6);
    let mut gaps_said = 0;
    for (what, signal, times) in [("kill -9", KILL, kills), ("planned drain", TERMINATE, drains), ("SIGSTOP for 8 s", STOP, pauses)] {
        let (mut took, gaps_before, parts_before) = (Vec::new(), twins.reader.gaps.len(), twins.reader.parts);
        for round in 0..times {
            // Not always at the same place of a part or a segment.
            let mut place = twins.owner();
            for _ in 0..(round * 7) % 23 {
                twins.reader.poll();
                std::thread::sleep(Duration::from_millis(40));
                place = twins.owner();
            }
            let Some(place) = place else { continue };
            let again = if signal == STOP { Duration::from_secs(8) } else { Duration::from_millis(300) };
            took.push(twins.kill(place, signal, again).as_millis());
            // Who comes back has to have received the whole of a segment before it is a standby.
            twins.settle(10);
            for gap in twins.reader.gaps.iter().skip(gaps_said) {
                println!("{what}, round {round}: {gap:?}");
            }
            gaps_said = twins.reader.gaps.len();
            assert!(twins.reader.broken.is_empty(), "{:?}\n{}", twins.reader.broken, twins.report());
        }
        took.sort_unstable();
        if let Some(worst) = took.last() {
            let at = |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
            println!(
                "{what}, {} times: the log stood still for p50 {} ms, p95 {} ms, at most {worst} ms after it; {} of {} shares of parts are gaps; {} discontinuities; {} records changed; one session: {}",
                took.len(),
                at(50),
                at(95),
                twins.reader.gaps.len() - gaps_before,
                twins.reader.parts - parts_before,
                twins.reader.periods.saturating_sub(1),
                twins.reader.changed(),
                twins.reader.is_one_session(),
            );
        }
    }
}

fn store(times: usize) {
    let Some(minio) = Minio::start("chaos") else { return };
    let flaky = Flaky::before(&minio.s3);
    let mut twins = Twins::between(flaky.s3.clone(), &minio.s3, false);
    twins.settle(6);
    let (mut worst_ms, mut parts, mut gaps) = (0, twins.reader.parts, twins.reader.gaps.len());
    for round in 1..=times {
        for (trouble, seconds) in [(Trouble::Away, 60), (Trouble::Rough(5, SLOW_PUT), 60), (Trouble::None, 30)] {
            flaky.set("", trouble);
            twins.watch(Duration::from_secs(seconds));
        }
        let behind_ms = twins.reader.behind_ms();
        worst_ms = worst_ms.max(behind_ms);
        assert!(twins.reader.broken.is_empty(), "{:?}\n{}", twins.reader.broken, twins.report());
        println!(
            "round {round}: {} of {} shares of parts are gaps; {} records changed; one session: {}; 30 s later the newest part is {behind_ms} ms old",
            twins.reader.gaps.len() - std::mem::replace(&mut gaps, twins.reader.gaps.len()),
            twins.reader.parts - std::mem::replace(&mut parts, twins.reader.parts),
            twins.reader.changed(),
            twins.reader.is_one_session(),
        );
    }
    println!("{times} times, {} requests in trouble: at most {worst_ms} ms behind 30 s later", flaky.troubled());
}

/// What can go wrong.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    KillOwner,
    KillStandby,
    Leave,
    PauseOwner(Duration),
    PauseStandby(Duration),
    KillEdge(usize),
    PauseEdge(usize, Duration),
    Store(Trouble, Duration),
}

/// Edges behind one address.
const EDGES: usize = 2;
const VIEWERS: usize = 2;
/// After each mishap all works for so long.
const CALM: Duration = Duration::from_secs(10);
/// How far behind live a viewer may be at the end, and how far its picture has to move in the last 5 s, in ms.
const BEHIND_MS_MAX: i64 = 6_000;
const MOVED_MS_MIN: i64 = 4_500;

fn mishap(random: &mut Random) -> Mishap {
    let ms = |random: &mut Random, from: i64, to: i64| Duration::from_millis(random.within(from, to).unsigned_abs());
    match random.within(0, 12) {
        0..=2 => Mishap::KillOwner,
        3 => Mishap::KillStandby,
        4 => Mishap::Leave,
        5..=6 => Mishap::PauseOwner(ms(random, 2_000, 8_000)),
        7 => Mishap::PauseStandby(ms(random, 2_000, 8_000)),
        8 => Mishap::KillEdge(random.within(0, EDGES as i64 - 1) as usize),
        9 => Mishap::PauseEdge(random.within(0, EDGES as i64 - 1) as usize, ms(random, 500, 3_000)),
        10 => Mishap::Store(Trouble::Away, ms(random, 1_000, 8_000)),
        11 => Mishap::Store(Trouble::Rough(random.within(5, 40).unsigned_abs(), ms(random, 100, 1_500)), ms(random, 3_000, 10_000)),
        _ => Mishap::Store(Trouble::AnswerLost, ms(random, 500, 3_000)),
    }
}

/// Workers, edges, a store behind a proxy and viewers as processes: whatever goes wrong, by this seed.
fn parts(seed: u64, rounds: usize, ladder: bool) {
    const STOP: i32 = 19;
    const CONTINUE: i32 = 18;
    let Some(minio) = Minio::start("chaos") else { return };
    let flaky = Flaky::before(&minio.s3);
    let mut random = Random::new(seed);
    let mut twins = Twins::between(flaky.s3.clone(), &minio.s3, ladder);
    let mut edges = EdgeProcesses::start(&flaky.s3, EDGES);
    twins.settle(6);
    let mishaps: Vec<Mishap> = (0..rounds).map(|_| mishap(&mut random)).collect();
    let lasts = |mishap: &Mishap| match mishap {
        Mishap::PauseOwner(time) | Mishap::PauseStandby(time) | Mishap::PauseEdge(_, time) | Mishap::Store(_, time) => *time,
        Mishap::KillOwner | Mishap::KillStandby | Mishap::Leave | Mishap::KillEdge(_) => Duration::from_secs(4),
    };
    // A takeover and what workers need to be two again come on top.
    let time: Duration = mishaps.iter().map(|mishap| lasts(mishap) + CALM + Duration::from_secs(8)).sum();
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for what viewers say: {error}"));
    let said = |viewer: usize| folder.path().join(format!("viewer-{viewer}"));
    let viewers: Vec<Child> = (0..VIEWERS)
        .map(|viewer| {
            let file = fs::File::create(said(viewer)).unwrap_or_else(|error| panic!("{error}"));
            let mut command = Command::new(std::env::current_exe().unwrap_or_default());
            command.args(["viewer", &time.as_secs().to_string(), &(seed + viewer as u64).to_string()]);
            command.args(edges.addresses.iter().map(ToString::to_string)).stdin(Stdio::null()).stdout(file);
            Child::start(command).unwrap_or_else(|error| panic!("a viewer starts: {error}"))
        })
        .collect();
    let began = Instant::now();
    for (round, mishap) in mishaps.iter().enumerate() {
        twins.settle(1);
        let (Some(owner), Some(standby)) = (twins.owner(), twins.standby()) else { panic!("no owner and standby: {}", twins.report()) };
        let gaps = twins.reader.gaps.len();
        match *mishap {
            Mishap::KillOwner => drop(twins.kill(owner, KILL, Duration::from_millis(300))),
            Mishap::KillStandby => twins.restart(standby),
            Mishap::Leave => drop(twins.kill(owner, TERMINATE, Duration::from_secs(2))),
            Mishap::PauseOwner(time) => twins.pause(owner, time),
            Mishap::PauseStandby(time) => twins.pause(standby, time),
            Mishap::KillEdge(place) => {
                edges.kill(place);
                twins.watch(Duration::from_secs(1));
                edges.launch(place);
            }
            Mishap::PauseEdge(place, time) => {
                edges.signal(place, STOP);
                twins.watch(time);
                edges.signal(place, CONTINUE);
            }
            Mishap::Store(trouble, time) => {
                flaky.set("", trouble);
                twins.watch(time);
                flaky.set("", Trouble::None);
            }
        }
        twins.watch(CALM);
        println!("{:>4} s, round {round}: {mishap:?}: {} gaps", began.elapsed().as_secs(), twins.reader.gaps.len() - gaps);
        assert!(twins.reader.broken.is_empty(), "{:?}\n{}", twins.reader.broken, twins.report());
    }
    twins.watch(time.saturating_sub(began.elapsed()) + Duration::from_secs(2));
    drop(viewers);
    let watched: Vec<Watched> = (0..VIEWERS)
        .map(|viewer| {
            Watched::read(&fs::read_to_string(said(viewer)).unwrap_or_default()).unwrap_or_else(|| panic!("viewer {viewer} says nothing"))
        })
        .collect();
    for viewer in &watched {
        println!("{viewer:?}");
    }
    println!(
        "seed {seed}, {rounds} mishaps: {} of {} shares of parts are gaps; {} records changed; one session: {}; {} requests in trouble; repeat with: cargo run -p tidegate-integration --example chaos -- parts {seed} {rounds}{}",
        twins.reader.gaps.len(),
        twins.reader.parts,
        twins.reader.changed(),
        twins.reader.is_one_session(),
        flaky.troubled(),
        if ladder { " ladder" } else { "" },
    );
    assert_eq!(twins.reader.changed(), 0, "records that were announced have changed");
    for viewer in &watched {
        assert!(viewer.broken.is_none() && viewer.moved_ms >= MOVED_MS_MIN && viewer.behind_ms <= BEHIND_MS_MAX, "{viewer:?}");
    }
}
