use alloc::vec::Vec;

use crate::World;

/// Writes a message from its front.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn head(&mut self, kind: u8, call: u32, world: &World) {
        self.byte(kind);
        self.number(call);
        self.long(world.now_utc_ms);
        self.0.extend_from_slice(&world.random);
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn long(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(len(text.len()));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// The one byte, or the other and a text.
    pub(super) fn maybe(&mut self, without: u8, with: u8, text: Option<&str>) {
        match text {
            None => self.byte(without),
            Some(text) => {
                self.byte(with);
                self.text(text);
            }
        }
    }

    pub(super) fn pairs<N: AsRef<str>, V: AsRef<str>>(&mut self, pairs: &[(N, V)]) {
        self.number(len(pairs.len()));
        for (name, value) in pairs {
            self.text(name.as_ref());
            self.text(value.as_ref());
        }
    }

    /// Bytes that end the message.
    pub(super) fn rest(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Hosts and functions bound what they say far below this; what is longer would not read.
fn len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
