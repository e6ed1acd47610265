//! `tidegate-sim table` plays the recordings and prints the table.
#![allow(clippy::disallowed_methods, reason = "a command that reads its arguments and recordings")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tidegate_sim::{
    bootstrap,
    corpus::{self, Half, Recording},
    gate, policy, run,
    score::Score,
    setting::{NEAR, SETTINGS, Setting},
    table, tune,
};

const USAGE: &str = "\
tidegate-sim tune SETTING [GENERATIONS [PER_SET [STEP [SEED]]]]    fits the planner's numbers on the tuning half
tidegate-sim try SETTING NAME=NUMBER[,…] …    scores other numbers on the tuning half against the present ones
tidegate-sim gate [--write]    plays the gate's links and compares, or writes, the committed figures
tidegate-sim table [--traces DIR] [--half report|tune|all|aside] [--setting NAME] [--policies A,B,…] [--sets] [--harsh] [--per-set N] [--threads N]

  --traces    folder of the recordings (default: ../shared/traces beside the repository)
  --half      report: those that nothing is fitted on (default); tune: the others; aside: the set with another ladder
  --policies  the first one is compared with the others (default: all)
  --sets      also prints every set
  --harsh     also those recordings on which the lowest rung alone stalls
  --per-set   at most so many recordings of a set";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("table") => tables(arguments),
        Some("tune") => fit(arguments),
        Some("try") => attempt(arguments),
        Some("gate") => figures(arguments.next().as_deref() == Some("--write")),
        _ => bail!("{USAGE}"),
    }
}

/// Fits the numbers of one setting on the tuning half.
fn fit(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let name = arguments.next().with_context(|| USAGE.to_owned())?;
    let setting = SETTINGS.iter().find(|s| s.name == name).with_context(|| format!("{name} is no setting"))?;
    let mut number =
        |otherwise: f64| arguments.next().map_or(Ok(otherwise), |a| a.parse::<f64>().with_context(|| format!("{a} is no number")));
    let plan =
        tune::Plan { generations: number(40.0)? as usize, per_set: number(10.0)? as usize, step: number(0.15)?, seed: number(1.0)? as u64 };
    let recordings = corpus::load(&corpus::folder())?.context("there are no recordings")?;
    let chosen = tuning(&recordings, setting);
    tune::fit(&chosen, setting, plan, |generation, value, found| {
        println!("generation {generation}: {value:.4}\n{}", tune::source(found));
    });
    Ok(())
}

/// Scores other numbers on the tuning half against the present ones.
fn attempt(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let name = arguments.next().with_context(|| USAGE.to_owned())?;
    let setting = SETTINGS.iter().find(|s| s.name == name).with_context(|| format!("{name} is no setting"))?;
    let recordings = corpus::load(&corpus::folder())?.context("there are no recordings")?;
    let chosen = tuning(&recordings, setting);
    let now = tune::scores(&chosen, setting, &tune::changed(setting, &[]).context("no numbers")?);
    for attempt in arguments {
        let change = |pair: &str| Some((pair.split_once('=')?.0.to_owned(), pair.split_once('=')?.1.parse::<f64>().ok()?));
        let changes: Option<Vec<(String, f64)>> = attempt.split(',').map(change).collect();
        let changed = changes.and_then(|c| tune::changed(setting, &c)).with_context(|| format!("{attempt} is no name=number,…"))?;
        let then = tune::scores(&chosen, setting, &changed);
        let of = |value: &dyn Fn(&Score, &Score) -> f64| {
            let mut sets = bootstrap::BySet::new();
            for ((set, a), (_, b)) in now.iter().zip(&then) {
                sets.entry(*set).or_default().push(value(a, b));
            }
            sets
        };
        let gain = of(&|a, b| b.qoe() - a.qoe());
        let (low, high) = bootstrap::interval(&gain);
        let (qoe, stall, switch) =
            (bootstrap::mean(&of(&|_, b| b.qoe())), bootstrap::mean(&of(&|_, b| b.stall)), bootstrap::mean(&of(&|_, b| b.switch)));
        println!(
            "{attempt}: {qoe:.4}, {:+.4} [{low:+.4}, {high:+.4}], stall {:.2} %, switch {:.1} %",
            bootstrap::mean(&gain),
            100.0 * stall,
            100.0 * switch
        );
    }
    Ok(())
}

/// The playable recordings of the tuning half.
fn tuning<'a>(recordings: &'a [Recording], setting: &Setting) -> Vec<&'a Recording> {
    let mut half: Vec<&Recording> = recordings.iter().filter(|r| r.half == Half::Tune).collect();
    half.sort_by(|a, b| (a.set, &a.name).cmp(&(b.set, &b.name)));
    let playable = run::rows(&half, setting, &[], 1);
    half.into_iter().zip(playable).filter(|(_, row)| row.playable).map(|(recording, _)| recording).collect()
}

/// Plays the gate; writes its figures down or compares them.
fn figures(write: bool) -> Result<()> {
    let folder = corpus::folder();
    let made = gate::measure_made()?;
    let recorded = match corpus::load(&folder)? {
        Some(recordings) => gate::measure(&gate::subset(&recordings)),
        None if write => bail!("there are no recordings in {}: their figures cannot be written", folder.display()),
        None => {
            println!("there are no recordings in {}: made links only", folder.display());
            gate::committed()?.recorded
        }
    };
    if write {
        let text = toml::to_string(&gate::Committed { recorded, made })?;
        let path = corpus::checkout().join("tests/sim/gate.toml");
        std::fs::write(&path, format!("# QoE_live of our policy on the gate's links, written by `tidegate-sim gate --write`.\n\n{text}"))?;
        return Ok(());
    }
    let committed = gate::committed()?;
    let falls = gate::falls(&committed.recorded, &recorded) + &gate::falls(&committed.made, &made);
    for (kind, figures) in [("recorded", &recorded), ("made", &made)] {
        for (setting, figure) in figures {
            println!("{kind} {setting}: {:.4}", figure.mean);
        }
    }
    if falls.is_empty() { Ok(()) } else { bail!("QoE_live fell:\n{falls}") }
}

/// Plays the recordings and prints the table.
fn tables(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (mut folder, mut half, mut setting) = (corpus::folder(), "report".to_owned(), None);
    let mut names: Vec<String> = policy::NAMES.iter().map(|&n| n.to_owned()).collect();
    let (mut sets, mut harsh, mut per_set, mut threads) = (false, false, usize::MAX, 1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value\n\n{USAGE}"));
        match argument.as_str() {
            "--traces" => folder = PathBuf::from(value()?),
            "--half" => half = value()?,
            "--setting" => setting = Some(value()?),
            "--policies" => names = value()?.split(',').map(str::to_owned).collect(),
            "--per-set" => per_set = value()?.parse().context("--per-set wants a number")?,
            "--threads" => threads = value()?.parse().context("--threads wants a number")?,
            "--sets" => sets = true,
            "--harsh" => harsh = true,
            _ => bail!("{argument} is not known\n\n{USAGE}"),
        }
    }
    let Some(recordings) = corpus::load(&folder)? else {
        bail!("there are no recordings in {}: name their folder with --traces", folder.display());
    };
    let wanted = |r: &&Recording| match half.as_str() {
        "report" => r.half == Half::Report,
        "tune" => r.half == Half::Tune,
        "aside" => r.half == Half::Aside,
        _ => r.half != Half::Aside,
    };
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    let chosen: Vec<&Recording> = recordings
        .iter()
        .filter(wanted)
        .filter(|r| {
            let count = seen.entry(r.set).or_default();
            *count += 1;
            *count <= per_set
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = setting.as_deref() == Some(NEAR.name);
    let settings = SETTINGS.iter().filter(|s| setting.as_deref().is_none_or(|name| name == s.name));
    for setting in settings.chain(near.then_some(&NEAR)) {
        if let Some(name) = names.iter().find(|n| **n != policy::OPTIMUM && policy::by_name(n, setting, &corpus::SLOW_LADDER).is_none()) {
            bail!("{name} is no policy; there are {}", policy::NAMES.join(", "));
        }
        let started = std::time::Instant::now();
        let mut rows = run::rows(&chosen, setting, &names, threads);
        rows.retain(|r| harsh || r.playable);
        println!("{}", table::render(setting, &names, &rows));
        if sets {
            println!("{}", table::render_sets(&names, &rows));
        }
        eprintln!("{}: {:.1} s", setting.name, started.elapsed().as_secs_f64());
    }
    Ok(())
}
