//! Where the addresses in a playlist lead.
use alloc::{format, string::String, vec::Vec};

use tidegate_rewrite::{Pathway, Place, Places, SteeringTag};
use tidegate_stream::{OriginId, OriginPath};

use crate::{
    document::{Document, Lead},
    viewer::Viewer,
};

/// A playlist that was fetched.
pub(crate) struct Fetched<'a> {
    /// The URL that was asked for.
    pub(crate) asked: &'a str,
    /// The URL that answered, after redirects.
    pub(crate) url: &'a str,
    pub(crate) is_multivariant: bool,
}

pub(crate) fn places(document: &Document, name: &OriginId, viewer: &Viewer, fetched: &Fetched<'_>) -> Places {
    let base = document.base.as_str();
    let to = |to: String, query: String, keeps_relative: bool| Place { from: base.into(), to, query, keeps_relative };
    // With several ways, a playlist names the first; the others are made from it.
    let way = document.steering.as_ref().and_then(|steering| steering.pathways.first()).filter(|_| fetched.is_multivariant);
    let playlists = match (way, &document.playlists) {
        (Some(way), _) => Some(to(viewer.with_token(&way.base), String::new(), false)),
        // Where it is asked for here and what it is at the origin end alike, so what is relative stays right.
        (None, Lead::Edge) => {
            Some(to(format!("{}{}", viewer.prefix, OriginPath::folder(name)), String::new(), fetched.asked == fetched.url))
        }
        (None, Lead::Origin) => None,
        (None, Lead::To(base)) => Some(to(viewer.with_token(base), String::new(), false)),
    };
    let query = viewer.with_token(&document.media_query);
    let media = match (way, &document.media) {
        (Some(way), _) => Some(to(viewer.with_token(&way.base), query, false)),
        (None, Lead::To(base)) => Some(to(viewer.with_token(base), query, false)),
        (None, Lead::Origin | Lead::Edge) => (!query.is_empty()).then(|| to(base.into(), query, false)),
    };
    Places {
        base: fetched.url.into(),
        playlists: playlists.into_iter().collect(),
        media: media.into_iter().collect(),
        others: Vec::new(),
        absolute: true,
    }
}

pub(crate) fn steering(document: &Document, name: &OriginId, viewer: &Viewer) -> Option<SteeringTag> {
    let pathways = &document.steering.as_ref()?.pathways;
    let base = |pathway: &Pathway| (pathway.id.clone(), viewer.with_token(&pathway.base));
    Some(SteeringTag {
        server_uri: format!("{}{}", viewer.prefix, OriginPath::steer(name)),
        pathway: pathways.first()?.id.clone(),
        bases: pathways.iter().map(base).collect(),
    })
}
