use serde::{Deserialize, Serialize};
use tidegate_stream::RenditionId;

/// A step of the ladder as it is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The name of its rendition.
    pub name: RenditionId,
    /// Lines of a landscape picture; columns of a portrait one.
    pub height: u32,
    /// Video bit rate in kbit/s.
    pub bitrate_kbps: u32,
}

/// What is known of the source's pictures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct SourceVideo {
    /// In pixels.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
    /// Bits per second, where the source says so.
    pub(crate) bps: Option<u32>,
}

/// A rung that is encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Encode {
    /// The name of its rendition.
    pub(crate) rendition: RenditionId,
    /// In pixels, even.
    pub(crate) width: u32,
    /// In pixels, even.
    pub(crate) height: u32,
    /// In kbit/s.
    pub(crate) bitrate_kbps: u32,
}

/// Below this a picture is no use and encoders refuse it.
const SIDE_MIN: u32 = 32;
/// Below this rate control gives up.
const BITRATE_MIN_KBPS: u32 = 50;

/// Which rungs are encoded for a source: never larger than it, never at a higher rate, none twice, best first.
#[must_use]
pub(crate) fn ladder(asked: &[Rung], source: SourceVideo) -> Vec<Encode> {
    let mut asked: Vec<_> = asked.iter().collect();
    asked.sort_by_key(|rung| core::cmp::Reverse((rung.height, rung.bitrate_kbps)));
    let source_kbps = source.bps.map(|bps| bps / 1000);
    let short = source.width.min(source.height);
    let mut chosen: Vec<Encode> = Vec::new();
    for rung in asked {
        let side = rung.height.min(short);
        if side < SIDE_MIN {
            continue;
        }
        let scaled = |long: u32| even(u64::from(long) * u64::from(side) / u64::from(short.max(1)));
        let (width, height) = if source.width >= source.height {
            (scaled(source.width), even(side.into()))
        } else {
            (even(side.into()), scaled(source.height))
        };
        // A rung that is made smaller needs fewer bits, in step with its pixels.
        let pixels = |side: u32| u64::from(side) * u64::from(side);
        let scaled_kbps = u64::from(rung.bitrate_kbps) * pixels(side) / pixels(rung.height).max(1);
        let asked_kbps = u32::try_from(scaled_kbps).unwrap_or(rung.bitrate_kbps).max(BITRATE_MIN_KBPS);
        let bitrate_kbps = source_kbps.map_or(asked_kbps, |source| asked_kbps.min(source));
        let repeats_source = (width, height) == (even(source.width.into()), even(source.height.into()))
            && source_kbps.is_some_and(|source| bitrate_kbps >= source);
        let repeats_rung = chosen.last().is_some_and(|above| (above.width, above.height) == (width, height));
        if !repeats_source && !repeats_rung {
            chosen.push(Encode { rendition: rung.name.clone(), width, height, bitrate_kbps });
        }
    }
    chosen
}

fn even(side: u64) -> u32 {
    u32::try_from(side & !1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Vec<Rung> {
        let rung = |name, height, bitrate_kbps| Rung { name: RenditionId::parse(name).unwrap(), height, bitrate_kbps };
        vec![rung("low", 270, 500), rung("high", 720, 2800), rung("medium", 480, 1200)]
    }

    fn chosen(width: u32, height: u32, bps: Option<u32>) -> Vec<String> {
        let line = |e: &Encode| format!("{} {}x{} {}k", e.rendition, e.width, e.height, e.bitrate_kbps);
        ladder(&asked(), SourceVideo { width, height, bps }).iter().map(line).collect()
    }

    #[test]
    fn a_large_source_gets_the_whole_ladder_best_first() {
        assert_eq!(chosen(1920, 1080, Some(6_000_000)), ["high 1280x720 2800k", "medium 852x480 1200k", "low 480x270 500k"]);
        assert_eq!(chosen(1080, 1920, None), ["high 720x1280 2800k", "medium 480x852 1200k", "low 270x480 500k"]);
    }

    #[test]
    fn nothing_is_encoded_above_the_size_of_the_source_nor_twice() {
        assert_eq!(chosen(640, 360, None), ["high 640x360 700k", "low 480x270 500k"]);
        assert_eq!(chosen(960, 540, Some(1_900_000)), ["high 960x540 1575k", "medium 852x480 1200k", "low 480x270 500k"]);
        assert_eq!(chosen(320, 180, None), ["high 320x180 175k"]);
    }

    #[test]
    fn nothing_is_encoded_above_the_rate_of_the_source() {
        assert_eq!(chosen(1280, 720, Some(2_500_000)), ["medium 852x480 1200k", "low 480x270 500k"]);
        assert_eq!(chosen(1280, 720, Some(4_000_000)), ["high 1280x720 2800k", "medium 852x480 1200k", "low 480x270 500k"]);
        assert_eq!(chosen(1920, 1080, Some(900_000)), ["high 1280x720 900k", "medium 852x480 900k", "low 480x270 500k"]);
    }

    #[test]
    fn odd_and_tiny_sources_end_in_even_sizes_or_in_none() {
        assert_eq!(chosen(853, 479, None), ["high 852x478 1239k", "low 480x270 500k"]);
        assert_eq!(chosen(16, 16, None), Vec::<String>::new());
        assert_eq!(chosen(0, 0, None), Vec::<String>::new());
    }
}
