//! How many events a core counts in the function itself, and what the open windows of 1,000 streams take in memory.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unsafe_code,
    reason = "a measurement: it reads the clock, counts what is allocated, and prints"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use tidegate_analytics::{ADDRESS, Job, State};
use tidegate_beacon::{Collector, Viewer};
use tidegate_function::{Answer, Fetched, Input, Job as _, Output, Request, Stored, World};
use tidegate_stream::{InstanceId, StreamId};

struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// Safety: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EVENTS: u64 = 200_000;
const SESSIONS: u64 = 10_000;
const STREAMS: u64 = 1000;
const COUNTRIES: [&str; 8] = ["DE", "FR", "US", "JP", "BR", "IN", "GB", "ES"];

fn main() {
    for lines in [1, 2, 10] {
        let (took, counted) = intake(lines);
        println!("{lines} events a report: {:.0} events/s on one core (bar 20,000)", counted as f64 / took);
    }
    for viewers in [10, 100] {
        println!("open windows of {STREAMS} streams with {viewers} viewers each: {:.1} MB (bar 20 MB)", memory(viewers) as f64 / 1e6);
    }
}

/// One line as our player writes it.
fn line(session: u64, number: u64, now_ms: u64) -> String {
    format!(
        "bl=(1200),br=({}),cid=\"demo\",com.tidegate-since=\"30000 30000 0 0 1\",e=t,ltc={},mtp=(12300),sf=h,sid=\"3f0c9a4e-{session:08}\",sn={number},st=ll,sta=p,ts={now_ms},v=2",
        [800, 1500, 3000, 4700][session as usize % 4],
        1200 + session % 900,
    )
}

fn intake(lines: u64) -> (f64, u64) {
    let mut state = State::new();
    let start_ms = 1_790_000_000_000;
    let reports: Vec<(u64, Request)> = (0..EVENTS / lines)
        .map(|n| {
            let session = n % SESSIONS;
            let now_ms = start_ms + n * 100 * lines;
            let body: Vec<String> = (0..lines).map(|at| line(session, n / SESSIONS * lines + at, now_ms - (lines - at) * 500)).collect();
            let headers = vec![
                ("content-type".into(), "application/cmcd".into()),
                (
                    "user-agent".into(),
                    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36".into(),
                ),
                ("viewer-country".into(), COUNTRIES[session as usize % 8].into()),
                ("viewer-edge".into(), "fra-1".into()),
                (ADDRESS.into(), format!("10.{}.{}.0", session / 250, session % 250)),
            ];
            let path = "/live/demo/beacon".into();
            (now_ms, Request { method: "POST".into(), path, headers, body: body.join("\n").into_bytes(), ..Request::default() })
        })
        .collect();
    let begun = cpu_s();
    let mut counted = 0;
    for (now_ms, request) in reports {
        let mut job = Job::new(request);
        loop {
            let world = World { now_utc_ms: now_ms, random: [3; 32] };
            let input = match job.poll(&mut state, &world) {
                Output::Answer(Answer::Respond { status: 204, .. }) => break,
                Output::Fetch { .. } => Input::Fetched(Fetched::Got { bytes: vec![1; 32], etag: None, age_ms: None }),
                Output::Store { .. } => Input::Stored(Stored::Done { etag: None }),
                other => {
                    println!("a report was not taken: {other:?}");
                    return (1.0, 0);
                }
            };
            job.handle(&mut state, &world, input);
        }
        counted += lines;
    }
    (cpu_s() - begun, counted)
}

/// Time on a core, in s: the machine may have other work.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// What a minute of reports leaves allocated, sessions included.
fn memory(viewers: u64) -> usize {
    let before = ALLOCATED.load(Relaxed);
    let mut collector = Collector::new(InstanceId(1), "fra-1".into());
    let start_ms = 1_790_000_040_000;
    let streams: Vec<StreamId> = (0..STREAMS).filter_map(|n| StreamId::parse(&format!("stream-{n:04}")).ok()).collect();
    for round in 0..2 {
        for (at, stream) in streams.iter().enumerate() {
            for viewer in 0..viewers {
                let session = at as u64 * viewers + viewer;
                let now_ms = start_ms + round * 29_000;
                let country = Some(COUNTRIES[viewer as usize % 8].to_owned());
                let who = Viewer {
                    unique: Some(session.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                    country,
                    device: "desktop",
                    edge: "fra-1".into(),
                    ..Viewer::default()
                };
                collector.count(stream, &line(session, round, now_ms), &who, session, now_ms);
            }
        }
    }
    let taken = ALLOCATED.load(Relaxed) - before;
    drop(collector);
    taken
}
