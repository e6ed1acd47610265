//! Real pushes by ffmpeg into a worker over a bucket in memory; what is in the bucket afterwards is read back.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test: it starts programs and reads the clock")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidegate_cmaf::{read_chunks, read_init};
use tidegate_ingest_worker::{
    Config, Pull, Worker, create_stream_key,
    store::{Bucket, Condition, Etag, Object, PutError, StoreError},
};
use tidegate_stream::{Current, Key, MetaKey, SegmentBundle, Session, SessionId, Snapshot, StreamId, Timeline};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinHandle};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Bucket for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let objects = self.0.lock().unwrap();
        Ok(objects.get(&key.to_string()).map(|bytes| Object { bytes: bytes.clone(), etag: etag(bytes), age: None }))
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Etag, PutError> {
        let mut objects = self.0.lock().unwrap();
        match (condition, objects.get(&key.to_string())) {
            (Condition::Absent, Some(_)) => return Err(PutError::Exists),
            (Condition::Match(wanted), there) if there.map(etag).as_ref() != Some(&wanted) => return Err(PutError::Changed),
            _ => {}
        }
        let etag = etag(&bytes);
        objects.insert(key.to_string(), bytes);
        Ok(etag)
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let mut objects = self.0.lock().unwrap();
        keys.iter().for_each(|key| drop(objects.remove(&key.to_string())));
        Ok(())
    }
}

fn etag(bytes: &Bytes) -> Etag {
    Etag(tidegate_stream::Hash::of(bytes).to_string())
}

struct Running {
    bucket: Memory,
    addr: SocketAddr,
    stream: StreamId,
    stream_key: String,
    metrics: Arc<tidegate_ingest_worker::StreamMetrics>,
    stop: CancellationToken,
    worker: Option<JoinHandle<()>>,
}

impl Running {
    async fn start(ladder: bool) -> Self {
        Self::configured(|config| {
            if !ladder {
                config.ladder.clear();
            }
        })
        .await
    }

    async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter("info").with_test_writer().try_init();
        let bucket = Memory::default();
        let stream = StreamId::parse("demo").unwrap();
        let stream_key = create_stream_key(&bucket, &stream).await.unwrap();
        let mut config = Config::default();
        config.rtmp.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.metrics.listen = None;
        change(&mut config);
        let worker = Worker::bind(config, bucket.clone()).await.unwrap();
        let addr = worker.rtmp_addr();
        let metrics = worker.metrics().stream(&stream);
        let stop = CancellationToken::new();
        let worker = Some(tokio::spawn(worker.run(stop.clone())));
        Self { bucket, addr, stream, stream_key, metrics, stop, worker }
    }

    fn url(&self) -> String {
        format!("rtmp://{}/live/{}", self.addr, self.stream_key)
    }

    /// What the owner says of the stream.
    fn document(&self, text: &'static str) {
        let key = Key::from(MetaKey::Stream { stream: self.stream.clone() });
        self.bucket.0.lock().unwrap().insert(key.to_string(), Bytes::from_static(text.as_bytes()));
    }

    fn session(&self) -> Option<SessionId> {
        let objects = self.bucket.0.lock().unwrap();
        let current = objects.get(&Key::Current { stream: self.stream.clone() }.to_string())?;
        Some(serde_json::from_slice::<Current>(current).unwrap().session)
    }

    /// Waits until the session in `current` has ended, and reads it back.
    async fn ended(&self) -> Recorded {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(recorded) = self.session().and_then(|session| self.recorded(&session))
                && recorded.timeline.ended()
            {
                return recorded;
            }
            assert!(Instant::now() < until, "the session does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn recorded(&self, session: &SessionId) -> Option<Recorded> {
        let objects = self.bucket.0.lock().unwrap().clone();
        let head = objects.get(&Key::Head { stream: self.stream.clone(), session: session.clone() }.to_string())?;
        let timeline = Snapshot::decode(head).unwrap().into_timeline(vec![]);
        Some(Recorded { objects, timeline })
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !condition(self) {
            assert!(Instant::now() < until, "{what} does not come");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn shut_down(&mut self) {
        self.stop.cancel();
        if let Some(worker) = self.worker.take() {
            tokio::time::timeout(Duration::from_secs(12), worker).await.unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Recorded {
    objects: BTreeMap<String, Bytes>,
    timeline: Timeline,
}

impl Recorded {
    fn session(&self) -> &Session {
        self.timeline.session()
    }

    fn names(&self) -> Vec<&str> {
        self.session().renditions.iter().map(|rendition| rendition.id.as_str()).collect()
    }

    /// For each rendition: its samples in all segments, and the segments without any.
    fn counts(&self) -> Vec<(usize, usize)> {
        let Session { stream, id: session, .. } = self.session();
        let mut counts = vec![(0, 0); self.session().renditions.len()];
        for segment in self.timeline.segments() {
            let key = Key::Segment { stream: stream.clone(), session: session.clone(), msn: segment.msn };
            let bundle = SegmentBundle::decode(&self.objects[&key.to_string()]).unwrap();
            for (place, (media, (samples, gaps))) in bundle.tracks.iter().zip(&mut counts).enumerate() {
                let Some(track) = self.timeline.track(segment, place).filter(|_| !media.is_empty()) else {
                    *gaps += 1;
                    continue;
                };
                let rendition = self.session().renditions[place].id.clone();
                let init = Key::Init { stream: stream.clone(), session: session.clone(), rendition, config: track.init };
                let init = read_init(&self.objects[&init.to_string()]).unwrap();
                *samples += read_chunks(media, init.defaults).map(|chunk| chunk.unwrap().samples.len()).sum::<usize>();
            }
        }
        counts
    }
}

fn ffmpeg() -> PathBuf {
    let installed = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/tidegate/tools/bin/ffmpeg"));
    let named = std::env::var_os("TIDEGATE_FFMPEG").map(PathBuf::from);
    named.or_else(installed).filter(|path| path.is_file()).unwrap_or_else(|| "ffmpeg".into())
}

/// Pushes at real pace; `inputs` and `codecs` are ffmpeg's.
fn push(inputs: &str, codecs: &str, url: &str) -> Child {
    let mut command = Command::new(ffmpeg());
    command.args("-hide_banner -loglevel error -nostdin".split(' ')).args(inputs.split(' ')).args(codecs.split(' '));
    command.args(["-f", "flv", url]).stdin(Stdio::null()).spawn().unwrap()
}

async fn exit(child: &mut Child) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        assert!(Instant::now() < until, "ffmpeg does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const PICTURE: &str = "-re -f lavfi -i testsrc2=size=854x480:rate=30";
const SOUND: &str = "-re -f lavfi -i sine=sample_rate=48000";
const H264: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -b:v 2000k";

#[tokio::test(flavor = "multi_thread")]
async fn every_pushed_picture_is_in_the_source_and_in_every_rung() {
    let mut running = Running::start(true).await;
    let mut pusher = push(&format!("{PICTURE} {SOUND}"), &format!("-t 5 {H264} -c:a aac"), &running.url());
    assert!(exit(&mut pusher).await);
    let recorded = running.ended().await;
    assert_eq!(recorded.names(), ["source", "high", "low", "audio"], "480 lines give no second rung of 480");
    let counts = recorded.counts();
    assert_eq!(counts[..3], [(150, 0), (150, 0), (150, 0)]);
    assert!(counts[3].0 > 230 && counts[3].1 == 0, "{counts:?}");
    assert_eq!(recorded.timeline.periods().len(), 1);
    running.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_alone_and_sound_alone_are_streams() {
    let running = Running::start(false).await;
    assert!(exit(&mut push(PICTURE, &format!("-t 3 {H264} -bf 2 -tune film"), &running.url())).await);
    let recorded = running.ended().await;
    assert_eq!((recorded.names(), recorded.counts()), (vec!["source"], vec![(90, 0)]));

    let running = Running::start(false).await;
    assert!(exit(&mut push(SOUND, "-t 3 -c:a aac", &running.url())).await);
    let recorded = running.ended().await;
    assert_eq!(recorded.names(), ["audio"]);
    assert!(recorded.counts()[0].0 > 135, "{:?}", recorded.counts());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_second_publishers_and_noise_are_refused_and_disturb_nobody() {
    let running = Running::start(false).await;
    let mut first = push(PICTURE, &format!("-t 6 {H264}"), &running.url());
    running.until("the first publisher", |running| running.session().is_some()).await;
    let wrong = format!("rtmp://{}/live/guess", running.addr);
    let app = format!("rtmp://{}/other/{}", running.addr, running.stream_key);
    for url in [&wrong, &app, &running.url()] {
        assert!(!exit(&mut push(PICTURE, &format!("-t 1 {H264}"), url)).await, "{url} was accepted");
    }
    for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[3; 4000], &[0xff; 100_000], &[]] {
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        let _ = stream.write_all(noise).await;
    }
    assert!(exit(&mut first).await);
    assert_eq!(running.ended().await.counts(), [(180, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_published_as_its_document_says_until_it_is_switched_off() {
    let running = Running::start(true).await;
    running.document(r#"{"latency_mode":"ultra","dvr_window_s":120,"ladder":[{"name":"small","height":180,"bitrate_bps":300000}]}"#);
    let mut first = push(PICTURE, &format!("-t 60 {H264}"), &running.url());
    running.until("the session", |running| running.session().is_some()).await;
    running.document(r#"{"enabled":false}"#);
    // Looked at every 10 s.
    assert!(!exit(&mut first).await, "the publisher is sent away");
    let recorded = running.ended().await;
    assert_eq!(recorded.names(), ["source", "small"]);
    assert_eq!((recorded.session().part_target_us(), recorded.session().dvr_window_s), (200_000, 120));
    let session = running.session();
    assert!(!exit(&mut push(PICTURE, &format!("-t 1 {H264}"), &running.url())).await, "it is accepted again");
    assert_eq!(running.session(), session);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_comes_back_goes_on_in_its_session_after_a_discontinuity() {
    let running = Running::start(true).await;
    let mut first = push(PICTURE, &format!("-t 60 {H264}"), &running.url());
    running.until("the session", |running| running.session().is_some()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    first.kill().unwrap();
    first.wait().unwrap();
    let session = running.session();
    assert!(exit(&mut push(PICTURE, &format!("-t 3 {H264}"), &running.url())).await);
    let recorded = running.ended().await;
    assert_eq!(running.session(), session);
    assert_eq!(recorded.timeline.periods().len(), 2);
    let counts = recorded.counts();
    assert!(counts[0].0 >= 90 + 45, "{counts:?}");
    assert!(counts.iter().all(|count| count.0 == counts[0].0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_the_session_with_all_that_came() {
    let mut running = Running::start(true).await;
    let mut pusher = push(&format!("{PICTURE} {SOUND}"), &format!("-t 60 {H264} -c:a aac"), &running.url());
    running.until("the session", |running| running.session().is_some()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.shut_down().await;
    let recorded = running.recorded(&running.session().unwrap()).unwrap();
    assert!(recorded.timeline.ended());
    let counts = recorded.counts();
    assert!(counts[0].0 >= 60 && counts.iter().take(3).all(|count| *count == counts[0]), "{counts:?}");
    pusher.kill().unwrap();
    pusher.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_ten_seconds_apart_are_encoded_again_in_a_new_session() {
    let running = Running::start(true).await;
    let long = "-c:v libx264 -preset ultrafast -tune zerolatency -g 150 -keyint_min 150 -sc_threshold 0 -b:v 2000k";
    assert!(exit(&mut push(PICTURE, &format!("-t 12 {long}"), &running.url())).await);
    let recorded = running.ended().await;
    assert_eq!(recorded.names(), ["high", "low"]);
    // All from the second key frame on; a machine without time to spare loses what its encoder still held at the end.
    let (pictures, sounds) = recorded.counts()[0];
    assert!((6 * 30..=7 * 30).contains(&pictures) && sounds == 0, "{pictures} pictures, {sounds} sounds");
    let longest = recorded.timeline.segments().iter().map(|segment| segment.tracks[0].duration).max().unwrap();
    let track = recorded.timeline.track(&recorded.timeline.segments()[0], 0).unwrap();
    assert!(track.micros(longest) <= 2_100_000, "{} us", track.micros(longest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_ffmpeg_for_each_gop_gives_every_picture_too() {
    let running = Running::configured(|config| {
        config.transcode.mode = tidegate_ingest_worker::Mode::Exact;
        config.ladder.retain(|rung| rung.name.as_str() == "low");
    })
    .await;
    let gop = "-c:v libx264 -preset ultrafast -tune zerolatency -g 60 -b:v 2000k";
    assert!(exit(&mut push(PICTURE, &format!("-t 7 {gop}"), &running.url())).await);
    let recorded = running.ended().await;
    assert_eq!((recorded.names(), recorded.counts()), (vec!["source", "low"], vec![(210, 0), (210, 0)]));
}

/// An ffmpeg under a name of its own, so that only this test's encoders are found.
#[cfg(target_os = "linux")]
struct Named {
    folder: tempfile::TempDir,
}

#[cfg(target_os = "linux")]
impl Named {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(ffmpeg(), folder.path().join("ffmpeg")).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ffmpeg")
    }

    /// Sends a signal to every encoder that runs.
    fn signal(&self, signal: &str) {
        let named = self.path();
        let runs_it = |process: &PathBuf| {
            std::fs::read(process.join("cmdline")).is_ok_and(|line| line.starts_with(named.as_os_str().as_encoded_bytes()))
        };
        let encoders: Vec<_> = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(runs_it).collect();
        assert!(!encoders.is_empty(), "no encoder runs");
        for encoder in encoders {
            assert!(Command::new("kill").arg(signal).arg(encoder.file_name().unwrap()).status().unwrap().success());
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_encoder_costs_a_gap_and_nothing_else() {
    let named = Named::new();
    let running = Running::configured(|config| {
        config.ffmpeg = named.path();
        config.ladder.retain(|rung| rung.name.as_str() == "low");
    })
    .await;
    let mut pusher = push(PICTURE, &format!("-t 7 {H264}"), &running.url());
    running.until("the session", |running| running.session().is_some()).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    named.signal("-9");
    assert!(exit(&mut pusher).await);
    let recorded = running.ended().await;
    let counts = recorded.counts();
    assert_eq!(counts[0], (210, 0));
    assert!((120..210).contains(&counts[1].0), "{counts:?}");
    assert_eq!(recorded.timeline.periods().len(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_rung_that_is_too_much_is_left_out_and_comes_back() {
    let named = Named::new();
    let running = Running::configured(|config| {
        config.ffmpeg = named.path();
        config.transcode.rung_back_s = 2;
        config.ladder.retain(|rung| matches!(rung.name.as_str(), "medium" | "low"));
    })
    .await;
    let mut pusher = push("-re -f lavfi -i testsrc2=size=960x540:rate=30", &format!("-t 14 {H264}"), &running.url());
    running.until("the session", |running| running.session().is_some()).await;
    // The first seconds of an encoder are not looked at; then it stands still, as one does on a machine that is too slow.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    named.signal("-STOP");
    let metrics = Arc::clone(&running.metrics);
    running.until("a rung that is left out", |_| metrics.rungs_dropped.load(std::sync::atomic::Ordering::Relaxed) > 0).await;
    assert!(exit(&mut pusher).await);
    let recorded = running.ended().await;
    let counts = recorded.counts();
    assert_eq!(counts[0], (420, 0), "the source itself does not notice");
    // `medium` was away for some segments in the middle and is there at the end; `low` has lost what stood still.
    let there = |segment: &tidegate_stream::Segment, place: usize| segment.tracks[place].len > 0;
    let last = recorded.timeline.segments().back().unwrap();
    assert!(counts[1].1 >= 1 && counts[1].0 >= 120 && there(last, 1), "{counts:?}");
    assert!(counts[2].0 > counts[1].0 && there(last, 2), "{counts:?}");
    assert_eq!(recorded.timeline.periods().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_pulled_in_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    let args = "-y -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine -t 2 -c:v libx264 -preset ultrafast -g 25 -c:a libmp3lame";
    assert!(Command::new(ffmpeg()).args(["-loglevel", "error"]).args(args.split(' ')).arg(&film).status().unwrap().success());
    let bucket = Memory::default();
    let mut config = Config::default();
    config.rtmp.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.metrics.listen = None;
    config.ladder.clear();
    let worker = Worker::bind(config, bucket.clone()).await.unwrap();
    let stream = StreamId::parse("film").unwrap();
    worker.pull(stream.clone(), Pull::File(film)).await.unwrap();
    let missing = worker.pull(stream.clone(), Pull::File("none.mp4".into())).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no file none.mp4");
    let stop = CancellationToken::new();
    let (addr, metrics) = (worker.rtmp_addr(), worker.metrics().stream(&stream));
    let mut running = Running {
        bucket,
        addr,
        stream,
        stream_key: String::new(),
        metrics,
        stop: stop.clone(),
        worker: Some(tokio::spawn(worker.run(stop))),
    };
    tokio::time::sleep(Duration::from_secs(5)).await;
    running.shut_down().await;
    let recorded = running.recorded(&running.session().unwrap()).unwrap();
    assert_eq!(recorded.names(), ["source", "audio"]);
    let counts = recorded.counts();
    assert!(counts[0].0 > 90, "more than twice its length: {counts:?}");
}
