//! Parts and segments from the host and files of the same sizes from nginx: bytes per second of CPU.
//!
//! `media HOST COMPONENT FOLDER`
use std::{env, fs, path::Path};

use tidegate_edge_bench::{
    bucket::Bucket,
    peer::{Http, Load, Server, median},
};

/// A part of 0.5 s at 3 Mbit/s; a segment is four of them.
const PART_BYTES: usize = 190_000;
const ROUNDS: usize = 3;
const SECONDS: u32 = 4;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, program, component, folder] = args.as_slice() else { anyhow::bail!("media HOST COMPONENT FOLDER") };
    let bucket = Bucket::new(40, PART_BYTES);
    let endpoint = bucket.serve().await?;
    let (program, component, folder, session) = (program.clone(), component.clone(), folder.clone(), bucket.session());
    tokio::task::spawn_blocking(move || compare(&program, &component, Path::new(&folder), &endpoint, &session)).await?
}

fn compare(program: &str, component: &str, folder: &Path, endpoint: &str, session: &str) -> anyhow::Result<()> {
    let (part, segment) = (PART_BYTES, 4 * PART_BYTES);
    fs::write(folder.join("part.m4s"), vec![b'v'; part])?;
    fs::write(folder.join("segment.m4s"), vec![b'v'; segment])?;
    let host = Server::host(program, component, endpoint, folder, &[])?;
    let nginx = Server::nginx(folder, 0)?;
    for (what, bytes, own, file) in [
        ("part", part, format!("{session}/source/8.1.m4s"), "/part.m4s"),
        ("segment", segment, format!("{session}/source/7.m4s"), "/segment.m4s"),
    ] {
        // A gap is answered as well, with a hundred bytes.
        let lens = [host.until_ok(&own)?, nginx.until_ok(file)?];
        anyhow::ensure!(lens == [Some(bytes); 2], "{own} and {file} have {lens:?} bytes, and not {bytes}");
        for http in [Http::One, Http::Two] {
            let rate = |load: Load| load.requests as f64 * bytes as f64 / load.cpu_seconds / 1e6;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(rate(host.load(http, &own, SECONDS)?));
                theirs.push(rate(nginx.load(http, file, SECONDS)?));
            }
            let ratio = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect());
            println!(
                "{what} of {bytes} bytes, HTTP {http:?}: host {:.0} MB, nginx {:.0} MB per second of CPU: {ratio:.2} of nginx",
                median(ours),
                median(theirs)
            );
        }
    }
    Ok(())
}
