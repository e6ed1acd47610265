//! A store that has no time, is slow, or forgets to answer: the worker keeps its parts and tries again, what is announced is
//! there, and a stream with a store in a better mood goes on.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tidegate_host::PreferWait;
use tidegate_integration::{Embedded, Flaky, Trouble, ffmpeg, http::Client, platform::Platform, process};
use tidegate_stream::StreamId;

const SECONDS: usize = 20;
const SOURCE: [&str; 17] = [
    "-re",
    "-f",
    "lavfi",
    "-i",
    "testsrc2=s=320x180:r=30",
    "-t",
    "20",
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-tune",
    "zerolatency",
    "-g",
    "60",
    "-b:v",
    "800k",
];
/// What 11 s of a small stream that cannot be written may add to the memory of everything that runs in this process.
const WAITING_BYTES_MAX: u64 = 64 << 20;

/// Reads a live playlist again and again, and all that it lists as soon as it lists it.
struct Reader {
    done: Arc<AtomicBool>,
    thread: thread::JoinHandle<Seen>,
}

#[derive(Default)]
struct Seen {
    parts: usize,
    /// The longest time without a new part.
    longest_pause: Duration,
    missing: Vec<String>,
}

impl Reader {
    fn start(platform: &Platform, path: &str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (edge, path, stop) = (platform.edge, path.to_owned(), Arc::clone(&done));
        let thread = thread::spawn(move || {
            let (mut viewer, mut known, mut seen) = (Client::new(edge), BTreeSet::new(), Seen::default());
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            let mut newest = Instant::now();
            while !stop.load(Relaxed) {
                let text = viewer.get(&path).map(|answer| answer.text()).unwrap_or_default();
                let uri = |line: &str| Some(line.strip_prefix("#EXT-X-PART:")?.split_once("URI=\"")?.1.split_once('"')?.0.to_owned());
                for uri in text.lines().filter_map(uri).filter(|uri| !known.contains(uri)).collect::<Vec<_>>() {
                    let answer = viewer.get(&format!("{folder}/{uri}"));
                    if !answer.as_ref().is_ok_and(|answer| answer.status == 200 && !answer.body.is_empty()) {
                        seen.missing.push(format!("{uri}: {:?}", answer.map(|answer| answer.status)));
                    }
                    seen.longest_pause = seen.longest_pause.max(newest.elapsed());
                    newest = Instant::now();
                    seen.parts += 1;
                    known.insert(uri);
                }
                thread::sleep(Duration::from_millis(50));
            }
            seen
        });
        Self { done, thread }
    }

    fn finish(self) -> Seen {
        self.done.store(true, Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn nothing_is_lost_and_nothing_announced_is_missing_while_the_store_is_in_trouble() {
    let embedded = Embedded::start();
    let flaky = Flaky::before(&embedded.s3);
    let platform = Platform::between(flaky.s3.clone(), embedded.s3.clone(), PreferWait::Auto, |_| {});
    let (live, other) = (platform.push("live", &SOURCE), platform.push("other", &SOURCE));
    let readers = ["live", "other"].map(|stream| Reader::start(&platform, &platform.session(stream).media[0].clone()));
    let metrics = platform.metrics.stream(&StreamId::parse("live").unwrap());
    let memory = process::memory(std::process::id());

    thread::sleep(Duration::from_secs(2));
    flaky.set("/live/live/", Trouble::Busy);
    thread::sleep(Duration::from_secs(3));
    let waiting = metrics.store().waiting_bytes as u64;
    flaky.set("/live/live/", Trouble::Slow(Duration::from_millis(1200)));
    thread::sleep(Duration::from_secs(2));
    flaky.set("/live/live/", Trouble::AnswerLost);
    thread::sleep(Duration::from_secs(2));
    // What somebody has to see to, and does while the worker runs.
    let says = [(400, "ExpiredToken"), (403, "RequestTimeTooSkewed"), (507, "StorageFull"), (409, "ConditionalRequestConflict")];
    for (status, code) in says {
        flaky.set("/live/live/", Trouble::Says(status, code));
        thread::sleep(Duration::from_millis(800));
    }
    flaky.set("/live/live/", Trouble::Away);
    thread::sleep(Duration::from_millis(800));
    let grown = process::memory(std::process::id()).saturating_sub(memory);
    flaky.set("", Trouble::None);

    live.finish().unwrap();
    other.finish().unwrap();
    for stream in ["live", "other"] {
        platform.recording(stream);
    }
    let [seen, undisturbed] = readers.map(Reader::finish);
    println!(
        "{} requests had trouble, {} tried again; at most {} kB waited; memory grew by {} kB; the longest pause was {:.1?}, elsewhere {:.1?}",
        flaky.troubled(),
        metrics.store().retries,
        waiting >> 10,
        grown >> 10,
        seen.longest_pause,
        undisturbed.longest_pause
    );
    assert!(flaky.troubled() > 20 && metrics.store().retries > 10, "the trouble was not felt");
    assert!(grown < WAITING_BYTES_MAX, "{grown} bytes");
    for (stream, seen) in [("live", &seen), ("other", &undisturbed)] {
        assert_eq!(seen.missing, Vec::<String>::new(), "{stream}: announced, and not there");
        assert!(seen.parts > 10, "{stream}: {} parts were seen", seen.parts);
        for address in [platform.url(&format!("/live/{stream}/index.m3u8")), platform.bucket_url(&format!("/live/{stream}/index.m3u8"))] {
            assert_eq!(ffmpeg::decoded_frames(&address), SECONDS * 30, "{address}");
        }
    }
    assert!(undisturbed.longest_pause < Duration::from_secs(3), "another stream stood still for {:?}", undisturbed.longest_pause);
}
