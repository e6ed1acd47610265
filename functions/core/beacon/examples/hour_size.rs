//! How large the objects are that figures of one stream lie in, by how many watch: the minute of an edge, and the hour and the day of all.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement: it reads the clock and prints")]

use std::time::Instant;

use tidegate_beacon::{Collector, Report, Rollup, Viewer, Window};
use tidegate_stream::{InstanceId, StreamId};

const START_MS: u64 = 1_790_000_040_000;
/// The end of the hour, in minutes since 1970.
const END: u64 = START_MS / 60_000 + 60;
/// Minutes that are made; others are like them.
const MINUTES: u64 = 3;
const EDGES: u64 = 10;

fn main() {
    let Ok(stream) = StreamId::parse("demo") else { return };
    for viewers in [1_000, 10_000, 100_000] {
        let minutes: Vec<(Window, usize)> = (0..MINUTES).map(|minute| watch(&stream, viewers, minute)).collect();
        let edge_minute = minutes.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
        let mut hour = hour_of(&minutes);
        let whole = hour.encode().len();
        let mut recent = hour.clone();
        recent.fold(END - 15);
        let begun = Instant::now();
        hour.fold(END);
        let fold_ms = begun.elapsed().as_millis();
        let bytes = hour.encode();
        let begun = Instant::now();
        let again = Rollup::decode(&bytes).is_ok();
        let decode_ms = begun.elapsed().as_millis();
        let mut day = Rollup::default();
        let mut sum = Window::default();
        hour.windows.values().for_each(|window| sum.merge(window));
        sum.coarsen();
        (0..24).for_each(|n| drop(day.windows.insert(n, sum.clone())));
        println!(
            "{viewers} viewers: minute of one of {EDGES} edges {} kB, hour {} kB (each minute apart {} kB, while it goes on at most {} kB; folded in {fold_ms} ms, read {again} in {decode_ms} ms), day {} kB",
            edge_minute / 1000,
            bytes.len() / 1000,
            whole / 1000,
            recent.encode().len() / 1000,
            day.encode().len() / 1000,
        );
    }
}

/// An hour of the same minutes over and over.
fn hour_of(minutes: &[(Window, usize)]) -> Rollup {
    let windows = (END - 60..END).zip(minutes.iter().cycle()).map(|(minute, (window, _))| (minute, window.clone())).collect();
    Rollup { windows, lost: Vec::new() }
}

/// A minute of an audience that is spread as audiences are: a few countries and networks have most of it.
fn watch(stream: &StreamId, viewers: u64, minute: u64) -> (Window, usize) {
    let begins = START_MS + minute * 60_000;
    let (mut sum, mut most) = (Window::default(), 0);
    for edge in 0..EDGES {
        let mut collector = Collector::new(InstanceId(edge), format!("edge-{edge}"));
        for n in (edge..viewers).step_by(EDGES as usize) {
            let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 7);
            // Of so many, the lower ones more often.
            let skewed = |shift: u32, of: u64| {
                let share = (hash >> shift & 0xffff) as f64 / 65_536.0;
                (share * share * of as f64) as u64
            };
            let (place, network) = (skewed(3, 400), skewed(23, 400));
            let viewer = Viewer {
                unique: Some(hash),
                country: Some(format!("{}{}", (b'A' + (place / 8 % 26) as u8) as char, (b'A' + (place / 208) as u8) as char)),
                region: Some(format!("X{}-{place}", place / 8)),
                device: ["desktop", "phone", "tv", "tablet"][(hash >> 41 & 3) as usize],
                network: Some(format!("AS{network}")),
                edge: format!("edge-{edge}"),
            };
            for half in 0..2u64 {
                let number = minute * 2 + half;
                let (kbps, latency) = ([800, 1500, 3000, 4700][(hash >> 43 & 3) as usize], 1200 + hash % 1700 + half * 130);
                let line = format!(
                    "br=({kbps}),com.tidegate-since=\"30000 29800 200 1 1\",e=t,ltc={latency},sid=\"{n}\",sn={number},sta=p,ts={}",
                    number * 30_000
                );
                collector.count(stream, &line, &viewer, n, begins + half * 30_000 + n % 29_000);
            }
        }
        while let Some(put) = collector.next(begins + 59_999, true) {
            collector.done(true, begins + 59_999);
            if let Ok(report) = Report::decode(&put.bytes)
                && report.ending == tidegate_beacon::Ending::Closed
            {
                most = most.max(put.bytes.len());
                report.windows.iter().for_each(|(_, window)| sum.merge(window));
            }
        }
    }
    (sum, most)
}
