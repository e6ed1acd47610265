use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};

/// Below this the header of gzip and a packet's worth of overhead eat the gain.
const WORTH_BYTES: usize = 512;
/// Playlists shrink to a seventh at this level already; higher ones cost twice the time for a few per cent.
const LEVEL: Compression = Compression::new(5);

/// What of brotli is used: about the time that gzip takes, and a seventh smaller.
const QUALITY: u32 = 4;
/// Its window, as a power of two: playlists repeat themselves within less.
const WINDOW: u32 = 18;

/// How a body is made smaller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
}

impl Coding {
    /// The coding that the viewer likes best; of equal ones the smaller.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|line| line.to_str().ok());
        let (mut gzip, mut brotli, mut any) = (None, None, None);
        for coding in lines.flat_map(|line| line.split(',')) {
            let mut words = coding.split(';').map(str::trim);
            let name = words.next().unwrap_or_default();
            let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            match name {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "br" => brotli = Some(weight),
                "*" => any = Some(weight),
                _ => {}
            }
        }
        let weight = |own: Option<f32>| own.or(any).unwrap_or(0.0);
        match (weight(gzip), weight(brotli)) {
            (gzip, brotli) if brotli > 0.0 && brotli >= gzip => Some(Self::Brotli),
            (gzip, _) if gzip > 0.0 => Some(Self::Gzip),
            _ => None,
        }
    }

    /// As in Content-Encoding.
    pub(crate) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        })
    }

    pub(crate) fn encode(self, plain: &Bytes) -> Bytes {
        let zipped = Vec::with_capacity(plain.len() / 4);
        // Writing to a Vec does not fail.
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(zipped, LEVEL);
                let _ = encoder.write_all(plain);
                encoder.finish().unwrap_or_default().into()
            }
            Self::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(zipped, 4096, QUALITY, WINDOW);
                let _ = encoder.write_all(plain);
                encoder.into_inner().into()
            }
        }
    }
}

/// Whether a body of this kind and length gains by a coding.
pub(crate) fn worth_coding(headers: &HeaderMap, len: usize) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let text = kind.starts_with("text/")
        || matches!(
            kind,
            "application/vnd.apple.mpegurl"
                | "application/x-mpegurl"
                | "application/dash+xml"
                | "application/json"
                | "application/javascript"
                | "application/wasm"
                | "image/svg+xml"
        );
    text && len >= WORTH_BYTES && !headers.contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn accepted(text: &'static str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
        Coding::accepted(&headers)
    }

    #[test]
    fn viewers_get_the_coding_that_they_like_best() {
        for text in ["gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "*", "*;q=0.5, gzip;q=0.2"] {
            assert_eq!(accepted(text), Some(Coding::Brotli), "{text}");
        }
        for text in ["gzip", "x-gzip, deflate", "br;q=0.5, gzip", "br;q=0, *", "br;q=x, gzip;q=0.1"] {
            assert_eq!(accepted(text), Some(Coding::Gzip), "{text}");
        }
        for text in ["identity", "gzip;q=0", "br;q=0.0, gzip; q=0.0", "", "deflate, zstd", "*;q=0"] {
            assert_eq!(accepted(text), None, "{text}");
        }
    }

    #[test]
    fn both_codings_give_back_what_went_in() {
        let plain = Bytes::from("#EXTINF:2.00000,\nseg.m4s\n".repeat(3000));
        let (gzip, brotli) = (Coding::Gzip.encode(&plain), Coding::Brotli.encode(&plain));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut a).unwrap();
        brotli::Decompressor::new(&brotli[..], 4096).read_to_end(&mut b).unwrap();
        assert!(a == plain && b == plain && brotli.len() < gzip.len());
    }
}
