//! What viewers see while a source is away: a picture or a film, encoded once for each shape of session and then shown over and over.

mod make;
mod showing;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use tidegate_cmaf::CodecConfig;
use tidegate_stream::FrameRate;
use tracing::{info, warn};

use crate::transcode::Ffmpeg;
pub(crate) use showing::Showing;

/// The slates of a worker.
pub(crate) struct Slates {
    ffmpeg: Ffmpeg,
    file: PathBuf,
    made: Arc<Mutex<BTreeMap<Shape, Prepared>>>,
}

/// A slate that is being made, or is there.
#[derive(Clone, Default)]
pub(crate) struct Prepared(Arc<OnceLock<Arc<Slate>>>);

/// What a slate has to look like to stand in for a source: two sessions of one shape share one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Shape {
    /// Each rendition of pictures.
    pub(crate) pictures: Vec<Picture>,
    /// Frames and their seconds, as the source has them.
    pub(crate) rate: (u32, u32),
    /// How long segments are, in ms.
    pub(crate) segment_ms: u32,
    /// Samples a second and channels, where there is sound.
    pub(crate) sound: Option<(u32, u32)>,
}

/// One rendition of pictures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bitrate_kbps: u32,
}

/// Frames to be shown over and over.
#[derive(Debug)]
pub(crate) struct Slate {
    /// In the order of the shape.
    pictures: Vec<Film>,
    sound: Option<Film>,
    rate: FrameRate,
}

/// The frames of one rendition.
#[derive(Debug)]
struct Film {
    config: CodecConfig,
    frames: Vec<Still>,
}

/// One of them, in the order in which they are decoded; each is shown when it is decoded.
#[derive(Clone, Debug)]
struct Still {
    sync: bool,
    data: Bytes,
}

/// Shapes whose slates are kept; one more, and they are made again when they are needed. Each is a few MB.
const SHAPES_MAX: usize = 16;

impl Slates {
    /// Of this picture or film.
    pub(crate) fn new(ffmpeg: Ffmpeg, file: PathBuf) -> Self {
        Self { ffmpeg, file, made: Arc::default() }
    }

    /// The slate for sessions of this shape; it is made beside them if it is not there yet.
    pub(crate) fn prepare(&self, shape: Shape) -> Prepared {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = made.get(&shape) {
            return prepared.clone();
        }
        if made.len() >= SHAPES_MAX {
            made.clear();
        }
        let prepared = Prepared::default();
        made.insert(shape.clone(), prepared.clone());
        let (ffmpeg, file, wanted, kept) = (self.ffmpeg.clone(), self.file.clone(), prepared.clone(), Arc::clone(&self.made));
        tokio::spawn(async move {
            match make::make(&ffmpeg, &file, &shape).await {
                Ok(slate) => {
                    info!(file = %file.display(), "the slate is ready");
                    let _ = wanted.0.set(Arc::new(slate));
                }
                Err(error) => {
                    warn!(file = %file.display(), "{error}: viewers see a stall while a source is away");
                    // The next session of this shape tries again.
                    kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&shape);
                }
            }
        });
        prepared
    }
}

impl Prepared {
    /// The slate, once it is made.
    pub(crate) fn ready(&self) -> Option<Arc<Slate>> {
        self.0.get().cloned()
    }
}
