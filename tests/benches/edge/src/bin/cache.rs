//! Memory of a host that has seen more media than it may keep: a live stream of parts of many sizes, one viewer.
//!
//! `cache HOST COMPONENT FOLDER [PARTS]`
use std::{env, process::Stdio, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tidegate_edge_bench::{bucket::Bucket, process::resident_bytes};
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
};

/// 0.5 s at 3 Mbit/s.
const PART_BYTES: usize = 190_000;
/// What the host keeps of objects unless it is told otherwise (`Limits::objects`).
const BUDGET_MIB: f64 = 256.0;
const MIB: f64 = (1 << 20) as f64;
const SAYS_EACH: u64 = 500;

type Http = Client<HttpConnector, Empty<Bytes>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, program, component, folder, rest @ ..] = args.as_slice() else { anyhow::bail!("cache HOST COMPONENT FOLDER [PARTS]") };
    let parts: u64 = rest.first().map_or(Ok(4000), |text| text.parse())?;
    let bucket = Bucket::varied(4, PART_BYTES);
    let endpoint = bucket.serve().await?;
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
    let mut command = Command::new(program);
    command.args(["--listen", &address, "--endpoint", &endpoint, "--component", component, "--log", "warn", "--cache", folder]);
    let host = command.stdin(Stdio::null()).kill_on_drop(true).spawn()?;
    let pid = host.id().context("the host runs")?;
    while TcpStream::connect(&address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let live = format!("http://{address}{}", bucket.session());
    get(&http, format!("{live}/source.m3u8")).await?;
    let before = resident_bytes(pid)? as f64 / MIB;
    println!("{before:.0} MiB to begin with");
    let mut media = 0;
    for part in 1..=parts {
        let (msn, index) = bucket.part_after(0);
        let list = tokio::spawn(get(&http, format!("{live}/source.m3u8?_HLS_msn={msn}&_HLS_part={index}&_HLS_skip=YES")));
        bucket.next();
        list.await??;
        let pieces = ["source", "audio"].map(|id| tokio::spawn(get(&http, format!("{live}/{id}/{msn}.{index}.m4s"))));
        for piece in pieces {
            media += piece.await??;
        }
        if part % SAYS_EACH == 0 {
            println!("{part} parts, {:.0} MiB of media: {:.0} MiB resident", media as f64 / MIB, resident_bytes(pid)? as f64 / MIB);
        }
    }
    let grown = resident_bytes(pid)? as f64 / MIB - before;
    println!("{grown:.0} MiB more: {:.2} of what its objects may weigh", grown / BUDGET_MIB);
    Ok(())
}

/// Asks for an address, until it is there; how many bytes that has.
fn get(http: &Http, address: String) -> impl Future<Output = anyhow::Result<u64>> + Send + 'static {
    let http = http.clone();
    async move {
        let response = http.get(address.parse()?).await?;
        anyhow::ensure!(response.status().is_success(), "{address}: {}", response.status());
        Ok(response.into_body().collect().await?.to_bytes().len() as u64)
    }
}
