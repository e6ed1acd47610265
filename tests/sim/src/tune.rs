//! Fits the numbers of a mode on the tuning half: separable CMA-ES (Ros and Hansen, PPSN 2008) around the present ones.
//!
//! Every generation plays other playable places of the recordings with other sizes, the same for all of its candidates, so that
//! no candidate wins by the start of a recording. Stalls beyond a limit cost extra.

use std::{fmt::Write, sync::Arc};

use tidegate_abr::{Abr, Parameters, Progress, Regime, Sample, State, Tables};

use crate::{
    bootstrap::mean,
    content::Content,
    corpus::Recording,
    policy::{Fixed, Policy},
    random::{Random, hash},
    score::Score,
    session::{Scene, play},
    setting::Setting,
};

/// How to fit.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Generations to run.
    pub generations: usize,
    /// Recordings of each set in a generation.
    pub per_set: usize,
    /// First step, as a share of each number's scale.
    pub step: f64,
    /// Seed of everything.
    pub seed: u64,
}

/// Fits and reports each generation; returns the centre of the last one.
pub fn fit(recordings: &[&Recording], setting: &Setting, plan: Plan, mut report: impl FnMut(usize, f64, &Parameters)) -> Parameters {
    let start = setting.config(&[1e6]).parameters.unwrap_or_else(|| Parameters::of(setting.mode));
    let origin = numbers(start);
    let scales: Vec<f64> = origin.iter().map(|x| 0.3 * x.abs() + 0.05).collect();
    let n = origin.len();
    let lambda = 4 + (3.0 * (n as f64).ln()) as usize;
    let mu = lambda / 2;
    let raw: Vec<f64> = (0..mu).map(|i| (mu as f64 + 0.5).ln() - ((i + 1) as f64).ln()).collect();
    let total: f64 = raw.iter().sum();
    let weights: Vec<f64> = raw.iter().map(|w| w / total).collect();
    let mu_eff = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
    let dim = n as f64;
    let (cs, cc) = ((mu_eff + 2.0) / (dim + mu_eff + 5.0), 4.0 / (dim + 4.0));
    let c1 = 2.0 / ((dim + 1.3).powi(2) + mu_eff) * (dim + 2.0) / 3.0;
    let c_mu = (2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((dim + 2.0).powi(2) + mu_eff) * (dim + 2.0) / 3.0).min(1.0 - c1);
    let damping = 1.0 + cs;
    let expected = dim.sqrt() * (1.0 - 1.0 / (4.0 * dim) + 1.0 / (21.0 * dim * dim));
    let mut random = Random::new(plan.seed);
    let (mut centre, mut variance, mut sigma) = (vec![0.0; n], vec![1.0; n], plan.step);
    let (mut path_sigma, mut path_c) = (vec![0.0; n], vec![0.0; n]);
    let at = |z: &[f64]| parameters(&(0..n).map(|i| origin[i] + scales[i] * z[i]).collect::<Vec<f64>>());
    for generation in 0..plan.generations {
        let round = hash(&format!("{}/{generation}", plan.seed));
        let scenes = draw(recordings, setting, plan.per_set, round);
        let mut candidates: Vec<(f64, Vec<f64>)> = (0..lambda)
            .map(|_| {
                let y: Vec<f64> = variance.iter().map(|v: &f64| v.sqrt() * random.normal()).collect();
                let z: Vec<f64> = (0..n).map(|i| centre[i] + sigma * y[i]).collect();
                (objective(&scenes, setting, at(&z)), y)
            })
            .collect();
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mean_y: Vec<f64> = (0..n).map(|i| (0..mu).map(|k| weights[k] * candidates[k].1[i]).sum()).collect();
        for i in 0..n {
            centre[i] += sigma * mean_y[i];
            path_sigma[i] = (1.0 - cs) * path_sigma[i] + (cs * (2.0 - cs) * mu_eff).sqrt() * mean_y[i] / variance[i].sqrt();
            path_c[i] = (1.0 - cc) * path_c[i] + (cc * (2.0 - cc) * mu_eff).sqrt() * mean_y[i];
            let spread: f64 = (0..mu).map(|k| weights[k] * candidates[k].1[i].powi(2)).sum();
            variance[i] = (1.0 - c1 - c_mu) * variance[i] + c1 * path_c[i].powi(2) + c_mu * spread;
        }
        let length = path_sigma.iter().map(|p| p * p).sum::<f64>().sqrt();
        sigma *= ((cs / damping) * (length / expected - 1.0)).exp();
        let found = at(&centre);
        report(generation, (0..mu).map(|k| candidates[k].0).sum::<f64>() / mu as f64, &found);
    }
    at(&centre)
}

/// The present numbers with some of them replaced, by the names that [`source`] prints; regimes as `slow_0`, `low_2`, ….
pub fn changed(setting: &Setting, changes: &[(String, f64)]) -> Option<Parameters> {
    let mut x = numbers(Parameters::of(setting.mode));
    for (name, value) in changes {
        let regime = |field: &str, r: &str| Some(REGIMES_AT + 6 * r.parse::<usize>().ok()? + FIELDS.iter().position(|f| *f == field)?);
        let i = match NAMES.iter().position(|n| n == name) {
            Some(i) => i,
            None => name.rsplit_once('_').and_then(|(field, r)| regime(field, r))?,
        };
        *x.get_mut(i)? = *value;
    }
    Some(parameters(&x))
}

/// Scores of given numbers on whole recordings, by set.
pub fn scores(recordings: &[&Recording], setting: &Setting, parameters: &Parameters) -> Vec<(&'static str, Score)> {
    let parameters: &'static Parameters = Box::leak(Box::new(parameters.clone()));
    let mut tables = Vec::new();
    recordings
        .iter()
        .map(|r| {
            let drawn = Drawn { recording: r, offset_s: 0.0, content: Content::new(r.ladder_bps, r.seed()) };
            (r.set, session(&drawn, setting, parameters, &mut tables))
        })
        .collect()
}

/// A place in a recording, with sizes of its own.
struct Drawn<'a> {
    recording: &'a Recording,
    offset_s: f64,
    content: Content,
}

/// Draws so many places of each set at which the lowest rung plays, so that what no policy can help does not decide.
fn draw<'a>(recordings: &[&'a Recording], setting: &Setting, per_set: usize, round: u64) -> Vec<Drawn<'a>> {
    let mut order: Vec<&&Recording> = recordings.iter().collect();
    order.sort_by_key(|r| hash(&format!("{round}{}{}", r.set, r.name)));
    let mut counts = std::collections::BTreeMap::<&'static str, usize>::new();
    let mut drawn = Vec::new();
    for pass in 0..2u64 {
        for recording in &order {
            let count = counts.entry(recording.set).or_default();
            if *count >= per_set {
                continue;
            }
            let seed = recording.seed() ^ round ^ pass;
            let offset_s = Random::new(seed).unit() * recording.link.period();
            let content = Content::new(recording.ladder_bps, seed);
            let scene = Scene { setting, content: &content, link: &recording.link, offset_s };
            if play(scene, &mut Fixed(0)).playable() {
                *count += 1;
                drawn.push(Drawn { recording, offset_s, content });
            }
        }
    }
    drawn
}

/// Mean QoE_live, less a price on stalls beyond the limit.
fn objective(scenes: &[Drawn<'_>], setting: &Setting, parameters: Parameters) -> f64 {
    // A candidate lives as long as the process: a few hundred bytes each.
    let parameters: &'static Parameters = Box::leak(Box::new(parameters));
    let mut tables = Vec::new();
    let mut scores = std::collections::BTreeMap::<&'static str, Vec<Score>>::new();
    for drawn in scenes {
        let score = session(drawn, setting, parameters, &mut tables);
        scores.entry(drawn.recording.set).or_default().push(score);
    }
    let of = |value: &dyn Fn(&Score) -> f64| mean(&scores.iter().map(|(set, s)| (*set, s.iter().map(value).collect())).collect());
    of(&|s| s.qoe().max(WORST)) - 10.0 * (of(&|s| s.stall.min(0.05)) - MOST_STALL).max(0.0)
}

/// One session.
fn session(drawn: &Drawn<'_>, setting: &Setting, parameters: &'static Parameters, tables: &mut Vec<Arc<Tables>>) -> Score {
    let recording = drawn.recording;
    let mut config = setting.config(recording.ladder_bps);
    config.parameters = Some(parameters);
    let fitting = tables.iter().find(|t| t.fits(&config)).cloned().unwrap_or_else(|| {
        let built = Arc::new(Tables::build(&config));
        tables.push(Arc::clone(&built));
        built
    });
    let mut policy = Candidate(Abr::with_tables(config, fitting));
    let scene = Scene { setting, content: &drawn.content, link: &recording.link, offset_s: drawn.offset_s };
    play(scene, &mut policy)
}

struct Candidate(Abr);

impl Policy for Candidate {
    fn sample(&mut self, sample: Sample) {
        self.0.sample(sample);
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        self.0.decide(state).rendition
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        Some(self.0.progress(&Progress { chunk_transfer_s: None, ..*progress })?.rendition)
    }
}

/// The numbers in a fixed order.
fn numbers(p: &Parameters) -> Vec<f64> {
    let mut numbers = vec![
        p.error_gain,
        p.error_start,
        p.margin_s,
        p.discount,
        p.stall_factor,
        p.change,
        p.change_up,
        p.outage_s,
        p.recovery,
        p.size_memory,
        p.size_shift,
        p.forgetting,
        p.temperature,
        p.ahead_weight,
        p.abandon_threshold,
        p.abandon_evidence_s,
        p.abandon_narrowing,
        p.abandon_change,
        p.inner_spread,
        p.prior[1],
        p.prior[2],
    ];
    numbers.extend(p.regimes.iter().flat_map(|r| [r.slow, r.fast, r.persistence, r.bias, r.low, r.high]));
    numbers
}

/// The other way round, held where the planner works.
fn parameters(x: &[f64]) -> Parameters {
    let regime = |r: usize| {
        let x = &x[REGIMES_AT + 6 * r..];
        Regime {
            slow: x[0].clamp(0.005, 1.0),
            fast: x[1].clamp(0.01, 1.0),
            persistence: x[2].clamp(0.0, 1.6),
            bias: x[3].clamp(-1.0, 0.5),
            low: x[4].clamp(0.05, 2.0),
            high: x[5].clamp(0.05, 5.0),
        }
    };
    Parameters {
        error_gain: x[0].clamp(0.01, 0.5),
        error_start: x[1].clamp(0.05, 1.5),
        margin_s: x[2].clamp(0.01, 4.0),
        discount: x[3].clamp(0.5, 0.99),
        stall_factor: x[4].clamp(0.1, 5.0),
        change: x[5].clamp(0.1, 3.0),
        change_up: x[6].clamp(-0.5, 1.0),
        outage_s: x[7].clamp(0.5, 20.0),
        recovery: x[8].clamp(-0.5, 1.0),
        size_memory: x[9].clamp(0.0, 1.0),
        size_shift: x[10].clamp(0.0, 1.5),
        forgetting: x[11].clamp(0.5, 0.99),
        temperature: x[12].clamp(0.05, 3.0),
        ahead_weight: x[13].clamp(0.0, 5.0),
        prior: [0.0, x[19].clamp(-3.0, 3.0), x[20].clamp(-3.0, 3.0)],
        abandon_threshold: x[14].clamp(-2.0, 3.0),
        abandon_evidence_s: x[15].clamp(0.05, 10.0),
        abandon_narrowing: x[16].clamp(0.0, 1.0),
        abandon_change: x[17].clamp(0.0, 3.0),
        inner_spread: x[18].clamp(0.0, 2.0),
        regimes: [regime(0), regime(1), regime(2)],
    }
}

/// The numbers as they stand in `parameters.rs`.
pub fn source(p: &Parameters) -> String {
    let x: Vec<f64> = numbers(p).iter().map(|x| (x * 1e3).round() / 1e3).collect();
    let mut text = String::new();
    for (name, x) in NAMES.iter().zip(&x) {
        let _ = writeln!(text, "    {name}: {x:?},");
    }
    let _ = writeln!(text, "    prior: [0.0, {:?}, {:?}],\n    regimes: [", x[19], x[20]);
    for r in x[REGIMES_AT..].chunks(6) {
        let _ = writeln!(
            text,
            "        Regime {{ slow: {:?}, fast: {:?}, persistence: {:?}, bias: {:?}, low: {:?}, high: {:?} }},",
            r[0], r[1], r[2], r[3], r[4], r[5]
        );
    }
    text + "    ],\n"
}

const NAMES: [&str; REGIMES_AT] = [
    "error_gain",
    "error_start",
    "margin_s",
    "discount",
    "stall_factor",
    "change",
    "change_up",
    "outage_s",
    "recovery",
    "size_memory",
    "size_shift",
    "forgetting",
    "temperature",
    "ahead_weight",
    "abandon_threshold",
    "abandon_evidence_s",
    "abandon_narrowing",
    "abandon_change",
    "inner_spread",
    "prior_1",
    "prior_2",
];
const FIELDS: [&str; 6] = ["slow", "fast", "persistence", "bias", "low", "high"];
/// Where the numbers of the regimes begin.
const REGIMES_AT: usize = 21;
/// One hopeless recording does not outweigh a set.
const WORST: f64 = -1.0;
const MOST_STALL: f64 = 0.0028;
