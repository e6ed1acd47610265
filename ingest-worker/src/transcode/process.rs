//! One ffmpeg: its pipes, its last words, its end.
#![allow(unsafe_code, reason = "descriptors for the child are placed between fork and exec")]

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, PipeWriter, Read},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc as thread_mpsc},
    time::Duration,
};

use bytes::Bytes;
use ffmpeg_sidecar::{child::FfmpegChild, command::FfmpegCommand};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    process::Command,
    runtime::Handle,
    sync::mpsc,
};

use super::command::FIRST_OUTPUT;
use crate::{
    body::{BodyReader, Media},
    flv::Splitter,
};

/// A running ffmpeg, or one that is about to run. It is killed when this is dropped.
pub(crate) struct Process {
    stdin: Option<mpsc::Sender<Bytes>>,
    child: Arc<Mutex<Child>>,
}

#[derive(Default)]
struct Child {
    running: Option<FfmpegChild>,
    unwanted: bool,
}

/// What a process has to say.
#[derive(Debug)]
pub(crate) struct ProcessEvent {
    /// The process, as its starter numbered it.
    pub(crate) generation: u64,
    /// What happened.
    pub(crate) kind: ProcessEventKind,
}

/// What happened in a process.
#[derive(Debug)]
pub(crate) enum ProcessEventKind {
    /// An encoder's output.
    Media {
        /// The place of the rung in the arguments.
        rung: usize,
        /// The timestamp that was written to stdin for the same picture.
        timestamp_ms: u32,
        /// The frame or configuration.
        media: Media,
    },
    /// An encoder will say nothing more.
    Closed {
        /// The place of the rung in the arguments.
        rung: usize,
    },
    /// There is no process.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// The process is gone.
    Exited {
        /// Why, where it is not well: its exit code and last words.
        failure: Option<String>,
    },
}

/// Pieces of input that may wait: about 8 s at 30 frames/s, far more than the lag that is ever allowed.
const STDIN_QUEUE: usize = 256;
/// One read from an encoder.
const READ_BYTES: usize = 64 * 1024;
/// What the kernel holds between us: several key frames, so that neither side waits for the other's wake-up.
#[cfg(target_os = "linux")]
const PIPE_BYTES: libc::c_int = 1 << 20;
/// Lines of stderr that are kept for the message, and bytes of each.
const LAST_LINES: usize = 8;
const LINE_BYTES_MAX: u64 = 400;
/// How long a process that has closed stderr may take to end.
const EXIT_TIME_MAX: Duration = Duration::from_secs(5);

impl Process {
    /// Starts ffmpeg with `outputs` rungs, without waiting for it; everything it says, and why it did not start, goes to
    /// `events`.
    pub(crate) fn start(ffmpeg: &Path, args: Vec<String>, outputs: usize, generation: u64, events: mpsc::Sender<ProcessEvent>) -> Self {
        let (stdin, queue) = mpsc::channel(STDIN_QUEUE);
        let child = Arc::new(Mutex::new(Child::default()));
        let (ffmpeg, watched) = (ffmpeg.to_owned(), Arc::clone(&child));
        tokio::spawn(async move {
            let started = on_spawner(move || spawn(&ffmpeg, &args, outputs)).await;
            if let Err(error) = started.and_then(|started| connect(started?, watched, queue, generation, &events)) {
                let reason = format!("ffmpeg does not start: {error}");
                let _ = events.send(ProcessEvent { generation, kind: ProcessEventKind::NotStarted { reason } }).await;
            }
        });
        Self { stdin: Some(stdin), child }
    }

    /// Queues input; `false` where ffmpeg has not read for so long that the queue is full. (One that is gone says so.)
    pub(crate) fn write(&self, bytes: Bytes) -> bool {
        let Some(stdin) = &self.stdin else { return true };
        !matches!(stdin.try_send(bytes), Err(mpsc::error::TrySendError::Full(_)))
    }

    /// No more input: ffmpeg writes out what it holds and ends.
    pub(crate) fn finish(&mut self) {
        self.stdin = None;
    }

    /// Whether [`Self::finish`] was called.
    pub(crate) fn is_finished(&self) -> bool {
        self.stdin.is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.unwanted = true;
        if let Some(running) = &mut child.running {
            let _ = running.kill();
        }
    }
}

fn connect(
    (mut ffmpeg, readers): (FfmpegChild, Vec<OwnedFd>),
    child: Arc<Mutex<Child>>,
    queue: mpsc::Receiver<Bytes>,
    generation: u64,
    events: &mpsc::Sender<ProcessEvent>,
) -> io::Result<()> {
    let stdin = ffmpeg.take_stdin().ok_or_else(|| io::Error::other("it has no stdin"))?;
    let stderr = ffmpeg.take_stderr().ok_or_else(|| io::Error::other("it has no stderr"))?;
    {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        if child.unwanted {
            let _ = ffmpeg.kill();
        }
        child.running = Some(ffmpeg);
    }
    let sender = events.clone();
    std::thread::Builder::new().name("ffmpeg-stderr".into()).stack_size(128 * 1024).spawn(move || {
        let failure = wait(&child, drain(stderr));
        let _ = sender.blocking_send(ProcessEvent { generation, kind: ProcessEventKind::Exited { failure } });
    })?;
    let stdin = OwnedFd::from(stdin);
    widen(&stdin);
    tokio::spawn(write_stdin(pipe::Sender::from_owned_fd(stdin)?, queue));
    for (rung, reader) in readers.into_iter().enumerate() {
        tokio::spawn(read_rung(pipe::Receiver::from_owned_fd(reader)?, rung, generation, events.clone()));
    }
    Ok(())
}

async fn write_stdin(mut stdin: pipe::Sender, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = queue.recv().await {
        // A process that is gone says so by its exit.
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Only cuts and queues: whatever waits here would stop every rung of the process.
async fn read_rung(mut reader: pipe::Receiver, rung: usize, generation: u64, events: mpsc::Sender<ProcessEvent>) {
    let mut splitter = Splitter::default();
    let mut bodies = BodyReader::default();
    loop {
        splitter.buffer().reserve(READ_BYTES);
        match reader.read_buf(splitter.buffer()).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        // What ffmpeg writes is well formed or it is not ffmpeg: the rung then ends.
        while let Ok(Some(tag)) = splitter.next_tag() {
            let Ok(media) = bodies.read(&tag) else { break };
            if media == Media::Nothing {
                continue;
            }
            let kind = ProcessEventKind::Media { rung, timestamp_ms: tag.timestamp_ms, media };
            if events.send(ProcessEvent { generation, kind }).await.is_err() {
                return;
            }
        }
    }
    let _ = events.send(ProcessEvent { generation, kind: ProcessEventKind::Closed { rung } }).await;
}

/// Reads stderr to its end, so that ffmpeg never waits for a reader; keeps the last lines.
fn drain(stderr: impl Read) -> String {
    let mut reader = BufReader::new(stderr);
    let mut lines = VecDeque::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if !text.is_empty() {
            tracing::debug!(target: "ffmpeg", "{text}");
            lines.push_back(text);
        }
        if lines.len() > LAST_LINES {
            lines.pop_front();
        }
    }
    Vec::from(lines).join(" | ")
}

fn wait(child: &Mutex<Child>, last_words: String) -> Option<String> {
    const STEP: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        let running = child.running.as_mut()?;
        match running.as_inner_mut().try_wait() {
            Ok(Some(status)) if status.success() => return None,
            Ok(Some(status)) => return Some(format!("{status}: {last_words}")),
            Ok(None) if waited >= EXIT_TIME_MAX => {
                let _ = running.kill();
                waited = Duration::ZERO;
            }
            Ok(None) => {}
            Err(error) => return Some(error.to_string()),
        }
        drop(child);
        std::thread::sleep(STEP);
        waited += STEP;
    }
}

fn spawn(ffmpeg: &Path, args: &[String], outputs: usize) -> io::Result<(FfmpegChild, Vec<OwnedFd>)> {
    let mut readers = Vec::new();
    let mut writers: Vec<PipeWriter> = Vec::new();
    for _ in 0..outputs {
        let (reader, writer) = io::pipe()?;
        let reader = OwnedFd::from(reader);
        widen(&reader);
        readers.push(reader);
        writers.push(writer);
    }
    let sources: Vec<RawFd> = writers.iter().map(AsRawFd::as_raw_fd).collect();
    let mut command = FfmpegCommand::new_with_path(ffmpeg);
    command.args(args);
    // Ctrl-C goes to all processes of a terminal's group, and an encoder that heard it would not finish what is still in it.
    command.as_inner_mut().process_group(0);
    // SAFETY: between fork and exec only dup, fcntl and prctl are called, which are async-signal-safe; nothing allocates.
    unsafe {
        command.as_inner_mut().pre_exec(move || {
            die_with_parent(libc::SIGKILL)?;
            place(&sources)
        });
    }
    let child = command.spawn()?;
    Ok((child, readers))
}

/// Puts the pipes on descriptors 3, 4, … of the child: first out of the way, since a source may lie on another's place.
fn place(sources: &[RawFd]) -> io::Result<()> {
    const OUT_OF_THE_WAY: libc::c_int = 100;
    let check = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
    let mut moved = [-1; 16];
    for (from, to) in sources.iter().zip(&mut moved) {
        // SAFETY: plain system calls on descriptors that are open in this process.
        *to = check(unsafe { libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, OUT_OF_THE_WAY) })?;
    }
    for ((from, _), to) in moved.iter().zip(sources).zip(FIRST_OUTPUT..) {
        // SAFETY: as above; dup2 leaves the new descriptor open across exec.
        check(unsafe { libc::dup2(*from, to) })?;
    }
    Ok(())
}

/// A worker that is killed takes what it has started with it.
fn die_with_parent(signal: libc::c_int) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call about this process.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) } < 0 {
        return Err(io::Error::last_os_error());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
    Ok(())
}

/// Starts an ffmpeg that ends with the worker, however that one ends: with SIGTERM, so that it still says good-bye to whoever sends to it.
pub(crate) async fn start_tied(mut command: Command) -> io::Result<tokio::process::Child> {
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe; nothing allocates.
    unsafe { command.pre_exec(|| die_with_parent(libc::SIGTERM)) };
    let runtime = Handle::current();
    on_spawner(move || {
        let _entered = runtime.enter();
        command.spawn()
    })
    .await?
}

/// Asks such a one to end.
pub(crate) fn terminate(child: &tokio::process::Child) {
    // One that has been waited for has no id any more.
    if let Some(pid) = child.id().and_then(|id| libc::pid_t::try_from(id).ok()) {
        // SAFETY: a plain system call about a child that has not been waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}

/// A pipe that stays narrow is slower, nothing else.
fn widen(fd: &OwnedFd) {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call on a descriptor that is open.
    unsafe {
        libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = fd;
}

type Job = Box<dyn FnOnce() + Send>;

/// Runs `job` on the one thread that starts all children: PR_SET_PDEATHSIG is about the thread that forked, so it must
/// live as long as the process, which threads of the runtime need not. A fork also takes longer than a packet may wait.
async fn on_spawner<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    static SPAWNER: OnceLock<thread_mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = thread_mpsc::channel::<Job>();
        // Where no thread can be had, the channel is closed and every start says so.
        let _ = std::thread::Builder::new().name("ffmpeg-spawner".into()).spawn(move || jobs.into_iter().for_each(|job| job()));
        sender
    });
    let (done, result) = tokio::sync::oneshot::channel();
    let gone = || io::Error::other("the thread that starts ffmpeg is gone");
    let job = Box::new(move || {
        let _ = done.send(job());
    });
    spawner.send(job).map_err(|_| gone())?;
    result.await.map_err(|_| gone())
}
