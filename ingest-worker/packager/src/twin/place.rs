use alloc::vec::Vec;

use tidegate_stream::{RenditionKind, TrackKind};

use crate::{
    grid::scale,
    period::Anchor,
    twin::{
        follow::{Follow, Start},
        held::{Held, KeyFrame},
    },
};

/// Where the open segment of the log starts in what this worker has received.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: KeyFrame,
    pub(super) anchor: Anchor,
    timescale: u32,
}

/// Why there is no such place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotFound {
    /// It has not come yet, but will.
    Later,
    /// It is another source, or it came before this worker listened.
    Never,
}

/// Times of two workers that say the same differ by rounding only, in ms.
const SAME_MS: i64 = 20;

/// Finds the start of the open segment: by the bytes of its first frame, or where it has to be by where the segment before
/// was found.
pub(super) fn find(held: &Held, follow: &Follow, before: Option<&Place>) -> Result<Place, NotFound> {
    let lead = held.lead();
    let start = follow.start(lead).ok_or(NotFound::Never)?;
    let expected_ms = before.filter(|before| before.timescale == start.timescale).map(|before| {
        let since = start.tick.saturating_sub(before.anchor.base);
        before.anchor.zero_ms.saturating_add(scale(since, 1000, i64::from(start.timescale)))
    });
    // Still pictures have equal key frames: the one that is nearest to where it has to be is it, …
    let off = |key: &&KeyFrame| match expected_ms {
        Some(expected_ms) => key.shown_ms.saturating_sub(expected_ms).saturating_abs(),
        // … by the clocks of the workers where nothing else is known.
        None => key.came_us.saturating_sub(start.utc_us).saturating_abs(),
    };
    let alike = held.keys().filter(|key| start.hash == Some(key.hash)).min_by_key(off);
    let near = |key: &&KeyFrame| expected_ms.is_some_and(|expected_ms| key.shown_ms.abs_diff(expected_ms) <= SAME_MS as u64);
    if let Some(key) = alike.or_else(|| held.keys().find(near)) {
        let anchor = anchor(held, follow, &start, key);
        return Ok(Place { key: *key, anchor, timescale: start.timescale });
    }
    let newest_ms = held.keys().next_back().map(|key| key.shown_ms);
    match expected_ms {
        Some(expected_ms) if newest_ms.is_none_or(|newest_ms| newest_ms < expected_ms) => Err(NotFound::Later),
        _ => Err(NotFound::Never),
    }
}

fn anchor(held: &Held, follow: &Follow, start: &Start, key: &KeyFrame) -> Anchor {
    let renditions = &follow.timeline.session().renditions;
    let of = |(rendition, track): (usize, &Option<(tidegate_stream::TrackPart, u32)>)| {
        let (part, timescale) = (*track)?;
        let is_audio = renditions.get(rendition).is_some_and(|rendition| rendition.kind == RenditionKind::Audio);
        if !is_audio {
            return None;
        }
        let first = i64::try_from(part.start).ok()?;
        let since_ms = scale(first, 1000, i64::from(timescale)) - scale(start.tick, 1000, i64::from(start.timescale));
        let frame = held.nearest(rendition, key.shown_ms.saturating_add(since_ms))?;
        Some((frame.dts_ms, first))
    };
    let audio: Vec<_> = start.tracks.iter().enumerate().map(of).collect();
    let rate = match start.kind {
        TrackKind::Video { frame_rate, .. } => frame_rate,
        TrackKind::Audio { .. } => None,
    };
    Anchor { lead: held.lead(), zero_ms: key.shown_ms, base: start.tick, utc_us: start.utc_us, rate, audio }
}
