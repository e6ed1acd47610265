#![allow(clippy::disallowed_methods, reason = "a program: it reads its arguments and the clock")]
#![allow(clippy::print_stdout, reason = "its figures are for a person")]
//! Plays worlds: `--seeds N` (default 1000) from `--from N` (default 0), for at most `--minutes N`; or `--seed N` alone and in full.

use std::{process::ExitCode, time::Instant};

use tidegate_world::{Plan, Report, play};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|known| known == name).and_then(|at| arguments.get(at + 1)?.parse::<u64>().ok());
    if let Some(seed) = value("--seed") {
        let plan = Plan::new(seed);
        println!("{plan:#?}");
        let report = play(seed, plan);
        for (at_us, what) in &report.log {
            println!("{:>7.3} s: {what}", *at_us as f64 / 1e6);
        }
        for (at_us, worker, what) in &report.said {
            println!("{:>7.3} s: worker {worker}: {what}", *at_us as f64 / 1e6);
        }
        for (from_us, until_us) in &report.stood {
            println!("{:>7.3} s: the picture stood until {:.3} s", *from_us as f64 / 1e6, *until_us as f64 / 1e6);
        }
        println!("{:#?}", Report { log: Vec::new(), said: Vec::new(), stood: Vec::new(), ..report.clone() });
        return if report.broken.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let (from, seeds) = (value("--from").unwrap_or(0), value("--seeds").unwrap_or(1000));
    let began = Instant::now();
    let until_s = value("--minutes").map_or(u64::MAX, |minutes| minutes.saturating_mul(60));
    let mut played = 0u64;
    let (mut total, mut failed, mut events, mut faults) = (Report::default(), 0u32, 0, 0);
    for seed in from..from + seeds {
        if began.elapsed().as_secs() >= until_s {
            break;
        }
        played += 1;
        let plan = Plan::new(seed);
        events += plan.events.len();
        faults += plan.faults.len();
        let report = play(seed, plan);
        if (seed - from) % 1000 == 999 {
            println!("{} worlds in {:.0} s", seed - from + 1, began.elapsed().as_secs_f64());
        }
        total.records += report.records;
        total.handovers += report.handovers;
        total.parts.0 += report.parts.0;
        total.parts.1 += report.parts.1;
        total.served.0 += report.served.0;
        total.served.1 += report.served.1;
        if let Some(broken) = report.broken {
            failed += 1;
            println!(
                "seed {seed}: {}\n  repeat with: cargo run -p tidegate-world -- --seed {seed}",
                broken.lines().next().unwrap_or_default()
            );
            if failed >= 20 {
                break;
            }
        }
    }
    println!(
        "{played} worlds in {:.0} s: {failed} failed; {events} events and {faults} faults of the store, {} records, {} handovers, {} parts listed ({} gaps), {} playlists and {} pieces of media checked",
        began.elapsed().as_secs_f64(),
        total.records,
        total.handovers,
        total.parts.0,
        total.parts.1,
        total.served.0,
        total.served.1,
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
