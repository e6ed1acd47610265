//! What memory has no room for while the store does not take it: one file without a name, so that it is gone with the process
//! however that ends. What was in it is then lost, as what was in memory is; nothing of it was listed.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

/// A bounded amount of disk.
#[derive(Debug)]
pub(super) struct Spool {
    max_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Made when it is first needed.
    file: Option<Arc<File>>,
    /// Where the next bytes go: behind all that are there, and at the start again when nothing is.
    end: u64,
    /// Bytes that somebody still wants.
    held: u64,
}

/// Bytes on disk; dropped, they make room.
#[derive(Debug)]
pub(super) struct Spooled {
    spool: Arc<Spool>,
    file: Arc<File>,
    offset: u64,
    len: usize,
}

impl Spool {
    pub(super) fn new(max_bytes: u64) -> Arc<Self> {
        Arc::new(Self { max_bytes, state: Mutex::default() })
    }

    /// Puts bytes on disk; `None` where there is no room for them.
    pub(super) fn put(self: &Arc<Self>, bytes: &Bytes) -> io::Result<Option<Spooled>> {
        let mut state = self.state();
        let len = bytes.len() as u64;
        if state.end.saturating_add(len) > self.max_bytes {
            return Ok(None);
        }
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(state.file.insert(Arc::new(tempfile::tempfile()?))),
        };
        let offset = state.end;
        file.write_all_at(bytes, offset)?;
        state.end += len;
        state.held += len;
        Ok(Some(Spooled { spool: Arc::clone(self), file, offset, len: bytes.len() }))
    }

    /// How many bytes are on disk and wanted.
    pub(super) fn held(&self) -> u64 {
        self.state().held
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spooled {
    /// Reads them back.
    pub(super) fn bytes(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes.into())
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let mut state = self.spool.state();
        state.held = state.held.saturating_sub(self.len as u64);
        if state.held == 0 {
            // The disk is given back, and the next bytes go to the start. A file that cannot be cut is written over.
            state.end = 0;
            let _ = self.file.set_len(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(fill: u8, len: usize) -> Bytes {
        vec![fill; len].into()
    }

    #[test]
    fn what_was_put_comes_back_and_makes_room_when_all_of_it_is_dropped() {
        let spool = Spool::new(1000);
        let first = spool.put(&bytes(1, 600)).unwrap().unwrap();
        let second = spool.put(&bytes(2, 400)).unwrap().unwrap();
        assert!(spool.put(&bytes(3, 1)).unwrap().is_none());
        assert_eq!((first.bytes().unwrap(), second.bytes().unwrap()), (bytes(1, 600), bytes(2, 400)));
        drop(first);
        // It is a log: room comes back from the end of an outage on.
        assert_eq!((spool.held(), spool.put(&bytes(3, 1)).unwrap().is_none()), (400, true));
        drop(second);
        assert_eq!(spool.held(), 0);
        let third = spool.put(&bytes(3, 1000)).unwrap().unwrap();
        assert_eq!(third.bytes().unwrap(), bytes(3, 1000));
    }

    #[test]
    fn no_room_at_all_takes_nothing_and_makes_no_file() {
        let spool = Spool::new(0);
        assert!(spool.put(&bytes(1, 1)).unwrap().is_none());
        assert!(spool.state().file.is_none());
    }
}
