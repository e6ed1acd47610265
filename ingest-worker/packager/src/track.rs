use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use tidegate_cmaf::{ChunkHead, CodecConfig, Sample, write_chunk, write_init};
use tidegate_stream::{ConfigHash, Track, TrackKind, TrackPart};

use crate::{
    DropReason,
    cutter::Cut,
    grid::{AudioGrid, DecodeLine, Timing, scale},
};

/// A codec configuration with all that follows from it in one timescale.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) init: Vec<u8>,
    pub(crate) track: Track,
    /// Ticks of an audio frame; 0 for video.
    pub(crate) audio_frame: i64,
}

/// A frame with its exact time.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) tick: i64,
    pub(crate) pts: i64,
    pub(crate) sync: bool,
    pub(crate) dts_ms: i64,
    pub(crate) data: Vec<u8>,
    pub(crate) config: Arc<Configured>,
}

/// The frames of one rendition that are in no part yet.
#[derive(Debug)]
pub(crate) struct TrackQueue {
    pub(crate) line: Line,
    /// The configuration of the frames that come.
    pub(crate) config: Option<Arc<Configured>>,
    /// The configuration of the open segment: within a segment it stays the same.
    pub(crate) current: Option<Arc<Configured>>,
    /// The source has no such track.
    pub(crate) absent: bool,
    /// Nothing waits for it until it has caught up.
    pub(crate) stalled: bool,
    /// After a gap decoding starts again at a sync frame.
    pub(crate) needs_sync: bool,
    /// The configuration of the newest frame that came.
    pub(crate) last_init: Option<ConfigHash>,
    /// Decode time of the newest frame that came.
    pub(crate) newest: Option<i64>,
    /// Up to where parts have been written, in us: the timescale of audio may change.
    pub(crate) written_us: i64,
    pub(crate) bytes: usize,
    frames: VecDeque<Queued>,
}

/// How the frames of a rendition get their times.
#[derive(Debug)]
pub(crate) enum Line {
    Video(DecodeLine),
    /// `None` until the sample rate is known.
    Audio(Option<AudioGrid>),
}

/// One rendition's share of a record.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) part: TrackPart,
    pub(crate) media: Vec<u8>,
    pub(crate) config: Option<Arc<Configured>>,
}

/// What a chunk needs beside its frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) sequence: u32,
    /// Wall clock and media time, in us, of the start of the record, where a producer reference time is wanted.
    pub(crate) utc_us: Option<(i64, i64)>,
}

impl Configured {
    pub(crate) fn new(config: &CodecConfig, timing: &Timing, bandwidth_bps: u32) -> Option<Self> {
        let (timescale, audio_frame, kind) = match config {
            CodecConfig::Avc(avc) => {
                (timing.timescale, 0, TrackKind::Video { width: avc.width(), height: avc.height(), frame_rate: timing.rate })
            }
            CodecConfig::Aac(aac) => {
                let kind = TrackKind::Audio { sample_rate: aac.sample_rate(), channels: aac.channels() };
                (aac.sample_rate(), i64::from(aac.frame_samples()), kind)
            }
            // Codecs that are not packaged yet have no track.
            _ => return None,
        };
        let init = write_init(config, timescale);
        let track = Track { init: ConfigHash::of(&init), codec: config.codec(), timescale, bandwidth_bps, kind };
        Some(Self { init, track, audio_frame })
    }

    pub(crate) fn us(&self, ticks: i64) -> i64 {
        scale(ticks, 1_000_000, i64::from(self.track.timescale))
    }

    pub(crate) fn ticks(&self, us: i64) -> i64 {
        scale(us, i64::from(self.track.timescale), 1_000_000)
    }
}

/// Frames that a hole in the sound may be of to count as small.
const HOLE_FRAMES: i64 = 3;

impl TrackQueue {
    pub(crate) fn new(line: Line, written_us: i64) -> Self {
        Self {
            line,
            config: None,
            current: None,
            absent: false,
            stalled: false,
            needs_sync: true,
            last_init: None,
            newest: None,
            written_us,
            bytes: 0,
            frames: VecDeque::new(),
        }
    }

    /// Adds a frame, or says why not.
    pub(crate) fn push(&mut self, frame: Queued) -> Result<(), DropReason> {
        if self.needs_sync && !frame.sync {
            return Err(DropReason::NotSync);
        }
        self.needs_sync = false;
        self.newest = Some(frame.tick);
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
        Ok(())
    }

    /// Whether every frame of a part is here, judged by the lead's last frame in it. `frame` is the length of a frame.
    pub(crate) fn has_video_until(&self, cut: &Cut, frame: i64) -> bool {
        match (cut.last, self.newest) {
            (None, _) => true,
            (Some(last), Some(newest)) => newest >= last - frame / 2,
            (Some(_), None) => false,
        }
    }

    /// Takes the frames of a part. Those of other renditions than the lead may differ from it by less than half a frame; those
    /// from before it, where the lead has a hole between two parts, are `left_out`.
    pub(crate) fn take_video(&mut self, cut: &Cut, is_lead: bool, frame: i64, left_out: &mut Vec<Queued>) -> Vec<Queued> {
        let tolerant = (cut.end - frame / 2).max(cut.last.map_or(cut.start, |last| last + 1));
        let before = if is_lead { cut.end } else { tolerant.min(cut.end) };
        let mut taken = Vec::new();
        while let Some(next) = self.frames.pop_front_if(|next| next.tick < before) {
            self.bytes -= next.data.len();
            let is_early = next.tick + frame / 2 < cut.start;
            if is_early { &mut *left_out } else { &mut taken }.push(next);
        }
        let near = |first: &&mut Queued| 2 * (first.tick - cut.start).abs() <= frame;
        if let Some(first) = taken.first_mut().filter(|first| !is_lead && near(first)) {
            first.tick = cut.start;
        }
        taken
    }

    /// Takes audio frames of the open segment's configuration that end by `limit` and fit in a part of `most` ticks; frames
    /// of another configuration are `left_out` until the next segment. A small hole between two parts would be in neither: the first frame
    /// is put where it has to go on `after` the part before, and the hole follows it.
    pub(crate) fn take_audio(&mut self, limit: i64, most: i64, after: Option<i64>, left_out: &mut Vec<Queued>) -> Vec<Queued> {
        let mut taken: Vec<Queued> = Vec::new();
        loop {
            let from = taken.first().map(|first| first.tick);
            let fits = |frame: &mut Queued| {
                let end = frame.tick + frame.config.audio_frame;
                end <= limit && from.is_none_or(|from| end - from <= most)
            };
            let Some(mut frame) = self.frames.pop_front_if(fits) else { break };
            self.bytes -= frame.data.len();
            let hole = 1..=HOLE_FRAMES * frame.config.audio_frame;
            if let Some(after) = after.filter(|after| taken.is_empty() && hole.contains(&(frame.tick - after))) {
                (frame.tick, frame.pts) = (after, after);
            }
            let fits_segment = self.is_current(&frame);
            if fits_segment { &mut taken } else { &mut *left_out }.push(frame);
        }
        taken
    }

    /// Starts a segment: it has the configuration of the frames that come first.
    pub(crate) fn start_segment(&mut self) {
        self.current = self.frames.front().map(|front| front.config.clone()).or_else(|| self.config.clone());
    }

    pub(crate) fn is_current(&self, frame: &Queued) -> bool {
        self.current.as_ref().is_some_and(|current| current.track.init == frame.config.track.init)
    }

    /// Takes all that waits.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Queued> {
        self.bytes = 0;
        self.frames.drain(..)
    }

    /// The frame that is next.
    pub(crate) fn front(&self) -> Option<&Queued> {
        self.frames.front()
    }
}

impl Piece {
    /// Nothing for this rendition; `duration` is what is missing.
    pub(crate) fn gap(start: i64, duration: i64, config: Option<Arc<Configured>>) -> Self {
        let part = TrackPart { len: 0, start: start.max(0) as u64, duration: ticks(duration), ..TrackPart::default() };
        Self { part, media: Vec::new(), config }
    }

    /// Nothing from one time to another, in ticks.
    pub(crate) fn missing(start: u64, end: u64, config: Option<Arc<Configured>>) -> Self {
        let missing = i64::try_from(end.saturating_sub(start)).unwrap_or(0);
        Self::gap(i64::try_from(start).unwrap_or(i64::MAX), missing, config)
    }

    /// One chunk of these frames, the last of which lasts until `end`.
    pub(crate) fn chunk(frames: &[Queued], end: i64, stamp: Stamp) -> Option<Self> {
        let first = frames.first()?;
        let ends = frames.iter().skip(1).map(|frame| frame.tick).chain([end]);
        let sample = |(frame, end): (&'_ Queued, i64)| (ticks(end - frame.tick), offset(frame.pts - frame.tick), frame.sync);
        let fields: Vec<_> = frames.iter().zip(ends).map(sample).collect();
        let samples: Vec<Sample<'_>> = frames
            .iter()
            .zip(&fields)
            .map(|(frame, (duration, cts, sync))| Sample { duration: *duration, cts: *cts, sync: *sync, data: &frame.data })
            .collect();
        let start = first.tick.max(0) as u64;
        let utc_us = stamp.utc_us.map(|(utc, media)| utc + first.config.us(first.tick) - media);
        let media = write_chunk(&ChunkHead { sequence: stamp.sequence, decode_time: start, utc_us }, &samples).ok()?;
        let duration = fields.iter().fold(0u32, |sum, (duration, ..)| sum.saturating_add(*duration));
        // The media is the end of the chunk; before the end of the first picture stands all but the rest of it.
        let rest: usize = frames.iter().skip(1).map(|frame| frame.data.len()).sum();
        let is_key = first.sync && first.config.audio_frame == 0;
        let key_len = if is_key { u32::try_from(media.len().saturating_sub(rest)).ok()? } else { 0 };
        let part = TrackPart { len: u32::try_from(media.len()).ok()?, start, duration, independent: first.sync, key_len };
        Some(Self { part, media, config: Some(first.config.clone()) })
    }
}

fn ticks(duration: i64) -> u32 {
    u32::try_from(duration.max(0)).unwrap_or(u32::MAX)
}

fn offset(cts: i64) -> i32 {
    cts.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}
