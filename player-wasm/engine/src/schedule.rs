//! What a playlist offers at a place: a whole segment, a part, a part yet to come, or nothing for now.

use crate::{
    MediaKind,
    playlist::{Place, Playlist, Resource},
};

/// What to do at a place.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Next<'a> {
    /// Load this.
    Load(Offer<'a>),
    /// There is nothing here and never will be: go on there.
    Skip(Place),
    /// There will be something here.
    Wait,
    /// Nothing follows.
    End,
}

/// Something to load.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) place: Place,
    pub(crate) resource: &'a Resource,
    pub(crate) kind: MediaKind,
    pub(crate) duration_s: f64,
}

/// Further ahead of the list than this, a place belongs to numbers that the list no longer counts by.
const MAX_AHEAD: u64 = 2;

/// Looks up a place.
pub(crate) fn next(playlist: &Playlist, place: Place) -> Next<'_> {
    let after = playlist.next_place();
    let hint = || match &playlist.hint {
        Some(resource) => {
            Next::Load(Offer { place, resource, kind: MediaKind::Hint, duration_s: playlist.part_target_s.unwrap_or(playlist.target_s) })
        }
        None => Next::Wait,
    };
    let Some(segment) = playlist.segment(place.msn) else {
        return match place {
            _ if place.msn < playlist.first_msn => Next::Skip(Place::segment(playlist.first_msn)),
            _ if playlist.ended => Next::End,
            _ if place == after => hint(),
            _ if place.msn > after.msn.saturating_add(MAX_AHEAD) => Next::Skip(after),
            _ => Next::Wait,
        };
    };
    if segment.gap {
        return Next::Skip(place.next_segment());
    }
    match (&segment.resource, segment.parts.get(place.part)) {
        // One request for a whole segment is cheaper than one for each part.
        (Some(resource), _) if place.part == 0 || segment.parts.is_empty() => {
            Next::Load(Offer { place: Place::segment(place.msn), resource, kind: MediaKind::Segment, duration_s: segment.duration_s })
        }
        (_, Some(part)) if part.gap => Next::Skip(place.next_part()),
        (_, Some(part)) => Next::Load(Offer { place, resource: &part.resource, kind: MediaKind::Part, duration_s: part.duration_s }),
        (Some(_), None) => Next::Skip(place.next_segment()),
        (None, None) if playlist.ended => Next::End,
        (None, None) if place == after => hint(),
        (None, None) => Next::Wait,
    }
}

/// Whether the part at the end of the list probably starts a segment, judged by the length of the segment before.
pub(crate) fn segment_probably_starts(playlist: &Playlist, place: Place) -> bool {
    let before = place.msn.checked_sub(1).and_then(|msn| playlist.segment(msn));
    place.part > 0 && before.is_some_and(|before| before.parts.len() == place.part)
}
