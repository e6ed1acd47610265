use alloc::string::{String, ToString as _};

use tidegate_stream::{AsOf, Key, Msn, Segment, Timeline};

use crate::{
    MultivariantOptions,
    daterange::date_range,
    i_frames::i_frame,
    listing::{VERSION, header},
    multivariant,
    segment::{InitSizes, Writer},
};

/// Renders the media playlist that plays from the bucket alone: ordinary HLS over byte ranges of the segment bundles, with the
/// complete segments only. Its addresses are relative to `live/<stream>/<session>/`.
///
/// An init segment is listed with its range where its size is known: FFmpeg 5.1 asks for what has none with the end of the range that it
/// asked for before, and stands still.
#[must_use]
pub fn static_media(timeline: &Timeline, rendition: usize, init_sizes: &InitSizes) -> String {
    playlist(timeline, rendition, init_sizes, false)
}

/// The playlist of the key frames of a recording, in the same way.
#[must_use]
pub fn static_i_frames(timeline: &Timeline, rendition: usize, init_sizes: &InitSizes) -> String {
    playlist(timeline, rendition, init_sizes, true)
}

fn playlist(timeline: &Timeline, rendition: usize, init_sizes: &InitSizes, is_i_frames: bool) -> String {
    let newest = timeline.last().map(|last| last.msn).unwrap_or_default();
    let closed = timeline.window(newest).filter(|segment| timeline.is_closed(segment.msn));
    let count = timeline.segments().len();
    let mut writer = Writer::new(timeline, rendition, 512 + count * 144).with_init_sizes(init_sizes);
    header(&mut writer.text, timeline, VERSION);
    if is_i_frames {
        writer.text.str("#EXT-X-I-FRAMES-ONLY\n");
    }
    let folder = Folder::of(timeline);
    let mut first = true;
    for segment in closed {
        if first {
            first = false;
            writer.text.str("#EXT-X-MEDIA-SEQUENCE:").number(segment.msn.0);
            let discontinuities = writer.discontinuity_sequence(segment);
            writer.text.str("\n#EXT-X-DISCONTINUITY-SEQUENCE:").number(discontinuities).str("\n");
            for event in timeline.events(AsOf::End) {
                date_range(&mut writer.text, &event.event);
            }
        }
        if is_i_frames {
            i_frame(&mut writer, segment, segment.tracks.get(rendition).map_or(0, |track| track.offset));
        } else {
            writer.begin(segment);
            writer.extinf(segment);
            range(&mut writer, rendition, segment);
        }
        folder.segment(&mut writer, segment.msn);
    }
    if timeline.ended() {
        writer.text.str("#EXT-X-ENDLIST\n");
    }
    writer.text.finish()
}

/// Renders the multivariant playlist for the bucket; `prefix` as in [`MultivariantOptions`]. The playlists of key frames are written
/// at the end of a session only: while it lives they would cost a third more requests to the store.
#[must_use]
pub fn static_multivariant(timeline: &Timeline, prefix: &str) -> String {
    multivariant(timeline, &MultivariantOptions { prefix, i_frames: timeline.ended(), ..MultivariantOptions::default() })
}

fn range(writer: &mut Writer<'_>, rendition: usize, segment: &Segment) {
    // A gap has no bytes to name.
    if let Some(track) = segment.tracks.get(rendition).filter(|track| track.len > 0) {
        writer.text.str("#EXT-X-BYTERANGE:").number(track.len.into()).str("@").number(track.offset).str("\n");
    }
}

/// Where the segment bundles lie, relative to the folder of the session.
struct Folder {
    /// What stands before the digits of a segment's key …
    prefix: String,
    /// … and after them.
    suffix: String,
}

impl Folder {
    fn of(timeline: &Timeline) -> Self {
        let session = timeline.session();
        let key = Key::Segment { stream: session.stream.clone(), session: session.id.clone(), msn: Msn(0) }.to_string();
        let folder = key.split('/').nth(3).unwrap_or_default();
        let suffix = key.rsplit('/').next().unwrap_or_default().trim_start_matches('0');
        Self { prefix: folder.to_string() + "/", suffix: suffix.to_string() + "\n" }
    }

    fn segment(&self, writer: &mut Writer<'_>, msn: Msn) {
        writer.text.str(&self.prefix).padded::<10>(msn.0).str(&self.suffix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Log;

    #[test]
    fn addresses_of_segments_are_their_keys() {
        let log = Log::regular(12);
        let timeline = log.timeline();
        let session = timeline.session();
        let key = Key::Segment { stream: session.stream.clone(), session: session.id.clone(), msn: Msn(1) }.to_string();
        let address =
            static_media(&timeline, 0, &InitSizes::new()).lines().filter(|line| !line.starts_with('#')).nth(1).unwrap().to_string();
        assert_eq!(alloc::format!("live/{}/{}/{address}", session.stream, session.id), key);
    }
}
