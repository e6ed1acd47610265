//! Our policy and models of the others, behind one face.
//!
//! The models are the published rules of each player or paper, not the players: no queueing of requests, no priorities, one
//! track. Constants are those of the versions named in each file.

mod bola;
mod dash;
mod fixed;
mod hls;
mod hyb;
mod l2a;
mod lol;
mod mpc;
mod ours;
mod shaka;
mod soda;
mod stallion;
mod vhs;

pub use bola::BolaE;
pub use dash::Dash;
pub use fixed::Fixed;
pub use hls::Hls;
pub use hyb::Hyb;
pub use l2a::L2a;
pub use lol::LolPlus;
pub use mpc::RobustMpc;
pub use ours::Ours;
pub use shaka::Shaka;
pub use soda::SodaRule;
pub use stallion::Stallion;
use tidegate_abr::{Progress, Sample, State};
pub use vhs::Vhs;

use crate::setting::Setting;

/// Chooses renditions.
pub trait Policy {
    /// A transfer ended or was aborted.
    fn sample(&mut self, sample: Sample);
    /// The rendition of the next segment.
    fn decide(&mut self, state: &State<'_>) -> usize;
    /// A running request, every 0.25 s; a lower rendition to start the segment again in.
    fn progress(&mut self, _progress: &Progress<'_>) -> Option<usize> {
        None
    }
}

/// The policies of the table, ours first.
pub const NAMES: [&str; 15] = [
    "ours",
    "optimum",
    "soda",
    "stallion",
    "mpc",
    "hyb",
    "bola-e",
    "dynamic",
    "throughput",
    "hls.js",
    "shaka",
    "vhs",
    "l2a",
    "lol+",
    "lowest",
];

/// Not a policy: what one could have done who knew the link beforehand, as [`crate::optimum`] finds it.
pub const OPTIMUM: &str = "optimum";

/// A policy by name for a session of `setting` on `ladder_bps`.
pub fn by_name(name: &str, setting: &Setting, ladder_bps: &[f64]) -> Option<Box<dyn Policy>> {
    Some(match name {
        "ours" => Box::new(Ours::new(setting, ladder_bps)),
        "soda" => Box::new(SodaRule::new(setting, ladder_bps)),
        "mpc" => Box::new(RobustMpc::new(setting, ladder_bps)),
        "hyb" => Box::new(Hyb::new(ladder_bps)),
        "bola-e" => Box::new(BolaE::new(ladder_bps)),
        "dynamic" => Box::new(Dash::dynamic(setting, ladder_bps)),
        "throughput" => Box::new(Dash::throughput(setting, ladder_bps)),
        "hls.js" => Box::new(Hls::new(setting, ladder_bps)),
        "shaka" => Box::new(Shaka::new(ladder_bps)),
        "vhs" => Box::new(Vhs::new(ladder_bps)),
        "stallion" => Box::new(Stallion::new(setting, ladder_bps)),
        "l2a" => Box::new(L2a::new(setting, ladder_bps)),
        "lol+" => Box::new(LolPlus::new(setting, ladder_bps)),
        "lowest" => Box::new(Fixed(0)),
        _ => return None,
    })
}

/// The highest rung whose rate is at most `bps`.
fn below(ladder_bps: &[f64], bps: f64) -> usize {
    ladder_bps.iter().rposition(|&r| r <= bps).unwrap_or(0)
}

/// The usual rule for giving up: the rest takes longer than the buffer lasts, and a lower rung as a whole is quicker.
fn too_slow(ladder_bps: &[f64], progress: &Progress<'_>, least_s: f64) -> Option<usize> {
    let seconds = progress.chunk_transfer_s.unwrap_or(progress.chunk_elapsed_s);
    if progress.rendition == 0 || !progress.state.playing || seconds < least_s || progress.chunk_loaded_bits <= 0.0 {
        return None;
    }
    let bps = progress.chunk_loaded_bits / seconds;
    let rest = (progress.chunk_bits - progress.chunk_loaded_bits) / bps;
    let buffer = progress.state.buffer_s;
    if rest <= buffer {
        return None;
    }
    let whole = |q: usize| progress.chunk_bits * ladder_bps[q] / ladder_bps[progress.rendition] / bps;
    let lower = (0..progress.rendition).rev().find(|&q| whole(q) < buffer).unwrap_or(0);
    (whole(lower) < rest).then_some(lower)
}
