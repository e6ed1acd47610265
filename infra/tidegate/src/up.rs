//! `tidegate up`: the whole platform in one process.

mod admin;
pub(crate) mod bucket;
mod ports;
mod report;
mod signals;
mod watch;

use std::{
    future::pending,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use tidegate_host::{Host, Tls};
use tidegate_ingest_worker::{Config as WorkerConfig, Pull, Worker, compact, report as report_inputs};
use tidegate_metadata::Schedule;
use tidegate_stream::StreamId;
use tokio::{
    task::{JoinError, JoinHandle},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{LadderChoice, Store, UpOptions},
    demo, place, stream, webhooks,
};
use bucket::{Bucket, keep};
use report::Report;

/// The stream of the demo and of `--source`.
const DEMO: &str = "demo";
/// The stream that OBS is offered.
const STUDIO: &str = "studio";
/// The last records of a session are stored within this; a store that is gone does not hold the end up for longer.
const WORKER_END: Duration = Duration::from_secs(15);
/// The demo's last frames are sent within this.
const SOURCE_END: Duration = Duration::from_secs(6);
/// Viewers that wait for the end of the stream have their answer within this.
const HOST_END: Duration = Duration::from_secs(5);

/// What is shown.
enum Show {
    Demo,
    Pull(Pull),
    Nothing,
}

/// Starts everything in order, waits for the end, and stops everything in the opposite order.
pub(crate) async fn run(options: UpOptions) -> anyhow::Result<()> {
    if options.check {
        return tidegate_host::ask_health(options.listen, options.tls).context("the platform does not answer");
    }
    log(&options.log)?;
    let stop = signals::until_stopped(options.seconds.map(Duration::from_secs))?;
    ports::check(options.listen, "the watch page", "--listen")?;
    ports::check(options.rtmp, "RTMP", "--rtmp")?;
    if let Some(metrics) = options.metrics {
        ports::check(metrics, "the worker's figures", "--metrics")?;
    }
    if !matches!(options.store, Store::S3 { .. }) {
        ports::check(options.store_listen, "the store", "--store-listen")?;
    }
    let show = show(&options)?;
    let ffmpeg = place::ffmpeg()?;
    let web = tokio::task::spawn_blocking(place::web).await??;
    let data = options.data.clone().map_or_else(place::data, Ok)?;

    let bucket = Bucket::open(&options.store, options.store_listen, &data).await?;
    let end = serve(&options, show, ffmpeg, web, &data, &bucket, stop).await;
    bucket.close().await;
    end
}

async fn serve(
    options: &UpOptions,
    show: Show,
    ffmpeg: PathBuf,
    web: place::Web,
    data: &Path,
    bucket: &Bucket,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (demo, studio) = (StreamId::parse(DEMO)?, StreamId::parse(STUDIO)?);
    let studio_key = keep(&data.join("keys").join(STUDIO), stream::new_key)?;
    stream::admit(&bucket.store, &studio, &studio_key).await?;
    stream::ensure(&bucket.store, &studio, "Studio").await?;
    if !matches!(show, Show::Nothing) {
        stream::ensure(&bucket.store, &demo, "Demo").await?;
    }
    let admin = admin::admin(&bucket.store, data).await?;
    let streams = if matches!(show, Show::Nothing) { vec![studio] } else { vec![demo.clone(), studio] };

    let worker = Worker::bind(worker_config(options, &ffmpeg), bucket.store.clone()).await?;
    let rtmp = format!("rtmp://{}/live", worker.rtmp_addr());
    let host = Host::bind(tidegate_host::Config {
        cache_dir: Some(place::cache()?.join("components")),
        tls: options.tls.then(|| Tls::SelfMade { folder: data.join("tls") }),
        statics: watch::statics(&web.player, &streams, &rtmp)?,
        geo: options.geo.clone(),
        name: "local".into(),
        ..tidegate_host::Config::new(options.listen, bucket.upstream.clone(), web.component)
    })
    .await?;
    let edge = format!("{}://{}", if options.tls { "https" } else { "http" }, host.addr());
    let report = Report::new(&edge, bucket.public.as_deref(), &rtmp, &studio_key, &streams, admin);
    let metrics: Vec<_> = streams.iter().map(|stream| (stream.clone(), worker.metrics().stream(stream))).collect();

    let pushes = matches!(show, Show::Demo);
    let (stop_source, stop_worker, stop_host) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let mut source: JoinHandle<anyhow::Result<()>> = match show {
        Show::Demo => {
            // A key for this run alone: nobody else pushes the demo.
            let key = stream::new_key()?;
            stream::admit(&bucket.store, &demo, &key).await?;
            let (address, stop) = (format!("{rtmp}/{key}"), stop_source.clone());
            tokio::spawn(async move { demo::push(&ffmpeg, &address, stop).await })
        }
        Show::Pull(pull) => {
            worker.pull(demo, pull).await?;
            tokio::spawn(pending())
        }
        Show::Nothing => tokio::spawn(pending()),
    };
    // `infra/build` beside a running platform is enough to try a change of the functions.
    tokio::spawn(host.reload().watch(stop_host.clone()));
    let mut host = tokio::spawn(host.run(stop_host.clone()));
    let reporting = tokio::spawn(report_inputs(worker.metrics(), bucket.store.clone(), stop_worker.clone()));
    let audience = worker.metrics();
    let mut worker = tokio::spawn(worker.run(stop_worker.clone()));
    let webhooks =
        webhooks::deliver(bucket.store.clone(), webhooks::outside(&options.webhook_private), Schedule::default(), webhooks::now_utc_ms);
    let webhooks = tokio::spawn(webhooks);
    let compacting = tokio::spawn(compact(bucket.store.clone(), audience, stop_host.clone()));
    report.print();
    let status = tokio::spawn(report::status(metrics));

    let failure = tokio::select! {
        () = stop.cancelled() => None,
        ended = &mut source => Some(match ended {
            Ok(Ok(())) => anyhow!("the demo has ended by itself"),
            Ok(Err(error)) => error,
            Err(panic) => panic.into(),
        }),
        ended = &mut worker => Some(failed("the worker", ended)),
        ended = &mut host => Some(failed("the edge", ended)),
    };

    status.abort();
    webhooks.abort();
    report::stopping();
    // The publisher first, so that its session ends as any other does; then who wrote, then who read.
    stop_source.cancel();
    if pushes && !source.is_finished() {
        let _ = timeout(SOURCE_END, &mut source).await;
    }
    stop_worker.cancel();
    if !worker.is_finished() && timeout(WORKER_END, &mut worker).await.is_err() {
        bail!("the store did not take the end of the stream within {} s", WORKER_END.as_secs());
    }
    stop_host.cancel();
    if !host.is_finished() {
        let _ = timeout(HOST_END, &mut host).await;
    }
    let _ = timeout(HOST_END, async { (reporting.await, compacting.await) }).await;
    failure.map_or(Ok(()), Err)
}

fn worker_config(options: &UpOptions, ffmpeg: &Path) -> WorkerConfig {
    let mut config = WorkerConfig { ffmpeg: ffmpeg.to_owned(), ..WorkerConfig::default() };
    config.rtmp.listen = options.rtmp;
    // Nobody collects figures from a laptop unless they say so, and the usual port may be taken.
    config.metrics.listen = options.metrics;
    config.package.part_ms = options.part_ms;
    if options.ladder == LadderChoice::None {
        config.ladder.clear();
    }
    config
}

fn show(options: &UpOptions) -> anyhow::Result<Show> {
    Ok(match &options.source {
        Some(source) => Show::Pull(source.parse()?),
        None if options.no_demo => Show::Nothing,
        None => Show::Demo,
    })
}

fn failed(what: &str, ended: Result<(), JoinError>) -> anyhow::Error {
    match ended {
        Ok(()) => anyhow!("{what} has ended by itself"),
        Err(panic) => anyhow!("{what} has failed: {panic}"),
    }
}

fn log(filter: &str) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(filter).with_context(|| format!("`{filter}` is no log filter: use warn, info, debug, or target=level"))?;
    // A second call in one process (a test) keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    Ok(())
}
