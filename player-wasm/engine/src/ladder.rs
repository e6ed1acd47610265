//! The variants of a stream that this browser may play, from the lowest to the highest.

use alloc::{string::String, vec::Vec};

use crate::{Track, playlist::Start, ranges::insertion_sort};

/// Every variant that can be chosen.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Ladder {
    pub(crate) variants: Vec<Variant>,
    pub(crate) audio: Vec<Rendition>,
    pub(crate) texts: Vec<Rendition>,
    /// EXT-X-START of all its playlists.
    pub(crate) start: Option<Start>,
}

/// One variant; addresses are absolute.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Variant {
    pub(crate) url: String,
    pub(crate) bandwidth_bps: u64,
    /// What its segments have on average, where the playlist says so.
    pub(crate) average_bps: Option<u64>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate_millis: u32,
    /// As in CODECS; empty where the playlist does not say.
    pub(crate) codecs: Vec<String>,
    pub(crate) audio_group: Option<String>,
    pub(crate) text_group: Option<String>,
}

/// Sound or captions with a playlist of their own.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Rendition {
    pub(crate) group: String,
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) default: bool,
    pub(crate) describes_sound: bool,
}

const VIDEO_CODECS: [&str; 9] = ["avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "av01", "vp08", "vp09"];
const AUDIO_CODECS: [&str; 6] = ["mp4a", "ac-3", "ec-3", "opus", "flac", "fLaC"];

fn is_one_of(codec: &str, names: &[&str]) -> bool {
    names.iter().any(|name| codec.starts_with(name))
}

impl Ladder {
    /// Puts variants in order; where some have pictures, those without are not for this screen.
    pub(crate) fn new(mut variants: Vec<Variant>, audio: Vec<Rendition>, texts: Vec<Rendition>) -> Self {
        if variants.iter().any(Variant::has_video) {
            variants.retain(|variant| variant.has_video() || variant.codecs.is_empty());
        }
        variants.truncate(MAX_VARIANTS);
        insertion_sort(&mut variants, |a, b| a.bandwidth_bps < b.bandwidth_bps);
        variants.dedup_by(|a, b| a.url == b.url);
        Self { variants, audio, texts, start: None }
    }

    /// The rung to begin with: what is expected to fit, else the lower of the middle ones.
    pub(crate) fn start(&self, expected_bps: Option<f64>) -> usize {
        let middle = self.variants.len().saturating_sub(1) / 2;
        match expected_bps {
            Some(bps) => self.variants.iter().rposition(|variant| variant.bandwidth_bps as f64 <= bps * START).unwrap_or(0),
            None => middle,
        }
    }

    /// What each rung needs on average, in order: a peak says little about what a link has to carry.
    pub(crate) fn rates_bps(&self) -> Vec<f64> {
        let rate = |variant: &Variant| variant.average_bps.unwrap_or(variant.bandwidth_bps) as f64;
        let mut least = 0.0;
        let rising = self.variants.iter().map(|variant| {
            least = rate(variant).max(least * LEAST_STEP);
            least
        });
        rising.collect()
    }

    /// The sound that belongs to a variant, where it has a playlist of its own.
    pub(crate) fn audio_of(&self, variant: &Variant) -> Option<&Rendition> {
        let of_group = || self.audio.iter().filter(|audio| Some(&audio.group) == variant.audio_group.as_ref());
        let found = of_group().find(|audio| audio.default).or_else(|| of_group().next())?;
        // The variant itself is the sound, as in a stream without pictures.
        (found.url != variant.url).then_some(found)
    }

    /// Leaves out what the browser cannot play. Returns whether anything is left.
    pub(crate) fn without_codecs_of(&mut self, rung: usize) -> bool {
        let Some(refused) = self.variants.get(rung).cloned() else { return false };
        self.variants.retain(|variant| variant.families() != refused.families());
        !self.variants.is_empty()
    }
}

/// Variants that are looked at: real lists have up to thirty, with all codecs and frame rates.
const MAX_VARIANTS: usize = 100;
/// A rung above another one has at least this many times its rate, whatever the playlist says.
const LEAST_STEP: f64 = 1.01;
/// Share of an expected bit rate that the first rung may use.
const START: f64 = 0.7;

impl Variant {
    fn has_video(&self) -> bool {
        self.height > 0 || self.codecs.iter().any(|codec| is_one_of(codec, &VIDEO_CODECS))
    }

    fn families(&self) -> Vec<&str> {
        self.codecs.iter().map(|codec| codec.split('.').next().unwrap_or_default()).collect()
    }

    /// The track that its own playlist carries.
    pub(crate) fn track(&self) -> Track {
        let only_sound = !self.has_video() && self.codecs.iter().any(|codec| is_one_of(codec, &AUDIO_CODECS));
        if only_sound { Track::Audio } else { Track::Video }
    }
}

/// MIME types of the main track and of separate sound.
pub(crate) fn mime_types(codecs: &[String], main: Track, separate_audio: bool) -> (Option<String>, Option<String>) {
    let join = |wanted: &dyn Fn(&str) -> bool| {
        let named: Vec<&str> = codecs.iter().map(String::as_str).filter(|codec| wanted(codec)).collect();
        named.join(",")
    };
    match (main, separate_audio) {
        (Track::Text, _) => (None, None),
        (Track::Audio, _) => (None, Some(mime("audio", &join(&|_| true)))),
        (Track::Video, false) => (Some(mime("video", &join(&|_| true))), None),
        (Track::Video, true) => {
            let audio = join(&|codec| is_one_of(codec, &AUDIO_CODECS));
            let audio = if audio.is_empty() { "mp4a.40.2".into() } else { audio };
            let video = join(&|codec| !is_one_of(codec, &AUDIO_CODECS));
            (Some(mime("video", &video)), Some(mime("audio", &audio)))
        }
    }
}

fn mime(kind: &str, codecs: &str) -> String {
    [kind, "/mp4; codecs=\"", codecs, "\""].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(url: &str, bandwidth_bps: u64, codecs: &[&str]) -> Variant {
        let codecs = codecs.iter().map(|codec| (*codec).into()).collect();
        Variant { url: url.into(), bandwidth_bps, average_bps: None, codecs, audio_group: Some("a".into()), ..Variant::default() }
    }

    #[test]
    fn variants_are_in_order_and_start_in_the_lower_middle() {
        let all = [("d", 4), ("b", 2), ("a", 1), ("c", 3)].map(|(url, mbps)| variant(url, mbps * 1_000_000, &["avc1.64001f", "mp4a.40.2"]));
        let ladder = Ladder::new(all.into(), Vec::new(), Vec::new());
        assert_eq!(ladder.rates_bps(), [1e6, 2e6, 3e6, 4e6]);
        assert_eq!(ladder.start(None), 1);
        assert_eq!(ladder.start(Some(5e6)), 2);
        assert_eq!(ladder.start(Some(1e5)), 0);
    }

    #[test]
    fn sound_without_pictures_is_left_out_only_beside_pictures() {
        let sound = variant("s", 100_000, &["mp4a.40.2"]);
        let both = Ladder::new([sound.clone(), variant("v", 1_000_000, &["avc1.64001f", "mp4a.40.2"])].into(), Vec::new(), Vec::new());
        assert_eq!(both.variants.len(), 1);
        let alone = Ladder::new([sound].into(), Vec::new(), Vec::new());
        assert_eq!(alone.variants.first().map(Variant::track), Some(Track::Audio));
    }

    #[test]
    fn a_codec_that_is_refused_leaves_with_all_its_rungs() {
        let all = [variant("a", 1, &["hvc1.1", "mp4a.40.2"]), variant("b", 2, &["hvc1.2", "mp4a.40.2"]), variant("c", 3, &["avc1.64001f"])];
        let mut ladder = Ladder::new(all.into(), Vec::new(), Vec::new());
        assert!(ladder.without_codecs_of(0));
        assert_eq!(ladder.variants.first().map(|variant| variant.url.as_str()), Some("c"));
        assert!(!ladder.without_codecs_of(0));
    }

    #[test]
    fn mime_types_part_pictures_from_sound() {
        let codecs: Vec<String> = ["avc1.64001f", "mp4a.40.2"].map(Into::into).into();
        let (video, audio) = mime_types(&codecs, Track::Video, true);
        assert_eq!(video.as_deref(), Some("video/mp4; codecs=\"avc1.64001f\""));
        assert_eq!(audio.as_deref(), Some("audio/mp4; codecs=\"mp4a.40.2\""));
        let (video, audio) = mime_types(&codecs, Track::Video, false);
        assert_eq!((video.as_deref(), audio), (Some("video/mp4; codecs=\"avc1.64001f,mp4a.40.2\""), None));
    }
}
