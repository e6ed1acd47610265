use alloc::{string::String, vec::Vec};

use crate::{
    Key, MediaKind,
    fragment::Init,
    playlist::{Place, Playlist, Resource},
    schedule::Offer,
    uri::resolve,
};

/// Bytes at an absolute address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) range: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
pub(super) struct Fragment {
    pub(super) place: Place,
    pub(super) period: u64,
    pub(super) address: Address,
    pub(super) map: Option<Address>,
    pub(super) key: Option<Key>,
    pub(super) kind: MediaKind,
    pub(super) duration_s: f64,
    pub(super) utc_ms: Option<f64>,
    pub(super) state: State,
    pub(super) refusals: u32,
    pub(super) listed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct InitSegment {
    pub(super) address: Address,
    pub(super) key: Option<Key>,
    pub(super) state: State,
    pub(super) read: Init,
    pub(super) failures: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum State {
    Asked { id: u32 },
    Again { at_ms: f64 },
    Here { id: u32, head: Vec<u8> },
    Missing,
}

impl Address {
    pub(super) fn new(base: &str, resource: &Resource) -> Self {
        Self { url: resolve(base, &resource.uri), range: resource.range }
    }
}

impl State {
    pub(super) fn id(&self) -> Option<u32> {
        match self {
            Self::Asked { id } | Self::Here { id, .. } => Some(*id),
            Self::Again { .. } | Self::Missing => None,
        }
    }
}

impl Fragment {
    pub(super) fn new(base: &str, playlist: &Playlist, offer: &Offer<'_>) -> Self {
        // What is yet to come is taken to continue the last segment.
        let segment = playlist.segment(offer.place.msn).or_else(|| playlist.segments.back());
        let in_segment = playlist.segment(offer.place.msn);
        let before_s: f64 = in_segment.map_or(0.0, |segment| segment.parts.iter().take(offer.place.part).map(|part| part.duration_s).sum());
        Self {
            place: offer.place,
            period: segment.map_or(0, |segment| segment.period),
            address: Address::new(base, offer.resource),
            map: segment.and_then(|segment| segment.map.as_deref()).map(|map| Address::new(base, map)),
            key: segment
                .and_then(|segment| segment.key.as_deref())
                .map(|key| Key { url: resolve(base, &key.uri), iv: key.iv.unwrap_or_else(|| offer.place.msn.into()) }),
            kind: offer.kind,
            duration_s: offer.duration_s,
            utc_ms: in_segment.and_then(|segment| segment.utc_ms).map(|utc| utc + before_s * 1000.0),
            state: State::Missing,
            refusals: 0,
            listed: offer.kind != MediaKind::Hint,
        }
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.state.id()
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked { .. })
    }
}
