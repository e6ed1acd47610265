//! Two real workers as processes over a real store, one encoder that sends to both, and somebody who kills them.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tidegate_ingest_worker::store::{Bucket as _, Condition, Store};
use tidegate_stream::{
    Current, Hash, Key, KeyDocument, KeyHash, MetaKey, Msn, PartIndex, Record, RecordBody, RecordNumber, SessionId, Snapshot, StreamId,
    Timeline, TrackPart, WriterId,
};
use tokio::runtime::Runtime;

use crate::{Child, S3, encoder::Encoder, ffmpeg};

/// Two workers and their encoder.
pub struct Twins {
    workers: [Option<Process>; 2],
    addresses: [SocketAddr; 2],
    /// Where each is called over SRT, if it is.
    srt: [Option<u16>; 2],
    folder: tempfile::TempDir,
    s3: S3,
    encoder: Option<Encoder>,
    /// Reads the log as it is written.
    pub reader: Reader,
    ladder: bool,
}

struct Process {
    child: Child,
    log: PathBuf,
}

/// Somebody who reads every record as soon as it is there, and keeps what it was.
pub struct Reader {
    runtime: Runtime,
    store: Store,
    stream: StreamId,
    session: Option<SessionId>,
    timeline: Option<Timeline>,
    /// Each record with its writer, its hash, and when it was seen.
    pub seen: Vec<(RecordNumber, WriterId, Hash, Instant)>,
    /// Shares of parts that were gaps.
    pub gaps: Vec<Gap>,
    /// Parts of all renditions.
    pub parts: u64,
    /// Times that media went on as another's, behind a discontinuity; the first is the beginning.
    pub periods: usize,
    /// The date of the newest part, in us since 1970.
    pub newest_utc_us: i64,
    /// What broke a rule.
    pub broken: Vec<String>,
}

/// A share of a part that nobody has.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Its record.
    pub number: RecordNumber,
    /// Its part.
    pub at: (Msn, PartIndex),
    /// Which rendition lacks it.
    pub rendition: usize,
    /// Where it is and how long, in ticks of that rendition.
    pub ticks: (u64, u32),
    /// Who wrote it.
    pub writer: WriterId,
    /// Whether it is the first record of this writer.
    pub is_first: bool,
}

/// What they publish.
pub const STREAM: &str = "twins";
const STREAM_KEY: &str = "key-of-twins";
const SRT_PASSPHRASE: &str = "passphrase-of-twins";
const STOP: i32 = 19;
const CONTINUE: i32 = 18;
/// Longer than any takeover may take.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(4);

impl Twins {
    /// Starts both; `ladder`: with one encoded rung beside the source.
    pub fn start(s3: S3, ladder: bool) -> Self {
        Self::between(s3.clone(), &s3, ladder)
    }

    /// As [`Self::start`]: they reach the store at another address than who reads.
    pub fn between(s3: S3, readers: &S3, ladder: bool) -> Self {
        let mut twins = Self::alone(s3, readers, ladder);
        twins.launch(0);
        twins.launch(1);
        twins.encoder = Some(Encoder::rtmp(twins.addresses, STREAM_KEY, twins.folder.path()));
        twins
    }

    /// As [`Self::start`], with an encoder that calls both over SRT.
    pub fn over_srt(s3: S3, ladder: bool) -> Self {
        let mut twins = Self::alone(s3.clone(), &s3, ladder);
        let ports = free_udp_ports();
        twins.srt = ports.map(Some);
        twins.launch(0);
        twins.launch(1);
        twins.encoder = Some(Encoder::srt(ports, SRT_PASSPHRASE));
        twins
    }

    /// As [`Self::start`], with an encoder that pushes to the first over RTMP and calls the second over SRT.
    pub fn both_ways(s3: S3, ladder: bool) -> Self {
        let mut twins = Self::alone(s3.clone(), &s3, ladder);
        let [port, _] = free_udp_ports();
        twins.srt[1] = Some(port);
        twins.launch(0);
        twins.launch(1);
        twins.encoder = Some(Encoder::both(twins.addresses[0], STREAM_KEY, port, SRT_PASSPHRASE));
        twins
    }

    /// Nobody runs yet.
    fn alone(s3: S3, readers: &S3, ladder: bool) -> Self {
        let reader = Reader::new(readers);
        reader.admit();
        Self {
            workers: [None, None],
            addresses: [free_address(), free_address()],
            srt: [None; 2],
            folder: tempfile::tempdir().unwrap(),
            s3,
            encoder: None,
            reader,
            ladder,
        }
    }

    /// Starts a worker that is not there.
    pub fn launch(&mut self, place: usize) {
        let log = self.folder.path().join(format!("worker-{place}.log"));
        let config = self.folder.path().join(format!("worker-{place}.toml"));
        let rung = "[[ladder]]\nname = 'low'\nheight = 90\nbitrate_kbps = 100\n";
        let ladder = if self.ladder { rung } else { "ladder = []\n" };
        let (head, tail) = if self.ladder { ("", ladder) } else { (ladder, "") };
        let text = format!(
            "{head}ffmpeg = '{}'\n[rtmp]\nlisten = '{}'\n[store]\nbucket = '{}'\nendpoint = '{}'\n[twin]\nenabled = true\n[metrics]\nlisten = ''\n{tail}",
            ffmpeg::program().display(),
            self.addresses[place],
            self.s3.bucket,
            self.s3.endpoint,
        );
        fs::write(&config, text).unwrap();
        let output = fs::File::create(&log).unwrap();
        let mut command = Command::new(program());
        command
            .arg("--config")
            .arg(&config)
            .envs([("AWS_ACCESS_KEY_ID", &self.s3.access_key), ("AWS_SECRET_ACCESS_KEY", &self.s3.secret_key)])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        if let Some(port) = self.srt[place] {
            command.arg("--srt").arg(format!("{STREAM}=127.0.0.1:{port}")).env("TIDEGATE_SRT_PASSPHRASE", SRT_PASSPHRASE);
        }
        let child = Child::start(command).unwrap();
        self.workers[place] = Some(Process { child, log });
    }

    /// Who writes, as far as the workers say.
    pub fn owner(&self) -> Option<usize> {
        (0..2).find(|place| self.role(*place) == Some("writes"))
    }

    /// Who stands by.
    pub fn standby(&self) -> Option<usize> {
        (0..2).find(|place| self.role(*place) == Some("stands by"))
    }

    fn role(&self, place: usize) -> Option<&'static str> {
        let text = fs::read_to_string(&self.workers[place].as_ref()?.log).unwrap_or_default();
        let line = text.lines().rev().find(|line| line.contains("this worker"))?;
        ["writes", "stands by"].into_iter().find(|role| line.contains(&format!("this worker {role}")))
    }

    /// Reads on until there is an owner and a standby, and so many records more than now.
    pub fn settle(&mut self, records: usize) {
        let until = self.reader.seen.len() + records;
        let began = Instant::now();
        while self.reader.seen.len() < until || self.owner().is_none() || self.standby().is_none() {
            assert!(began.elapsed() < PATIENCE, "no owner and standby: {}", self.report());
            self.reader.poll();
            sleep(POLL);
        }
    }

    /// Reads on for so long.
    pub fn watch(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.reader.poll();
            sleep(POLL);
        }
    }

    /// Sends a signal.
    pub fn signal(&self, place: usize, signal: i32) {
        if let Some(process) = &self.workers[place] {
            self::signal(process.child.pid, signal);
        }
    }

    /// Stops a worker with SIGSTOP for so long, and lets it go on.
    pub fn pause(&mut self, place: usize, time: Duration) {
        self.signal(place, STOP);
        self.watch(time);
        self.signal(place, CONTINUE);
    }

    /// The id of a worker's process.
    pub fn pid(&self, place: usize) -> Option<u32> {
        self.workers[place].as_ref().map(|process| process.child.pid)
    }

    /// kill -9 of whoever it is, which is started again at once.
    pub fn restart(&mut self, place: usize) {
        self.workers[place] = None;
        self.launch(place);
    }

    /// Kills a worker, or stops it, and starts it again or lets it go on after so long; says how long the log stood still after the kill.
    pub fn kill(&mut self, place: usize, signal: i32, again: Duration) -> Duration {
        self.kill_while(place, signal, again, || {})
    }

    /// As [`Self::kill`]; `meanwhile` happens when nobody writes.
    pub fn kill_while(&mut self, place: usize, signal: i32, again: Duration, meanwhile: impl FnOnce()) -> Duration {
        let before = self.reader.seen.last().map(|(_, writer, ..)| *writer);
        let killed = Instant::now();
        self.signal(place, signal);
        meanwhile();
        loop {
            self.reader.poll();
            if let Some((.., at)) = self.reader.seen.iter().rev().take_while(|(_, writer, ..)| Some(*writer) != before).last() {
                let took = at.saturating_duration_since(killed);
                sleep(again);
                if signal == STOP {
                    self.signal(place, CONTINUE);
                } else {
                    self.workers[place] = None;
                    self.launch(place);
                }
                return took;
            }
            assert!(killed.elapsed() < PATIENCE, "nobody goes on: {}", self.report());
            sleep(POLL);
        }
    }

    /// What the workers have said last.
    pub fn report(&self) -> String {
        let last = |place: usize| {
            let path: &Path = &self.folder.path().join(format!("worker-{place}.log"));
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!("{} records\nworker 0:\n{}\nworker 1:\n{}", self.reader.seen.len(), last(0), last(1))
    }
}

impl Drop for Twins {
    fn drop(&mut self) {
        // Before the workers: an encoder without them only knocks in vain.
        self.encoder = None;
    }
}

impl Reader {
    fn new(s3: &S3) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(Store::connect(s3.store_config())).unwrap();
        Self {
            runtime,
            store,
            stream: StreamId::parse(STREAM).unwrap(),
            session: None,
            timeline: None,
            seen: Vec::new(),
            gaps: Vec::new(),
            parts: 0,
            periods: 0,
            newest_utc_us: 0,
            broken: Vec::new(),
        }
    }

    fn admit(&self) {
        let key: Key = MetaKey::StreamKey { hash: KeyHash::of(STREAM_KEY) }.into();
        let document = serde_json::to_vec(&KeyDocument { stream: self.stream.clone(), expires_utc_ms: None }).unwrap();
        self.runtime.block_on(self.store.put(&key, document.into(), Condition::Any)).unwrap();
    }

    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.runtime.block_on(self.store.get(key)).ok().flatten().map(|object| object.bytes.to_vec())
    }

    /// Reads what is new.
    pub fn poll(&mut self) {
        let current = |reader: &Self| -> Option<SessionId> {
            let bytes = reader.get(&Key::Current { stream: reader.stream.clone() })?;
            serde_json::from_slice(&bytes).ok().map(|current: Current| current.session)
        };
        if self.session.is_none() {
            self.session = current(self);
            let Some(session) = self.session.clone() else { return };
            let head = self.get(&Key::Head { stream: self.stream.clone(), session }).and_then(|head| Snapshot::decode(&head).ok());
            let Some(head) = head else { return };
            self.timeline = Some(Timeline::new(head.session().clone()));
        }
        let (Some(session), Some(mut timeline)) = (self.session.clone(), self.timeline.take()) else { return };
        loop {
            let number = timeline.next_record();
            let key = Key::Record { stream: self.stream.clone(), session: session.clone(), number };
            let Some(object) = self.get(&key) else { break };
            match Record::decode(&object) {
                Ok((record, offset)) => {
                    let hash = Record::hash(&object);
                    if let Err(error) = timeline.apply(&record, offset, Some(hash)) {
                        self.broken.push(error.to_string());
                    }
                    if let RecordBody::Part(part) = &record.body {
                        self.parts += part.tracks.len() as u64;
                        self.periods += usize::from(part.opens.is_some());
                        self.newest_utc_us = part.utc_us;
                        let is_first = self.seen.last().is_some_and(|(_, writer, ..)| *writer != record.writer);
                        let gap = |(rendition, track): (usize, &TrackPart)| {
                            let (at, ticks) = ((part.msn, part.part), (track.start, track.duration));
                            (track.len == 0).then_some(Gap { number, at, rendition, ticks, writer: record.writer, is_first })
                        };
                        self.gaps.extend(part.tracks.iter().enumerate().filter_map(gap));
                    }
                    self.seen.push((number, record.writer, hash, Instant::now()));
                }
                Err(error) => self.broken.push(format!("record {number}: {error}")),
            }
            if !self.broken.is_empty() {
                break;
            }
        }
        self.timeline = Some(timeline);
    }

    /// Reads every record again: how many are not what they were. Records that have expired are left out.
    pub fn changed(&self) -> usize {
        let Some(session) = &self.session else { return 0 };
        let differs = |(number, _, hash, _): &&(RecordNumber, WriterId, Hash, Instant)| {
            let key = Key::Record { stream: self.stream.clone(), session: session.clone(), number: *number };
            self.get(&key).is_some_and(|object| Record::hash(&object) != *hash)
        };
        self.seen.iter().filter(differs).count()
    }

    /// How far behind the clock the newest part begins, in ms.
    pub fn behind_ms(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (now.as_micros() as i64 - self.newest_utc_us) / 1000
    }

    /// Whether the stream is still in the session in which it began.
    pub fn is_one_session(&self) -> bool {
        let bytes = self.get(&Key::Current { stream: self.stream.clone() }).unwrap_or_default();
        serde_json::from_slice(&bytes).ok().map(|current: Current| current.session) == self.session
    }
}

/// The worker's program, which `cargo build` makes.
pub fn program() -> PathBuf {
    let named = env::var_os("TIDEGATE_WORKER").map(PathBuf::from);
    let program = named.unwrap_or_else(|| crate::platform::target().join("debug/tidegate-ingest-worker"));
    assert!(program.is_file(), "{} is not there: cargo build --workspace", program.display());
    program
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, number: i32) {
    let kill = Command::new("kill").arg(format!("-{number}")).arg(pid.to_string()).status();
    assert!(kill.is_ok_and(|status| status.success()));
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap()
}

/// Two, which are not the same.
fn free_udp_ports() -> [u16; 2] {
    let sockets = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    sockets.each_ref().map(|socket| socket.local_addr().unwrap().port())
}
