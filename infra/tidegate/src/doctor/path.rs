//! The whole path with a stream of our own: an encoder pushes to a worker, the worker writes to the bucket, an edge answers from it, and a viewer
//! follows. What was written goes again.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tidegate_host::Host;
use tidegate_ingest_worker::{
    Config as WorkerConfig, StreamMetrics, Worker,
    store::{Bucket as _, Condition, Listing as _, Store},
};
use tidegate_stream::{Key, KeyHash, MetaKey, Sessions, StreamId, token_prefix};
use tidegate_token::{Key as PlaybackKey, Keys};
use tidegate_validate::{Report, Severity};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{edge, finding::Finding};
use crate::{
    demo, place, stream, token,
    up::bucket::{Bucket, random_hex},
    validate::{self, client::Client},
};

/// From the first frame to a playlist: a segment, the start of the encoders, and a machine that is busy.
const FIRST: Duration = Duration::from_secs(30);
/// From the end of the publish to its word in the playlist.
const END: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long each part of it may take to stop.
const STOP: Duration = Duration::from_secs(15);
/// The doctor's token outlives its stream, and nothing else.
const TOKEN_S: u64 = 600;
/// What a stream of a minute leaves in the bucket is far less.
const LEFT_MAX: usize = 2000;
/// Rules of `tidegate validate` that say how fast this machine is.
const OF_THE_MACHINE: [&str; 6] = ["LIVE-LATE", "LL-PART-LATE", "LL-LAST-PART-LATE", "LL-DRIBBLE", "LL-RTT", "ALIGN-STEP"];

const SEE_LOG: &str = "run `tidegate up --log info` with the same --store, and look at what it says";

/// Streams for so many seconds through `bucket`; where it was started for this (`ours`), playback keys may be made in it.
pub(crate) async fn examine(bucket: &Bucket, ours: bool, seconds: u64) -> Vec<Finding> {
    let (Ok(ffmpeg), Ok(component)) = (place::ffmpeg(), place::is_built()) else {
        return vec![Finding::skipped("path", "it takes ffmpeg and the component, of which one is missing: see above")];
    };
    let mut findings = Vec::new();
    let probe = match Probe::new() {
        Ok(probe) => probe,
        Err(error) => return vec![Finding::failed("path", format!("{error:#}"), SEE_LOG)],
    };
    if let Err(error) = probe.run(bucket, ours, seconds, &ffmpeg, component, &mut findings).await {
        findings.push(Finding::failed("path", format!("{error:#}"), SEE_LOG));
    }
    findings.push(probe.clean(&bucket.store).await);
    findings
}

/// A stream that nobody else has, and the key that publishes it.
struct Probe {
    stream: StreamId,
    stream_key: String,
}

/// What runs meanwhile.
struct Running {
    edge: String,
    metrics: Arc<StreamMetrics>,
    stop_source: CancellationToken,
    stop_worker: CancellationToken,
    stop_host: CancellationToken,
    source: JoinHandle<anyhow::Result<()>>,
    worker: JoinHandle<()>,
    host: JoinHandle<()>,
}

impl Probe {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { stream: StreamId::parse(&format!("tidegate-doctor-{}", random_hex(4)?))?, stream_key: stream::new_key()? })
    }

    async fn run(
        &self,
        bucket: &Bucket,
        ours: bool,
        seconds: u64,
        ffmpeg: &Path,
        component: PathBuf,
        findings: &mut Vec<Finding>,
    ) -> anyhow::Result<()> {
        let token = self.sign(&bucket.store, ours, findings).await?;
        let running = self.start(bucket, ffmpeg, component).await?;
        let watched = self.watch(&running, token.as_deref(), seconds, findings).await;
        running.stop().await;
        watched
    }

    /// Where there are playback keys the stream is a signed one, so that they are tried as well; says the token that opens it.
    async fn sign(&self, store: &Store, ours: bool, findings: &mut Vec<Finding>) -> anyhow::Result<Option<String>> {
        let key: Key = MetaKey::PlaybackKeys.into();
        let keys = match store.get(&key).await.context("the playback keys cannot be read")? {
            Some(object) => match serde_json::from_slice::<Keys>(&object.bytes) {
                Ok(keys) => keys,
                Err(error) => {
                    let advice = "put the document right, or take it away and make keys anew: tidegate token key";
                    findings.push(Finding::failed("path.token", format!("{key} does not read: {error}"), advice));
                    return Ok(None);
                }
            },
            None if ours => {
                let keys = Keys::new(vec![PlaybackKey::parse("doctor", &random_hex(16)?)?])?;
                store.put(&key, serde_json::to_vec(&keys)?.into(), Condition::Absent).await?;
                keys
            }
            None => Keys::default(),
        };
        let Some(first) = keys.first() else {
            findings
                .push(Finding::skipped("path.token", "there are no playback keys: `tidegate token key` makes one, signed streams need it"));
            return Ok(None);
        };
        let signed = br#"{"playback":{"access":"signed"}}"#.as_slice();
        store.put(&MetaKey::Stream { stream: self.stream.clone() }.into(), signed.into(), Condition::Absent).await?;
        Ok(Some(token::for_stream(&self.stream, &keys, first, TOKEN_S)?))
    }

    async fn start(&self, bucket: &Bucket, ffmpeg: &Path, component: PathBuf) -> anyhow::Result<Running> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        stream::admit(&bucket.store, &self.stream, &self.stream_key).await?;
        let mut config = WorkerConfig { ffmpeg: ffmpeg.to_owned(), ..WorkerConfig::default() };
        (config.rtmp.listen, config.metrics.listen) = (anywhere, None);
        let worker = Worker::bind(config, bucket.store.clone()).await?;
        let host = Host::bind(tidegate_host::Config {
            cache_dir: Some(place::cache()?.join("components")),
            ..tidegate_host::Config::new(anywhere, bucket.upstream.clone(), component)
        })
        .await?;
        let (stop_source, stop_worker, stop_host) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let (edge, metrics) = (format!("http://{}", host.addr()), worker.metrics().stream(&self.stream));
        let (program, address, stop) =
            (ffmpeg.to_owned(), format!("rtmp://{}/live/{}", worker.rtmp_addr(), self.stream_key), stop_source.clone());
        Ok(Running {
            edge,
            metrics,
            worker: tokio::spawn(worker.run(stop_worker.clone())),
            host: tokio::spawn(host.run(stop_host.clone())),
            source: tokio::spawn(async move { demo::push(&program, &address, stop).await }),
            stop_source,
            stop_worker,
            stop_host,
        })
    }

    async fn watch(&self, running: &Running, token: Option<&str>, seconds: u64, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
        let Running { edge, .. } = running;
        let client = Client::new(false)?;
        let bare = format!("{edge}/live/{}/index.m3u8", self.stream);
        let url = format!("{edge}{}/live/{}/index.m3u8", token.map(token_prefix).unwrap_or_default(), self.stream);
        let begun = Instant::now();
        until(&client, &url, FIRST, |text| text.contains("#EXT-X-STREAM-INF")).await.context("no playlist came")?;
        let seen = format!("an encoder came in with its key, and {:.1} s later the edge had a playlist", begun.elapsed().as_secs_f64());
        findings.push(Finding::fine("path.publish", seen));
        if token.is_some() {
            let without = edge::get(&client, &bare).await.map(|answer| answer.status);
            findings.push(judge_token(without.ok()));
        }
        let report = validate::follow(url.clone(), seconds, false, false).await?;
        let dropped = running.metrics.rungs_dropped.load(Relaxed);
        findings.push(judge_report(&report, seconds, token.is_some()));
        findings.push(judge_encoders(dropped, running.metrics.late_parts.load(Relaxed)));
        running.stop_source.cancel();
        let Some(media) = report.renditions.first().map(|rendition| rendition.url.clone()) else {
            bail!("the playlist names no rendition")
        };
        until(&client, &media, END, |text| text.contains("#EXT-X-ENDLIST")).await.context("the end of the stream was not seen")?;
        findings.push(Finding::fine("path.end", "the publish ended, and its playlist is a recording"));
        Ok(())
    }

    /// Takes away what the stream has left; events of it stay, since others are numbered after them.
    async fn clean(&self, store: &Store) -> Finding {
        let check = "path.clean";
        let folder = || format!("live/{}/", self.stream);
        let advice = || format!("delete what is below {}, or let `live_days` of the bucket do it", folder());
        match self.remove(store).await {
            Ok(0) => Finding::fine(check, "the stream left nothing behind"),
            Ok(gone) => Finding::fine(check, format!("{gone} objects of {} were deleted again", self.stream)),
            Err(error) => {
                Finding::warned(check, format!("what the stream {} wrote could not be deleted: {error:#}", self.stream), advice())
            }
        }
    }

    async fn remove(&self, store: &Store) -> anyhow::Result<usize> {
        let stream = &self.stream;
        let listed: Key = MetaKey::Sessions { stream: stream.clone() }.into();
        let sessions = store.get(&listed).await?.map(|object| Sessions::parse(&object.bytes)).unwrap_or_default();
        // Viewers are sent to a session by these: they go first.
        let mut keys = vec![
            Key::Current { stream: stream.clone() },
            Key::StaticMultivariant { stream: stream.clone() },
            MetaKey::StreamKey { hash: KeyHash::of(&self.stream_key) }.into(),
            MetaKey::Stream { stream: stream.clone() }.into(),
            listed,
        ];
        for session in sessions.all() {
            keys.push(MetaKey::Session { stream: stream.clone(), session: session.clone() }.into());
            let below = store.list(&Key::session_folder(stream, session), LEFT_MAX).await?;
            keys.extend(below.into_iter().map(|(key, _)| key));
        }
        store.delete(&keys).await?;
        Ok(keys.len())
    }
}

impl Running {
    /// In the order in which one hands to the next.
    async fn stop(mut self) {
        self.stop_source.cancel();
        if timeout(STOP, &mut self.source).await.is_err() {
            self.source.abort();
        }
        self.stop_worker.cancel();
        let _ = timeout(STOP, &mut self.worker).await;
        self.stop_host.cancel();
        let _ = timeout(STOP, &mut self.host).await;
    }
}

/// Asks until the answer is what is wanted.
async fn until(client: &Client, url: &str, within: Duration, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let seen = match edge::get(client, url).await {
            Ok(answer) if answer.status == 200 && wanted(&String::from_utf8_lossy(&answer.body)) => return Ok(()),
            Ok(answer) => {
                format!("the edge answers {}: {}", answer.status, String::from_utf8_lossy(&answer.body).lines().last().unwrap_or(""))
            }
            Err(failure) => format!("{failure:?}"),
        };
        if begun.elapsed() > within {
            bail!("not within {} s; {seen}", within.as_secs());
        }
        sleep(LOOK_EVERY).await;
    }
}

fn judge_token(without: Option<u16>) -> Finding {
    let check = "path.token";
    match without {
        Some(401) => Finding::fine(check, "a signed stream opens with a token of the newest playback key, and is 401 without"),
        Some(status) => Finding::failed(
            check,
            format!("a signed stream is answered {status} without a token, not 401"),
            "let nobody watch signed streams here: report this with the version of host and component",
        ),
        None => Finding::warned(check, "the edge did not answer a request without a token", SEE_LOG),
    }
}

fn judge_report(report: &Report, seconds: u64, signed: bool) -> Finding {
    let check = "path.watch";
    if let Some(why) = &report.fatal {
        return Finding::failed(check, format!("the stream could not be followed: {why}"), SEE_LOG);
    }
    let counts = report.counts;
    let seen = format!(
        "{seconds} s followed in {} playlists: {} parts, {} segments, {} reloads that were held, {:.1} MB",
        report.renditions.len(),
        counts.parts,
        counts.segments,
        counts.blocking,
        counts.media_bytes as f64 / 1e6
    );
    let of_the_machine = |rule: &str| OF_THE_MACHINE.contains(&rule);
    // What a token opens is kept by nobody but its viewer.
    let meant = |rule: &str| signed && rule == "LL-CACHE";
    let said = report.findings.iter().filter(|finding| finding.rule.level.severity() != Severity::Note && !meant(finding.rule.id));
    let (slow, broken): (Vec<_>, Vec<_>) = said.partition(|finding| of_the_machine(finding.rule.id));
    let named = |findings: &[&tidegate_validate::Finding]| {
        let mut names: Vec<_> = findings.iter().map(|finding| format!("{} ({})", finding.rule.id, finding.seen)).collect();
        names.dedup();
        names.join("; ")
    };
    if broken.iter().any(|finding| finding.rule.level.severity() == Severity::Error) || counts.parts == 0 || counts.segments == 0 {
        return Finding::failed(check, format!("{seen}; broken: {}", named(&broken)), "tidegate validate --list explains each rule");
    }
    if !broken.is_empty() {
        return Finding::warned(check, format!("{seen}; {}", named(&broken)), "tidegate validate --list explains each rule");
    }
    if !slow.is_empty() {
        let mut names: Vec<_> = slow.iter().map(|finding| finding.rule.id).collect();
        names.dedup();
        return Finding::warned(
            check,
            format!("{seen}; late: {}", names.join(", ")),
            "this machine or the store is slow: see store.latency",
        );
    }
    Finding::fine(check, format!("{seen}; no rule of HLS is broken"))
}

fn judge_encoders(dropped: u64, late: u64) -> Finding {
    let check = "path.encoders";
    if dropped > 0 {
        return Finding::warned(
            check,
            format!("rungs were left out {dropped} times: the encoders are slower than the picture"),
            "fewer rungs, a faster `transcode.preset`, or a machine with more cores",
        );
    }
    if late > 0 {
        return Finding::warned(
            check,
            format!("{late} parts of rungs came late"),
            "nothing, if other programs took this machine meanwhile",
        );
    }
    Finding::fine(check, "the default ladder was encoded as fast as the picture came")
}

#[cfg(test)]
mod tests {
    use tidegate_validate::Mode;

    use super::*;
    use crate::doctor::finding::Outcome;

    fn report(rules: &[&str]) -> Report {
        let finding = |id: &&str| tidegate_validate::Finding {
            rule: tidegate_validate::rule(id).unwrap(),
            url: String::new(),
            line: 0,
            seen: "seen".into(),
            at_us: 0,
            count: 1,
        };
        let mut report = Report {
            url: String::new(),
            mode: Mode::LowLatency,
            fatal: None,
            renditions: Vec::new(),
            counts: Default::default(),
            findings: rules.iter().map(finding).collect(),
        };
        (report.counts.parts, report.counts.segments) = (40, 10);
        report
    }

    #[test]
    fn what_breaks_a_rule_fails_and_what_is_slow_is_said() {
        let outcome = |rules: &[&str]| judge_report(&report(rules), 20, false).outcome;
        assert_eq!(outcome(&[]), Outcome::Fine);
        assert_eq!(outcome(&["LL-PART-LATE"]), Outcome::Warned);
        assert_eq!(outcome(&["LL-PART-LATE", "MEDIA-TARGET"]), Outcome::Failed);
        assert_eq!(outcome(&["LL-CACHE"]), Outcome::Warned);
        assert_eq!(judge_report(&report(&["LL-CACHE"]), 20, true).outcome, Outcome::Fine, "what a token opens is private");
        let nothing = Report { counts: Default::default(), ..report(&[]) };
        assert_eq!(judge_report(&nothing, 20, false).outcome, Outcome::Failed, "a stream without a part is none");
        let dead = Report { fatal: Some("no answer".into()), ..report(&[]) };
        assert_eq!(judge_report(&dead, 20, false).outcome, Outcome::Failed);
    }

    #[test]
    fn a_signed_stream_that_opens_for_all_fails() {
        assert_eq!(judge_token(Some(401)).outcome, Outcome::Fine);
        assert_eq!(judge_token(Some(200)).outcome, Outcome::Failed);
        assert_eq!(judge_encoders(1, 0).outcome, Outcome::Warned);
        assert_eq!(judge_encoders(0, 0).outcome, Outcome::Fine);
    }
}
