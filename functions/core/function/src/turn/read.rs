use alloc::{borrow::ToOwned as _, string::String, vec::Vec};

/// Reads a message from its front; what is not there is `None`.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// How far it was read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn end(&self) -> bool {
        self.at == self.message.len()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn random(&mut self) -> Option<[u8; 32]> {
        self.array()
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = self.number()? as usize;
        core::str::from_utf8(self.take(len)?).ok()
    }

    pub(super) fn owned(&mut self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    pub(super) fn pairs(&mut self) -> Option<Vec<(&'a str, &'a str)>> {
        let count = self.number()?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push((self.text()?, self.text()?));
        }
        Some(pairs)
    }

    pub(super) fn owned_pairs(&mut self) -> Option<Vec<(String, String)>> {
        Some(self.pairs()?.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.message.get(self.at..).unwrap_or_default();
        self.at = self.message.len();
        rest
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}
