//! `tidegate doctor`: whether this machine and this bucket can carry live streams, and what to do where they cannot.

mod bucket;
mod edge;
mod finding;
mod machine;
mod path;
mod s3;
mod tokens;

use anyhow::bail;
use tidegate_stream::SessionId;

use self::finding::{Finding, Report};
use crate::{
    cli::{self, DoctorOptions},
    up::bucket::{Bucket, random_hex},
};

pub(crate) async fn run(options: DoctorOptions) -> anyhow::Result<()> {
    let mut report = Report::new(options.json);
    for finding in machine::examine(options.listen, options.rtmp).await {
        report.add(finding);
    }
    match &options.store {
        Some(store) => examine_store(store, options.seconds, &mut report).await?,
        None => report.add(Finding::skipped("store", "no bucket was named: add --store s3://NAME, minio or embedded")),
    }
    for finding in edge::examine(&options.watch).await? {
        report.add(finding);
    }
    report.end();
    match report.failed() {
        0 => Ok(()),
        1 => bail!("one check failed: see above what to do"),
        failed => bail!("{failed} checks failed: see above what to do"),
    }
}

async fn examine_store(store: &cli::Store, seconds: u64, report: &mut Report) -> anyhow::Result<()> {
    // A store that is started for this lies in a folder of its own, which goes with it.
    let folder = std::env::temp_dir().join(format!("tidegate-doctor-{}", random_hex(8)?));
    let opened = Bucket::open(store, std::net::SocketAddr::from(([127, 0, 0, 1], 0)), &folder).await;
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            report.add(Finding::failed("store", format!("{error:#}"), "correct what the sentence names, and run the doctor again"));
            return Ok(());
        }
    };
    let random = u64::from_str_radix(&random_hex(8)?, 16)?;
    let probe = bucket::Probe::new(SessionId::new(finding::now_ms(), random));
    for finding in bucket::examine(&opened.store, &probe).await {
        report.add(finding);
    }
    for finding in s3::examine(&opened.store, &probe).await {
        report.add(finding);
    }
    bucket::clean(&opened.store, &probe).await;
    for finding in tokens::examine(&opened.store, finding::now_ms()).await {
        report.add(finding);
    }
    // A store that would lose parts is not streamed to.
    if report.failed_in("store.") {
        report.add(Finding::skipped("path", "nothing is streamed to a store that failed"));
    } else if seconds == 0 {
        report.add(Finding::skipped("path", "no stream was tried (--seconds 0)"));
    } else {
        let ours = !matches!(store, cli::Store::S3 { .. });
        for finding in path::examine(&opened, ours, seconds).await {
            report.add(finding);
        }
    }
    opened.close().await;
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
