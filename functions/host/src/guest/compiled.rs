use std::{
    fmt::Write as _,
    fs,
    hash::{Hash as _, Hasher},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Instant,
};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, component::Component};

use crate::HostError;

/// The largest component that is loaded: ten times what ours may have.
const COMPONENT_BYTES: u64 = 8 << 20;

/// What tells a component from every other.
pub(super) struct Digest(Sha256);

impl Digest {
    /// Reads the component for it, piece by piece: a megabyte that is mapped for the first time takes longer than to hash it.
    pub(super) fn of_file(path: &Path) -> Result<Self, HostError> {
        let unreadable = |source| HostError::ReadComponent { path: path.to_owned(), source };
        let mut file = open(path)?;
        let (mut digest, mut piece) = (Sha256::new(), [0; 32 << 10]);
        loop {
            match file.read(&mut piece).map_err(unreadable)? {
                0 => return Ok(Self(digest)),
                len => digest.update(&piece[..len]),
            }
        }
    }
}

fn open(path: &Path) -> Result<fs::File, HostError> {
    let unreadable = |source| HostError::ReadComponent { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let len = file.metadata().map_err(unreadable)?.len();
    if len > COMPONENT_BYTES { Err(HostError::LargeComponent { path: path.to_owned(), len }) } else { Ok(file) }
}

/// Takes what an earlier start compiled of the component with this digest, or compiles the one that is there now.
pub(super) fn load(engine: &Engine, path: &Path, digest: &Digest, cache: Option<&Path>) -> Result<Component, HostError> {
    let start = Instant::now();
    if let Some(component) = cache.and_then(|cache| load_compiled(engine, &cache.join(name(engine, digest)))) {
        tracing::info!(took = ?start.elapsed(), "the compiled component is loaded");
        return Ok(component);
    }
    let mut bytes = Vec::new();
    open(path)?
        .take(COMPONENT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| HostError::ReadComponent { path: path.to_owned(), source })?;
    // It may be another one by now.
    let file = cache.map(|cache| cache.join(name(engine, &Digest(Sha256::new_with_prefix(&bytes)))));
    let component = Component::new(engine, &bytes).map_err(|source| HostError::Compile { path: path.to_owned(), source })?;
    tracing::info!(took = ?start.elapsed(), "the component is compiled");
    if let Some(file) = file
        && let Err(error) = store(&component, &file)
    {
        tracing::warn!(file = %file.display(), %error, "the compiled component cannot be kept; the next start compiles again");
    }
    Ok(component)
}

/// A name that changes with the component, the version of wasmtime, its configuration and the processor.
fn name(engine: &Engine, digest: &Digest) -> String {
    let mut hasher = HashInto(digest.0.clone());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let mut name = String::new();
    for byte in hasher.0.finalize().iter().take(16) {
        // Writing to a String does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name + ".cwasm"
}

struct HashInto(Sha256);

impl Hasher for HashInto {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn load_compiled(engine: &Engine, file: &Path) -> Option<Component> {
    if !(is_ours(file.parent()?) && is_ours(file)) {
        return None;
    }
    // Native code is run as it lies in the file.
    #[expect(unsafe_code, reason = "only this user can write the file and its folder, and `store` is what writes there")]
    let component = unsafe { Component::deserialize_file(engine, file) };
    component.inspect_err(|error| tracing::warn!(file = %file.display(), %error, "the compiled component is of no use")).ok()
}

/// Whether nobody but this user (and root) can have written here.
fn is_ours(path: &Path) -> bool {
    // A process owns what it creates: the folder of this process in /proc names its user.
    let user = fs::metadata("/proc/self").map(|meta| meta.uid());
    let meta = fs::symlink_metadata(path);
    match (user, meta) {
        (Ok(user), Ok(meta)) => meta.uid() == user && meta.mode() & 0o022 == 0 && !meta.file_type().is_symlink(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Writes beside and renames, so that no start ever reads half a file.
fn store(component: &Component, file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let code = component.serialize().map_err(|error| io::Error::other(error.to_string()))?;
    let beside: PathBuf = file.with_extension(format!("{}.new", std::process::id()));
    let mut new = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    new.write_all(&code)?;
    new.sync_all()?;
    fs::rename(beside, file)
}
