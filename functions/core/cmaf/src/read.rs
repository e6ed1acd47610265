/// Why bytes are not the boxes they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A box says that it is longer than what surrounds it, or shorter than its own head.
    #[error("box at byte {at} has an impossible length")]
    Length {
        /// Where it starts.
        at: usize,
    },
    /// The fields of a box do not read.
    #[error("the fields of box `{}` do not read", Ascii(*.0))]
    Fields([u8; 4]),
    /// A box that must be there is not.
    #[error("box `{}` is missing", Ascii(*.0))]
    Missing([u8; 4]),
    /// More samples than a chunk can have.
    #[error("the chunk claims {0} samples")]
    Samples(u32),
    /// A sample lies outside the data.
    #[error("sample {0} lies outside the data")]
    Data(usize),
    /// The sample entry is of a codec that is not known here.
    #[error("the codec `{}` is not known", Ascii(*.0))]
    Codec([u8; 4]),
}

/// Four characters for people, whatever they are.
struct Ascii([u8; 4]);

impl core::fmt::Display for Ascii {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| core::fmt::Display::fmt(&byte.escape_ascii(), f))
    }
}

/// One box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mp4Box<'a> {
    /// Its type.
    pub kind: [u8; 4],
    /// Where its head starts in the bytes that are walked.
    pub start: usize,
    /// What is in it, without its head.
    pub body: &'a [u8],
}

/// Walks the boxes of a file or of a box; stops after the first that cannot be.
#[derive(Clone, Debug)]
pub struct Boxes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Boxes<'a> {
    /// Walks `bytes` from their start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The body of the first box of this type.
    pub fn find(mut self, kind: &[u8; 4]) -> Result<&'a [u8], ReadError> {
        loop {
            match self.next() {
                Some(Ok(found)) if found.kind == *kind => return Ok(found.body),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(ReadError::Missing(*kind)),
            }
        }
    }

    fn read(&mut self) -> Option<Mp4Box<'a>> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let mut fields = Fields::new(rest);
        let size = fields.u32()?;
        let kind = fields.array()?;
        let len = match size {
            0 => rest.len(),
            1 => usize::try_from(fields.u64()?).ok()?,
            size => size as usize,
        };
        let head = rest.len() - fields.rest.len();
        let body = rest.get(head..len)?;
        self.at = start + len;
        Some(Mp4Box { kind, start, body })
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Mp4Box<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let at = self.at;
        let found = self.read();
        if found.is_none() {
            self.at = self.bytes.len();
        }
        Some(found.ok_or(ReadError::Length { at }))
    }
}

/// Reads numbers one after another; past the end there is nothing.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*first)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Version and flags.
    pub(crate) fn full_box(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00ff_ffff))
    }
}
