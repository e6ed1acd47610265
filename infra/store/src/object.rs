use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

/// The headers that an object is stored with.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Headers {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Trailer {
    etag: String,
    headers: Headers,
}

/// An object that is open for reading. It stays what it was when it was opened, whatever is written under its key.
pub(crate) struct Object {
    file: File,
    /// The length of the body.
    pub(crate) len: u64,
    /// The MD5 of the body in hex.
    pub(crate) etag: String,
    pub(crate) headers: Headers,
    pub(crate) modified: SystemTime,
}

/// An object that is being written; nothing is left of it unless it is committed.
pub(crate) struct Draft {
    file: File,
    path: PathBuf,
    md5: Md5,
}

/// What ends every file: the trailer's length in 4 bytes and this. A file without it is no object.
const MAGIC: &[u8; 4] = b"TGO1";
const FOOT_BYTES: u64 = 8;
/// Trailers are short; most are read with the footer in one go.
const TAIL_BYTES: u64 = 1024;
/// The most headers that an object may carry; S3 allows 2 kB of metadata and 8 kB of request headers.
pub(crate) const MAX_TRAILER_BYTES: usize = 16 << 10;

impl Object {
    /// Opens an object; `NotFound` also where the file is not a whole object.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let stat = file.metadata()?;
        if !stat.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (trailer, len) = read_trailer(&mut file, stat.len())?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { file, len, etag: trailer.etag, headers: trailer.headers, modified: stat.modified()? })
    }

    /// Reads `len` bytes from `at`.
    pub(crate) fn read(&mut self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; len];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn read_trailer(file: &mut File, size: u64) -> io::Result<Option<(Trailer, u64)>> {
    let tail_len = size.min(TAIL_BYTES);
    let mut tail = read_tail(file, size, tail_len)?;
    let Some((_, foot)) = tail.split_last_chunk::<8>() else { return Ok(None) };
    let [a, b, c, d, magic @ ..] = *foot;
    let trailer_len = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(len) = size.checked_sub(FOOT_BYTES + trailer_len) else { return Ok(None) };
    if &magic != MAGIC || trailer_len > MAX_TRAILER_BYTES as u64 {
        return Ok(None);
    }
    if FOOT_BYTES + trailer_len > tail_len {
        tail = read_tail(file, size, FOOT_BYTES + trailer_len)?;
    }
    let end = tail.len().saturating_sub(FOOT_BYTES as usize);
    let start = end.saturating_sub(trailer_len as usize);
    let trailer = tail.get(start..end).and_then(|json| serde_json::from_slice(json).ok());
    Ok(trailer.map(|trailer| (trailer, len)))
}

fn read_tail(file: &mut File, size: u64, len: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(size - len))?;
    let mut tail = Vec::with_capacity(len as usize);
    file.take(len).read_to_end(&mut tail)?;
    Ok(tail)
}

impl Draft {
    /// Starts a draft in a new file.
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, md5: Md5::new() })
    }

    /// Adds to the body.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.md5.update(bytes);
        self.file.write_all(bytes)
    }

    /// Ends the body; the file can be renamed into its place after this.
    pub(crate) fn finish(mut self, headers: Headers, sync: bool) -> io::Result<Finished> {
        let digest = self.md5.finalize_reset();
        let etag: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut trailer = serde_json::to_vec(&Trailer { etag: etag.clone(), headers })?;
        if trailer.len() > MAX_TRAILER_BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        trailer.extend((trailer.len() as u32).to_le_bytes());
        trailer.extend(MAGIC);
        self.file.write_all(&trailer)?;
        if sync {
            self.file.sync_data()?;
        }
        Ok(Finished { draft: self, digest: digest.into(), etag })
    }
}

/// A draft with its trailer.
pub(crate) struct Finished {
    draft: Draft,
    digest: [u8; 16],
    pub(crate) etag: String,
}

impl Finished {
    /// The MD5 of the body as `Content-MD5` says it.
    pub(crate) fn content_md5(&self) -> String {
        base64(&self.digest)
    }

    /// Moves the object to its place, over what is there.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        std::fs::rename(&self.draft.path, to)
    }

    /// Says that the rename has been done, so that nothing is left to remove.
    pub(crate) fn committed(mut self) {
        self.draft.path = PathBuf::new();
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // What cannot be removed is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = (0..3).fold(0u32, |bits, at| (bits << 8) | u32::from(chunk.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| if at > chunk.len() { '=' } else { char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]) };
        [0, 1, 2, 3].map(digit)
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        assert_eq!([b"f".as_slice(), b"fo", b"foo", b"foob"].map(base64), ["Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    fn write(path: &Path, body: &[u8], headers: Headers) -> String {
        let mut draft = Draft::create(path.with_extension("tmp")).unwrap();
        draft.write(body).unwrap();
        let mut finished = draft.finish(headers, false).unwrap();
        finished.rename(path).unwrap();
        let etag = finished.etag.clone();
        finished.committed();
        etag
    }

    #[test]
    fn object_comes_back_with_its_headers_however_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("object");
        for extra in [0, 100, 3000] {
            let headers = Headers {
                content_type: Some("video/mp4".into()),
                metadata: BTreeMap::from([("note".into(), "x".repeat(extra))]),
                ..Headers::default()
            };
            let etag = write(&path, b"hello", headers.clone());
            let mut object = Object::open(&path).unwrap();
            assert_eq!((object.len, object.etag.as_str(), &object.headers), (5, etag.as_str(), &headers));
            assert_eq!(etag, "5d41402abc4b2a76b9719d911017c592");
            assert_eq!(object.read(1, 3).unwrap(), b"ell");
        }
    }

    #[test]
    fn file_that_was_cut_anywhere_is_no_object() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("object");
        write(&path, b"hello", Headers::default());
        let whole = std::fs::read(&path).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(Object::open(&path).err().unwrap().kind(), io::ErrorKind::NotFound, "{len}");
        }
    }

    #[test]
    fn draft_that_is_dropped_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut draft = Draft::create(dir.path().join("draft")).unwrap();
        draft.write(b"half").unwrap();
        drop(draft);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn headers_beyond_the_limit_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let draft = Draft::create(dir.path().join("draft")).unwrap();
        let headers = Headers { content_type: Some("x".repeat(MAX_TRAILER_BYTES)), ..Headers::default() };
        assert_eq!(draft.finish(headers, false).err().unwrap().kind(), io::ErrorKind::InvalidInput);
    }
}
