use alloc::string::String;

use tidegate_stream::{FrameRate, RenditionKind, Segment, Timeline, Track, TrackKind};

use crate::{i_frames::has_i_frames, line::Text};

/// What the timeline does not know about its multivariant playlist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MultivariantOptions<'a> {
    /// What stands before the name of each media playlist: empty in the folder of the session, `<session>/` in that of the stream.
    pub prefix: &'a str,
    /// A query for the addresses of media playlists, without its `?`; empty for none.
    pub query: &'a str,
    /// What the stream is about, for EXT-X-SESSION-DATA.
    pub description: Description<'a>,
    /// Whether the playlists of key frames are there.
    pub i_frames: bool,
}

/// What a stream is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Description<'a> {
    /// One line.
    pub title: &'a str,
    /// More.
    pub text: &'a str,
    /// Words to find it by.
    pub tags: &'a [String],
}

/// No text of the session data is longer, in bytes: what is longer is cut.
const SESSION_DATA_MAX: usize = 2000;

const GROUP: &str = "audio";

/// What stands between the name of a rendition and `.m3u8` for its key frames.
const I_FRAMES: &str = ".iframes";

/// Renders the multivariant playlist: video from the best rendition to the lowest, the audio renditions as one group; the audio
/// renditions as variants where the session has no video.
#[must_use]
pub fn multivariant(timeline: &Timeline, options: &MultivariantOptions<'_>) -> String {
    let rows = |kind| rows(timeline, kind);
    let has_video = rows(RenditionKind::Video).next().is_some();
    let mut text = Text::with_capacity(256 + timeline.session().renditions.len() * 256);
    text.str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    session_data(&mut text, options.description);
    if !has_video {
        for row in rows(RenditionKind::Audio) {
            stream_inf(&mut text, &row, None);
            address(&mut text, options, &row, "");
            text.str("\n");
        }
        return text.finish();
    }
    let mut loudest: Option<Row<'_>> = None;
    for (index, row) in rows(RenditionKind::Audio).enumerate() {
        text.str("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"").str(GROUP).str("\",NAME=\"").str(row.id).str("\"");
        // HLS authoring specification 8.10: it has to be there. The sources that come in name no language.
        text.str(",LANGUAGE=\"und\"");
        text.str(if index == 0 { ",DEFAULT=YES,AUTOSELECT=YES" } else { ",DEFAULT=NO,AUTOSELECT=YES" });
        if let TrackKind::Audio { channels, .. } = row.track.kind {
            text.str(",CHANNELS=\"").number(channels.into()).str("\"");
        }
        text.str(",URI=\"");
        address(&mut text, options, &row, "");
        text.str("\"\n");
        // Any rendition of the group may be heard with any variant; the bandwidth is that of the dearest.
        if loudest.as_ref().is_none_or(|loudest| loudest.peak_bps < row.peak_bps) {
            loudest = Some(row);
        }
    }
    for row in rows(RenditionKind::Video) {
        stream_inf(&mut text, &row, loudest.as_ref());
        address(&mut text, options, &row, "");
        text.str("\n");
    }
    for row in rows(RenditionKind::Video).filter(|row| options.i_frames && has_i_frames(timeline, row.index)) {
        let bandwidth = key_frames_bps(timeline, row.index, row.peak_bps);
        text.str("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=").number(bandwidth).str(",CODECS=\"").str(&quotable(&row.track.codec)).str("\"");
        resolution(&mut text, row.track);
        text.str(",URI=\"");
        address(&mut text, options, &row, I_FRAMES);
        text.str("\"\n");
    }
    text.finish()
}

fn session_data(text: &mut Text, description: Description<'_>) {
    let tags = description.tags.join(", ");
    for (name, value) in [("title", description.title), ("description", description.text), ("tags", &tags)] {
        let end = (0..=value.len().min(SESSION_DATA_MAX)).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
        let value = value.get(..end).unwrap_or_default();
        if !value.is_empty() {
            text.str("#EXT-X-SESSION-DATA:DATA-ID=\"com.tidegate.").str(name).str("\",VALUE=\"").str(&quotable(value)).str("\"\n");
        }
    }
}

/// The highest bit rate of key frames: what they take where each segment shows one. Before one is known, no more than the segments.
fn key_frames_bps(timeline: &Timeline, rendition: usize, segments_bps: u64) -> u64 {
    let rate = |segment: &Segment| {
        let share = segment.tracks.get(rendition).filter(|share| share.key_len > 0 && share.duration > 0)?;
        let micros = timeline.track(segment, rendition)?.micros(share.duration).max(1);
        u64::try_from(u128::from(share.key_len) * 8_000_000 / u128::from(micros)).ok()
    };
    let newest = timeline.segments().iter().rev().filter(|segment| timeline.is_closed(segment.msn)).take(KEY_FRAME_SEGMENTS);
    newest.filter_map(rate).max().unwrap_or(segments_bps)
}

/// Segments whose key frames say what key frames take.
const KEY_FRAME_SEGMENTS: usize = 64;

/// A rendition with its newest configuration.
struct Row<'a> {
    index: usize,
    id: &'a str,
    track: &'a Track,
    /// The highest bit rate of a segment: what is expected, or what there was if that is more.
    peak_bps: u64,
    /// Over a whole recording; of a live session over its newest segments, and as expected while there is none.
    average_bps: u64,
}

fn rows(timeline: &Timeline, kind: RenditionKind) -> impl Iterator<Item = Row<'_>> {
    let all = timeline.session().renditions.iter().enumerate();
    all.filter(move |(_, rendition)| rendition.kind == kind).filter_map(|(index, rendition)| {
        let track = timeline.periods().iter().rev().find_map(|period| period.tracks.get(index)?.as_ref())?;
        let expected_bps = u64::from(track.bandwidth_bps);
        let (peak_bps, average_bps) = measured(timeline, index, expected_bps);
        Some(Row { index, id: rendition.id.as_str(), track, peak_bps, average_bps })
    })
}

/// Segments of a live session that say what it costs on average: the newest two minutes of two-second segments.
const AVERAGE_SEGMENTS: usize = 64;

/// Peak and average: of a recording as it is, of a live session as expected and as it has been of late.
fn measured(timeline: &Timeline, rendition: usize, expected_bps: u64) -> (u64, u64) {
    let bps = |bytes: u64, micros: u64| u64::try_from(u128::from(bytes) * 8_000_000 / u128::from(micros).max(1)).unwrap_or(u64::MAX);
    let most = if timeline.ended() { usize::MAX } else { AVERAGE_SEGMENTS };
    let (mut peak, mut bytes, mut micros) = (expected_bps, 0, 0);
    for segment in timeline.segments().iter().rev().filter(|segment| timeline.is_closed(segment.msn)).take(most) {
        let share = segment.tracks.get(rendition).filter(|share| share.len > 0 && share.duration > 0);
        if let Some((share, track)) = share.zip(timeline.track(segment, rendition)) {
            let length = track.micros(share.duration);
            bytes += u64::from(share.len);
            micros += length;
            // The rate of half a second at the end of a session says nothing about the network that it takes (rfc8216bis 4.4.6.2).
            if timeline.ended() && length * 2 >= u64::from(timeline.session().target_duration_s) * 1_000_000 {
                peak = peak.max(bps(share.len.into(), length));
            }
        }
    }
    (peak, if bytes > 0 { bps(bytes, micros).min(peak) } else { peak })
}

fn stream_inf(text: &mut Text, row: &Row<'_>, audio: Option<&Row<'_>>) {
    let bandwidth = row.peak_bps + audio.map_or(0, |audio| audio.peak_bps);
    text.str("#EXT-X-STREAM-INF:BANDWIDTH=").number(bandwidth);
    let average = row.average_bps + audio.map_or(0, |audio| audio.average_bps);
    // HLS authoring specification 9.14: it has to be there.
    text.str(",AVERAGE-BANDWIDTH=").number(average);
    text.str(",CODECS=\"").str(&quotable(&row.track.codec));
    if let Some(audio) = audio {
        text.str(",").str(&quotable(&audio.track.codec));
    }
    text.str("\"");
    resolution(text, row.track);
    if let TrackKind::Video { frame_rate: Some(FrameRate { numerator, denominator }), .. } = row.track.kind {
        let scale = u64::from(denominator.max(1));
        let millis = (u64::from(numerator) * 1000 + scale / 2) / scale;
        text.str(",FRAME-RATE=").number(millis / 1000).str(".").padded::<3>(millis % 1000);
    }
    if audio.is_some() {
        text.str(",AUDIO=\"").str(GROUP).str("\"");
    }
    text.str(",CLOSED-CAPTIONS=NONE\n");
}

fn resolution(text: &mut Text, track: &Track) {
    if let TrackKind::Video { width, height, .. } = track.kind {
        text.str(",RESOLUTION=").number(width.into()).str("x").number(height.into());
    }
}

fn address(text: &mut Text, options: &MultivariantOptions<'_>, row: &Row<'_>, kind: &str) {
    text.str(options.prefix).str(row.id).str(kind).str(".m3u8");
    if !options.query.is_empty() {
        text.str("?").str(options.query);
    }
}

/// A quoted string holds neither quotation marks nor ends of lines.
fn quotable(text: &str) -> String {
    let plain = |c| match c {
        '"' => '\'',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(plain).collect()
}
