//! The recordings: sets, ladders, and the two halves.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{link::Link, random::hash};

/// 250 to 6 000 kbit/s, for links of a few Mbit/s.
pub const SLOW_LADDER: [f64; 6] = [250e3, 500e3, 1000e3, 2000e3, 3500e3, 6000e3];
/// 1.5 to 24 Mbit/s, for faster ones.
pub const FAST_LADDER: [f64; 5] = [1.5e6, 4e6, 7.5e6, 12e6, 24e6];
/// That of the Twitch challenge.
pub const TWITCH_LADDER: [f64; 3] = [200e3, 600e3, 1000e3];

/// Sets of recordings: name, ladder, factor on the rates so that the ladder matters.
pub const SETS: [(&str, &[f64], f64); 13] = [
    ("fcc_hd", &FAST_LADDER, 1.0),
    ("fcc_sd", &SLOW_LADDER, 1.0),
    ("ghent_4g", &FAST_LADDER, 1.0),
    ("irish_5g", &FAST_LADDER, 1.0),
    ("lumos5g_4g", &FAST_LADDER, 1.0),
    ("lumos5g_5g", &FAST_LADDER, 0.05),
    ("mahimahi_cell", &SLOW_LADDER, 1.0),
    ("norway_3g", &SLOW_LADDER, 1.0),
    ("oboe_conviva", &SLOW_LADDER, 1.0),
    ("puffer_2021_2022", &FAST_LADDER, 1.0),
    ("starlink_drive", &FAST_LADDER, 0.1),
    ("synthetic", &SLOW_LADDER, 1.0),
    ("twitch_lll", &TWITCH_LADDER, 1.0),
];

/// The set that is in neither half: its ladder is of another kind.
pub const ASIDE: &str = "twitch_lll";

/// Which half of the recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Parameters may be fitted on these.
    Tune,
    /// Figures are reported from these.
    Report,
    /// In neither.
    Aside,
}

/// One recording.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its set.
    pub set: &'static str,
    /// Its name within the set.
    pub name: String,
    /// The half it belongs to.
    pub half: Half,
    /// Rates in bits per second that it is played with.
    pub ladder_bps: &'static [f64],
    /// The link.
    pub link: Link,
}

impl Recording {
    /// Seeds what is played over it.
    pub fn seed(&self) -> u64 {
        hash(&format!("{}/{}", self.set, self.name))
    }
}

/// The checkout of the repository that this runs in, which need not be the one it was built in; the working folder where it runs in none.
pub fn checkout() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let found = here.ancestors().find(|folder| folder.join("tests/sim/gate.toml").is_file()).map(Path::to_path_buf);
    found.unwrap_or(here)
}

/// Where the recordings lie beside a checkout of the repository.
pub fn folder() -> PathBuf {
    checkout().join("../shared/traces")
}

/// Reads all recordings below `folder` in a stable order; `None` where there are none.
pub fn load(folder: &Path) -> Result<Option<Vec<Recording>>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut recordings = Vec::new();
    for (set, ladder_bps, scale) in SETS {
        let Ok(entries) = std::fs::read_dir(folder.join(set)) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "csv")).collect();
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let link = Link::parse(&text, scale).with_context(|| format!("parsing {}", path.display()))?;
            recordings.push(Recording { set, half: half(set, &name), name, ladder_bps, link });
        }
    }
    Ok((!recordings.is_empty()).then_some(recordings))
}

/// The half by the hash of set and recording: windows of one recording and streams of one session stay together.
pub fn half(set: &str, name: &str) -> Half {
    if set == ASIDE {
        return Half::Aside;
    }
    let recording = match set {
        "puffer_2021_2022" => name.rsplit_once('_').map_or(name, |(head, _)| head),
        _ => match name.rsplit_once("_w") {
            Some((head, tail)) if tail.bytes().all(|b| b.is_ascii_digit()) => head,
            _ => name,
        },
    };
    if hash(&format!("{set}/{recording}")).is_multiple_of(2) { Half::Tune } else { Half::Report }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_one_recording_are_in_the_same_half() {
        assert_eq!(half("irish_5g", "driving_20191214_101630_w00"), half("irish_5g", "driving_20191214_101630_w01"));
        assert_eq!(half("puffer_2021_2022", "211017_x_3"), half("puffer_2021_2022", "211017_x_15"));
        assert_eq!(half("twitch_lll", "fast_cascade"), Half::Aside);
    }
}
