#![allow(clippy::disallowed_methods, reason = "a program: it reads its environment and its configuration file")]
//! The ingest worker as a program of its own.

mod allocator;

use std::{env, fs, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::Parser;
use tidegate_ingest_worker::{
    Config, MirrorConfig, Passphrase, Pull, SrtPort, Worker, ask_health, compact, create_stream_key, report, store::Store,
};
use tidegate_stream::StreamId;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Accepts live sources over RTMP and writes them to a bucket.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// A TOML file; `config.toml` of this crate has every key with its default
    #[arg(long, env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen for RTMP
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The bucket
    #[arg(long)]
    bucket: Option<String>,
    /// Where the S3 API is, where that is not AWS
    #[arg(long)]
    endpoint: Option<String>,
    /// Pull this input, as STREAM=FILE or STREAM=ADDRESS; may be given again
    #[arg(long, value_name = "STREAM=INPUT")]
    pull: Vec<String>,
    /// Listen for the encoder of a stream that calls over SRT, as STREAM=ADDRESS:PORT; may be given again
    #[arg(long, value_name = "STREAM=ADDRESS", env = "TIDEGATE_SRT", value_delimiter = ',')]
    srt: Vec<SrtPort>,
    /// What those encoders have to know, 10 to 79 characters; other programs of this machine's user see it among ffmpeg's arguments
    #[arg(long, env = "TIDEGATE_SRT_PASSPHRASE", hide_env_values = true)]
    srt_passphrase: Option<String>,
    /// Ask the worker that runs here whether it lives, and end: for health checks of containers
    #[arg(long)]
    check: bool,
    /// Make a stream key for this stream, print it, and end
    #[arg(long, value_name = "STREAM")]
    create_key: Option<StreamId>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence for the person who started it; never a backtrace.
            #[expect(clippy::print_stderr, reason = "why the program ends belongs on its terminal")]
            {
                eprintln!("{error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = configure(&options)?;
    if options.check {
        let listen = config.metrics.listen.context("`metrics.listen` is empty: there is nobody to ask")?;
        return ask_health(listen).context("the worker does not answer");
    }
    let store = Store::connect(config.store.clone().into()).await?;
    store.ensure_bucket().await?;
    if let Some(stream) = &options.create_key {
        let stream_key = create_stream_key(&store, stream).await?;
        #[expect(clippy::print_stdout, reason = "the key goes to whoever asked for it, never to the log")]
        {
            println!("{stream_key}");
        }
        return Ok(());
    }
    let mirror = match &config.mirror {
        MirrorConfig { bucket, .. } if bucket.is_empty() => None,
        // One that is away must keep nobody from beginning.
        mirror => Some(Store::connect(mirror.clone().into()).await.context("the second bucket")?),
    };
    let worker = Worker::bind_mirrored(config, store.clone(), mirror).await?;
    for input in &options.pull {
        let Some((stream, input)) = input.split_once('=') else { bail!("--pull {input}: give STREAM=INPUT, as demo=film.mp4") };
        let stream = StreamId::parse(stream).with_context(|| format!("--pull {stream}=…"))?;
        worker.pull(stream, input.parse::<Pull>()?).await?;
    }
    for port in options.srt {
        worker.srt(port, Passphrase::new(options.srt_passphrase.as_deref().unwrap_or_default())?).await?;
    }
    let shutdown = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    // Beside its streams: what viewers report has to be added up by somebody.
    let compacting = tokio::spawn(compact(store.clone(), worker.metrics(), shutdown.clone()));
    let reporting = tokio::spawn(report(worker.metrics(), store, shutdown.clone()));
    worker.run(shutdown).await;
    reporting.await.context("telling how inputs are doing has failed")?;
    compacting.await.context("adding up what viewers report has failed")?;
    Ok(())
}

fn configure(options: &Options) -> anyhow::Result<Config> {
    let text = match &options.config {
        Some(path) => fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
        None => String::new(),
    };
    let mut config = Config::load(&text, |name| env::var(name).ok())?;
    if let Some(listen) = options.listen {
        config.rtmp.listen = listen;
    }
    if let Some(bucket) = &options.bucket {
        config.store.bucket.clone_from(bucket);
    }
    if let Some(endpoint) = &options.endpoint {
        config.store.endpoint.clone_from(endpoint);
    }
    config.check()?;
    Ok(config)
}
