use alloc::{format, string::String, vec::Vec};

use tidegate_hls::{InitSizes, static_i_frames, static_media, static_multivariant};
use tidegate_stream::{Key, RenditionKind, Timeline};

/// The multivariant playlists as they were last written: they change rarely, so they are rarely written.
#[derive(Debug, Default)]
pub(crate) struct Multivariants {
    session: String,
    stream: String,
}

/// The playlists that make the bucket playable by itself: media first, since the multivariant ones refer to them.
pub(crate) fn write(timeline: &Timeline, init_sizes: &InitSizes, last: &mut Multivariants) -> Vec<(Key, String)> {
    let session = timeline.session();
    let media = session.renditions.iter().enumerate().map(|(index, rendition)| {
        let (stream, session) = (session.stream.clone(), session.id.clone());
        (Key::StaticMedia { stream, session, rendition: rendition.id.clone() }, static_media(timeline, index, init_sizes))
    });
    let mut playlists: Vec<_> = media.collect();
    if timeline.ended() {
        let video = session.renditions.iter().enumerate().filter(|(_, rendition)| rendition.kind == RenditionKind::Video);
        playlists.extend(video.map(|(index, rendition)| {
            let (stream, session) = (session.stream.clone(), session.id.clone());
            (Key::StaticIFrames { stream, session, rendition: rendition.id.clone() }, static_i_frames(timeline, index, init_sizes))
        }));
    }
    let of_session = static_multivariant(timeline, "");
    if of_session != last.session {
        last.session.clone_from(&of_session);
        playlists.push((Key::SessionMultivariant { stream: session.stream.clone(), session: session.id.clone() }, of_session));
    }
    let of_stream = static_multivariant(timeline, &format!("{}/", session.id));
    if of_stream != last.stream {
        last.stream.clone_from(&of_stream);
        playlists.push((Key::StaticMultivariant { stream: session.stream.clone() }, of_stream));
    }
    playlists
}
