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
    /// Made when it is first needed.
    file: Mutex<Option<Arc<File>>>,
}

#[derive(Debug, Default)]
struct State {
    /// Where the next bytes go: behind all that are there, and at the start again when nothing is.
    end: u64,
    /// Bytes that somebody still wants.
    held: u64,
}

/// A place on disk, and the bytes in it once they are written; dropped, it makes room. Whatever touches the disk blocks, that too.
#[derive(Debug)]
pub(super) struct Spooled {
    spool: Arc<Spool>,
    offset: u64,
    len: usize,
}

impl Spool {
    pub(super) fn new(max_bytes: u64) -> Arc<Self> {
        Arc::new(Self { max_bytes, state: Mutex::default(), file: Mutex::default() })
    }

    /// Keeps a place for so many bytes; `None` where there is no room for them.
    pub(super) fn reserve(self: &Arc<Self>, len: usize) -> Option<Spooled> {
        let mut state = self.state();
        let end = state.end.saturating_add(len as u64);
        if end > self.max_bytes {
            return None;
        }
        let offset = std::mem::replace(&mut state.end, end);
        state.held += len as u64;
        Some(Spooled { spool: Arc::clone(self), offset, len })
    }

    fn file(&self) -> io::Result<Arc<File>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match &*file {
            Some(file) => Ok(Arc::clone(file)),
            None => Ok(Arc::clone(file.insert(Arc::new(tempfile::tempfile()?)))),
        }
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
    /// Puts the bytes there.
    pub(super) fn write(&self, bytes: &Bytes) -> io::Result<()> {
        self.spool.file()?.write_all_at(bytes, self.offset)
    }

    /// Reads them back.
    pub(super) fn bytes(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.len];
        self.spool.file()?.read_exact_at(&mut bytes, self.offset)?;
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
            let file = self.spool.file.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = file.as_ref().map(|file| file.set_len(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(fill: u8, len: usize) -> Bytes {
        vec![fill; len].into()
    }

    fn put(spool: &Arc<Spool>, bytes: &Bytes) -> Option<Spooled> {
        let place = spool.reserve(bytes.len())?;
        place.write(bytes).unwrap();
        Some(place)
    }

    #[test]
    fn what_was_put_comes_back_and_makes_room_when_all_of_it_is_dropped() {
        let spool = Spool::new(1000);
        let first = put(&spool, &bytes(1, 600)).unwrap();
        let second = put(&spool, &bytes(2, 400)).unwrap();
        assert!(put(&spool, &bytes(3, 1)).is_none());
        assert_eq!((first.bytes().unwrap(), second.bytes().unwrap()), (bytes(1, 600), bytes(2, 400)));
        drop(first);
        // It is a log: room comes back from the end of an outage on.
        assert_eq!((spool.held(), put(&spool, &bytes(3, 1)).is_none()), (400, true));
        drop(second);
        assert_eq!(spool.held(), 0);
        let third = put(&spool, &bytes(3, 1000)).unwrap();
        assert_eq!(third.bytes().unwrap(), bytes(3, 1000));
    }

    #[test]
    fn no_room_at_all_takes_nothing_and_makes_no_file() {
        let spool = Spool::new(0);
        assert!(put(&spool, &bytes(1, 1)).is_none());
        assert!(spool.file.lock().unwrap().is_none());
    }
}
