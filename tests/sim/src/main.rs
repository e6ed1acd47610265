//! `tidegate-sim table` plays the recordings and prints the table.
#![allow(clippy::disallowed_methods, reason = "a command that reads its arguments and recordings")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tidegate_sim::{
    corpus::{self, Half, Recording},
    gate, policy, run,
    setting::SETTINGS,
    table,
};

const USAGE: &str = "\
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
        Some("gate") => figures(arguments.next().as_deref() == Some("--write")),
        _ => bail!("{USAGE}"),
    }
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
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("gate.toml");
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
    for setting in SETTINGS.iter().filter(|s| setting.as_deref().is_none_or(|name| name == s.name)) {
        if let Some(name) = names.iter().find(|n| policy::by_name(n, setting, &corpus::SLOW_LADDER).is_none()) {
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
