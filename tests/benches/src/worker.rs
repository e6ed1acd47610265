use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::{Scope, sleep},
    time::{Duration, Instant},
};

use tidegate_rig::{
    Child,
    http::Client,
    process,
    publisher::{Publisher, Style, Tag, TagKind},
};

use crate::{Clip, Up, free_port, program};

/// A worker in a process of its own that writes into the store of an [`Up`], and the keys of its streams.
pub struct Worker {
    child: Child,
    rtmp: SocketAddr,
    metrics: SocketAddr,
    keys: Vec<String>,
}

/// A look at a worker. Bytes; what is counted is so over all of its streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub resident: u64,
    pub handles: usize,
    pub late_parts: u64,
    pub parts: u64,
    /// What is not in the store yet.
    pub waiting: u64,
}

impl Worker {
    /// Starts a worker for so many streams; `config` are the first lines of its configuration.
    pub fn start(up: &Up, streams: usize, config: &str) -> Self {
        let (rtmp, metrics) = (free_port(), free_port());
        let file = up.data.join(format!("worker-{}.toml", rtmp.port()));
        let text = format!(
            "{config}[rtmp]\nlisten = \"{rtmp}\"\n[metrics]\nlisten = \"{metrics}\"\n[store]\nendpoint = \"http://{}\"\n",
            up.store
        );
        fs::write(&file, text).unwrap();
        let secret = fs::read_to_string(up.data.join("secret")).unwrap();
        let command = || {
            let mut command = Command::new(program("tidegate-ingest-worker"));
            command.arg("--config").arg(&file).envs([("AWS_ACCESS_KEY_ID", "tidegate"), ("AWS_SECRET_ACCESS_KEY", secret.trim())]);
            command.env("TIDEGATE_LOG", "warn").stdin(Stdio::null());
            command
        };
        let key = |at: usize| {
            let output = command().args(["--create-key", &format!("bench{}-{at}", rtmp.port())]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let keys = (0..streams).map(key).collect();
        Self { child: Child::start(command()).unwrap(), rtmp, metrics, keys }
    }

    /// Pushes a clip over and over to each of its streams, at the clip's own pace.
    pub fn push<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, clip: &'scope Clip, stop: &'scope AtomicBool) {
        for key in &self.keys {
            scope.spawn(move || push(self.rtmp, key, clip, stop));
        }
    }

    /// What it is like at this moment.
    pub fn look(&self) -> Look {
        let pid = self.child.pid;
        // A worker that is gone has no growth either.
        let text = Client::new(self.metrics).get("/metrics").expect("the worker says how it is").text();
        let sum = |name: &str| -> u64 {
            let start = format!("tidegate_ingest_{name}{{");
            text.lines().filter(|line| line.starts_with(&start)).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        let handles = fs::read_dir(format!("/proc/{pid}/fd")).expect("the worker runs").count();
        let waiting = sum("waiting_bytes") + sum("spooled_bytes");
        Look { resident: process::resident(pid), handles, late_parts: sum("late_parts_total"), parts: sum("parts_total"), waiting }
    }
}

fn push(rtmp: SocketAddr, key: &str, clip: &Clip, stop: &AtomicBool) {
    let length_ms = u64::from(clip.tags.last().map_or(0, |tag| tag.timestamp_ms)) + 33;
    let is_config = |tag: &Tag| tag.kind == TagKind::Script || tag.body.get(1) == Some(&0);
    while !stop.load(Relaxed) {
        let Ok(mut publisher) = Publisher::connect(rtmp, key, Style::default()) else {
            sleep(Duration::from_millis(200));
            continue;
        };
        for tag in clip.tags.iter().filter(|tag| is_config(tag)) {
            let _ = publisher.send(&Tag { timestamp_ms: 0, ..tag.clone() });
        }
        let began = Instant::now();
        'rounds: for round in 0u64.. {
            for tag in clip.tags.iter().filter(|tag| !is_config(tag)) {
                let at_ms = round * length_ms + u64::from(tag.timestamp_ms);
                sleep((began + Duration::from_millis(at_ms)).saturating_duration_since(Instant::now()));
                if stop.load(Relaxed) || publisher.send(&Tag { timestamp_ms: at_ms as u32, ..tag.clone() }).is_err() {
                    break 'rounds;
                }
            }
        }
    }
}
