//! The ladder: H.264 frames in, H.264 frames of every rung out. ffmpeg is only the codec; nothing here waits for it.

mod command;
mod ffmpeg;
mod lag;
mod process;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use tidegate_stream::{FrameRate, RenditionId};
use tokio::sync::mpsc;

use crate::{
    body::Media,
    config::Encoder,
    flv::{self, Tag, TagKind},
    ladder::Encode,
};
use command::Run;
use lag::{LAG_MAX, Step};
use process::{Process, ProcessEvent, ProcessEventKind};

pub(crate) use command::KeyFrames;
pub use ffmpeg::{Ffmpeg, FfmpegError};
pub(crate) use lag::Lag;
pub(crate) use process::{start_tied, terminate};

/// Encodes the rungs of one session.
pub(crate) struct Transcoder {
    settings: Settings,
    /// The whole ladder, best first; `lag` says how many of the best are left out.
    ladder: Vec<Encode>,
    lag: Lag,
    config: Bytes,
    /// Oldest first. A bit-exact transcoder has the run that is still being written out before the one that is fed.
    runs: VecDeque<Gop>,
    /// Already started for the next GOP.
    spare: Option<(u64, Process)>,
    next_generation: u64,
    gops: GopHistory,
    starts: VecDeque<Instant>,
    /// When the pictures that no encoder has given back yet were fed, by presentation time.
    fed: VecDeque<(i64, Instant)>,
    /// When a process was last fed that none was before.
    began: Instant,
    /// The spare has more rungs than the run: it takes over at the next key frame.
    renew: bool,
    finishing: bool,
    outputs: VecDeque<Output>,
    events: mpsc::Receiver<ProcessEvent>,
    sender: mpsc::Sender<ProcessEvent>,
}

/// How a session is encoded.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Settings {
    /// The program.
    pub(crate) ffmpeg: Ffmpeg,
    /// What encodes.
    pub(crate) encoder: Encoder,
    /// x264's `-preset`.
    pub(crate) preset: String,
    /// A fresh ffmpeg for each GOP: two workers then make the same bytes.
    pub(crate) exact: bool,
    /// Where key frames go, where one ffmpeg runs on.
    pub(crate) key_frames: KeyFrames,
    /// The rate of the source, for rate control.
    pub(crate) frame_rate: FrameRate,
}

/// A picture of the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SourceFrame {
    /// Decode time.
    pub(crate) dts_ms: i64,
    /// Presentation after decode.
    pub(crate) cts_ms: i32,
    /// Whether a decoder can start here.
    pub(crate) sync: bool,
    /// NAL units after their lengths.
    pub(crate) data: Bytes,
}

/// What a transcoder has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// The codec configuration of a rung.
    Config {
        /// The rung.
        rendition: RenditionId,
        /// AVCDecoderConfigurationRecord.
        config: Bytes,
    },
    /// A picture of a rung.
    Frame {
        /// The rung.
        rendition: RenditionId,
        /// Its times on the source's clock.
        frame: SourceFrame,
    },
    /// ffmpeg ended by itself; a new one starts at the next key frame.
    Failed {
        /// Its last words.
        reason: String,
    },
    /// The encoders are behind: a rung is left out until they have time to spare.
    Dropped {
        /// The rung.
        rendition: RenditionId,
    },
    /// ffmpeg has failed too often: a rung is given up until the end of the session.
    GivenUp {
        /// The rung.
        rendition: RenditionId,
    },
    /// A rung that was left out comes back with its next configuration.
    Returns {
        /// The rung.
        rendition: RenditionId,
    },
    /// After [`Transcoder::finish`]: everything is out.
    Finished,
}

/// One run of ffmpeg that has been fed.
struct Gop {
    generation: u64,
    process: Process,
    /// Source time of timestamp 0.
    origin_ms: i64,
    rungs: Vec<Written>,
    exited: bool,
    /// What came while an older run was still being written out.
    held: Vec<Output>,
}

struct Written {
    rendition: RenditionId,
    newest_ms: i64,
    closed: bool,
}

/// Whether the source's GOPs allow a process for each.
#[derive(Default)]
struct GopHistory {
    began_ms: Option<i64>,
    unfit: bool,
}

/// Pictures whose feeding is remembered; more are not on their way.
const FED_MAX: usize = 1024;
/// ffmpeg probes and fills its pipes first, which takes a while on a busy machine: being behind then says nothing.
const START_TIME: Duration = Duration::from_secs(3);
/// Events that wait for the session.
const EVENT_QUEUE: usize = 512;
/// A process for each GOP is worth it between these: below, starting costs more than encoding; above, one crash costs too much.
const EXACT_GOP_MS: core::ops::RangeInclusive<i64> = 400..=6000;
/// More unwanted starts than this in [`FAILURE_WINDOW`] mean that it will not work.
const FAILURES_MAX: usize = 5;
const FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// FLV timestamps of ffmpeg have 31 bits: a process that is older starts anew.
const RUN_MS_MAX: i64 = 1 << 30;
/// Runs that may be unfinished at once; one more means that ffmpeg does not keep up at all.
const RUNS_MAX: usize = 3;

impl Transcoder {
    /// A transcoder for this ladder, best rung first; `lag` is what an earlier one has learned. It starts with the first key
    /// frame.
    #[must_use]
    pub(crate) fn new(settings: Settings, ladder: Vec<Encode>, lag: Lag, config: Bytes) -> Self {
        let (sender, events) = mpsc::channel(EVENT_QUEUE);
        let mut transcoder = Self {
            settings,
            ladder,
            lag,
            config,
            runs: VecDeque::new(),
            spare: None,
            next_generation: 0,
            gops: GopHistory::default(),
            starts: VecDeque::new(),
            fed: VecDeque::new(),
            began: Instant::now(),
            renew: false,
            finishing: false,
            outputs: VecDeque::new(),
            events,
            sender,
        };
        transcoder.prepare();
        transcoder
    }

    /// What it has learned about the machine.
    pub(crate) fn lag(&self) -> Lag {
        self.lag
    }

    /// The rungs that are encoded.
    fn rungs(&self) -> &[Encode] {
        self.ladder.get(self.lag.missing()..).unwrap_or_default()
    }

    /// Feeds a picture. Never waits: an ffmpeg that does not read is ended.
    pub(crate) fn frame(&mut self, now: Instant, frame: &SourceFrame) {
        if frame.sync {
            self.gops.key_frame(frame.dts_ms);
            self.key_frame(now, frame.dts_ms);
        }
        let Some(run) = self.runs.back_mut() else { return };
        // A restart of the source's clock comes with a new transcoder; a small step back cannot be told to ffmpeg.
        let Ok(timestamp_ms) = u32::try_from(frame.dts_ms - run.origin_ms) else { return };
        let mut bytes = BytesMut::new();
        if timestamp_ms == 0 {
            bytes.extend_from_slice(&flv::file_header(false, true));
            video_tag(0, SEQUENCE_HEADER, true, 0, &self.config).write(&mut bytes);
        }
        video_tag(timestamp_ms, NAL_UNITS, frame.sync, frame.cts_ms, &frame.data).write(&mut bytes);
        if !run.process.write(bytes.freeze()) {
            self.give_up_runs("ffmpeg does not read its input".into());
        }
        self.watch(now, frame.dts_ms + i64::from(frame.cts_ms));
    }

    /// No more pictures: what ffmpeg holds comes out, then [`Output::Finished`].
    pub(crate) fn finish(&mut self) {
        self.spare = None;
        self.finishing = true;
        for run in &mut self.runs {
            run.process.finish();
        }
        self.settle();
    }

    /// The next output. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            match self.events.recv().await {
                Some(event) => self.event(event),
                // Not while `sender` is there.
                None => core::future::pending().await,
            }
        }
    }

    /// Starts, replaces or keeps the process, at a key frame of the source.
    fn key_frame(&mut self, now: Instant, dts_ms: i64) {
        let renew = core::mem::take(&mut self.renew);
        match self.lag.key_frame(now, self.ladder.len()) {
            Step::Stay => {}
            Step::Drop => {
                let dropped = self.lag.missing().checked_sub(1).and_then(|last| self.ladder.get(last));
                self.outputs.extend(dropped.map(|rung| Output::Dropped { rendition: rung.rendition.clone() }));
                // What is queued is late already: the rungs go on from here.
                self.runs.clear();
                self.fed.clear();
                self.spare = None;
            }
            Step::Return => {
                let returns = self.ladder.get(self.lag.missing());
                self.outputs.extend(returns.map(|rung| Output::Returns { rendition: rung.rendition.clone() }));
                // Where a run goes on, the new one is made ready now and takes over at the next key frame: nobody waits for its start.
                self.spare = None;
                self.prepare();
                self.renew = true;
            }
        }
        if self.rungs().is_empty() {
            // Nobody is slow where nobody works.
            self.lag.saw(now, Duration::ZERO);
            return;
        }
        if let Some(run) = self.runs.back_mut() {
            let keep = !self.settings.exact && !renew && dts_ms - run.origin_ms < RUN_MS_MAX && !run.exited;
            if keep {
                return;
            }
            run.process.finish();
            if self.settings.exact && self.gops.unfit {
                tracing::warn!("the source's GOPs are too long or too short for a process each: one ffmpeg goes on");
                self.settings.exact = false;
                self.spare = None;
            }
        }
        if self.runs.len() >= RUNS_MAX {
            self.give_up_runs("ffmpeg does not finish its GOPs".into());
        }
        self.prepare();
        let Some((generation, process)) = self.spare.take() else { return };
        self.renew = false;
        if self.runs.is_empty() {
            self.began = now;
        }
        let rungs =
            self.rungs().iter().map(|rung| Written { rendition: rung.rendition.clone(), newest_ms: dts_ms, closed: false }).collect();
        self.runs.push_back(Gop { generation, process, origin_ms: dts_ms, rungs, exited: false, held: Vec::new() });
        if self.settings.exact {
            self.prepare();
        }
    }

    /// Has a process ready for the next key frame.
    fn prepare(&mut self) {
        if self.spare.is_some() || self.rungs().is_empty() {
            return;
        }
        let run = Run {
            rungs: self.rungs(),
            frame_rate: self.settings.frame_rate,
            key_frames: if self.settings.exact { KeyFrames::FirstOnly } else { self.settings.key_frames },
            encoder: self.settings.encoder,
            preset: &self.settings.preset,
            version: self.settings.ffmpeg.major,
        };
        let generation = self.next_generation;
        let process = Process::start(&self.settings.ffmpeg.path, run.args(), run.rungs.len(), generation, self.sender.clone());
        self.next_generation += 1;
        self.spare = Some((generation, process));
    }

    /// Looks how long the oldest picture has been in the encoders. (How far they are behind in the source's time would say
    /// little: after a stall of the network seconds of it come at once.)
    fn watch(&mut self, now: Instant, pts_ms: i64) {
        let Some(run) = self.runs.front() else { return };
        let newest_ms = run.rungs.iter().map(|rung| rung.newest_ms).min().unwrap_or(pts_ms);
        self.fed.push_back((pts_ms, now));
        while self.fed.front().is_some_and(|(pts_ms, _)| *pts_ms <= newest_ms) || self.fed.len() > FED_MAX {
            self.fed.pop_front();
        }
        let oldest = self.fed.front().map_or(Duration::ZERO, |(_, at)| now.saturating_duration_since(*at));
        let settled = now.saturating_duration_since(self.began) > START_TIME;
        self.lag.saw(now, if settled { oldest } else { oldest.min(LAG_MAX) });
    }

    fn event(&mut self, ProcessEvent { generation, kind }: ProcessEvent) {
        let Some(place) = self.runs.iter().position(|run| run.generation == generation) else {
            let ready = self.spare.as_ref().is_some_and(|(spare, _)| *spare == generation);
            if ready && let ProcessEventKind::NotStarted { reason } | ProcessEventKind::Exited { failure: Some(reason) } = kind {
                self.spare = None;
                self.failed(reason);
            }
            return;
        };
        let Some(run) = self.runs.get_mut(place) else { return };
        let mut failure = None;
        match kind {
            ProcessEventKind::Media { rung, timestamp_ms, media } => {
                let Some(written) = run.rungs.get_mut(rung) else { return };
                let dts_ms = run.origin_ms + i64::from(timestamp_ms);
                let rendition = written.rendition.clone();
                let output = match media {
                    Media::VideoConfig(config) => Output::Config { rendition, config },
                    Media::VideoFrame { cts_ms, sync, data } => {
                        written.newest_ms = written.newest_ms.max(dts_ms);
                        Output::Frame { rendition, frame: SourceFrame { dts_ms, cts_ms, sync, data } }
                    }
                    Media::AudioConfig(_) | Media::AudioFrame(_) | Media::Nothing => return,
                };
                if place == 0 { self.outputs.push_back(output) } else { run.held.push(output) }
            }
            ProcessEventKind::Closed { rung } => {
                if let Some(written) = run.rungs.get_mut(rung) {
                    written.closed = true;
                }
            }
            ProcessEventKind::Exited { failure: reason } => {
                run.exited = true;
                // A process that was started and ends before its input does has failed, whatever it says of itself.
                failure = reason.or_else(|| (!run.process.is_finished()).then(ended_by_itself));
            }
            ProcessEventKind::NotStarted { reason } => {
                run.exited = true;
                run.rungs.iter_mut().for_each(|rung| rung.closed = true);
                failure = Some(reason);
            }
        }
        if let Some(reason) = failure {
            self.failed(reason);
        }
        self.settle();
    }

    /// Lets the output of a run through when those before it are written out.
    fn settle(&mut self) {
        while self.runs.front().is_some_and(|run| run.exited && run.rungs.iter().all(|rung| rung.closed)) {
            self.runs.pop_front();
            if let Some(run) = self.runs.front_mut() {
                self.outputs.extend(run.held.drain(..));
            }
        }
        if self.finishing && self.runs.is_empty() {
            self.finishing = false;
            self.outputs.push_back(Output::Finished);
        }
    }

    fn give_up_runs(&mut self, reason: String) {
        self.runs.clear();
        self.fed.clear();
        self.spare = None;
        self.failed(reason);
    }

    /// Counts a failure; too many in a short time, and the ladder is given up.
    fn failed(&mut self, reason: String) {
        self.outputs.push_back(Output::Failed { reason });
        let now = Instant::now();
        self.starts.push_back(now);
        while self.starts.front().is_some_and(|start| now.saturating_duration_since(*start) > FAILURE_WINDOW) {
            self.starts.pop_front();
        }
        if self.starts.len() >= FAILURES_MAX {
            self.outputs.extend(self.ladder.drain(..).map(|rung| Output::GivenUp { rendition: rung.rendition }));
            self.runs.clear();
            self.spare = None;
        }
    }
}

impl GopHistory {
    fn key_frame(&mut self, dts_ms: i64) {
        if let Some(began) = self.began_ms {
            self.unfit |= !EXACT_GOP_MS.contains(&(dts_ms - began));
        }
        self.began_ms = Some(dts_ms);
    }
}

fn ended_by_itself() -> String {
    "ffmpeg ended by itself".into()
}

const SEQUENCE_HEADER: u8 = 0;
const NAL_UNITS: u8 = 1;

fn video_tag(timestamp_ms: u32, packet: u8, sync: bool, cts_ms: i32, data: &Bytes) -> Tag {
    let mut body = BytesMut::with_capacity(5 + data.len());
    body.put_u8(if sync { 0x17 } else { 0x27 });
    body.put_u8(packet);
    let [_, cts @ ..] = cts_ms.to_be_bytes();
    body.put_slice(&cts);
    body.put_slice(data);
    Tag { kind: TagKind::Video, timestamp_ms, body: body.freeze() }
}
