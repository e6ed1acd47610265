//! What the engine asks for, as a code, five numbers and three texts.

use alloc::string::String;

use tidegate_engine::{Event, MediaKind, Output, Reason, Track};

const NAN: f64 = f64::NAN;

/// A code, its numbers, its texts.
type Coded = (u32, [f64; 5], [String; 3]);

pub(crate) fn coded(output: Output) -> Coded {
    let one = |code: u32, number: f64| (code, [number, NAN, NAN, NAN, NAN], Default::default());
    match output {
        Output::FetchPlaylist { id, url } => (1, [id.into(), NAN, NAN, NAN, NAN], [url, String::new(), String::new()]),
        Output::FetchMedia { id, url, range, track, kind, key } => {
            let (first, last) = range.map_or((NAN, NAN), |(first, last)| (first as f64, last as f64));
            let (key, iv) = key.map(|key| (key.url, hex(key.iv))).unwrap_or_default();
            (2, [id.into(), number_of(track), kind_of(kind), first, last], [url, key, iv])
        }
        Output::Drop { id } => one(3, id.into()),
        Output::OpenTracks { video, audio } => (4, [NAN; 5], [video.unwrap_or_default(), audio.unwrap_or_default(), String::new()]),
        Output::Append { track, id, offset_s } => (5, [id.into(), number_of(track), offset_s, NAN, NAN], Default::default()),
        Output::Remove { track, from_s, to_s } => (6, [NAN, number_of(track), from_s, to_s, NAN], Default::default()),
        Output::Seek { to_s } => one(7, to_s),
        Output::Rate { rate } => one(8, rate),
        Output::Seekable { from_s, to_s, live } => (9, [from_s, to_s, f64::from(u8::from(live)), NAN, NAN], Default::default()),
        Output::EndOfStream => one(10, NAN),
        Output::Event(event) => match event {
            Event::Offline => one(11, NAN),
            Event::Playing => one(12, NAN),
            Event::LevelSwitched { rung, rungs, bandwidth_bps, height } => {
                (13, [rung as f64, rungs as f64, bandwidth_bps as f64, height.into(), NAN], Default::default())
            }
            Event::Ended => one(14, NAN),
            Event::NewSession => one(15, NAN),
            Event::Error { reason } => one(16, reason_of(reason)),
            Event::Tracks => one(17, NAN),
            _ => one(255, NAN),
        },
        _ => one(255, NAN),
    }
}

fn reason_of(reason: Reason) -> f64 {
    match reason {
        Reason::Playlist => 0.0,
        Reason::Codecs => 1.0,
        Reason::Decode => 2.0,
        Reason::Protected => 3.0,
    }
}

fn number_of(track: Track) -> f64 {
    match track {
        Track::Video => 0.0,
        Track::Audio => 1.0,
        Track::Text => 2.0,
    }
}

fn kind_of(kind: MediaKind) -> f64 {
    match kind {
        MediaKind::Init => 0.0,
        MediaKind::Segment => 1.0,
        MediaKind::Part => 2.0,
        MediaKind::Hint => 3.0,
    }
}

fn hex(number: u128) -> String {
    let digit = |at: u32| char::from_digit((number >> (4 * at)) as u32 & 15, 16).unwrap_or('0');
    (0..32).rev().map(digit).collect()
}
