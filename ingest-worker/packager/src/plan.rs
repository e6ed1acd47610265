use tidegate_cmaf::Aac;

use crate::{
    Config,
    cutter::Lengths,
    grid::{Timing, ceil},
};

/// How long the parts of a period are. PART-TARGET is frozen with the first period of a session (Apple clients stop for
/// good when it changes), so later periods get the longest parts that fit in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// Ticks of a video part, at most.
    pub(crate) video_part: i64,
    /// Length of a part, in us, where audio is the lead.
    pub(crate) audio_part_us: i64,
    /// PART-TARGETs of all video and of all audio renditions.
    pub(crate) targets: Targets,
}

/// The frozen PART-TARGETs, in us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Targets {
    pub(crate) video_us: u32,
    pub(crate) audio_us: u32,
}

/// Shorter parts would be one frame or less, and thousands of requests.
const PART_US_MIN: u32 = 20_000;

/// Where no audio is known when the session starts: what nearly all sources have.
const USUAL_AUDIO: (i64, i64) = (1024, 48_000);

/// A frame that lasts longer than the frames before it had no reason to.
const LAST_FRAME_US: i64 = 33_333;

/// Segments are rounded to whole seconds in EXTINF rules: up to half a second longer than the target is still the target.
const TARGET_SLACK_US: i64 = 499_999;

impl Plan {
    /// `frozen` is `None` in the first period.
    pub(crate) fn new(config: &Config, timing: &Timing, audio: Option<&Aac>, has_video: bool, frozen: Option<Targets>) -> Self {
        let (frame, rate) = audio.map_or(USUAL_AUDIO, |aac| (i64::from(aac.frame_samples()), i64::from(aac.sample_rate())));
        let wanted_us = i64::from(config.part_target_us.max(PART_US_MIN));
        let Some(targets) = frozen else {
            let video_part = first_part(config, timing);
            let video_us = ceil(video_part, 1_000_000, i64::from(timing.timescale));
            let part_us = if has_video { video_us } else { wanted_us };
            let audio_us = ceil(audio_frames(part_us, frame, rate) * frame, 1_000_000, rate);
            let video_us = if has_video { video_us } else { wanted_us };
            return Self {
                video_part,
                audio_part_us: wanted_us,
                targets: Targets { video_us: micros(video_us), audio_us: micros(audio_us) },
            };
        };
        let audio_us = most_audio(targets.audio_us, frame, rate) * 1_000_000 / rate;
        // Audio that comes at its rate has to fit: what is above the mean of a video part would pile up.
        let part_us = i64::from(targets.video_us).min(if audio.is_some() { audio_us } else { i64::MAX }).max(1);
        let ticks = part_us * i64::from(timing.timescale) / 1_000_000;
        let video_part = if timing.frame > 0 { (ticks / timing.frame).max(1) * timing.frame } else { ticks.max(1) };
        let mut audio_part_us = wanted_us.min(audio_us);
        if audio_frames(audio_part_us, frame, rate) * frame > most_audio(targets.audio_us, frame, rate) {
            audio_part_us = audio_us;
        }
        Self { video_part, audio_part_us: audio_part_us.max(1), targets }
    }

    pub(crate) fn lengths(&self, config: &Config, timing: &Timing) -> Lengths {
        let ticks = |us: i64| us * i64::from(timing.timescale) / 1_000_000;
        Lengths {
            frame: timing.frame,
            part: self.video_part,
            segment_min: ticks(i64::from(config.segment_target_us)) - self.video_part / 2,
            segment_max: ticks(i64::from(config.target_duration_s) * 1_000_000 + TARGET_SLACK_US),
            last_frame: ticks(LAST_FRAME_US),
        }
    }
}

/// The most ticks that an audio part may have.
pub(crate) fn most_audio(target_us: u32, frame: i64, rate: i64) -> i64 {
    (i64::from(target_us) * rate / (1_000_000 * frame.max(1))).max(1) * frame
}

/// Frames that a stretch of this length can get.
fn audio_frames(part_us: i64, frame: i64, rate: i64) -> i64 {
    ceil(part_us, rate, 1_000_000 * frame).max(1)
}

/// The part in which a segment is divided evenly, in whole frames.
fn first_part(config: &Config, timing: &Timing) -> i64 {
    let part_us = i64::from(config.part_target_us.max(PART_US_MIN));
    let segment_us = i64::from(config.segment_target_us).max(part_us);
    let parts = ((segment_us + part_us / 2) / part_us).max(1);
    if timing.frame == 0 {
        return (part_us * i64::from(timing.timescale) / 1_000_000).max(1);
    }
    ceil(segment_us, i64::from(timing.timescale), 1_000_000 * parts * timing.frame).max(1) * timing.frame
}

fn micros(us: i64) -> u32 {
    u32::try_from(us).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use tidegate_stream::{FrameRate, SessionId, StreamId};

    use super::*;

    fn config(part_target_us: u32) -> Config {
        Config { part_target_us, ..Config::new(StreamId::parse("s").unwrap(), SessionId::new(0, 0), alloc::vec![]) }
    }

    fn timing(numerator: u32, denominator: u32) -> Timing {
        Timing::of(Some(FrameRate { numerator, denominator }))
    }

    fn aac(config: &[u8]) -> Aac {
        Aac::parse(config).unwrap()
    }

    #[test]
    fn parts_are_whole_frames_that_divide_a_segment_evenly() {
        let cases = [
            (500_000, 30, 1, 15, 500_000, 512_000),
            (500_000, 30_000, 1001, 15, 500_500, 512_000),
            (500_000, 25, 1, 13, 520_000, 533_334),
            (500_000, 24, 1, 12, 500_000, 512_000),
            (500_000, 60_000, 1001, 30, 500_500, 512_000),
            (200_000, 30, 1, 6, 200_000, 213_334),
        ];
        for (target, numerator, denominator, frames, video_us, audio_us) in cases {
            let timing = timing(numerator, denominator);
            let plan = Plan::new(&config(target), &timing, Some(&aac(&[0x11, 0x90])), true, None);
            assert_eq!(
                (plan.video_part / timing.frame, plan.targets),
                (frames, Targets { video_us, audio_us }),
                "{numerator}/{denominator}"
            );
        }
    }

    #[test]
    fn later_periods_keep_what_was_frozen() {
        let frozen = Targets { video_us: 500_000, audio_us: 510_840 };
        let plan = |timing: &Timing, audio: &[u8]| Plan::new(&config(500_000), timing, Some(&aac(audio)), true, Some(frozen));
        assert_eq!(plan(&timing(30_000, 1001), &[0x12, 0x10]).video_part, 14 * 1001);
        // 48 kHz: 23 frames fit, or 0.4907 s; a part of 0.5 s would need 23.4.
        assert_eq!(plan(&timing(30, 1), &[0x11, 0x90]).video_part, 14 * 3000);
        assert_eq!(plan(&timing(30, 1), &[0x11, 0x90]).targets, frozen);
    }

    #[test]
    fn audio_alone_gets_the_target_itself() {
        let plan = Plan::new(&config(500_000), &Timing::of(None), Some(&aac(&[0x11, 0x90])), false, None);
        assert_eq!((plan.audio_part_us, plan.targets), (500_000, Targets { video_us: 500_000, audio_us: 512_000 }));
    }
}
