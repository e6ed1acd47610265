//! Sources of every rate keep exact time.

use tidegate_packager::{Config, Event, Frame, Input};
use tidegate_stream::{FrameRate, TrackKind};

use crate::{
    bucket::{assert_all_found, run},
    source::{Script, T0, Video, aac, arrivals, audio, avc, config, configured, ended, payload, together},
};

fn with_audio(video: Video, rate: u32) -> (Config, Script) {
    let seconds = video.frames * video.rate.1 / video.rate.0;
    let audio = audio(i64::from(rate), seconds * i64::from(rate) / 1024, video.start_ms);
    let script = together(vec![arrivals(0, video.source(), 0), arrivals(1, audio, 0)]);
    let hint = Some(video.rate.0 as f64 / video.rate.1 as f64);
    (Config { frame_rate_hint: hint, ..config(1, 1) }, ended(configured(vec![avc(), aac(rate)], script)))
}

/// The timeline of 5 s of it.
fn outline(rate: (i64, i64), gop: i64, audio_rate: u32) -> String {
    let (config, script) = with_audio(Video::new(rate, 5 * rate.0 / rate.1, gop), audio_rate);
    let bucket = run(config, script.clone());
    assert_all_found(&script, &bucket);
    bucket.outline()
}

#[test]
fn thirty_frames() {
    let golden = "\
0.0 *90000+45000 48000+20480
0.1 135000+45000 68480+23552
0.2 180000+45000 92032+24576
0.3 225000+45000 116608+23552
1.0 *270000+45000 140160+24576
1.1 315000+45000 164736+23552
1.2 360000+45000 188288+24576
1.3 405000+45000 212864+23552
2.0 *450000+45000 236416+23552
2.1 495000+45000 259968+24576
2.2 gap 540000+0 284544+3072
";
    assert_eq!(outline((30, 1), 60, 48_000), golden);
}

#[test]
fn ntsc_frames() {
    let golden = "\
0.0 *30000+15015 44100+18432
0.1 45015+15015 62532+22528
0.2 60030+15015 85060+21504
0.3 75045+15015 106564+22528
1.0 *90060+15015 129092+21504
1.1 105075+15015 150596+22528
1.2 120090+15015 173124+21504
1.3 135105+15015 194628+22528
2.0 *150120+15015 217156+3072
2.1 165135+14014 gap 220228+22528
";
    assert_eq!(outline((30_000, 1001), 60, 44_100), golden);
}

#[test]
fn twenty_five_frames_have_a_shorter_last_part() {
    let golden = "\
0.0 *90000+46800 48000+21504
0.1 136800+46800 69504+24576
0.2 183600+46800 94080+25600
0.3 230400+39600 119680+20480
1.0 *270000+46800 140160+25600
1.1 316800+46800 165760+24576
1.2 363600+46800 190336+24576
1.3 410400+39600 214912+21504
2.0 *450000+46800 236416+24576
2.1 496800+43200 260992+25600
2.2 gap 540000+0 286592+1024
";
    assert_eq!(outline((25, 1), 50, 48_000), golden);
}

#[test]
fn twenty_four_frames() {
    let golden = "\
0.0 *90000+45000 48000+20480
0.1 135000+45000 68480+23552
0.2 180000+45000 92032+24576
0.3 225000+45000 116608+23552
1.0 *270000+45000 140160+24576
1.1 315000+45000 164736+23552
1.2 360000+45000 188288+24576
1.3 405000+45000 212864+23552
2.0 *450000+45000 236416+23552
2.1 495000+45000 259968+24576
2.2 gap 540000+0 284544+3072
";
    assert_eq!(outline((24, 1), 48, 48_000), golden);
}

#[test]
fn nearly_sixty_frames() {
    let golden = "\
0.0 *60000+30030 48000+20480
0.1 90030+30030 68480+23552
0.2 120060+30030 92032+24576
0.3 150090+30030 116608+23552
1.0 *180120+30030 140160+24576
1.1 210150+30030 164736+23552
1.2 240180+30030 188288+24576
1.3 270210+30030 212864+23552
2.0 *300240+30030 236416+3072
2.1 330270+29029 gap 239488+24576
";
    assert_eq!(outline((60_000, 1001), 120, 48_000), golden);
}

#[test]
fn parts_of_a_fifth_of_a_second() {
    let (config, script) = with_audio(Video::new((30, 1), 90, 60), 48_000);
    let bucket = run(Config { part_target_us: 200_000, ..config }, script.clone());
    assert_all_found(&script, &bucket);
    let golden = "\
0.0 *90000+18000 48000+6144
0.1 108000+18000 54144+9216
0.2 126000+18000 63360+10240
0.3 144000+18000 73600+9216
0.4 162000+18000 82816+9216
0.5 180000+18000 92032+10240
0.6 198000+18000 102272+9216
0.7 216000+18000 111488+10240
0.8 234000+18000 121728+9216
0.9 252000+18000 130944+9216
1.0 *270000+18000 140160+10240
1.1 288000+18000 150400+9216
1.2 306000+18000 159616+9216
1.3 324000+18000 168832+10240
1.4 342000+18000 179072+9216
1.5 gap 360000+0 188288+3072
";
    assert_eq!(bucket.outline(), golden);
}

/// Frames at uneven times, the same in the source and in a rung.
fn uneven(count: i64) -> Vec<Frame> {
    let stamps = (0..count).scan(0, |ms, n| {
        *ms += [20, 33, 71, 40, 17, 90, 25][(n % 7) as usize];
        Some(*ms)
    });
    stamps.enumerate().map(|(n, dts_ms)| Frame { dts_ms, cts_ms: 0, sync: n % 45 == 0, data: payload(n as i64) }).collect()
}

#[test]
fn a_varying_rate_keeps_its_timestamps() {
    let script = together(vec![arrivals(0, uneven(300), 0), arrivals(1, uneven(300), 60)]);
    let script = ended(configured(vec![avc(), avc()], script));
    let bucket = run(config(2, 0), script.clone());
    let found = assert_all_found(&script, &bucket);
    let source = uneven(300);
    for frame in &found {
        let n = i64::from_be_bytes(frame.data[..8].try_into().unwrap());
        assert_eq!(frame.pts_us - 1_000_000, (source[n as usize].dts_ms - source[0].dts_ms) * 1000);
    }
    let timeline = bucket.timeline();
    for part in timeline.segments().iter().flat_map(|segment| &segment.parts) {
        assert_eq!((part.tracks[0].start, part.tracks[0].duration), (part.tracks[1].start, part.tracks[1].duration));
    }
}

#[test]
fn b_frames_are_shown_when_they_were_and_start_segments_together_with_rungs() {
    let video = Video { b_frames: true, ..Video::new((30_000, 1001), 300, 60) };
    let script = together(vec![arrivals(0, video.source(), 0), arrivals(1, video.rung(), 30), arrivals(2, audio(48_000, 460, 20), 0)]);
    let script = ended(configured(vec![avc(), avc(), aac(48_000)], script));
    let bucket = run(Config { frame_rate_hint: Some(29.97), ..config(2, 1) }, script.clone());
    let found = assert_all_found(&script, &bucket);
    for frame in found.iter().filter(|frame| frame.rendition < 2) {
        let shown = i64::from_be_bytes(frame.data[..8].try_into().unwrap());
        assert_eq!(frame.pts_us, 1_000_000 + (shown * 1001 * 100) / 3, "{frame:?}");
        assert!(!frame.sync || frame.dts as i64 * 100 / 3 == frame.pts_us, "{frame:?}");
    }
    let timeline = bucket.timeline();
    for segment in timeline.segments() {
        assert_eq!(segment.tracks[0].start, segment.tracks[1].start);
        assert_eq!(segment.tracks[0].duration, segment.tracks[1].duration);
    }
    assert!(
        !bucket.events.iter().any(|event| matches!(event, Event::FrameDropped { .. } | Event::SegmentNotSync { .. })),
        "{:?}",
        bucket.events
    );
}

#[test]
fn a_part_is_given_out_with_its_last_frame() {
    let script = ended(configured(vec![avc()], arrivals(0, Video::new((25, 1), 300, 50).source(), 0)));
    let bucket = run(Config { frame_rate_hint: Some(25.0), ..config(1, 0) }, script);
    let timeline = bucket.timeline();
    let parts = timeline.segments().iter().flat_map(|segment| segment.parts.iter().map(move |part| (segment.msn.0, part)));
    for (at, (msn, part)) in bucket.record_at.iter().zip(parts) {
        let last_frame = (part.tracks[0].start + u64::from(part.tracks[0].duration)) as i64 * 1000 / 90 - 1_000_000 - 40_000;
        // The end of the first segment shows how long a GOP is; before that its last part waits for the key frame.
        let waits = if msn == 0 && part.tracks[0].duration < 13 * 3600 { 40_000 } else { 0 };
        assert_eq!(at - T0, last_frame + waits, "{msn} {part:?}");
    }
}

#[test]
fn two_hours_without_drift() {
    let video = Video::new((30_000, 1001), 2 * 3600 * 30_000 / 1001, 60);
    let (config, script) = with_audio(video, 44_100);
    let bucket = run(config, script.clone());
    let found = bucket.check();
    let count = |rendition| found.iter().filter(|frame| frame.rendition == rendition).count() as i64;
    assert_eq!(count(0), video.frames);
    assert_eq!(count(1), script.iter().filter(|(_, input)| matches!(input, Input::Frame { rendition: 1, .. })).count() as i64);
    for frame in &found {
        let n = i64::from_be_bytes(frame.data[..8].try_into().unwrap());
        let exact = if frame.rendition == 0 { 30_000 + n * 1001 } else { 44_100 + n * 1024 };
        assert_eq!(frame.dts as i64, exact);
    }
    assert!(!bucket.events.iter().any(|event| matches!(event, Event::ClockStep { .. } | Event::FrameDropped { .. })));
}

#[test]
fn a_hint_that_is_a_little_wrong_loses_no_frame_and_no_time() {
    let video = Video::new((30_000, 1001), 6000, 60);
    let script = ended(configured(vec![avc()], arrivals(0, video.source(), 0)));
    let bucket = run(Config { frame_rate_hint: Some(30.0), ..config(1, 0) }, script.clone());
    for frame in assert_all_found(&script, &bucket) {
        let n = i64::from_be_bytes(frame.data[..8].try_into().unwrap());
        assert!((frame.pts_us - 1_000_000 - n * 100_100 / 3).abs() <= 20_000, "{frame:?}");
    }
}

/// A worker that is not run for 5 s after the first picture has only not looked: what came meanwhile still says the rate.
#[test]
fn a_worker_that_was_not_run_after_the_first_picture_finds_the_rate_all_the_same() {
    let (config, script) = with_audio(Video::new((25, 1), 150, 50), 48_000);
    let woken = |(at, input): (i64, Input)| (if at > T0 + 20_000 { at.max(T0 + 5_000_000) } else { at }, input);
    let bucket = run(Config { frame_rate_hint: None, ..config }, script.into_iter().map(woken).collect());
    let timeline = bucket.timeline();
    let track = timeline.periods().last().and_then(|period| period.tracks[0].clone()).unwrap();
    let rate = FrameRate { numerator: 25, denominator: 1 };
    assert!(matches!(track.kind, TrackKind::Video { frame_rate: Some(known), .. } if known == rate), "{:?}", track.kind);
}
