//! Links made from a seed, for where the recordings are not: steps that stay, fading, outages, ramps, bursts, noise around a level.

use anyhow::Result;

use crate::{
    corpus::{FAST_LADDER, Half, Recording, SLOW_LADDER},
    link::Link,
    random::Random,
};

/// `per_kind` links of every kind; every kind is a set of its own.
pub fn links(per_kind: usize) -> Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for (k, kind) in KINDS.iter().enumerate() {
        for n in 0..per_kind {
            let mut random = Random::new((k * 1000 + n) as u64 + SEED);
            let fast = n % 2 == 1;
            let ladder_bps: &[f64] = if fast { &FAST_LADDER } else { &SLOW_LADDER };
            let middle = (ladder_bps[0] * ladder_bps[ladder_bps.len() - 1]).sqrt() / 1000.0;
            let rtt = [20.0, 40.0, 60.0, 100.0][random.below(4)];
            let rates = rates(kind, middle * (0.8 + 1.2 * random.unit()), &mut random);
            let mut steps: Vec<(f64, f64, f64)> = rates.iter().enumerate().map(|(t, &kbps)| (t as f64, kbps, rtt)).collect();
            steps.push((SECONDS as f64, 0.0, rtt));
            recordings.push(Recording { set: kind, name: format!("{n:03}"), half: Half::Report, ladder_bps, link: Link::new(&steps)? });
        }
    }
    Ok(recordings)
}

/// Rates in kbit/s, second by second, around `level`.
fn rates(kind: &str, level: f64, random: &mut Random) -> Vec<f64> {
    let mut state = 0.0;
    let mut until = 0;
    (0..SECONDS)
        .map(|t| {
            let turn = t >= until;
            match kind {
                "steps" => {
                    if turn {
                        (state, until) = (1.6 * random.unit() - 0.8, t + 15 + random.below(45));
                    }
                    level * f64::exp(state + 0.05 * random.normal())
                }
                "fading" => {
                    state = 0.95 * state + 0.25 * random.normal();
                    level * f64::exp(state)
                }
                "outages" => {
                    if turn {
                        state = if state == 0.0 && t > 0 { -2.5 } else { 0.0 };
                        until = t + if state == 0.0 { 20 + random.below(40) } else { 2 + random.below(6) };
                    }
                    level * f64::exp(state + 0.15 * random.normal())
                }
                "ramps" => level * f64::exp(0.9 * (t as f64 / (20.0 + 10.0 * level.fract())).sin() + 0.1 * random.normal()),
                "bursts" => {
                    if turn {
                        (state, until) = (random.normal(), t + 1 + random.below(4));
                    }
                    level * f64::exp(0.7 * state)
                }
                _ => level * f64::exp(0.3 * random.normal()),
            }
        })
        .collect()
}

const KINDS: [&str; 6] = ["steps", "fading", "outages", "ramps", "bursts", "noise"];
const SECONDS: usize = 320;
const SEED: u64 = 7;
