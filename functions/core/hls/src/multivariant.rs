use alloc::string::String;

use tidegate_stream::{FrameRate, RenditionKind, Timeline, Track, TrackKind};

use crate::line::Text;

/// What the timeline does not know about its multivariant playlist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MultivariantOptions<'a> {
    /// What stands before the name of each media playlist: empty in the folder of the session, `<session>/` in that of the stream.
    pub prefix: &'a str,
    /// The title of the stream, for EXT-X-SESSION-DATA.
    pub title: Option<&'a str>,
}

const GROUP: &str = "audio";

/// Renders the multivariant playlist: video from the best rendition to the lowest, the audio renditions as one group; the audio
/// renditions as variants where the session has no video.
#[must_use]
pub fn multivariant(timeline: &Timeline, options: &MultivariantOptions<'_>) -> String {
    let rows = |kind| rows(timeline, kind);
    let has_video = rows(RenditionKind::Video).next().is_some();
    let mut text = Text::with_capacity(256 + timeline.session().renditions.len() * 256);
    text.str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if let Some(title) = options.title.filter(|title| !title.is_empty()) {
        text.str("#EXT-X-SESSION-DATA:DATA-ID=\"com.tidegate.title\",VALUE=\"").str(&quotable(title)).str("\"\n");
    }
    if !has_video {
        for row in rows(RenditionKind::Audio) {
            stream_inf(&mut text, &row, None);
            address(&mut text, options, &row);
        }
        return text.finish();
    }
    let mut loudest: Option<Row<'_>> = None;
    for (index, row) in rows(RenditionKind::Audio).enumerate() {
        text.str("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"").str(GROUP).str("\",NAME=\"").str(row.id).str("\"");
        text.str(if index == 0 { ",DEFAULT=YES,AUTOSELECT=YES" } else { ",DEFAULT=NO,AUTOSELECT=YES" });
        if let TrackKind::Audio { channels, .. } = row.track.kind {
            text.str(",CHANNELS=\"").number(channels.into()).str("\"");
        }
        text.str(",URI=\"").str(options.prefix).str(row.id).str(".m3u8\"\n");
        // Any rendition of the group may be heard with any variant; the bandwidth is that of the dearest.
        if loudest.as_ref().is_none_or(|loudest| loudest.peak_bps < row.peak_bps) {
            loudest = Some(row);
        }
    }
    for row in rows(RenditionKind::Video) {
        stream_inf(&mut text, &row, loudest.as_ref());
        address(&mut text, options, &row);
    }
    text.finish()
}

/// A rendition with its newest configuration.
struct Row<'a> {
    id: &'a str,
    track: &'a Track,
    /// The highest bit rate of a segment: what is expected, or what there was if that is more.
    peak_bps: u64,
    /// Over a whole recording; of a live session it is not known.
    average_bps: Option<u64>,
}

fn rows(timeline: &Timeline, kind: RenditionKind) -> impl Iterator<Item = Row<'_>> {
    let all = timeline.session().renditions.iter().enumerate();
    all.filter(move |(_, rendition)| rendition.kind == kind).filter_map(|(index, rendition)| {
        let track = timeline.periods().iter().rev().find_map(|period| period.tracks.get(index)?.as_ref())?;
        let expected_bps = u64::from(track.bandwidth_bps);
        let (peak_bps, average_bps) = if timeline.ended() { measured(timeline, index, expected_bps) } else { (expected_bps, None) };
        Some(Row { id: rendition.id.as_str(), track, peak_bps, average_bps })
    })
}

/// Peak and average of a recording.
fn measured(timeline: &Timeline, rendition: usize, expected_bps: u64) -> (u64, Option<u64>) {
    let bps = |bytes: u64, micros: u64| u64::try_from(u128::from(bytes) * 8_000_000 / u128::from(micros).max(1)).unwrap_or(u64::MAX);
    let (mut peak, mut bytes, mut micros) = (expected_bps, 0, 0);
    for segment in timeline.segments() {
        let share = segment.tracks.get(rendition).filter(|share| share.len > 0 && share.duration > 0);
        if let Some((share, track)) = share.zip(timeline.track(segment, rendition)) {
            let length = track.micros(share.duration);
            bytes += u64::from(share.len);
            micros += length;
            // The rate of half a second at the end of a session says nothing about the network that it takes (rfc8216bis 4.4.6.2).
            if length * 2 >= u64::from(timeline.session().target_duration_s) * 1_000_000 {
                peak = peak.max(bps(share.len.into(), length));
            }
        }
    }
    (peak, Some(bps(bytes, micros)).filter(|average| *average > 0))
}

fn stream_inf(text: &mut Text, row: &Row<'_>, audio: Option<&Row<'_>>) {
    let bandwidth = row.peak_bps + audio.map_or(0, |audio| audio.peak_bps);
    text.str("#EXT-X-STREAM-INF:BANDWIDTH=").number(bandwidth);
    let average = match audio {
        Some(audio) => row.average_bps.zip(audio.average_bps).map(|(video, audio)| video + audio),
        None => row.average_bps,
    };
    if let Some(average) = average {
        text.str(",AVERAGE-BANDWIDTH=").number(average);
    }
    text.str(",CODECS=\"").str(&quotable(&row.track.codec));
    if let Some(audio) = audio {
        text.str(",").str(&quotable(&audio.track.codec));
    }
    text.str("\"");
    if let TrackKind::Video { width, height, frame_rate } = row.track.kind {
        text.str(",RESOLUTION=").number(width.into()).str("x").number(height.into());
        if let Some(FrameRate { numerator, denominator }) = frame_rate {
            let scale = u64::from(denominator.max(1));
            let millis = (u64::from(numerator) * 1000 + scale / 2) / scale;
            text.str(",FRAME-RATE=").number(millis / 1000).str(".").padded::<3>(millis % 1000);
        }
    }
    if audio.is_some() {
        text.str(",AUDIO=\"").str(GROUP).str("\"");
    }
    text.str(",CLOSED-CAPTIONS=NONE\n");
}

fn address(text: &mut Text, options: &MultivariantOptions<'_>, row: &Row<'_>) {
    text.str(options.prefix).str(row.id).str(".m3u8\n");
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
