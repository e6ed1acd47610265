#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: it starts processes and reads the clock"
)]
//! Cold start and warm answers of the Lambda binary against an emulated runtime API: `tests/benches/lambda`.
//!
//! Cold is from the start of the process to the first byte of the answer to an event that waits already; `/time` asks no store, the
//! playlist asks a bucket on this machine. Lambda's own share (a micro virtual machine, the file's way to it) is not in it.
#[path = "../tests/emulated/emulator.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod emulator;
#[path = "../tests/emulated/event.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod event;

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use tidegate_rig::Store;

use crate::{
    emulator::{Environment, Outcome},
    event::{Source, event},
};

const COLD: usize = 30;
const WARM: usize = 1000;

#[tokio::main]
async fn main() {
    let binary = env::args().nth(1).expect("usage: figures PATH-OF-BOOTSTRAP");
    let binary = Path::new(&binary);
    println!("binary: {:.2} MB (bar 8)", fs::metadata(binary).unwrap().len() as f64 / 1e6);
    let store = Store::with(tidegate_golden::golden_bucket()).await;
    let endpoint = store.endpoint();
    let variables = [("TIDEGATE_STORE_BUCKET", "bucket"), ("AWS_ENDPOINT_URL", endpoint.as_str())];
    let playlist = format!("{}/high.m3u8", tidegate_golden::session_path());
    let targets = [("/time, no store", "/time"), ("media playlist, store on this machine", playlist.as_str())];
    for (name, target) in targets {
        let event = event(Source::FunctionUrl, "GET", target, &[], None);
        let mut cold = Vec::new();
        for _ in 0..COLD {
            let start = Instant::now();
            let environment = Environment::start(binary, &variables).await;
            cold.push(first_byte(&environment, &event).await - start);
        }
        say(&format!("cold start to first byte, {name}"), &mut cold, "60 ms p50");
    }
    let environment = Environment::start(binary, &variables).await;
    for (name, target) in targets {
        let event = event(Source::FunctionUrl, "GET", target, &[], None);
        first_byte(&environment, &event).await;
        let mut warm = Vec::new();
        for _ in 0..WARM {
            let start = Instant::now();
            warm.push(first_byte(&environment, &event).await - start);
        }
        say(&format!("warm, {name}"), &mut warm, "2 ms p50 without the store");
    }
}

async fn first_byte(environment: &Environment, event: &serde_json::Value) -> Instant {
    match environment.invoke(event).await {
        Outcome::Answered { answer, first_byte, .. } if answer.status == 200 => first_byte,
        other => panic!("{other:?}"),
    }
}

fn say(name: &str, times: &mut [Duration], bar: &str) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!("{name}: p50 {:.2} ms, p95 {:.2} ms (bar {bar})", at(0.5), at(0.95));
}
