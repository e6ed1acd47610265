//! The gate: our policy's QoE_live on a small, fixed subset, against the figures that were committed.

use std::{collections::BTreeMap, fmt::Write};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    bootstrap::mean,
    corpus::{Half, Recording},
    random::hash,
    run,
    setting::{SETTINGS, Setting},
    synthetic, table,
};

/// The committed figures.
pub const FIGURES: &str = include_str!("../gate.toml");

/// Recordings of each set that the gate plays: the first ones of the report half by the hash of their names.
pub const PER_SET: usize = 10;
/// Made links of each kind.
pub const PER_KIND: usize = 8;

/// A mean may fall by this. Sessions are exact, so this only covers the last bits of a platform's functions, which now and then
/// turn a decision over: far below what any change to the policy does on purpose.
pub const NOISE_MEAN: f64 = 0.003;
/// The same for a single set.
pub const NOISE_SET: f64 = 0.015;

/// QoE_live of our policy by setting.
pub type Figures = BTreeMap<String, Figure>;

/// QoE_live in one setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Mean of the sets' means over playable recordings.
    pub mean: f64,
    /// Means of the sets.
    pub sets: BTreeMap<String, f64>,
}

/// The committed file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// On recordings.
    pub recorded: Figures,
    /// On made links.
    pub made: Figures,
}

/// Reads the committed figures.
pub fn committed() -> Result<Committed> {
    toml::from_str(FIGURES).context("reading the committed figures")
}

/// The recordings that the gate plays.
pub fn subset(recordings: &[Recording]) -> Vec<&Recording> {
    let mut chosen: Vec<&Recording> = recordings.iter().filter(|r| r.half == Half::Report).collect();
    chosen.sort_by_key(|r| (r.set, hash(&r.name)));
    let mut seen = BTreeMap::<&str, usize>::new();
    chosen.retain(|r| {
        let count = seen.entry(r.set).or_default();
        *count += 1;
        *count <= PER_SET
    });
    chosen
}

/// Plays recordings in all settings.
pub fn measure(recordings: &[&Recording]) -> Figures {
    SETTINGS.iter().map(|setting| (setting.name.to_owned(), figure(recordings, setting))).collect()
}

/// Plays the made links in all settings.
pub fn measure_made() -> Result<Figures> {
    let links = synthetic::links(PER_KIND)?;
    Ok(measure(&links.iter().collect::<Vec<_>>()))
}

fn figure(recordings: &[&Recording], setting: &Setting) -> Figure {
    let mut rows = run::rows(recordings, setting, &["ours"], 1);
    rows.retain(|r| r.playable);
    let sets = table::by_set(&rows, |r| r.scores[0].qoe());
    let rounded = |x: f64| (x * 1e4).round() / 1e4;
    let average = |v: &Vec<f64>| rounded(v.iter().sum::<f64>() / v.len().max(1) as f64);
    Figure { mean: rounded(mean(&sets)), sets: sets.iter().map(|(set, v)| ((*set).to_owned(), average(v))).collect() }
}

/// What fell by more than noise, one line each; nothing when all holds.
pub fn falls(committed: &Figures, measured: &Figures) -> String {
    let mut text = String::new();
    for (setting, was) in committed {
        let Some(is) = measured.get(setting) else {
            let _ = writeln!(text, "{setting}: not measured");
            continue;
        };
        if is.mean < was.mean - NOISE_MEAN {
            let _ = writeln!(text, "{setting}: QoE_live {:.4}, committed {:.4}", is.mean, was.mean);
        }
        for (set, &was) in &was.sets {
            match is.sets.get(set) {
                Some(&is) if is >= was - NOISE_SET => {}
                Some(is) => {
                    let _ = writeln!(text, "{setting}, {set}: QoE_live {is:.4}, committed {was:.4}");
                }
                None => {
                    let _ = writeln!(text, "{setting}, {set}: no playable recording");
                }
            }
        }
    }
    text
}
