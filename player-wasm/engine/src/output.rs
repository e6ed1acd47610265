use alloc::string::String;

use crate::Track;

/// What the engine asks for.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Get a playlist; answer with `PlaylistLoaded` or `Failed`.
    FetchPlaylist {
        /// Names the request.
        id: u32,
        /// Where it is.
        url: String,
    },
    /// Get media and keep the bytes under `id`; answer with `MediaLoaded` or `Failed`.
    FetchMedia {
        /// Names the request and its bytes.
        id: u32,
        /// Where it is.
        url: String,
        /// First and last byte, where only a range is wanted.
        range: Option<(u64, u64)>,
        /// Whose it is.
        track: Track,
        /// What it is.
        kind: MediaKind,
        /// What decrypts it. An init segment may be plain all the same.
        key: Option<Key>,
    },
    /// Stop a request, if it still runs, and forget its bytes.
    Drop {
        /// The request.
        id: u32,
    },
    /// Make a source buffer for each named type; answer with `Opened` or `OpenFailed`.
    OpenTracks {
        /// MIME type of the video track.
        video: Option<String>,
        /// MIME type of the audio track.
        audio: Option<String>,
    },
    /// Append the bytes kept under `id`; answer with `Appended` and `Buffered`, or `AppendFailed`.
    Append {
        /// To which track.
        track: Track,
        /// The bytes.
        id: u32,
        /// `timestampOffset` of the source buffer for these bytes, in s.
        offset_s: f64,
    },
    /// Remove a range of a source buffer; answer as for `Append`.
    Remove {
        /// From which track.
        track: Track,
        /// Start in s.
        from_s: f64,
        /// End in s.
        to_s: f64,
    },
    /// Set `currentTime`.
    Seek {
        /// To this presentation time, in s.
        to_s: f64,
    },
    /// Set `playbackRate`.
    Rate {
        /// 1 is normal.
        rate: f64,
    },
    /// What can be reached by seeking.
    Seekable {
        /// From here, in s, …
        from_s: f64,
        /// … to here.
        to_s: f64,
        /// The end is still moving.
        live: bool,
    },
    /// Nothing follows what has been appended.
    EndOfStream,
    /// Something that the page may want to know.
    Event(Event),
}

/// How media is decrypted: AES-128 in CBC mode with PKCS7.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Where the 16 bytes of the key are.
    pub url: String,
    /// The initial value.
    pub iv: u128,
}

/// What a media request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaKind {
    /// An init segment.
    Init,
    /// A whole segment.
    Segment,
    /// A part that exists.
    Part,
    /// A part that is yet to be made; the server answers when it is.
    Hint,
}

/// Something that the page may want to know.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// There is nothing to play at the address yet; the engine keeps asking.
    Offline,
    /// Playback has begun.
    Playing,
    /// There is something else to choose from: rungs, sound, captions.
    Tracks,
    /// Another rung is loaded from the next segment on.
    LevelSwitched {
        /// 0 is the lowest.
        rung: usize,
        /// How many rungs there are.
        rungs: usize,
        /// Its BANDWIDTH.
        bandwidth_bps: u64,
        /// Its height in pixels; 0 where it is not known.
        height: u32,
    },
    /// The stream has ended and everything has been played.
    Ended,
    /// Another session of the stream has begun at the address, or the one that was closed goes on: load it anew to see it.
    NewSession,
    /// Playback is not possible.
    Error {
        /// Why.
        reason: Reason,
    },
}

/// Why playback is not possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The address does not hold a playlist that can be read.
    Playlist,
    /// No variant has a codec that this browser plays.
    Codecs,
    /// The browser refuses the media again and again.
    Decode,
    /// The media is encrypted, not with a plain AES-128 key, and nothing decrypts it.
    Protected,
}
