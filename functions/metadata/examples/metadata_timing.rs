//! How long the function itself takes for a page of a list and of a search of 10,000 streams; reads cost nothing here.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement: it reads the clock and prints")]

use std::{collections::BTreeMap, time::Instant};

use tidegate_function::{Answer, Fetched, Input, Job as _, Output, Request, Stored, World};
use tidegate_metadata::{Job, State};
use tidegate_stream::{Entry, IndexPage, Ledger, MetaKey, PAGE_ENTRIES, SessionId, StreamId, Summary};

const STREAMS: usize = 10_000;
const ROUNDS: u32 = 20;

fn main() {
    let objects = index();
    let bytes: usize = objects.values().map(Vec::len).sum();
    println!("{STREAMS} streams on {} pages of the index, {bytes} bytes", objects.len());
    for (what, query) in [
        ("first page of the list", "limit=50"),
        ("search that finds 100", "q=tide+77"),
        ("search that finds nothing", "q=nothing+at+all"),
        ("tag", "tag=t3"),
    ] {
        let start = Instant::now();
        let mut steps = 0;
        for _ in 0..ROUNDS {
            steps = ask(&objects, query);
        }
        println!("{what}: {:.1?} ms, {steps} reads", start.elapsed().as_secs_f64() * 1000.0 / f64::from(ROUNDS));
    }
}

fn index() -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    for number in 0..STREAMS.div_ceil(PAGE_ENTRIES) {
        let mut page = IndexPage::default();
        for n in (number * PAGE_ENTRIES)..((number + 1) * PAGE_ENTRIES).min(STREAMS) {
            let Ok(stream) = StreamId::parse(&format!("stream-{n:05}")) else { continue };
            let mark = SessionId::new(1, 1);
            let summary = Summary {
                visibility: "public".into(),
                language: "en".into(),
                category: "nature".into(),
                tags: vec![format!("t{}", n % 100), "sea".into()],
                title: format!("The tide at gate number {n}, as seen from the pier: tide {n}"),
            };
            let created_utc_ms = 1_790_000_000_000 + n as u64;
            let _ = page.mark(&stream, created_utc_ms, &mark);
            let entry =
                Entry { stream: stream.clone(), created_utc_ms, revision: 1, deleted: false, session: None, marks: Vec::new(), summary };
            page.settle(&stream, Some(&entry), Some(&mark));
        }
        objects.insert(MetaKey::Entry { ledger: Ledger::Index, number: number as u64 }.to_string(), page.to_bytes());
    }
    objects
}

/// Runs one request to its answer; how much it read.
fn ask(objects: &BTreeMap<String, Vec<u8>>, query: &str) -> usize {
    let request = Request { method: "GET".into(), path: "/api/v1/streams".into(), query: query.into(), ..Request::default() };
    let mut job = Job::trusted(request);
    let (mut state, world) = (State::new(), World { now_utc_ms: 1_790_001_000_000, random: [7; 32] });
    let mut steps = 0;
    loop {
        let input = match job.poll(&mut state, &world) {
            Output::Answer(Answer::Respond { status, .. }) => {
                assert_eq!(status, 200);
                return steps;
            }
            Output::Fetch { key, range, .. } => Input::Fetched(match objects.get(&key) {
                Some(bytes) => {
                    let end = if range.is_some() { 1 } else { bytes.len() };
                    Fetched::Got { bytes: bytes.get(..end).unwrap_or_default().to_vec(), etag: Some("\"1\"".into()), age_ms: None }
                }
                None => Fetched::Missing,
            }),
            Output::Answer(_) | Output::Store { .. } | Output::Delete { .. } | Output::Load { .. } => Input::Stored(Stored::Failed),
        };
        steps += 1;
        job.handle(&mut state, &world, input);
    }
}
