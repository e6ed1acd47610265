//! What real sources and encoders do besides running smoothly.

use tidegate_packager::{Config, DropReason, Error, Event, Frame, Input, Limits, Packager, Unwrap};
use tidegate_stream::{AsOf, Cue, Key, Msn, PartIndex, Position};

use crate::{
    bucket::{assert_all_found, run},
    source::{Script, T0, Video, aac, arrivals, audio, avc, config, configured, ended, other_avc, payload, together},
};

fn thirty(frames: i64) -> Video {
    Video::new((30, 1), frames, 60)
}

fn hinted(config: Config) -> Config {
    Config { frame_rate_hint: Some(30.0), ..config }
}

fn ticks(script: &mut Script, until_us: i64) {
    script.extend((0..until_us / 100_000).map(|n| (T0 + n * 100_000, Input::Tick)));
    script.sort_by_key(|(at, _)| *at);
}

#[test]
fn a_source_without_audio_has_no_audio_track() {
    let mut script = configured(vec![avc()], arrivals(0, thirty(90).source(), 0));
    script.insert(1, (T0, Input::Absent { rendition: 1 }));
    let script = ended(script);
    let bucket = run(hinted(config(1, 1)), script.clone());
    assert_all_found(&script, &bucket);
    let timeline = bucket.timeline();
    assert!(timeline.periods()[0].tracks[1].is_none());
    assert!(bucket.record_at[0] - T0 < 500_000);
}

#[test]
fn audio_that_nobody_said_is_missing_delays_the_start_by_a_bounded_time() {
    let mut script = configured(vec![avc()], arrivals(0, thirty(150).source(), 0));
    ticks(&mut script, 5_000_000);
    let script = ended(script);
    let bucket = run(hinted(config(1, 1)), script.clone());
    assert_all_found(&script, &bucket);
    assert!(bucket.events.contains(&Event::TrackMissing { rendition: 1 }));
    assert!((3_000_000..3_200_000).contains(&(bucket.record_at[0] - T0)), "{}", bucket.record_at[0] - T0);
}

#[test]
fn audio_alone_is_the_lead() {
    let mut script = configured(vec![], arrivals(1, audio(48_000, 250, 0), 0));
    script.insert(0, (T0, Input::Config { rendition: 1, config: aac(48_000) }));
    script.insert(0, (T0, Input::Absent { rendition: 0 }));
    let script = ended(script);
    let bucket = run(config(1, 1), script.clone());
    assert_all_found(&script, &bucket);
    let golden = "\
0.0 - 48000+24576
0.1 - 72576+23552
0.2 - 96128+24576
0.3 - 120704+23552
1.0 - 144256+24576
1.1 - 168832+23552
1.2 - 192384+24576
1.3 - 216960+23552
2.0 - 240512+23552
2.1 - 264064+24576
2.2 - 288640+15360
";
    assert_eq!(bucket.outline(), golden);
}

#[test]
fn a_picture_that_comes_later_opens_a_period_that_it_leads() {
    let sound = arrivals(1, audio(48_000, 280, 0), 0);
    let late = thirty(100);
    let picture = arrivals(0, Video { start_ms: 2500, ..late }.source(), 0);
    let mut script = together(vec![sound, picture]);
    script.insert(0, (T0, Input::Absent { rendition: 0 }));
    script.insert(0, (T0, Input::Config { rendition: 1, config: aac(48_000) }));
    let at = script.iter().position(|(_, input)| matches!(input, Input::Frame { rendition: 0, .. })).unwrap();
    script.insert(at, (script[at].0, Input::Config { rendition: 0, config: avc() }));
    let script = ended(script);
    let bucket = run(hinted(config(1, 1)), script.clone());
    assert_all_found(&script, &bucket);
    let timeline = bucket.timeline();
    let tracks: Vec<_> = timeline.periods().iter().map(|period| period.tracks.iter().map(Option::is_some).collect::<Vec<_>>()).collect();
    assert_eq!(tracks, [[false, true], [true, true]]);
}

#[test]
fn irregular_key_frames_cut_where_they_are() {
    let keys = [0, 50, 61, 118, 130, 190, 230];
    let frames: Vec<Frame> =
        thirty(290).source().into_iter().enumerate().map(|(n, frame)| Frame { sync: keys.contains(&n), ..frame }).collect();
    let script = ended(configured(vec![avc(), avc()], together(vec![arrivals(0, frames.clone(), 0), arrivals(1, frames, 40)])));
    let bucket = run(hinted(config(2, 0)), script.clone());
    let found = assert_all_found(&script, &bucket);
    let starts: Vec<i64> = found
        .windows(2)
        .filter(|pair| pair[0].rendition != pair[1].rendition || pair[0].msn != pair[1].msn)
        .filter(|pair| pair[1].rendition == 0 && pair[1].part == 0)
        .map(|pair| i64::from_be_bytes(pair[1].data[..8].try_into().unwrap()))
        .collect();
    assert_eq!(starts, [61, 118, 190, 230]);
    assert!(!bucket.events.iter().any(|event| matches!(event, Event::SegmentNotSync { .. })));
}

#[test]
fn a_gop_that_is_too_long_is_said_once_and_goes_on() {
    let video = Video::new((30, 1), 600, 300);
    let script = ended(configured(vec![avc()], arrivals(0, video.source(), 0)));
    let bucket = run(hinted(config(1, 0)), script.clone());
    assert_all_found(&script, &bucket);
    let said: Vec<_> = bucket.events.iter().filter(|event| matches!(event, Event::GopTooLong { .. })).collect();
    assert_eq!(said, [&Event::GopTooLong { ms: 2500 }]);
    assert_eq!(bucket.timeline().segments().len(), 2);
}

#[test]
fn a_rung_that_stops_becomes_gaps_and_comes_back_at_a_key_frame() {
    let source = arrivals(0, thirty(420).source(), 0);
    let rung = thirty(420).rung();
    let (first, rest) = rung.split_at(100);
    // Frames 100 to 199 never come.
    let rung = together(vec![arrivals(1, first.to_vec(), 30), arrivals(1, rest[100..].to_vec(), 30)]);
    let mut script = configured(vec![avc(), avc()], together(vec![source, rung]));
    ticks(&mut script, 14_000_000);
    let script = ended(script);
    let bucket = run(hinted(config(2, 0)), script.clone());
    assert_all_found(&script, &bucket);
    let late = Event::TrackLate { rendition: 1, msn: Msn(1), part: PartIndex(2) };
    assert_eq!(bucket.events.iter().filter(|event| matches!(event, Event::TrackLate { .. })).collect::<Vec<_>>(), [&late]);
    assert!(bucket.events.contains(&Event::TrackBack { rendition: 1 }));
    let timeline = bucket.timeline();
    let gaps: Vec<_> = timeline
        .segments()
        .iter()
        .flat_map(|segment| segment.parts.iter().enumerate().map(move |(part, what)| (segment.msn.0, part, what.tracks[1].len == 0)))
        .filter(|(.., gap)| *gap)
        .map(|(msn, part, _)| (msn, part))
        .collect();
    assert_eq!((gaps.first(), gaps.last()), (Some(&(1, 2)), Some(&(3, 3))));
    assert_eq!(gaps.len(), 10, "{gaps:?}");
    assert!(timeline.segments().iter().flat_map(|segment| &segment.parts).all(|part| part.tracks[0].len > 0));
    // The lead waits 2 s once, and no longer than that.
    let waits = bucket.record_at.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(waits <= 2_700_000, "{waits}");
    let last_waits = bucket.record_at[20] - T0 - 10_500_000;
    assert!(last_waits < 100_000, "{last_waits}");
}

#[test]
fn a_new_configuration_opens_a_period_at_its_key_frame_with_an_unbroken_clock() {
    let (before, after) = (thirty(200).source(), thirty(200).source());
    let mut script = arrivals(0, before[..80].to_vec(), 0);
    // The encoder starts anew at frame 80, inside a segment.
    script.push((T0 + 2_660_000, Input::Config { rendition: 0, config: other_avc() }));
    script.extend(arrivals(
        0,
        after[80..].iter().map(|frame| Frame { sync: frame.sync || frame.dts_ms == 2667, ..frame.clone() }).collect(),
        0,
    ));
    let script = ended(configured(vec![avc()], script));
    let bucket = run(hinted(config(1, 0)), script.clone());
    let found = assert_all_found(&script, &bucket);
    let first = found.iter().find(|frame| frame.period == 1).unwrap();
    assert_eq!((first.dts, first.sync, first.part), (90_000 + 80 * 3000, true, 0));
    assert_eq!(bucket.timeline().periods().len(), 2);
    assert_eq!(bucket.objects.keys().filter(|key| matches!(key, Key::Init { .. })).count(), 2);
}

#[test]
fn the_same_configuration_again_changes_nothing() {
    let mut script = arrivals(0, thirty(120).source(), 0);
    script.insert(70, (script[70].0, Input::Config { rendition: 0, config: avc() }));
    let script = ended(configured(vec![avc()], script));
    let bucket = run(hinted(config(1, 0)), script.clone());
    assert_all_found(&script, &bucket);
    assert_eq!(bucket.timeline().periods().len(), 1);
}

/// The source's clock jumps by `ms` after 3 s, without a word.
fn jump(ms: i64) -> (Script, crate::bucket::Bucket) {
    let picture = |start_ms| Video { start_ms, ..thirty(90) }.source();
    let sound = |start_ms| audio(48_000, 140, start_ms);
    let first = together(vec![arrivals(0, picture(0), 0), arrivals(1, sound(0), 0)]);
    let second = together(vec![arrivals(0, picture(3000 + ms), -ms), arrivals(1, sound(3000 + ms), -ms)]);
    let script = ended(configured(vec![avc(), aac(48_000)], together(vec![first, second])));
    let bucket = run(hinted(config(1, 1)), script.clone());
    (script, bucket)
}

#[test]
fn jumps_of_the_clock_open_a_period_and_lose_nothing() {
    for ms in [-3000, -100_000, 4000, 86_400_000] {
        let (script, bucket) = jump(ms);
        let found = assert_all_found(&script, &bucket);
        assert_eq!(bucket.events.iter().filter(|event| matches!(event, Event::Jump { .. })).count(), 1, "{ms}");
        assert_eq!(bucket.timeline().periods().len(), 2);
        let last = found.iter().filter(|frame| frame.period == 0).map(|frame| frame.pts_us).max().unwrap();
        let first = found.iter().filter(|frame| frame.period == 1).map(|frame| frame.pts_us).min().unwrap();
        assert!(first > last, "media time grows from period to period");
        let dropped = bucket.events.iter().filter(|event| matches!(event, Event::FrameDropped { .. })).count();
        assert_eq!(dropped, 0, "{ms}: {:?}", bucket.events);
    }
}

#[test]
fn a_small_step_back_is_not_a_jump() {
    let mut frames = thirty(120).source();
    frames[70].dts_ms -= 60;
    let script = ended(configured(vec![avc()], arrivals(0, frames, 0)));
    let bucket = run(hinted(config(1, 0)), script.clone());
    assert_eq!(assert_all_found(&script, &bucket).len(), 120);
    assert_eq!(bucket.timeline().periods().len(), 1);
}

#[test]
fn a_reconnect_is_a_discontinuity() {
    let first = arrivals(0, thirty(100).source(), 0);
    let second = arrivals(0, thirty(100).source(), 10_000);
    let mut script = first;
    script.push((T0 + 9_000_000, Input::Discontinuity));
    script.push((T0 + 10_000_000, Input::Config { rendition: 0, config: avc() }));
    script.extend(second);
    let script = ended(configured(vec![avc()], script));
    let bucket = run(hinted(config(1, 0)), script.clone());
    assert_all_found(&script, &bucket);
    let timeline = bucket.timeline();
    assert_eq!(timeline.periods().len(), 2);
    let opened = timeline.segments().iter().find(|segment| segment.period == 1).unwrap();
    // Timestamps are rounded to ms, so a frame may seem to come up to half of one early.
    assert!((opened.utc_us - T0 - 10_000_000).abs() < 1000);
    assert_eq!(opened.tracks[0].start, 90_000 + 100 * 3000, "media time goes on");
}

#[test]
fn lost_frames_leave_whole_frames_of_time() {
    let lost = |n: usize| (40..44).contains(&n) || n == 74 || n == 75;
    let keep = |frames: Vec<Frame>| frames.into_iter().enumerate().filter(|(n, _)| !lost(*n)).map(|(_, frame)| frame).collect::<Vec<_>>();
    let script = together(vec![arrivals(0, keep(thirty(150).source()), 0), arrivals(1, keep(thirty(150).rung()), 20)]);
    let script = ended(configured(vec![avc(), avc()], script));
    let bucket = run(hinted(config(2, 0)), script.clone());
    for frame in assert_all_found(&script, &bucket) {
        let n = i64::from_be_bytes(frame.data[..8].try_into().unwrap());
        assert_eq!(frame.dts as i64, 90_000 + n * 3000);
        assert_eq!(frame.duration % 3000, 0);
    }
}

#[test]
fn audio_that_stops_becomes_gaps_and_records_go_on() {
    let sound: Vec<Frame> = audio(48_000, 460, 0).into_iter().filter(|frame| !(3000..7000).contains(&frame.dts_ms)).collect();
    let script = ended(configured(vec![avc(), aac(48_000)], together(vec![arrivals(0, thirty(300).source(), 0), arrivals(1, sound, 0)])));
    let bucket = run(hinted(config(1, 1)), script.clone());
    let found = assert_all_found(&script, &bucket);
    for frame in found.iter().filter(|frame| frame.rendition == 1) {
        let n = i64::from_be_bytes(frame.data[..8].try_into().unwrap());
        assert_eq!(frame.dts as i64, 48_000 + n * 1024);
    }
    let waits = bucket.record_at.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(waits < 550_000, "{waits}");
}

#[test]
fn audio_that_comes_late_is_carried_to_the_next_parts() {
    for delay_ms in [50, 200, 700] {
        let script = together(vec![arrivals(0, thirty(300).source(), 0), arrivals(1, audio(48_000, 460, 0), delay_ms)]);
        let script = ended(configured(vec![avc(), aac(48_000)], script));
        let bucket = run(hinted(config(1, 1)), script.clone());
        let found = assert_all_found(&script, &bucket);
        assert_eq!(found.iter().filter(|frame| frame.rendition == 1).count(), 460, "{delay_ms}: {:?}", bucket.events);
        // What is left at the end waits for the end.
        let waits = bucket.record_at[..19].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(waits < 550_000, "{waits}");
    }
}

#[test]
fn the_source_clock_drifts_and_program_date_time_follows_in_steps() {
    // The source is 0.1 % slow: after 200 s of its time it is 200 ms behind.
    let script: Script =
        thirty(6000).source().into_iter().map(|frame| (T0 + frame.dts_ms * 1001, Input::Frame { rendition: 0, frame })).collect();
    let script = ended(configured(vec![avc()], script));
    let bucket = run(hinted(config(1, 0)), script.clone());
    assert_all_found(&script, &bucket);
    let steps: Vec<_> =
        bucket.events.iter().filter_map(|event| if let Event::ClockStep { by_us } = event { Some(*by_us) } else { None }).collect();
    // Nobody sees a step of two frames.
    assert!((2..=4).contains(&steps.len()) && steps.iter().all(|step| (1..=50_000).contains(step)), "{steps:?}");
}

/// As when an encoder's machine stands still for a while and then sends on without catching up. Dates that step inside of what a list calls one
/// stretch make hls.js shift its playlists against each other with each refresh, for as long as the step is listed.
#[test]
fn a_source_that_is_late_from_now_on_begins_a_stretch_with_dates_of_its_own() {
    for (late_ms, stretches) in [(700, 1), (1_100, 2), (7_000, 2)] {
        let late_us = |dts_ms: i64| if dts_ms >= 9_500 { late_ms * 1000 } else { 0 };
        let pictures = thirty(900).source().into_iter().map(|frame| (0, frame));
        let both = pictures.chain(audio(48_000, 1400, 0).into_iter().map(|frame| (1, frame)));
        let mut script: Script =
            both.map(|(rendition, frame)| (T0 + frame.dts_ms * 1000 + late_us(frame.dts_ms), Input::Frame { rendition, frame })).collect();
        script.sort_by_key(|(at, _)| *at);
        let script = ended(configured(vec![avc(), aac(48_000)], script));
        let bucket = run(hinted(config(1, 1)), script.clone());
        assert_all_found(&script, &bucket);
        let timeline = bucket.timeline();
        let periods = timeline.periods();
        assert_eq!(periods.len(), stretches, "{late_ms}");
        assert!(periods.iter().all(|period| period.tracks == periods[0].tracks && period.tracks.iter().all(Option::is_some)));
        let segments: Vec<_> = timeline.segments().iter().collect();
        let mut stepped = 0;
        for pair in segments.windows(2) {
            let [before, after] = pair else { unreachable!() };
            let lasts_us = timeline.track(before, 0).unwrap().micros(before.tracks[0].duration);
            let beside_us = after.utc_us - before.utc_us - i64::try_from(lasts_us).unwrap();
            if before.period == after.period {
                assert!(beside_us.abs() <= 100_000, "{late_ms}: {beside_us}");
            } else {
                stepped += beside_us;
            }
        }
        assert!(stretches == 1 || (stepped - late_ms * 1000).abs() < 50_000, "{late_ms}: {stepped}");
    }
}

#[test]
fn wrapped_timestamps_are_one_line() {
    let mut unwrap = Unwrap::default();
    let start = u32::MAX - 1000;
    let frames = thirty(90).source().into_iter().map(|frame| {
        let wire = start.wrapping_add(frame.dts_ms as u32);
        Frame { dts_ms: unwrap.next(wire), ..frame }
    });
    let frames: Vec<Frame> = frames.collect();
    let script: Script = frames.iter().map(|frame| (T0 + frame.dts_ms, Input::Frame { rendition: 0, frame: frame.clone() })).collect();
    let script = ended(configured(vec![avc()], script));
    let bucket = run(hinted(config(1, 0)), script.clone());
    assert_all_found(&script, &bucket);
    assert_eq!(bucket.timeline().periods().len(), 1);
}

#[test]
fn a_session_of_a_few_frames_is_still_a_session() {
    let script = ended(configured(
        vec![avc(), aac(48_000)],
        together(vec![arrivals(0, thirty(3).source(), 0), arrivals(1, audio(48_000, 3, 0), 0)]),
    ));
    let bucket = run(hinted(config(1, 1)), script.clone());
    assert_all_found(&script, &bucket);
    let timeline = bucket.timeline();
    assert!(timeline.ended());
    assert_eq!(timeline.last().map(|last| last.msn), Some(Msn(0)));
    let playlist = bucket.objects.iter().find(|(key, _)| matches!(key, Key::StaticMedia { .. })).unwrap().1;
    assert!(std::str::from_utf8(playlist).unwrap().ends_with("#EXT-X-ENDLIST\n"));
}

#[test]
fn a_session_without_media_writes_nothing() {
    let bucket = run(config(1, 1), vec![(T0, Input::Tick), (T0, Input::Discontinuity), (T0 + 1, Input::End)]);
    assert!(bucket.puts.is_empty());
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut packager = Packager::new(config(1, 1));
    let frame = Frame { dts_ms: 0, cts_ms: 0, sync: true, data: payload(0) };
    assert_eq!(packager.handle(T0, Input::Frame { rendition: 2, frame: frame.clone() }), Err(Error::Rendition(2)));
    assert_eq!(packager.handle(T0, Input::Config { rendition: 1, config: avc() }), Err(Error::Kind(1)));
    packager.handle(T0, Input::End).unwrap();
    assert_eq!(packager.handle(T0, Input::Frame { rendition: 0, frame }), Err(Error::Ended));
}

#[test]
fn frames_that_nobody_can_take_are_bounded() {
    // Sound comes for ever, but the picture that was announced does not.
    let limits = Limits { queue_bytes: 20_000, ..Limits::default() };
    let script: Script = audio(48_000, 5000, 0).into_iter().map(|frame| (T0, Input::Frame { rendition: 1, frame })).collect();
    let script = ended(configured(vec![avc(), aac(48_000)], script));
    let bucket = run(Config { limits, ..hinted(config(1, 1)) }, script.clone());
    assert_all_found(&script, &bucket);
    // A picture that comes while its rung does not.
    let source = arrivals(0, thirty(600).source(), 0);
    let script = ended(configured(vec![avc(), avc()], source));
    let limits = Limits { queue_bytes: 1_000, late_us: i64::MAX, ..Limits::default() };
    let bucket = run(Config { limits, ..hinted(config(2, 0)) }, script.clone());
    assert_all_found(&script, &bucket);
    assert!(!bucket.events.iter().any(|event| matches!(event, Event::FrameDropped { why: DropReason::Size, .. })));
}

#[test]
fn the_newest_position_is_known_to_a_reader_of_the_head() {
    let script = ended(configured(vec![avc()], arrivals(0, thirty(600).source(), 0)));
    let bucket = run(hinted(config(1, 0)), script);
    let head = bucket.objects.iter().find(|(key, _)| matches!(key, Key::Head { .. })).unwrap().1;
    let timeline = tidegate_stream::Snapshot::decode(head).unwrap().into_timeline(vec![]);
    assert_eq!(timeline, bucket.timeline());
    assert_eq!(timeline.last(), Some(Position { msn: Msn(9), part: PartIndex(3) }));
}

#[test]
fn a_cue_is_listed_and_said_before_each_chunk_of_its_part_at_its_time() {
    let at_us = T0 + 1_200_000;
    let text = "50 % of \"tides\"\n";
    let cue =
        Cue { id: "c1".into(), class: "com.example".into(), text: text.into(), created_utc_ms: 0, at_utc_ms: None, duration_ms: 1500 };
    let frames = together(vec![arrivals(0, thirty(120).source(), 0), arrivals(1, audio(48_000, 188, 0), 0)]);
    let mut script = configured(vec![avc(), aac(48_000)], frames);
    let place = script.iter().position(|(at, _)| *at > at_us).unwrap();
    script.insert(place, (at_us, Input::Announce(cue.event(at_us as u64 / 1000))));
    let script = ended(script);
    let bucket = run(hinted(config(1, 1)), script.clone());
    assert_all_found(&script, &bucket);
    bucket.check();
    let timeline = bucket.timeline();
    let listed: Vec<_> = timeline.events(AsOf::End).collect();
    assert_eq!((listed.len(), listed[0].event.id.as_str(), listed[0].event.duration_us), (1, "c1", Some(1_500_000)));
    let mut said = vec![];
    for object in bucket.records() {
        for at in (0..object.len().saturating_sub(28)).filter(|at| object[*at..].starts_with(b"emsg\x01")) {
            let number =
                |from: usize, len: usize| object[at + from..at + from + len].iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
            let (timescale, start, duration, id) = (number(8, 4), number(12, 8), number(20, 4), number(24, 4));
            let message = &object[at..];
            assert!(message.windows(text.len()).any(|window| window == text.as_bytes()), "the text as it was");
            said.push((start as f64 / timescale as f64, duration as f64 / timescale as f64, id));
        }
    }
    assert_eq!(said.len(), 2, "one for the picture, one for the sound: {said:?}");
    for (start, duration, id) in said {
        // Media time begins at 1 s.
        assert!((start - 2.2).abs() < 0.05, "said for {start} s");
        assert!((duration - 1.5).abs() < 0.01);
        assert_eq!(id, u64::from(listed[0].event.number()));
    }
}
