//! Where a period goes on with what another worker has begun.

use alloc::vec::Vec;

use tidegate_stream::FrameRate;

use crate::grid::scale;

/// A place in the log of another worker, seen in the clock of this one's source: the first frame of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Anchor {
    /// The rendition that both are led by.
    pub(crate) lead: usize,
    /// When the frame is shown, as this worker's source stamps it …
    pub(crate) zero_ms: i64,
    /// … and in ticks of the lead, as the log has it, …
    pub(crate) base: i64,
    /// … so many a second.
    pub(crate) timescale: u32,
    /// Wall clock of the frame, as the log has it.
    pub(crate) utc_us: i64,
    /// The rate that the period was opened with.
    pub(crate) rate: Option<FrameRate>,
    /// Where each rendition of audio is in the log.
    pub(crate) audio: Vec<Option<Sound>>,
}

/// A frame of sound in the log of another worker that this one has too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sound {
    /// Its timestamp here, …
    pub(crate) ms: i64,
    /// … and its ticks in the log.
    pub(crate) tick: i64,
    /// Up to where the log goes.
    pub(crate) end: i64,
    /// Its bytes are the same.
    pub(crate) alike: bool,
}

impl Anchor {
    /// Whether this is sound of the same encoder beside pictures. Each frame of it stands alone, so it goes on with the first that the log
    /// lacks; how the other worker has put frames in parts follows from when they came, and may differ.
    pub(crate) fn is_alone(&self, rendition: usize) -> bool {
        rendition != self.lead && self.sound(rendition).is_some_and(|sound| sound.alike)
    }

    /// Whether there are no pictures, and the sound goes on with the first frame that the log lacks.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound(self.lead).is_some_and(|sound| sound.alike)
    }

    pub(super) fn sound(&self, rendition: usize) -> Option<Sound> {
        self.audio.get(rendition).copied().flatten()
    }

    pub(super) fn base_us(&self) -> i64 {
        scale(self.base, 1_000_000, i64::from(self.timescale))
    }
}
