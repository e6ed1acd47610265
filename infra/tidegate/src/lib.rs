#![allow(clippy::disallowed_methods, reason = "the command line: it reads the environment, files and the clock, and starts everything")]
//! The command line: the whole platform in one process, and the tools around it.
//!
//! In scope: reading options, starting and stopping the parts in the right order, the demo source, and sentences that say
//! what to do when something is missing.
//! Out of scope: what the parts do.
//!
//! Invariant: whatever ends it, nothing that was started here goes on running.
#![deny(unsafe_code)]

pub mod demo;

mod api_token;
mod child;
mod cli;
mod doctor;
mod metadata;
mod origin;
mod place;
mod plan;
mod stream;
mod token;
mod up;
mod validate;
pub mod webhooks;

use std::process::ExitCode;

pub use cli::{Cli, Command, UpOptions};

/// Runs one command until it is done.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command.unwrap_or_default() {
            Command::Up(options) => up::run(*options).await.map(|()| ExitCode::SUCCESS),
            Command::Stream(command) => stream::run(command).await.map(|()| ExitCode::SUCCESS),
            Command::Token(command) => token::run(command).await.map(|()| ExitCode::SUCCESS),
            Command::Origin(command) => origin::run(command).await.map(|()| ExitCode::SUCCESS),
            Command::Doctor(options) => doctor::run(options).await.map(|()| ExitCode::SUCCESS),
            Command::Plan(options) => plan::run(*options).map(|()| ExitCode::SUCCESS),
            Command::Validate(options) => validate::run(*options).await,
            Command::Webhooks(options) => webhooks::run(options).await.map(|()| ExitCode::SUCCESS),
            Command::ApiToken(command) => api_token::run(command).await.map(|()| ExitCode::SUCCESS),
        }
    })
}
