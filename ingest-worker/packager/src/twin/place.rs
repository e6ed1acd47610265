use alloc::vec::Vec;

use tidegate_stream::{Hash, RenditionKind, TrackKind};

use crate::{
    Frame,
    grid::scale,
    period::{Anchor, Sound},
    twin::{
        follow::{Follow, Heard, Start},
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

/// Finds the start of the open segment: by the bytes of its first frame, by when that was taken where it says so, or where it has to be by where the segment before
/// was found.
pub(super) fn find(held: &Held, follow: &Follow, before: Option<&Place>) -> Result<Place, NotFound> {
    let lead = held.lead();
    let start = follow.start(lead, held.avc()).ok_or(NotFound::Never)?;
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
    // Another encoder makes other bytes of the same moment, and may say when it was.
    let apart_us = |key: &KeyFrame| start.time.zip(key.time).and_then(|(theirs, ours)| theirs.apart_us(ours));
    let alike = alike.or_else(|| held.keys().filter(|key| apart_us(key).is_some_and(|us| us <= SAME_MS * 1000)).min_by_key(off));
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
    let of = |(rendition, kind): (usize, RenditionKind)| match kind {
        RenditionKind::Audio => sound(held, start, key, rendition),
        RenditionKind::Video => None,
    };
    let kinds = follow.timeline.session().renditions.iter().map(|rendition| rendition.kind);
    let audio: Vec<_> = kinds.enumerate().map(of).collect();
    let rate = match start.kind {
        TrackKind::Video { frame_rate, .. } => frame_rate,
        TrackKind::Audio { .. } => None,
    };
    let (lead, zero_ms, base, timescale) = (held.lead(), key.shown_ms, start.tick, start.timescale);
    Anchor { lead, zero_ms, base, timescale, utc_us: start.utc_us, rate, audio }
}

/// The last frame of sound in the log that this worker has too.
fn sound(held: &Held, start: &Start, key: &KeyFrame, rendition: usize) -> Option<Sound> {
    let Heard { frames, timescale, end } = start.sound.get(rendition)?;
    let timescale = i64::from(*timescale);
    let expected_ms = |tick: i64| {
        let since_ms = scale(tick, 1000, timescale) - scale(start.tick, 1000, i64::from(start.timescale));
        key.shown_ms.saturating_add(since_ms)
    };
    let find = |half_frames: i64, alike: bool| {
        frames.iter().rev().find_map(|timed| {
            let within_ms = scale(half_frames * i64::from(timed.duration), 500, timescale).unsigned_abs();
            let off_ms = |frame: &&Frame| frame.dts_ms.abs_diff(expected_ms(timed.tick));
            let fits = |frame: &&Frame| off_ms(frame) <= within_ms && (!alike || Hash::of(&frame.data) == timed.hash);
            let frame = held.frames(rendition).filter(fits).min_by_key(off_ms)?;
            Some(Sound { ms: frame.dts_ms, tick: timed.tick, end: *end, alike })
        })
    };
    // The log's ticks follow one another without holes, so they may be a little off the timestamps; silence is alike everywhere.
    let found = find(1, true).or_else(|| find(3, true));
    if rendition == held.lead() {
        // Where its bytes are others it is compared from the first frame on.
        return found.or(Some(Sound { ms: key.shown_ms, tick: start.tick, end: start.tick, alike: false }));
    }
    found.or_else(|| find(1, false))
}
