use std::{
    collections::VecDeque,
    fs::File,
    io::Read,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use tidegate_cmaf::CodecConfig;
use tidegate_packager::{Event, Frame, Input, Packager, Twin, TwinConfig, Unwrap, is_jump, steps_period};
use tidegate_stream::{Cue, SessionId, StreamId, WriterId};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Shared,
    clock::Clock,
    gop::{Gop, Verdict},
    known::{Change, Known},
    plan::{Gops, Plan, plan},
    standin::Standin,
};
use crate::{
    announce::{Herald, News},
    body::{BodyReader, Media},
    config::{Config, Encoder, Mode},
    cues::Cues,
    flv::{Tag, TagKind},
    metrics::StreamMetrics,
    source::{Item, Source},
    store::WriterError,
    transcode::{self, Lag, Settings, SourceFrame, Transcoder},
    twin::Log,
};

/// One session of a stream: one set of renditions.
pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    herald: &'a Herald,
    /// There while this worker writes.
    cues: Option<Cues>,
    pub(super) metrics: Arc<StreamMetrics>,
    pub(super) stream: StreamId,
    pub(super) known: Known,
    pub(super) plan: Plan,
    gops: Gops,
    pub(super) log: Log,
    transcoder: Option<Transcoder>,
    /// What the transcoders so far have learned about the machine.
    pub(super) lag: Lag,
    pub(super) standin: Standin,
    bodies: BodyReader,
    times: Unwrap,
    pub(super) clock: Clock,
    /// Decode time of the newest picture, or sound where there are none.
    newest_ms: Option<i64>,
    gop: Gop,
    /// The open segment is longer than its target.
    long_gop: bool,
}

/// How a session ends.
pub(super) enum Outcome {
    /// The source is over.
    Ended,
    /// Another set of renditions is needed.
    Reopen {
        /// What is known of the source.
        known: Box<Known>,
        /// What its key frames need.
        gops: Gops,
        /// The tag that the next session begins with.
        first: Tag,
    },
    /// The store, or somebody who writes the same session, does not let it go on.
    Failed(String),
}

enum Next {
    Go,
    End,
    Reopen(Gops, Tag),
}

/// How often the packager looks whether a rendition is late, when nothing else happens.
const TICK: Duration = Duration::from_millis(20);
/// However often something wants to be called.
const WAKE_US_MIN: i64 = 1_000;
/// What helps where key frames are too far apart.
const KEY_FRAME_ADVICE: &str = "set a key frame interval of 2 s in the encoder (OBS: Output, Keyframe Interval)";
/// How long ffmpeg may take for what it still holds when a source breaks off or ends.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the store may take for the last objects; less than what a shutdown waits for.
const FINISH_TIME_MAX: Duration = Duration::from_secs(7);

impl<'a> Session<'a> {
    pub(super) fn open(shared: &'a Shared, settings: &Config, stream: &StreamId, herald: &'a Herald, known: Known, gops: Gops) -> Self {
        let plan = plan(settings, known.source_video(), known.audio.is_some(), gops, shared.ffmpeg.is_some());
        let (clock, session) = (Clock::new(), name());
        let package = &settings.package;
        let mut config = tidegate_packager::Config::new(stream.clone(), session.clone(), plan.renditions.clone());
        config.writer = WriterId(random());
        config.segment_target_us = package.segment_ms.saturating_mul(1000);
        config.part_target_us = package.part_ms.saturating_mul(1000);
        config.target_duration_s = plan.target_duration_s;
        config.dvr_window_s = package.dvr_window_s;
        config.frame_rate_hint = known.hints.frame_rate;
        let names: Vec<_> = plan.renditions.iter().map(|rendition| rendition.id.as_str()).collect();
        info!(%stream, %session, renditions = names.join(" "), "a session begins");
        let (access, metrics) = (Arc::clone(&shared.access), shared.metrics.stream(stream));
        let log = if shared.config.twin.enabled {
            let reconnect_us = i64::from(shared.config.twin.reconnect_s) * 1_000_000;
            Log::twin(stream.clone(), Twin::new(TwinConfig { packager: config, reconnect_us }), access, metrics)
        } else {
            Log::alone(stream.clone(), session, Packager::new(config), access, metrics)
        };
        let bodies = known.video.as_ref().map(|video| BodyReader::after(video.avc.clone())).unwrap_or_default();
        let mut opened = Self {
            shared,
            herald,
            cues: None,
            metrics: shared.metrics.stream(stream),
            stream: stream.clone(),
            known,
            plan,
            gops,
            log,
            transcoder: None,
            lag: Lag::new(Duration::from_secs(shared.config.transcode.rung_back_s.into())),
            standin: Standin::default(),
            bodies,
            times: Unwrap::default(),
            clock,
            newest_ms: None,
            gop: Gop::default(),
            long_gop: false,
        };
        opened.prepare_slate(package.segment_ms);
        opened.start_transcoder();
        opened
    }

    /// Runs until the source ends, the store gives up, or another set of renditions is needed.
    pub(super) async fn run<S: Source>(mut self, source: &mut S, backlog: VecDeque<Tag>, stop: &CancellationToken) -> Outcome {
        let worked = self.work(source, backlog, stop).await;
        self.metrics.slate.store(false, Relaxed);
        let outcome = match worked {
            Ok(Next::Reopen(gops, first)) => Outcome::Reopen { known: Box::new(self.known.clone()), gops, first },
            Ok(Next::Go | Next::End) => Outcome::Ended,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let is_last = matches!(outcome, Outcome::Ended);
        match self.finish(is_last, !stop.is_cancelled()).await {
            Ok(()) => outcome,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    async fn work<S: Source>(&mut self, source: &mut S, backlog: VecDeque<Tag>, stop: &CancellationToken) -> Result<Next, WriterError> {
        self.known_configs().await?;
        for tag in backlog {
            let next = self.tag(tag).await?;
            if !matches!(next, Next::Go) {
                return Ok(next);
            }
        }
        let mut tick_at = Instant::now() + TICK;
        loop {
            let next = tokio::select! {
                    () = stop.cancelled() => Next::End,
                happened = self.log.next() => {
                    self.log.happened(self.clock.utc_us(Instant::now()), happened).await?;
                    self.events();
                    Next::Go
                }
                item = source.next() => match item {
                    Item::Tag(tag) => self.tag(tag).await?,
                    Item::Break { reason } => {
                        info!(stream = %self.stream, reason, "the source has broken off");
                        self.discontinuity().await?;
                        self.source_is_away().await?;
                        Next::Go
                    }
                    Item::End => Next::End,
                },
                cue = next_cue(&mut self.cues) => {
                    self.cue(&cue).await?;
                    Next::Go
                }
                output = next_output(&mut self.transcoder) => {
                    self.transcoded(output).await?;
                    Next::Go
                }
                () = self.standin.next() => {
                    self.stills().await?;
                    Next::Go
                }
                () = sleep_until(tick_at.into()) => {
                    self.package(Input::Tick).await?;
                    self.show_slate().await?;
                    Next::Go
                }
            };
            if !matches!(next, Next::Go) {
                return Ok(next);
            }
            tick_at = self.tick_at();
        }
    }

    /// When time has to be told next: a log that is silent is not slept through.
    fn tick_at(&self) -> Instant {
        let now = Instant::now();
        let wakes_us = self.log.wakes_at().map(|at| at.saturating_sub(self.clock.utc_us(now)).max(WAKE_US_MIN).unsigned_abs());
        now + wakes_us.map_or(TICK, |us| TICK.min(Duration::from_micros(us)))
    }

    /// What the probe has learned; its tags are in the backlog of the first session only.
    pub(super) async fn known_configs(&mut self) -> Result<(), WriterError> {
        if let (Some(place), Some(video)) = (self.plan.source, &self.known.video) {
            let config = CodecConfig::Avc(video.avc.clone());
            self.package(Input::Config { rendition: place, config }).await?;
        }
        if let (Some(place), Some(config)) = (self.plan.audio, self.known.audio.clone()) {
            self.package(Input::Config { rendition: place, config }).await?;
        }
        Ok(())
    }

    async fn tag(&mut self, tag: Tag) -> Result<Next, WriterError> {
        self.metrics.input_bytes.fetch_add(tag.body.len() as u64, Relaxed);
        if tag.kind == TagKind::Script {
            return Ok(Next::Go);
        }
        self.source_is_back().await?;
        let media = match self.bodies.read(&tag) {
            Ok(media) => media,
            Err(error) => {
                warn!(stream = %self.stream, "{error}");
                return Ok(Next::End);
            }
        };
        match self.known.take(&media) {
            Ok(None) => {}
            Ok(Some(Change::Same)) => return Ok(Next::Go),
            Ok(Some(Change::Renditions)) => return Ok(Next::Reopen(self.gops, tag)),
            Ok(Some(Change::Compatible)) => {
                if matches!(media, Media::VideoConfig(_)) {
                    // What the encoders still hold belongs before the new configuration.
                    self.drain_transcoder().await?;
                    self.start_transcoder();
                }
                self.known_configs().await?;
                return Ok(Next::Go);
            }
            Err(error) => {
                warn!(stream = %self.stream, "{error}");
                return Ok(Next::End);
            }
        }
        let dts_ms = self.times.next(tag.timestamp_ms);
        match media {
            Media::VideoFrame { cts_ms, sync, data } => {
                self.metrics.input_frames.fetch_add(1, Relaxed);
                match self.gop.picture(dts_ms, sync, data.len()) {
                    Verdict::Open => {}
                    Verdict::Closed { ms } => {
                        if let Some(gops) = self.key_frame(ms) {
                            return Ok(Next::Reopen(gops, tag));
                        }
                    }
                    Verdict::Endless { ms } => {
                        let seconds = ms / 1000;
                        warn!(stream = %self.stream, "no key frame for {seconds} s: the publish is ended, since nobody could begin to watch; {KEY_FRAME_ADVICE}");
                        return Ok(Next::End);
                    }
                }
                self.clock_of_source(dts_ms).await?;
                let frame = SourceFrame { dts_ms, cts_ms, sync, data };
                if let Some(transcoder) = &mut self.transcoder {
                    transcoder.frame(Instant::now(), &frame);
                }
                if let Some(rendition) = self.plan.source {
                    self.package(Input::Frame { rendition, frame: packaged(frame) }).await?;
                }
            }
            Media::AudioFrame(data) => {
                if self.known.video.is_none() {
                    self.clock_of_source(dts_ms).await?;
                }
                if let Some(rendition) = self.plan.audio {
                    let frame = Frame { dts_ms, cts_ms: 0, sync: true, data: data.into() };
                    self.package(Input::Frame { rendition, frame }).await?;
                }
            }
            Media::VideoConfig(_) | Media::AudioConfig(_) | Media::Nothing => {}
        }
        Ok(Next::Go)
    }

    /// A key frame has ended a GOP of this length; `Some` where it does not fit what the session was opened for.
    fn key_frame(&mut self, gop_ms: i64) -> Option<Gops> {
        if !core::mem::take(&mut self.long_gop) {
            return None;
        }
        let ms = u32::try_from(gop_ms).ok()?;
        let seconds = f64::from(ms) / 1000.0;
        warn!(stream = %self.stream, "the source's key frames are {seconds:.1} s apart: {KEY_FRAME_ADVICE}");
        Some(Gops::Long { ms })
    }

    /// A step of the source's clock is a break, for all that depends on it.
    async fn clock_of_source(&mut self, dts_ms: i64) -> Result<(), WriterError> {
        let before = self.newest_ms.replace(dts_ms);
        if let Some(before) = before.filter(|before| is_jump(*before, dts_ms)) {
            warn!(stream = %self.stream, step_ms = dts_ms - before, "the source's clock has jumped");
            self.discontinuity().await?;
            self.newest_ms = Some(dts_ms);
        }
        Ok(())
    }

    async fn discontinuity(&mut self) -> Result<(), WriterError> {
        self.metrics.discontinuities.fetch_add(1, Relaxed);
        self.drain_transcoder().await?;
        self.newest_ms = None;
        self.gop = Gop::default();
        self.start_transcoder();
        self.package(Input::Discontinuity).await
    }

    fn start_transcoder(&mut self) {
        self.transcoder = None;
        let (Some(ffmpeg), Some(video)) = (&self.shared.ffmpeg, &self.known.video) else { return };
        if self.plan.rungs.is_empty() {
            return;
        }
        let settings = Settings {
            ffmpeg: ffmpeg.clone(),
            encoder: self.shared.config.transcode.encoder,
            preset: self.shared.config.transcode.preset.clone(),
            exact: self.is_exact() && self.gops == Gops::Fit,
            key_frames: self.plan.key_frames,
            frame_rate: self.known.frame_rate(),
        };
        self.transcoder = Some(Transcoder::new(settings, self.plan.rungs.clone(), self.lag, video.record.clone()));
    }

    /// A twin has to make the same bytes.
    fn is_exact(&self) -> bool {
        match self.shared.config.transcode.mode {
            Mode::Auto => self.shared.config.twin.enabled && self.shared.config.transcode.encoder == Encoder::X264,
            Mode::Continuous => false,
            Mode::Exact => true,
        }
    }

    /// Lets out what the encoders hold, as far as they are quick.
    async fn drain_transcoder(&mut self) -> Result<(), WriterError> {
        let Some(mut transcoder) = self.transcoder.take() else { return Ok(()) };
        self.lag = transcoder.lag();
        transcoder.finish();
        let until = tokio::time::Instant::now() + DRAIN_TIME_MAX;
        while let Ok(output) = tokio::time::timeout_at(until, transcoder.next()).await {
            if output == transcode::Output::Finished {
                break;
            }
            self.transcoded(output).await?;
        }
        Ok(())
    }

    async fn transcoded(&mut self, output: transcode::Output) -> Result<(), WriterError> {
        use transcode::Output::{Config, Dropped, Failed, Finished, Frame, GivenUp, Returns};
        match output {
            Config { rendition, config } => {
                let Some(place) = self.plan.places.get(&rendition).copied() else { return Ok(()) };
                match CodecConfig::avc(&config) {
                    Ok(config) => self.package(Input::Config { rendition: place, config }).await?,
                    Err(error) => warn!(stream = %self.stream, %rendition, %error, "ffmpeg wrote a configuration that does not read"),
                }
            }
            Frame { rendition, frame } => {
                let Some(place) = self.plan.places.get(&rendition).copied() else { return Ok(()) };
                self.package(Input::Frame { rendition: place, frame: packaged(frame) }).await?;
            }
            Failed { reason } => {
                self.metrics.ffmpeg_restarts.fetch_add(1, Relaxed);
                warn!(stream = %self.stream, reason, "ffmpeg has failed; it starts again at the next key frame");
                // Nothing waits for the rungs until their new configurations come, unless they are all there is.
                if self.plan.source.is_some() {
                    for rendition in self.plan.places.values().copied().collect::<Vec<_>>() {
                        self.package(Input::Absent { rendition }).await?;
                    }
                }
            }
            Dropped { rendition } => {
                self.metrics.rungs_dropped.fetch_add(1, Relaxed);
                warn!(stream = %self.stream, %rendition, "the encoders are behind the source: a rung is left out until there is time to spare");
                if let Some(place) = self.plan.places.get(&rendition).copied() {
                    self.package(Input::Absent { rendition: place }).await?;
                }
            }
            Returns { rendition } => info!(stream = %self.stream, %rendition, "the encoders have time to spare: a rung comes back"),
            GivenUp { rendition } => {
                warn!(stream = %self.stream, %rendition, "ffmpeg has failed too often: a rung is given up for this session");
                if let Some(place) = self.plan.places.remove(&rendition) {
                    self.plan.rungs.retain(|rung| rung.rendition != rendition);
                    self.package(Input::Absent { rendition: place }).await?;
                }
            }
            Finished => {}
        }
        Ok(())
    }

    /// Announces a cue with the next part.
    async fn cue(&mut self, cue: &Cue) -> Result<(), WriterError> {
        // A worker that goes on for another reads what that one may have read.
        if self.log.is_announced(&cue.id) {
            return Ok(());
        }
        let now_utc_ms = u64::try_from(self.clock.utc_us(Instant::now()) / 1000).unwrap_or(0);
        info!(stream = %self.stream, cue = cue.id, "a cue is announced");
        self.package(Input::Announce(cue.event(now_utc_ms))).await
    }

    /// Hands something to the log.
    pub(super) async fn package(&mut self, input: Input) -> Result<(), WriterError> {
        self.log.take(self.clock.utc_us(Instant::now()), input).await?;
        self.events();
        Ok(())
    }

    fn events(&mut self) {
        if let Some(session) = self.log.begun() {
            self.cues = Some(Cues::start(Arc::clone(&self.shared.access), self.stream.clone(), session.clone()));
            self.herald.say(News::Live { session, input: self.known.facts() });
        }
        while let Some(event) = self.log.event() {
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        let stream = &self.stream;
        match event {
            Event::GopTooLong { ms, .. } => {
                debug!(%stream, ms, "a segment is longer than its target");
                self.long_gop = true;
            }
            Event::TrackLate { rendition, msn, part } => {
                self.metrics.late_parts.fetch_add(1, Relaxed);
                warn!(%stream, rendition = self.plan.name(rendition), %msn, %part, "a rendition is late: its parts are gaps");
            }
            Event::TrackBack { rendition } => info!(%stream, rendition = self.plan.name(rendition), "a rendition has caught up"),
            Event::TrackMissing { rendition } => warn!(%stream, rendition = self.plan.name(rendition), "a rendition has not begun in time"),
            Event::FrameDropped { rendition, dts_ms, why } => {
                debug!(%stream, rendition = self.plan.name(rendition), dts_ms, ?why, "a frame is in no part");
            }
            Event::ClockStep { by_us } => {
                self.metrics.clock_us.fetch_add(by_us.unsigned_abs(), Relaxed);
                if steps_period(by_us) {
                    warn!(%stream, late_ms = by_us / 1000, "the source sends later than before: dates go on from there, behind a discontinuity");
                } else {
                    debug!(%stream, by_us, "the source's clock is not ours");
                }
            }
            event => debug!(%stream, ?event, "packager"),
        }
    }

    /// Ends the session, or hands it over to the other worker: what is last here is durable when this returns.
    async fn finish(mut self, is_last: bool, ends: bool) -> Result<(), WriterError> {
        self.drain_transcoder().await?;
        let clock = self.clock;
        let last = async {
            if is_last {
                self.log.leave(|| clock.utc_us(Instant::now()), ends).await?;
            } else {
                self.log.end(clock.utc_us(Instant::now())).await?;
            }
            self.log.finish(FINISH_TIME_MAX).await
        };
        let Ok(left) = timeout(FINISH_TIME_MAX, last).await else { return Ok(()) };
        if let (Ok(()), Some(session)) = (&left, self.log.session()) {
            self.herald.say(News::Left { session });
        }
        left
    }
}

async fn next_cue(cues: &mut Option<Cues>) -> Cue {
    match cues {
        Some(cues) => cues.next().await,
        None => core::future::pending().await,
    }
}

async fn next_output(transcoder: &mut Option<Transcoder>) -> transcode::Output {
    match transcoder {
        Some(transcoder) => transcoder.next().await,
        None => core::future::pending().await,
    }
}

fn packaged(SourceFrame { dts_ms, cts_ms, sync, data }: SourceFrame) -> Frame {
    Frame { dts_ms, cts_ms, sync, data: data.into() }
}

/// A name of what begins or happens here and now.
pub(super) fn name() -> SessionId {
    let utc_ms = Clock::new().utc_us(Instant::now()) / 1000;
    SessionId::new(u64::try_from(utc_ms).unwrap_or(0), random())
}

/// Keeps the ids of two sessions that begin in one millisecond apart.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the start time alone still names the session, and the store refuses a second one.
    let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    u64::from_le_bytes(bytes)
}
