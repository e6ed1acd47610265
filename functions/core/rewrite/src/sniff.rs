/// What kind of playlist a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `#EXTM3U`: HLS.
    Hls,
    /// `<MPD`: DASH.
    Dash,
}

/// Bytes in which `<MPD` has to come: an XML declaration and comments stand in front of it.
const PROLOGUE: usize = 8192;

/// Tells what a text is by how it begins; `None`: not a playlist.
#[must_use]
pub fn sniff(text: &[u8]) -> Option<Format> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    if text.starts_with(b"#EXTM3U") {
        return Some(Format::Hls);
    }
    let head = text.get(..PROLOGUE).unwrap_or(text);
    if !head.starts_with(b"<") {
        return None;
    }
    let is_root = |at: usize| {
        let rest = head.get(at + 1..).unwrap_or_default();
        let name = rest.split(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/')).next().unwrap_or_default();
        name == b"MPD" || (name.ends_with(b":MPD") && name.len() < 32)
    };
    memchr::memchr_iter(b'<', head).any(is_root).then_some(Format::Dash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_are_known_by_how_they_begin() {
        assert_eq!(sniff(b"\xef\xbb\xbf#EXTM3U\r\n"), Some(Format::Hls));
        assert_eq!(sniff(b"\n #EXTM3U8"), Some(Format::Hls));
        assert_eq!(sniff(b"<?xml version='1.0'?><!-- <x> -->\n<MPD xmlns='x'/>"), Some(Format::Dash));
        assert_eq!(sniff(b"<m:MPD xmlns:m='x'>"), Some(Format::Dash));
        for bad in [&b""[..], b"<html><body>", b"<MPDX>", b"{}", b"EXTM3U", b"#EXTINF", b"\x1f\x8b"] {
            assert_eq!(sniff(bad), None);
        }
    }
}
