//! Addresses of other origins behind an edge, and of what steers their viewers.
use alloc::{format, string::String};

use crate::OriginId;

/// A path about an origin, without the leading slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OriginPath {
    /// `origin/<name>/<file>`: a playlist of the origin, by its path there.
    File {
        /// The origin.
        name: OriginId,
        /// What stands behind the origin's base address; anything.
        file: String,
    },
    /// `steer/<name>`: which way the origin's viewers are to take.
    Steer {
        /// The origin.
        name: OriginId,
    },
}

impl OriginPath {
    /// Parses the path of a request (no query, no leading slash).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("steer/") {
            return Some(Self::Steer { name: OriginId::parse(name).ok()? });
        }
        let (name, file) = text.strip_prefix("origin/")?.split_once('/')?;
        Some(Self::File { name: OriginId::parse(name).ok()?, file: file.into() })
    }

    /// The path, with its leading slash, that all files of an origin begin with.
    #[must_use]
    pub fn folder(name: &OriginId) -> String {
        format!("/origin/{name}/")
    }

    /// The path, with its leading slash, at which an origin's viewers are steered.
    #[must_use]
    pub fn steer(name: &OriginId) -> String {
        format!("/steer/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_steering_are_told_apart() {
        let name = OriginId::parse("films").unwrap();
        let file = format!("{}a/b.m3u8", OriginPath::folder(&name));
        assert_eq!(OriginPath::parse(&file[1..]), Some(OriginPath::File { name: name.clone(), file: "a/b.m3u8".into() }));
        assert_eq!(OriginPath::parse(&OriginPath::steer(&name)[1..]), Some(OriginPath::Steer { name }));
        for bad in ["", "origin/films", "origin//a", "origin/Films/a", "steer/", "steer/a/b", "live/films/index.m3u8"] {
            assert_eq!(OriginPath::parse(bad), None, "{bad}");
        }
    }
}
