//! What a live hour costs, and what is deleted.

use tidegate_packager::{Condition, Config, Input, Lane, Output, Packager};
use tidegate_stream::Key;

use crate::source::{Script, T0, Video, aac, arrivals, audio, avc, config, configured, ended, together};

fn ladder(seconds: i64) -> Script {
    let video = Video::new((30, 1), seconds * 30, 60);
    let mut scripts: Vec<_> = (0..5).map(|rung| arrivals(rung, video.rung(), rung as i64 * 5)).collect();
    scripts.push(arrivals(5, audio(48_000, seconds * 48_000 / 1024, 0), 0));
    let configs = [vec![avc(); 5], vec![aac(48_000)]].concat();
    ended(configured(configs, together(scripts)))
}

#[test]
fn an_hour_of_the_whole_ladder_takes_at_most_fifteen_thousand_puts() {
    let mut packager = Packager::new(Config { frame_rate_hint: Some(30.0), ..config(5, 1) });
    let (mut puts, mut log, mut deleted) = (0, 0, 0);
    for (now, input) in ladder(3600) {
        packager.handle(now, input).unwrap();
        while let Some(output) = packager.poll() {
            match output {
                Output::Put(put) => {
                    puts += 1;
                    log += u32::from(put.lane == Lane::Log);
                    assert_eq!(put.condition == Condition::Absent, put.key.is_write_once());
                }
                Output::Delete(_) => deleted += 1,
                Output::Event(_) => {}
            }
        }
    }
    assert!(log >= 7200, "{log}");
    assert!(puts + deleted <= 15_000, "{puts} puts and {deleted} deletions");
    println!("{puts} puts, {log} of them in the log, and {deleted} deletions");
}

#[test]
fn records_expire_a_minute_after_their_segment_and_segments_with_the_window() {
    let video = Video::new((30, 1), 600 * 30, 60);
    let script = ended(configured(vec![avc()], arrivals(0, video.source(), 0)));
    let config = Config { frame_rate_hint: Some(30.0), dvr_window_s: 120, ..config(1, 0) };
    let mut packager = Packager::new(config);
    let (mut records, mut segments) = (vec![], vec![]);
    let mut newest = (0, 0);
    for (now, input) in script {
        let is_end = matches!(input, Input::End);
        packager.handle(now, input).unwrap();
        while let Some(output) = packager.poll() {
            let Output::Delete(keys) = output else {
                if let Output::Put(put) = output
                    && let Key::Segment { msn, .. } = put.key
                {
                    newest = (msn.0, (now - T0) / 1_000_000);
                }
                continue;
            };
            for key in keys {
                match key {
                    Key::Record { number, .. } => {
                        // A record is half a second of time.
                        assert!(newest.1 - (number.0 as i64 / 2) > 60 || is_end);
                        records.push(number.0);
                    }
                    Key::Segment { msn, .. } => {
                        assert!(newest.0 - msn.0 >= 60 + 62 + 8, "{msn} of {newest:?}");
                        segments.push(msn.0);
                    }
                    Key::Chapter { index, .. } => assert!((index + 1) * 64 + 60 <= newest.0),
                    other => panic!("{other} was deleted"),
                }
            }
        }
    }
    assert_eq!(records, (0..records.len() as u64).collect::<Vec<_>>());
    assert_eq!(segments, (0..segments.len() as u64).collect::<Vec<_>>());
    assert!(records.len() > 900 && segments.len() > 120, "{} {}", records.len(), segments.len());
}
