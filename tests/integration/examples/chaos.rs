#![allow(clippy::disallowed_methods, reason = "a program: it starts processes and reads the clock")]
#![allow(clippy::print_stdout, reason = "its figures are for a person")]
//! Kills workers and says what it cost: `cargo run -p tidegate-integration --example chaos -- [kills] [drains] [pauses] [ladder]`; or takes the
//! store away for a minute and is rough with it for another: `… --example chaos -- store [times]`.

use std::time::Duration;

use tidegate_integration::{Flaky, Minio, Trouble, twins::Twins};

const KILL: i32 = 9;
const TERMINATE: i32 = 15;
const STOP: i32 = 19;
/// Five part intervals.
const SLOW_PUT: Duration = Duration::from_millis(2500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "store") {
        return store(arguments.last().and_then(|text| text.parse().ok()).unwrap_or(5));
    }
    let count = |at: usize, otherwise: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (kills, drains, pauses) = (count(1, 50), count(2, 50), count(3, 5));
    let ladder = arguments.iter().any(|argument| argument == "ladder");
    let Some(minio) = Minio::start("chaos") else { return };
    let mut twins = Twins::start(minio.s3.clone(), ladder);
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
                "{what}, {} times: the log stood still for p50 {} ms, p95 {} ms, at most {worst} ms after it; {} of {} shares of parts are gaps; {} records changed; one session: {}",
                took.len(),
                at(50),
                at(95),
                twins.reader.gaps.len() - gaps_before,
                twins.reader.parts - parts_before,
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
