use alloc::{string::String, vec::Vec};

use tidegate_stream::{InstanceId, StreamId};

use crate::{
    bytes::{Broken, Reader, Version, put, put_text},
    window::Window,
};

/// What one instance counted in one minute, of all streams: the object that edges write and the compactor reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Who counted.
    pub instance: InstanceId,
    /// The host that it runs on.
    pub edge: String,
    /// Minutes since 1970.
    pub minute: u64,
    /// When it was written, in ms since 1970.
    pub written_utc_ms: u64,
    /// Whether the minute is over.
    pub ending: Ending,
    /// A window for each stream that was heard of.
    pub windows: Vec<(StreamId, Window)>,
}

/// Whether a report is all that there is to say about its minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The minute goes on.
    Open,
    /// The minute is over, and all of it is here.
    Closed,
    /// The instance stopped without a word: what it counted after this was written is lost.
    Adopted,
}

const EDGE_BYTES_MAX: usize = 64;
const STREAM_BYTES_MAX: usize = 64;

impl Report {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let windows = self.windows.iter().map(|(stream, window)| (stream, window));
        encode(self.instance, &self.edge, self.minute, self.written_utc_ms, self.ending, windows)
    }

    /// Reads the bytes of a report.
    pub fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        let mut reader = Reader(bytes);
        let version = Version::read(&mut reader)?;
        let ending = match reader.byte()? {
            0 => Ending::Open,
            1 => Ending::Closed,
            2 => Ending::Adopted,
            _ => return Err(Broken),
        };
        let instance = InstanceId(reader.number()?);
        let edge = reader.word(EDGE_BYTES_MAX)?;
        let (minute, written_utc_ms) = (reader.number()?, reader.number()?);
        let mut windows = Vec::new();
        for _ in 0..reader.count()? {
            let stream = StreamId::parse(reader.text(STREAM_BYTES_MAX)?).map_err(|_| Broken)?;
            windows.push((stream, Window::read(&mut reader, version)?));
        }
        Ok(Self { instance, edge, minute, written_utc_ms, ending, windows })
    }
}

pub(crate) fn encode<'a>(
    instance: InstanceId,
    edge: &str,
    minute: u64,
    written_utc_ms: u64,
    ending: Ending,
    windows: impl ExactSizeIterator<Item = (&'a StreamId, &'a Window)>,
) -> Vec<u8> {
    let ending = match ending {
        Ending::Open => 0,
        Ending::Closed => 1,
        Ending::Adopted => 2,
    };
    let mut out = Vec::from([Version::NEWEST as u8, ending]);
    put(&mut out, instance.0);
    put_text(&mut out, &edge[..edge.floor_char_boundary(EDGE_BYTES_MAX)]);
    put(&mut out, minute);
    put(&mut out, written_utc_ms);
    put(&mut out, windows.len() as u64);
    for (stream, window) in windows {
        put_text(&mut out, stream.as_str());
        window.write(&mut out);
    }
    out
}
