use alloc::{string::String, vec::Vec};

use serde::Deserialize;

use crate::RenditionId;

/// `meta/streams/<stream>.json`, as far as who publishes the stream cares.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default)]
pub struct PublishRules {
    /// Whether it may be published.
    pub enabled: bool,
    /// It is not there any more.
    pub deleted: bool,
    /// How far behind viewers are to be.
    pub latency_mode: LatencyMode,
    /// How much of the past can be played, in s; `None`: the worker's own.
    pub dvr_window_s: Option<u32>,
    /// What is encoded below the source; `None`: the worker's own.
    pub ladder: Option<Vec<RungRule>>,
}

/// How far behind viewers are to be, against the number of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatencyMode {
    /// Parts of 0.2 s.
    Ultra,
    /// Parts of 1 s.
    Normal,
    /// The worker's own parts. A word that is not known says nothing.
    #[default]
    #[serde(other)]
    Low,
}

/// A step of the ladder.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct RungRule {
    /// As viewers' addresses have it.
    pub name: RenditionId,
    /// In pixels.
    pub height: u32,
    /// Of the pictures.
    pub bitrate_bps: u32,
}

/// Parts of a stream that is to be as close as can be.
const ULTRA_PART_MS: u32 = 200;
/// Parts of one that is not: half the requests.
const NORMAL_PART_MS: u32 = 1000;

impl Default for PublishRules {
    fn default() -> Self {
        Self { enabled: true, deleted: false, latency_mode: LatencyMode::Low, dvr_window_s: None, ladder: None }
    }
}

impl PublishRules {
    /// Reads a document; `Err` with a reason where it cannot be read.
    pub fn read(document: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(document).map_err(|error| alloc::format!("{error}"))
    }

    /// Whether the stream may be published.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.enabled && !self.deleted
    }

    /// How long parts are, where the worker's own are this long and its segments that.
    #[must_use]
    pub fn part_ms(&self, own_ms: u32, segment_ms: u32) -> u32 {
        match self.latency_mode {
            LatencyMode::Ultra => own_ms.min(ULTRA_PART_MS),
            LatencyMode::Low => own_ms,
            // A segment has two parts at least.
            LatencyMode::Normal => own_ms.max(NORMAL_PART_MS.min(segment_ms / 2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_without_a_word_of_it_leaves_all_to_the_worker() {
        let rules = PublishRules::read(br#"{"id":"demo","title":"Demo"}"#).unwrap();
        assert_eq!(rules, PublishRules::default());
        assert!(rules.allows());
    }

    #[test]
    fn a_stream_that_is_switched_off_or_deleted_may_not_be_published() {
        assert!(!PublishRules::read(br#"{"enabled":false}"#).unwrap().allows());
        assert!(!PublishRules::read(br#"{"deleted":true}"#).unwrap().allows());
        assert!(PublishRules::read(b"{").is_err());
    }

    #[test]
    fn parts_are_as_long_as_the_mode_says() {
        let part_ms = |mode: &str| {
            let document = alloc::format!(r#"{{"latency_mode":"{mode}"}}"#);
            PublishRules::read(document.as_bytes()).unwrap().part_ms(500, 2000)
        };
        assert_eq!(["ultra", "low", "normal", "of another time"].map(part_ms), [200, 500, 1000, 500]);
        let normal = PublishRules { latency_mode: LatencyMode::Normal, ..PublishRules::default() };
        assert_eq!((normal.part_ms(500, 1000), normal.part_ms(1500, 4000)), (500, 1500));
        let ultra = PublishRules { latency_mode: LatencyMode::Ultra, ..PublishRules::default() };
        assert_eq!(ultra.part_ms(100, 2000), 100);
    }
}
