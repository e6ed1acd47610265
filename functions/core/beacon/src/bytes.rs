//! The bytes of windows: whole numbers of varying length, small ones first.

use alloc::{string::String, vec::Vec};

/// Not the bytes of this version, or of nothing of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

/// Which bytes windows have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Version {
    /// Values of dimensions are counts alone.
    Tallies = 1,
    /// They have sketches.
    Shares = 2,
    /// Windows know stalls one by one, and the way of a part.
    Hops = 3,
}

impl Version {
    /// What is written.
    pub(crate) const NEWEST: Self = Self::Hops;

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Broken> {
        match reader.byte()? {
            1 => Ok(Self::Tallies),
            2 => Ok(Self::Shares),
            3 => Ok(Self::Hops),
            _ => Err(Broken),
        }
    }
}

pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small numbers of either sign are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Broken);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Broken)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Broken> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A number of things that follow. As each takes a byte at least, more than there are bytes is a lie.
    pub(crate) fn count(&mut self) -> Result<usize, Broken> {
        let count = usize::try_from(self.number()?).map_err(|_| Broken)?;
        if count > self.0.len() { Err(Broken) } else { Ok(count) }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn text(&mut self, max: usize) -> Result<&'a str, Broken> {
        let count = self.count()?;
        if count > max {
            return Err(Broken);
        }
        core::str::from_utf8(self.take(count)?).map_err(|_| Broken)
    }

    pub(crate) fn word(&mut self, max: usize) -> Result<String, Broken> {
        self.text(max).map(Into::into)
    }
}
