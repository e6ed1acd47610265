//! Outputs and figures as JSON. Written by hand: these few shapes need no library, and its code would be a third of the
//! module that a viewer downloads.

use core::fmt::Write as _;

use tidegate_engine::{Event, MediaKind, Output, Reason, Stats, Track};

/// Writes an output.
pub(crate) fn output(output: &Output) -> String {
    match output {
        Output::FetchPlaylist { id, url } => Object::new("fetchPlaylist").number("id", *id).text("url", url).end(),
        Output::FetchMedia { id, url, range, track, kind } => {
            let object = Object::new("fetchMedia")
                .number("id", *id)
                .text("url", url)
                .number("track", number_of(*track))
                .text("kind", name_of(*kind));
            match range {
                Some((first, last)) => object.number("first", *first).number("last", *last).end(),
                None => object.end(),
            }
        }
        Output::Drop { id } => Object::new("drop").number("id", *id).end(),
        Output::OpenTracks { video, audio } => {
            Object::new("openTracks").maybe("video", video.as_deref()).maybe("audio", audio.as_deref()).end()
        }
        Output::Append { track, id, offset_s } => {
            Object::new("append").number("track", number_of(*track)).number("id", *id).float("offset", Some(*offset_s)).end()
        }
        Output::Remove { track, from_s, to_s } => {
            Object::new("remove").number("track", number_of(*track)).float("from", Some(*from_s)).float("to", Some(*to_s)).end()
        }
        Output::Seek { to_s } => Object::new("seek").float("to", Some(*to_s)).end(),
        Output::Rate { rate } => Object::new("rate").float("rate", Some(*rate)).end(),
        Output::Seekable { from_s, to_s, live } => {
            Object::new("seekable").float("from", Some(*from_s)).float("to", Some(*to_s)).bool("live", *live).end()
        }
        Output::EndOfStream => Object::new("endOfStream").end(),
        Output::Event(event) => self::event(event),
        _ => Object::new("unknown").end(),
    }
}

fn event(event: &Event) -> String {
    let named = |name: &str| Object::new("event").text("name", name);
    match event {
        Event::Offline => named("offline").end(),
        Event::Playing => named("playing").end(),
        Event::LevelSwitched { rung, rungs, bandwidth_bps, height } => named("level")
            .number("rung", *rung as u64)
            .number("rungs", *rungs as u64)
            .number("bandwidth", *bandwidth_bps)
            .number("height", *height)
            .end(),
        Event::Ended => named("ended").end(),
        Event::NewSession => named("newSession").end(),
        Event::Error { reason } => named("error")
            .text(
                "reason",
                match reason {
                    Reason::Playlist => "playlist",
                    Reason::Codecs => "codecs",
                    Reason::Decode => "decode",
                },
            )
            .end(),
        _ => named("unknown").end(),
    }
}

/// Writes the figures.
pub(crate) fn stats(stats: &Stats) -> String {
    Object::empty()
        .bool("live", stats.live)
        .bool("atLiveEdge", stats.at_live_edge)
        .float("programDateTime", stats.program_date_time_ms)
        .float("latency", stats.latency_s)
        .float("edgeDistance", stats.edge_distance_s)
        .float("target", stats.target_s)
        .float("buffer", Some(stats.buffer_s))
        .number("rung", stats.rung as u64)
        .number("rungs", stats.rungs as u64)
        .number("bitrate", stats.bandwidth_bps)
        .number("height", stats.height)
        .float("bandwidth", stats.estimate_bps)
        .number("stalls", stats.stalls)
        .float("rate", Some(stats.rate))
        .end()
}

fn number_of(track: Track) -> u32 {
    match track {
        Track::Video => 0,
        Track::Audio => 1,
    }
}

fn name_of(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Init => "init",
        MediaKind::Segment => "segment",
        MediaKind::Part => "part",
        MediaKind::Hint => "hint",
    }
}

/// A JSON object that is being written.
struct Object(String);

impl Object {
    fn empty() -> Self {
        Self("{".into())
    }

    fn new(what: &str) -> Self {
        Self::empty().text("do", what)
    }

    fn key(mut self, key: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        let mut object = self.key(key);
        object.0.push('"');
        for letter in value.chars() {
            match letter {
                '"' | '\\' => {
                    object.0.push('\\');
                    object.0.push(letter);
                }
                control if control < ' ' => {
                    // Writing to a string cannot fail.
                    let _ = write!(object.0, "\\u{:04x}", control as u32);
                }
                plain => object.0.push(plain),
            }
        }
        object.0.push('"');
        object
    }

    fn maybe(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    fn number(self, key: &str, value: impl Into<u64>) -> Self {
        let mut object = self.key(key);
        let _ = write!(object.0, "{}", value.into());
        object
    }

    /// Writes millionths; what is unknown, no number or beyond 285,000 years of seconds is `null`.
    ///
    /// The standard way to write a float exactly would be a tenth of the module.
    fn float(self, key: &str, value: Option<f64>) -> Self {
        let mut object = self.key(key);
        match value.filter(|value| value.abs() < 9e12) {
            Some(value) => {
                let sign = if value < 0.0 { "-" } else { "" };
                let millionths = (value.abs() * 1e6 + 0.5) as u64;
                let _ = write!(object.0, "{sign}{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
            }
            None => object.0.push_str("null"),
        }
        object
    }

    fn bool(self, key: &str, value: bool) -> Self {
        let mut object = self.key(key);
        object.0.push_str(if value { "true" } else { "false" });
        object
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_json_whatever_their_text() {
        let url = "http://a/\"\\\u{1}ü".into();
        assert_eq!(output(&Output::FetchPlaylist { id: 7, url }), r#"{"do":"fetchPlaylist","id":7,"url":"http://a/\"\\\u0001ü"}"#);
        assert_eq!(output(&Output::Seek { to_s: f64::NAN }), r#"{"do":"seek","to":null}"#);
        let fetch = Output::FetchMedia { id: 1, url: "u".into(), range: Some((0, 9)), track: Track::Audio, kind: MediaKind::Hint };
        assert_eq!(output(&fetch), r#"{"do":"fetchMedia","id":1,"url":"u","track":1,"kind":"hint","first":0,"last":9}"#);
        assert_eq!(output(&Output::OpenTracks { video: None, audio: Some("a".into()) }), r#"{"do":"openTracks","audio":"a"}"#);
    }

    #[test]
    fn numbers_keep_six_decimals() {
        let seek = |to_s| output(&Output::Seek { to_s });
        assert_eq!(seek(1234.5678915), r#"{"do":"seek","to":1234.567892}"#);
        assert_eq!(seek(-0.000_001), r#"{"do":"seek","to":-0.000001}"#);
        assert_eq!(seek(1e300), r#"{"do":"seek","to":null}"#);
    }

    #[test]
    fn figures_that_are_not_known_are_null() {
        let text = stats(&Stats { stalls: 2, ..Stats::default() });
        assert!(text.contains(r#""latency":null"#) && text.contains(r#""stalls":2"#), "{text}");
    }
}
