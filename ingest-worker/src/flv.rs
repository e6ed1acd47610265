use bytes::{Buf, BufMut, Bytes, BytesMut};

/// One FLV tag, the unit that every source delivers and that ffmpeg reads and writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    /// What it carries.
    pub(crate) kind: TagKind,
    /// 32-bit milliseconds as they are on the wire; they wrap after 49 days.
    pub(crate) timestamp_ms: u32,
    /// Everything between the header and the trailing length.
    pub(crate) body: Bytes,
}

/// What a tag carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TagKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// AMF0: `onMetaData` and whatever else the source has to tell.
    Script,
}

/// Why bytes are not FLV.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FlvError {
    /// The stream does not begin as FLV does.
    #[error("the stream does not begin with an FLV header")]
    Header,
    /// A tag claims more than any picture needs.
    #[error("an FLV tag of {len} bytes is over the limit of {TAG_BYTES_MAX}")]
    TooLong {
        /// Bytes claimed.
        len: usize,
    },
    /// The length after a tag is not its length: the reader has lost its place.
    #[error("an FLV tag does not end where its header says")]
    Trailer,
}

/// Cuts a byte stream into tags, however the bytes come in.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    pending: BytesMut,
    started: bool,
}

/// The most bytes in one tag: a 4K key frame at 100 Mbit/s is below 4 MiB, the wire format could say 16 MiB.
pub(crate) const TAG_BYTES_MAX: usize = 8 * 1024 * 1024;

const TAG_HEADER: usize = 11;
const TRAILER: usize = 4;
/// `FLV`, version 1, flags, offset of the first tag; then the length of the tag before the first.
const FILE_HEADER: [u8; 13] = [b'F', b'L', b'V', 1, 0, 0, 0, 0, 9, 0, 0, 0, 0];
const HAS_AUDIO: u8 = 4;
const HAS_VIDEO: u8 = 1;

impl Splitter {
    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The buffer to read into, for a reader that appends by itself.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.pending
    }

    /// The next whole tag; `None` until more bytes come.
    pub(crate) fn next_tag(&mut self) -> Result<Option<Tag>, FlvError> {
        if !self.started {
            let Some(header) = self.pending.first_chunk::<13>() else { return Ok(None) };
            if header[..4] != FILE_HEADER[..4] || header[5..] != FILE_HEADER[5..] {
                return Err(FlvError::Header);
            }
            self.pending.advance(FILE_HEADER.len());
            self.started = true;
        }
        loop {
            let Some(&[kind, len0, len1, len2, ts0, ts1, ts2, ts3, ..]) = self.pending.first_chunk::<TAG_HEADER>() else { return Ok(None) };
            let len = u32::from_be_bytes([0, len0, len1, len2]) as usize;
            if len > TAG_BYTES_MAX {
                return Err(FlvError::TooLong { len });
            }
            if self.pending.len() < TAG_HEADER + len + TRAILER {
                return Ok(None);
            }
            let mut whole = self.pending.split_to(TAG_HEADER + len + TRAILER).freeze();
            let trailer = whole.split_off(TAG_HEADER + len);
            if trailer.as_ref() != ((TAG_HEADER + len) as u32).to_be_bytes() {
                return Err(FlvError::Trailer);
            }
            let body = whole.slice(TAG_HEADER..);
            // Other kinds, and tags with the encryption bit, mean nothing to us.
            if let Some(kind) = TagKind::from_byte(kind) {
                return Ok(Some(Tag { kind, timestamp_ms: u32::from_be_bytes([ts3, ts0, ts1, ts2]), body }));
            }
        }
    }
}

impl TagKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

impl Tag {
    /// Appends the tag to a stream that starts with [`file_header`].
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let [_, len @ ..] = (self.body.len() as u32).to_be_bytes();
        let [high, low @ ..] = self.timestamp_ms.to_be_bytes();
        out.reserve(TAG_HEADER + self.body.len() + TRAILER);
        out.put_u8(self.kind.byte());
        out.put_slice(&len);
        out.put_slice(&low);
        out.put_u8(high);
        out.put_slice(&[0; 3]);
        out.put_slice(&self.body);
        out.put_u32((TAG_HEADER + self.body.len()) as u32);
    }
}

/// The bytes before the first tag.
#[must_use]
pub(crate) fn file_header(audio: bool, video: bool) -> [u8; 13] {
    let mut header = FILE_HEADER;
    header[4] = if audio { HAS_AUDIO } else { 0 } | if video { HAS_VIDEO } else { 0 };
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Vec<Tag> {
        let tag = |kind, timestamp_ms, body: Vec<u8>| Tag { kind, timestamp_ms, body: body.into() };
        vec![
            tag(TagKind::Script, 0, b"meta".to_vec()),
            tag(TagKind::Video, 0x00ff_ffff, vec![7; 1000]),
            tag(TagKind::Audio, 0x0100_0000, vec![]),
            tag(TagKind::Video, u32::MAX, vec![9; 70_000]),
        ]
    }

    fn stream() -> Vec<u8> {
        let mut bytes = BytesMut::from(&file_header(true, true)[..]);
        for tag in tags() {
            tag.write(&mut bytes);
        }
        bytes.to_vec()
    }

    #[test]
    fn tags_come_out_equal_however_the_bytes_come_in() {
        for size in [1, 2, 3, 7, 11, 13, 14, 100, 4096, 1 << 20] {
            let mut splitter = Splitter::default();
            let mut found = vec![];
            for chunk in stream().chunks(size) {
                splitter.push(chunk);
                while let Some(tag) = splitter.next_tag().unwrap() {
                    found.push(tag);
                }
            }
            assert_eq!(found, tags(), "in chunks of {size}");
        }
    }

    #[test]
    fn what_is_not_flv_is_refused_before_it_is_kept() {
        let mut splitter = Splitter::default();
        splitter.push(b"<html>not found</html>");
        assert_eq!(splitter.next_tag(), Err(FlvError::Header));

        let mut splitter = Splitter::default();
        splitter.push(&file_header(true, true));
        splitter.push(&[9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(splitter.next_tag(), Err(FlvError::TooLong { len: 0xff_ffff }));

        let mut bytes = stream();
        bytes[13 + 11 + 4] ^= 1;
        let mut splitter = Splitter::default();
        splitter.push(&bytes);
        assert_eq!(splitter.next_tag(), Err(FlvError::Trailer));
    }

    #[test]
    fn unknown_kinds_are_passed_over() {
        let mut bytes = stream();
        bytes[13] = 15;
        let mut splitter = Splitter::default();
        splitter.push(&bytes);
        assert_eq!(splitter.next_tag().unwrap().as_ref(), tags().get(1));
    }

    #[test]
    fn any_flipped_byte_ends_in_tags_or_an_error() {
        let bytes: Vec<u8> = stream().into_iter().take(1100).collect();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            let mut splitter = Splitter::default();
            splitter.push(&bytes);
            while let Ok(Some(_)) = splitter.next_tag() {}
        }
    }
}
