//! How long the host takes until its functions answer, once it has compiled them.
//!
//! `start HOST COMPONENT FOLDER`
use std::{env, process::Stdio, time::Instant};

use anyhow::Context as _;
use tidegate_edge_bench::peer::median;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

const ROUNDS: usize = 15;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, program, component, folder] = args.as_slice() else { anyhow::bail!("start HOST COMPONENT FOLDER") };
    let (mut functions, mut whole) = (Vec::new(), Vec::new());
    // The first compiles, and is not counted.
    for round in 0..=ROUNDS {
        let begin = Instant::now();
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--endpoint", "http://127.0.0.1:9", "--component", component, "--cache", folder]);
        let mut host = command.env("NO_COLOR", "1").stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(host.stderr.take().context("stderr")?).lines();
        let mut took_ms = None;
        while let Some(line) = lines.next_line().await? {
            if line.contains("the functions answer") {
                took_ms = line.split_once("took_us=").and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok());
            }
            if line.contains("serving") {
                break;
            }
        }
        let took_us = took_ms.context("the host does not say how long it took")?;
        if round > 0 {
            functions.push(took_us / 1000.0);
            whole.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        host.kill().await?;
    }
    println!("functions loaded and their first answer: {:.1} ms; from the start of the program: {:.1} ms (medians of {ROUNDS})", median(functions), median(whole));
    Ok(())
}
