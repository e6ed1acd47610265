use std::{
    fmt::Write as _,
    fs,
    hash::{Hash as _, Hasher},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Instant,
};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, component::Component};

use crate::HostError;

/// The largest component that is loaded: ten times what ours may have.
const COMPONENT_BYTES: u64 = 8 << 20;

/// Compiles the component, or takes what an earlier start compiled.
pub(super) fn load(engine: &Engine, path: &Path, cache: Option<&Path>) -> Result<Component, HostError> {
    let start = Instant::now();
    let unreadable = |source| HostError::ReadComponent { path: path.to_owned(), source };
    let len = fs::metadata(path).map_err(unreadable)?.len();
    if len > COMPONENT_BYTES {
        return Err(HostError::LargeComponent { path: path.to_owned(), len });
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let file = cache.map(|cache| cache.join(name(engine, &bytes)));
    if let Some(component) = file.as_deref().and_then(|file| load_compiled(engine, file)) {
        tracing::info!(took = ?start.elapsed(), "the compiled component is loaded");
        return Ok(component);
    }
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
fn name(engine: &Engine, bytes: &[u8]) -> String {
    let mut hasher = HashInto(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(bytes);
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
