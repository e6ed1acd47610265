#![allow(clippy::disallowed_methods, reason = "a shell: it is configured by its environment")]
#![allow(clippy::print_stderr, reason = "what Lambda shows of a function that does not start")]
//! What Lambda starts: `bootstrap`.
use std::process::ExitCode;

use tidegate_lambda::{Config, run};

// One request at a time, or a few where Lambda sends several to one environment: a second thread would only cost its start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("tidegate: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate: the runtime ended: {error}");
            ExitCode::FAILURE
        }
    }
}
