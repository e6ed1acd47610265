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
    /// This rendition has nothing here, though another may; without one, go on there.
    Gap(Place),
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

/// How a segment is to be had of which both are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Grain {
    /// One request for a whole segment is cheaper than one for each part.
    Whole,
    /// The first of its parts is there sooner.
    Parts,
}

/// Looks up a place.
pub(crate) fn next(playlist: &Playlist, place: Place) -> Next<'_> {
    next_in(playlist, place, Grain::Whole)
}

/// The same with a choice.
pub(crate) fn next_in(playlist: &Playlist, place: Place, grain: Grain) -> Next<'_> {
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
        return Next::Gap(place.next_segment());
    }
    // A whole segment has what its parts lack.
    let by_parts = segment.is_parts_alone() || (grain == Grain::Parts && segment.parts.iter().all(|part| !part.gap));
    match (&segment.resource, segment.parts.get(place.part)) {
        (Some(resource), _) if (place.part == 0 && !by_parts) || segment.parts.is_empty() => {
            Next::Load(Offer { place: Place::segment(place.msn), resource, kind: MediaKind::Segment, duration_s: segment.duration_s })
        }
        (_, Some(part)) if part.gap => Next::Gap(place.next_part()),
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

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::read::{complete, media};

    const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:5\n";
    const CLOSED: &str = "#EXT-X-PART:DURATION=1,URI=\"5.0\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=1,URI=\"5.1\"\n#EXTINF:2,\n5\n";
    const OPEN: &str = "#EXT-X-PART:DURATION=1,URI=\"6.0\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"6.1\"\n";

    fn list(body: &[&str]) -> Playlist {
        complete(media(&(String::from(HEAD) + &body.concat())).unwrap(), &mut None).unwrap()
    }

    /// The URI to load or what else is to be done.
    fn at(list: &Playlist, msn: u64, part: usize) -> String {
        match next(list, Place { msn, part }) {
            Next::Load(offer) => offer.resource.uri.clone(),
            Next::Skip(place) => alloc::format!("skip to {} {}", place.msn, place.part),
            Next::Gap(place) => alloc::format!("gap to {} {}", place.msn, place.part),
            Next::Wait => "wait".into(),
            Next::End => "end".into(),
        }
    }

    #[test]
    fn to_begin_with_a_segment_is_had_by_its_parts() {
        let list = list(&[CLOSED, OPEN]);
        let at = |part| match next_in(&list, Place { msn: 5, part }, Grain::Parts) {
            Next::Load(offer) => (offer.resource.uri.clone(), offer.kind),
            other => panic!("{other:?}"),
        };
        assert_eq!(at(0), ("5.0".into(), MediaKind::Part));
        assert_eq!(at(1), ("5.1".into(), MediaKind::Part));
    }

    #[test]
    fn a_segment_of_which_a_part_is_missing_is_had_whole() {
        let holed = CLOSED.replace("URI=\"5.1\"", "URI=\"5.1\",GAP=YES");
        let list = list(&[&holed, OPEN]);
        let Next::Load(offer) = next_in(&list, Place::segment(5), Grain::Parts) else { panic!() };
        assert_eq!((offer.resource.uri.as_str(), offer.kind), ("5", MediaKind::Segment));
    }

    #[test]
    fn whole_segments_are_preferred_to_their_parts() {
        let list = list(&[CLOSED, OPEN]);
        assert_eq!(at(&list, 5, 0), "5");
        assert_eq!(at(&list, 5, 1), "5.1");
        assert_eq!(at(&list, 5, 2), "skip to 6 0");
    }

    #[test]
    fn segments_that_are_parts_alone_are_loaded_by_them() {
        let list = list(&[&CLOSED.replace("2,\n5\n", "2,\n5.0\n"), OPEN]);
        assert_eq!([0, 1, 2].map(|part| at(&list, 5, part)), ["5.0", "5.1", "skip to 6 0"]);
    }

    #[test]
    fn open_segments_go_on_with_the_hint() {
        let list = list(&[CLOSED, OPEN]);
        assert_eq!(at(&list, 6, 0), "6.0");
        assert_eq!(at(&list, 6, 1), "6.1");
        assert_eq!(at(&list, 6, 2), "wait");
        assert_eq!(at(&list, 7, 0), "wait");
    }

    #[test]
    fn places_that_a_list_does_not_know_lead_back_into_it() {
        let list = list(&[CLOSED, OPEN]);
        assert_eq!(at(&list, 2, 3), "skip to 5 0");
        assert_eq!(at(&list, 900, 0), "skip to 6 1");
    }

    #[test]
    fn gaps_and_the_end_are_told_apart_from_waiting() {
        let list = list(&["#EXT-X-GAP\n", CLOSED, "#EXT-X-ENDLIST\n"]);
        assert_eq!(at(&list, 5, 0), "gap to 6 0");
        assert_eq!(at(&list, 6, 0), "end");
    }

    #[test]
    fn a_start_needs_an_independent_frame_and_enough_distance() {
        let list = list(&[CLOSED, OPEN]);
        assert_eq!(list.start_before_end(0.5), Some(Place { msn: 6, part: 0 }));
        assert_eq!(list.start_before_end(1.5), Some(Place { msn: 5, part: 0 }));
        assert_eq!(list.start_before_end(100.0), Some(Place { msn: 5, part: 0 }));
    }

    #[test]
    fn numbers_of_two_lists_are_aligned_by_their_clock() {
        let clock = "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z\n";
        let own = list(&[clock, CLOSED, OPEN]);
        let mut other = list(&[clock, CLOSED, OPEN]);
        other.first_msn = 105;
        assert_eq!(own.aligned_msn(&other, 107), 7);
        assert_eq!(other.aligned_msn(&own, 7), 107);
        // One that was loaded later, or reaches into the future.
        let mut longer = list(&[clock, CLOSED, CLOSED, CLOSED, CLOSED, OPEN]);
        longer.first_msn = 205;
        assert_eq!(longer.aligned_msn(&other, 107), 207);
        assert_eq!(other.aligned_msn(&longer, 208), 108);
        let unclocked = list(&[CLOSED, OPEN]);
        assert_eq!(unclocked.aligned_msn(&other, 107), 107);
    }
}
