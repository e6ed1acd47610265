use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::answer::Answer;

/// Files of one folder, and folders in folders.
const FILES: usize = 4096;
const DEPTH: usize = 8;
/// One file; the largest of ours is a film for tests.
const FILE_BYTES: u64 = 32 << 20;

/// Files that the host serves from memory: the watch page and the player.
///
/// They are read once, at the start. What a request asks for is looked up and never joined to a path on disk.
#[derive(Clone, Debug, Default)]
pub struct Statics {
    files: BTreeMap<String, Arc<Answer>>,
}

impl Statics {
    /// Adds one file at `path`, which begins with a slash.
    #[must_use]
    pub fn file(mut self, path: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
        // Asked for again each time, and answered with 304 as long as it is the same.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::ETAG, etag(&bytes));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // The player is used on other sites.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let answer = Arc::new(Answer::text(StatusCode::OK, headers, bytes));
        if let Some(folder) = path.strip_suffix("index.html") {
            self.files.insert(folder.into(), answer.clone());
        }
        self.files.insert(path.into(), answer);
        self
    }

    /// Adds all files below `folder` at `prefix`, which begins and ends with a slash. Links are not followed.
    pub fn folder(self, prefix: &str, folder: &Path) -> io::Result<Self> {
        self.add_folder(prefix, folder, 0)
    }

    fn add_folder(mut self, prefix: &str, folder: &Path, depth: usize) -> io::Result<Self> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            if kind.is_dir() && depth < DEPTH {
                self = self.add_folder(&format!("{prefix}{name}/"), &entry.path(), depth + 1)?;
            } else if kind.is_file() && entry.metadata()?.len() <= FILE_BYTES {
                if self.files.len() >= FILES {
                    return Err(io::Error::other(format!("more than {FILES} files in {}", folder.display())));
                }
                let bytes = fs::read(entry.path())?;
                self = self.file(&format!("{prefix}{name}"), bytes);
            }
        }
        Ok(self)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Arc<Answer>> {
        self.files.get(path)
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        // A page may be named without an extension, as `/watch`.
        "html" | "" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "ts" => "text/plain; charset=utf-8",
        "mp4" | "m4s" => "video/mp4",
        "m3u8" => "application/vnd.apple.mpegurl",
        _ => "application/octet-stream",
    }
}

fn etag(bytes: &[u8]) -> HeaderValue {
    let mut tag = String::from("\"");
    for byte in Sha256::digest(bytes).iter().take(10) {
        // Writing to a String does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    HeaderValue::try_from(tag + "\"").unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_with_their_types_and_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wasm")).unwrap();
        fs::write(folder.path().join("index.html"), "<p>").unwrap();
        fs::write(folder.path().join("wasm/player.wasm"), "\0asm").unwrap();
        fs::write(folder.path().join(".env"), "secret").unwrap();
        let statics = Statics::default().folder("/player/", folder.path()).unwrap();
        let paths: Vec<_> = statics.files.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/player/", "/player/index.html", "/player/wasm/player.wasm"]);
        assert!(statics.get("/player/../etc/passwd").is_none());
    }
}
