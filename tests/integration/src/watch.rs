//! A headless viewer of real edges: the real engine in real time, with a media element that knows only what its bytes say, and the rules
//! of the simulation for all that is served.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::{sleep, spawn},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tidegate_world::{
    edge::{Edges, Reply},
    rules::Rules,
    viewer::Viewer,
};

use crate::http::Client;

/// What a viewer has seen.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Watched {
    /// The longest time for which the picture stood still, in ms.
    pub longest_stall_ms: i64,
    /// How far the picture has moved in the last 5 s, in ms.
    pub moved_ms: i64,
    /// How far behind live it is at the end, in ms.
    pub behind_ms: i64,
    /// Playlists and pieces of media that were looked at.
    pub served: (u64, u64),
    /// The rule that was broken.
    pub broken: Option<String>,
}

struct Connections {
    addresses: Vec<SocketAddr>,
    next: u64,
    replies: Arc<Mutex<HashMap<u64, Reply>>>,
}

const STEP: Duration = Duration::from_millis(10);
/// The end, in which the picture has to move.
const END_US: i64 = 5_000_000;

/// Watches a stream for so long, through any of these edges.
pub fn watch(stream: &str, addresses: Vec<SocketAddr>, time: Duration, seed: u64) -> Watched {
    let mut edges = Connections { addresses, next: 0, replies: Arc::default() };
    let (mut rules, mut viewer) = (Rules::default(), Viewer::new(now_us(), seed, stream));
    let (began, mut before_us) = (Instant::now(), now_us());
    while began.elapsed() < time {
        sleep(STEP);
        let now = now_us();
        viewer.step(now, now - before_us, &mut edges, &mut rules);
        before_us = now;
    }
    let place = |at: i64| viewer.seen.iter().rev().find(|(seen, _)| *seen <= at).map_or(0.0, |(_, place)| *place);
    Watched {
        longest_stall_ms: viewer.longest_stall_us() / 1000,
        moved_ms: ((place(before_us) - place(before_us - END_US)) * 1000.0) as i64,
        behind_ms: viewer.behind_s().map_or(i64::MAX, |behind_s| (behind_s * 1000.0) as i64),
        served: (rules.playlists, rules.bodies),
        broken: rules.broken.or_else(|| (viewer.seen.is_empty()).then(|| viewer.report())),
    }
}

impl Watched {
    /// One line, which [`Self::read`] reads.
    pub fn line(&self) -> String {
        let (playlists, bodies) = self.served;
        let broken = self.broken.clone().unwrap_or_default().replace('\n', "|");
        format!("{} {} {} {playlists} {bodies} {broken}", self.longest_stall_ms, self.moved_ms, self.behind_ms)
    }

    /// What another process has written.
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.trim_end().splitn(6, ' ');
        let mut number = || words.next()?.parse::<i64>().ok();
        let (longest_stall_ms, moved_ms, behind_ms) = (number()?, number()?, number()?);
        let served = (number()?.unsigned_abs(), number()?.unsigned_abs());
        let broken = words.next().filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self { longest_stall_ms, moved_ms, behind_ms, served, broken })
    }
}

impl Edges for Connections {
    fn count(&self) -> usize {
        self.addresses.len()
    }

    fn ask(&mut self, place: usize, _now: i64, address: &str) -> u64 {
        self.next += 1;
        let (id, server, address, replies) = (self.next, self.addresses[place], address.to_owned(), Arc::clone(&self.replies));
        spawn(move || {
            let reply = match Client::new(server).get(&address) {
                Ok(answer) => {
                    let keep = answer.header("cache-control").unwrap_or_default().to_owned();
                    Reply { status: answer.status, body: answer.body, keep }
                }
                Err(_) => Reply { status: 0, body: Vec::new(), keep: String::new() },
            };
            replies.lock().unwrap_or_else(PoisonError::into_inner).insert(id, reply);
        });
        id
    }

    fn reply(&mut self, _place: usize, id: u64) -> Option<Reply> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as i64
}
