//! Parks viewers on the playlist with the next part, writes that part, and says how long each waited from then on.
//!
//! `park HOST COMPONENT [viewers over HTTP/1.1] [requests over HTTP/2]`
use std::{
    env,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tidegate_edge_bench::{bucket::Bucket, http2, process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Requests on one connection of HTTP/2; the host takes 128.
const STREAMS: usize = 125;
/// Connections that are being made at one time: the backlog of a listener is 1024.
const CONNECTING: usize = 256;

struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    process::open_many();
    let args: Vec<String> = env::args().collect();
    let [_, program, component, rest @ ..] = args.as_slice() else { anyhow::bail!("park HOST COMPONENT [HTTP/1.1] [HTTP/2]") };
    let count = |n: usize, usual: usize| rest.get(n).map_or(Ok(usual), |text| text.parse::<usize>());
    let (viewers, requests) = (count(0, 15_000)?, count(1, 50_000)?);

    let bucket = Bucket::new(40, 2_000);
    let endpoint = bucket.serve().await?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.args(["--listen", &address, "--endpoint", &endpoint, "--component", component, "--log", "warn"]);
    command.args(["--per-address", "200000", "--requests", "200000", "--connections", "19000"]);
    let host = Host(command.stdin(Stdio::null()).spawn()?);
    let pid = host.0.id();
    while TcpStream::connect(&address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Warm: the session is known, and one viewer has been through.
    let session = bucket.session();
    get(&address, &format!("{session}/source.m3u8")).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;

    for (name, http1, http2) in [("HTTP/1.1", viewers, 0), ("HTTP/2", 0, requests), ("both at once", viewers, requests)] {
        if http1 + http2 > 0 {
            wake(name, &bucket, &address, pid, http1, http2).await?;
        }
    }
    Ok(())
}

/// Parts between the newest and the one that is asked for: time to send all requests, while the session goes on.
const AHEAD: u32 = 6;
const PART: Duration = Duration::from_millis(500);

async fn wake(name: &str, bucket: &Bucket, address: &str, pid: u32, viewers: usize, requests: usize) -> anyhow::Result<()> {
    let before = process::resident_bytes(pid)?;
    let mut connections = Vec::new();
    for n in 0..viewers {
        let stream = TcpStream::connect(address).await.context("a viewer connects")?;
        stream.set_nodelay(true)?;
        connections.push(stream);
        if n % CONNECTING == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let mut streams = Vec::new();
    for first in (0..requests).step_by(STREAMS) {
        streams.push((http2::Connection::open(address).await?, STREAMS.min(requests - first)));
    }

    // The session goes on at its pace while the requests are sent.
    bucket.next();
    let start = Instant::now();
    let (msn, part) = bucket.part_after(AHEAD);
    let path = format!("{}/source.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES", bucket.session());
    let pace = {
        let bucket = bucket.clone();
        tokio::spawn(async move {
            for n in 1..=AHEAD {
                tokio::time::sleep_until((start + PART * n).into()).await;
                bucket.next();
            }
        })
    };
    let mut tasks = Vec::new();
    for mut stream in connections {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: edge\r\n\r\n").as_bytes()).await?;
        tasks.push(tokio::spawn(async move { answer(stream).await.map(|bytes| (vec![Instant::now()], bytes)) }));
    }
    for (mut connection, count) in streams {
        connection.ask(address, &path, count).await?;
        tasks.push(tokio::spawn(connection.answers()));
    }
    let sent = start.elapsed();
    pace.await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let open = metric(address, "requests_open").await?;
    ensure!(open > (viewers + requests) as u64, "only {open} requests are parked: the machine is too slow to send them in time");
    let each = (process::resident_bytes(pid)?.saturating_sub(before)) / (viewers + requests) as u64;
    let cpu = process::cpu_seconds(pid)?;
    bucket.next();
    let woken = Instant::now();
    let (mut times, mut bytes) = (Vec::new(), 0);
    for task in tasks {
        let (own, read) = task.await??;
        times.extend(own.into_iter().map(|at| at.saturating_duration_since(woken)));
        bytes += read;
    }
    let cpu = process::cpu_seconds(pid)? - cpu;
    ensure!(times.len() == viewers + requests, "{} of {} were answered", times.len(), viewers + requests);
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_millis();
    println!(
        "{name}: {} asked within {sent:.1?}, parked at {:.1} KiB each; woken p50 {} p99 {} max {} ms; {} bytes each; host {:.2} s of CPU ({:.1} us each)",
        times.len(),
        each as f64 / 1024.0,
        at(0.5),
        at(0.99),
        at(1.0),
        bytes / times.len() as u64,
        cpu,
        cpu * 1e6 / times.len() as f64,
    );
    Ok(())
}

/// Reads one answer; the bytes of its body.
async fn answer(mut stream: TcpStream) -> anyhow::Result<u64> {
    let mut buffer = Vec::with_capacity(8192);
    loop {
        ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection ended without an answer");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
        let len = text.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no content-length")?.parse::<usize>()?;
        while buffer.len() < head + 4 + len {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the answer broke off");
        }
        return Ok(len as u64);
    }
}

async fn get(address: &str, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    ensure!(all.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&all));
    Ok(all)
}

async fn metric(address: &str, name: &str) -> anyhow::Result<u64> {
    let page = get(address, "/metrics").await?;
    let page = String::from_utf8_lossy(&page);
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("tidegate_host_{name} "))).context("no such metric")?;
    Ok(line.parse()?)
}
