use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

/// An ffmpeg that can do what is asked of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ffmpeg {
    /// Where it is.
    pub path: PathBuf,
    /// 5 for 5.1.9; a build from git counts as the newest.
    pub major: u32,
}

/// Why there is no ffmpeg.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FfmpegError {
    /// Nowhere to be found.
    #[error("there is no ffmpeg: install ffmpeg 5.1 or newer, or say where it is with TIDEGATE_FFMPEG")]
    Missing,
    /// It does not run.
    #[error("{} does not run: {reason}. Say where a working ffmpeg is with TIDEGATE_FFMPEG", path.display())]
    Broken {
        /// The program that was tried.
        path: PathBuf,
        /// What it did.
        reason: String,
    },
    /// Too old.
    #[error("{} is ffmpeg {version}: 5.1 or newer is needed", path.display())]
    Old {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: String,
    },
}

/// `-version` is immediate; a program that takes longer is not ffmpeg.
const VERSION_TIME_MAX: Duration = Duration::from_secs(10);
const NEWEST: (u32, u32) = (9, 0);

impl Ffmpeg {
    /// Finds ffmpeg: the configured one, that of the environment, the one of the installation, the system's.
    pub async fn find(configured: Option<&Path>) -> Result<Self, FfmpegError> {
        let named =
            configured.map(Path::to_owned).or_else(|| env::var_os("TIDEGATE_FFMPEG").filter(|path| !path.is_empty()).map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None => installed().or_else(on_path).ok_or(FfmpegError::Missing)?,
        };
        let broken = |reason: String| FfmpegError::Broken { path: path.clone(), reason };
        let output = Command::new(&path).arg("-version").stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(VERSION_TIME_MAX, output).await.map_err(|_| broken("it hangs".into()))?;
        let output = output.map_err(|error| broken(reason(&error)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = version(&text).ok_or_else(|| broken("it does not say its version".into()))?;
        if version < (5, 1) {
            return Err(FfmpegError::Old { path, version: format!("{}.{}", version.0, version.1) });
        }
        Ok(Self { path, major: version.0 })
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        _ => error.to_string(),
    }
}

fn installed() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("tidegate/tools/bin/ffmpeg")).filter(|path| path.is_file())
}

fn on_path() -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join("ffmpeg")).find(|path| path.is_file())
}

/// Reads `ffmpeg version 5.1.9-0+deb12u1 …`, `ffmpeg version n7.1 …`, `ffmpeg version N-118-gabc …` (a build from git).
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.strip_prefix("ffmpeg version ")?.split_whitespace().next()?;
    if word.starts_with("N-") || word.starts_with("git-") {
        return Some(NEWEST);
    }
    let mut numbers = word.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_builders_read() {
        let read = |word: &str| version(&format!("ffmpeg version {word} Copyright (c) 2000-2026"));
        assert_eq!(read("5.1.9-0+deb12u1"), Some((5, 1)));
        assert_eq!(read("n7.1-22-g12"), Some((7, 1)));
        assert_eq!(read("9.0.2-static"), Some((9, 0)));
        assert_eq!(read("N-118461-g1234"), Some(NEWEST));
        assert_eq!(version("something else"), None);
        assert_eq!(read("x"), None);
    }
}
