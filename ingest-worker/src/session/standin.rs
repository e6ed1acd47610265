//! What stands in for a source that is away.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use tidegate_cmaf::CodecConfig;
use tidegate_packager::Input;
use tidegate_stream::{FrameRate, RenditionId};
use tokio::time::sleep_until;
use tracing::info;

use super::run::Session;
use crate::{
    ladder::{Encode, SourceVideo},
    slate::{Picture, Prepared, Shape, Showing},
    store::WriterError,
};

/// The slate of a session.
#[derive(Default)]
pub(super) struct Standin {
    /// It, once it is made, and the rungs that it is made for.
    prepared: Option<(Prepared, Vec<RenditionId>)>,
    /// The source is away.
    away: bool,
    showing: Option<Showing>,
}

/// Bits per pixel and second of a still picture.
const PIXELS_PER_KBIT: u32 = 500;

impl Standin {
    /// Waits until a frame is due.
    pub(super) async fn next(&self) {
        match &self.showing {
            Some(showing) => sleep_until(showing.next_at().into()).await,
            None => core::future::pending().await,
        }
    }
}

impl Session<'_> {
    /// Has a slate made, where there is to be one.
    pub(super) fn prepare_slate(&mut self, segment_ms: u32) {
        let Some(slates) = &self.shared.slates else { return };
        let rungs = self.plan.rungs.iter().map(|rung| rung.rendition.clone()).collect();
        self.standin.prepared = Some((slates.prepare(self.shape(segment_ms)), rungs));
    }

    fn shape(&self, segment_ms: u32) -> Shape {
        let video = self.known.source_video().filter(|_| self.plan.source.is_some());
        let of_source = video.map(|SourceVideo { width, height, bps }| {
            let bitrate_kbps = bps.map_or_else(|| width.saturating_mul(height) / PIXELS_PER_KBIT, |bps| bps / 1000);
            Picture { width, height, bitrate_kbps }
        });
        let rung = |rung: &Encode| Picture { width: rung.width, height: rung.height, bitrate_kbps: rung.bitrate_kbps };
        let FrameRate { numerator, denominator } = self.known.frame_rate();
        let sound = match &self.known.audio {
            Some(CodecConfig::Aac(aac)) => Some((aac.sample_rate(), aac.channels())),
            _ => None,
        };
        let pictures = of_source.into_iter().chain(self.plan.rungs.iter().map(rung)).collect();
        Shape { pictures, rate: (numerator, denominator), segment_ms, sound }
    }

    /// The source is away: its slate stands in for it.
    pub(super) async fn source_is_away(&mut self) -> Result<(), WriterError> {
        self.standin.away = true;
        self.show_slate().await
    }

    /// Shows the slate, if the source is away and it is made.
    pub(super) async fn show_slate(&mut self) -> Result<(), WriterError> {
        let Standin { prepared: Some((prepared, rungs)), away: true, showing: None } = &self.standin else { return Ok(()) };
        let Some(slate) = prepared.ready() else { return Ok(()) };
        info!(stream = %self.stream, "a slate is shown while the source is away");
        self.metrics.slate.store(true, Relaxed);
        let now = Instant::now();
        // Rungs that are left out stay so.
        let left_out: Vec<&RenditionId> = self.plan.rungs.iter().take(self.lag.missing()).map(|rung| &rung.rendition).collect();
        let place = |rung: &RenditionId| self.plan.places.get(rung).copied().filter(|_| !left_out.contains(&rung));
        let pictures: Vec<Option<usize>> = self.plan.source.map(Some).into_iter().chain(rungs.iter().map(place)).collect();
        self.standin.showing = Some(Showing::new(slate, now, &pictures, self.plan.audio));
        self.log.slate(self.clock.utc_us(now), true).await
    }

    /// Hands over what is due of the slate.
    pub(super) async fn stills(&mut self) -> Result<(), WriterError> {
        let due = self.standin.showing.as_mut().map(|showing| showing.due(Instant::now())).unwrap_or_default();
        for input in due {
            self.package(input).await?;
        }
        Ok(())
    }

    /// The source is back.
    pub(super) async fn source_is_back(&mut self) -> Result<(), WriterError> {
        self.standin.away = false;
        if self.standin.showing.take().is_none() {
            return Ok(());
        }
        self.metrics.slate.store(false, Relaxed);
        self.log.slate(self.clock.utc_us(Instant::now()), false).await?;
        self.package(Input::Discontinuity).await?;
        // Those of the slate are not those of the encoders.
        for rendition in self.plan.places.values().copied().collect::<Vec<_>>() {
            self.package(Input::Forget { rendition }).await?;
        }
        self.known_configs().await
    }
}
