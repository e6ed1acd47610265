//! Random sources: every frame is in exactly one part once, and every rule holds.

use proptest::prelude::*;
use tidegate_packager::{Config, Frame, Input};

use crate::{
    bucket::{assert_all_found, run},
    source::{Script, T0, Video, aac, audio, avc, config, configured, ended, other_avc, payload, together},
};

#[derive(Clone, Debug)]
struct Shape {
    rate: (i64, i64),
    hint: Option<f64>,
    gop: i64,
    b_frames: bool,
    frames: i64,
    start_ms: i64,
    jitter_ms: i64,
    losses: Vec<usize>,
    extra_keys: Vec<usize>,
    reconfigure_at: Option<usize>,
    jump: Option<(usize, i64)>,
    discontinuity_at: Option<usize>,
    rung_delay_ms: i64,
    rung_stops_at: Option<usize>,
    audio: Option<(i64, i64)>,
    part_target_us: u32,
    seed: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let rates =
        prop_oneof![Just((30, 1)), Just((30_000, 1001)), Just((25, 1)), Just((24_000, 1001)), Just((60, 1)), Just((50, 1)), Just((7, 1))];
    let hints = prop_oneof![3 => Just(None), 3 => Just(Some(30.0)), 2 => Just(Some(25.0)), 1 => Just(Some(59.94))];
    let first = (rates, hints, 1i64..150, any::<bool>(), 1i64..400, 0i64..5_000_000);
    let second = (
        prop_oneof![4 => Just(0i64), 1 => 0i64..30],
        prop::collection::vec(0usize..400, 0..20),
        prop::collection::vec(0usize..400, 0..5),
        prop::option::weighted(0.2, 0usize..400),
        prop::option::weighted(0.3, (0usize..400, -200_000i64..200_000)),
        prop::option::weighted(0.2, 0usize..400),
    );
    let third = (
        0i64..400,
        prop::option::weighted(0.2, 0usize..400),
        prop::option::of((prop_oneof![Just(48_000i64), Just(44_100)], -60i64..900)),
        prop_oneof![Just(500_000u32), Just(200_000), Just(333_000), Just(1_000_000)],
        any::<u64>(),
    );
    (first, second, third).prop_map(|(first, second, third)| {
        let (rate, hint, gop, b_frames, frames, start_ms) = first;
        let (jitter_ms, losses, extra_keys, reconfigure_at, jump, discontinuity_at) = second;
        let (rung_delay_ms, rung_stops_at, audio, part_target_us, seed) = third;
        Shape {
            rate,
            hint,
            gop,
            b_frames,
            frames,
            start_ms,
            jitter_ms,
            losses,
            extra_keys,
            reconfigure_at,
            jump,
            discontinuity_at,
            rung_delay_ms,
            rung_stops_at,
            audio,
            part_target_us,
            seed,
        }
    })
}

fn script(shape: &Shape) -> Script {
    let video = Video { b_frames: shape.b_frames, start_ms: shape.start_ms, ..Video::new(shape.rate, shape.frames, shape.gop) };
    let mut random = shape.seed;
    let mut jitter = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if shape.jitter_ms == 0 { 0 } else { (random >> 40) as i64 % shape.jitter_ms }
    };
    let mut change = |rendition: usize, frames: Vec<Frame>, delay_ms: i64| -> Script {
        let mut script = vec![];
        let mut shift = 0;
        let zero = shape.start_ms;
        for (n, frame) in frames.into_iter().enumerate() {
            let at = T0 + (frame.dts_ms - zero + delay_ms) * 1000;
            if let Some((from, ms)) = shape.jump
                && n >= from
            {
                shift = ms;
            }
            if rendition == 0 && shape.reconfigure_at == Some(n) {
                script.push((at, Input::Config { rendition, config: other_avc() }));
            }
            if rendition == 0 && shape.discontinuity_at == Some(n) {
                script.push((at, Input::Discontinuity));
            }
            if shape.losses.contains(&n) || (rendition == 1 && shape.rung_stops_at.is_some_and(|stop| n >= stop)) {
                continue;
            }
            let sync = frame.sync || shape.extra_keys.contains(&n);
            let frame = Frame { dts_ms: frame.dts_ms + shift + jitter(), sync, ..frame };
            script.push((at, Input::Frame { rendition, frame }));
        }
        script
    };
    let mut scripts = vec![change(0, video.source(), 0), change(1, video.rung(), shape.rung_delay_ms)];
    let seconds = shape.frames * shape.rate.1 / shape.rate.0 + 1;
    let mut configs = vec![avc(), avc()];
    if let Some((rate, delay_ms)) = shape.audio {
        // Every index is of a video frame; audio jumps and pauses at about the same time.
        scripts.push(change(2, audio(rate, seconds * rate / 1024, shape.start_ms), delay_ms));
        configs.push(aac(rate as u32));
    }
    let mut script = together(scripts);
    script.extend((0..seconds * 4).map(|n| (T0 + n * 250_000, Input::Tick)));
    script.sort_by_key(|(at, _)| *at);
    if shape.audio.is_none() {
        script.insert(0, (T0, Input::Absent { rendition: 2 }));
    }
    ended(configured(configs, script))
}

proptest! {
    #[test]
    fn every_frame_is_in_one_part_once(shape in shapes()) {
        let script = script(&shape);
        let config = Config { frame_rate_hint: shape.hint, part_target_us: shape.part_target_us, ..config(2, 1) };
        let bucket = run(config, script.clone());
        assert_all_found(&script, &bucket);
    }

    #[test]
    fn no_input_is_too_odd(
        inputs in prop::collection::vec((0usize..4, any::<(i64, i32, bool)>(), 0usize..30, 0u8..24, any::<i64>()), 0..120),
    ) {
        let odd = |(rendition, (dts_ms, cts_ms, sync), len, kind, now): (usize, (i64, i32, bool), usize, u8, i64)| {
            let input = match kind {
                0 => Input::Discontinuity,
                1 => Input::Absent { rendition },
                2 => Input::Config { rendition, config: other_avc() },
                3 => Input::Config { rendition, config: avc() },
                4 => Input::Config { rendition, config: aac(44_100) },
                5 => Input::Tick,
                6..12 => Input::Frame { rendition, frame: Frame { dts_ms, cts_ms, sync, data: payload(i64::from(cts_ms))[..len.min(8)].to_vec() } },
                _ => Input::Frame { rendition, frame: Frame { dts_ms: dts_ms % 10_000, cts_ms: cts_ms % 100, sync, data: vec![1; len] } },
            };
            (now, input)
        };
        let mut packager = tidegate_packager::Packager::new(config(2, 1));
        for (now, input) in inputs.into_iter().map(odd).chain([(T0, Input::End)]) {
            let _ = packager.handle(now, input);
            while packager.poll().is_some() {}
        }
    }
}
