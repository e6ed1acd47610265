#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the command line: it reads the environment and speaks to people")]

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match tidegate::run(cli) {
        Ok(code) => code,
        Err(error) => {
            // One sentence: the causes are joined, because the last of them is often the one that helps.
            eprintln!("tidegate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
