use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::{
    object::{Draft, Finished, Headers, Object},
    path::object_file,
};

/// What an answered write has survived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// The end of the process, however it ends. A power cut may lose the newest objects.
    #[default]
    Process,
    /// A power cut: the object and its folder have been synced. Costs what the disk takes to sync, at each write.
    Disk,
}

/// Objects as files: `<root>/objects/<bucket>/<encoded key>~`.
#[derive(Debug)]
pub(crate) struct Disk {
    objects: PathBuf,
    drafts: PathBuf,
    durability: Durability,
    locks: [Mutex<()>; LOCKS],
    // Read: makes a folder and uses it. Write: removes folders that are empty.
    folders: RwLock<()>,
    next_draft: AtomicU64,
    // Held for as long as the store is open; the system lets go of it however the process ends.
    _lock: fs::File,
}

/// What has to hold for a write or a delete to happen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Precondition {
    #[default]
    None,
    /// Nothing lies under the key.
    Absent,
    /// Something lies under the key.
    Present,
    /// The object has this ETag.
    Matches(String),
    /// No object with this ETag lies under the key.
    Differs(String),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    #[error("no such bucket")]
    NoBucket,
    #[error("no such key")]
    NoKey,
    #[error("a precondition does not hold")]
    Precondition,
    #[error("a segment of the key is too long")]
    KeyTooLong,
    #[error("the headers are too long")]
    HeadersTooLong,
    #[error("the body is not what its digest says")]
    Digest,
    #[error("the disk is full")]
    Full,
    #[error(transparent)]
    Io(io::Error),
}

/// Writers of different keys seldom meet in one of these.
const LOCKS: usize = 64;

impl Disk {
    /// Opens a store, makes it where it is new, and removes the drafts of a process that was killed.
    pub(crate) fn open(root: &Path, durability: Durability) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(root.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
            fs::TryLockError::Error(error) => error,
        })?;
        let (objects, drafts) = (root.join("objects"), root.join("tmp"));
        match fs::remove_dir_all(&drafts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&drafts)?;
        fs::create_dir_all(&objects)?;
        let locks = std::array::from_fn(|_| Mutex::new(()));
        Ok(Self { objects, drafts, durability, locks, folders: RwLock::new(()), next_draft: AtomicU64::new(0), _lock: lock })
    }

    /// Makes a bucket; false where it was there.
    pub(crate) fn create_bucket(&self, bucket: &str) -> Result<bool, DiskError> {
        match fs::create_dir(self.objects.join(bucket)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder of a bucket.
    pub(crate) fn bucket(&self, bucket: &str) -> Result<PathBuf, DiskError> {
        let path = self.objects.join(bucket);
        if path.is_dir() { Ok(path) } else { Err(DiskError::NoBucket) }
    }

    /// All buckets, in order, with their time of birth.
    pub(crate) fn buckets(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.objects)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                let stat = entry.metadata()?;
                buckets.push((name, stat.created().or_else(|_| stat.modified())?));
            }
        }
        buckets.sort();
        Ok(buckets)
    }

    /// Opens an object for reading.
    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<Object, DiskError> {
        let path = object_file(&self.objects.join(bucket), key).ok_or(DiskError::KeyTooLong)?;
        match Object::open(&path) {
            Ok(object) => Ok(object),
            Err(error) if is_missing(&error) => {
                self.bucket(bucket)?;
                Err(DiskError::NoKey)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Starts a new object.
    pub(crate) fn draft(&self) -> Result<Draft, DiskError> {
        let number = self.next_draft.fetch_add(1, Ordering::Relaxed);
        Ok(Draft::create(self.drafts.join(number.to_string()))?)
    }

    /// Ends a new object's body.
    pub(crate) fn finish(&self, draft: Draft, headers: Headers) -> Result<Finished, DiskError> {
        Ok(draft.finish(headers, self.durability == Durability::Disk)?)
    }

    /// Puts a new object in its place, if the precondition holds; of several writers at once one is first.
    pub(crate) fn commit(&self, bucket: &str, key: &str, mut object: Finished, precondition: &Precondition) -> Result<String, DiskError> {
        let path = object_file(&self.bucket(bucket)?, key).ok_or(DiskError::KeyTooLong)?;
        let folder = path.parent().ok_or(DiskError::KeyTooLong)?;
        let _guard = self.lock(&path);
        check(&path, precondition)?;
        let mut new_folder = false;
        match object.rename(&path) {
            Ok(()) => {}
            // The folder is new, or a delete of its last object has just removed it; no other delete does while it is used.
            Err(error) if is_missing(&error) => {
                let _folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
                fs::create_dir_all(folder)?;
                object.rename(&path)?;
                new_folder = true;
            }
            Err(error) => return Err(error.into()),
        }
        let etag = object.etag.clone();
        object.committed();
        if self.durability == Durability::Disk {
            // A folder that is new is an entry of the one above it.
            let changed = folder.ancestors().take_while(|above| above.starts_with(&self.objects));
            changed.take(if new_folder { usize::MAX } else { 1 }).try_for_each(|folder| fs::File::open(folder)?.sync_all())?;
        }
        Ok(etag)
    }

    /// Removes an object, and the folders that get empty by it; that nothing was there is no error.
    pub(crate) fn delete(&self, bucket: &str, key: &str, precondition: &Precondition) -> Result<(), DiskError> {
        let bucket = self.bucket(bucket)?;
        let path = object_file(&bucket, key).ok_or(DiskError::KeyTooLong)?;
        {
            let _guard = self.lock(&path);
            check(&path, precondition)?;
            match fs::remove_file(&path) {
                Err(error) if !is_missing(&error) => return Err(error.into()),
                _ => {}
            }
        }
        let _folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|folder| *folder != bucket) {
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> MutexGuard<'_, ()> {
        use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(path);
        let lock = &self.locks[(hash % LOCKS as u64) as usize];
        // The lock guards files, not memory: a panic in another writer has left them whole.
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(path: &Path, precondition: &Precondition) -> Result<(), DiskError> {
    if *precondition == Precondition::None {
        return Ok(());
    }
    let etag = match Object::open(path) {
        Ok(object) => Some(object.etag),
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let holds = match (precondition, etag) {
        // As AWS answers If-Match where nothing lies.
        (Precondition::Present | Precondition::Matches(_), None) => return Err(DiskError::NoKey),
        (Precondition::None, _) | (Precondition::Absent | Precondition::Differs(_), None) | (Precondition::Present, Some(_)) => true,
        (Precondition::Absent, Some(_)) => false,
        (Precondition::Matches(wanted), Some(etag)) => *wanted == etag,
        (Precondition::Differs(unwanted), Some(etag)) => *unwanted != etag,
    };
    if holds { Ok(()) } else { Err(DiskError::Precondition) }
}

pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::InvalidFilename => Self::KeyTooLong,
            io::ErrorKind::InvalidInput => Self::HeadersTooLong,
            _ => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn open() -> (tempfile::TempDir, Arc<Disk>) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), Durability::Process).unwrap();
        disk.create_bucket("b").unwrap();
        (dir, Arc::new(disk))
    }

    fn put(disk: &Disk, key: &str, body: &[u8], precondition: &Precondition) -> Result<String, DiskError> {
        let mut draft = disk.draft()?;
        draft.write(body)?;
        disk.commit("b", key, disk.finish(draft, Headers::default())?, precondition)
    }

    #[test]
    fn one_of_many_writers_of_a_new_key_wins() {
        let (_dir, disk) = open();
        for round in 0..50 {
            let key = format!("race/{round}");
            let wins = std::thread::scope(|scope| {
                let write = |n: u8| {
                    let (disk, key) = (&disk, &key);
                    scope.spawn(move || put(disk, key, &[n], &Precondition::Absent).is_ok())
                };
                let writers: Vec<_> = (0..8).map(write).collect();
                writers.into_iter().filter(|_| true).map(|writer| writer.join().unwrap()).filter(|won| *won).count()
            });
            assert_eq!(wins, 1);
        }
    }

    #[test]
    fn object_and_folder_of_one_name_live_together() {
        let (_dir, disk) = open();
        put(&disk, "a", b"1", &Precondition::None).unwrap();
        put(&disk, "a/b", b"2", &Precondition::None).unwrap();
        assert_eq!(disk.get("b", "a").unwrap().read(0, 1).unwrap(), b"1");
        disk.delete("b", "a/b", &Precondition::None).unwrap();
        assert!(matches!(disk.get("b", "a/b"), Err(DiskError::NoKey)));
        assert!(disk.get("b", "a").is_ok());
    }

    #[test]
    fn stale_etag_is_refused_and_a_missing_object_is_missing() {
        let (_dir, disk) = open();
        assert!(matches!(put(&disk, "k", b"1", &Precondition::Matches("x".into())), Err(DiskError::NoKey)));
        let first = put(&disk, "k", b"1", &Precondition::None).unwrap();
        let second = put(&disk, "k", b"2", &Precondition::Matches(first.clone())).unwrap();
        assert!(matches!(put(&disk, "k", b"3", &Precondition::Matches(first)), Err(DiskError::Precondition)));
        assert_eq!(disk.get("b", "k").unwrap().etag, second);
    }

    #[test]
    fn deletes_beside_writes_never_break_them() {
        let (dir, disk) = open();
        std::thread::scope(|scope| {
            for n in 0..2 {
                let disk = &disk;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let key = format!("deep/folder/{n}");
                        put(disk, &key, b"x", &Precondition::None).unwrap();
                        disk.delete("b", &key, &Precondition::None).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path().join("objects/b")).unwrap().count(), 0, "empty folders are removed");
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn drafts_of_a_killed_process_are_swept() {
        let (dir, disk) = open();
        std::mem::forget(disk.draft().unwrap());
        drop(disk);
        let _again = Disk::open(dir.path(), Durability::Disk).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_has_one_store_at_a_time() {
        let (dir, _disk) = open();
        assert_eq!(Disk::open(dir.path(), Durability::Process).err().unwrap().kind(), io::ErrorKind::ResourceBusy);
    }
}
