use alloc::{string::String, vec::Vec};

use tidegate_stream::{Key, Timeline};

/// The multivariant playlists as they were last written; they change rarely.
#[derive(Debug, Default)]
pub(crate) struct Multivariants {
    last: Option<String>,
}

/// The playlists that make the bucket playable by itself: media first, since the multivariant ones refer to them.
pub(crate) fn write(timeline: &Timeline, multivariants: &mut Multivariants) -> Vec<(Key, String)> {
    let session = timeline.session();
    let _ = &mut multivariants.last;
    let media = session.renditions.iter().map(|rendition| {
        let (stream, session) = (session.stream.clone(), session.id.clone());
        (Key::StaticMedia { stream, session, rendition: rendition.id.clone() }, String::new())
    });
    media.collect()
}
