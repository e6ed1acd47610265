use std::collections::BTreeMap;

use tidegate_packager::RenditionConfig;
use tidegate_stream::{RenditionId, RenditionKind};

use crate::{
    config::Config,
    ladder::{Encode, SourceVideo, ladder},
    transcode::KeyFrames,
};

/// Which renditions a session has, and where each comes from. Fixed for the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// All renditions: video from the best to the lowest, then audio.
    pub(super) renditions: Vec<RenditionConfig>,
    /// The place of the source's own pictures.
    pub(super) source: Option<usize>,
    /// What is encoded, best first.
    pub(super) rungs: Vec<Encode>,
    /// The places of what is encoded.
    pub(super) places: BTreeMap<RenditionId, usize>,
    /// The place of the sound.
    pub(super) audio: Option<usize>,
    /// EXT-X-TARGETDURATION in s.
    pub(super) target_duration_s: u32,
    /// Where the encoders put key frames.
    pub(super) key_frames: KeyFrames,
}

/// What a source has been found to need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Gops {
    /// Its key frames start segments.
    #[default]
    Fit,
    /// They are this far apart, which is longer than a segment may be.
    Long {
        /// In ms.
        ms: u32,
    },
}

/// The sound of an encoder is rarely above this.
const AUDIO_BPS: u32 = 192_000;
/// Bits per pixel and second of a good camera picture: 1080p30 at 6 Mbit/s.
const BPS_PER_PIXEL: u32 = 3;
/// Longer segments than this are nobody's live stream.
const TARGET_DURATION_MAX_S: u32 = 30;

/// Chooses the renditions for a source with these pictures and this sound.
pub(super) fn plan(config: &Config, video: Option<SourceVideo>, audio: bool, gops: Gops, can_encode: bool) -> Plan {
    let rungs = match video {
        Some(video) if can_encode => ladder(&config.ladder, video),
        _ => Vec::new(),
    };
    let segment_s = config.package.segment_ms.div_ceil(1000);
    let id = |name| RenditionId::parse(name).ok();
    let mut plan = Plan {
        renditions: Vec::new(),
        source: None,
        rungs: Vec::new(),
        places: BTreeMap::new(),
        audio: None,
        target_duration_s: segment_s,
        key_frames: KeyFrames::Source,
    };
    let copy_source = match gops {
        Gops::Fit => true,
        // With a ladder of key frames of our own; without one the segments have to be as long as the source's.
        Gops::Long { .. } if !rungs.is_empty() => {
            plan.key_frames = KeyFrames::EveryMs(config.package.segment_ms);
            false
        }
        Gops::Long { ms } => {
            plan.target_duration_s = (ms + ms / 4).div_ceil(1000).clamp(segment_s, TARGET_DURATION_MAX_S);
            true
        }
    };
    if let (Some(video), true, Some(id)) = (video, copy_source, id("source")) {
        let bps = video.bps.unwrap_or_else(|| video.width.saturating_mul(video.height).saturating_mul(BPS_PER_PIXEL));
        plan.source = Some(plan.add(id, RenditionKind::Video, peak(bps)));
    }
    for rung in rungs {
        let place = plan.add(rung.rendition.clone(), RenditionKind::Video, peak(rung.bitrate_kbps.saturating_mul(1000)));
        plan.places.insert(rung.rendition.clone(), place);
        plan.rungs.push(rung);
    }
    if let (true, Some(id)) = (audio, id("audio")) {
        plan.audio = Some(plan.add(id, RenditionKind::Audio, AUDIO_BPS));
    }
    plan
}

/// A segment may be above the mean: the encoder's buffer holds a second.
fn peak(bps: u32) -> u32 {
    bps.saturating_add(bps / 5)
}

impl Plan {
    fn add(&mut self, id: RenditionId, kind: RenditionKind, bandwidth_bps: u32) -> usize {
        self.renditions.push(RenditionConfig { id, kind, bandwidth_bps });
        self.renditions.len() - 1
    }

    /// The name of a rendition, for the log.
    pub(super) fn name(&self, place: usize) -> &str {
        self.renditions.get(place).map_or("?", |rendition| rendition.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: Option<SourceVideo> = Some(SourceVideo { width: 1920, height: 1080, bps: Some(6_000_000) });

    fn names(plan: &Plan) -> Vec<&str> {
        plan.renditions.iter().map(|rendition| rendition.id.as_str()).collect()
    }

    #[test]
    fn a_camera_gets_the_source_the_ladder_and_its_sound() {
        let plan = plan(&Config::default(), FULL_HD, true, Gops::Fit, true);
        assert_eq!(names(&plan), ["source", "high", "medium", "low", "audio"]);
        assert_eq!((plan.source, plan.audio, plan.target_duration_s), (Some(0), Some(4), 2));
        assert_eq!(plan.places.values().copied().collect::<Vec<_>>(), [1, 3, 2], "by name: high, low, medium");
    }

    #[test]
    fn sound_alone_and_pictures_alone_are_streams_too() {
        assert_eq!(names(&plan(&Config::default(), None, true, Gops::Fit, true)), ["audio"]);
        assert_eq!(names(&plan(&Config::default(), FULL_HD, false, Gops::Fit, false)), ["source"]);
    }

    #[test]
    fn long_gops_are_encoded_again_or_make_long_segments() {
        let encoded = plan(&Config::default(), FULL_HD, true, Gops::Long { ms: 8333 }, true);
        assert_eq!(names(&encoded), ["high", "medium", "low", "audio"]);
        assert_eq!((encoded.key_frames, encoded.target_duration_s), (KeyFrames::EveryMs(2000), 2));
        let copied = plan(&Config::default(), FULL_HD, true, Gops::Long { ms: 8333 }, false);
        assert_eq!(names(&copied), ["source", "audio"]);
        assert_eq!(copied.target_duration_s, 11);
    }
}
