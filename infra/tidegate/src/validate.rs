//! `tidegate validate`: a live stream over HTTP and over time, against every rule.

pub(crate) mod client;
mod json;
mod table;

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tidegate_validate::{Config, Observation, Output, Report, Severity, Validator};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::cli::ValidateOptions;
use client::Client;

/// The stream breaks a rule.
const FOUND: u8 = 1;
/// The stream could not be tested.
const NOT_TESTED: u8 = 2;
/// Nothing is due: look again after this, so that the end is seen.
const IDLE: Duration = Duration::from_millis(250);

pub(crate) async fn run(options: ValidateOptions) -> anyhow::Result<ExitCode> {
    if options.list {
        print(&if options.json { json::rules() } else { table::rules(color()) });
        return Ok(ExitCode::SUCCESS);
    }
    let Some(url) = options.url.clone() else { anyhow::bail!("name the address of a playlist, or use --list") };
    anyhow::ensure!(url.starts_with("http://") || url.starts_with("https://"), "`{url}` is no http:// or https:// address");
    let report = follow(url, options.seconds, options.insecure, std::io::stderr().is_terminal()).await?;
    print(&if options.json { json::report(&report) } else { table::report(&report, color()) });
    let bad = report.count(Severity::Error) > 0 || (options.strict && report.count(Severity::Warning) > 0);
    Ok(match (&report.fatal, bad) {
        (Some(_), _) => ExitCode::from(NOT_TESTED),
        (None, true) => ExitCode::from(FOUND),
        (None, false) => ExitCode::SUCCESS,
    })
}

/// Makes the requests that the validator wants, until it has seen enough; `shown` says on a terminal how far it is.
pub(crate) async fn follow(url: String, seconds: u64, insecure: bool, shown: bool) -> anyhow::Result<Report> {
    let client = Client::new(insecure)?;
    let started = Instant::now();
    let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut validator = Validator::new(Config {
        url,
        follow_us: seconds.saturating_mul(1_000_000),
        started_utc_us: i64::try_from(utc.as_micros()).unwrap_or(i64::MAX),
    });
    let now_us = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    // The validator bounds how many requests are under way.
    let (sender, mut coming) = mpsc::unbounded_channel::<Observation>();
    let mut progress = Progress { shown: None, on: shown };
    loop {
        while let Some(output) = validator.poll(now_us()) {
            match output {
                Output::Probe(probe) => {
                    let (client, sender) = (client.clone(), sender.clone());
                    tokio::spawn(async move {
                        let _ = sender.send(client.make(probe, started).await);
                    });
                }
                Output::Finding(_) => {}
            }
        }
        progress.show(started.elapsed(), &validator, seconds);
        if validator.is_done() {
            break;
        }
        let wake = validator.wake_us().map(|wake| Duration::from_micros(wake.saturating_sub(now_us())));
        let wait = wake.unwrap_or(IDLE).clamp(Duration::from_millis(1), IDLE);
        if let Ok(Some(observation)) = timeout(wait, coming.recv()).await {
            validator.handle(now_us(), observation);
        }
    }
    progress.clear();
    // Requests that still block end with the process.
    sleep(Duration::ZERO).await;
    Ok(validator.report())
}

/// One line that says how far it is, where somebody looks.
struct Progress {
    shown: Option<u64>,
    on: bool,
}

impl Progress {
    fn show(&mut self, elapsed: Duration, validator: &Validator, seconds: u64) {
        if self.on && self.shown != Some(elapsed.as_secs()) {
            self.shown = Some(elapsed.as_secs());
            let (errors, warnings) = (validator.count(Severity::Error), validator.count(Severity::Warning));
            let mut err = std::io::stderr();
            let _ = write!(err, "\r{} of {seconds} s, {errors} errors, {warnings} warnings so far ", elapsed.as_secs());
            let _ = err.flush();
        }
    }

    fn clear(&self) {
        if self.on {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn print(text: &str) {
    // A reader that has seen enough (`head`) is no fault of the stream.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
