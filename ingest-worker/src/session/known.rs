use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tidegate_cmaf::{Avc, CodecConfig, ConfigError};
use tidegate_stream::{FrameRate, Json};
use tokio::time::{Instant, timeout_at};

use crate::{
    body::{BodyError, BodyReader, Media},
    flv::{Tag, TagKind},
    hints::Hints,
    ladder::SourceVideo,
    rate,
    source::{Item, Source},
};

/// What a source has shown of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) hints: Hints,
    pub(super) video: Option<Video>,
    pub(super) audio: Option<CodecConfig>,
    frame_rate: Option<FrameRate>,
}

/// The source's pictures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Video {
    /// As ffmpeg and FLV want it.
    pub(super) record: Bytes,
    /// As we read it.
    pub(super) avc: Avc,
}

/// What a configuration changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Nothing: it is the same again.
    Same,
    /// There was none, or one that the same renditions can go on with.
    Compatible,
    /// Pictures or sound where there were none, or pictures of another size: the renditions have to be chosen anew.
    Renditions,
}

/// Why a source cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the source's codec configuration cannot be used: {0}")]
    Config(#[from] ConfigError),
    #[error("the source sends neither H.264 nor AAC")]
    NoMedia,
}

/// How long both kinds of media are waited for. An encoder sends both configurations at once, if it has both.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// Pictures whose times show the frame rate, where the source does not say it.
const RATE_FRAMES: usize = 8;
/// What may wait while the source is looked at: 2 s at 100 Mbit/s.
const BACKLOG_BYTES_MAX: usize = 32 << 20;

impl Known {
    /// Takes a configuration, or says that it is none.
    pub(super) fn take(&mut self, media: &Media) -> Result<Option<Change>, SourceError> {
        Ok(match media {
            Media::VideoConfig(record) => {
                let avc = Avc::parse(record)?;
                let video = Video { record: record.clone(), avc };
                let before = self.video.replace(video);
                let size = |video: &Video| (video.avc.width(), video.avc.height());
                Some(match (&before, &self.video) {
                    (Some(before), Some(now)) if before.record == now.record => Change::Same,
                    (Some(before), Some(now)) if size(before) == size(now) => Change::Compatible,
                    _ => Change::Renditions,
                })
            }
            Media::AudioConfig(config) => {
                let config = CodecConfig::aac(config)?;
                let before = self.audio.replace(config.clone());
                Some(match before {
                    Some(before) if before == config => Change::Same,
                    Some(_) => Change::Compatible,
                    None => Change::Renditions,
                })
            }
            Media::VideoFrame { .. } | Media::AudioFrame(_) | Media::Nothing => None,
        })
    }

    /// What comes in, for people.
    pub(super) fn facts(&self) -> Json {
        let video = self.video.as_ref().map_or(Json::Null, |Video { avc, .. }| {
            let FrameRate { numerator, denominator } = self.frame_rate();
            let rate = self.frame_rate.map(|_| u64::from(numerator) * 1000 / u64::from(denominator.max(1)));
            let video = Json::object().with("codec", avc.codec()).with("width", avc.width()).with("height", avc.height());
            video.with("frame_rate_milli", rate).with("bitrate_bps", self.hints.video_bps)
        });
        let audio = match &self.audio {
            Some(CodecConfig::Aac(aac)) => {
                let audio = Json::object().with("codec", aac.codec()).with("sample_rate_hz", aac.sample_rate());
                audio.with("channels", aac.channels())
            }
            _ => Json::Null,
        };
        Json::object().with("video", video).with("audio", audio)
    }

    /// The size and rate of the pictures.
    pub(super) fn source_video(&self) -> Option<SourceVideo> {
        let Video { avc, .. } = self.video.as_ref()?;
        Some(SourceVideo { width: avc.width(), height: avc.height(), bps: self.hints.video_bps })
    }

    /// What rate control counts with.
    pub(super) fn frame_rate(&self) -> FrameRate {
        self.frame_rate.unwrap_or(FrameRate { numerator: 30, denominator: 1 })
    }

    fn hinted_rate(&self) -> Option<FrameRate> {
        let hint = self.hints.frame_rate.and_then(rate::from_hint);
        let of_sps = || {
            let (numerator, denominator) = self.video.as_ref()?.avc.frame_rate()?;
            rate::from_hint(f64::from(numerator) / f64::from(denominator.max(1)))
        };
        hint.or_else(of_sps)
    }

    /// Reads until it is known what the source has. Returns what was read on the way; `None` where the source is over.
    pub(super) async fn probe<S: Source>(&mut self, source: &mut S) -> Result<Option<VecDeque<Tag>>, SourceError> {
        let mut backlog = VecDeque::new();
        let mut bytes = 0;
        let mut times = Vec::new();
        let mut bodies = BodyReader::default();
        let mut until = None;
        while !self.is_complete(&times) && bytes < BACKLOG_BYTES_MAX {
            let item = match until {
                Some(until) => match timeout_at(until, source.next()).await {
                    Ok(item) => item,
                    Err(_) => break,
                },
                None => source.next().await,
            };
            let tag = match item {
                Item::Tag(tag) => tag,
                Item::Break { .. } => {
                    // What comes next may be quite another source.
                    *self = Self::default();
                    backlog.clear();
                    times.clear();
                    until = None;
                    continue;
                }
                Item::End => return Ok(None),
            };
            until.get_or_insert_with(|| Instant::now() + PROBE_TIME_MAX);
            bytes += tag.body.len();
            if tag.kind == TagKind::Script {
                self.hints = Hints::read(&tag.body).unwrap_or(self.hints);
            }
            let media = bodies.read(&tag)?;
            self.take(&media)?;
            if matches!(media, Media::VideoFrame { .. }) {
                times.push(i64::from(tag.timestamp_ms));
            }
            backlog.push_back(tag);
        }
        if self.video.is_none() && self.audio.is_none() {
            return Err(SourceError::NoMedia);
        }
        self.frame_rate = self.frame_rate.or_else(|| self.hinted_rate()).or_else(|| rate::from_times(&times));
        Ok(Some(backlog))
    }

    fn is_complete(&self, times: &[i64]) -> bool {
        let video = self.video.is_some() || self.hints.video == Some(false);
        let audio = self.audio.is_some() || self.hints.audio == Some(false);
        let any = self.video.is_some() || self.audio.is_some();
        let rate = self.video.is_none() || self.frame_rate.is_some() || self.hinted_rate().is_some() || times.len() >= RATE_FRAMES;
        video && audio && any && rate
    }
}
