//! Playlist text becomes what the engine works with.

use alloc::{collections::VecDeque, rc::Rc, sync::Arc, vec::Vec};

use tidegate_hls::read::{self as hls, Media, MediaKind, Multivariant, PlaylistType, PreloadKind, parse};

use crate::{
    ladder::{Ladder, Rendition, Variant},
    playlist::{Key, Part, Place, Playlist, Resource, Segment, Start},
    uri::resolve,
};

/// Sound and captions that are looked at: real lists have up to fifty.
const MAX_RENDITIONS: usize = 200;
const DESCRIBES_SOUND: &str = "public.accessibility.describes-music-and-sound";

/// What lies at the address that is to be played.
pub(crate) enum Read {
    Multivariant(Ladder),
    Media,
}

/// Reads a playlist of either kind.
pub(crate) fn any(url: &str, text: &str) -> Option<Read> {
    Some(match parse(text).ok()? {
        hls::Playlist::Multivariant(list) => Read::Multivariant(ladder(url, list)),
        hls::Playlist::Media(_) => Read::Media,
    })
}

/// The ladder of a media playlist that is played by itself.
pub(crate) fn only(url: &str) -> Ladder {
    let variant = Variant { url: url.into(), ..Variant::default() };
    Ladder::new(Vec::from([variant]), Vec::new(), Vec::new())
}

fn ladder(url: &str, list: Multivariant) -> Ladder {
    let variants = list.variants.into_iter().map(|variant| Variant {
        url: resolve(url, &variant.uri),
        bandwidth_bps: variant.bandwidth_bps,
        average_bps: variant.average_bandwidth_bps,
        width: variant.resolution.map_or(0, |(width, _)| width),
        height: variant.resolution.map_or(0, |(_, height)| height),
        frame_rate_millis: variant.frame_rate_millis.unwrap_or(0),
        codecs: variant.codecs.unwrap_or_default().split(',').map(str::trim).filter(|codec| !codec.is_empty()).map(Into::into).collect(),
        audio_group: variant.audio,
        text_group: variant.subtitles,
    });
    let variants = variants.collect();
    let (mut audio, mut texts) = (Vec::new(), Vec::new());
    for rendition in list.renditions.into_iter().take(MAX_RENDITIONS) {
        let to = match rendition.kind {
            MediaKind::Audio => &mut audio,
            MediaKind::Subtitles => &mut texts,
            MediaKind::Video | MediaKind::ClosedCaptions => continue,
        };
        let Some(uri) = rendition.uri else { continue };
        let describes = rendition.attributes.0.iter().any(|(name, value)| name == "CHARACTERISTICS" && value.contains(DESCRIBES_SOUND));
        to.push(Rendition {
            group: rendition.group_id,
            url: resolve(url, &uri),
            name: rendition.name,
            language: rendition.language.unwrap_or_default(),
            default: rendition.default,
            describes_sound: describes,
        });
    }
    Ladder { start: list.start.map(start), ..Ladder::new(variants, audio, texts) }
}

fn start((offset_us, precise): (i64, bool)) -> Start {
    Start { offset_s: offset_us as f64 / 1e6, precise }
}

/// Reads a media playlist, which may be a delta.
pub(crate) fn media(text: &str) -> Option<Media> {
    match parse(text).ok()? {
        hls::Playlist::Media(media) => Some(media),
        hls::Playlist::Multivariant(_) => None,
    }
}

/// The place of what comes after all that a playlist lists.
pub(crate) fn next_place(media: &Media) -> Place {
    Place { msn: media.open_msn().0, part: media.open.as_ref().map_or(0, |open| open.parts.len()) }
}

/// Completes a playlist with what a delta leaves out, taken from `old`. Where that is not known, `old` stays as it is.
pub(crate) fn complete(media: Media, old: &mut Option<Playlist>) -> Option<Playlist> {
    let mut segments = VecDeque::new();
    let first_msn = media.media_sequence.0;
    if let Some(skip) = &media.skip {
        let old = old.as_mut()?;
        let known = first_msn.checked_sub(old.first_msn).and_then(|passed| usize::try_from(passed).ok());
        let wanted = usize::try_from(skip.segments).ok();
        let closed = old.segments.iter().filter(|segment| !segment.is_open()).count();
        match (known, wanted) {
            (Some(passed), Some(wanted)) if passed.checked_add(wanted).is_some_and(|all| all <= closed) => {
                segments = core::mem::take(&mut old.segments);
                segments.drain(..passed);
                segments.truncate(wanted);
            }
            _ => return None,
        }
    }
    for skipped in &mut segments {
        // What is old enough to be left out has lost its parts.
        skipped.parts = Vec::new();
    }
    let passed = segments.back().map_or(0, |last| last.period.saturating_sub(media.discontinuity_sequence));
    let mut map = segments.back().and_then(|last| last.map.clone());
    let mut map_read = None;
    let mut key_read: Option<Arc<hls::KeyTag>> = None;
    let (mut encrypted, mut protected) = (false, false);
    for segment in media.segments.into_iter().chain(media.open) {
        // Segments after one EXT-X-MAP share it, so that it is copied once.
        if let Some(own) = segment.map.filter(|own| !map_read.as_ref().is_some_and(|read| Arc::ptr_eq(read, own))) {
            map = Some(Rc::new(resource(own.uri.clone(), own.byte_range)));
            map_read = Some(own);
        }
        let key = match segment.keys.iter().find(|key| is_plain_aes(key)) {
            Some(tag) if key_read.as_ref().is_some_and(|read| Arc::ptr_eq(read, tag)) => {
                segments.back().and_then(|last: &Segment| last.key.clone())
            }
            Some(tag) => {
                key_read = Some(tag.clone());
                let iv = tag.attributes.0.iter().find(|(name, _)| name == "IV").and_then(|(_, value)| initial_value(value));
                tag.uri.clone().map(|uri| Rc::new(Key { uri, iv }))
            }
            None => {
                protected |= !segment.keys.is_empty();
                None
            }
        };
        encrypted |= key.is_some();
        let after_last = segments.back().and_then(|last: &Segment| Some(last.utc_ms? + last.duration_s * 1000.0));
        let own_clock = segment.program_date_time_us.map(|utc_us| utc_us as f64 / 1000.0);
        segments.push_back(Segment {
            period: segment.discontinuity_sequence.saturating_add(passed),
            duration_s: seconds(segment.duration_us),
            utc_ms: own_clock.or(after_last),
            resource: (!segment.uri.is_empty()).then(|| resource(segment.uri, segment.byte_range)),
            map: map.clone(),
            key,
            gap: segment.gap,
            parts: segment.parts.into_iter().map(part).collect(),
        });
    }
    let control = media.server_control.unwrap_or_default();
    let hint = media.preload_hints.into_iter().find(|hint| hint.kind == PreloadKind::Part).map(|hint| Resource {
        uri: hint.uri,
        range: hint.length.and_then(|length| Some((hint.start, hint.start.checked_add(length)?.checked_sub(1)?))),
    });
    Some(Playlist {
        // A target duration of 0 would make every wait endless.
        target_s: f64::from(media.target_duration_s.max(1)),
        part_target_s: media.part_target_us.filter(|target| *target > 0).map(seconds),
        hold_back_s: control.hold_back_us.map(seconds),
        part_hold_back_s: control.part_hold_back_us.map(seconds),
        can_block: control.can_block_reload,
        // A delta does not say whether the key of what it leaves out goes on.
        can_skip_until_s: control.can_skip_until_us.filter(|_| !encrypted).map(seconds),
        start: media.start.map(start),
        ended: media.ended,
        grows: media.playlist_type == Some(PlaylistType::Event),
        protected,
        first_msn,
        segments,
        hint,
    })
}

/// METHOD=AES-128 with a key that is simply at an address.
fn is_plain_aes(key: &hls::KeyTag) -> bool {
    key.method == "AES-128" && key.attributes.0.iter().all(|(name, value)| name != "KEYFORMAT" || value == "identity")
}

fn initial_value(text: &str) -> Option<u128> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u128::from_str_radix(digits, 16).ok()
}

fn part(part: hls::Part) -> Part {
    Part {
        duration_s: seconds(part.duration_us),
        resource: resource(part.uri, part.byte_range),
        independent: part.independent,
        gap: part.gap,
    }
}

fn resource(uri: alloc::string::String, range: Option<hls::ByteRange>) -> Resource {
    let last = |range: hls::ByteRange| range.offset.checked_add(range.length)?.checked_sub(1);
    Resource { uri, range: range.and_then(|range| Some((range.offset, last(range)?))) }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    const WHOLE: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n\
        #EXT-X-MAP:URI=\"a.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n#EXTINF:2,\n5.m4s\n#EXT-X-DISCONTINUITY\n\
        #EXT-X-MAP:URI=\"b.mp4\",BYTERANGE=\"10@20\"\n#EXTINF:2,\n6.m4s\n#EXTINF:1.5,\n#EXT-X-BYTERANGE:100@50\n7.m4s\n";

    fn whole() -> Playlist {
        complete(media(WHOLE).unwrap(), &mut None).unwrap()
    }

    #[test]
    fn segments_know_their_period_map_range_and_clock() {
        let list = whole();
        let seen: Vec<_> = list
            .numbered()
            .map(|(msn, segment)| {
                (msn, segment.period, segment.map.as_deref().unwrap().uri.clone(), segment.utc_ms.unwrap() - 1_767_225_600_000.0)
            })
            .collect();
        assert_eq!(seen, [(5, 1, "a.mp4".into(), 0.0), (6, 2, "b.mp4".into(), 2000.0), (7, 2, "b.mp4".into(), 4000.0)]);
        assert_eq!(list.segment(7).unwrap().resource.as_ref().unwrap().range, Some((50, 149)));
        assert_eq!(list.segment(6).unwrap().map.as_ref().unwrap().range, Some((20, 29)));
        assert_eq!(list.next_place(), Place::segment(8));
    }

    #[test]
    fn a_delta_takes_what_it_leaves_out_from_the_state_before() {
        let delta = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:6\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n\
            #EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXTINF:1.5,\n7.m4s\n#EXT-X-PART:DURATION=0.5,URI=\"8.0.m4s\",INDEPENDENT=YES\n";
        let list = complete(media(delta).unwrap(), &mut Some(whole())).unwrap();
        assert_eq!(list.first_msn, 6);
        assert_eq!(list.next_place(), Place { msn: 8, part: 1 });
        let open = list.segment(8).unwrap();
        assert_eq!((open.period, open.map.as_deref().unwrap().uri.as_str()), (2, "b.mp4"));
        assert_eq!(open.utc_ms, Some(1_767_225_605_500.0));
        let far = delta.replace("SKIPPED-SEGMENTS=1", "SKIPPED-SEGMENTS=9");
        let mut known = Some(whole());
        assert_eq!(complete(media(&far).unwrap(), &mut known), None);
        assert_eq!(known, Some(whole()));
    }

    #[test]
    fn keys_hold_until_the_next_one_and_their_first_value_is_read() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12\n#EXTINF:2,\n0.m4s\n\
            #EXT-X-KEY:METHOD=AES-128,URI=\"a.key\",IV=0x1F\n#EXTINF:2,\n1.m4s\n#EXTINF:2,\n2.m4s\n\
            #EXT-X-KEY:METHOD=AES-128,URI=\"b.key\"\n#EXTINF:2,\n3.m4s\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\n4.m4s\n";
        let list = complete(media(text).unwrap(), &mut None).unwrap();
        let keys: Vec<_> = list.segments.iter().map(|segment| segment.key.as_deref().map(|key| (key.uri.as_str(), key.iv))).collect();
        assert_eq!(keys, [None, Some(("a.key", Some(31))), Some(("a.key", Some(31))), Some(("b.key", None)), None]);
        assert_eq!((list.protected, list.can_skip_until_s), (false, None));
        let other = text.replace("AES-128,URI=\"b", "SAMPLE-AES,URI=\"b");
        assert!(complete(media(&other).unwrap(), &mut None).unwrap().protected);
    }

    #[test]
    fn variants_and_their_sound_have_absolute_addresses() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",DEFAULT=YES,URI=\"s/audio.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"avc1.64001f, mp4a.40.2\",RESOLUTION=1280x720,AUDIO=\"a\"\ns/high.m3u8\n";
        let Some(Read::Multivariant(ladder)) = any("http://h/live/demo/index.m3u8", text) else { panic!("not multivariant") };
        let variant = ladder.variants.first().unwrap();
        assert_eq!((variant.url.as_str(), variant.height), ("http://h/live/demo/s/high.m3u8", 720));
        assert_eq!(variant.codecs, [String::from("avc1.64001f"), "mp4a.40.2".into()]);
        assert_eq!(ladder.audio_of(variant).unwrap().url, "http://h/live/demo/s/audio.m3u8");
    }
}
