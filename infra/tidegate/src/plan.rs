//! `tidegate plan`: what so many streams and viewers ask for.
mod guide;
mod model;

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::json;

use self::model::{Basis, Edge, Line, Machine, Plan, Wanted, plan};

/// Options of `tidegate plan`.
#[derive(Args, Clone, Debug)]
pub struct PlanOptions {
    /// Streams at one time.
    #[arg(long, default_value_t = 1)]
    streams: u32,
    /// Viewers of all streams at one time.
    #[arg(long, default_value_t = 1000)]
    viewers: u64,
    /// Bit rates of the rungs in kbit/s; the first is the source.
    #[arg(long, value_delimiter = ',', default_value = "5000,3000,1600,800,400", num_args = 1..)]
    ladder_kbps: Vec<f64>,
    /// What an average viewer watches, in kbit/s.
    #[arg(long, default_value_t = 3000.0)]
    watched_kbps: f64,
    /// Length of a part.
    #[arg(long, default_value_t = 500)]
    part_ms: u32,
    /// Length of a segment.
    #[arg(long, default_value_t = 2000)]
    segment_ms: u32,
    /// Two workers for each stream.
    #[arg(long)]
    twins: bool,
    /// What answers playlists.
    #[arg(long, value_enum, default_value = "host")]
    edge: EdgeOption,
    /// What stands before the edges and the bucket.
    #[arg(long, value_enum, default_value = "cloudfront")]
    cdn: CdnOption,
    /// Days that recordings are kept.
    #[arg(long, default_value_t = 1.0)]
    kept_days: f64,
    /// Cores of a machine.
    #[arg(long, default_value_t = 8.0)]
    machine_cores: f64,
    /// Memory of a machine, in GiB.
    #[arg(long, default_value_t = 16.0)]
    machine_gib: f64,
    /// What a machine sends for as long as it likes, in Gbit/s.
    #[arg(long, default_value_t = 5.0)]
    machine_gbps: f64,
    /// What a machine costs in an hour, in dollars.
    #[arg(long, default_value_t = 0.29)]
    machine_usd: f64,
    /// Cores that the encoders of one ladder take: look at a worker of yours.
    #[arg(long, default_value_t = 4.0)]
    ladder_cores: f64,
    /// One JSON document in place of a table.
    #[arg(long)]
    json: bool,
    /// The cost guide: tables of what a live hour and 1,000 viewers cost in some set-ups, at the defaults of the other options.
    #[arg(long, conflicts_with = "json")]
    guide: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum EdgeOption {
    /// Our host: parts, blocking requests.
    Host,
    /// AWS Lambda: whole segments.
    Lambda,
    /// Nothing: the ordinary playlists in the bucket.
    Bucket,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum CdnOption {
    Cloudfront,
    None,
}

/// Prints the plan.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) fn run(options: PlanOptions) -> anyhow::Result<()> {
    if options.guide {
        print!("{}", guide::guide());
        return Ok(());
    }
    let as_json = options.json;
    let plan = plan(&options.wanted()?);
    if as_json {
        println!("{:#}", document(&plan));
    } else {
        print!("{}", table(&plan));
    }
    Ok(())
}

impl PlanOptions {
    fn wanted(self) -> anyhow::Result<Wanted> {
        let positive = [self.watched_kbps, self.machine_cores, self.machine_gib, self.machine_gbps];
        let all = positive.iter().chain(&self.ladder_kbps);
        anyhow::ensure!(all.copied().all(|value| value.is_finite() && value > 0.0), "rates and machines have to be above 0");
        let paid = [self.machine_usd, self.ladder_cores, self.kept_days];
        anyhow::ensure!(paid.iter().all(|value| value.is_finite() && *value >= 0.0), "prices, cores and days cannot be below 0");
        anyhow::ensure!((100..=5000).contains(&self.part_ms), "a part has 100 to 5000 ms");
        anyhow::ensure!((self.part_ms..=20_000).contains(&self.segment_ms), "a segment is as long as a part or longer, and at most 20 s");
        Ok(Wanted {
            streams: self.streams.into(),
            viewers: self.viewers as f64,
            ladder_kbps: self.ladder_kbps,
            watched_kbps: self.watched_kbps,
            part_s: f64::from(self.part_ms) / 1000.0,
            segment_s: f64::from(self.segment_ms) / 1000.0,
            twins: self.twins,
            edge: match self.edge {
                EdgeOption::Host => Edge::Host,
                EdgeOption::Lambda => Edge::Lambda,
                EdgeOption::Bucket => Edge::Bucket,
            },
            cdn: matches!(self.cdn, CdnOption::Cloudfront),
            kept_days: self.kept_days,
            machine: Machine {
                cores: self.machine_cores,
                memory_gib: self.machine_gib,
                gbps: self.machine_gbps,
                usd_per_hour: self.machine_usd,
                ladder_cores: self.ladder_cores,
            },
        })
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Computed => "computed",
        Basis::Assumed => "assumed",
        Basis::Price => "list price",
    }
}

fn table(plan: &Plan) -> String {
    let mut text = String::new();
    let mut group = "";
    for Line { group: own, what, value, unit, basis: known } in &plan.lines {
        let shown = if *own == group { "" } else { own };
        group = own;
        let _ = writeln!(text, "{shown:<9} {what:<48} {:>14} {unit:<7} {}", number(*value), basis(*known));
    }
    let _ = writeln!(text, "\n{:<58} {:>14} $/h", "all of it", number(plan.usd_per_hour));
    let _ = writeln!(text, "{:<58} {:>14} $", "an hour of one stream that nobody watches", number(plan.usd_per_stream_hour));
    let _ = writeln!(text, "{:<58} {:>14} $", "an hour of 1,000 viewers more", number(plan.usd_per_thousand_viewer_hours));
    for note in &plan.notes {
        let _ = writeln!(text, "\n{note}");
    }
    text.push_str("\nMeasured: in ARCHITECTURE.md, with the command that repeats it. List prices: AWS, us-east-1; yours differ.\n");
    text
}

/// Three digits that matter, and commas.
fn number(value: f64) -> String {
    let decimals = if value >= 100.0 || value == 0.0 { 0 } else { (2.0 - value.log10().floor()).clamp(0.0, 6.0) as usize };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &rest
}

fn document(plan: &Plan) -> serde_json::Value {
    let lines = plan
        .lines
        .iter()
        .map(|line| json!({ "group": line.group, "what": line.what, "value": line.value, "unit": line.unit, "basis": basis(line.basis) }));
    json!({
        "lines": lines.collect::<Vec<_>>(),
        "usd_per_hour": plan.usd_per_hour,
        "usd_per_stream_hour": plan.usd_per_stream_hour,
        "usd_per_thousand_viewer_hours": plan.usd_per_thousand_viewer_hours,
        "notes": plan.notes,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: PlanOptions,
    }

    fn wanted(arguments: &[&str]) -> anyhow::Result<Wanted> {
        Line::try_parse_from([&["plan"], arguments].concat())?.options.wanted()
    }

    #[test]
    fn numbers_show_what_matters() {
        for (value, text) in
            [(0.0, "0"), (13_548.0, "13,548"), (0.0683, "0.0683"), (1.0, "1.00"), (1_234_567.8, "1,234,568"), (12.34, "12.3")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn what_cannot_be_planned_is_refused() -> anyhow::Result<()> {
        wanted(&[])?;
        wanted(&["--ladder-kbps", "6000", "--edge", "lambda", "--cdn", "none"])?;
        for arguments in
            [["--part-ms", "10"], ["--segment-ms", "100"], ["--watched-kbps", "0"], ["--ladder-kbps", "-1"], ["--machine-usd", "NaN"]]
        {
            assert!(wanted(&arguments).is_err(), "{arguments:?}");
        }
        Ok(())
    }

    #[test]
    fn table_and_document_say_the_same() -> anyhow::Result<()> {
        let plan = plan(&wanted(&["--streams", "3", "--viewers", "20000"])?);
        let (table, document) = (table(&plan), document(&plan));
        assert!(table.contains(&number(plan.usd_per_hour)), "{table}");
        assert_eq!(document["lines"].as_array().map(Vec::len), Some(plan.lines.len()));
        Ok(())
    }
}
