//! A report of a player is any text, and an object with figures any bytes: they are counted within bounds, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_beacon::{Collector, Report, Rollup, Viewer};
use tidegate_stream::{InstanceId, StreamId};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = Report::decode(bytes) {
        assert_eq!(Report::decode(&report.encode()).as_ref(), Ok(&report));
    }
    if let Ok(rollup) = Rollup::decode(bytes) {
        assert_eq!(Rollup::decode(&rollup.encode()).as_ref(), Ok(&rollup));
    }
    let Ok(stream) = StreamId::parse("demo") else { return };
    let text = String::from_utf8_lossy(bytes);
    let mut collector = Collector::new(InstanceId(1), "edge".into());
    let viewer = Viewer { unique: Some(7), country: Some("DE".into()), device: "tv", ..Viewer::default() };
    let mut now_ms = 1_790_000_000_000;
    // As it is, and with what every line needs in front, so that the rest of a line is reached.
    let lines: String = text.split('\n').map(|line| format!("e=t,sid=\"a\",sta=p,ts={},{line}\n", line.len())).collect();
    for body in [text.as_ref(), lines.as_str(), text.as_ref()] {
        collector.count(&stream, body, &viewer, 1, now_ms);
        now_ms += 7_000;
    }
    while let Some(put) = collector.next(now_ms, true) {
        let report = Report::decode(&put.bytes).unwrap();
        for (_, window) in &report.windows {
            assert!(window.all.played_ms <= 3 * 64 * 90_000, "more was played than can be");
            let (watched_ms, _) = window.all.cells.watched(0, u64::from(u32::MAX) * 10_000);
            assert!(watched_ms <= 3 * 64 * 125_000);
        }
        collector.done(true, now_ms);
        now_ms += 60_000;
    }
});
